"""A schema is inferred from one half of real data: the other half keeps it, and planted faults break it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn import datasets

from codec.test_schema_file import read
from core.naive import broken, profile_of
from headway.codec.schema_text import schema_text
from headway.core.infer import infer
from headway.core.infer_numbers import bounds_of
from headway.core.infer_texts import form_of
from headway.core.profile import ColumnProfile, Counted, Lengths, Profile
from headway.core.schema import Shift
from headway.core.schema_checks import checks_of

FLIGHTS = Path(__file__).parents[2] / "src" / "headway" / "examples" / "flights" / "data" / "flights_2013.parquet"


@cache
def flights() -> pl.DataFrame:
    frame = pl.read_parquet(FLIGHTS)
    hour = pl.col("sched_dep_time") // 100 + pl.col("sched_dep_time") % 100 / 60
    return frame.select(
        pl.format("{}-{}{}-{}", "date", "carrier", "flight", "origin").alias("flight_id"),
        "date",
        pl.col("date").dt.weekday().alias("weekday"),
        hour.round(2).alias("hour"),
        pl.col("carrier", "origin", "dest").cast(pl.String),
        "distance",
        "temp",
        "humidity",
        "wind_speed",
        pl.col("precip", "visibility").cast(pl.Float64).round(2),
        (pl.col("arr_delay") >= 15).cast(pl.Int8).alias("late"),
    )


def sample(n: int, seed: int) -> pl.DataFrame:
    chosen = np.random.default_rng(seed).choice(flights().height, n, replace=False)
    rows: list[int] = np.sort(chosen).tolist()
    return flights()[rows]


def bundled(name: str) -> pl.DataFrame:
    read_ = getattr(datasets, f"load_{name}")(as_frame=False)
    features = {str(feature): read_.data[:, i] for i, feature in enumerate(read_.feature_names)}
    return pl.DataFrame(features | {"target": read_.target})


def halves(frame: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    order = np.random.default_rng(seed).permutation(frame.height)
    one, other = (np.sort(part).tolist() for part in np.array_split(order, 2))
    return frame[one], frame[other]


def n_broken(make: Callable[[int], pl.DataFrame], n: int) -> int:
    """How many of n random splits have a second half that breaks what was inferred from the first."""
    found = 0
    for seed in range(n):
        one, other = halves(make(seed), seed)
        found += any(broken(check, other) for check in checks_of(infer(profile_of(one)).schema))
    return found


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_the_other_half_keeps_what_was_inferred_from_one(name: str) -> None:
    frame = bundled(name)
    assert n_broken(lambda _: frame, 6) <= 1


def test_the_other_half_of_flights_keeps_it_too() -> None:
    assert n_broken(lambda seed: sample(3000, seed), 3) <= 1


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "digits"])
def test_19_halves_of_20_keep_what_was_inferred(name: str) -> None:
    frame = bundled(name)
    assert n_broken(lambda _: frame, 100) <= 5


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("n", "times"), [(200, 200), (2000, 100), (20000, 40)])
def test_19_halves_of_20_of_flights_keep_it(n: int, times: int) -> None:
    assert n_broken(lambda seed: sample(2 * n, seed), times) <= times / 20


# --- what it says -----------------------------------------------------------------------------------------------------


@cache
def inferred() -> str:
    found = infer(profile_of(sample(20000, 7)))
    return schema_text(found.schema, found.notes)


def test_the_schema_of_flights_reads_like_sentences() -> None:
    lines = [line.strip() for line in inferred().splitlines()]
    assert lines[0] == "rows: 2000..  # 20,000 seen"
    assert (
        r"flight_id: {type: string, nulls: 0, unique: true, matches: '\d{4}-\d{2}-\d{2}-[A-Z0-9]+-[A-Z]{3}'}  "
        "# all different"
    ) in lines
    assert "origin: {type: string, nulls: 0, values: [EWR, JFK, LGA]}  # 3 values in 20,000 rows" in lines
    assert "weekday: {type: integer, nulls: 0, min: 1, max: 7}  # 1 to 7" in lines
    assert "shift: {except: [flight_id, date], severity: warn}" in lines
    assert any(line.startswith('dest: {type: string, nulls: 0, matches: "[A-Z]{3}"}') for line in lines)
    assert any(line.startswith("humidity: {type: integer, nulls: ") and "min: 0, max: 100}" in line for line in lines)
    assert any(line.startswith("visibility: ") and "min: 0, max: 10, finite" in line for line in lines)
    assert any(line.startswith("late: ") and "values: [0, 1]}" in line for line in lines)
    assert "label" not in inferred()
    assert max(map(len, lines)) <= 120


def test_ids_of_which_some_came_twice_are_asked_for_no_shift() -> None:
    rows = sample(2000, 7)
    schema = infer(profile_of(pl.concat([rows, rows.head(100)]))).schema
    assert isinstance(schema.shift, Shift)
    assert set(schema.shift.except_) == {"flight_id", "date"}


def test_what_is_inferred_is_read_back() -> None:
    assert read(inferred()) == infer(profile_of(sample(20000, 7))).schema


def planted(column: str, value: pl.Expr) -> pl.DataFrame:
    rows = sample(20000, 8)
    bad = pl.int_range(pl.len()) % 50 == 7
    return rows.with_columns(pl.when(bad).then(value).otherwise(pl.col(column)).alias(column))


@pytest.mark.parametrize(
    ("frame", "at"),
    [
        (lambda: planted("temp", pl.lit(-999)), "columns.temp.min"),
        (lambda: planted("temp", pl.lit(9999)), "columns.temp.max"),
        (lambda: planted("hour", pl.lit(99.0)), "columns.hour.max"),
        (lambda: planted("humidity", pl.lit(101)), "columns.humidity.max"),
        (lambda: planted("weekday", pl.lit(0)), "columns.weekday.min"),
        (lambda: planted("late", pl.lit(2)), "columns.late.values"),
        (lambda: planted("carrier", pl.lit("??")), "columns.carrier.values"),
        (lambda: planted("origin", pl.lit("ewr")), "columns.origin.values"),
        (lambda: planted("dest", pl.lit("")), "columns.dest.matches"),
        (lambda: planted("dest", pl.lit(None)), "columns.dest.nulls"),
        (lambda: planted("humidity", pl.lit(None)), "columns.humidity.nulls"),
        (lambda: planted("flight_id", pl.lit("2013-01-01-UA1-EWR")), "columns.flight_id.unique"),
        (lambda: planted("date", pl.date(1970, 1, 1)), "columns.date.min"),
        (lambda: planted("date", pl.date(9999, 12, 31)), "columns.date.max"),
        (lambda: planted("precip", pl.lit(float("nan"))), "columns.precip.finite"),
        (lambda: sample(20000, 8).with_columns(pl.col("temp").cast(pl.String)), "columns.temp.type"),
        (lambda: sample(20000, 8).drop("temp"), "columns"),
        (lambda: sample(20000, 8).with_columns(new=1), "extra-columns"),
        (lambda: sample(1000, 8), "rows"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_caught(frame: Callable[[], pl.DataFrame], at: str) -> None:
    bad = frame()
    checks = [check for check in checks_of(read(inferred())) if check.at == at]
    assert checks
    assert all(broken(check, bad) for check in checks)


def column(**more: object) -> ColumnProfile:
    given: dict[str, object] = {"name": "a", "kind": "string", "stored_as": "x", "n_rows": 1000, "n_distinct": 1000}
    return ColumnProfile(**(given | more))  # type: ignore[arg-type]


def only(one: ColumnProfile) -> str:
    found = infer(Profile(n_rows=one.n_rows, columns=(one,)))
    text = schema_text(found.schema, found.notes)
    return next(line.strip() for line in text.splitlines() if line.startswith("  a:"))


LENGTHS = Lengths(minimum=5, maximum=5, mean=5)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (column(kind="null", n_null=1000), "a:  # no value in 1,000 rows: say what it should hold"),
        (column(kind="boolean", n_distinct=2), "a: {type: boolean, nulls: 0}"),
        (column(kind="boolean", n_rows=5, n_distinct=2), "a: boolean"),
        (column(kind="boolean", n_null=50), "a: {type: boolean, nulls: 10%}"),
        (column(kind="boolean", n_null=950), "a: boolean"),
        (
            column(kind="integer", n_distinct=1, minimum=7, maximum=7),
            "a: {type: integer, nulls: 0}  # always `7`: a model learns nothing from it",
        ),
        (
            column(kind="integer", minimum=1, maximum=1000, quantiles={"0.5": 500.0}),
            "a: {type: integer, nulls: 0, unique: true, min: 0}  # 1 to 1,000",
        ),
        (
            column(kind="number", minimum=0.5, maximum=2.5, n_nan=10, quantiles={"0.5": 1.0}),
            "a: {type: number, nulls: 0, min: {is: 0, tolerate: 3%}, max: {is: 9, tolerate: 3%}}  # 0.5 to 2.5",
        ),
        (column(kind="number", minimum=0.5, maximum=2.5, n_infinite=1), "a: {type: number, nulls: 0}  # 0.5 to 2.5"),
        (
            column(patterns=(Counted("AA999", 1000),), lengths=LENGTHS),
            r"a: {type: string, nulls: 0, matches: '[A-Z]{2}\d{3}'}  # 1,000 values",
        ),
        (
            column(patterns=(Counted("A a", 1000),), lengths=LENGTHS),
            "a: {type: string, nulls: 0, length: 1..50}  # 1,000 values",
        ),
        (column(kind="list"), "a: {type: list, nulls: 0}"),
    ],
)  # fmt: skip
def test_a_column_is_told(one: ColumnProfile, said: str) -> None:
    assert only(one) == said


@pytest.mark.parametrize(
    ("patterns", "lengths", "form"),
    [
        ({"AA999": 60, "AA9999": 40}, (5, 6), r"[A-Z]{2}\d+"),
        ({"AA": 60, "AAAA": 40}, (2, 4), r"\p{Lu}+"),
        ({"Aa": 60, "AAaa": 40}, (2, 4), r"\p{Lu}+\p{Ll}+"),
        ({"A9": 50, "9A": 50}, (2, 2), "[A-Z0-9]{2}"),
        ({"9-9": 50, "9.9": 50}, (3, 3), ""),
        ({"9.9": 100}, (3, 3), r"\d\.\d"),
        ({"aaa": 99, "Ü": 1}, (1, 3), ""),
        ({"a9a9-99aa": 30, "99aa-aaaa": 30}, (9, 9), "[a-z0-9]{4}-[a-z0-9]{4}"),
        ({"a" * 99: 100}, (99, 99), ""),
        ({"aa": 50}, (1, 9), ""),
    ],
)
def test_forms_are_taken_together(patterns: dict[str, int], lengths: tuple[int, int], form: str) -> None:
    counted = tuple(Counted(pattern, n) for pattern, n in patterns.items())
    found = Lengths(minimum=lengths[0], maximum=lengths[1], mean=3)
    assert form_of(column(n_rows=100, n_distinct=90, patterns=counted, lengths=found)) == form


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, (0, 1)),
        (4.3, 7.9, (2, 10)),
        (-7.0, -1.0, (-10, 0)),
        (985.0, 1042.0, (950, 1080)),
        (5.0, 5.0, (None, None)),
    ],
)
def test_bounds_are_round_and_keep_the_sign(low: float, high: float, expected: tuple[float, float]) -> None:
    shares = ("0.01", "0.05", "0.25", "0.5", "0.75", "0.95", "0.99")
    even = {name: low + float(name) * (high - low) for name in shares}
    found = bounds_of(column(kind="number", minimum=low, maximum=high, n_rows=5000, quantiles=even))
    assert (found.low, found.high) == expected


@pytest.mark.parametrize(
    "values",
    [
        [-1.7e308, 0.0, 1.7e308],
        [1e308, 1.1e308],
        [0.0, 5e-324],
        [-1e299, 1e299],
        [-(2**62), 0, 2**62],
        [2**63 - 200, 2**63 - 100, 2**63 - 1],
    ],
    ids=str,
)
def test_bounds_of_vast_and_tiny_numbers_are_read_back(values: list[float]) -> None:
    frame = pl.DataFrame({"a": values * 40})
    found = infer(profile_of(frame))
    assert read(schema_text(found.schema, found.notes)) == found.schema
    assert not any(broken(check, frame) for check in checks_of(found.schema) if check.columns == ("a",))


def test_a_heavier_tail_is_given_more_room() -> None:
    rng = np.random.default_rng(3)
    heavy, light = (pl.DataFrame({"a": draw}) for draw in (rng.lognormal(0, 1, 5000), rng.uniform(0, 50, 5000)))
    beyond = [high / frame["a"].max() for frame in (heavy, light) if (high := _high(frame)) is not None]  # type: ignore[operator]
    assert beyond[0] > 2 > beyond[1] > 1


def _high(frame: pl.DataFrame) -> float | None:
    return bounds_of(profile_of(frame).columns[0]).high
