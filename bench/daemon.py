"""Promise: idle with 100 pipelines and monitors below 1 % of a core and 150 MB; data to the run's first step in 2 s.

Both numbers of the idle one are of the whole tree of processes, from `headway up` down: what it starts and waits for
counts as well, and of memory that several share each has its share (Pss). The monitors watch one
endpoint that really serves. An arrival counts from when the file is whole to what the step itself writes down.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pipelines
from harness import Contender, Size, Stage, counted, options, take_turns
from report import Promise, Sample

WORKER = Path(__file__).resolve().parent / "daemon_worker.py"
IDLE_S = 60
N_ARRIVALS = 20
IDLE = "idle"
ARRIVAL = "data arrive"


def main() -> int:
    promise = __doc__ or ""
    size = Size(name="pipelines", default=100, help="pipelines, and as many monitors")
    stage = Stage(name="daemon", promise=promise, options=options(promise, n=3, peers="none", size=size))
    scratch = stage.scratch()
    stage.bring([pipelines.HEADWAY])
    place = stage.place(pipelines.HEADWAY, scratch / "work", scratch / "home")
    place.home.mkdir()
    cases = {IDLE: ("idle", str(stage.options.size), str(IDLE_S)), ARRIVAL: ("arrival", str(N_ARRIVALS))}

    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        for case, words in cases.items():
            yield case, counted(["python", str(WORKER), *words], place, stage.options.timeout_s)

    series = take_turns([Contender(tool="headway", play=play)], stage.options.n)
    many = stage.options.size
    bounds = [
        Promise(
            text=f"{many} pipelines and monitors, idle: below 1 % of a core", of=("headway", IDLE),
            measure="% of a core", most=1.0,
        ),
        Promise(
            text=f"{many} pipelines and monitors: below 150 MB", of=("headway", IDLE), measure="MB", most=150.0
        ),
        Promise(
            text="from data to the first step: below 2 s", of=("headway", ARRIVAL), measure="s to a step", most=2.0
        ),
    ]  # fmt: skip
    return stage.finish(series, bounds)


if __name__ == "__main__":
    sys.exit(main())
