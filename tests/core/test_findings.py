from typing import get_args

import pytest

from headway.core import validation as v
from headway.core.finding_words import remedy, rule
from headway.core.findings import (
    Moved,
    finding_of_columns,
    finding_of_moves,
    finding_of_number,
    finding_of_quantile,
    finding_of_rows,
    finding_of_truth,
    not_applicable,
    unmeasured,
)

ASKS: list[tuple[v.Ask, str]] = [
    (v.IsKind("number"), "a must hold numbers"),
    (v.NotNull(), "a must have a value"),
    (v.OneOf(("x", "y")), "a must be `x` or `y`"),
    (v.OneOf(tuple(map(str, range(20)))), "a must be one of 20 values (`0`, `1`, `2`, …)"),
    (v.InRange(minimum=0), "a must be at least 0"),
    (v.InRange(minimum=0, maximum=5), "a must lie within 0 to 5"),
    (v.InRange(minimum=0, open_minimum=True, maximum=5), "a must be more than 0 and at most 5"),
    (v.InRange(maximum="2013-01-01", open_maximum=True), "a must be less than 2013-01-01"),
    (v.Matches("x+"), "a must match `x+`"),
    (v.HasLength(minimum=2, maximum=2), "a must have 2 characters"),
    (v.HasLength(maximum=9), "a must have at most 9 characters"),
    (v.IsDate("%Y"), "a must be a time written like `%Y`"),
    (v.IsFinite(), "a must be finite numbers"),
    (v.IsPlain(), "a must be plain text, without control or invisible signs and blanks at its ends"),
    (v.OneType(), "a must not mix numbers and words"),
    (v.OneNull(), "a must write what is missing in one way"),
    (v.RowHolds("a >= b"), "`a >= b` must hold"),
    (v.NoOutlier(3.0), "a must lie within 3 times the quartiles' distance around them"),
    (v.IsUnique(), "a must be different in each row"),
    (v.NoDuplicates(), "no row may be there twice (by a)"),
    (v.OneLabel("late"), "rows that are equal in a must have the same late"),
    (v.IsIncreasing(), "a must never fall"),
    (v.IsIncreasing(strictly=True), "a must rise from each row to the next"),
    (v.HasColumn(), "the table must have the column a"),
    (v.NoOthers(), "the table must have no columns but the one of the schema"),
    (v.RowCount(minimum=10), "the table must have at least 10 rows"),
    (v.RowChange(minimum=0.5, maximum=2), "the table must have 0.5 to 2 times the rows of the reference"),
    (v.Statistic(of="mean", minimum=4, maximum=6), "the mean of a must lie within 4 to 6"),
    (v.Statistic(of="share", at="x", maximum=0.1), "the share of `x` in a must be at most 10 %"),
    (v.IsFresh(172800), "the newest a must be at most 2 days old"),
    (v.Varies(0.99), "no single value of a may make up more than 99 % of its values"),
    (v.IsBalanced(0.05), "each value of a must make up at least 5 % of its values"),
    (v.HidesLabel(label="late"), "none of a may tell late all but alone (more than 95 % of it)"),
    (v.IsKnown(other="x.csv", columns=("b",)), "a must be among the values of b in x.csv"),
    (v.NotShared("x.csv"), "no a may be in x.csv too"),
    (v.IsAfter("x.csv"), "a must be later than all of x.csv"),
    (v.NoShift(), "a must be distributed as in the reference"),
    (v.NoSkew(log="churn"), "a must be as in the requests of churn"),
    (v.SqlFinds("SELECT 1"), "`SELECT 1` must find nothing"),
    (v.FunctionHolds(function="a.py:b"), "`a.py:b` must hold"),
]


