"""Promise: `pip install headway` with DuckDB beside it is at most 25 packages and 300 MB, bytecode included.

Each into an empty environment, once to fill the installer's cache and once by the clock: the seconds hold no download.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import environments
import pipelines
from harness import Contender, Stage, options, take_turns
from report import MB, Promise, Sample

CASE = "pip install"


def main() -> int:
    promise = __doc__ or ""
    stage = Stage(name="install", promise=promise, options=options(promise, n=1, peers="dvc,mlflow"))
    scratch = stage.scratch()
    asked = {tool.name: tool.requirements for tool in pipelines.chosen(stage.options) if tool.requirements}
    contenders = [_contender("headway", (str(environments.build_wheel(scratch / "wheel")), "duckdb"), scratch)]
    contenders += [_contender(name, requirements, scratch) for name, requirements in asked.items()]
    series = take_turns(contenders, stage.options.n)
    bounds = [
        Promise(text="at most 25 packages", of=("headway", CASE), measure="packages", most=25),
        Promise(text="at most 300 MB", of=("headway", CASE), measure="MB", most=300),
    ]
    return stage.finish(series, bounds)


def _contender(name: str, requirements: tuple[str, ...], scratch: Path) -> Contender:
    folder = scratch / name

    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        environments.create(folder)
        started = time.perf_counter()
        try:
            environments.install(folder, *requirements)
        except environments.Missing as missing:
            yield CASE, Sample.broken(str(missing))
            return
        wall_s = time.perf_counter() - started
        size = sum(path.stat().st_size for path in (folder / "lib").rglob("*") if path.is_file())
        counts = {"packages": float(len(environments.versions(folder))), "MB": size / MB}
        shutil.rmtree(folder)
        yield CASE, Sample(wall_s=wall_s, cpu_s=0, rss_bytes=0, counts=counts)

    return Contender(tool=name, play=play)


if __name__ == "__main__":
    sys.exit(main())
