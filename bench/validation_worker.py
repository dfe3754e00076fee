"""One tool's twelve checks on a table: `validation_worker.py TOOL PATH` reads it and prints a line of JSON.

`make N_ROWS` writes here instead: data.parquet, whose rows pass every check; shuffled.parquet, the same rows in no
order; data.csv, every tenth of them; broken.parquet and broken.csv, a few rows of which each check is broken by one.
The line holds `good`, whether every check passed. Each tool runs in an environment of its own and is imported there.

The twelve: the types of four columns; an id that is never missing; a range; an id that is unique; a set of values; a
pattern; a number of rows; a mean and a standard deviation; a 95 % quantile; no row twice over the 19 other columns; a
time that never falls; one column never below another. `headway-unordered` leaves the order out, for shuffled rows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

ROWS_OF_GROUP = 131_072
KINDS = ("a", "b", "c", "d", "e")
PATTERN = r"code-\d{6}"
OTHERS = (*(f"f{at}" for at in range(10)), "i0", "i1", "i2", "i3", "c0", "c1", "c2", "ts", "b")
#: The columns that the checks name, but for the duplicates.
NAMED = ("id", "f0", "f1", "f2", "f8", "f9", "c0", "c2", "ts")
DAY_US = 86_400_000_000


def make(n_rows: int) -> None:
    """An id, ten columns of fractions, four of whole numbers, three of texts, a time and a truth; 1 % is missing."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(20130101)
    columns: dict[str, object] = {"id": np.arange(n_rows)}
    for at in range(10):
        columns[f"f{at}"] = rng.normal(3 if at != 2 else 2.5, 1 if at != 2 else 1.4, n_rows)
    columns["f0"] = np.clip(rng.normal(0, 1, n_rows), -6, 6)
    columns["f9"] = np.asarray(columns["f8"]) + np.abs(rng.normal(0, 1, n_rows))
    columns["i0"], columns["i1"] = rng.integers(0, 100, n_rows), rng.integers(0, 10**6, n_rows)
    columns["i2"], columns["i3"] = rng.poisson(3, n_rows), rng.integers(0, 2**40, n_rows)
    columns["c0"] = pl.Series(KINDS).gather(rng.choice(5, n_rows, p=[0.4, 0.3, 0.15, 0.1, 0.05]))
    for name, values in (("c1", [f"k{at:02}" for at in range(50)]), ("c2", [f"code-{at:06}" for at in range(100_000)])):
        columns[name] = pl.Series(values).gather(rng.integers(0, len(values), n_rows))
    columns["ts"] = np.datetime64("2024-01-01", "us") + np.arange(n_rows) * np.timedelta64(1, "s")
    columns["b"] = rng.random(n_rows) < 0.5
    frame = pl.DataFrame(columns)
    gaps = [name for name in frame.columns if name not in ("id", "ts")]
    kept = pl.Series("kept", rng.random(n_rows) >= 0.01)
    # Each column has its own gaps: the same ones, moved on.
    frame = frame.with_columns(
        [pl.when(kept.shift(at * 7, fill_value=True)).then(pl.col(name)).alias(name) for at, name in enumerate(gaps)]
    )
    write(frame, "data")
    write(frame.sample(fraction=1.0, shuffle=True, seed=1), "shuffled")
    frame.gather_every(10).write_csv("data.csv")
    few = frame.head(1000)
    last = {
        "id": 0,
        "f0": 99.0,
        "f1": 1e6,
        "f2": 1e6,
        "f9": -1e6,
        "c0": "z",
        "c2": "kode-1",
        "ts": frame["ts"][0],
    }
    odd = few.tail(1).with_columns([pl.lit(value, dtype=few.schema[name]).alias(name) for name, value in last.items()])
    broken = pl.concat([few, odd, few.tail(1)])
    write(broken, "broken")
    broken.write_csv("broken.csv")


def write(frame: object, name: str) -> None:
    frame.write_parquet(f"{name}.parquet", row_group_size=ROWS_OF_GROUP, compression="snappy")  # type: ignore[attr-defined]


# --- headway, and what reading alone costs -----------------------------------------------------------------------


