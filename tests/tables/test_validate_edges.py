"""What is odd is told, and the other checks are answered all the same."""

import math
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from headway.core import validation as v
from headway.errors import TableUnreadable
from headway.tables import hashes, keys, pairs
from headway.tables.batches import open_data
from headway.tables.validate import bad_rows, validate
from written_tables import write


def verdict(path: str, *checks: v.DataCheck, examples: int = 5) -> v.DataVerdict:
    with open_data([path]) as data:
        return validate(data, checks, now=0.0, examples=examples)


def check(ask: v.Ask, *columns: str) -> v.DataCheck:
    return v.DataCheck(asks=ask, columns=columns, at="the check")


UNMEASURABLE = {
    "no-column": (check(v.NotNull(), "bb"), "there is no column 'bb'", "did you mean `b`?"),
    "no-column-to-rise": (check(v.IsIncreasing(), "zz"), "there is no column 'zz'", ""),
    "no-column-in-a-condition": (check(v.RowHolds("zz > 1")), "there is no column 'zz'", ""),
    "no-label": (check(v.OneLabel("zz")), "there is no column 'zz'", ""),
    "pattern-of-numbers": (check(v.Matches("x"), "a"), "is no text", "ask this of a text"),
    "length-of-numbers": (check(v.HasLength(minimum=1), "a"), "is no text", ""),
    "range-of-texts-and-numbers": (check(v.InRange(minimum="x"), "a"), "cannot be compared", "write a number"),
    "mean-of-texts": (check(v.Statistic(of="mean"), "b"), "holds texts, not numbers", ""),
    "freshness-of-numbers": (check(v.IsFresh(1.0), "a"), "is no time", ""),
    "order-of-lists": (check(v.IsIncreasing(), "l"), "has no order", ""),
    "bad-pattern": (check(v.Matches("("), "b"), "unclosed group", ""),
    "bad-form-of-a-time": (check(v.IsDate("%Q"), "b"), "'%Q' is no way to write a time", "%Y-%m-%d"),
    "no-form-of-a-time": (check(v.IsDate("day"), "b"), "'day' is no way to write a time", "%Y-%m-%d"),
    "condition-unread": (check(v.RowHolds("a >")), "cannot be read", ""),
    "condition-of-texts-and-numbers": (check(v.RowHolds("a > b")), "does not fit the columns", ""),
    "condition-over-rows": (check(v.RowHolds("a > avg(a)")), "looks at several rows", ""),
    "condition-that-is-none": (check(v.RowHolds("a + 1")), "is not true or false", ""),
    "condition-of-nothing": (check(v.RowHolds("1 = 1")), "names no column", ""),
    "two-conditions": (check(v.RowHolds("a > 1; a > 2")), "more than one condition", ""),
    "share-of-nothing": (check(v.Statistic(of="share"), "b"), "the share of what", ""),
    "only-the-label": (check(v.OneLabel("a"), "a"), "no column but the label", ""),
}


@pytest.mark.parametrize(("asked", "why", "remedy"), UNMEASURABLE.values(), ids=UNMEASURABLE)
def test_what_cannot_be_measured_is_an_error_and_the_rest_is_answered(
    tmp_path: Path, asked: v.DataCheck, why: str, remedy: str
) -> None:
    path = write(pl.DataFrame({"a": [1, 2], "b": ["x", None], "l": [[1], [2]]}), tmp_path, "parquet")
    found = verdict(path, check(v.NotNull(), "a"), asked, check(v.NotNull(), "b"))
    first, second, third = found.findings
    assert (first.outcome, second.outcome, third.outcome) == ("pass", "error", "fail")
    assert why in second.why
    assert remedy in second.remedy
    assert second.remedy


def test_a_column_that_may_be_absent_is_asked_nothing(tmp_path: Path) -> None:
    path = write(pl.DataFrame({"a": [1]}), tmp_path, "parquet")
    asked = v.DataCheck(asks=v.NotNull(), columns=("b",), if_there=True)
    assert verdict(path, asked).findings[0].outcome == "not-applicable"


def test_columns_that_are_missing_or_new_are_told(tmp_path: Path) -> None:
    path = write(pl.DataFrame({"a": [1], "b": [1]}), tmp_path, "parquet")
    here, absent = verdict(path, check(v.HasColumn(), "a"), check(v.HasColumn(), "a", "c")).findings
    assert (here.outcome, absent.outcome) == ("pass", "fail")
    none, some = verdict(path, check(v.NoOthers(), "a", "b"), check(v.NoOthers(), "a")).findings
    assert (none.outcome, some.outcome) == ("pass", "fail")
    assert "b is new" in some.why


# --- files of texts -----------------------------------------------------------------------------------------------

ODD = "a,b\n" + "".join(f"{i},x{i}\n" for i in range(1, 60)) + '61,"two\nlines"\nsixty-two,y\n63,\nNA,z\n'


