"""What a reference to data means, how the workspace differs from what is pinned, and what differs between two sides.

Reads the workspace, the log, the store and Git; changes nothing. `flows/checkout` brings content back.
"""

import os
from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from headway.codec import lock as locks
from headway.codec.lock import Lock
from headway.core.dataset import DatasetRef, Pin, digest_prefix, parse_dataset_ref
from headway.core.ids import Artifact, Digest
from headway.core.tree import Tree, TreeEntry, TreeFile, TreeFolder, TreeLink, apart, difference, encode_tree
from headway.errors import BlobDamaged, BlobMissing, FileFaulty, FileMissing, NameUnknown
from headway.flows import dataset as datasets
from headway.flows import git
from headway.flows.dataset import Project
from headway.flows.digest import content_at, tree_of_folder
from headway.flows.listing import list_folder
from headway.flows.store import tree_in

FORMS = "write NAME, NAME@7, NAME@work, NAME@lock, NAME@COMMIT, 8 digits of a digest, a COMMIT, or a pinned path"


class Side(Struct, frozen=True, kw_only=True):
    """Content that somebody named: one artifact, or all that a lock pins, by path.

    `is_work` means what lies in the workspace now; `dataset` is set where one dataset was named.
    """

    label: str
    artifacts: Mapping[str, Artifact] = {}
    is_whole: bool = False
    is_work: bool = False
    dataset: str = ""
    pin: Pin | None = None


class State(Struct, frozen=True, kw_only=True):
    """How a pinned path stands: what the workspace holds, whether the store has what is pinned, and what differs.

    Counts are of files, links and empty folders; None when the store cannot tell what was there.
    """

    path: str
    what: str
    state: Literal["unchanged", "changed", "missing"]
    is_stored: bool
    pinned: Artifact
    version: int = 0
    n_added: int | None = 0
    n_removed: int | None = 0
    n_changed: int | None = 0


class FileChange(Struct, frozen=True, kw_only=True):
    """One file that differs; a size is None on the side that does not have it."""

    path: str
    change: Literal["added", "removed", "changed"]
    before_bytes: int | None = None
    after_bytes: int | None = None


class Difference(Struct, frozen=True, kw_only=True):
    """A path that differs between two sides, and in which files."""

    path: str
    before: Artifact | None
    after: Artifact | None
    files: tuple[FileChange, ...]


# --- the workspace ----------------------------------------------------------------------------------------------


def states(project: Project, lock: Lock) -> list[State]:
    """How each path that a lock pins stands, in order. Reads what changed, and no more."""
    pinned = lock.artifacts()
    stored = project.blobs.has([artifact.digest for artifact, _ in pinned.values()])
    found = []
    for path, (artifact, what) in sorted(pinned.items()):
        name = what.removeprefix("dataset ")
        version = lock.data[name].version if what.startswith("dataset ") else 0
        state = State(
            path=path,
            what=what,
            state="unchanged",
            is_stored=artifact.digest in stored,
            pinned=artifact,
            version=version,
        )
        now = _held(project, path)
        if now is None:
            state = msgspec.structs.replace(state, state="missing")
        elif not is_same(now.artifact, artifact):
            counts = _counts(project, _Held(artifact), now)
            state = msgspec.structs.replace(state, state="changed", **counts)
        found.append(state)
    return found


def here(project: Project, path: str) -> Artifact | None:
    """What the workspace holds at a path; None when there is nothing. Raises OutputUnreadable."""
    found = _held(project, path)
    return None if found is None else found.artifact


class _Held(Struct, frozen=True):
    """One side of a comparison: an artifact of the store, or what lies in the workspace with the tree just read."""

    artifact: Artifact
    tree: Tree | None = None
    is_work: bool = False


def _held(project: Project, path: str) -> _Held | None:
    try:
        return _Held(*content_at(project.folder, path, project.stats), is_work=True)
    except FileMissing:
        return None


def is_same(one: Artifact, other: Artifact) -> bool:
    """Whether two artifacts are the same content, wherever it lies."""
    return (one.digest, one.kind, one.executable) == (other.digest, other.kind, other.executable)


def _counts(project: Project, pinned: _Held, now: _Held) -> dict[str, int | None]:
    try:
        diff = difference(*_apart(project, pinned, now))
    except (BlobMissing, BlobDamaged):
        return {"n_added": None, "n_removed": None, "n_changed": None}
    return {"n_added": len(diff.added), "n_removed": len(diff.removed), "n_changed": len(diff.changed)}