def headway(path: str, *, in_order: bool = True) -> bool:
    from headway.core import validation as v
    from headway.tables.batches import open_data
    from headway.tables.validate import validate

    asked: list[tuple[v.Ask, tuple[str, ...]]] = [
        (v.IsKind("integer"), ("id",)),
        (v.IsKind("number"), ("f0",)),
        (v.IsKind("string"), ("c0",)),
        (v.IsKind("datetime"), ("ts",)),
        (v.NotNull(), ("id",)),
        (v.InRange(minimum=-6, maximum=6), ("f0",)),
        (v.IsUnique(), ("id",)),
        (v.OneOf(KINDS), ("c0",)),
        (v.Matches(PATTERN), ("c2",)),
        (v.RowCount(minimum=1), ()),
        (v.Statistic(of="mean", minimum=2, maximum=4), ("f1",)),
        (v.Statistic(of="std", minimum=0.5, maximum=2), ("f1",)),
        (v.Statistic(of="quantile", at=0.95, minimum=4, maximum=6), ("f2",)),
        (v.NoDuplicates(), OTHERS),
        (v.RowHolds("f9 >= f8"), ()),
    ]
    if in_order:
        asked.append((v.IsIncreasing(), ("ts",)))
    with open_data([path]) as data:
        return validate(data, [v.DataCheck(asks=ask, columns=columns) for ask, columns in asked], now=0.0).is_sound


def headway_unordered(path: str) -> bool:
    return headway(path, in_order=False)


def polars_sums(path: str) -> bool:
    """The floor: the columns that the checks name are read, and as little as can be is done with them."""
    import polars as pl

    query = pl.scan_parquet(path)
    kinds = query.collect_schema()
    sums = [
        pl.col(name).str.len_bytes().sum()
        if kinds[name] == pl.String
        else pl.col(name).cast(pl.Int64).sum()
        if kinds[name].is_temporal()
        else pl.col(name).sum()
        for name in NAMED
    ]
    return query.select(sums).collect(engine="streaming").height == 1


def duckdb_sums(path: str) -> bool:
    """The floor for a CSV."""
    import duckdb

    with duckdb.connect() as database:
        names = [str(name) for name, *_ in database.execute(f"DESCRIBE SELECT * FROM read_csv('{path}')").fetchall()]
        sums = ", ".join(f"sum({name})" for name in names if name[0] in "fi")
        counts = ", ".join(f"sum(length({name}::VARCHAR))" for name in names if name[0] not in "fi")
        return len(database.execute(f"SELECT {sums}, {counts} FROM read_csv('{path}')").fetchall()) == 1


# --- peers --------------------------------------------------------------------------------------------------------


def pandera(path: str) -> bool:
    import pandera.polars as pa
    import polars as pl

    def of_all(expression: pl.Expr) -> pa.Check:
        return pa.Check(lambda data: data.lazyframe.select(expression.alias("holds")))

    schema = pa.DataFrameSchema(
        {
            "id": pa.Column(pl.Int64, nullable=False, unique=True),
            "f0": pa.Column(pl.Float64, pa.Check.in_range(-6, 6), nullable=True),
            "c0": pa.Column(pl.String, pa.Check.isin(list(KINDS)), nullable=True),
            "c2": pa.Column(pl.String, pa.Check.str_matches(f"^{PATTERN}$"), nullable=True),
            "ts": pa.Column(pl.Datetime("us"), nullable=True),
        },
        checks=[
            of_all(pl.len() >= 1),
            of_all(pl.col("f1").mean().is_between(2, 4)),
            of_all(pl.col("f1").std().is_between(0.5, 2)),
            of_all(pl.col("f2").quantile(0.95).is_between(4, 6)),
            of_all((pl.col("ts").diff().dt.total_microseconds().fill_null(0) >= 0).all()),
            of_all((pl.col("f9") >= pl.col("f8")).fill_null(value=True).all()),
        ],
        unique=list(OTHERS),
    )
    try:
        schema.validate(pl.read_parquet(path), lazy=True)
    except pa.errors.SchemaErrors:
        return False
    return True


def pointblank(path: str) -> bool:
    import pointblank as pb  # type: ignore[import-not-found] # it is in an environment of its own
    import polars as pl

    asked = (
        pb.Validate(pl.read_parquet(path))
        .col_schema_match(pb.Schema(columns=[("id", "Int64"), ("f0", "Float64"), ("c0", "String")]), complete=False)
        .col_vals_not_null("id")
        .col_vals_between("f0", -6, 6, na_pass=True)
        .rows_distinct(columns_subset="id")
        .col_vals_in_set("c0", [*KINDS, None])
        .col_vals_regex("c2", f"^{PATTERN}$", na_pass=True)
        .rows_distinct(columns_subset=list(OTHERS))
        .col_vals_increasing("ts", allow_stationary=True)
        .col_vals_expr(pl.col("f9").is_null() | pl.col("f8").is_null() | (pl.col("f9") >= pl.col("f8")))
        .col_avg_gt("f1", 2)
        .col_avg_lt("f1", 4)
        .col_sd_gt("f1", 0.5)
        .col_sd_lt("f1", 2)
        .interrogate()
    )
    return bool(asked.all_passed())