def test_a_cell_that_is_not_of_its_column_is_shown_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text(ODD)
    path = str(tmp_path / "odd.csv")
    kind, span, null, text = verdict(
        path,
        check(v.IsKind("integer"), "a"),
        check(v.InRange(minimum=0), "a"),
        check(v.NotNull(), "a"),
        check(v.IsKind("integer"), "b"),
    ).findings
    for one in (kind, span):
        assert (one.outcome, one.n_bad) == ("fail", 1)
        (example,) = one.examples
        assert (example.row, example.line, example.values) == (61, 63, {"a": "sixty-two"})
    # A word for nothing is nothing; what is written and is no number is not.
    assert [(one.row, one.line) for one in null.examples] == [(63, 65)]
    assert text.n_bad == 62


@pytest.mark.parametrize("first", ["", "900,x\n"], ids=["rising", "in-no-order"])
def test_what_is_no_value_of_its_column_is_no_key_twice_either(tmp_path: Path, first: str) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("a,b\n" + first + "".join(f"{i},x\n" for i in range(400)) + "odd,x\nodd,y\neven,z\n")
    unique, together, distinct = verdict(
        str(path), check(v.IsUnique(), "a"), check(v.IsUnique(), "a", "b"), check(v.Statistic(of="distinct"), "a")
    ).findings
    assert (unique.outcome, unique.n_bad, together.outcome) == ("fail", 1, "pass"), unique.why
    assert distinct.value == 402 + bool(first)


