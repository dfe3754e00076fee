"""Promise: the log takes 20,000 facts a second, each appended, chained and committed by itself, on the SQLite back-end.

`sqlite3` is the floor: the same bytes committed to a bare table. Seconds by the clock hold the process's start and, for
reading, the writing before it; facts/s does not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pipelines
from harness import Contender, Stage, counted, options, take_turns
from report import Promise, Sample

WORKER = Path(__file__).resolve().parent / "log_worker.py"
N_FACTS = 40_000
CASES = {
    "headway": {"one fact a commit": "append one", "ten facts a commit": "append ten", "read": "read", "fold": "fold"},
    "sqlite3": {"one fact a commit": "sqlite one", "ten facts a commit": "sqlite ten"},
}


def main() -> int:
    promise = __doc__ or ""
    stage = Stage(name="log", promise=promise, options=options(promise, n=5))
    scratch = stage.scratch()
    stage.bring([pipelines.HEADWAY])
    place = stage.place(pipelines.HEADWAY, scratch / "work", scratch / "home")
    place.home.mkdir()

    def contender(tool: str) -> Contender:
        def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
            for case, task in CASES[tool].items():
                yield case, counted(["python", str(WORKER), task, str(N_FACTS)], place, stage.options.timeout_s)

        return Contender(tool=tool, play=play)

    series = take_turns([contender(tool) for tool in CASES], stage.options.n)
    return stage.finish(
        series,
        [
            Promise(text=f"at least 20,000 facts/s, {case}", of=("headway", case), measure="facts/s", least=20_000)
            for case in ("one fact a commit", "ten facts a commit")
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
