"""Promise: 500,000 predictions a second of processor are counted, of 20 features, into windows of 8 KB that add up.

A million events come in batches of 100; whylogs and river's ADWIN are given ten thousand. 1,000 windows are added up in
50 ms. A day of 100 endpoints with 200 features each is read, by its sketches, and added up in one process.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from harness import Contender, Size, Stage, options, take_turns
from projects.tool import Tool
from report import Promise, Sample
from workers import HEADWAY, Worker, chosen

WORKER = Path(__file__).resolve().parent / "monitoring_worker.py"
COUNT = "events of 20 features in batches of 100"
LINES = "the same, as lines of an open file"
MERGE = "1,000 windows added up"
WATCH = "a day of 100 endpoints with 200 features"
N_ENDPOINTS, N_FEATURES = 100, 200
QUIET = {"WHYLOGS_NO_ANALYTICS": "true", "PYTHONWARNINGS": "ignore"}
PEERS = (
    Tool(name="whylogs", requirements=("whylogs==1.6.4", "pandas<3", "pyarrow<19", "numpy<2"), variables=QUIET),
    Tool(name="river", requirements=("river==0.26.1",), variables=QUIET),
)
N_PEERS = 10_000


def main() -> int:
    promise = __doc__ or ""
    size = Size(name="events", default=1_000_000, help="events that headway counts; its peers count 10,000")
    stage = Stage(name="monitoring", promise=promise, options=options(promise, n=3, size=size))
    scratch = stage.scratch()
    stage.bring([HEADWAY])
    wanted = chosen(stage.options, [tool.name for tool in PEERS])
    peers = stage.bring([tool for tool in PEERS if tool.name in wanted])
    worker = Worker(stage=stage, script=WORKER)
    work, endpoints = scratch / "work", scratch / "endpoints"
    work.mkdir()
    worker.make(endpoints, "make", str(N_ENDPOINTS), str(N_FEATURES))
    n = str(stage.options.size)
    cases = {
        COUNT: (work, "tables", n),
        LINES: (work, "lines", n),
        MERGE: (work, "merge", "1000"),
        WATCH: (endpoints, "watch", str(N_FEATURES)),
    }

    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        for case, (folder, task, size) in cases.items():
            yield case, _counted(worker, HEADWAY, folder, (task, size))

    contenders = [Contender(tool="headway", play=play)]
    contenders += [_peer(worker, tool, work) for tool in peers]
    return stage.finish(take_turns(contenders, stage.options.n), _promises())


def _peer(worker: Worker, tool: Tool, folder: Path) -> Contender:
    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        yield COUNT, _counted(worker, tool, folder, ("tables", str(N_PEERS)))

    return Contender(tool=tool.name, play=play)


def _counted(worker: Worker, tool: Tool, folder: Path, words: tuple[str, ...]) -> Sample:
    sample, told = worker.ask(tool, folder, tool.name, *words)
    return sample if sample.fault else sample.with_counts({name: float(number) for name, number in told.items()})


def _promises() -> list[Promise]:
    ours = ("headway", COUNT)
    return [
        Promise(text="at least 500,000 events/s", of=ours, measure="events/s", least=500_000),
        Promise(text="a window takes at most 8 KB", of=ours, measure="bytes a window", most=8_192),
        Promise(
            text="at least 50 x whylogs", of=ours, over=("whylogs", COUNT), measure="events/s", least=50,
        ),
        # Since 0.26 ADWIN is compiled: 150,000 events/s where it was 6,000.
        Promise(text="at least 3 x river", of=ours, over=("river", COUNT), measure="events/s", least=3),
        Promise(text=f"{MERGE} in 50 ms", of=("headway", MERGE), measure="ms", most=50),
        Promise(text=f"{WATCH}: under 2 s", of=("headway", WATCH), measure="s", most=2),
        Promise(text=f"{WATCH}: under 50 ms when nothing is new", of=("headway", WATCH),
                measure="ms when nothing is new", most=50),
        Promise(text=f"{WATCH}: under 300 MB", of=("headway", WATCH), measure="MB", most=300),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