def dataframely(path: str) -> bool:
    """Its rules are expressions; duplicates over many columns it has none for."""
    import dataframely as dy  # type: ignore[import-not-found] # it is in an environment of its own
    import polars as pl

    class Table(dy.Schema):  # type: ignore[misc] # as above
        id = dy.Int64(primary_key=True)
        f0 = dy.Float64(nullable=True, min=-6, max=6)
        c0 = dy.String(nullable=True, check=lambda column: column.is_in(list(KINDS)))
        c2 = dy.String(nullable=True, regex=f"^{PATTERN}$")
        ts = dy.Datetime(nullable=True, time_unit="us")
        f1 = dy.Float64(nullable=True)
        f2 = dy.Float64(nullable=True)
        f8 = dy.Float64(nullable=True)
        f9 = dy.Float64(nullable=True)

        @dy.rule()  # type: ignore[untyped-decorator] # as above
        def f9_is_not_below_f8(cls) -> pl.Expr:  # noqa: N805 - as it wants it
            return pl.col("f9") >= pl.col("f8")

        @dy.rule()  # type: ignore[untyped-decorator] # as above
        def f1_has_its_mean(cls) -> pl.Expr:  # noqa: N805 - as it wants it
            return pl.col("f1").mean().is_between(2, 4) & pl.col("f1").std().is_between(0.5, 2)

        @dy.rule()  # type: ignore[untyped-decorator] # as above
        def f2_has_its_quantile(cls) -> pl.Expr:  # noqa: N805 - as it wants it
            return pl.col("f2").quantile(0.95).is_between(4, 6)

        @dy.rule()  # type: ignore[untyped-decorator] # as above
        def ts_never_falls(cls) -> pl.Expr:  # noqa: N805 - as it wants it
            return pl.col("ts") >= pl.col("ts").shift(1)

    frame = pl.read_parquet(path, columns=list(NAMED))
    return frame.height >= 1 and bool(Table.is_valid(frame))


def great_expectations(path: str) -> bool:
    import great_expectations as gx  # type: ignore[import-not-found] # it is in an environment of its own
    import pandas as pd

    e = gx.expectations
    suite = [
        e.ExpectColumnValuesToBeOfType(column="f0", type_="float64"),
        e.ExpectColumnValuesToNotBeNull(column="id"),
        e.ExpectColumnValuesToBeBetween(column="f0", min_value=-6, max_value=6),
        e.ExpectColumnValuesToBeUnique(column="id"),
        e.ExpectColumnValuesToBeInSet(column="c0", value_set=list(KINDS)),
        e.ExpectColumnValuesToMatchRegex(column="c2", regex=f"^{PATTERN}$"),
        e.ExpectTableRowCountToBeBetween(min_value=1),
        e.ExpectColumnMeanToBeBetween(column="f1", min_value=2, max_value=4),
        e.ExpectColumnStdevToBeBetween(column="f1", min_value=0.5, max_value=2),
        e.ExpectColumnQuantileValuesToBeBetween(
            column="f2", quantile_ranges={"quantiles": [0.95], "value_ranges": [[4, 6]]}
        ),
        e.ExpectCompoundColumnsToBeUnique(column_list=list(OTHERS)),
        e.ExpectColumnValuesToBeIncreasing(column="ts"),
        e.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="f9", column_B="f8", or_equal=True, ignore_row_if="either_value_is_missing"
        ),
    ]
    context = gx.get_context(mode="ephemeral")
    source = context.data_sources.add_pandas("bench")
    batch = source.add_dataframe_asset("table").add_batch_definition_whole_dataframe("all")
    found = batch.get_batch({"dataframe": pd.read_parquet(path)}).validate(
        gx.ExpectationSuite(name="twelve", expectations=suite), result_format="BASIC"
    )
    return bool(found.success)


TOOLS: dict[str, Callable[[str], bool]] = {
    "headway": headway,
    "headway-unordered": headway_unordered,
    "polars-sums": polars_sums,
    "duckdb-sums": duckdb_sums,
    "pandera": pandera,
    "pointblank": pointblank,
    "dataframely": dataframely,
    "great_expectations": great_expectations,
}


def main(task: str, argument: str) -> None:
    if task == "make":
        make(int(argument))
    else:
        print(json.dumps({"good": TOOLS[task](argument)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
