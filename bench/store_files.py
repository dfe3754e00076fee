"""Promise: 100,000 files of 4 KiB are kept, looked at and brought back many times faster than by DVC and restic.

Snapshot, status (nothing changed, 100 files touched, 100 changed), what differs between two versions with 1 % changed,
and restoring into an empty place; then the status of a project without data, beside the start of Python.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import environments
from harness import Contender, Place, Size, Stage, once, options, take_turns
from projects.tool import Command, Tool
from report import Promise, Sample, Series
from store_data import FILE_BYTES, Files
from store_peers import ALL, DVC, HEADWAY, chosen, fault, fill
from store_projects import Project, SetUpFailed, checked, projects

SNAPSHOT = "snapshot"
SAME = "status, nothing changed"
TOUCHED = "status, 0.1 % touched"
CHANGED = "status, 0.1 % changed"
DIFF = "diff of two versions, 1 % changed"
RESTORE = "restore to an empty place"
EMPTY = "status, no data"
MEASURES = {"wall_s": "by the clock", "cpu_s": "in CPU seconds"}
#: Bytes of memory that any of these may take.
MEMORY = 256 << 20


def main() -> int:
    promise = __doc__ or ""
    size = Size(name="files", default=100_000, help="files of 4 KiB")
    stage = Stage(name="store_files", promise=promise, options=options(promise, n=3, size=size))
    scratch = stage.scratch()
    files = Files(n=stage.options.size)
    # Environments first: what an installer deletes is in the way of what is measured, too.
    found = projects(stage, chosen(stage.options, ALL), scratch)
    with stage.aside(scratch) as aside:
        series = all_cases({name: replace(one, aside=aside) for name, one in found.items()}, files, stage.options.n)
        series += empty_project(stage, found, scratch / "empty")
        return stage.finish(series, promises(series))


def all_cases(found: dict[str, Project], files: Files, n: int) -> list[Series]:
    """Snapshots first; what they leave is then looked at, and at last removed and brought back."""
    keeping = {name: project for name, project in found.items() if not project.keeper.within}
    for project in keeping.values():
        files.write(project.folder / "data")
    series = take_turns([_snapshot(project, files) for project in keeping.values()], n)
    failed = {one.tool for one in series if one.fault}
    kept = {name: project for name, project in keeping.items() if name not in failed}
    second = files.some(files.n // 100)
    for name, project in list(kept.items()):
        try:
            _second_version(project, files, second)
        except SetUpFailed as broken:
            series.append(Series(tool=name, case=SAME, fault=str(broken)))
            del kept[name]
    looking = []
    for name, project in found.items():
        base = kept.get(project.keeper.within or name)
        if base is not None and project.keeper.status is not None:
            looking.append(_look(replace(base, keeper=project.keeper), files, second))
    series += take_turns(looking, n)
    series += take_turns([_difference(one, files, second) for one in kept.values() if one.keeper.diff], n)
    series += take_turns([_restore(one, files, second) for one in kept.values() if one.keeper.restore], n)
    return series


def _snapshot(project: Project, files: Files) -> Contender:
    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        waiting = project.folder / "data"
        if project.data.exists():
            project.data.rename(waiting)
        try:
            project.renew()
        except SetUpFailed as broken:
            yield SNAPSHOT, Sample.broken(str(broken))
            return
        waiting.rename(project.data)
        if project.keeper.keep is not None:
            sample = project.measure(project.keeper.keep)
            yield SNAPSHOT, checked(sample, project.is_stored(files.n * FILE_BYTES))

    return Contender(tool=project.keeper.name, play=play)


def _second_version(project: Project, files: Files, second: Sequence[int]) -> None:
    """Version 1 is there and becomes a commit; then 1 % of the files are others, and are kept as version 2."""
    keeper = project.keeper
    if keeper.keep is None:
        return
    project.set_up(*keeper.seal)
    files.change(project.data, second, version=2)
    project.set_up(keeper.keep, *keeper.seal, version=2)


def _look(project: Project, files: Files, second: Sequence[int]) -> Contender:
    keeper, few = project.keeper, files.n // 1000

    def status(numbers: Sequence[int]) -> Sample:
        """What it costs, when it tells exactly these files."""
        sample = project.measure(keeper.status or ())
        if sample.fault:
            return sample
        wrong = fault(keeper.seen(project.said()), files.names(numbers))
        if wrong is None and keeper.named is not None:
            project.set_up(keeper.named)
            wrong = fault(keeper.differing(project.said()), files.names(numbers))
        return checked(sample, wrong)

    def play(repetition: int) -> Iterator[tuple[str, Sample]]:
        # Once before, so that what the repetition before has written again is known.
        project.set_up(keeper.status or ())
        yield SAME, status([])
        if keeper.name == "scandir + stat":
            return
        files.touch(project.data, files.some(few, 3 + repetition))
        yield TOUCHED, status([])
        numbers = files.some(few, 7 + repetition)
        files.change(project.data, numbers, version=3)
        yield CHANGED, status(numbers)
        for version in (1, 2):
            files.change(project.data, [one for one in numbers if (one in set(second)) == (version == 2)], version)

    return Contender(tool=keeper.name, play=play)


def _difference(project: Project, files: Files, second: Sequence[int]) -> Contender:
    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        sample = project.measure(project.keeper.diff or ())
        wrong = None if sample.fault else fault(project.keeper.differing(project.said()), files.names(second))
        yield DIFF, checked(sample, wrong)

    return Contender(tool=project.keeper.name, play=play)


def _restore(project: Project, files: Files, second: Sequence[int]) -> Contender:
    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        project.lose()
        sample = project.measure(project.keeper.restore or (), version=2)
        yield RESTORE, checked(sample, None if sample.fault else files.fault(project.data, set(second)))

    return Contender(tool=project.keeper.name, play=play)


def empty_project(stage: Stage, found: Mapping[str, Project], folder: Path) -> list[Series]:
    """The status of a project without data, and the start of Python; some more times, for it is short."""
    # It is headway's own Python, also when no peer asked for it.
    stage.installed.setdefault("python", stage.installed[HEADWAY.name])
    python = stage.place(Tool(name="python"), *_places(folder / "python"))
    contenders = [_empty(stage, "python", python, ("-c", "pass"))]
    for name in (HEADWAY.name, DVC.name, "dvc data status"):
        if name in found:
            project = replace(found[name], folder=folder / name.replace(" ", "-"))
            if name != HEADWAY.name:
                project.keeper = replace(found[DVC.name].keeper, name=name, status=project.keeper.status)
            _places(project.folder)
            project.renew()
            words = fill(project.keeper.status or (), "data")
            contenders.append(_empty(stage, name, project.place, words[1:], words[0]))
    return take_turns(contenders, 5 * stage.options.n)


def _places(folder: Path) -> tuple[Path, Path]:
    for name in ("project", "home"):
        environments.empty(folder / name)
    return folder / "project", folder / "home"


def _empty(stage: Stage, name: str, place: Place, words: Command, program: str = "python") -> Contender:
    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        yield EMPTY, once((program, *words), place, stage.options.timeout_s)

    return Contender(tool=name, play=play)


def faster(case: str, peer: str, times: float) -> list[Promise]:
    """Promises that headway is so many times faster than a peer, by the clock and in seconds of processor."""
    return [
        Promise(
            text=f"{case}: at least {times:g} x faster than {peer}, {said}",
            of=(peer, case),
            over=("headway", case),
            measure=measure,
            least=times,
        )
        for measure, said in MEASURES.items()
    ]


def at_most(case: str, peer: str, times: float) -> list[Promise]:
    """Promises that headway takes at most so many times what a peer takes, by both measures."""
    return [
        Promise(
            text=f"{case}: at most {times:g} x {peer}, {said}",
            of=("headway", case),
            over=(peer, case),
            measure=measure,
            most=times,
        )
        for measure, said in MEASURES.items()
    ]


def promises(series: Sequence[Series]) -> list[Promise]:
    """What issue 3 holds headway to; the bounds of memory for each case of headway's that was measured."""
    return [
        *faster(SNAPSHOT, "dvc", 8),
        *faster(SNAPSHOT, "restic", 2.5),
        *faster(SAME, "dvc", 6),
        *at_most(SAME, "oxen", 1),
        *at_most(SAME, "scandir + stat", 1.5),
        *faster(TOUCHED, "dvc", 5),
        *faster(CHANGED, "dvc", 5),
        *faster(RESTORE, "dvc", 8),
        *at_most(RESTORE, "cp -r", 1),
        *faster(DIFF, "dvc", 15),
        *at_most(EMPTY, "python", 3),
        *memory(series),
    ]


def memory(series: Sequence[Series]) -> list[Promise]:
    """At most 256 MiB at the peak of each case of headway's."""
    return [
        Promise(
            text=f"{one.tool}, {one.case}: at most 256 MiB of memory",
            of=(one.tool, one.case),
            measure="rss_bytes",
            most=MEMORY,
        )
        for one in series
        if one.is_ours
    ]


if __name__ == "__main__":
    sys.exit(main())
