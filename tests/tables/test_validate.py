import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from headway.core import validation as v
from headway.tables.batches import open_data
from headway.tables.validate import validate
from written_tables import write

NOW = dt.datetime(2026, 1, 31, tzinfo=dt.UTC).timestamp()
DAY = 86400.0


def check(ask: v.Ask, *columns: str, share: float = 0.0) -> v.DataCheck:
    return v.DataCheck(asks=ask, columns=columns, tolerance=v.Tolerance(share=share), at="the check")


def verdict(
    folder: Path,
    table: dict[str, object] | pl.DataFrame,
    *checks: v.DataCheck,
    form: str = "parquet",
    reference: dict[str, object] | None = None,
    other: dict[str, object] | None = None,
) -> v.DataVerdict:
    path = write(frame(table), folder, form)
    before = write(frame(reference), folder, "parquet", "before") if reference is not None else None
    others = write(frame(other), folder, "parquet", "other") if other is not None else path
    with open_data([path]) as data, open_data([others]) as there:
        if before is None:
            return validate(data, checks, others=lambda _: there, now=NOW)
        with open_data([before]) as past:
            return validate(data, checks, reference=past, others=lambda _: there, now=NOW)


def frame(table: dict[str, object] | pl.DataFrame) -> pl.DataFrame:
    return table if isinstance(table, pl.DataFrame) else pl.DataFrame(table)


def days(*numbers: int) -> list[dt.datetime]:
    return [dt.datetime(2026, 1, number) for number in numbers]  # noqa: DTZ001 - as files hold them


NAN, INF = float("nan"), float("inf")
U = "unique"