def test_bad_rows_are_written_as_they_stand_with_what_they_break(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text(ODD)
    checks = [check(v.IsKind("integer"), "a"), v.DataCheck(asks=v.NotNull(), columns=("b",), name="b is there")]
    with open_data([str(tmp_path / "odd.csv")]) as data:
        found = validate(data, checks, now=0.0)
        n_rows = bad_rows(data, checks, found, str(tmp_path / "bad.parquet"))
    written = pl.read_parquet(tmp_path / "bad.parquet")
    assert n_rows == 2
    assert written.drop("file").rows() == [
        (61, 63, ["the check"], "sixty-two", "y"),
        (62, 64, ["b is there"], "63", None),
    ]


def test_bad_rows_of_checks_that_pass_are_not_written(tmp_path: Path) -> None:
    path = write(pl.DataFrame({"a": [1, None, 3], "row": [7, 8, 9]}), tmp_path, "parquet")
    tolerated = v.DataCheck(asks=v.NotNull(), columns=("a",), tolerance=v.Tolerance(count=1))
    checks = [tolerated, check(v.OneOf((1, 3)), "a"), check(v.OneOf((7, 9)), "row")]
    with open_data([path]) as data:
        bad_rows(data, checks, validate(data, checks, now=0.0), str(tmp_path / "bad.parquet"))
    written = pl.read_parquet(tmp_path / "bad.parquet")
    assert written["row"].to_list() == [2]
    assert written["row_"].to_list() == [8]


def test_several_files_are_one_table_and_examples_say_which(tmp_path: Path) -> None:
    paths = [
        write(pl.DataFrame({"a": values}), tmp_path, "csv", name) for name, values in (("x", [1, 2]), ("y", [2, 3]))
    ]
    with open_data(paths) as data:
        (found,) = validate(data, [check(v.IsUnique(), "a")], now=0.0).findings
    assert [(one.row, one.file, one.line) for one in found.examples] == [(3, paths[1], 2)]


@pytest.mark.parametrize("values", [[[math.inf, 1.0], [2.0]], [[2.0], [1.0, math.inf]]], ids=["first", "last"])
def test_an_infinite_number_makes_the_mean_infinite_whatever_batch_it_is_in(
    tmp_path: Path, values: list[list[float]]
) -> None:
    paths = [write(pl.DataFrame({"a": one}), tmp_path, "parquet", f"d{i}") for i, one in enumerate(values)]
    with open_data(paths) as data:
        (found,) = validate(data, [check(v.Statistic(of="mean", maximum=5), "a")], now=0.0).findings
    assert (found.outcome, found.value) == ("fail", math.inf), found.why


def test_a_table_that_cannot_be_read_is_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n3\n")
    with pytest.raises(TableUnreadable, match="1 value"):
        verdict(str(tmp_path / "ragged.csv"), check(v.NotNull(), "a"))


def test_a_file_with_a_header_only_has_no_bad_rows(tmp_path: Path) -> None:
    (tmp_path / "header.csv").write_text("a,b\n")
    found = verdict(
        str(tmp_path / "header.csv"),
        check(v.NotNull(), "a"),
        check(v.IsUnique(), "a"),
        check(v.NoDuplicates()),
        check(v.IsIncreasing(), "a"),
        check(v.RowCount(minimum=1)),
        check(v.Statistic(of="mean", minimum=0), "a"),
    )
    assert [one.outcome for one in found.findings] == ["pass", "pass", "pass", "pass", "fail", "error"]


def test_five_thousand_columns_are_asked_at_once(tmp_path: Path) -> None:
    wide = pl.DataFrame({f"c{i}": [i, None] for i in range(5000)})
    path = write(wide, tmp_path, "parquet")
    checks = [check(v.NotNull(), f"c{i}") for i in range(5000)]
    found = verdict(path, *checks, check(v.NoDuplicates()), check(v.NotNull()), examples=1)
    assert sum(one.outcome == "fail" for one in found.findings) == 5001


# --- more than is held --------------------------------------------------------------------------------------------


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many hashes, and so many rows that may be alike, as if the table were large."""
    monkeypatch.setattr(keys, "HASHES_MOST", 64)
    monkeypatch.setattr(hashes, "HASHES_MOST", 64)
    monkeypatch.setattr(keys, "EXACT_MOST", 8)
    monkeypatch.setattr(pairs, "EXACT_MOST", 8)


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_keys_are_counted_in_parts_when_there_are_too_many(tmp_path: Path, form: str) -> None:
    table = pl.DataFrame({"k": [f"k{i * 7 % 300}" for i in range(1000)], "y": [i % 1000 // 500 for i in range(1000)]})
    path = write(table, tmp_path, form)
    found = verdict(
        path,
        check(v.IsUnique(), "k"),
        check(v.NoDuplicates()),
        check(v.OneLabel("y"), "k"),
        check(v.Statistic(of="distinct", minimum=300, maximum=300), "k"),
        examples=2,
    ).findings
    assert [one.n_bad for one in found[:2]] == [700, 1000 - table.unique().height]
    labels = table.group_by("k").agg(pl.col("y").n_unique(), pl.len().alias("n")).filter(pl.col("y") > 1)
    assert found[2].n_bad == labels["n"].sum()
    assert (found[3].outcome, found[3].value) == ("pass", 300)
    assert found[0].method == "hashes of 128 bits"
    assert [one.row for one in found[0].examples] == [301, 302]


@pytest.mark.usefixtures("little_room")
def test_many_shared_rows_are_told_by_their_hashes(tmp_path: Path) -> None:
    path = write(pl.DataFrame({"k": list(range(500))}), tmp_path, "parquet")
    there = write(pl.DataFrame({"k": list(range(250, 900))}), tmp_path, "parquet", "there")
    with open_data([path]) as data, open_data([there]) as other:
        (found,) = validate(data, [check(v.NotShared("o"), "k")], others=lambda _: other, now=0.0).findings
    assert found.n_bad == 250


ANY_KIND: tuple[v.Ask, ...] = (
    v.NotNull(),
    v.IsUnique(),
    v.NoDuplicates(),
    v.IsIncreasing(),
    v.Varies(0.9),
    v.IsBalanced(0.1),
    v.Statistic(of="distinct", minimum=1),
    v.Statistic(of="mean"),
    v.Statistic(of="nulls", maximum=0.5),
    v.NoOutlier(),
    v.IsKnown(other="itself"),
    v.NotShared("itself"),
    v.IsPlain(),
    v.IsFinite(),
    v.IsKind("string"),
    v.OneOf(("a", "1.1", 1.5, 1)),
    v.HasLength(minimum=1),
    v.IsFresh(1e12),
    v.IsAfter("itself"),
    v.NoShift(),
    v.OneType(),
    v.OneNull(),
)


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([Decimal("1.10"), Decimal("2.50"), None, Decimal("1.10")]),
        pl.Series(["a", "b", None, "a"], dtype=pl.Categorical),
        pl.Series([b"a", b"b", None, b"a"]),
        pl.Series([time(1), time(2), None, time(1)]),
        pl.Series([timedelta(1), timedelta(2), None, timedelta(1)]),
        pl.Series([datetime(2026, 1, 1), datetime(2026, 1, 2), None, datetime(2026, 1, 1)]),  # noqa: DTZ001 - one is made
        pl.Series([datetime(2026, 1, 1), datetime(2026, 1, 2), None, datetime(2026, 1, 1)]).dt.replace_time_zone("UTC"),  # noqa: DTZ001
        pl.Series([{"x": 1}, {"x": 2}, None, {"x": 1}]),
        pl.Series([[1], [1, 2], None, [1]]),
        pl.Series([1.5, 2.5, None, 1.5], dtype=pl.Float32),
        pl.Series([1, 2, None, 1], dtype=pl.UInt64),
        pl.Series([True, False, None, True]),
    ],
    ids=lambda values: str(values.dtype),
)
def test_columns_of_every_type_are_asked_or_refused(tmp_path: Path, values: pl.Series) -> None:
    path = write(values.alias("a").to_frame(), tmp_path, "parquet")
    checks = [check(ask, "a") for ask in ANY_KIND]
    with open_data([path]) as data, open_data([path]) as itself:
        found = validate(data, checks, reference=itself, others=lambda _: itself, now=2e9)
        n_bad = bad_rows(data, checks, found, str(tmp_path / "bad.parquet"), reference=itself, others=lambda _: itself)
    by_kind = {type(one.check.asks): one for one in found.findings}
    assert [by_kind[kind].n_bad for kind in (v.NotNull, v.IsUnique, v.NoDuplicates, v.IsKnown)] == [1, 1, 1, 0]
    assert by_kind[v.NotShared].n_bad == 3
    assert by_kind[v.Varies].value == pytest.approx(2 / 3)
    assert all(one.remedy for one in found.findings if one.outcome == "error")
    assert n_bad == 4
