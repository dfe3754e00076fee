"""A version that is monitored, in numbers: its reference, and windows of live predictions counted on it."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from headway.core.ids import Digest
from headway.core.reference import FIRST, MISSING, OTHER, PREDICTION, Axis, Layout, Realised, Reference
from headway.core.sketch import N_CELLS, Sketch
from headway.stats.sketch import packed

Column = Sequence[object]
Counts = npt.NDArray[np.int64]

PLANS = ("basic", "plus", "pro")
DAY_S = 86400.0
START = 1_764_547_200.0
"""Monday, 1 December 2025, 0:00 UTC."""


def table(rng: np.random.Generator, n: int, *, age: float = 0.0, plus: float = 0.3) -> dict[str, Column]:
    """So many rows: a number that `age` moves (in standard deviations), a category, an answer and its probability."""
    ages = rng.normal(40 + 10 * age, 10, n)
    plans = rng.choice(PLANS, n, p=[0.6 - (plus - 0.3), plus, 0.1])
    chances = 1 / (1 + np.exp(-(ages - 40) / 10 + rng.normal(0, 0.5, n)))
    return {
        "age": ages.tolist(),
        "plan": plans.tolist(),
        PREDICTION: (chances > 0.5).astype(int).tolist(),
        "probability.1": chances.tolist(),
    }


def layout(rows: Mapping[str, Column], version: int = 1) -> Layout:
    """As a reference fixes it: 62 bins of alike many rows, the categories that are there."""

    def edges(name: str) -> tuple[float, ...]:
        shares = np.arange(1, 62) / 62
        return tuple(np.unique(np.quantile(np.array(rows[name], dtype=float), shares)).tolist())

    return Layout(
        version=version,
        inputs=(
            Axis(name="age", kind="number", edges=edges("age")),
            Axis(name="plan", kind="category", values=PLANS),
        ),
        outputs=(
            Axis(name=PREDICTION, kind="category", values=(0, 1)),
            Axis(name="probability.1", kind="number", edges=edges("probability.1")),
        ),
        yes=1,
    )


def counted(on: Layout, rows: Mapping[str, Column]) -> Counts:
    """Counts on the layout's axes; None is missing, what does not fit is uncountable."""
    return np.stack([np.bincount(_cells(axis, rows[axis.name]), minlength=N_CELLS) for axis in on.axes])


def _cells(axis: Axis, values: Column) -> Counts:
    if axis.kind == "category":
        known = {value: FIRST + i for i, value in enumerate(axis.values)}
        return np.array([MISSING if value is None else known.get(value, OTHER) for value in values])  # type: ignore[call-overload] # as met
    there = np.array([isinstance(value, int | float) for value in values])
    numbers = np.array([value if is_there else 0.0 for value, is_there in zip(values, there, strict=True)], dtype=float)
    other = np.where([value is None for value in values], MISSING, OTHER)
    return np.where(there, FIRST + np.searchsorted(axis.edges, numbers), other)


def blocks(on: Layout, rows: Mapping[str, Column], n_blocks: int = 64) -> Counts:
    """The counts of contiguous blocks."""
    n = len(rows[PREDICTION])
    ends = np.linspace(0, n, n_blocks + 1).astype(int)
    cut = [{name: values[a:b] for name, values in rows.items()} for a, b in pairwise(ends)]
    return np.stack([counted(on, one) for one in cut])


def reference(on: Layout, table_: Mapping[str, Column], **more: object) -> Reference:
    values = {
        "model": "churn",
        "version": on.version,
        "data": "data/holdout.csv",
        "n_rows": len(table_[PREDICTION]),
        "layout": on,
        "counts": packed(counted(on, table_)),
        "rows": Digest("0" * 64),
        "blocks": Digest("1" * 64),
        "realised": {"accuracy": Realised(value=0.84, low=0.83, high=0.85)},
    }
    return Reference(**(values | more))  # type: ignore[arg-type] # as above


def sketch(on: Layout, rows: Mapping[str, Column], *, at: float = START, ms: float = 5.0, failed: int = 0) -> Sketch:
    """All of the rows as one cell, answered from `at` on."""
    from headway.core.reference import layout_id
    from headway.core.sketch import ms_edges

    n = len(rows[PREDICTION])
    times = np.zeros(N_CELLS, dtype=np.int64)
    times[int(np.searchsorted(ms_edges(), ms))] = n
    return Sketch(
        layout=layout_id(on),
        version=on.version,
        first_at=at,
        last_at=at + 1.0,
        n_requests=n + failed,
        n_rows=n,
        counts=packed(counted(on, rows)),
        ms=packed(times),
        failures={500: failed} if failed else {},
    )
