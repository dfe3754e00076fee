import re
from pathlib import Path

import pytest
import yaml

from headway.core.guard import GUARDS, Guard, parse_guard_check, shares_of_budget
from headway.core.strategy import Stage, Strategy
from headway.core.strategy_grammar import ALL_AT_ONCE, BLUE_GREEN, read_strategy
from headway.errors import CheckUnreadable

DESIGN = {
    "strategy": [
        {"shadow": "100% for 2000 requests"},
        {"canary": "10% for 10000 requests"},
        {"canary": "50% by customer_id for 20,000 requests within 6h"},
        {"pause": "approval by alice"},
        "promote",
        {"bake": "14d"},
    ],
    "rollback": ["not-ready", "errors", "latency", "quality"],
    "checks": ["disagreement(new, old) <= 0.1", "new.errors / old.errors <= 1.5 for each region"],
    "unsure": "rollback",
    "false-rollbacks": 0.01,
    "slower-than": "200ms",
    "harm": "at most 20 extra failed requests",
    "burst": 3,
}


def read(**values: object) -> Strategy:
    found = read_strategy(values)
    assert not found.problems
    assert found.strategy is not None
    return found.strategy


def faults(**values: object) -> list[tuple[tuple[str | int, ...], str]]:
    found = read_strategy(values)
    assert found.strategy is None
    assert all(fault.remedy for fault in found.problems)
    return [(fault.path, fault.problem) for fault in found.problems]


def test_the_strategy_of_the_design_is_read_whole() -> None:
    strategy = read_strategy(DESIGN).strategy
    assert strategy is not None
    assert [stage.kind for stage in strategy.stages] == ["shadow", "canary", "canary", "pause", "promote", "bake"]
    sticky = strategy.stages[2]
    assert (sticky.share, sticky.n_requests, sticky.time_s, sticky.by) == (0.5, 20_000, 21_600.0, "customer_id")
    assert strategy.stages[3].approver == "alice"
    assert strategy.stages[5].time_s == 14 * 86400
    assert [guard.metric for guard in strategy.guards] == ["errors", "slow", "wrong", "disagreement", "errors"]
    assert [guard.must_be_proved for guard in strategy.guards] == [False, False, False, True, True]
    assert strategy.last_watched == 2
    assert strategy.most_harm == 20
    assert strategy.burst == 3
    assert strategy.unsure == "rollback"
    assert strategy.alpha == 0.01
    assert strategy.slower_than_s == 0.2


@pytest.mark.parametrize(
    ("text", "stages"),
    [("all-at-once", ALL_AT_ONCE), (["all-at-once"], ALL_AT_ONCE), ("blue-green", BLUE_GREEN)],
)
def test_strategies_have_names(text: object, stages: tuple[Stage, ...]) -> None:
    assert read(strategy=text).stages == stages
    assert read().stages == ALL_AT_ONCE


@pytest.mark.parametrize(
    ("said", "share", "n_requests", "time_s"),
    [
        ("0.5% for 100 requests", 0.005, 100, 0),
        ("10 % for 1 request", 0.1, 1, 0),
        ("10% for 1h30m", 0.1, 0, 5400),
        ("10% for 10_000 requests within 2h", 0.1, 10_000, 7200),
    ],
)
def test_traffic_is_a_share_and_its_end(said: str, share: float, n_requests: int, time_s: float) -> None:
    stage = read(strategy=[{"canary": said}, "promote"]).stages[0]
    assert stage.share == pytest.approx(share)
    assert (stage.n_requests, stage.time_s) == (n_requests, time_s)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"canary": "10"}, "says no traffic"),
        ({"canary": "10%"}, "does not say when it ends"),
        ({"canary": "0% for 1h"}, "no share of traffic"),
        ({"canary": "101% for 1h"}, "no share of traffic"),
        ({"canary": "100% for 1h"}, "nothing to be compared by"),
        ({"canary": "10% for 0 requests"}, "tells nothing"),
        ({"canary": "10% for a while"}, "is not a time"),
        ({"pause": "soon"}, "neither a time nor an approval"),
        ({"pause": "0s"}, "is not a time"),
        ({"bake": "for ever"}, "is not a time"),
        ({"canari": "10% for 1h"}, "no stage `canari`"),
        ({"promote": "now"}, "stands by itself"),
        ("canary", "not a stage by itself"),
        ({"canary": "10% for 1h", "bake": "1d"}, "one word and what it says"),
        (7, "one word and what it says"),
    ],
)
def test_a_stage_that_cannot_be_read_is_told_with_its_place(item: object, said: str) -> None:
    [(path, problem)] = faults(strategy=[{"shadow": "100% for 1h"}, item, "promote"])
    assert path[:2] == ("strategy", 1)
    assert said in problem


