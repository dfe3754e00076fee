"""Groups of rows: numbered by their values, whatever kind these are and however the rows are ordered."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import DataUnreadable, Unmeasurable
from headway.tables.codes import MOST_GROUPS, coded, grouping


@pytest.mark.parametrize(
    ("column", "codes", "values"),
    [
        (pl.Series(["b", "a", None, "b"]), [1, 0, 2, 1], ["a", "b", None]),
        (pl.Series([30, -5, 30]), [1, 0, 1], ["-5", "30"]),
        (pl.Series([10**12, 0, None]), [1, 0, 2], ["0", "1000000000000", None]),
        (pl.Series([0.5, float("nan"), None, -0.5]), [1, 2, 2, 0], ["-0.5", "0.5", None]),
        (pl.Series([True, False]), [1, 0], ["false", "true"]),
        (pl.Series([dt.date(2026, 1, 2), dt.date(2025, 1, 2)]), [1, 0], ["2025-01-02", "2026-01-02"]),
        (pl.Series(["z", "a"], dtype=pl.Categorical), [1, 0], ["a", "z"]),
        (pl.Series(["z", "a"], dtype=pl.Enum(["z", "a"])), [1, 0], ["a", "z"]),
        (pl.Series([None, None], dtype=pl.String), [0, 0], [None]),
        (pl.Series([None, None]), [0, 0], [None]),
        (pl.Series([], dtype=pl.Int64), [], []),
        (pl.Series([250, 1], dtype=pl.UInt8), [1, 0], ["1", "250"]),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, pl.Series) else "",
)
def test_a_value_is_its_rank(column: pl.Series, codes: list[int], values: list[str | None]) -> None:
    found, told = coded(column)
    assert found.tolist() == codes
    assert [None if one is None else one.lower() for one in told] == values


@given(st.lists(st.none() | st.text(max_size=2) | st.just("a"), max_size=30))
def test_texts_are_numbered_as_sorted_sets_are(values: list[str | None]) -> None:
    codes, told = coded(pl.Series(values, dtype=pl.String))
    there = sorted({value for value in values if value is not None})
    assert told == there + [None] * (None in values)
    assert [told[code] for code in codes.tolist()] == values


def test_several_columns_make_the_groups_that_there_are() -> None:
    table = pl.DataFrame({"region": ["n", "s", "s", "n"], "age": [1, 2, 1, None]})
    found = grouping(table, ["region", "age"], at="checks")
    assert found.names == ("region=n, age=1", "region=n, age is missing", "region=s, age=1", "region=s, age=2")
    assert found.codes.tolist() == [0, 3, 2, 1]


def test_columns_that_cannot_be_groups_are_refused() -> None:
    table = pl.DataFrame({"id": np.arange(MOST_GROUPS + 1), "many": [[1]] * (MOST_GROUPS + 1)})
    with pytest.raises(Unmeasurable, match="id makes 1,001 groups"):
        grouping(table, ["id"], at="checks")
    with pytest.raises(DataUnreadable, match="no column 'idd'"):
        grouping(table, ["idd"], at="checks")
    with pytest.raises(DataUnreadable, match="makes no groups"):
        grouping(table, ["many"], at="checks")
    pairs = pl.DataFrame({"a": np.arange(1200) % 100, "b": np.arange(1200) // 100})
    with pytest.raises(Unmeasurable, match="a and b makes 1,200 groups"):
        grouping(pairs, ["a", "b"], at="checks")
