import pytest

from headway.core.strategy_grammar import KEYS, read_strategy
from headway.core.strategy_typed import OPTIONS, read_typed, stages_typed
from headway.errors import FileFaulty, UsageMistaken

AT = "headway deploy"


def test_there_is_an_option_for_every_key_of_a_strategy() -> None:
    assert sorted(option.key for option in OPTIONS) == sorted(KEYS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("all-at-once", "all-at-once"),
        (" blue-green ", "blue-green"),
        ("promote", ["promote"]),
        ("promote, bake: 14d", ["promote", {"bake": "14d"}]),
        ("[canary: 10% for 20,000 requests , promote]", [{"canary": "10% for 20,000 requests"}, "promote"]),
        ("canary:10% by user_id for 2h,promote", [{"canary": "10% by user_id for 2h"}, "promote"]),
        ("pause: approval by alice, promote", [{"pause": "approval by alice"}, "promote"]),
        ("canary: , promote", ["canary:", "promote"]),
    ],
)
def test_a_line_says_what_a_list_of_yaml_says(text: str, value: object) -> None:
    assert stages_typed(text) == value


def test_what_is_typed_reads_as_what_is_written() -> None:
    typed = read_typed(
        {
            "strategy": "shadow: 100% for 2000 requests, canary: 10% for 10000 requests, promote, bake: 14d",
            "rollback": "errors, latency",
            "checks": ["new.errors / old.errors <= 1.5 for each region", "disagreement(new, old) <= 0.1"],
            "unsure": "rollback",
            "slower-than": "200ms",
            "wrong": "5%",
            "false-rollbacks": "0.01",
            "harm": "20",
            "burst": "3",
            "slices": "7",
        },
        at=AT,
    )
    written = {
        "strategy": [
            {"shadow": "100% for 2000 requests"},
            {"canary": "10% for 10000 requests"},
            "promote",
            {"bake": "14d"},
        ],
        "rollback": ["errors", "latency"],
        "checks": ["new.errors / old.errors <= 1.5 for each region", "disagreement(new, old) <= 0.1"],
        "unsure": "rollback",
        "slower-than": "200ms",
        "wrong": "off by 5%",
        "false-rollbacks": 0.01,
        "harm": 20,
        "burst": 3,
        "slices": 7,
    }
    assert typed == read_strategy(written).strategy


def test_what_is_typed_stands_over_what_is_written() -> None:
    beside = {"strategy": [{"canary": "10% for 500 requests"}, "promote"], "rollback": ["errors"], "unsure": "promote"}
    strategy = read_typed({"unsure": "rollback"}, at=AT, beside=beside)
    assert (strategy.unsure, strategy.stages[0].n_requests) == ("rollback", 500)


def test_one_fault_is_told_at_its_option() -> None:
    with pytest.raises(UsageMistaken, match="there is no strategy `blue-gren`") as e:
        read_typed({"strategy": "blue-gren"}, at=AT)
    assert (e.value.at, e.value.remedy) == ("headway deploy: --strategy", "did you mean `blue-green`?")


def test_what_the_remedy_says_of_a_wrong_number_can_be_typed() -> None:
    with pytest.raises(UsageMistaken, match="says of no number that it is wrong") as e:
        read_typed({"strategy": "promote", "wrong": "much"}, at=AT)
    assert e.value.remedy == "write `off by 0.5` or `off by 10%`"
    stages = "canary: 10% for 500 requests, promote"
    typed = [read_typed({"strategy": stages, "wrong": said}, at=AT) for said in ("off by 10%", "10%")]
    assert typed[0] == typed[1]
    assert typed[0].off_by == 0.1


def test_all_faults_are_told_at_once_each_with_its_place_and_remedy() -> None:
    stages = "canary 5% for ever, promot, bake: 14d"
    given: dict[str, str | list[str]] = {
        "strategy": stages,
        "rollback": "not-ready,eror",
        "checks": ["new.errors <= 0.1", "new.erors <= 0"],
        "unsure": "perhaps",
        "burst": "none",
    }
    with pytest.raises(FileFaulty, match="the strategy has 7 faults") as e:
        read_typed(given, at=AT)
    told = [(fault.where, fault.excerpt, fault.column) for fault in e.value.faults]
    assert told == [
        ("--strategy", stages, 1),
        ("--strategy", stages, 1),
        ("--strategy", stages, stages.index("promot") + 1),
        ("--rollback", "not-ready,eror", len("not-ready,") + 1),
        ("--check", "new.erors <= 0", len("new.") + 1),
        ("--unsure", "perhaps", 1),
        ("--burst", "none", 1),
    ]
    assert e.value.faults[0].remedy == "write `canary: 5% for ever`"
    assert all(fault.remedy for fault in e.value.faults)


def test_a_fault_of_what_is_written_beside_it_is_told_at_its_key() -> None:
    with pytest.raises(UsageMistaken, match="no stage could prove it") as e:
        read_typed({"strategy": "all-at-once"}, at=AT, beside={"checks": ["new.errors <= 0.1"]})
    assert e.value.at == "headway deploy: checks.0"