def test_a_colon_behind_promote_is_not_answered_with_the_same_word() -> None:
    [problem] = read_strategy({"strategy": [{"promote": None}]}).problems
    assert problem.remedy == "write `- promote`, with nothing behind it"


@pytest.mark.parametrize("value", [200, "200", "0.2", "", "ms", True])
def test_from_when_on_a_request_is_slow_is_a_time_with_a_unit(value: object) -> None:
    assert [path for path, _ in faults(**{"slower-than": value})] == [("slower-than",)]


@pytest.mark.parametrize(("said", "read_as"), [("off by 0.5", (0.5, False)), ("off by 10%", (0.1, True))])
def test_from_when_on_a_number_is_wrong(said: str, read_as: tuple[float, bool]) -> None:
    found = read(wrong=said)
    assert (found.off_by, found.is_off_relative) == pytest.approx(read_as)
    assert (read().off_by, read().is_off_relative) == (0.0, False)


@pytest.mark.parametrize("value", [0.5, "0.5", "off by 0", "off by a lot", "off by -1", "off by 1e9", True])
def test_what_says_of_no_number_that_it_is_wrong_is_told(value: object) -> None:
    assert [path for path, _ in faults(wrong=value)] == [("wrong",)]


MANY = "9" * 5000


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"strategy": [{"canary": f"10% for {MANY} requests"}, "promote"]}, ("strategy", 0, "canary")),
        ({"strategy": [{"canary": f"{MANY}% for 1h"}, "promote"]}, ("strategy", 0, "canary")),
        ({"strategy": [{"canary": 10**5000}, "promote"]}, ("strategy", 0, "canary")),
        ({"strategy": [{"canary": f"10% for {MANY}h"}, "promote"]}, ("strategy", 0, "canary")),
        ({"harm": MANY}, ("harm",)),
        ({"harm": 10**5000}, ("harm",)),
        ({"burst": 10**5000}, ("burst",)),
        ({"slower-than": 10**5000}, ("slower-than",)),
        ({"unsure": 10**5000}, ("unsure",)),
        ({"wrong": f"off by {MANY}"}, ("wrong",)),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_numbers_of_thousands_of_digits_are_faults_like_others(
    values: dict[str, object], path: tuple[str | int, ...]
) -> None:
    assert [place for place, _ in faults(**values)] == [path]


def test_all_faults_are_told_at_once() -> None:
    found = faults(
        strategy=[{"canary": "10"}, {"bake": "x"}],
        rollback=["error", "latency"],
        checks=["new.errors", "new.latency_p99_ms < 20"],
        unsure="maybe",
        harm="some",
        burst=0,
        **{"false-rollbacks": 2, "slower-than": "fast"},
    )
    assert [path[0] for path, _ in found] == [
        *("strategy", "strategy", "rollback", "checks", "checks", "unsure", "false-rollbacks", "slower-than"),
        *("harm", "burst"),
    ]


@pytest.mark.parametrize(
    ("stages", "place", "said"),
    [
        ([{"canary": "10% for 1h"}], 0, "no stage promotes"),
        (["promote", "promote"], 1, "promotes twice"),
        ([{"bake": "1d"}, "promote"], 0, "none has"),
        (["promote", {"canary": "10% for 1h"}], 1, "compares with nothing"),
    ],
)
def test_stages_stand_in_an_order_that_makes_sense(stages: list[object], place: int, said: str) -> None:
    [(path, problem)] = faults(strategy=stages)
    assert path == ("strategy", place)
    assert said in problem


