"""One tool's estimates of quality without labels: `estimates_worker.py TOOL TASK` prints what it found, a line of JSON.

Tasks are `loans` (a classifier: CBPE on NannyML's car loans, ten windows of 5,000 after 50,000 rows), `cars` (numbers:
DLE on its car prices, ten windows of 6,000 after 60,000) and `data`, by which NannyML hands these files over, into the
folder it is run in. Scores of the loans are squared, so that both tools have to calibrate them.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

METRICS = ("accuracy", "f1", "precision", "recall", "specificity")
LOAN_ROWS, CAR_ROWS = 5_000, 6_000
LOANS = ("synthetic_car_loan_reference.csv", "synthetic_car_loan_analysis.csv")
CARS = tuple(f"regression_synthetic_{name}.csv" for name in ("reference", "analysis", "analysis_targets"))
CAR_INPUTS = ("car_age", "km_driven", "price_new", "accident_count", "door_count", "fuel", "transmission")

# Any: what a tool says, by name.
Said = dict[str, Any]


def data() -> Said:
    """The files of NannyML's own examples."""
    import nannyml

    folder = Path(nannyml.__file__).parent / "datasets" / "data"
    for name in (*LOANS, *CARS):
        shutil.copy(folder / name, name)
    return {}


def loans_by_headway() -> Said:
    """Each metric of each window."""
    import polars as pl

    from headway.stats import isotonic
    from headway.stats.estimate import estimate

    reference, live = (pl.read_csv(name) for name in LOANS)
    fit = isotonic.fit(reference["y_pred_proba"].to_numpy() ** 2, reference["repaid"].to_numpy() == 1)
    found: Said = {metric: [] for metric in METRICS}
    for window in live.iter_slices(LOAN_ROWS):
        scores, says_yes = window["y_pred_proba"].to_numpy() ** 2, window["y_pred"].to_numpy() == 1
        for metric in METRICS:
            found[metric].append(estimate(metric, fit, scores, says_yes).value)
    return found


def loans_by_nannyml() -> Said:
    """Each metric of each window."""
    import nannyml
    import pandas as pd

    reference, live = (pd.read_csv(name) for name in LOANS)
    for frame in (reference, live):
        frame["y_pred_proba"] **= 2
    by = nannyml.CBPE(
        y_pred_proba="y_pred_proba", y_pred="y_pred", y_true="repaid", problem_type="classification_binary",
        metrics=list(METRICS), chunk_size=LOAN_ROWS,
    )  # fmt: skip
    table = by.fit(reference).estimate(live).filter(period="analysis").to_df()
    if not by.needs_calibration:
        raise SystemExit("NannyML did not calibrate, so that there is nothing to compare")
    return {metric: table[(metric, "value")].tolist() for metric in METRICS}


def cars_by_headway() -> Said:
    """The estimated mean absolute error of each window, and how far it is off on average."""
    import numpy as np
    import polars as pl

    from headway.tables.loss_model import fit

    def rows(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.select(pl.col(name).alias(f"feature.{name}") for name in CAR_INPUTS)

    reference, live, true = (pl.read_csv(name) for name in CARS)
    model = fit(rows(reference), reference["y_pred"].to_numpy(), reference["y_true"].to_numpy(), "mae")
    windows = list(live.iter_slices(CAR_ROWS))
    found = [model.estimate(rows(window), np.asarray(window["y_pred"].to_numpy())).value for window in windows]
    return _off(found, live["y_pred"].to_list(), true["y_true"].to_list())


def cars_by_nannyml() -> Said:
    """The same."""
    import nannyml
    import pandas as pd

    reference, live, true = (pd.read_csv(name) for name in CARS)
    by = nannyml.DLE(
        feature_column_names=list(CAR_INPUTS), y_pred="y_pred", y_true="y_true", metrics=["mae"], chunk_size=CAR_ROWS
    )
    table = by.fit(reference).estimate(live).filter(period="analysis").to_df()
    return _off(table[("mae", "value")].tolist(), live["y_pred"].tolist(), true["y_true"].tolist())


def _off(found: list[float], said: list[float], true: list[float]) -> Said:
    losses = [abs(one - other) for one, other in zip(said, true, strict=True)]
    real = [sum(losses[at : at + CAR_ROWS]) / CAR_ROWS for at in range(0, len(losses), CAR_ROWS)]
    off = [abs(one - other) for one, other in zip(found, real, strict=True)]
    return {"mean error": sum(off) / len(off), "windows": len(off)}


TASKS: dict[tuple[str, str], Callable[[], Said]] = {
    ("nannyml", "data"): data,
    ("headway", "loans"): loans_by_headway,
    ("nannyml", "loans"): loans_by_nannyml,
    ("headway", "cars"): cars_by_headway,
    ("nannyml", "cars"): cars_by_nannyml,
}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(TASKS[sys.argv[1], sys.argv[2]]()))