def check(asks: v.Ask, **more: object) -> v.DataCheck:
    return v.DataCheck(**({"asks": asks, "columns": ("a",), "at": "columns.a.x"} | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(("asks", "said"), ASKS, ids=lambda one: one if isinstance(one, str) else "")
def test_what_is_demanded_is_a_sentence(asks: v.Ask, said: str) -> None:
    assert rule(check(asks)) == said
    assert len(remedy(check(asks)).split()) > 5
    assert "@" not in remedy(check(asks))


def test_every_kind_has_a_sentence() -> None:
    assert {type(asks) for asks, _ in ASKS} == set(get_args(v.Ask))


def test_a_check_is_told_by_its_name() -> None:
    assert rule(check(v.RowHolds("x"), name="no flight to itself")) == "no flight to itself"


EXAMPLE = v.Example(row=17, line=18, file="a.csv", values={"a": "451"})


@pytest.mark.parametrize(
    ("tolerance", "n_bad", "n_rows", "outcome", "said"),
    [
        (v.Tolerance(), 0, 1000, "pass", "it holds in all 1,000 rows"),
        (v.Tolerance(), 0, 1, "pass", "it holds in the one row"),
        (v.Tolerance(), 0, 0, "pass", "there are no rows"),
        (v.Tolerance(), 1, 1000, "fail",
         "1 of 1,000 rows (0.1 %) breaks this; such as `451` in row 17 (a.csv line 18)"),
        (v.Tolerance(share=0.01), 12, 1000, "fail",
         "12 of 1,000 rows (1.2 %) break this, 1 % may; such as `451` in row 17 (a.csv line 18)"),
        (v.Tolerance(share=0.02), 12, 1000, "pass",
         "12 of 1,000 rows (1.2 %) break this, 2 % may; such as `451` in row 17 (a.csv line 18)"),
        (v.Tolerance(count=12), 12, 1000, "pass",
         "12 of 1,000 rows (1.2 %) break this, 12 rows may; such as `451` in row 17 (a.csv line 18)"),
    ],
)  # fmt: skip
def test_rows_are_judged_with_the_tolerance(
    tolerance: v.Tolerance, n_bad: int, n_rows: int, outcome: str, said: str
) -> None:
    found = finding_of_rows(
        check(v.InRange(maximum=5), tolerance=tolerance), n_bad, n_rows, examples=[EXAMPLE] * (n_bad > 0)
    )
    assert (found.outcome, found.why) == (outcome, f"a must be at most 5: {said}")
    assert bool(found.remedy) == (outcome == "fail")
    assert (found.n_bad, found.n_rows, found.share) == (n_bad, n_rows, n_bad / max(n_rows, 1))


def test_who_has_few_bad_rows_is_told_how_to_live_with_them() -> None:
    few = finding_of_rows(check(v.InRange(maximum=5)), 12, 1000)
    assert few.remedy.endswith("; to live with so many, write tolerate: 2% there")
    assert "to live with" not in finding_of_rows(check(v.InRange(maximum=5)), 500, 1000).remedy
    nulls = finding_of_rows(check(v.NotNull(), at="columns.a.nulls"), 1, 1000)
    assert nulls.remedy.endswith("; to live with so many, write nulls: 0.2%")
    assert v.Tolerance(share=0.002).allows(1, 1000)
    label = finding_of_rows(check(v.NotNull(), at="label"), 1, 1000)
    assert label.remedy.endswith("; to live with so many, write nulls: 0.2% below columns.a")


def test_an_example_shows_the_columns_asked_about() -> None:
    one = v.Example(row=3, values={"x": "9", "a": None, "b": ""})
    two = finding_of_rows(check(v.IsUnique(), columns=("a", "b")), 1, 5, examples=[one])
    assert two.why.endswith("; such as a nothing and b an empty text in row 3")
    nulls = finding_of_rows(check(v.NotNull()), 1, 5, examples=[one])
    assert nulls.why.endswith("; such as row 3")


@pytest.mark.parametrize(
    ("asks", "value", "outcome", "said"),
    [
        (v.RowCount(minimum=10), 9, "fail", "it has 9"),
        (v.RowCount(minimum=10), 10, "pass", "it has 10"),
        (v.RowChange(minimum=0.5, maximum=2), 2.1, "fail", "it has 2.1 times the 500 of the reference"),
        (v.Statistic(of="mean", maximum=6), 6.00000001, "fail", "it is 6.00000001"),
        (v.Statistic(of="mean", maximum=6), 6, "pass", "it is 6"),
        (v.Statistic(of="nulls", maximum=0.1), 0.2, "fail", "it is 20 %"),
        (v.IsFresh(3600), 7200, "fail", "it is 2 hours old"),
        (v.IsFresh(3600), -7200, "fail", "it is 2 hours in the future"),
        (v.IsFresh(3600), 10, "pass", "it is 10 seconds old"),
        (v.Varies(0.9), 0.95, "fail", "`x` makes up 95 %"),
        (v.IsBalanced(0.05), 0.01, "fail", "`x` makes up 1 %"),
        (v.HidesLabel(label="late", most=0.9), 0.95, "fail", "x tells 95 %"),
    ],
)
def test_a_number_is_judged_by_its_bounds(asks: v.Ask, value: float, outcome: str, said: str) -> None:
    found = finding_of_number(check(asks), value, 1000, of="x", reference=500)
    assert (found.outcome, found.value) == (outcome, value)
    assert found.why == f"{rule(check(asks))}: {said}"
    assert bool(found.remedy) == (outcome == "fail")


def test_a_number_that_is_none_could_not_be_measured() -> None:
    found = finding_of_number(check(v.Statistic(of="mean", maximum=6)), float("nan"), 0)
    assert found.outcome == "error"


def test_a_check_of_rows_is_not_judged_by_a_number() -> None:
    with pytest.raises(ValueError, match="NotNull"):
        finding_of_number(check(v.NotNull()), 1, 1)


@pytest.mark.parametrize(
    ("below", "up_to", "outcome", "said"),
    [
        (0.9, 0.97, "pass", "it does"),
        (0.95, 1.0, "fail", "it is lower, 95 % of the values are below 4"),
        (0.1, 0.94, "fail", "it is higher, only 94 % of the values are at most 6"),
        (0.1, 0.95, "pass", "it does"),
        (float("nan"), 0.95, "error", "could not be measured, there is no value to measure it by"),
    ],
)
def test_a_quantile_is_judged_by_two_counts(below: float, up_to: float, outcome: str, said: str) -> None:
    asks = v.Statistic(of="quantile", at=0.95, minimum=4, maximum=6)
    found = finding_of_quantile(check(asks), below, up_to, 100)
    assert (found.outcome, found.why) == (outcome, f"the 0.95 quantile of a must lie within 4 to 6: {said}")


def test_columns_that_are_missing_may_have_been_renamed() -> None:
    found = finding_of_columns(check(v.HasColumn(), columns=("temp", "late")), ["temp"], ["temp_f", "late"])
    assert found.outcome == "fail"
    assert found.why == "the table must have the columns temp and late: temp is missing"
    assert found.remedy == "`temp_f` may be temp: rename it back, or change the schema"
    assert finding_of_columns(check(v.HasColumn()), [], ["a", "b"]).outcome == "pass"
    assert finding_of_columns(check(v.HasColumn()), ["a"], []).outcome == "fail"


def test_columns_that_are_new_are_named() -> None:
    found = finding_of_columns(check(v.NoOthers()), ["x", "y"], ["a", "x", "y"])
    assert found.why.endswith("x and y are new")


def test_the_farthest_move_is_told_first() -> None:
    near = Moved(column="a", distance=0.2, in_sd=True, is_told=True)
    far = Moved(column="b", distance=0.4, is_told=True, new=("ZZ",))
    nulls = Moved(column="c", distance=0.08, is_told=False, of="missing values", before=0.01, after=0.09)
    found = finding_of_moves(check(v.NoShift()), [near, far, nulls], 100, 900)
    assert found.outcome == "fail"
    assert found.why.endswith(
        "40 % of b moved to other values, `ZZ` being new and a moved by 0.2 standard deviations (100 rows against 900)"
    )
    calm = finding_of_moves(check(v.NoShift()), [nulls], 100, 900)
    assert calm.outcome == "pass"
    assert calm.why.endswith("missing values of c moved by 8 %, from 1 % to 9 % (100 rows against 900)")
    assert finding_of_moves(check(v.NoShift()), [], 100, 900).outcome == "not-applicable"


def test_what_a_function_says_of_the_table_is_told() -> None:
    assert finding_of_truth(check(v.FunctionHolds(function="a.py:b")), True, 5).why == "`a.py:b` must hold: it does"
    assert finding_of_truth(check(v.FunctionHolds(function="a.py:b")), False, 5).outcome == "fail"


def test_what_could_not_be_asked_is_no_pass() -> None:
    open_ = unmeasured(check(v.NotNull()), "there is no column a", "bring it back")
    assert (open_.outcome, open_.remedy) == ("error", "bring it back")
    apart = not_applicable(check(v.NoShift()), "there is no reference yet")
    assert apart.why == "a must be distributed as in the reference: not applicable, there is no reference yet"
    assert v.conclude([open_, apart], 5).outcome == "error"
