"""Promise: with 100,000 runs the first page takes below 200 ms of processor; at most 150 KB cold, 100 KB of scripts.

One process, `headway ui`, asked as a browser asks; each page 40 times, the first answer of each thrown away. The
million facts are written by headway's own log. Memory is the server's when all pages were looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pipelines
from harness import Contender, Size, Stage, counted, options, take_turns
from report import Promise, Sample

WORKER = Path(__file__).resolve().parent / "web_worker.py"
CASE = "pages"


def main() -> int:
    promise = __doc__ or ""
    size = Size(name="runs", default=100_000, help="runs of ten facts each")
    stage = Stage(name="web", promise=promise, options=options(promise, n=1, peers="none", size=size))
    scratch = stage.scratch()
    stage.bring([pipelines.HEADWAY])
    place = stage.place(pipelines.HEADWAY, scratch / "work", scratch / "home")
    place.home.mkdir()

    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        yield CASE, counted(["python", str(WORKER), str(stage.options.size)], place, stage.options.timeout_s)

    series = take_turns([Contender(tool="headway", play=play)], stage.options.n)
    of = ("headway", CASE)
    many = stage.options.size
    bounds = [
        Promise(text=f"{many:,} runs, the first page: below 200 ms", of=of, measure="ms: first page", most=200.0),
        Promise(text=f"{many:,} runs, the newest of them: below 200 ms", of=of, measure="ms: runs", most=200.0),
        Promise(text="the first page cold: at most 150 KB", of=of, measure="KB cold", most=150.0),
        Promise(text="scripts: at most 100 KB", of=of, measure="KB of scripts", most=100.0),
    ]
    return stage.finish(series, bounds)


if __name__ == "__main__":
    sys.exit(main())
