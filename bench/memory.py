"""Promise: the driver's memory stays under 80 MB, with 10,000 steps and with a step that prints 1 GB.

The peak is that of the largest process in the tree; the steps are `cp` and the like, so the largest is the driver.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import environments
import pipelines
from harness import Contender, Stage, once, options, take_turns
from pipelines import FIRST, HEADWAY
from report import MB, Promise, Sample
from shapes import chain, independent, layers

GRAPHS = {
    "4 steps": (chain(4), 1),
    "100 steps": (independent(100), 2),
    "1,000 steps": (layers(10, 100), 2),
    "10,000 steps": (layers(10, 1_000), 2),
}
#: 1 GB of lines, and 1 GB without a line's end, which nobody can take in line by line.
OUTPUTS = {
    "a step that prints 1 GB": "head -c 990000000 /dev/zero | tr '\\0' x | fold -w 99",
    "a step that prints 1 GB in one line": "head -c 1000000000 /dev/zero | tr '\\0' x",
}


def main() -> int:
    promise = __doc__ or ""
    stage = Stage(name="memory", promise=promise, options=options(promise, n=2, peers="none"))
    scratch = stage.scratch()
    stage.bring([HEADWAY])
    contenders = [_graph(stage, scratch / str(at), case) for at, case in enumerate(GRAPHS)]
    contenders += [_output(stage, scratch / f"output{at}", case) for at, case in enumerate(OUTPUTS)]
    series = take_turns(contenders, stage.options.n)
    bounds = [
        Promise(text=f"{one.tool}, {one.case}: under 80 MB", of=(one.tool, one.case), measure="rss_bytes", most=80 * MB)
        for one in series
    ]
    return stage.finish(series, bounds)


def _graph(stage: Stage, folder: Path, case: str) -> Contender:
    play = pipelines.contender(stage, HEADWAY, folder, GRAPHS[case]).play
    return Contender(tool=f"headway, {case}", play=play)


def _output(stage: Stage, folder: Path, case: str) -> Contender:
    place = stage.place(HEADWAY, folder / "project", folder / "home")
    place.home.mkdir(parents=True)

    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        environments.empty(place.folder)
        (place.folder / "pipeline.yaml").write_text(f"steps:\n  - name: Print\n    run: {OUTPUTS[case]}\n")
        os.sync()
        yield FIRST, once(["headway", "run"], place, stage.options.timeout_s)
        environments.empty(place.folder)

    return Contender(tool=f"headway, {case}", play=play)


if __name__ == "__main__":
    sys.exit(main())
