"""Datasets under version control: reading their streams, taking snapshots, pinning them, finding what a person means.

`core/dataset` decides what a snapshot adds; here files are kept, facts appended, headway.lock and .gitignore written.
Everything may be killed at any moment and done again: content first, then the fact, then the pin.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec
from msgspec import Struct

from headway.codec.lock import Lock
from headway.core.dataset import Dataset, Pin, Snapshot, Versioned, checked_name, name_of_path
from headway.core.facts import DatasetForgotten, DatasetVersioned
from headway.core.ids import Artifact
from headway.core.signing import Trust
from headway.core.tree import is_inside
from headway.errors import AppendConflict, Conflict, FileMissing, NameUnknown, UsageMistaken
from headway.flows import git
from headway.flows.listing import is_passed_over
from headway.flows.pins import Pins
from headway.flows.rewrite import content, rewrite
from headway.flows.statcache import StatCache
from headway.flows.store import keep
from headway.ports import Blobs, Leases, Log


class Parts(Protocol):
    """What versioning data needs of the world; `wiring.Parts` is one."""

    @property
    def log(self) -> Log:
        """The facts."""

    @property
    def blobs(self) -> Blobs:
        """The content."""

    @property
    def leases(self) -> Leases:
        """Who may act in this folder."""

    @property
    def trust(self) -> Trust:
        """Whose signatures on model versions count."""


class Project:
    """One project at work on its data: where it lies, its parts, its pins, and who asks."""

    __slots__ = ("blobs", "by", "folder", "home", "leases", "log", "now", "pins", "stats", "trust")

    def __init__(self, folder: str, home: str, parts: Parts, *, by: str, now: Callable[[], float]) -> None:
        """`folder` and `home` are absolute; nothing is read yet but what is remembered of unchanged files."""
        self.folder = folder
        self.home = home
        self.log = parts.log
        self.blobs = parts.blobs
        self.leases = parts.leases
        self.trust = parts.trust
        self.by = by
        self.now = now
        self.pins = Pins(folder, os.path.join(home, "cache", "lock"), leases=parts.leases)
        self.stats = StatCache.load(os.path.join(home, "cache", "stat"))


class Wanted(Struct, frozen=True, kw_only=True):
    """A path to be versioned, relative to the project, seen to be there, untracked and free; and its dataset's name."""

    path: str
    name: str


class Added(Struct, frozen=True, kw_only=True):
    """What `add` did: the version that the path is now, whether that is new, and the files that were written for it."""

    version: DatasetVersioned
    is_new: bool
    wrote: tuple[str, ...] = ()


# --- reading ----------------------------------------------------------------------------------------------------


def read(log: Log, name: str) -> Dataset:
    """A dataset as its stream tells it; one without versions when there never was any under that name."""
    dataset = Dataset(name)
    for entry in log.read(_stream(name)):
        dataset.after(entry)
    return dataset


def read_all(log: Log) -> dict[str, Dataset]:
    """All datasets, by name, sorted."""
    found: dict[str, Dataset] = {}
    for entry in log.scan(("DatasetVersioned", "DatasetForgotten")):
        name = entry.stream.partition("/")[2]
        found.setdefault(name, Dataset(name)).after(entry)
    return dict(sorted(found.items()))


def known(log: Log, name: str) -> Dataset:
    """A dataset that has a version. Raises NameUnknown, naming the nearest."""
    dataset = read(log, name)
    if dataset.newest is not None:
        return dataset
    from difflib import get_close_matches

    close = get_close_matches(name, read_all(log), n=1)
    raise NameUnknown(
        f"there is no dataset {name!r}",
        at=f"dataset: {name}",
        remedy=f"did you mean {close[0]}?" if close else "`headway data list` lists them; `headway data add` makes one",
    )


# --- adding -----------------------------------------------------------------------------------------------------


