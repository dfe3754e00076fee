"""The workspace brought to what headway.lock pins, here or in another commit, or to a version of a dataset.

Nothing is lost: what no version holds is not overwritten. Every path is replaced atomically and only if it differs, so
that whoever was killed in the middle does the rest by doing it again.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Literal

from msgspec import Struct

from headway.codec import lock as locks
from headway.codec.lock import Lock
from headway.core.dataset import Pin
from headway.core.ids import Artifact
from headway.core.lease import WORKSPACE
from headway.core.tree import Tree
from headway.errors import (
    BlobDamaged,
    BlobMissing,
    ContentUnsaved,
    FileFaulty,
    FileMissing,
    LeaseHeld,
    NameUnknown,
    OutputUnreadable,
    UsageMistaken,
)
from headway.flows import contents, git
from headway.flows import dataset as datasets
from headway.flows.contents import here, is_same, joined
from headway.flows.dataset import Project
from headway.flows.store import missing, restore

LEASE = WORKSPACE
"""As of runs: one at a time may change a working tree."""

_NAMED = 10
"""Paths that a refusal names; more are counted."""


_HALF = re.compile(r"\.headway-[0-9a-f]{16}\.tmp")
"""Names under which stores write a file before it is moved into its place."""


class Plan(Struct, frozen=True, kw_only=True):
    """What shall lie in the workspace, by path, and what each is. `pins` are to be pinned in headway.lock as well.

    `is_whole` when it is all that a lock pins: what headway put here before and is not among it then goes.
    """

    artifacts: Mapping[str, tuple[Artifact, str]]
    pins: Mapping[str, Pin] = {}
    is_whole: bool = False


class Done(Struct, frozen=True, kw_only=True):
    """What happened to a path: `restored` (nothing was there), `changed`, `removed`, or `kept` as it was."""

    path: str
    what: str
    happened: Literal["restored", "changed", "removed", "kept"]
    n_entries: int = 0


def plan(project: Project, words: Sequence[str]) -> Plan:
    """What somebody asks for by a commit, versions of datasets, and paths that narrow it down.

    Raises NameUnknown, UsageMistaken, FileFaulty, FileMissing (no lock).
    """
    commit, sides, paths = _sorted(project, words)
    if commit is not None and sides:
        raise UsageMistaken(
            f"{commit} is a whole commit, {sides[0].label} is one version",
            at="headway checkout",
            remedy="check the commit out first, then the version",
        )
    if sides:
        pins = {side.dataset: side.pin for side in sides if side.pin is not None}
        chosen = {pin.artifact.path: (pin.artifact, f"dataset {name}@{pin.version}") for name, pin in pins.items()}
        return Plan(artifacts=_narrowed(chosen, paths), pins=pins)
    lock = contents.lock_at(project, commit) if commit is not None else _lock(project)
    pinned = lock.artifacts()
    for name, pin in lock.data.items():
        pinned[pin.artifact.path] = (
            pin.artifact,
            f"dataset {name}@{pin.version}" if pin.version else f"dataset {name}",
        )
    return Plan(artifacts=_narrowed(pinned, paths), is_whole=not paths)


def _lock(project: Project) -> Lock:
    lock = project.pins.read()
    if lock is None:
        raise FileMissing(
            "there is no headway.lock: nothing is pinned here",
            at="headway.lock",
            remedy="`headway data add PATH` or a good `headway run` pins something; or name a commit that has one",
        )
    return lock


def _sorted(project: Project, words: Sequence[str]) -> tuple[str | None, list[contents.Side], list[str]]:
    """Words by what they are: at most one commit, versions, paths."""
    commit: str | None = None
    sides: list[contents.Side] = []
    paths: list[str] = []
    for word in words:
        try:
            side = contents.resolve(project, word)
        except NameUnknown:
            # It may be pinned in the commit that is named, though not here.
            paths.append(os.path.normpath(word))
            continue
        if side.is_work or side.label == "lock":
            raise UsageMistaken(f"{word} is what lies here already", at=word, remedy="name a version or a commit")
        if side.dataset:
            sides.append(side)
        elif not side.is_whole:
            paths.append(side.label)
        elif commit is not None:
            raise UsageMistaken(f"{commit} and {word} are two commits", at="headway checkout", remedy="name one")
        else:
            commit = word
    return commit, sides, paths


def _narrowed(pinned: Mapping[str, tuple[Artifact, str]], paths: Sequence[str]) -> dict[str, tuple[Artifact, str]]:
    if not paths:
        return dict(pinned)
    found: dict[str, tuple[Artifact, str]] = {}
    for path in paths:
        below = {p: value for p, value in pinned.items() if path in (p, ".") or datasets.is_below(p, path)}
        if not below:
            raise NameUnknown(f"{path!r} is no commit, no version, and nothing is pinned there", at=path,
                              remedy=f"{contents.FORMS}; `headway data status` shows what is pinned")  # fmt: skip
        found |= below
    return found


# --- carrying out -----------------------------------------------------------------------------------------------


def checkout(
    project: Project, asked: Plan, *, force: bool = False, tell: Callable[[Done], None] = lambda _: None
) -> list[Done]:
    """Bring the workspace there; what happened to each path. With `force`, also over what nobody has a copy of.

    Nothing is touched when something would be lost or cannot be had. Raises ContentUnsaved, BlobMissing, BlobDamaged,
    OutputUnreadable, DiskFull, LeaseHeld.
    """
    with _alone(project):
        todo = _without_gits(project, list(_todo(project, asked)))
        _see_all_there(project, todo)
        if not force:
            _see_nothing_lost(project, todo)
        done = []
        try:
            for one in todo:
                happened = _carry_out(project, one)
                done.append(happened)
                tell(happened)
        finally:
            project.stats.save()
        if asked.pins:
            datasets.pin(project.pins, asked.pins)
        gone = tuple(one.path for one in done if one.happened == "removed")
        _tidy(project, done)
        put = {path: artifact for path, (artifact, what) in asked.artifacts.items() if what != "input"}
        project.pins.place(put, gone=gone)
        return done


class _Step(Struct, frozen=True, kw_only=True):
    """One path, what shall lie there and what does; what `is_to_go` shall lie there no more."""

    artifact: Artifact
    what: str
    now: Artifact | None
    is_to_go: bool = False

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to do."""
        return not self.is_to_go and self.now is not None and is_same(self.now, self.artifact)