def tree(project: Project, artifact: Artifact, *, is_work: bool = False) -> Tree:
    """What is in an artifact: a folder's tree; for a file, a tree of that one, whose path is empty.

    Raises BlobMissing and BlobDamaged, or for the workspace what `digest_path` raises.
    """
    if artifact.kind == "file":
        return Tree((TreeFile("", artifact.digest, artifact.size_bytes, artifact.executable),))
    if not is_work:
        return tree_in(project.blobs, artifact.digest)
    place = os.path.join(project.folder, artifact.path)
    return tree_of_folder(project.folder, artifact.path, list_folder(place), project.stats)


def _apart(project: Project, before: _Held | None, after: _Held | None) -> tuple[Tree, Tree]:
    """What only one of two sides has. Raises as `tree`."""
    if before is not None and after is not None and before.artifact.kind == after.artifact.kind == "tree":
        return apart(_bytes(project, before), _bytes(project, after))
    one, other = (Tree() if side is None else _tree(project, side) for side in (before, after))
    return one, other


def _tree(project: Project, side: _Held) -> Tree:
    return side.tree if side.tree is not None else tree(project, side.artifact, is_work=side.is_work)


def _bytes(project: Project, side: _Held) -> bytes:
    return encode_tree(_tree(project, side)) if side.is_work else project.blobs.get(side.artifact.digest)


# --- references -------------------------------------------------------------------------------------------------


def resolve(project: Project, text: str) -> Side:
    """What a reference means. Raises NameUnknown, and FileFaulty for a lock that cannot be read."""
    lock = project.pins.read() or Lock()
    ref = parse_dataset_ref(text)
    if ref is not None and (ref.name in lock.data or datasets.read(project.log, ref.name).newest is not None):
        return _of_dataset(project, lock, ref)
    if text in ("work", "lock"):
        return whole(lock, text)
    path = os.path.normpath(text)
    pinned = lock.artifacts().get(path)
    if pinned is not None:
        return Side(label=path, artifacts={path: pinned[0]})
    prefix = digest_prefix(text)
    if prefix is not None and (side := _of_digest(project, lock, prefix)) is not None:
        return side
    if git.commit(project.folder, text) is not None:
        return whole(lock_at(project, text), text)
    raise NameUnknown(f"{text!r} names no dataset, version, commit or pinned path", at=text, remedy=FORMS)


def whole(lock: Lock, label: str) -> Side:
    """All that a lock pins; with the label `work`, what lies at its paths in the workspace."""
    artifacts = {path: artifact for path, (artifact, _) in lock.artifacts().items()}
    return Side(label=label, artifacts=artifacts, is_whole=True, is_work=label == "work")


def lock_at(project: Project, commit: str) -> Lock:
    """headway.lock as a commit has it. Raises NameUnknown when there is no such commit, or none in it; FileFaulty."""
    data = git.file_at(project.folder, commit, locks.FILE)
    if data is None:
        raise NameUnknown(
            f"there is no headway.lock in {commit}",
            at=commit,
            remedy="name a commit after the first `headway data add`",
        )
    return locks.parse(data)


def commits_that_pin(project: Project) -> dict[str, list[str]]:
    """By digest: the branches and tags, and the commits of late, whose headway.lock pins it as a dataset."""
    found: dict[str, list[str]] = {}
    for held in git.held(project.folder, locks.FILE):
        try:
            lock = locks.parse(held.data)
        except FileFaulty:
            continue
        names = [ref.removeprefix("refs/heads/").removeprefix("refs/") for ref in held.refs if ref.startswith("refs/")]
        for pin in lock.data.values():
            found.setdefault(pin.artifact.digest, []).extend((*names, *(commit[:12] for commit in held.commits)))
    return found


def _of_dataset(project: Project, lock: Lock, ref: DatasetRef) -> Side:
    dataset = datasets.read(project.log, ref.name)
    pin = lock.data.get(ref.name)
    match ref.kind:
        case "newest" if dataset.newest is not None:
            pin = datasets.pin_of(dataset.newest)
        case "version" if pin is None or pin.version != ref.version or dataset.newest is not None:
            pin = datasets.pin_of(dataset.version(ref.version or 0))
        case "commit":
            pin = lock_at(project, ref.at).data.get(ref.name)
        case "work":
            known = pin or (datasets.pin_of(dataset.newest) if dataset.newest is not None else None)
            now = here(project, known.artifact.path) if known is not None else None
            pin = Pin(artifact=now) if now is not None else None
        case _:
            pass
    if pin is None:
        raise NameUnknown(f"there is no {ref}", at=str(ref), remedy=f"`headway data log {ref.name}` lists its versions")
    artifacts = {pin.artifact.path: pin.artifact}
    return Side(label=str(ref), artifacts=artifacts, is_work=ref.kind == "work", dataset=ref.name, pin=pin)


