"""The profile of a table: against plain Python and exact answers, whole and in parts, of few values and of many."""

import math
import statistics
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headway.core.profile import ColumnProfile, Counted, Profile
from headway.tables.batches import open_data
from headway.tables.distinct import ERROR, Distinct, Hashes, hashes_of_numbers, hashes_of_texts
from headway.tables.profile import Partial, profile
from headway.tables.profile_room import Room
from headway.tables.profile_texts import TextsSeen
from headway.tables.ranks import Floats, Ranks
from tries import tries


def profiled(path: Path, **options: Any) -> Profile:
    with open_data([str(path)]) as data:
        return profile(data, **options)


def of(path: Path, frame: pl.DataFrame) -> Profile:
    frame.write_parquet(path / "a.parquet")
    return profiled(path / "a.parquet")


def one(path: Path, **columns: Any) -> ColumnProfile:
    return of(path, pl.DataFrame(columns)).columns[0]


NOON = "2024-01-01T12:00:00+00:00"

# --- columns of each kind -----------------------------------------------------------------------------------------


def test_a_column_of_numbers(tmp_path: Path) -> None:
    values = [1.5, None, math.nan, math.inf, -math.inf, 0.0, -0.0, 4.0, 4.0]
    found = one(tmp_path, x=values)
    assert (found.kind, found.stored_as, found.n_rows, found.n_null) == ("number", "Float64", 9, 1)
    assert (found.n_nan, found.n_infinite, found.n_zero, found.n_distinct) == (1, 2, 2, 3)
    assert (found.minimum, found.maximum) == (0.0, 4.0)
    finite = [1.5, 0.0, 0.0, 4.0, 4.0]
    assert found.mean == pytest.approx(statistics.mean(finite))
    assert found.std == pytest.approx(statistics.stdev(finite))
    assert found.quantiles == {"0.01": 0.0, "0.05": 0.0, "0.25": 0.0, "0.5": 1.5, "0.75": 4.0, "0.95": 4.0, "0.99": 4.0}
    assert found.top[:2] == (Counted(0.0, 2), Counted(4.0, 2))
    assert found.histogram is not None
    assert sum(found.histogram.counts) == 5
    assert not found.is_unique


def test_a_key_is_known_to_be_one(tmp_path: Path) -> None:
    found = one(tmp_path, x=list(range(10, 300_010)))
    assert found.is_unique
    assert found.is_increasing
    assert (found.n_distinct, found.distinct_error, found.minimum, found.maximum) == (300_000, 0.0, 10, 300_009)


def test_the_ends_of_long_whole_numbers_are_exact(tmp_path: Path) -> None:
    found = one(tmp_path, x=[2**62 + 1, 2**63 - 1, 2**62 + 3])
    assert (found.minimum, found.maximum) == (2**62 + 1, 2**63 - 1)
    nanos = pl.Series("x", [1_704_110_400_000_001_000, 1_704_110_400_000_003_000]).cast(pl.Datetime("ns"))
    found = of(tmp_path, nanos.to_frame()).columns[0]
    assert (found.minimum, found.maximum) == ("2024-01-01T12:00:00.000001", "2024-01-01T12:00:00.000003")


def test_a_column_of_texts(tmp_path: Path) -> None:
    found = one(tmp_path, x=["Ab-1", "Cd-2", None, "é x", "Ab-1"])
    assert (found.kind, found.n_null, found.n_distinct) == ("string", 1, 3)
    assert (found.minimum, found.maximum) == ("Ab-1", "é x")
    assert found.lengths is not None
    assert (found.lengths.minimum, found.lengths.maximum, found.lengths.mean) == (3, 4, 3.75)
    assert found.patterns == (Counted("Aa-9", 3), Counted("a a", 1))
    assert found.top == (Counted("Ab-1", 2), Counted("Cd-2", 1), Counted("é x", 1))
    assert not found.is_increasing


