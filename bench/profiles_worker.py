"""One tool's profile of a table: `profiles_worker.py TOOL data.parquet` reads it and prints a line of JSON.

`make N_ROWS TIMES` writes data.parquet (so many rows, so many times over) and truth.json here instead. The line holds
for each column of numbers `mean` and `n_null`. Each tool runs in an environment of its own and is imported only there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

NUMBERS = (*(f"f{at}" for at in range(10)), "i0", "i1", "i2", "i3")
ROWS_OF_GROUP = 131_072

# Any: what a tool says of a column.
Report = dict[str, dict[str, Any]]


def make(n_rows: int, times: int) -> None:
    """A key, ten columns of fractions, four of whole numbers, three of texts, a time and a truth; 1 % is missing."""
    import numpy as np
    import polars as pl

    n = n_rows * times
    rng = np.random.default_rng(20130101)
    columns: dict[str, object] = {"id": np.arange(n)}
    for at in range(10):
        columns[f"f{at}"] = rng.lognormal(1, 1, n) if at % 3 == 2 else rng.normal(at, 1 + at, n)
    columns["i0"], columns["i1"] = rng.integers(0, 100, n), rng.integers(-(10**6), 10**6, n)
    columns["i2"], columns["i3"] = rng.poisson(3, n), rng.geometric(0.1, n)
    for name, count in (("c0", 5), ("c1", 50), ("c2", 100_000)):
        columns[name] = pl.Series([f"{name}-{value}" for value in range(count)]).gather(rng.integers(0, count, n))
    columns["t"] = np.datetime64("2024-01-01", "us") + np.arange(n) * np.timedelta64(1, "s")
    columns["b"] = rng.random(n) < 0.5
    frame = pl.DataFrame(columns)
    gaps = [name for name in frame.columns if name not in ("id", "t")]
    frame = frame.with_columns(
        [pl.when(pl.Series(rng.random(n) >= 0.01)).then(pl.col(name)).alias(name) for name in gaps]
    )
    frame.write_parquet("data.parquet", row_group_size=ROWS_OF_GROUP, compression="snappy")
    truth = {name: {"mean": frame[name].mean(), "n_null": frame[name].null_count()} for name in NUMBERS}
    with open("truth.json", "w", encoding="utf-8") as f:
        json.dump(truth, f)


def headway(path: str) -> Report:
    from headway.tables.batches import open_data
    from headway.tables.profile import profile

    with open_data([path]) as data:
        found = profile(data)
    return {one.name: {"mean": one.mean, "n_null": one.n_null} for one in found.columns}


def tfdv(path: str) -> Report:
    """Its statistics of an Arrow table, as the package makes them without Beam."""
    import pandas as pd
    import tensorflow_data_validation as tfdv_

    found = tfdv_.generate_statistics_from_dataframe(pd.read_parquet(path))
    report: Report = {}
    for feature in found.datasets[0].features:
        if feature.HasField("num_stats"):
            name = feature.name or feature.path.step[0]
            report[name] = {"mean": feature.num_stats.mean, "n_null": feature.num_stats.common_stats.num_missing}
            # What pandas has as NaN is one of its values, and not missing.
            report[name]["n_null"] += sum(h.num_nan for h in feature.num_stats.histograms[:1])
    return report


def ydata(path: str) -> Report:
    """Its minimal report: what others do by default too."""
    import pandas as pd
    from ydata_profiling import ProfileReport

    found = ProfileReport(pd.read_parquet(path), minimal=True, progress_bar=False).get_description().variables
    return {name: {"mean": float(found[name]["mean"]), "n_null": int(found[name]["n_missing"])} for name in NUMBERS}


def whylogs(path: str) -> Report:
    import pandas as pd
    import whylogs as why

    found = why.log(pd.read_parquet(path)).profile().view().to_pandas()
    return {
        name: {
            "mean": float(found.loc[name, "distribution/mean"]),
            # It counts what pandas has as NaN with the nulls.
            "n_null": int(found.loc[name, "counts/null"]),
        }
        for name in NUMBERS
    }


TOOLS: dict[str, Callable[[str], Report]] = {
    "headway": headway,
    "tfdv": tfdv,
    "ydata-profiling": ydata,
    "whylogs": whylogs,
}


def main(task: str, *words: str) -> None:
    if task == "make":
        make(int(words[0]), int(words[1]))
    else:
        print(json.dumps(TOOLS[task](*words)))


if __name__ == "__main__":
    main(*sys.argv[1:])
