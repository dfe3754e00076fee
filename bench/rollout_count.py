"""Promise: a release's log is counted at 100,000 lines a second of processor, where errors and latency are watched.

Counting is what comes after reading: a line that is there as a value becomes part of windows, 1,200 lines a look. The
seconds of the process hold its start and the making of the lines; lines/s does not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pipelines
from harness import Contender, Size, Stage, counted, options, take_turns
from report import Promise, Sample

WORKER = Path(__file__).resolve().parent / "rollout_count_worker.py"
PLAIN = "errors, latency"
CASES = {
    PLAIN: "plain",
    "a shadow, compared": "shadow",
    "customers that stick": "sticky",
    "predictions, labels, 20 slices": "everything",
}


def main() -> int:
    promise = __doc__ or ""
    size = Size(name="lines", default=400_000, help="lines of the log")
    stage = Stage(name="rollout_count", promise=promise, options=options(promise, n=5, peers="none", size=size))
    scratch = stage.scratch()
    stage.bring([pipelines.HEADWAY])
    place = stage.place(pipelines.HEADWAY, scratch / "work", scratch / "home")
    place.home.mkdir()

    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        for case, task in CASES.items():
            command = ["python", str(WORKER), task, str(stage.options.size)]
            yield case, counted(command, place, stage.options.timeout_s)

    series = take_turns([Contender(tool="headway", play=play)], stage.options.n)
    text = f"at least 100,000 lines/s of processor, {PLAIN}"
    return stage.finish(series, [Promise(text=text, of=("headway", PLAIN), measure="lines/s", least=100_000)])


if __name__ == "__main__":
    sys.exit(main())