@pytest.mark.parametrize(
    ("values", "least", "top", "mean"),
    [
        ([date(2024, 1, 1), date(2024, 1, 3)], "2024-01-01", "2024-01-01", 1704153600.0),
        ([datetime(2024, 1, 1, 12, tzinfo=UTC)] * 2, NOON, NOON, 1704110400.0),
        ([timedelta(seconds=1.5), timedelta(seconds=2.5)], 1.5, 1.5, 2.0),
        ([Decimal("1.50"), Decimal("2.50")], 1.5, 1.5, 2.0),
    ],
    ids=["date", "datetime", "duration", "decimal"],
)  # fmt: skip
def test_times_and_decimals(tmp_path: Path, values: list[Any], least: object, top: object, mean: float) -> None:
    found = one(tmp_path, x=values)
    assert (found.minimum, found.top[0].value, found.mean) == (least, top, mean)
    assert found.quantiles["0.5"] == pytest.approx(mean, abs=86400 if isinstance(values[0], date) else 0.6)


def test_the_zone_of_times_is_kept(tmp_path: Path) -> None:
    moments = pl.Series("x", [datetime(2024, 1, 1, 12, tzinfo=UTC)]).dt.convert_time_zone("Europe/Oslo")
    found = of(tmp_path, moments.to_frame()).columns[0]
    assert found.minimum == "2024-01-01T13:00:00+01:00"
    assert found.mean == 1704110400.0


def test_truths_lists_structs_and_bytes(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "b": [True, False, True],
            "l": [[1, 2], [], [1, 2]],
            "s": [{"k": 1}, {"k": 2}, {"k": 1}],
            "y": [b"\x00\xff", b"", None],
            "n": pl.Series([None] * 3, dtype=pl.Null),
        }
    )
    truth, lists, structs, raw, nothing = of(tmp_path, frame).columns
    assert truth.top == (Counted(value=True, count=2), Counted(value=False, count=1))
    assert (truth.mean, truth.n_zero) == (None, 0)
    assert (lists.n_distinct, lists.top[0]) == (2, Counted("[1,2]", 2))
    assert lists.lengths is not None
    assert lists.lengths.maximum == 2
    assert lists.lengths.mean == pytest.approx(4 / 3)
    assert (structs.n_distinct, structs.top[0]) == (2, Counted('{"k":1}', 2))
    assert [one.value for one in raw.top] == ["", "00ff"]
    assert (nothing.kind, nothing.n_null, nothing.n_distinct, nothing.n_values) == ("null", 3, 0, 0)


def test_texts_that_do_not_fit_are_counted_and_told(tmp_path: Path) -> None:
    lines = [str(i) for i in range(500)] + ["many", "many", "few", "NA"]
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{line},1\n" for line in lines))
    found = profiled(tmp_path / "a.csv").columns[0]
    assert (found.kind, found.n_null, found.n_misfit, found.n_values) == ("integer", 1, 3, 500)
    assert found.misfits == (Counted("many", 2), Counted("few", 1))
    assert found.is_unique


def test_a_table_without_rows_or_with_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n")
    empty = profiled(tmp_path / "a.csv")
    assert (empty.n_rows, [one.kind for one in empty.columns]) == (0, ["null", "null"])
    single = one(tmp_path, x=[7.0])
    assert (single.mean, single.std, single.n_distinct, single.is_increasing) == (7.0, None, 1, False)
    assert single.histogram is not None
    assert sum(single.histogram.counts) == 1


# --- laws ---------------------------------------------------------------------------------------------------------

numbers = st.one_of(st.none(), st.integers(-5, 5).map(float), st.floats(-1e6, 1e6), st.just(math.nan))


@settings(max_examples=tries(60), deadline=None)
@example(values=[5e-324])
@example(values=[1e17, 1e17 + 16])
@given(values=st.lists(numbers, min_size=1, max_size=60))
def test_small_columns_are_exact(tmp_path_factory: pytest.TempPathFactory, values: list[float | None]) -> None:
    found = of(tmp_path_factory.mktemp("p"), pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)})).columns[0]
    held = sorted(v for v in values if v is not None and not math.isnan(v))
    assert (found.n_null, found.n_nan) == (values.count(None), sum(v is not None and math.isnan(v) for v in values))
    assert found.n_distinct == len(set(held))
    if not held:
        assert found.mean is None
        return
    for name, quantile in found.quantiles.items():
        assert quantile == held[max(math.ceil(float(name) * len(held)), 1) - 1]
    histogram = found.histogram
    assert histogram is not None
    edges = histogram.edges
    last = len(edges) - 2
    for i, count in enumerate(histogram.counts):
        assert count == sum(edges[i] <= v < edges[i + 1] or (i == last and v == edges[-1]) for v in held)
    assert sum(histogram.counts) == len(held)
    assert {(c.value, c.count) for c in found.top} <= {(v, n) for v, n in Counter(held).items()}


