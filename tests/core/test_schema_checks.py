from typing import get_args

import pytest

from codec.test_schema_file import WHOLE, read
from headway.core import validation as v
from headway.core.schema import Column
from headway.core.schema_checks import checks_of

SHARE = v.Tolerance(share=0.001)


@pytest.mark.parametrize(
    ("written", "key", "asks"),
    [
        ("type: number", "type", v.IsKind("number")),
        ("nulls: 0", "nulls", v.NotNull()),
        ("unique: true", "unique", v.IsUnique()),
        ("unique: {}", "unique", v.IsUnique()),
        ("values: [x, 1]", "values", v.OneOf(("x", 1))),
        ("min: 0", "min", v.InRange(minimum=0)),
        ("max: 2013-01-01", "max", v.InRange(maximum="2013-01-01")),
        ("above: 0", "above", v.InRange(minimum=0, open_minimum=True)),
        ("below: 1.5", "below", v.InRange(maximum=1.5, open_maximum=True)),
        ("matches: a+", "matches", v.Matches("a+")),
        ("length: 3", "length", v.HasLength(minimum=3, maximum=3)),
        ("length: 1..", "length", v.HasLength(minimum=1)),
        ("length: {max: 5}", "length", v.HasLength(maximum=5)),
        ('date-format: "%Y"', "date-format", v.IsDate("%Y")),
        ("plain-text: true", "plain-text", v.IsPlain()),
        ("one-type: true", "one-type", v.OneType()),
        ("one-null: true", "one-null", v.OneNull()),
        ("finite: true", "finite", v.IsFinite()),
        ("outliers: true", "outliers", v.NoOutlier(3.0)),
        ("outliers: 1.5", "outliers", v.NoOutlier(1.5)),
        ("outliers: {times: 2}", "outliers", v.NoOutlier(2.0)),
        ("increasing: true", "increasing", v.IsIncreasing()),
        ("increasing: strictly", "increasing", v.IsIncreasing(strictly=True)),
        ("increasing: {is: strictly}", "increasing", v.IsIncreasing(strictly=True)),
        ("fresh: 2d", "fresh", v.IsFresh(172800.0)),
        ("fresh: {within: 1h}", "fresh", v.IsFresh(3600.0)),
        ("after: a.csv", "after", v.IsAfter("a.csv")),
        ("mean: 4..6", "mean", v.Statistic(of="mean", minimum=4, maximum=6)),
        ("std: ..2", "std", v.Statistic(of="std", maximum=2)),
        ("median: {min: 1}", "median", v.Statistic(of="median", minimum=1)),
        ("sum: 0..", "sum", v.Statistic(of="sum", minimum=0)),
        ("smallest: 0..1", "smallest", v.Statistic(of="min", minimum=0, maximum=1)),
        ("largest: 9..", "largest", v.Statistic(of="max", minimum=9)),
        ("quantiles: {0.95: 4..6}", "quantiles.0.95", v.Statistic(of="quantile", at=0.95, minimum=4, maximum=6)),
        ("quantiles: {95%: 4..6}", "quantiles.95%", v.Statistic(of="quantile", at=0.95, minimum=4, maximum=6)),
        ("distinct: 2..5", "distinct", v.Statistic(of="distinct", minimum=2, maximum=5)),
        ("shares: {x: 10%..}", "shares.x", v.Statistic(of="share", at="x", minimum=0.1)),
        ("varies: true", "varies", v.Varies(0.99)),
        ("varies: 95%", "varies", v.Varies(0.95)),
        ("varies: {most: 90%}", "varies", v.Varies(0.9)),
        ("balanced: 5%", "balanced", v.IsBalanced(0.05)),
        ("balanced: {least: 5%}", "balanced", v.IsBalanced(0.05)),
    ],
)
def test_a_key_of_a_column_is_one_check(written: str, key: str, asks: v.Ask) -> None:
    present, check = checks_of(read(f"columns:\n  a: {{{written}}}\n"))
    assert present == v.DataCheck(asks=v.HasColumn(), columns=("a",), at="columns")
    assert check == v.DataCheck(asks=asks, columns=("a",), at=f"columns.a.{key}")


