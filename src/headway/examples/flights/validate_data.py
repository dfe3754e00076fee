"""Check data/training.csv and data/holdout.csv; exit 1 and say what is wrong if they cannot be trusted."""

import sys
from pathlib import Path

import polars as pl

TRAINING, HOLDOUT = "data/training.csv", "data/holdout.csv"

TEXT = ["flight_id", "carrier", "origin", "dest"]
RANGES = {
    "weekday": (1, 7),
    "hour": (0, 24),
    "distance": (10, 6_000),  # miles
    "temp": (-40, 130),  # degrees Fahrenheit
    "humidity": (0, 100),  # percent
    "wind_speed": (0, 150),  # miles per hour
    "precip": (0, 5),  # inches per hour
    "visibility": (0, 10),  # miles
    "late": (0, 1),
}
WEATHER = ["temp", "humidity", "wind_speed", "precip", "visibility"]
COLUMNS = ["date", *TEXT, *RANGES]

MIN_ROWS = 1_000
MAX_MISSING_WEATHER = 0.10  # a report may be lost; the model can live with some
LATE_SHARE = (0.05, 0.50)  # outside of it, the label is more likely broken than the airlines


def column_problems(rows):
    """Faults of single columns: missing values and values that cannot be."""
    for name in COLUMNS:
        missing = rows[name].null_count() / len(rows)
        allowed = MAX_MISSING_WEATHER if name in WEATHER else 0
        if missing > allowed:
            yield f"{name}: {missing:.1%} of the values are missing, allowed are {allowed:.0%}"
    for name, (low, high) in RANGES.items():
        if not rows[name].dtype.is_numeric():
            yield f"{name}: should hold numbers"
            continue
        outside = rows[name].filter(~rows[name].is_between(low, high))
        if len(outside):
            yield f"{name}: {len(outside):,} values outside {low} to {high}, such as {outside[0]}"


def table_problems(rows):
    """Faults of one file."""
    if absent := [name for name in COLUMNS if name not in rows.columns]:
        yield f"no column {', '.join(absent)}"
        return
    if len(rows) < MIN_ROWS:
        yield f"only {len(rows):,} rows, at least {MIN_ROWS:,} are needed"
        return
    yield from column_problems(rows)
    if duplicates := rows["flight_id"].is_duplicated().sum():
        yield f"flight_id: {duplicates:,} rows share theirs with another row"
    if rows["late"].dtype.is_numeric() and not LATE_SHARE[0] <= rows["late"].mean() <= LATE_SHARE[1]:
        yield f"late: the share is {rows['late'].mean():.1%}, expected is {LATE_SHARE[0]:.0%} to {LATE_SHARE[1]:.0%}"


def overlap_problems(training, holdout):
    """The holdout must be new to the model: other flights, and later ones."""
    if shared := len(training.join(holdout, on="flight_id", how="semi")):
        yield f"{shared:,} flights are also in {TRAINING}"
    if holdout["date"].min() <= training["date"].max():
        yield f"starts {holdout['date'].min()}, but training data reach {training['date'].max()}"


def main():
    if missing := [path for path in (TRAINING, HOLDOUT) if not Path(path).exists()]:
        sys.exit(f"no {' and no '.join(missing)}: run `python fetch_data.py` first")

    tables = {path: pl.read_csv(path, infer_schema_length=None) for path in (TRAINING, HOLDOUT)}
    problems = [f"{path}: {problem}" for path, rows in tables.items() for problem in table_problems(rows)]
    if not problems:
        problems = [f"{HOLDOUT}: {problem}" for problem in overlap_problems(tables[TRAINING], tables[HOLDOUT])]
    if problems:
        sys.exit("\n".join(problems))

    for path, rows in tables.items():
        print(f"{path}: {len(rows):,} rows are sound, {rows['late'].mean():.1%} late")


if __name__ == "__main__":
    main()