@settings(max_examples=tries(30), deadline=None)
@given(
    rows=st.lists(
        st.tuples(numbers, st.sampled_from(["a", "B1", "", None]), st.integers(0, 3)), min_size=2, max_size=50
    ),
    cut=st.integers(1, 49),
)
def test_parts_joined_are_the_whole(tmp_path_factory: pytest.TempPathFactory, rows: list[Any], cut: int) -> None:
    folder = tmp_path_factory.mktemp("p")
    frame = pl.DataFrame(rows, schema={"x": pl.Float64, "y": pl.String, "z": pl.Int64}, orient="row")
    paths = [folder / name for name in ("whole.parquet", "first.parquet", "second.parquet")]
    for path, part in zip(paths, (frame, frame[:cut], frame[cut:]), strict=True):
        part.write_parquet(path)

    def partial(path: Path) -> Partial:
        with open_data([str(path)]) as data:
            found = Partial(data, correlations=True)
            for batch in data.batches():
                found.add(batch)
            return found

    whole, first, second = map(partial, paths)
    first.merge(second)
    expected, found = whole.profile(), first.profile()
    assert found.n_rows == expected.n_rows
    for one_, other in zip(found.columns, expected.columns, strict=True):
        for name in ColumnProfile.__struct_fields__:
            value = getattr(other, name)
            exact = value if not isinstance(value, float) else pytest.approx(value, rel=1e-9, abs=1e-6)
            assert getattr(one_, name) == exact, name
    assert [(c.one, c.other) for c in found.correlations] == [(c.one, c.other) for c in expected.correlations]
    for here, there in zip(found.correlations, expected.correlations, strict=True):
        assert here.r == pytest.approx(there.r, abs=1e-6)


# --- many values --------------------------------------------------------------------------------------------------


N = 1_000_000
MANY: dict[str, Callable[[], Hashes]] = {
    "whole numbers in a row": lambda: hashes_of_numbers(np.arange(N)),
    "every thousandth": lambda: hashes_of_numbers(np.arange(0, N * 1000, 1000)),
    "fractions": lambda: hashes_of_numbers(np.random.default_rng(1).normal(size=N)),
    "round fractions": lambda: hashes_of_numbers(np.arange(N) / 100),
    "powers": lambda: hashes_of_numbers(np.arange(N, dtype=np.int64) << 40),
    "texts": lambda: hashes_of_texts(pl.Series([f"K{i}" for i in range(N)])),
}


@pytest.mark.parametrize("what", MANY)
def test_many_distinct_values_are_counted_within_three_standard_errors(what: str) -> None:
    counted = Distinct(1 << 12)
    for piece in np.array_split(MANY[what](), 7):
        counted.add(piece, len(piece), may_be_key=False)
        counted.add(piece, len(piece), may_be_key=False)
    n, error = counted.count()
    assert error == ERROR
    assert n == pytest.approx(N, rel=3 * ERROR)


@pytest.mark.parametrize("draw", ["normal", "lognormal", "few", "ordered"])
def test_ranks_of_many_numbers_are_known_to_one_in_a_thousand(draw: str) -> None:
    r = np.random.default_rng(2)
    draws: dict[str, Callable[[], Floats]] = {
        "normal": lambda: r.normal(1e9, 1, 2_000_000),
        "lognormal": lambda: r.lognormal(0, 3, 2_000_000),
        "few": lambda: r.poisson(2, 2_000_000).astype(float),
        "ordered": lambda: np.arange(2_000_000.0),
    }
    values = draws[draw]()
    ranks = Ranks(1 << 13)
    for piece in np.array_split(values, 40):
        ranks.add(*np.unique(piece, return_counts=True))
    values = np.sort(values)
    for name, found in ranks.quantiles().items():
        low, high = np.searchsorted(values, found, "left"), np.searchsorted(values, found, "right")
        assert low / len(values) - 0.001 <= float(name) <= high / len(values) + 0.001
    edges = np.quantile(values, np.linspace(0, 1, 50)).tolist()
    off = np.abs(ranks.below(edges) - np.searchsorted(values, edges)) / len(values)
    assert off.max() <= 0.001


