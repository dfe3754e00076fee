"""Any small table in any format gives the verdict that plain Python gives."""

import math
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import naive_checks as naive
from headway.core import validation as v
from headway.tables.batches import open_data
from headway.tables.validate import bad_rows, validate
from written_tables import FORMATS, write

START = datetime(2026, 1, 1)  # noqa: DTZ001 - as files hold times
# Texts that look like nothing else: in a file of texts, a column of others would be one of numbers.
WORDS = ("a", "b", "ab", "äß", "a b", " a", "a\u200b", "x\ty", "👩\u200d🚀", "aaa")
TYPES: dict[str, pl.DataType] = {"i": pl.Int64(), "f": pl.Float64(), "s": pl.String(), "t": pl.Datetime("us")}


def column(values: st.SearchStrategy[naive.Value]) -> st.SearchStrategy[naive.Value]:
    return st.one_of(st.none(), values)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "i": column(st.integers(-3, 3)),
            "f": column(st.sampled_from([0.0, -0.0, 0.5, 1.0, 2.5, -7.25, 1e9, math.nan, math.inf, -math.inf])),
            "s": column(st.sampled_from(WORDS)),
            "t": column(st.integers(0, 5).map(lambda n: START + timedelta(hours=n))),
        }
    ),
    max_size=14,
)

OF_ROWS = {
    "not-null": v.DataCheck(asks=v.NotNull(), columns=("i", "s")),
    "kind": v.DataCheck(asks=v.IsKind("integer"), columns=("f",)),
    "integers": v.DataCheck(asks=v.OneOf((0, 1)), columns=("i",)),
    "numbers": v.DataCheck(asks=v.OneOf((0.5, 1)), columns=("f",)),
    "texts": v.DataCheck(asks=v.OneOf(("a", "äß")), columns=("s",)),
    "range": v.DataCheck(asks=v.InRange(minimum=-1, maximum=1), columns=("i", "f")),
    "least": v.DataCheck(asks=v.InRange(minimum=0), columns=("f",)),
    "most": v.DataCheck(asks=v.InRange(maximum=1), columns=("f",)),
    "times": v.DataCheck(asks=v.InRange(minimum="2026-01-01T02:00:00"), columns=("t",)),
    "matches": v.DataCheck(asks=v.Matches("a+|ä."), columns=("s",)),
    "length": v.DataCheck(asks=v.HasLength(minimum=2, maximum=3), columns=("s",)),
    "finite": v.DataCheck(asks=v.IsFinite(), columns=("f",)),
    "plain": v.DataCheck(asks=v.IsPlain(), columns=("s",)),
    "row": v.DataCheck(asks=v.RowHolds("i <= f")),
    "outliers": v.DataCheck(asks=v.NoOutlier(1.5), columns=("f",)),
    "unique": v.DataCheck(asks=v.IsUnique(), columns=("i",)),
    "unique-numbers": v.DataCheck(asks=v.IsUnique(), columns=("f",)),
    "unique-together": v.DataCheck(asks=v.IsUnique(), columns=("i", "s")),
    "duplicates": v.DataCheck(asks=v.NoDuplicates()),
    "duplicates-of-two": v.DataCheck(asks=v.NoDuplicates(), columns=("f", "t")),
    "labels": v.DataCheck(asks=v.OneLabel("i"), columns=("s",)),
    "labels-of-all": v.DataCheck(asks=v.OneLabel("f")),
    "rises": v.DataCheck(asks=v.IsIncreasing(), columns=("i",)),
    "rises-strictly": v.DataCheck(asks=v.IsIncreasing(strictly=True), columns=("f",)),
    "rise-together": v.DataCheck(asks=v.IsIncreasing(), columns=("t", "f")),
}