def located(folder: str, path: str) -> str:
    """A path that somebody typed (absolute, or seen from here) as one of the project. Raises UsageMistaken."""
    named = os.path.relpath(os.path.abspath(path), folder).replace(os.sep, "/")
    problem = ""
    if not is_inside(named):
        problem, remedy = "does not lie in the project's folder", f"move or link it into {folder}"
    elif any(is_passed_over(part) for part in named.split("/")):
        problem, remedy = "belongs to Headway, Git or a tool", "use a folder of your own"
    elif any("\udc80" <= c <= "\udcff" for c in named):
        problem, remedy = "is not UTF-8", "rename it, or add the folder around it: below a folder any name will do"
    if problem:
        raise UsageMistaken(f"{path} {problem}", at="PATH", remedy=remedy)
    return named


def typed(folder: str, base: str | None, words: Iterable[str]) -> list[str]:
    """Words typed in `base` (default: here): what is a path there, as the project has it; any other as it is."""
    return [_typed(folder, base or "", word) for word in words]


def _typed(folder: str, base: str, word: str) -> str:
    here = os.path.abspath(os.path.join(base, word))
    if not (os.sep in word or os.path.lexists(here)):
        return word
    path = os.path.relpath(here, folder)
    return word if path.startswith("..") or path == "." else path


def wanted(project: Project, path: str, name: str | None = None) -> Wanted:
    """See that a path can be versioned, before anything is done; its dataset's name is the one it has, or made of it.

    Raises FileMissing, UsageMistaken, Conflict (the name or the place is another dataset's, or a step's).
    """
    here = os.path.join(project.folder, path)
    if not os.path.lexists(here):
        raise FileMissing(f"there is no {path}", at="PATH", remedy="name a file or folder, as seen from here")
    return claimed(project, path, name)


def claimed(project: Project, path: str, name: str | None = None) -> Wanted:
    """As `wanted`, for a path at which there may be nothing yet."""
    lock = project.pins.read() or Lock()
    owner = next((n for n, pin in lock.data.items() if pin.artifact.path == path), None)
    if owner is not None and name not in (None, owner):
        raise Conflict(f"{path} is dataset {owner} already", at="--name", remedy="leave --name out")
    chosen = owner or checked_name(name if name is not None else name_of_path(path))
    _see_free(lock, path, chosen)
    other = lock.data.get(chosen)
    is_taken = other is not None and other.artifact.path != path
    if other is not None and is_taken and os.path.lexists(os.path.join(project.folder, other.artifact.path)):
        raise Conflict(
            f"{chosen} is {other.artifact.path} already", at=path, remedy=f"give it another: --name NAME ({path})"
        )
    tracked = git.tracked(project.folder, [path])
    if tracked:
        more = f" and {len(tracked) - 1} more below it" if len(tracked) > 1 else ""
        raise UsageMistaken(
            f"Git tracks {min(tracked)}{more}; one of the two must keep it",
            at=path,
            remedy=f"take it out of Git first, which leaves the file in place: git rm -r --cached -- '{path}'",
        )
    return Wanted(path=path, name=chosen)


def _see_free(lock: Lock, path: str, name: str) -> None:
    for other, (artifact, what) in lock.artifacts().items():
        if what in ("input", f"dataset {name}"):
            continue
        if other == path or is_below(other, path) or is_below(path, other):
            raise Conflict(
                f"{path} overlaps {artifact.path}, which is versioned already: {what}",
                at=path,
                remedy="nothing needs to be done for it; add what lies outside of it by itself",
            )


def add(project: Project, one: Wanted, *, note: str = "", source: str = "") -> Added:
    """Keep what is at the path, record it as a version if it is not one yet, pin it, and let Git pass over it.

    Doing it again does what is left to do. Raises what `keep` and the ports raise, and StoreTrouble.
    """
    artifact = keep(project.blobs, project.folder, one.path, project.stats)
    # No fact may name content that could still be lost.
    project.blobs.sync()
    pinned = project.pins.lock().data.get(one.name)
    asked = Snapshot(dataset=one.name, artifact=artifact, source=source, by=project.by, note=note)
    done = record(project.log, asked, pinned, now=project.now())
    project.log.sync()
    wrote = []
    if pin(project.pins, {one.name: pin_of(done.version)}):
        wrote.append("headway.lock")
    ignored = let_ignore(project.folder, one.path)
    if ignored is not None:
        wrote.append(ignored)
    project.stats.save()
    return Added(version=done.version, is_new=bool(done.facts), wrote=tuple(wrote))