def test_what_stands_out_among_many_values_is_told(tmp_path: Path) -> None:
    r = np.random.default_rng(3)
    values = r.normal(size=600_000)
    values[r.random(600_000) < 0.02] = -999.0
    texts = pl.Series([f"{i:06}" for i in range(600_000)]).scatter(range(0, 600_000, 100), "none")
    number, text = of(tmp_path, pl.DataFrame({"x": values, "t": texts})).columns
    assert number.distinct_error == ERROR
    assert number.n_distinct == pytest.approx(len(np.unique(values)), rel=3 * ERROR)
    assert number.top[0] == Counted(-999.0, int((values == -999).sum()))
    assert text.top[0] == Counted("none", 6000)
    assert text.patterns == (Counted("999999", 594_000), Counted("aaaa", 6000))
    assert len(number.top) == 1
    assert number.histogram is not None
    assert number.histogram.edges[0] == -999.0


def test_long_texts_are_told_by_their_lengths(tmp_path: Path) -> None:
    found = one(tmp_path, x=["x" * 5000, "y"])
    assert (found.top, found.minimum) == ((), None)
    assert found.lengths is not None
    assert found.lengths.maximum == 5000


@pytest.mark.parametrize(
    "values", [[b"x" * 5000, b"y"], [[1] * 500, [2]], [{"k": "x" * 500}, {"k": "y"}]], ids=["bytes", "lists", "structs"]
)
def test_long_values_of_any_kind_are_not_told(tmp_path: Path, values: list[Any]) -> None:
    found = one(tmp_path, x=values)
    assert (found.top, found.n_distinct, found.patterns) == ((), 2, ())


def test_long_texts_are_not_held() -> None:
    seen = TextsSeen("string", Room.of(1))
    for i in range(20):
        seen.add(pl.Series([f"{i} {j} " + "x" * 300 for j in range(100)]))
    assert seen.often.n_held == 0
    more = TextsSeen("string", Room.of(1))
    more.add(pl.Series(["A1"] * 50))
    more.merge(seen)
    assert more.often.n_held == 0
    found = more.described(ColumnProfile(name="x", kind="string", stored_as="String", n_rows=2050))
    assert (found.n_distinct, found.top) == (2001, ())
    assert sum(one.count for one in found.patterns) == 2050
    assert Counted("A9", 50) in found.patterns


def test_correlations_are_those_of_numpy(tmp_path: Path) -> None:
    r = np.random.default_rng(4)
    x = r.normal(1e8, 1, 300_000)
    y = x + r.normal(size=300_000)
    z = np.where(r.random(300_000) < 0.1, np.nan, -x)
    pl.DataFrame({"x": x, "y": y, "z": z, "c": 1.0}).write_parquet(tmp_path / "a.parquet")
    found = {(c.one, c.other): c.r for c in profiled(tmp_path / "a.parquet", correlations=True).correlations}
    assert found.keys() == {("x", "y"), ("x", "z"), ("y", "z")}
    assert found["x", "y"] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-6)
    there = ~np.isnan(z)
    assert found["y", "z"] == pytest.approx(np.corrcoef(y[there], z[there])[0, 1], abs=1e-6)


def test_wide_tables_hold_less_of_each_column(tmp_path: Path) -> None:
    assert Room.of(5000).held * 5000 * 8 < 200 << 20
    frame = pl.DataFrame({f"x{i}": [1.0, 2.0] for i in range(5000)})
    told: list[int] = []
    frame.write_parquet(tmp_path / "a.parquet")
    found = profiled(tmp_path / "a.parquet", progress=told.append)
    assert (len(found.columns), told) == (5000, [2])
    assert [one.name for one in profiled(tmp_path / "a.parquet", columns=["x7", "x3"]).columns] == ["x7", "x3"]
