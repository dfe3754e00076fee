"""Promise: a file of 4 GiB is kept for half of DVC's CPU seconds and restored, verified, no slower, in 256 MiB.

Each tool in turn takes the same file, gives it back, and clears what it stored: one file, one store and one restored
file lie on the disk at a time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness import Contender, Size, Stage, options, take_turns
from report import Promise, Sample, Series
from store_data import is_same, write_large
from store_files import memory
from store_peers import BORG, COPY, DVC, HEADWAY, OXEN, RESTIC, chosen
from store_projects import Project, SetUpFailed, checked, projects

SNAPSHOT = "snapshot of one file"
RESTORE = "restore of one file"
PATH = "data.bin"
ABLE = (HEADWAY, DVC, OXEN, RESTIC, BORG, COPY)


def main() -> int:
    promise = __doc__ or ""
    size = Size(name="gib", default=4, help="GiB of the file")
    stage = Stage(name="store_large", promise=promise, options=options(promise, n=3, size=size))
    scratch = stage.scratch()
    found = projects(stage, chosen(stage.options, ABLE), scratch, PATH)
    source = scratch / PATH
    write_large(source, stage.options.size << 30)
    series = take_turns([one_file(project, source) for project in found.values()], stage.options.n)
    return stage.finish(series, promises(series))


def one_file(project: Project, source: Path) -> Contender:
    """Keep a file, take it away, bring it back."""

    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        try:
            project.renew()
            source.rename(project.data)
            try:
                sample = project.measure(project.keeper.keep or ())
            finally:
                project.data.rename(source)
            yield SNAPSHOT, checked(sample, project.is_stored(source.stat().st_size))
            project.set_up(*project.keeper.seal)
            sample = project.measure(project.keeper.restore or ())
            is_whole = project.data.exists() and is_same(project.data, source)
            yield RESTORE, checked(sample, None if is_whole else "what was restored is another file")
        except SetUpFailed as broken:
            yield SNAPSHOT, Sample.broken(str(broken))
        finally:
            project.remove()

    return Contender(tool=project.keeper.name, play=play)


def promises(series: Sequence[Series]) -> list[Promise]:
    """What issue 3 holds headway to."""
    return [
        Promise(
            text=f"{SNAPSHOT}: at least 2 x less CPU than dvc",
            of=("dvc", SNAPSHOT),
            over=("headway", SNAPSHOT),
            measure="cpu_s",
            least=2,
        ),
        Promise(
            text=f"{RESTORE}: not slower than dvc",
            of=("headway", RESTORE),
            over=("dvc", RESTORE),
            most=1,
        ),
        *memory(series),
    ]


if __name__ == "__main__":
    sys.exit(main())
