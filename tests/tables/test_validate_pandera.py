"""What pandera says of the same rows, for every check that it has."""

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core import validation as v
from headway.tables.batches import open_data
from headway.tables.validate import validate
from written_tables import write

pa = pytest.importorskip("pandera.polars", reason="pandera[polars] is not installed")

START = datetime(2026, 1, 1)  # noqa: DTZ001 - as files hold times
TYPES: dict[str, pl.DataType] = {"i": pl.Int64(), "f": pl.Float64(), "s": pl.String(), "t": pl.Datetime("us")}
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "i": st.none() | st.integers(-3, 3),
            "f": st.none() | st.floats(-3, 3, allow_nan=False),
            "s": st.none() | st.text("abä1 ", max_size=4),
            "t": st.none() | st.integers(0, 5).map(lambda n: START + timedelta(hours=n)),
        }
    ),
    min_size=1,
    max_size=20,
)

# Any: pandera's checks have no common type that it exports.
Theirs = dict[str, Any]
Check = pa.Check

PAIRS: dict[str, tuple[str, v.Ask, Theirs]] = {
    "not-null": ("i", v.NotNull(), {"nullable": False}),
    "range": ("i", v.InRange(minimum=-1, maximum=2), {"checks": Check.in_range(-1, 2)}),
    "range-open": (
        "f",
        v.InRange(minimum=-1, maximum=2, open_minimum=True, open_maximum=True),
        {"checks": Check.in_range(-1, 2, include_min=False, include_max=False)},
    ),
    "at-least": ("f", v.InRange(minimum=0), {"checks": Check.ge(0)}),
    "below": ("i", v.InRange(maximum=1, open_maximum=True), {"checks": Check.lt(1)}),
    "times": ("t", v.InRange(minimum="2026-01-01T02:00:00"), {"checks": Check.ge(START + timedelta(hours=2))}),
    "values": ("s", v.OneOf(("a", "ab", "b")), {"checks": Check.isin(["a", "ab", "b"])}),
    "integers": ("i", v.OneOf((0, 1)), {"checks": Check.isin([0, 1])}),
    "matches": ("s", v.Matches("a.*"), {"checks": Check.str_matches("^a.*$")}),
    "length": ("s", v.HasLength(minimum=1, maximum=2), {"checks": Check.str_length(1, 2)}),
}


@pytest.mark.parametrize(("name", "ask", "theirs"), PAIRS.values(), ids=PAIRS)
@given(rows=ROWS)
@settings(max_examples=15)
def test_the_same_rows_are_bad_to_pandera(name: str, ask: v.Ask, theirs: Theirs, rows: list[dict[str, object]]) -> None:
    table = pl.DataFrame(rows, schema=TYPES)
    schema = pa.DataFrameSchema({name: pa.Column(TYPES[name], **{"nullable": True, **theirs})})
    assert ours(table, v.DataCheck(asks=ask, columns=(name,))) == pandera(table, schema)


@given(rows=ROWS)
@settings(max_examples=15)
def test_the_same_keys_repeat_to_pandera(rows: list[dict[str, object]]) -> None:
    # Pandera counts every row of a group and takes two nulls for the same; here the first row is good, nulls are none.
    table = pl.DataFrame(rows, schema=TYPES).drop_nulls("i")
    schema = pa.DataFrameSchema({"i": pa.Column(pl.Int64, unique=True)})
    repeats = ours(table, v.DataCheck(asks=v.IsUnique(), columns=("i",)))
    firsts = {table["i"].to_list().index(table["i"][at]) for at in repeats}
    assert repeats | firsts == pandera(table, schema)


def ours(table: pl.DataFrame, check: v.DataCheck) -> set[int]:
    with tempfile.TemporaryDirectory() as folder, open_data([write(table, Path(folder), "parquet")]) as data:
        (found,) = validate(data, [check], now=0.0, examples=table.height).findings
    assert found.n_bad == len(found.examples)
    return {example.row - 1 for example in found.examples}


def pandera(table: pl.DataFrame, schema: Any) -> set[int]:  # pandera exports no type for it
    try:
        schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as e:
        return set(e.failure_cases["index"].to_list())
    return set()