ROW_CASES: dict[str, tuple[dict[str, object], v.Ask, tuple[str, ...], int]] = {
    "type-integer-good": ({"a": [1, 2, None]}, v.IsKind("integer"), ("a",), 0),
    "type-integer-stored-as-number": ({"a": [1.0, 2.0, None]}, v.IsKind("integer"), ("a",), 0),
    "type-integer-broken-number": ({"a": [1.0, 2.5, None, NAN, INF]}, v.IsKind("integer"), ("a",), 3),
    "type-number-of-integers": ({"a": [1, 2]}, v.IsKind("number"), ("a",), 0),
    "type-text-is-no-number": ({"a": ["1", None, "x"]}, v.IsKind("number"), ("a",), 2),
    "type-of-nothing-is-any": ({"a": [None, None]}, v.IsKind("number"), ("a",), 0),
    "not-null": ({"a": [1, None, 3]}, v.NotNull(), ("a",), 1),
    "not-null-takes-nan": ({"a": [1.0, NAN]}, v.NotNull(), ("a",), 0),
    "not-null-any-of-two": ({"a": [1, None, None], "b": [None, 2, None]}, v.NotNull(), ("a", "b"), 3),
    "values-texts": ({"a": ["x", "y", None, "z"]}, v.OneOf(("x", "y")), ("a",), 1),
    "values-many-texts": ({"a": ["x3", "y", None]}, v.OneOf(tuple(f"x{i}" for i in range(20))), ("a",), 1),
    "values-integers": ({"a": [1, 2, 3, None]}, v.OneOf((1, 2.0, 7.5)), ("a",), 1),
    "values-numbers": ({"a": [0.5, NAN, 2.0, None]}, v.OneOf((0.5, 2)), ("a",), 1),
    "values-numbers-of-32-bits": (
        {"a": pl.Series([0.1, 0.3, 0.2, None], dtype=pl.Float32)},
        v.OneOf((0.1, 0.3)),
        ("a",),
        1,
    ),
    "values-many-numbers-of-32-bits": (
        {"a": pl.Series([0.1, 0.3, 0.25], dtype=pl.Float32)},
        v.OneOf(tuple(i / 10 for i in range(20))),
        ("a",),
        1,
    ),
    "values-booleans": ({"a": [True, False, None]}, v.OneOf((True,)), ("a",), 1),
    "values-none-fit": ({"a": [1, None]}, v.OneOf(("x",)), ("a",), 1),
    "values-days": ({"a": [dt.date(2026, 1, 1), dt.date(2026, 1, 2), None]}, v.OneOf(("2026-01-01",)), ("a",), 1),
    "range": ({"a": [0, 1, 5, 6, None]}, v.InRange(minimum=1, maximum=5), ("a",), 2),
    "range-open": ({"a": [1, 2, 5]}, v.InRange(minimum=1, maximum=5, open_minimum=True, open_maximum=True), ("a",), 2),
    "range-nan-above": ({"a": [1.0, NAN, INF]}, v.InRange(minimum=0), ("a",), 1),
    "range-nan-below": ({"a": [1.0, NAN, -INF]}, v.InRange(maximum=5), ("a",), 1),
    "range-past-64-bits": ({"a": [1, 2]}, v.InRange(maximum=2**70), ("a",), 0),
    "range-of-days": ({"a": [dt.date(2026, 1, 1), dt.date(2026, 2, 1)]}, v.InRange(maximum="2026-01-31"), ("a",), 1),
    "range-of-times": ({"a": days(1, 3)}, v.InRange(minimum="2026-01-02T00:00:00Z"), ("a",), 1),
    "range-of-zoned-times": (
        {"a": pl.Series(days(1, 3)).dt.replace_time_zone("Europe/Berlin")},
        v.InRange(minimum="2026-01-02T00:00:00+01:00"),
        ("a",),
        1,
    ),
    "range-of-texts": ({"a": ["b", "c", None]}, v.InRange(maximum="b"), ("a",), 1),
    "matches": ({"a": ["ab1", "ab", "xab1", "ab1\n", None]}, v.Matches(r"ab\d"), ("a",), 3),
    "matches-one-of-two": ({"a": ["a", "b", "ab"]}, v.Matches("a|b"), ("a",), 1),
    "length": ({"a": ["", "äö", "abc", None]}, v.HasLength(minimum=1, maximum=2), ("a",), 2),
    "length-of-lists": ({"a": [[1], [1, 2], [], None]}, v.HasLength(minimum=1, maximum=1), ("a",), 2),
    "date-format": ({"a": ["2026-01-31", "31.01.2026", "2026-02-30", None]}, v.IsDate("%Y-%m-%d"), ("a",), 2),
    "date-format-with-time": ({"a": ["2026-01-31 10:00", "2026-01-31"]}, v.IsDate("%Y-%m-%d %H:%M"), ("a",), 1),
    "date-format-of-day-times": ({"a": ["10:59", "24:00"]}, v.IsDate("%H:%M"), ("a",), 1),
    "date-format-stored-as-times": ({"a": days(1)}, v.IsDate("%d.%m.%Y"), ("a",), 0),
    "finite": ({"a": [1.0, NAN, INF, -INF, None]}, v.IsFinite(), ("a",), 3),
    "finite-integers": ({"a": [1, None]}, v.IsFinite(), ("a",), 0),
    "plain-text": (
        {"a": ["ok", " x", "x\u00a0", "a\tb", "a\u200bb", "\ufffd", "né", "👩\u200d🚀", None]},
        v.IsPlain(),
        ("a",),
        5,
    ),
    "one-type-words-are-fewer": ({"a": ["1", "2", "3.5", "x", "NA", None]}, v.OneType(), ("a",), 1),
    "one-type-numbers-are-fewer": ({"a": ["x", "y", "3"]}, v.OneType(), ("a",), 1),
    "one-type-of-numbers": ({"a": [1, 2]}, v.OneType(), ("a",), 0),
    "one-null": ({"a": ["NA", "NA", "null", "-", "x", None]}, v.OneNull(), ("a",), 3),
    "one-null-alone": ({"a": ["NA", "NA", "x"]}, v.OneNull(), ("a",), 0),
    "row": ({"a": [1, 2, None], "b": [1, 1, 1]}, v.RowHolds("b >= a"), (), 1),
    "row-texts": ({"a": ["x", "yy", None]}, v.RowHolds("length(a) = 1"), (), 1),
    "outliers": ({"a": [1.0, 2.0, 3.0, 2.0, 1.0, 100.0, NAN, None]}, v.NoOutlier(), ("a",), 1),
    "outliers-none": ({"a": [1, 2, 3]}, v.NoOutlier(), ("a",), 0),
    "unique": ({"a": [1, 2, 1, 1, None, None]}, v.IsUnique(), ("a",), 2),
    "unique-good": ({"a": [3, 1, 2, None, None]}, v.IsUnique(), ("a",), 0),
    "unique-rising": ({"a": [1, 2, 3]}, v.IsUnique(), ("a",), 0),
    "unique-rising-at-first": ({"a": [*range(2000), 7]}, v.IsUnique(), ("a",), 1),
    "unique-falling": ({"a": [3, 2, 1]}, v.IsUnique(), ("a",), 0),
    "unique-far-apart": ({"a": [2**60, 0, 2**60]}, v.IsUnique(), ("a",), 1),
    "unique-texts": ({"a": ["x", "y", "x"]}, v.IsUnique(), ("a",), 1),
    "unique-numbers": ({"a": [0.0, -0.0, NAN, NAN]}, v.IsUnique(), ("a",), 2),
    "unique-together": ({"a": [1, 1, 2, 1], "b": [1, 2, 1, 1]}, v.IsUnique(), ("a", "b"), 1),
    "unique-together-nulls": ({"a": [1, 1, None, None], "b": [None, None, 1, 1]}, v.IsUnique(), ("a", "b"), 0),
    "unique-lists": ({"a": [[1, 2], [1], [1, 2]]}, v.IsUnique(), ("a",), 1),
    "no-duplicates": ({"a": [1, 1, None, None], "b": ["x", "x", None, None]}, v.NoDuplicates(), (), 2),
    "no-duplicates-good": ({"a": [1, 1], "b": ["x", "y"]}, v.NoDuplicates(), (), 0),
    "no-duplicates-one-column": ({"a": [1, 2, 1], "b": [1, 2, 3]}, v.NoDuplicates(), ("a",), 1),
    "no-duplicates-one-null-is-proof": ({"a": [1, None, 2], "b": [1, 1, 1]}, v.NoDuplicates(), (), 0),
    "no-duplicates-nested": ({"a": [{"x": [1]}, {"x": [1]}, None, None]}, v.NoDuplicates(), (), 2),
    "one-label": ({"a": [1, 1, 2, 2, 3], "y": [0, 1, 1, 1, None]}, v.OneLabel("y"), (), 2),
    "one-label-good": ({"a": [1, 1, 2], "y": [0, None, 1]}, v.OneLabel("y"), (), 0),
    "one-label-of-columns": ({"a": [1, 1], "b": [1, 2], "y": [0, 1]}, v.OneLabel("y"), ("a",), 2),
    "increasing": ({"a": [1, 2, 2, None, 1, 3]}, v.IsIncreasing(), ("a",), 1),
    "increasing-strictly": ({"a": [1, 2, 2, None, 1, 3]}, v.IsIncreasing(strictly=True), ("a",), 2),
    "increasing-nan": ({"a": [1.0, NAN, 0.5]}, v.IsIncreasing(), ("a",), 1),
    "increasing-times": ({"a": days(1, 3, 2)}, v.IsIncreasing(), ("a",), 1),
    "increasing-texts": ({"a": ["a", "b", "B"]}, v.IsIncreasing(), ("a",), 1),
}