BOUND = {"minimum": 0.5, "maximum": 1.0}
OF_NUMBERS = {
    "rows": v.DataCheck(asks=v.RowCount(minimum=3)),
    "varies": v.DataCheck(asks=v.Varies(0.5), columns=("s",)),
    "varies-numbers": v.DataCheck(asks=v.Varies(0.5), columns=("f",)),
    "balanced": v.DataCheck(asks=v.IsBalanced(0.3), columns=("i",)),
    "mean": v.DataCheck(asks=v.Statistic(of="mean", **BOUND), columns=("f",)),
    "mean-of-integers": v.DataCheck(asks=v.Statistic(of="mean", **BOUND), columns=("i",)),
    "std": v.DataCheck(asks=v.Statistic(of="std", **BOUND), columns=("i",)),
    "min": v.DataCheck(asks=v.Statistic(of="min", **BOUND), columns=("f",)),
    "max": v.DataCheck(asks=v.Statistic(of="max", **BOUND), columns=("f",)),
    "sum": v.DataCheck(asks=v.Statistic(of="sum", **BOUND), columns=("i",)),
    "median": v.DataCheck(asks=v.Statistic(of="median", **BOUND), columns=("f",)),
    "quantile": v.DataCheck(asks=v.Statistic(of="quantile", at=0.3, **BOUND), columns=("f",)),
    "distinct": v.DataCheck(asks=v.Statistic(of="distinct", maximum=3), columns=("s",)),
    "distinct-integers": v.DataCheck(asks=v.Statistic(of="distinct", maximum=3), columns=("i",)),
    "nulls": v.DataCheck(asks=v.Statistic(of="nulls", **BOUND), columns=("t",)),
    "share": v.DataCheck(asks=v.Statistic(of="share", at="a", **BOUND), columns=("s",)),
}


def as_held(rows: list[naive.Row], form: str) -> list[naive.Row]:
    """What a file of that format can hold of the rows: JSON knows no NaN."""
    if form != "jsonl":
        return rows
    return [
        {name: None if isinstance(one, float) and not math.isfinite(one) else one for name, one in row.items()}
        for row in rows
    ]


@pytest.mark.parametrize("form", FORMATS)
@given(rows=ROWS)
@settings(max_examples=10)
def test_any_table_gets_the_verdict_of_plain_python(form: str, rows: list[naive.Row]) -> None:
    rows = as_held(rows, form)
    # JSON lines without a line have no columns, and are no table.
    assume(rows or form != "jsonl")
    checks = [*OF_ROWS.values(), *OF_NUMBERS.values()]
    with tempfile.TemporaryDirectory() as folder:
        path = write(pl.DataFrame(rows, schema=TYPES), Path(folder), form)
        with open_data([path]) as data:
            verdict = validate(data, checks, now=0.0, examples=20)
            bad = str(Path(folder) / "bad.parquet")
            n_bad = bad_rows(data, checks, verdict, bad)
            written = pl.read_parquet(bad)
    found = dict(zip([*OF_ROWS, *OF_NUMBERS], verdict.findings, strict=True))
    broken = set()
    for name, check in OF_ROWS.items():
        expected = naive.bad_rows(check, rows, list(TYPES))
        assert found[name].outcome == ("fail" if expected else "pass"), (name, found[name].why)
        assert [example.row - 1 for example in found[name].examples] == sorted(expected), (name, found[name].why)
        assert found[name].n_bad == len(expected)
        broken |= expected
    assert n_bad == len(broken)
    assert [row - 1 for row in written["row"].to_list()] == sorted(broken)
    for name, check in OF_NUMBERS.items():
        _compare(check, found[name], naive.number(check, rows))


def _compare(check: v.DataCheck, found: v.Finding, value: float | None) -> None:
    if value is None or math.isnan(value):
        assert found.outcome == "error", found.why
        return
    asked = check.asks
    low = getattr(asked, "minimum", getattr(asked, "least", None))
    high = getattr(asked, "maximum", getattr(asked, "most", None))
    holds = (low is None or value >= low - 1e-12) and (high is None or value <= high + 1e-12)
    assert found.outcome == ("pass" if holds else "fail"), (found.why, value)
    if found.value is not None:
        assert found.value == pytest.approx(value)
