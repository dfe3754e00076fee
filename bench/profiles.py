"""Promise: a full profile takes 6 x less CPU than TFDV's, 10 x less than ydata-profiling's and whylogs'.

Of 1 million rows and 20 columns: kinds, gaps, distinct values, ends, spread, quantiles, histograms, frequent values.
It needs at most 700 MB, and no more for more rows: 400 MB for four times as many. Everything is counted from an empty
process, reading the file included. Each tool's means and gaps are checked against what NumPy says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import Contender, Size, Stage, options, take_turns
from profiles_worker import NUMBERS
from projects.tool import Tool
from report import MB, Promise, Sample
from workers import HEADWAY, Worker, chosen, less_cpu, unless

WORKER = Path(__file__).resolve().parent / "profiles_worker.py"
ONE, FOUR = "20 columns", "20 columns, 4 x the rows"
QUIET = {"DO_NOT_TRACK": "1", "PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3"}
PEERS = (
    # Each imports something that it does not ask for, or breaks with newer ones of what it does.
    Tool(name="tfdv", requirements=("tensorflow-data-validation==1.16.1", "dill", "setuptools<80"), variables=QUIET),
    Tool(
        name="ydata-profiling",
        requirements=("ydata-profiling==4.18.4", "setuptools<80", "pyarrow"),
        variables=QUIET,
    ),
    Tool(name="whylogs", requirements=("whylogs==1.6.4", "pandas<3", "pyarrow<19", "numpy<2"), variables=QUIET),
)
GOALS = {"tfdv": 6.0, "ydata-profiling": 10.0, "whylogs": 10.0}


def main() -> int:
    promise = __doc__ or ""
    size = Size(name="rows", default=1_000_000, help="rows of the table")
    stage = Stage(name="profiles", promise=promise, options=options(promise, n=3, size=size))
    scratch = stage.scratch()
    stage.bring([HEADWAY])
    wanted = chosen(stage.options, [tool.name for tool in PEERS])
    peers = stage.bring([tool for tool in PEERS if tool.name in wanted])
    worker = Worker(stage=stage, script=WORKER)
    folders = {ONE: scratch / "one", FOUR: scratch / "four"}
    for folder, times in zip(folders.values(), (1, 4), strict=True):
        worker.make(folder, "make", str(stage.options.size), str(times))
    contenders = [Contender(tool="headway", play=lambda _: _played(worker, HEADWAY, folders))]
    contenders += [_peer(worker, tool, folders[ONE]) for tool in peers]
    series = take_turns(contenders, stage.options.n)
    return stage.finish(series, [*less_cpu(ONE, GOALS), *_memory()])


def _memory() -> list[Promise]:
    return [
        Promise(text=f"{ONE}: at most 700 MB", of=("headway", ONE), measure="rss_bytes", most=700 * MB),
        Promise(text=f"{FOUR}: at most 400 MB", of=("headway", FOUR), measure="rss_bytes", most=400 * MB),
    ]


def _peer(worker: Worker, tool: Tool, folder: Path) -> Contender:
    return Contender(tool=tool.name, play=lambda _: _played(worker, tool, {ONE: folder}))


def _played(worker: Worker, tool: Tool, folders: dict[str, Path]) -> Iterator[tuple[str, Sample]]:
    for case, folder in folders.items():
        sample, said = worker.ask(tool, folder, tool.name, "data.parquet")
        yield case, unless(fault_of(said, json.loads((folder / "truth.json").read_text())), sample)


# Any: what a tool says of each column.
def fault_of(said: dict[str, Any], truth: dict[str, Any]) -> str | None:
    """What is wrong with what a tool says of the columns of numbers."""
    for name in NUMBERS:
        if name not in said:
            return f"says nothing of {name}"
        for what in ("mean", "n_null"):
            found, exact = said[name][what], truth[name][what]
            if abs(found - exact) > 1e-6 * max(abs(exact), 1):
                return f"{name}: {what} is {found} instead of {exact}"
    return None


if __name__ == "__main__":
    sys.exit(main())
