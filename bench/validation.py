"""Promise: twelve checks on 10 million rows cost at most 1.3 x what reading the columns that they name costs.

And 4 x less CPU than pandera's and pointblank's, 25 x less than Great Expectations', in 500 MB where the order of rows
proves the keys and in 1.5 GB where it does not; on a CSV at most 1.7 x what DuckDB takes to sum it up; an answer on a
million rows within a second. Everything is counted from an empty process, imports and reading included. Every tool
must also call a table broken that is, or it is out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from harness import Contender, Size, Stage, options, take_turns
from projects.tool import Tool
from report import MB, Promise, Sample
from workers import HEADWAY, Worker, chosen, less_cpu, unless

WORKER = Path(__file__).resolve().parent / "validation_worker.py"
CHECKS, UNORDERED, CSV, MILLION = "twelve checks", "rows in no order", "a CSV of a tenth", "a million rows"
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
    wanted = chosen(stage.options, [tool.name for tool in PEERS])
    peers = stage.bring([tool for tool in PEERS if tool.name in wanted])
    worker = Worker(stage=stage, script=WORKER)
    large, million = scratch / "large", scratch / "million"
    worker.make(large, "make", str(stage.options.size))
    worker.make(million, "make", str(min(stage.options.size, MILLION_ROWS)))
    contenders = [
        Contender(tool="headway", play=lambda _: _headway(worker, large, million)),
        Contender(tool=POLARS, play=lambda _: _floor(worker, large, CHECKS, "polars-sums", "data.parquet")),
        Contender(tool=DUCKDB, play=lambda _: _floor(worker, large, CSV, "duckdb-sums", "data.csv")),
        *[_peer(worker, tool, large) for tool in peers],
    ]
    series = take_turns(contenders, stage.options.n)
    return stage.finish(series, _promises())


def _promises() -> list[Promise]:
    return [
        _most(f"{CHECKS}: at most 1.3 x the CPU of reading the columns", CHECKS, POLARS, 1.3),
        *less_cpu(CHECKS, LESS_CPU),
        _most(f"{CSV}: at most 1.7 x the CPU of DuckDB's sums", CSV, DUCKDB, 1.7),
        _memory(CHECKS, PROVED_MB),
        _memory(UNORDERED, HASHED_MB),
        Promise(text=f"{MILLION}: under 1 s", of=("headway", MILLION), most=1.0),
    ]


def _most(text: str, case: str, floor: str, most: float) -> Promise:
    return Promise(text=text, of=("headway", case), over=(floor, case), measure="cpu_s", most=most)


def _memory(case: str, most_mb: int) -> Promise:
    return Promise(text=f"{case}: under {most_mb} MB", of=("headway", case), measure="rss_bytes", most=most_mb * MB)


def _headway(worker: Worker, large: Path, million: Path) -> Iterator[tuple[str, Sample]]:
    yield CHECKS, _judged(worker, HEADWAY, "headway", large, "data.parquet", "broken.parquet")
    yield UNORDERED, _judged(worker, HEADWAY, "headway-unordered", large, "shuffled.parquet", "broken.parquet")
    yield CSV, _judged(worker, HEADWAY, "headway", large, "data.csv", "broken.csv")
    yield MILLION, _judged(worker, HEADWAY, "headway", million, "data.parquet", "broken.parquet")


def _floor(worker: Worker, folder: Path, case: str, task: str, name: str) -> Iterator[tuple[str, Sample]]:
    sample, said = worker.ask(HEADWAY, folder, task, name)
    yield case, unless(None if said.get("good") else "it read nothing", sample)


def _peer(worker: Worker, tool: Tool, folder: Path) -> Contender:
    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        yield CHECKS, _judged(worker, tool, tool.name, folder, "data.parquet", "broken.parquet")

    return Contender(tool=tool.name, play=play)


def _judged(worker: Worker, tool: Tool, task: str, folder: Path, good: str, broken: str) -> Sample:
    """What the checks cost on good rows; a fault if the verdict is wrong on these or on broken ones."""
    sample, said = worker.ask(tool, folder, task, good)
    if sample.fault or not said.get("good"):
        return unless("calls good rows bad", sample)
    other, said = worker.ask(tool, folder, task, broken)
    return unless(other.fault or (None if said.get("good") is False else "calls broken rows good"), sample)


if __name__ == "__main__":
    sys.exit(main())
