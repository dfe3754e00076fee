"""One tool's drift report: `drift_worker.py TOOL REFERENCE CURRENT` reads two Parquet files, prints a line of JSON.

`make N_ROWS` writes reference.parquet and current.parquet here instead, and `codes N_ROWS N_VALUES` such files of one
column of categories. What the line holds for each column: `ks` and `wasserstein` of numbers (the latter in standard
deviations of the reference), `chi2` of categories, and `told`, whether the tool calls it changed; what a tool does not
give is left out. Each tool runs in an environment of its own and is imported only there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

NUMBERS = (*(f"f{at}" for at in range(10)), "i1", "i2", "i3", "i4")
CATEGORIES = ("c0", "c1", "b")
#: What is changed on purpose.
CHANGED = ("f1", "f2", "f5", "i2", "c0", "b")
#: Two samples are one source for headway if they differ by less than this, in its units.
LEAST = 0.03

# Any: what a tool says of a column.
Report = dict[str, dict[str, Any]]


def make(n_rows: int) -> None:
    """Two tables of so many rows: 14 columns of numbers, 3 of categories; six differ."""
    import numpy as np
    import polars as pl

    names = {"c0": [f"kind-{at}" for at in range(5)], "c1": [f"town-{at}" for at in range(50)], "b": ["no", "yes"]}
    towns = 1 / np.arange(1.0, 51)
    for name, is_current in (("reference", False), ("current", True)):
        rng = np.random.default_rng(20130101 + is_current)
        columns: dict[str, object] = {f"f{at}": rng.standard_normal(n_rows) for at in (0, 3, 4, 6, 7)}
        columns["f1"] = rng.standard_normal(n_rows) + 0.15 * is_current
        columns["f2"] = np.exp(rng.standard_normal(n_rows) * (1.15 if is_current else 1.0))
        columns["f5"] = rng.standard_normal(n_rows) * (1.2 if is_current else 1.0)
        columns["f8"], columns["f9"] = rng.random(n_rows), rng.standard_exponential(n_rows)
        columns["i1"], columns["i3"] = rng.integers(0, 100, n_rows), rng.integers(0, 10**6, n_rows)
        columns["i2"], columns["i4"] = rng.poisson(3.3 if is_current else 3.0, n_rows), rng.geometric(0.1, n_rows)
        chances = {
            "c0": np.array([30, 35, 15, 12, 8] if is_current else [40, 30, 15, 10, 5]) / 100,
            "c1": towns / towns.sum(),
            "b": np.array([0.45, 0.55] if is_current else [0.5, 0.5]),
        }
        for column, values in names.items():
            drawn = rng.choice(len(values), n_rows, p=chances[column])
            columns[column] = pl.Series(values, dtype=pl.String).gather(drawn)
        pl.DataFrame({column: columns[column] for column in (*NUMBERS, *CATEGORIES)}).write_parquet(f"{name}.parquet")


def codes(n_rows: int, n_values: int) -> None:
    """Two tables of one column `c` with so many values, all alike."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(20130103)
    values = pl.Series([f"code-{at}" for at in range(n_values)])
    for name in ("reference", "current"):
        pl.DataFrame({"c": values.gather(rng.integers(0, n_values, n_rows))}).write_parquet(f"{name}.parquet")


def headway(reference: str, current: str) -> Report:
    """One column after the other, as `headway.tables` reads them: Polars, then counts on the reference's bins."""
    import polars as pl

    from headway.stats.bins import count, fix_bins
    from headway.stats.distance import kolmogorov_smirnov
    from headway.stats.shift import Shift, aligned_shift, family, numeric_shift

    before, after = pl.read_parquet(reference), pl.read_parquet(current)
    shifts: dict[str, Shift] = {}
    ks: dict[str, float] = {}
    for name in before.columns:
        if before.schema[name].is_numeric():
            bins = fix_bins(before[name].to_numpy())
            counts = count(bins.edges, after[name].to_numpy())
            shifts[name], ks[name] = numeric_shift(bins, counts), kolmogorov_smirnov(bins.counts, counts)
        else:
            sides = [frame[name].value_counts(name=side) for frame, side in ((before, "before"), (after, "after"))]
            both = sides[0].join(sides[1], on=name, how="full", coalesce=True).fill_null(0)
            names = both[name].to_list()
            shifts[name] = aligned_shift(names, *(both[side].to_numpy().astype(int) for side in ("before", "after")))
    judged = family(list(shifts.values()), false_alarms=0.01, least=LEAST)
    report: Report = {}
    for name, one in zip(shifts, judged, strict=True):
        report[name] = {"told": one.is_alarm}
        if name in ks:
            report[name] |= {"ks": ks[name], "wasserstein": one.shift.distance}
    return report


