"""Promise: twelve checks on 10 million rows cost at most 1.3 x what reading the columns that they name costs.

And 4 x less CPU than pandera's and pointblank's, 25 x less than Great Expectations', in 500 MB where the order of rows
proves the keys and in 1.5 GB where it does not; on a CSV at most 1.7 x what DuckDB takes to sum it up; an answer on a
million rows within a second. Everything is counted from an empty process, imports and reading included. Every tool
must also call a table broken that is, or it is out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import environments
from harness import Contender, Size, Stage, once, options, take_turns
from projects.tool import Tool
from report import MB, Promise, Sample

WORKER = Path(__file__).resolve().parent / "validation_worker.py"
CHECKS, UNORDERED, CSV, MILLION = "twelve checks", "rows in no order", "a CSV of a tenth", "a million rows"
HEADWAY = Tool(name="headway")
QUIET = {"DO_NOT_TRACK": "1", "GX_ANALYTICS_ENABLED": "false", "PYTHONWARNINGS": "ignore"}
PEERS = (
    Tool(name="pandera", requirements=("pandera[polars]==0.35.0", "polars<2"), variables=QUIET),
    Tool(name="pointblank", requirements=("pointblank[pl]==1.1.1", "polars<2"), variables=QUIET),
    Tool(name="dataframely", requirements=("dataframely==3.1.2", "polars<2"), variables=QUIET),
    Tool(name="great_expectations", requirements=("great-expectations==1.24.1", "pyarrow<27"), variables=QUIET),
)
#: The floors: Polars and DuckDB lie beside headway, which needs them.
POLARS, DUCKDB = "polars sums", "duckdb sums"
LESS_CPU = {"pandera": 4.0, "pointblank": 4.0, "great_expectations": 25.0}
PROVED_MB, HASHED_MB = 500, 1500
MILLION_ROWS = 1_000_000


def main() -> int:
    promise = __doc__ or ""
    size = Size(name="rows", default=10_000_000, help="rows of the table")
    stage = Stage(name="validation", promise=promise, options=options(promise, n=3, size=size))
    scratch = stage.scratch()
    stage.bring([HEADWAY])
    peers = stage.bring(_chosen(stage))
    large, million = scratch / "large", scratch / "million"
    _make(stage, large, stage.options.size)
    _make(stage, million, min(stage.options.size, MILLION_ROWS))
    contenders = [
        Contender(tool="headway", play=lambda _: _headway(stage, large, million)),
        Contender(tool=POLARS, play=lambda _: _floor(stage, large, CHECKS, "polars-sums", "data.parquet")),
        Contender(tool=DUCKDB, play=lambda _: _floor(stage, large, CSV, "duckdb-sums", "data.csv")),
        *[_peer(stage, tool, large) for tool in peers],
    ]
    series = take_turns(contenders, stage.options.n)
    return stage.finish(series, _promises())


def _promises() -> list[Promise]:
    return [
        _most(f"{CHECKS}: at most 1.3 x the CPU of reading the columns", CHECKS, POLARS, 1.3),
        *[
            Promise(
                text=f"{CHECKS}: at least {goal:.0f} x less CPU than {peer}",
                of=(peer, CHECKS),
                over=("headway", CHECKS),
                measure="cpu_s",
                least=goal,
            )
            for peer, goal in LESS_CPU.items()
        ],
        _most(f"{CSV}: at most 1.7 x the CPU of DuckDB's sums", CSV, DUCKDB, 1.7),
        _memory(CHECKS, PROVED_MB),
        _memory(UNORDERED, HASHED_MB),
        Promise(text=f"{MILLION}: under 1 s", of=("headway", MILLION), most=1.0),
    ]


def _most(text: str, case: str, floor: str, most: float) -> Promise:
    return Promise(text=text, of=("headway", case), over=(floor, case), measure="cpu_s", most=most)


def _memory(case: str, most_mb: int) -> Promise:
    return Promise(text=f"{case}: under {most_mb} MB", of=("headway", case), measure="rss_bytes", most=most_mb * MB)


def _chosen(stage: Stage) -> list[Tool]:
    if stage.options.peers in {"default", "all"}:
        return list(PEERS)
    wanted = stage.options.peers.split(",")
    return [tool for tool in PEERS if tool.name in wanted]


def _make(stage: Stage, folder: Path, n_rows: int) -> None:
    environments.empty(folder)
    place = stage.place(HEADWAY, folder, folder)
    made = once(["python", str(WORKER), "make", str(n_rows)], place, stage.options.timeout_s)
    if made.fault:
        raise SystemExit(f"the data could not be made: {made.fault}")


def _headway(stage: Stage, large: Path, million: Path) -> Iterator[tuple[str, Sample]]:
    yield CHECKS, _judged(stage, HEADWAY, "headway", large, "data.parquet", "broken.parquet")
    yield UNORDERED, _judged(stage, HEADWAY, "headway-unordered", large, "shuffled.parquet", "broken.parquet")
    yield CSV, _judged(stage, HEADWAY, "headway", large, "data.csv", "broken.csv")
    yield MILLION, _judged(stage, HEADWAY, "headway", million, "data.parquet", "broken.parquet")


def _floor(stage: Stage, folder: Path, case: str, task: str, name: str) -> Iterator[tuple[str, Sample]]:
    sample, is_good = _asked(stage, HEADWAY, task, folder, name)
    yield case, sample if sample.fault or is_good else Sample.broken("it read nothing")


def _peer(stage: Stage, tool: Tool, folder: Path) -> Contender:
    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        yield CHECKS, _judged(stage, tool, tool.name, folder, "data.parquet", "broken.parquet")

    return Contender(tool=tool.name, play=play)


def _judged(stage: Stage, tool: Tool, task: str, folder: Path, good: str, broken: str) -> Sample:
    """What the checks cost on good rows; a fault if the verdict is wrong on these or on broken ones."""
    sample, is_good = _asked(stage, tool, task, folder, good)
    if sample.fault:
        return sample
    if not is_good:
        return Sample.broken("calls good rows bad")
    other, is_good = _asked(stage, tool, task, folder, broken)
    if other.fault or is_good:
        return Sample.broken(other.fault or "calls broken rows good")
    return sample


def _asked(stage: Stage, tool: Tool, task: str, folder: Path, name: str) -> tuple[Sample, bool | None]:
    """One process, and its verdict; None when it gave none."""
    place = stage.place(tool, folder, folder)
    sample = once(["python", str(WORKER), task, name], place, stage.options.timeout_s)
    if sample.fault:
        return sample, None
    said = (folder.parent / f"{folder.name}.log").read_text(errors="replace").strip().splitlines()
    try:
        return sample, bool(json.loads(said[-1])["good"])
    except (IndexError, KeyError, TypeError, ValueError):
        return Sample.broken(f"`{task}` gave no verdict: {' '.join(said[-2:])[-200:]}"), None


if __name__ == "__main__":
    sys.exit(main())
