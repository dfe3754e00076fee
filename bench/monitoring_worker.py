"""Live predictions counted by one tool: `monitoring_worker.py TOOL TASK N` prints what it measured, a line of JSON.

Tasks are `tables` and `lines` (N events of 20 numbers in batches of 100, as frames and as values), `merge` (N windows
of 20 features added up) and, after `make N_ENDPOINTS N_FEATURES`, which writes a day of an endpoint's sketches for
each, `watch` (all of them read and added up). Each tool runs in an environment of its own and is imported only there.
Seconds are the processor's, without imports and without making the events.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from headway.core.reference import Layout
    from headway.core.sketch import Sketch
    from headway.tables.sketches.counter import Counter

N_FEATURES, BATCH, WINDOW = 20, 100, 10_000
#: Batches that are made before they are counted: 10,000 events.
AT_ONCE = 100
NAMES = [f"f{at}" for at in range(N_FEATURES)]
SEED = 20130101

# Any: what a tool measured, by name.
Counts = dict[str, Any]


def batches(n: int) -> Iterator[npt.NDArray[np.float64]]:
    """Batches of 100 events each, shape `(100, 20)`."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    for _ in range(0, n, BATCH):
        yield rng.standard_normal((BATCH, N_FEATURES))


def laid_out(n_features: int = N_FEATURES) -> Layout:
    """A layout whose bins come from 20,000 rows."""
    import numpy as np

    from headway.core.reference import Axis, Layout
    from headway.stats.sketch import fix_cells

    edges = fix_cells(np.random.default_rng(SEED + 1).standard_normal(20_000))
    inputs = tuple(Axis(name=f"f{at}", kind="number", edges=edges) for at in range(n_features))
    return Layout(version=1, inputs=inputs, outputs=())


# Any: what a tool calls a batch.
def timed(n: int, ready: Callable[[int, npt.NDArray[np.float64]], Any], take: Callable[[Any], object]) -> float:
    """The seconds of processor that `take` needs for all batches, each made `ready` before."""
    took_s, number, made = 0.0, 0, []
    for batch in batches(n):
        made.append(ready(number, batch))
        number += BATCH
        if len(made) == AT_ONCE or number >= n:
            began = time.process_time()
            for one in made:
                take(one)
            took_s += time.process_time() - began
            made.clear()
    return took_s


def tables(n: int) -> Counts:
    """Frames of 100 rows, as they stand in segments."""
    import numpy as np
    import polars as pl

    from headway.tables.sketches.counter import Counter

    counter = Counter(laid_out())

    def ready(number: int, batch: npt.NDArray[np.float64]) -> pl.DataFrame:
        columns = {f"feature.{name}": batch[:, i] for i, name in enumerate(NAMES)}
        at = 1e9 + (number + np.arange(BATCH)) / 1000
        return pl.DataFrame({"request_id": ["r"] * BATCH, "row": np.zeros(BATCH, int), "at": at, "ms": 1.0} | columns)

    return _counted(counter, n, timed(n, ready, counter.add_frame))


def lines(n: int) -> Counts:
    """Requests of one row each, as they are read from an open file."""
    from headway.codec.prediction_line import Written
    from headway.tables.sketches.counter import Counter

    counter = Counter(laid_out())

    def ready(number: int, batch: npt.NDArray[np.float64]) -> list[Written]:
        return [
            Written(
                request_id=f"r{number + i}", at=1e9 + (number + i) / 1000, ms=1.0, model="m", version=1,
                rows=[dict(zip(NAMES, row, strict=True))], predictions=[0],
            )
            for i, row in enumerate(batch.tolist())
        ]  # fmt: skip

    return _counted(counter, n, timed(n, ready, counter.add))


def _counted(counter: Counter, n: int, took_s: float) -> Counts:
    began = time.process_time()
    cells = counter.cells()
    took_s += time.process_time() - began
    return {"events/s": n / took_s, "bytes a window": _right(cells, n)}


def _right(cells: list[Sketch], n: int) -> int:
    """The bytes of the largest window of 10,000 rows; what was counted must be what NumPy counts."""
    import msgspec
    import numpy as np

    from headway.core.sketch import merge

    whole, edges = merge(cells), laid_out().inputs[0].edges
    values = np.concatenate([batch[:, 0] for batch in batches(n)])
    by_hand = np.diff(np.searchsorted(np.sort(values), edges, side="right"), prepend=0, append=n)
    if whole.n_rows != n or whole.table[0, 2 : 2 + len(by_hand)].tolist() != by_hand.tolist():
        raise SystemExit("what was counted is wrong")
    per_window = WINDOW // 1_000
    windows = [merge(cells[at : at + per_window]) for at in range(0, len(cells), per_window)]
    return max(len(msgspec.msgpack.encode(window)) for window in windows)