def by_hand(reference: str, current: str) -> Report:
    """SciPy on all values: what one writes who knows the statistics and not a tool."""
    import numpy as np
    import polars as pl
    from scipy import stats

    before, after = pl.read_parquet(reference), pl.read_parquet(current)
    report: Report = {}
    for name in before.columns:
        if before.schema[name].is_numeric():
            one, other = before[name].to_numpy(), after[name].to_numpy()
            apart = float(stats.wasserstein_distance(one, other) / np.std(one))
            report[name] = {"ks": float(stats.ks_2samp(one, other, method="asymp").statistic), "wasserstein": apart}
            report[name]["told"] = apart >= LEAST
        else:
            counted = [dict(frame[name].value_counts().iter_rows()) for frame in (before, after)]
            table = np.array([[side.get(value, 0) for value in {**counted[0], **counted[1]}] for side in counted])
            shares = table / table.sum(axis=1, keepdims=True)
            chi2 = float(stats.chi2_contingency(table, correction=False).statistic)
            report[name] = {"chi2": chi2, "told": bool(abs(shares[0] - shares[1]).sum() / 2 >= LEAST)}
    return report


def evidently(reference: str, current: str) -> Report:
    """Its DataDriftPreset as it comes: one statistic a column."""
    import pandas as pd
    from evidently import DataDefinition, Dataset
    from evidently import Report as Asked
    from evidently.presets import DataDriftPreset

    frames = [pd.read_parquet(path) for path in (reference, current)]
    definition = DataDefinition(numerical_columns=list(NUMBERS), categorical_columns=list(CATEGORIES))
    before, after = (Dataset.from_pandas(frame, data_definition=definition) for frame in frames)
    said = Asked([DataDriftPreset()]).run(after, before).dict()
    report: Report = {}
    for metric in said["metrics"]:
        column = metric.get("config", {}).get("column")
        if column is not None:
            limit = metric["config"].get("threshold", 0.1)
            report[column] = {"value": float(metric["value"]), "told": float(metric["value"]) >= limit}
    return report


def nannyml(reference: str, current: str) -> Report:
    """Its univariate calculator over ten chunks with the same measures."""
    import nannyml as nml
    import pandas as pd

    before, after = (pd.read_parquet(path) for path in (reference, current))
    calculator = nml.UnivariateDriftCalculator(
        column_names=[*NUMBERS, *CATEGORIES],
        continuous_methods=["kolmogorov_smirnov", "jensen_shannon", "wasserstein"],
        categorical_methods=["chi2", "jensen_shannon"],
        chunk_number=10,
    )
    found = calculator.fit(before).calculate(after).filter(period="analysis").to_df()
    report: Report = {}
    for name in NUMBERS:
        report[name] = {"ks": float(found[(name, "kolmogorov_smirnov", "value")].mean())}
    for name in CATEGORIES:
        report[name] = {"chi2": float(found[(name, "chi2", "value")].mean())}
    return report


TOOLS: dict[str, Callable[[str, str], Report]] = {
    "headway": headway,
    "scipy": by_hand,
    "evidently": evidently,
    "nannyml": nannyml,
}


def main(task: str, *words: str) -> None:
    match task:
        case "make":
            make(int(words[0]))
        case "codes":
            codes(int(words[0]), int(words[1]))
        case _:
            print(json.dumps(TOOLS[task](*words)))


if __name__ == "__main__":
    main(*sys.argv[1:])
