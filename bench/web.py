"""Promise: with 100,000 runs 19 of 20 first pages below 200 ms, 150 KB cold, 100 KB of scripts, 80 MB, up in 0.5 s.

One process, `headway ui`, asked as a browser asks; each page 40 times, the first answer of each thrown away. The
million facts are written by headway's own log. A log of 1 GB is looked at, first and again, at its end and in its
middle, and searched to its end. How soon a fact is told to an open page is the median of 20. Memory is the server's
when all of that was done.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from harness import Contender, Size, Stage, counted, options, take_turns
from projects.tool import Tool
from report import Promise, Sample

WORKER = Path(__file__).resolve().parent / "web_worker.py"
CASE = "pages"
HEADWAY = Tool(name="headway[ui]")


def main() -> int:
    promise = __doc__ or ""
    size = Size(name="runs", default=100_000, help="runs of ten facts each")
    stage = Stage(name="web", promise=promise, options=options(promise, n=1, peers="none", size=size))
    scratch = stage.scratch()
    stage.bring([HEADWAY])
    place = stage.place(HEADWAY, scratch / "work", scratch / "home")
    place.home.mkdir()

    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        yield CASE, counted(["python", str(WORKER), str(stage.options.size)], place, stage.options.timeout_s)

    series = take_turns([Contender(tool=HEADWAY.name, play=play)], stage.options.n)
    of = (HEADWAY.name, CASE)
    many = stage.options.size
    bounds = [
        Promise(text="up: in 0.5 s", of=of, measure="s to answer", most=0.5),
        Promise(text="memory: at most 80 MB", of=of, measure="MB", most=80.0),
        Promise(text=f"{many:,} runs, the first page: below 200 ms", of=of, measure="ms: first page", most=200.0),
        Promise(
            text="19 of 20 first pages there within 200 ms", of=of, measure="ms there, p95: first page", most=200.0
        ),
        Promise(text="a fact is told to an open page within 1 s", of=of, measure="s until told", most=1.0),
        Promise(text="the end of a log of 1 GB: below 200 ms", of=of, measure="ms: a log's end", most=200.0),
        Promise(text="a line of its middle: below 200 ms", of=of, measure="ms: a log's middle", most=200.0),
        Promise(text=f"{many:,} runs, the newest of them: below 200 ms", of=of, measure="ms: runs", most=200.0),
        Promise(text="the first page cold: at most 150 KB", of=of, measure="KB cold", most=150.0),
        Promise(text="scripts: at most 100 KB", of=of, measure="KB of scripts", most=100.0),
    ]
    return stage.finish(series, bounds)


if __name__ == "__main__":
    sys.exit(main())