def merged(n: int) -> Counts:
    """So many windows added up, again and again; the median."""
    from headway.core.sketch import merge

    cells = _cells(min(n, 100))
    many = [cells[at % len(cells)] for at in range(n)]
    took = []
    for _ in range(15):
        began = time.process_time()
        whole = merge(many)
        took.append(time.process_time() - began)
    if whole.n_rows != sum(cell.n_rows for cell in many):
        raise SystemExit("what was added up is wrong")
    return {"ms": 1000 * sorted(took)[len(took) // 2]}


def _cells(n: int, n_features: int = N_FEATURES) -> list[Sketch]:
    import numpy as np
    import polars as pl

    from headway.tables.sketches.counter import Counter

    rng, counter = np.random.default_rng(SEED), Counter(laid_out(n_features))
    for hour in range(n):
        columns = {f"feature.f{at}": rng.standard_normal(500) for at in range(n_features)}
        times = 1e9 - 1e9 % 3600 + 3600 * hour + np.arange(500.0)
        counter.add_frame(
            pl.DataFrame({"request_id": ["r"] * 500, "row": np.zeros(500, int), "at": times, "ms": 1.0} | columns)
        )
    return counter.cells()


def make(n_endpoints: int, n_features: int) -> Counts:
    """A day of one endpoint, 24 segments of 500 rows with their sketches, copied for each of the others."""
    import polars as pl

    from headway.core.prediction_log import sealed_name, segment
    from headway.core.reference import layout_id
    from headway.tables.sketches import files
    from headway.tables.sketches.edges import Edge

    layout = laid_out(n_features)
    first = Path("endpoint-0")
    first.mkdir()
    for hour, cell in enumerate(_cells(24, n_features)):
        name = sealed_name("predictions", f"{hour:016x}", first_at=cell.first_at, last_at=cell.last_at, version=1)
        # Its rows are not looked at: that is what sketches are for.
        pl.DataFrame({"request_id": ["r"]}).write_parquet(first / name)
        one = segment(name)
        assert one is not None
        ends = Edge(first_at=cell.first_at, last_at=cell.last_at, keys=b"")
        counted = files.Counted(layout=layout_id(layout), n_entries=500, cells=(cell,), head=ends, tail=ends)
        files.write(str(first), one, counted)
    for at in range(1, n_endpoints):
        shutil.copytree(first, f"endpoint-{at}")
    return {}


def watched(n: int) -> Counts:
    """The sketches of all endpoints read, and each endpoint's day added up; then once more, when nothing is new."""
    import os
    import resource

    from headway.core.sketch import merge
    from headway.tables import sketches

    folders = sorted(Path().glob("endpoint-*"))
    n_features = n
    layout = laid_out(n_features)
    for folder in folders:
        os.utime(folder, (1e9, 1e9))
    began = time.process_time()
    known = [sketches.read(str(folder), layout) for folder in folders]
    days = [merge(one.cells) for one in known]
    took_s = time.process_time() - began
    if {day.n_rows for day in days} != {24 * 500}:
        raise SystemExit("what was read is wrong")
    began = time.process_time()
    again = [sketches.read(str(folder), layout, before) for folder, before in zip(folders, known, strict=True)]
    idle_s = time.process_time() - began
    if any(one is not before for one, before in zip(again, known, strict=True)):
        raise SystemExit("something was new")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return {"s": took_s, "ms when nothing is new": 1000 * idle_s, "MB": peak_mb}


def river(n: int) -> Counts:
    """ADWIN for each feature, event by event."""
    from river import drift  # type: ignore[import-not-found] # a peer's own

    detectors = [drift.ADWIN() for _ in NAMES]

    def take(rows: list[list[float]]) -> None:
        for row in rows:
            for detector, value in zip(detectors, row, strict=True):
                detector.update(value)

    return {"events/s": n / timed(n, lambda _, batch: batch.tolist(), take)}


def whylogs(n: int) -> Counts:
    """One profile that tracks batch after batch."""
    import pandas as pd
    from whylogs.core import DatasetProfile

    profile = DatasetProfile()
    took_s = timed(n, lambda _, batch: pd.DataFrame(batch, columns=NAMES), profile.track)
    if int(profile.view().to_pandas()["counts/n"].iloc[0]) != n:
        raise SystemExit("not all events were tracked")
    return {"events/s": n / took_s, "bytes a window": len(profile.view().serialize())}


TASKS: dict[tuple[str, str], Callable[[int], Counts]] = {
    ("headway", "tables"): tables,
    ("headway", "lines"): lines,
    ("headway", "merge"): merged,
    ("headway", "watch"): watched,
    ("river", "tables"): river,
    ("whylogs", "tables"): whylogs,
}


if __name__ == "__main__":
    words = sys.argv[1:]
    told = make(int(words[1]), int(words[2])) if words[0] == "make" else TASKS[words[0], words[1]](int(words[2]))
    print(json.dumps(told))