@pytest.mark.parametrize(
    ("values", "path", "said"),
    [
        ({"checks": ["new.errors / old.errors <= 2"]}, ("checks", 0), "no stage could prove it"),
        (
            {"strategy": [{"canary": "10% for 1h"}, "promote"], "checks": ["disagreement(new, old) <= 0.1"]},
            ("checks", 0),
            "only a shadow",
        ),
        (
            {"strategy": [{"canary": "10% for 1h"}, "promote"], "rollback": ["errors", "latency"]},
            ("rollback", 1),
            "from when on a request is slow",
        ),
        ({"rollback": ["errors", "errors"]}, ("rollback", 1), "twice"),
        (
            {
                "strategy": [{"canary": "10% for 1h"}, "promote"],
                "checks": ["new.errors <= 0.1", " new.errors <= 0.1 "],
            },
            ("checks", 1),
            "twice",
        ),
        ({"rollback": 3}, ("rollback",), "list of texts"),
    ],
)
def test_what_no_stage_can_see_is_refused(values: dict[str, object], path: tuple[object, ...], said: str) -> None:
    [(found, problem)] = faults(**values)
    assert found == path
    assert said in problem


@pytest.mark.parametrize(
    ("text", "guard"),
    [
        ("new.errors / old.errors <= 1.5", ("errors", "ratio", 1.5)),
        ("new.errors - old.errors < 0.002", ("errors", "difference", 0.002)),
        ("new.slow <= 0.01", ("slow", "value", 0.01)),
        ("new.wrong - old.wrong <= 0.01", ("wrong", "difference", 0.01)),
        ("new.accuracy - old.accuracy > -0.01", ("wrong", "difference", 0.01)),
        ("new.accuracy >= 0.8", ("wrong", "value", 0.2)),
        ("disagreement(new, old) <= 0.1", ("disagreement", "value", 0.1)),
        ("shift(new, old) <= 0.05", ("predictions", "difference", 0.05)),
    ],
)
def test_checks_are_read_as_the_most_that_a_share_may_be(text: str, guard: tuple[str, str, float]) -> None:
    found = parse_guard_check(text)
    assert (found.metric, found.form) == guard[:2]
    assert found.limit == pytest.approx(guard[2])
    assert found.must_be_proved


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("new.recall >= 0.8", 5, "traffic tells nothing"),
        ("old.errors <= 0.1", 1, "is not new.METRIC"),
        ("new.errors - old.slow <= 0.1", 14, "two metrics"),
        ("new.errors - new.errors <= 0.1", 14, "is not old.METRIC"),
        ("new.wrong / old.wrong <= 1.1", 11, "by its difference"),
        ("new.errors >= 0.1", 12, "cannot stand here"),
        ("new.errors", 11, "compares with nothing"),
        ("new.errors <= 2", 15, "no value of shares"),
        ("new.errors / old.errors <= 100", 28, "no ratio of shares"),
        ("shift(new, old) <= 0", 20, "exactly alike"),
        ("shift(new) <= 0.1", 10, "',' is missing"),
        ("new.errors <= 0.1 for region", 23, "`each` is missing"),
        ("new.errors <= 0.1 for each region, region", 36, "named twice"),
        ("new.errors <= 0.1 and new.slow <= 0.1", 19, "left over"),
        ("new.errors -", 13, "it ends where"),
        ("shift(new, old) <= 0.05 for each region", 34, "bins of slices"),
    ],
)
def test_a_check_that_cannot_be_read_is_told_with_its_column(text: str, column: int, said: str) -> None:
    with pytest.raises(CheckUnreadable, match=said) as caught:
        parse_guard_check(text)
    assert caught.value.at == f"checks, column {column}"
    assert caught.value.remedy


def test_the_budget_is_all_spent_and_no_more() -> None:
    guards: list[Guard] = [*GUARDS.values()]
    parts = shares_of_budget(guards, 0.05)
    assert sum(parts) == pytest.approx(0.05)
    assert parts[0] == pytest.approx(4 * parts[1])


def test_the_strategy_of_the_page_is_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "rollouts.md").read_text()
    block = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert block
    found = read_strategy(yaml.safe_load(block[1]))
    assert found.problems == ()
    assert found.strategy is not None
    assert len(found.strategy.stages) == 6
    assert len(found.strategy.guards) == 7


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("canary: 10% for 2h, promote", "in a file it is a list: `strategy: [canary: 10% for 2h, promote]`"),
        (["canary: 10% for 2h", "promote"], "write it without quotation marks: `- canary: 10% for 2h`"),
        (["canary", "promote"], "write `canary: …`"),
        (["canary: ", "promote"], "write `canary: …`"),
        (["promote:"], "did you mean `promote`?"),
        (["bak", "promote"], "did you mean `bake`?"),
    ],
)
def test_a_stage_that_is_written_as_a_text_says_how_it_is_written(value: object, remedy: str) -> None:
    assert remedy in [fault.remedy for fault in read_strategy({"strategy": value}).problems]
