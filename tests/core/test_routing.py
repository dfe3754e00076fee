"""Which version answers: weights hold, keys stick, a version that grows takes keys and gives none away."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.problem import Problem
from headway.core.routing import Chooser, Route, Shadow, Sticky, Table, faults, read_sticky, refuse, without
from headway.errors import UsageMistaken

N = 20_000


def table(weights: dict[int, float], *, shadow: Shadow | None = None) -> Table:
    return Table(routes=tuple(Route(version=v, weight=w) for v, w in weights.items()), shadow=shadow)


def chosen(weights: dict[int, float], *, endpoint: str = "churn", n: int = N) -> list[int]:
    chooser = Chooser(endpoint, table(weights))
    return [chooser.version(f"customer-{i}") for i in range(n)]


def within(n_hits: int, share: float, n: int) -> bool:
    """Whether a count is one that chance gives but once in a million times."""
    return abs(n_hits - n * share) <= 4.9 * math.sqrt(n * share * (1 - share)) + 1


@pytest.mark.parametrize(
    "weights",
    [{3: 90, 4: 10}, {3: 0.5, 4: 0.5}, {1: 99.9, 2: 0.1}, {3: 80, 4: 10, 5: 10}, {v: v for v in range(1, 9)}],
    ids=["canary", "half", "rare", "three", "eight"],
)
def test_each_version_answers_its_share(weights: dict[int, float]) -> None:
    told = chosen(weights)
    total = sum(weights.values())
    assert all(within(told.count(v), w / total, N) for v, w in weights.items())


def test_pairs_of_versions_are_chosen_independently_of_a_third() -> None:
    # Of the keys that version 5 does not get, the others share as they would without it.
    told = [v for v in chosen({3: 70, 4: 20, 5: 10}) if v != 5]
    assert within(told.count(4), 20 / 90, len(told))


@given(
    st.dictionaries(st.integers(1, 10**6), st.floats(0.001, 1000), min_size=2, max_size=5),
    st.floats(1.0, 50.0),
    st.data(),
)
def test_a_version_that_grows_only_takes_keys(weights: dict[int, float], factor: float, data: st.DataObject) -> None:
    grown = data.draw(st.sampled_from(sorted(weights)))
    before = chosen(weights, n=200)
    after = chosen({**weights, grown: weights[grown] * factor}, n=200)
    assert all(new in (old, grown) for old, new in zip(before, after, strict=True))


def test_a_canary_that_grows_keeps_its_keys_from_step_to_step() -> None:
    steps = [chosen({3: 100 - share, 4: share}, n=2000) for share in (0, 1, 5, 10, 25, 50, 75, 100)]
    of_canary = [{i for i, v in enumerate(step) if v == 4} for step in steps]
    assert all(less <= more for less, more in pairwise(of_canary))
    assert (len(of_canary[0]), len(of_canary[-1])) == (0, 2000)


def test_what_is_chosen_depends_on_shares_and_not_on_their_unit_or_order() -> None:
    assert chosen({3: 90, 4: 10}, n=500) == chosen({4: 0.1, 3: 0.9}, n=500)


def test_another_endpoint_chooses_independently() -> None:
    one, other = chosen({3: 1, 4: 1}), chosen({3: 1, 4: 1}, endpoint="fraud")
    assert within(sum(a == b for a, b in zip(one, other, strict=True)), 0.5, N)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_the_shadows_share_holds_whichever_version_answers(share: float) -> None:
    chooser = Chooser("churn", table({3: 1, 4: 1}, shadow=Shadow(version=5, share=share)))
    ids = [f"order-{i}" for i in range(N)]
    assert within(sum(map(chooser.is_shadowed, ids)), share, N)
    of_four = [i for i in ids if chooser.version(i) == 4]
    assert within(sum(map(chooser.is_shadowed, of_four)), share, len(of_four))


def test_without_a_shadow_nothing_is_copied() -> None:
    assert not any(Chooser("churn", table({3: 1, 4: 1})).is_shadowed(str(i)) for i in range(1000))


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (table({3: -1, 4: 2}), "a weight of -1"),
        (table({3: math.nan, 4: 2}), "a weight of nan"),
        (table({3: math.inf, 4: 2}), "a weight of inf"),
        (table({3: 0, 4: 0}), "no version has a weight"),
        (table({}), "no version has a weight"),
        (Table(routes=(Route(version=3, weight=1), Route(version=3, weight=2))), "named twice"),
        (table(dict.fromkeys(range(40), 1.0)), "too many"),
        (table({3: 1}, shadow=Shadow(version=4, share=1.5)), "a share of 1.5"),
        (table({3: 1, 4: 1}, shadow=Shadow(version=4)), "is their shadow"),
        (Table(routes=(Route(version=3, weight=1),), sticky=Sticky(place="header", name="")), "without a name"),
    ],
)
def test_a_table_that_makes_no_sense_is_told(wrong: Table, problem: str) -> None:
    assert any(problem in fault.problem for fault in faults(wrong))


def test_good_tables_have_no_fault() -> None:
    assert faults(table({3: 90, 4: 0})) == []
    assert faults(table({3: 90, 4: 0}, shadow=Shadow(version=4))) == []
    assert table({3: 90, 4: 10}, shadow=Shadow(version=5)).versions == (3, 4, 5)
    assert table({3: 9, 4: 1}).shares == {3: 0.9, 4: 0.1}


def test_a_table_without_a_version_keeps_what_makes_a_choice() -> None:
    three = table({3: 80, 4: 20}, shadow=Shadow(version=5))
    assert without(three, 5) == table({3: 80, 4: 20})
    left = without(three, 4)
    assert left == table({3: 80}, shadow=Shadow(version=5))
    assert without(table({3: 80, 4: 20}), 4) is None
    assert without(table({3: 0, 4: 20}, shadow=Shadow(version=5)), 4) is None


@pytest.mark.parametrize("text", ["", "header:", "cookie:", "field:", "header:X User", "header:Kündin", "cookie:a;b"])
def test_a_key_without_a_name_that_can_be_is_told(text: str) -> None:
    assert isinstance(read_sticky(text), Problem)


def test_a_column_may_be_called_as_it_likes() -> None:
    assert read_sticky("field:header:x") == Sticky(place="field", name="header:x")
    assert read_sticky("a:b") == Sticky(place="field", name="a:b")


def test_all_that_is_wrong_with_a_table_is_told_with_what_to_do_about_each() -> None:
    wrong = Table(routes=(Route(version=1, weight=-1), Route(version=1, weight=-2)), shadow=Shadow(version=2, share=9))
    with pytest.raises(UsageMistaken) as e:
        refuse("churn", faults(wrong))
    assert "a weight of -1 is none; a weight of -2 is none; version 1 is named twice" in e.value.problem
    # What is to be done about two of them is said once.
    assert e.value.remedy == (
        "give a number from 0 to 1,000,000,000; name each version once; "
        "give at least one version a weight above 0; give one from 0 to 1"
    )