@pytest.mark.parametrize(("table", "ask", "columns", "n_bad"), ROW_CASES.values(), ids=ROW_CASES)
def test_rows_that_break_a_check_are_counted(
    tmp_path: Path, table: dict[str, object], ask: v.Ask, columns: tuple[str, ...], n_bad: int
) -> None:
    (found,) = verdict(tmp_path, table, check(ask, *columns)).findings
    assert (found.outcome, found.n_bad) == ("fail" if n_bad else "pass", n_bad), found.why
    assert len(found.examples) == min(n_bad, 5)


NUMBER_CASES: dict[str, tuple[dict[str, object], v.Ask, tuple[str, ...], str, float | None]] = {
    "rows": ({"a": [1, 2]}, v.RowCount(minimum=2, maximum=2), (), "pass", 2),
    "rows-few": ({"a": [1, 2]}, v.RowCount(minimum=3), (), "fail", 2),
    "mean": ({"a": [1.0, 2.0, NAN, None]}, v.Statistic(of="mean", minimum=1.5, maximum=1.5), ("a",), "pass", 1.5),
    "mean-off": ({"a": [1, 2]}, v.Statistic(of="mean", minimum=2), ("a",), "fail", 1.5),
    "std": ({"a": [1, 2, 3]}, v.Statistic(of="std", minimum=1, maximum=1), ("a",), "pass", 1),
    "std-of-one": ({"a": [1]}, v.Statistic(of="std", minimum=1), ("a",), "error", None),
    "min": ({"a": [3, 2]}, v.Statistic(of="min", minimum=2), ("a",), "pass", 2),
    "max": ({"a": [3, 2]}, v.Statistic(of="max", maximum=2), ("a",), "fail", 3),
    "sum": ({"a": [3, 2, None]}, v.Statistic(of="sum", maximum=5), ("a",), "pass", 5),
    "sum-of-nothing": ({"a": pl.Series([None], dtype=pl.Int64)}, v.Statistic(of="sum"), ("a",), "error", None),
    "median": ({"a": [1, 2, 9]}, v.Statistic(of="median", minimum=2, maximum=2), ("a",), "pass", None),
    "median-off": ({"a": [1, 2, 9]}, v.Statistic(of="median", minimum=3), ("a",), "fail", None),
    "quantile": ({"a": list(range(1, 21))}, v.Statistic(of="quantile", at=0.95, maximum=19), ("a",), "pass", None),
    "quantile-off": ({"a": list(range(1, 21))}, v.Statistic(of="quantile", at=0.95, maximum=18), ("a",), "fail", None),
    "distinct": ({"a": [1, 2, 1, None]}, v.Statistic(of="distinct", minimum=2, maximum=2), ("a",), "pass", 2),
    "distinct-rising": ({"a": [1, 2, 3]}, v.Statistic(of="distinct", maximum=2), ("a",), "fail", 3),
    "nulls": ({"a": [1, None]}, v.Statistic(of="nulls", maximum=0.5), ("a",), "pass", 0.5),
    "nulls-many": ({"a": [1, None]}, v.Statistic(of="nulls", maximum=0.4), ("a",), "fail", 0.5),
    "share": ({"a": ["x", "y", None]}, v.Statistic(of="share", at="x", minimum=0.5), ("a",), "pass", 0.5),
    "share-small": ({"a": ["x", "y", "y"]}, v.Statistic(of="share", at="x", minimum=0.5), ("a",), "fail", 1 / 3),
    "mean-of-times": ({"a": days(1, 3)}, v.Statistic(of="mean", minimum=1767312000), ("a",), "pass", 1767312000),
    "fresh": ({"a": days(30)}, v.IsFresh(2 * DAY), ("a",), "pass", DAY),
    "fresh-old": ({"a": days(1, 28)}, v.IsFresh(2 * DAY), ("a",), "fail", 3 * DAY),
    "fresh-in-the-future": ({"a": [dt.datetime(2026, 2, 1)]}, v.IsFresh(9 * DAY), ("a",), "fail", -DAY),  # noqa: DTZ001
    "fresh-of-nothing": ({"a": pl.Series([None], dtype=pl.Date)}, v.IsFresh(DAY), ("a",), "error", None),
    "varies": ({"a": ["x", "y", "x", None]}, v.Varies(0.7), ("a",), "pass", 2 / 3),
    "varies-not": ({"a": [1, 1, 1, 2]}, v.Varies(0.7), ("a",), "fail", 0.75),
    "balanced": ({"a": [0, 0, 1]}, v.IsBalanced(0.3), ("a",), "pass", 1 / 3),
    "balanced-not": ({"a": [0] * 9 + [1]}, v.IsBalanced(0.2), ("a",), "fail", 0.1),
}