def _todo(project: Project, asked: Plan) -> Iterator[_Step]:
    if asked.is_whole:
        yield from _to_go(project, asked)
    for _, (artifact, what) in sorted(asked.artifacts.items()):
        yield _Step(artifact=artifact, what=what, now=_now(project, artifact))


def _to_go(project: Project, asked: Plan) -> list[_Step]:
    """What headway put here for another commit, is as it was then, and can be brought back by a commit or a version."""
    found = []
    for path, artifact in sorted(project.pins.placed().items()):
        if not any(datasets.overlaps(path, other) for other in asked.artifacts):
            now = _now(project, artifact)
            if now is not None and is_same(now, artifact):
                found.append(_Step(artifact=artifact, what="no longer pinned", now=now, is_to_go=True))
    if not found:
        return []
    versions = [version.artifact for one in datasets.read_all(project.log).values() for version in one.versions]
    known = {(artifact.path, artifact.digest) for artifact in versions}
    for held in git.held(project.folder, locks.FILE):
        with suppress(FileFaulty):
            known |= {(path, artifact.digest) for path, (artifact, _) in locks.parse(held.data).artifacts().items()}
    return [one for one in found if (one.artifact.path, one.artifact.digest) in known]


def _without_gits(project: Project, todo: list[_Step]) -> list[_Step]:
    """Without what Git has come to track since it was pinned: Git brings that itself."""
    asked = [one.artifact.path for one in todo if not one.is_done and not one.what.startswith("dataset ")]
    tracked = git.tracked(project.folder, asked) if asked else None
    if not tracked:
        return todo
    gits = {path for path in asked if any(path == one or datasets.is_below(one, path) for one in tracked)}
    return [one for one in todo if one.artifact.path not in gits]


def _now(project: Project, artifact: Artifact) -> Artifact | None:
    _see_inside(project, artifact.path)
    return here(project, artifact.path)


def _see_inside(project: Project, path: str) -> None:
    """See that a path does not leave the project by way of a link. Raises OutputUnreadable."""
    top = os.path.realpath(project.folder)
    above = os.path.realpath(os.path.join(project.folder, os.path.dirname(path)))
    if above != top and not above.startswith(f"{top}/"):
        raise OutputUnreadable(
            f"{path} leads out of the project: a folder above it is a link",
            at=path,
            remedy="remove the link; what it leads to stays as it is",
        )