def _of_digest(project: Project, lock: Lock, prefix: str) -> Side | None:
    found: dict[Digest, Side] = {}
    for name, dataset in datasets.read_all(project.log).items():
        for version in dataset.versions:
            if version.artifact.digest.startswith(prefix):
                label, artifacts = f"{name}@{version.version}", {version.artifact.path: version.artifact}
                pin = datasets.pin_of(version)
                found[version.artifact.digest] = Side(label=label, artifacts=artifacts, dataset=name, pin=pin)
    for path, (artifact, _) in lock.artifacts().items():
        if artifact.digest.startswith(prefix):
            found.setdefault(artifact.digest, Side(label=path, artifacts={path: artifact}))
    if len(found) > 1:
        raise NameUnknown(f"{len(found)} digests begin with {prefix}", at=prefix, remedy="give more digits of it")
    return next(iter(found.values()), None)


# --- differences ------------------------------------------------------------------------------------------------


def compare(project: Project, before: Side, after: Side) -> list[Difference]:
    """What differs from one side to the other, path by path. Raises BlobMissing when the store cannot tell."""
    one, other = dict(before.artifacts), dict(after.artifacts)
    if not before.is_whole and not after.is_whole:
        # Two versions of a dataset, also when it has moved.
        (path_before,), (path_after,) = one, other
        one = {path_after: one[path_before]}
    elif not (before.is_whole and after.is_whole):
        kept = one if after.is_whole else other
        one, other = ({p: a for p, a in side.items() if p in kept} for side in (one, other))
    found = []
    for path in sorted({*one, *other}):
        was = _side(project, path, one.get(path), is_work=before.is_work)
        now = _side(project, path, other.get(path), is_work=after.is_work)
        old, new = was.artifact if was is not None else None, now.artifact if now is not None else None
        if (old is not None and new is not None and is_same(old, new)) or (old is None and new is None):
            continue
        files = _files(*_apart(project, was, now))
        found.append(Difference(path=path, before=old, after=new, files=files))
    return found


def _side(project: Project, path: str, artifact: Artifact | None, *, is_work: bool) -> _Held | None:
    if is_work:
        return _held(project, path)
    return None if artifact is None else _Held(artifact)


def _files(before: Tree, after: Tree) -> tuple[FileChange, ...]:
    diff = difference(before, after)
    old = {entry.path: entry for entry in before.entries}
    changes = [FileChange(path=e.path, change="added", after_bytes=_size(e)) for e in diff.added]
    changes += [FileChange(path=e.path, change="removed", before_bytes=_size(e)) for e in diff.removed]
    changes += [
        FileChange(path=e.path, change="changed", before_bytes=_size(old[e.path]), after_bytes=_size(e))
        for e in diff.changed
    ]
    return tuple(sorted(changes, key=lambda one: one.path))


def _size(entry: TreeEntry) -> int:
    match entry:
        case TreeFile():
            return entry.size_bytes
        case TreeLink() | TreeFolder():
            return 0


def joined(path: str, below: str) -> str:
    """A path of the project from an artifact's and one in it; a file has nothing in it."""
    return f"{path}/{below}" if below else path


def unheld(project: Project, now: Tree, wanted: Tree, *, is_listed: bool) -> list[str]:
    """What `wanted` in the place of `now` would destroy although the store does not have it.

    With `is_listed` the store has the list of what is there now, links and all.
    """
    diff = difference(now, wanted)
    old = {entry.path: entry for entry in now.entries}
    lost = [*diff.removed, *(old[entry.path] for entry in diff.changed)]
    files = {entry.path: entry.digest for entry in lost if isinstance(entry, TreeFile)}
    held = project.blobs.has(list(files.values()))
    links = [entry.path for entry in lost if isinstance(entry, TreeLink) and not is_listed]
    return [*(path for path, digest in files.items() if digest not in held), *links]