@pytest.mark.parametrize(
    ("written", "checks"),
    [
        ("rows: 5..9", [("rows", v.RowCount(minimum=5, maximum=9), ())]),
        ("rows: {min: 5}", [("rows", v.RowCount(minimum=5), ())]),
        ("row-change: 0.5..2", [("row-change", v.RowChange(minimum=0.5, maximum=2), ())]),
        ("extra-columns: error", [("extra-columns", v.NoOthers(), ())]),
        ("key: a", [("key", v.IsUnique(), ("a",)), ("key", v.NotNull(), ("a",))]),
        ("no-duplicates: true", [("no-duplicates", v.NoDuplicates(), ())]),
        ("no-duplicates: {columns: a}", [("no-duplicates", v.NoDuplicates(), ("a",))]),
        ("label: a", [("label", v.NotNull(), ("a",))]),
        (
            "label: {column: a, balance: 5%, one-label: true, no-target-leak: 90%, shift: true}",
            [
                ("label", v.NotNull(), ("a",)),
                ("label.balance", v.IsBalanced(0.05), ("a",)),
                ("label.one-label", v.OneLabel("a"), ()),
                ("label.no-target-leak", v.HidesLabel(label="a", most=0.9), ()),
                ("label.shift", v.NoShift(), ("a",)),
            ],
        ),
        ("shift: {columns: [a], false-alarms: 2%, least: 0.2}",
         [("shift", v.NoShift(false_alarms=0.02, least=0.2), ("a",))]),
        ("skew: churn", [("skew", v.NoSkew(log="churn"), ())]),
        ("skew: {log: churn, key: id, columns: a}", [("skew", v.NoSkew(log="churn", key="id"), ("a",))]),
        ("foreign-keys: [{columns: a, in: x, called: b}]",
         [("foreign-keys[0]", v.IsKnown(other="x", columns=("b",)), ("a",))]),
        ("not-in: x", [("not-in", v.NotShared("x"), ())]),
        ("not-in: {data: x, columns: a}", [("not-in", v.NotShared("x"), ("a",))]),
        ("not-in: [{data: x, columns: a}]", [("not-in[0]", v.NotShared("x"), ("a",))]),
        ("checks: [{row: a > 1, columns: a}]", [("checks[0]", v.RowHolds("a > 1"), ("a",))]),
        ("checks: [{sql: SELECT 1}]", [("checks[0]", v.SqlFinds("SELECT 1"), ())]),
        ("checks: [{python: 'a.py:b'}]", [("checks[0]", v.FunctionHolds(function="a.py:b"), ())]),
        ("checks: [{unique: [a, b]}]", [("checks[0]", v.IsUnique(), ("a", "b"))]),
        (
            "checks: [{columns: [a, b], each: {min: 0}}]",
            [("checks[0].each.min", v.InRange(minimum=0), (name,)) for name in ("a", "b")],
        ),
    ],
)  # fmt: skip
def test_a_key_of_the_table_is_one_check_or_more(
    written: str, checks: list[tuple[str, v.Ask, tuple[str, ...]]]
) -> None:
    found = checks_of(read(written))
    assert [(check.at, check.asks, check.columns) for check in found] == checks


def test_every_kind_of_check_can_be_written() -> None:
    everything = WHOLE + "no-duplicates: true\nskew: churn"
    extra = (
        "columns:\n  a: {length: 3, date-format: x, finite: true, plain-text: true, one-type: true, one-null: true,"
        " outliers: 3, mean: 1..2, varies: true, after: x, balanced: 1%}\n"
        "label: {column: a, one-label: true}\nchecks: [{sql: SELECT 1}]\n"
    )
    kinds = {type(check.asks) for text in (everything, extra) for check in checks_of(read(text))}
    assert kinds == set(get_args(v.Ask))


def test_severity_is_said_once_for_a_column_and_again_where_it_differs() -> None:
    text = "columns:\n  a: {min: 0, max: {is: 9, severity: error}, nulls: {max: 1%, severity: error}, severity: warn}\n"
    assert {check.at: check.severity for check in checks_of(read(text))} == {
        "columns": "error",
        "columns.a.min": "warn",
        "columns.a.max": "error",
        "columns.a.nulls": "error",
    }


@pytest.mark.parametrize(
    "written",
    [
        "nulls: 0.1%",
        "nulls: {max: 0.1%}",
        "values: [x], other: 0.1%",
        "values: {are: [x], tolerate: 0.1%}",
        "min: {is: 0, tolerate: 0.1%}",
        "unique: {tolerate: 0.1%}",
        "matches: {is: x, tolerate: 0.1%}",
        "length: {min: 1, tolerate: 0.1%}",
        "outliers: {tolerate: 0.1%}",
        "increasing: {tolerate: 0.1%}",
        "type: {is: number, tolerate: 0.1%}",
    ],
)
def test_a_tolerance_is_a_share_of_the_rows(written: str) -> None:
    assert checks_of(read(f"columns:\n  a: {{{written}}}\n"))[1].tolerance == SHARE


def test_a_column_that_need_not_be_there_is_asked_about_only_if_it_is() -> None:
    found = checks_of(read("columns:\n  a: {required: false, min: 0}\n  b: {required: warn}\n  c: {min: 0}\n"))
    assert [(check.at, check.columns, check.severity, check.if_there) for check in found] == [
        ("columns", ("c",), "error", False),
        ("columns", ("b",), "warn", False),
        ("columns.a.min", ("a",), "error", True),
        ("columns.c.min", ("c",), "error", False),
    ]


def test_a_key_that_may_be_missing_says_so_itself() -> None:
    found = checks_of(read("columns:\n  a: {nulls: 1%}\nkey: a\nlabel: a\n"))
    assert [check.at for check in found] == ["columns", "columns.a.nulls", "key"]


def test_shift_is_asked_of_all_columns_but_some() -> None:
    found = checks_of(read("columns: {a: , b: , c: }\nshift: {except: [b]}\n"))
    assert found[-1].columns == ("a", "c")


def test_keys_of_shares_are_values_of_the_column() -> None:
    text = "columns:\n  a: {type: integer, shares: {1: 5%..}}\n  b: {type: boolean, shares: {true: 5%..}}\n"
    assert [check.asks.at for check in checks_of(read(text)) if isinstance(check.asks, v.Statistic)] == [1, True]


def test_a_name_is_what_a_check_is_called() -> None:
    found = checks_of(read("checks:\n  - {name: warm, row: t > 0}\n  - {name: warm, columns: [a], each: {min: 0}}\n"))
    assert [check.name for check in found] == ["warm", "warm: a"]


def test_the_keys_of_a_column_are_all_tried_here() -> None:
    tried = " ".join(str(mark) for mark in test_a_key_of_a_column_is_one_check.pytestmark)  # type: ignore[attr-defined]
    other = {"required", "other", "severity", "about"}
    assert [key for key in Column.__struct_encode_fields__ if f"{key}:" not in tried and key not in other] == []