def record(log: Log, asked: Snapshot, pinned: Pin | None, *, now: float) -> Versioned:
    """Append the version that a snapshot is, if it is a new one; against whoever writes at the same time."""
    while True:
        dataset = read(log, asked.dataset)
        decided = dataset.add(asked, pinned)
        try:
            log.append(_stream(asked.dataset), decided.facts, expect=dataset.length, at=now)
        except AppendConflict:
            continue
        return decided


def pin_of(version: DatasetVersioned) -> Pin:
    """What headway.lock says of a version."""
    return Pin(artifact=version.artifact, version=version.version, source=version.source)


def pin(pins: Pins, data: Mapping[str, Pin]) -> bool:
    """Let headway.lock pin these versions; whether it changed.

    What it says of inputs that overlap them goes: of one file there is one truth, and the next run looks again.
    """
    paths = [one.artifact.path for one in data.values()]

    def change(now: Lock) -> Lock:
        inputs = now.inputs
        if inputs is not None:
            inputs = {p: a for p, a in inputs.items() if not any(overlaps(p, path) for path in paths)}
        return msgspec.structs.replace(now, data={**now.data, **data}, inputs=inputs)

    return pins.change(change, again="run the command again")


def forget(project: Project, name: str, number: int, *, why: str = "") -> DatasetForgotten:
    """Let a version go with the next `headway gc`. Raises NameUnknown."""
    while True:
        dataset = known(project.log, name)
        fact = dataset.forget(number, by=project.by, why=why)
        try:
            project.log.append(_stream(name), [fact], expect=dataset.length, at=project.now())
        except AppendConflict:
            continue
        project.log.sync()
        return fact


# --- Git --------------------------------------------------------------------------------------------------------


def let_ignore(folder: str, path: str) -> str | None:
    """Let Git pass over a path from now on: the .gitignore beside it that was written, None when it does already."""
    above, _, name = path.rpartition("/")
    file = f"{above}/.gitignore" if above else ".gitignore"
    line = ignore_line(name)
    before = content(os.path.join(folder, file))
    if line in before.splitlines() or git.is_ignored(folder, path):
        return None
    start = before + b"\n" if before and not before.endswith(b"\n") else before
    rewrite(os.path.join(folder, file), start + line + b"\n", again="run the command again")
    return file


def ignore_line(name: str) -> bytes:
    r"""The line of a .gitignore that means the file or folder of this name beside it, and nothing below.

    >>> ignore_line("a[1].csv"), ignore_line("data")
    (b'/a\\[1].csv', b'/data')
    """
    # No line can hold a line break; `?` stands for any one sign.
    marked = "".join("?" if c in "\n\r" else f"\\{c}" if c in "\\*?[" else c for c in name)
    kept = marked.rstrip(" ")
    return b"/" + os.fsencode(kept + "\\ " * (len(marked) - len(kept)))


# --- paths ------------------------------------------------------------------------------------------------------


def is_below(path: str, folder: str) -> bool:
    """Whether a path lies in a folder.

    >>> is_below("a/b", "a"), is_below("ab", "a"), is_below("a", "a")
    (True, False, False)
    """
    return path.startswith(f"{folder}/")


def overlaps(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies in the other."""
    return one == other or is_below(one, other) or is_below(other, one)


def versions_here(log: Log, look: Callable[[str], Artifact]) -> dict[str, Pin]:
    """Of each dataset the version that lies in the workspace as `look` sees it, if one does."""
    found = {}
    for name, dataset in read_all(log).items():
        if dataset.newest is None:
            continue
        try:
            here = look(dataset.newest.artifact.path)
        except FileMissing:
            continue
        version = dataset.of(here)
        if version is not None:
            found[name] = pin_of(version)
    return found


def _stream(name: str) -> str:
    return f"dataset/{name}"