def _see_all_there(project: Project, todo: Sequence[_Step]) -> None:
    wanted = [one.artifact for one in todo if not one.is_done]
    gone = missing(project.blobs, wanted)
    paths = sorted(artifact.path for artifact in wanted if artifact.digest in gone)
    if paths:
        raise BlobMissing(
            f"the store does not have {_named(paths)}",
            at="store",
            remedy="`headway pull` brings it from the remote; nothing was touched",
        )


def _see_nothing_lost(project: Project, todo: Sequence[_Step]) -> None:
    lost = sorted(path for one in todo if not one.is_done for path in _lost(project, one))
    if lost:
        raise ContentUnsaved(
            f"no version holds what is in {_named(lost)}",
            at="workspace",
            remedy="keep it with `headway data add PATH`, or let it go with --force; nothing was touched",
        )


def _lost(project: Project, one: _Step) -> list[str]:
    """The paths whose present content would be lost."""
    path = one.artifact.path
    if one.now is None:
        above = _file_above(project, path)
        return [] if above is None or _is_held(project, above) else [above]
    is_listed = one.now.kind == "tree" and bool(project.blobs.has([one.now.digest]))
    now = contents.tree(project, one.now, is_work=True)
    wanted = Tree() if one.is_to_go or one.now.kind != one.artifact.kind else contents.tree(project, one.artifact)
    return [joined(path, below) for below in contents.unheld(project, now, wanted, is_listed=is_listed)]


def _file_above(project: Project, path: str) -> str | None:
    """The file that stands where a folder above a path must be."""
    while path := os.path.dirname(path):
        place = os.path.join(project.folder, path)
        if os.path.lexists(place) and not os.path.isdir(place):
            return path
    return None


def _is_held(project: Project, path: str) -> bool:
    now = here(project, path)
    return now is not None and bool(project.blobs.has([now.digest]))


def _carry_out(project: Project, one: _Step) -> Done:
    path, now = one.artifact.path, one.now
    if one.is_done:
        return Done(path=path, what=one.what, happened="kept")
    if one.is_to_go:
        _remove(project, path)
        return Done(path=path, what=one.what, happened="removed", n_entries=one.artifact.n_files)
    if now is None and (above := _file_above(project, path)) is not None:
        os.unlink(os.path.join(project.folder, above))
    if now is not None and now.kind != one.artifact.kind:
        _remove(project, path)
    try:
        n = restore(project.blobs, one.artifact, project.folder, project.stats)
    except (BlobMissing, BlobDamaged) as e:
        e.at, e.remedy = path, "`headway pull` brings it from the remote, `headway data verify` tells what else is lost"
        raise
    return Done(path=path, what=one.what, happened="restored" if now is None else "changed", n_entries=n)


def _remove(project: Project, path: str) -> None:
    """Take away what stands at a path. Raises OutputUnreadable for a folder with a repository or a project in it."""
    from shutil import rmtree

    place = os.path.join(project.folder, path)
    if not stat.S_ISDIR(os.lstat(place).st_mode):
        os.unlink(place)
        return
    for at, folders, files in os.walk(place):
        for name in {".git", ".headway"}.intersection((*folders, *files)):
            raise OutputUnreadable(
                f"{path} must go, but there is a {name} in it, of which there is no copy",
                at=os.path.join(at, name),
                remedy="move it away",
            )
    rmtree(place)


def _tidy(project: Project, done: Sequence[Done]) -> None:
    """Take away what killed ones left half written; nobody else writes here while we hold the workspace."""
    places = {one.path: os.path.join(project.folder, one.path) for one in done}
    halves = []
    for above in {os.path.dirname(place) for place in places.values()}:
        with suppress(FileNotFoundError):
            halves += [os.path.join(above, name) for name in os.listdir(above)]
    for one in done:
        if one.happened == "changed":
            halves += [os.path.join(at, name) for at, _, names in os.walk(places[one.path]) for name in names]
    for half in halves:
        if _HALF.fullmatch(os.path.basename(half)) and os.path.isfile(half):
            os.unlink(half)


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(path if path.isprintable() else repr(path) for path in paths[:_NAMED]) + more


@contextmanager
def _alone(project: Project) -> Iterator[None]:
    holder = f"checkout, process {os.getpid()} on {os.uname().nodename}"
    try:
        project.leases.acquire(LEASE, holder=holder, ttl_s=3600.0, now=project.now())
    except LeaseHeld as e:
        raise LeaseHeld(
            f"somebody is at work in this folder: {e.holder}",
            at="workspace",
            remedy="wait for it (`headway status`), stop it, or use a checkout of your own",
            holder=e.holder,
        ) from e
    try:
        yield
    finally:
        project.leases.release(LEASE, holder=holder)
