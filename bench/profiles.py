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

import environments
from harness import Contender, Size, Stage, once, options, take_turns
from profiles_worker import NUMBERS
from projects.tool import Tool
from report import Promise, Sample

WORKER = Path(__file__).resolve().parent / "profiles_worker.py"
ONE, FOUR = "20 columns", "20 columns, 4 x the rows"
HEADWAY = Tool(name="headway")
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
    peers = stage.bring(_chosen(stage))
    folders = {ONE: scratch / "one", FOUR: scratch / "four"}
    for (case, folder), times in zip(folders.items(), (1, 4), strict=True):
        environments.empty(folder)
        words = ("make", str(stage.options.size), str(times))
        made = once(["python", str(WORKER), *words], stage.place(HEADWAY, folder, folder), stage.options.timeout_s)
        if made.fault:
            raise SystemExit(f"the data for {case} could not be made: {made.fault}")
    contenders = [Contender(tool="headway", play=lambda _: _headway(stage, folders))]
    contenders += [_peer(stage, tool, folders[ONE]) for tool in peers]
    series = take_turns(contenders, stage.options.n)
    return stage.finish(series, [*_ratios(), *_memory()])


def _chosen(stage: Stage) -> list[Tool]:
    if stage.options.peers in {"default", "all"}:
        return list(PEERS)
    wanted = stage.options.peers.split(",")
    return [tool for tool in PEERS if tool.name in wanted]


def _ratios() -> list[Promise]:
    return [
        Promise(
            text=f"{ONE}: at least {goal:.0f} x less CPU than {peer}",
            of=(peer, ONE),
            over=("headway", ONE),
            measure="cpu_s",
            least=goal,
        )
        for peer, goal in GOALS.items()
    ]


def _memory() -> list[Promise]:
    return [
        Promise(text=f"{ONE}: at most 700 MB", of=("headway", ONE), measure="rss_bytes", most=700e6),
        Promise(text=f"{FOUR}: at most 400 MB", of=("headway", FOUR), measure="rss_bytes", most=400e6),
    ]


# Any: what a tool says of each column.
def _asked(stage: Stage, tool: Tool, folder: Path) -> tuple[Sample, dict[str, Any]]:
    """One profile, and what it says; nothing when it failed."""
    sample = once(
        ["python", str(WORKER), tool.name, "data.parquet"], stage.place(tool, folder, folder), stage.options.timeout_s
    )
    said = (folder.parent / f"{folder.name}.log").read_text(errors="replace").strip().splitlines()
    if sample.fault or not said:
        return sample, {}
    return sample, dict(json.loads(said[-1]))


def _headway(stage: Stage, folders: dict[str, Path]) -> Iterator[tuple[str, Sample]]:
    for case, folder in folders.items():
        sample, said = _asked(stage, HEADWAY, folder)
        yield case, _checked(sample, said, folder)


def _peer(stage: Stage, tool: Tool, folder: Path) -> Contender:
    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        sample, said = _asked(stage, tool, folder)
        yield ONE, _checked(sample, said, folder)

    return Contender(tool=tool.name, play=play)


def _checked(sample: Sample, said: dict[str, Any], folder: Path) -> Sample:
    fault = sample.fault or fault_of(said, json.loads((folder / "truth.json").read_text()))
    return Sample.broken(fault) if fault is not None else sample


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