@pytest.mark.parametrize(("table", "ask", "columns", "outcome", "value"), NUMBER_CASES.values(), ids=NUMBER_CASES)
def test_a_number_about_a_column_is_held_against_its_bounds(
    tmp_path: Path, table: dict[str, object], ask: v.Ask, columns: tuple[str, ...], outcome: str, value: float | None
) -> None:
    (found,) = verdict(tmp_path, table, check(ask, *columns)).findings
    assert found.outcome == outcome, found.why
    assert found.value == (None if value is None else pytest.approx(value))


OTHER_CASES: dict[str, tuple[dict[str, object], dict[str, object], v.Ask, tuple[str, ...], int]] = {
    "known": ({"a": [1, 2, None]}, {"a": [1, 2, 3]}, v.IsKnown(other="o"), ("a",), 0),
    "known-not": ({"a": [1, 4, 4, None]}, {"b": [1, 2]}, v.IsKnown(other="o", columns=("b",)), ("a",), 2),
    "known-of-another-width": (
        {"a": pl.Series([1, 300], dtype=pl.Int16)},
        {"a": pl.Series([1], dtype=pl.Int8)},
        v.IsKnown(other="o"),
        ("a",),
        1,
    ),
    "known-texts-of-numbers": ({"a": ["1", "x"]}, {"a": [1]}, v.IsKnown(other="o"), ("a",), 1),
    "known-pairs": ({"a": [1, 1], "b": ["x", "y"]}, {"a": [1], "b": ["x"]}, v.IsKnown(other="o"), ("a", "b"), 1),
    "known-of-nothing": ({"a": [1]}, {"a": pl.Series([], dtype=pl.Int64)}, v.IsKnown(other="o"), ("a",), 1),
    "shared-keys": ({"a": [1, 2, None], "b": [0, 0, 0]}, {"a": [2, None], "b": [9, 9]}, v.NotShared("o"), ("a",), 1),
    "shared-rows": ({"a": [1, None], "b": [1, None]}, {"a": [1, None], "b": [2, None]}, v.NotShared("o"), (), 1),
    "shared-nothing": ({"a": [1]}, {"a": [2]}, v.NotShared("o"), ("a",), 0),
    "after": ({"a": days(3, 4)}, {"a": days(1, 2)}, v.IsAfter("o"), ("a",), 0),
    "after-not": ({"a": days(3, 2, 1)}, {"a": days(1, 2)}, v.IsAfter("o"), ("a",), 2),
    "after-days": ({"a": [dt.date(2026, 1, 2), None]}, {"a": days(2)}, v.IsAfter("o"), ("a",), 1),
    "after-nothing": ({"a": days(3)}, {"a": pl.Series([], dtype=pl.Datetime)}, v.IsAfter("o"), ("a",), 0),
}


@pytest.mark.parametrize(("table", "other", "ask", "columns", "n_bad"), OTHER_CASES.values(), ids=OTHER_CASES)
def test_rows_are_held_against_another_table(
    tmp_path: Path,
    table: dict[str, object],
    other: dict[str, object],
    ask: v.Ask,
    columns: tuple[str, ...],
    n_bad: int,
) -> None:
    (found,) = verdict(tmp_path, table, check(ask, *columns), other=other).findings
    assert (found.outcome, found.n_bad) == ("fail" if n_bad else "pass", n_bad), found.why
    assert len(found.examples) == min(n_bad, 5)
