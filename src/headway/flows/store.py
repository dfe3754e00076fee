"""Files and folders of the workspace into the store of blobs, and back.

A file is one blob. A folder is a tree (see `core/tree`) kept as a blob, and a blob for each file. What is in the
workspace is read by `flows/digest`. Nothing is deleted from the store here: see `flows/gc`.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec
from blake3 import blake3

from headway.codec.chunks import MAX_BYTES
from headway.core.ids import Artifact, Digest
from headway.core.tree import (
    PASSED_OVER,
    Tree,
    TreeEntry,
    TreeFile,
    TreeFolder,
    TreeLink,
    decode_tree,
    difference,
    encode_tree,
    is_inside,
)
from headway.errors import BlobDamaged, BlobMissing, DiskFull, OutputUnreadable
from headway.flows.digest import (
    digest_path,
    file_artifact,
    locate,
    named,
    read_settled,
    remember,
    remembered,
    tree_here,
    tree_of_folder,
)
from headway.flows.listing import Listing, Look, is_passed_over, list_folder, look_of, seen, unreadable
from headway.flows.statcache import RACY_NS, StatCache
from headway.ports import Blobs

_MANY = 64
"""Entries from which a folder that was made is remembered: fewer are read again in no time."""

_YOUNG_S = 600
"""What was stored so lately is left alone by `gc`, whose grace is longer, until a fact or a lock names it."""

__all__ = ["StatCache", "digest_path", "keep", "missing", "present", "restore", "tree_in"]


def keep(blobs: Blobs, root: str, path: str, cache: StatCache) -> Artifact:
    """Put the file or folder at `path`, relative to `root`, into the store; the artifact that names it.

    Only what is not there yet is written. Durable after `blobs.sync()`. Raises FileMissing, OutputUnreadable (see
    `digest_path`), DiskFull.
    """
    name, here, status = locate(root, path)
    if stat.S_ISREG(status.st_mode):
        look = look_of(status)
        digest = cache.get(name, look)
        if digest is None or not _renewed(blobs)([digest]):
            digest, look = read_settled(root, name, look, cache, lambda path: blobs.put_file(path)[0])
        return file_artifact(name, digest, look)
    listing = list_folder(here)
    known = remembered(name, listing, cache)
    if known is not None and not missing(blobs, [known], ask=_renewed(blobs)):
        return known
    return named(name, _store_folder(blobs, root, name, listing, cache), listing, cache)


def _store_folder(blobs: Blobs, root: str, name: str, listing: Listing, cache: StatCache) -> Tree:
    known = cache.get_all(name, listing.files)
    if known:
        there = _renewed(blobs)(list(set(known.values())))
        known = {path: digest for path, digest in known.items() if digest in there}
    with blobs.batch() as batch:

        def read(key: str, look: Look) -> tuple[Digest, Look]:
            size = seen(look)[1]
            if size <= MAX_BYTES:
                began = time.time_ns()
                data, after = _small(f"{root}/{key}", size)
                if look == after and len(data) == size:
                    digest = batch.put(data)
                    cache.put(key, after, digest, read_ns=began)
                    return digest, after
            return read_settled(root, key, look, cache, lambda path: batch.put_file(path)[0])

        tree = tree_here(name, listing, known, read)
        batch.put(encode_tree(tree))
    return tree


def restore(blobs: Blobs, artifact: Artifact, root: str, cache: StatCache) -> int:
    """Make `artifact.path` below `root` hold what the artifact names; how many entries had to be changed for that.

    Each file is replaced atomically, and only if it differs. A folder loses what does not belong into it; links in
    it are never followed. Nothing is touched when the store lacks a part. Calling again goes on where it stopped.
    Raises BlobMissing, BlobDamaged, DiskFull, and OutputUnreadable when the path leaves `root`, would replace the
    project itself, or something that is not ours stands in its place.
    """
    path = _safe(artifact.path)
    here = os.path.join(root, path)
    with _translated(path):
        if artifact.kind == "file":
            return _restore_file(blobs, artifact, root, cache)
        tree = tree_in(blobs, artifact.digest)
        _see_hidden(tree)
        if os.path.islink(here):
            raise OutputUnreadable(
                f"{path} is a link, and what it leads to may hold more than this project's files",
                at=here,
                remedy="remove the link, or name the folder it leads to",
            )
        if not os.path.lexists(here):
            return _build(blobs, tree, artifact, root, cache)
        _need(blobs, tree)
        os.makedirs(here, exist_ok=True)
        listing = list_folder(here, follow=False)
        others, listing.others = listing.others, []
        now = tree_of_folder(root, path, listing, cache)
        for other in others:
            os.unlink(os.path.join(here, other))
        return len(others) + _Folder(blobs, here, listing).become(tree, now)


def materialize(blobs: Blobs, artifact: Artifact, path: str) -> None:
    """Write an artifact's content to `path` (absolute), replacing what is there. Raises as `restore`."""
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    restore(blobs, msgspec.structs.replace(artifact, path=name), folder, StatCache())


def present(blobs: Blobs, artifact: Artifact) -> bool:
    """Whether the store holds all of an artifact."""
    return not missing(blobs, [artifact])


def missing(
    blobs: Blobs, artifacts: Iterable[Artifact], *, ask: Callable[[Sequence[Digest]], set[Digest]] | None = None
) -> set[Digest]:
    """The digests of those artifacts of which the store lacks something, be it one file of a folder.

    `ask` says what is there; by default the store's `has`.
    """
    ask = ask or blobs.has
    wanted = {artifact.digest: artifact.kind for artifact in artifacts}
    gone = set(wanted) - ask(list(wanted))
    parts: dict[Digest, set[Digest]] = {}
    for digest, kind in wanted.items():
        if kind == "tree" and digest not in gone:
            try:
                parts[digest] = {file.digest for file in tree_in(blobs, digest).files}
            except (BlobMissing, BlobDamaged):
                gone.add(digest)
    if parts:
        there = ask(list(set().union(*parts.values())))
        gone |= {digest for digest, needed in parts.items() if not needed <= there}
    return gone


def _renewed(blobs: Blobs) -> Callable[[Sequence[Digest]], set[Digest]]:
    """Says what is there and lets it live: what was stored long ago, and nobody needed, `gc` might take just now."""
    return lambda digests: blobs.renew(digests, before=time.time() - _YOUNG_S)


def tree_in(blobs: Blobs, digest: Digest) -> Tree:
    """The tree that is kept under a digest. Raises BlobMissing, BlobDamaged (also when the blob is no tree)."""
    return decode_tree(blobs.get(digest))


def _small(path: str, size: int) -> tuple[bytes, Look]:
    """The content of a file that is expected to have `size` bytes, and its look after that was read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, size + 1), look_of(os.fstat(fd))
        finally:
            os.close(fd)
    except OSError as e:
        raise unreadable(path, e) from e


def _build(blobs: Blobs, tree: Tree, artifact: Artifact, root: str, cache: StatCache) -> int:
    """Make a folder that is not there: out of sight, then moved into its place as a whole, and remembered.

    What a killed one left is used: its files are looked at, since the last may be half written.
    """
    here = os.path.join(root, artifact.path)
    parent = os.path.dirname(here)
    fresh = os.path.join(parent, f".headway-{blake3(os.fsencode(artifact.path)).hexdigest()[:16]}.tmp")
    if os.path.isdir(fresh):
        _remove_halves(fresh)
    os.makedirs(fresh, exist_ok=True)
    listing = list_folder(fresh, follow=False)
    now = tree_of_folder(parent, os.path.basename(fresh), listing, StatCache())
    try:
        _Folder(blobs, fresh, listing, is_new=True).become(tree, now)
    except BlobMissing:
        _need(blobs, tree)
        raise
    if len(tree.entries) >= _MANY:
        # Looked at once more while nobody else can have changed it: or all of it would be read again next time.
        time.sleep(1.2 * RACY_NS / 1e9)
        remember(artifact, tree, list_folder(fresh, follow=False), cache)
    os.rename(fresh, here)
    return len(tree.entries)


def _remove_halves(folder: str) -> None:
    """Remove the files that a store was writing for a restore that was killed."""
    for at, _, names in os.walk(folder):
        for name in names:
            if name.startswith(".headway-") and is_passed_over(name):
                os.unlink(os.path.join(at, name))


def _restore_file(blobs: Blobs, artifact: Artifact, root: str, cache: StatCache) -> int:
    here = os.path.join(root, artifact.path)
    try:
        status = os.lstat(here)
    except (FileNotFoundError, NotADirectoryError):
        os.makedirs(os.path.dirname(here), exist_ok=True)
    else:
        if stat.S_ISDIR(status.st_mode):
            # Only an empty folder gives way: what else is in it, nobody has a copy of.
            os.rmdir(here)
        elif stat.S_ISREG(status.st_mode):
            now = digest_path(root, artifact.path, cache)
            if now.digest == artifact.digest:
                if now.executable == artifact.executable:
                    return 0
                _set_executable(here, artifact.executable)
                return 1
    blobs.fetch(artifact.digest, here, executable=artifact.executable)
    return 1


class _Folder:
    """A folder of the workspace that is made to hold a tree; `listing` is what is in it now."""

    __slots__ = ("_blobs", "_here", "_is_new", "_listing")

    def __init__(self, blobs: Blobs, here: str, listing: Listing, *, is_new: bool = False) -> None:
        self._is_new = is_new
        self._blobs = blobs
        self._here = here
        self._listing = listing

    def become(self, tree: Tree, now: Tree) -> int:
        """Remove what does not belong, then write what differs from `now`; how many entries that were."""
        todo = difference(now, tree)
        if not todo:
            return 0
        old = {entry.path: entry for entry in now.entries}
        for entry in todo.removed:
            if not isinstance(entry, TreeFolder):
                os.unlink(self._at(entry.path))
        self._remove_folders(tree)
        for entry in todo.changed:
            self._write(entry, old.get(entry.path))
        self._add(todo.added)
        return len(todo.added) + len(todo.removed) + len(todo.changed)

    def _add(self, entries: Sequence[TreeEntry]) -> None:
        """Write what is not there yet. In a folder that is being built, files need not be moved into place each."""
        made = set()
        alone, together = [], []
        prefix = self._here + "/"
        for entry in entries:
            above = entry.path.rpartition("/")[0]
            if above not in made:
                made.add(above)
                os.makedirs(self._at(above), exist_ok=True)
            if self._is_new and isinstance(entry, TreeFile):
                together.append((entry.digest, prefix + entry.path, entry.executable))
            else:
                alone.append(entry)
        self._blobs.fetch_all(together)
        for entry in alone:
            self._write(entry, None)

    def _remove_folders(self, tree: Tree) -> None:
        wanted = {entry.path for entry in tree.entries if isinstance(entry, TreeFolder)}
        for entry in tree.entries:
            above = entry.path.rpartition("/")[0]
            while above and above not in wanted:
                wanted.add(above)
                above = above.rpartition("/")[0]
        # Deepest first: a folder's path is a prefix of those of what is in it.
        for path in sorted(set(self._listing.folders) - wanted, reverse=True):
            self._remove_folder(self._at(path))

    def _remove_folder(self, folder: str) -> None:
        """Remove a folder in which there is nothing but what the listing passed over."""
        from shutil import rmtree

        for name in os.listdir(folder):
            if is_passed_over(name):
                with suppress(NotADirectoryError):
                    rmtree(os.path.join(folder, name))
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(folder, name))
        os.rmdir(folder)

    def _write(self, entry: TreeEntry, old: TreeEntry | None) -> None:
        place = self._at(entry.path)
        if old is None:
            os.makedirs(os.path.dirname(place), exist_ok=True)
        elif isinstance(entry, TreeFolder):
            os.unlink(place)
        match entry:
            case TreeFile():
                if isinstance(old, TreeFile) and old.digest == entry.digest:
                    _set_executable(place, entry.executable)
                else:
                    self._blobs.fetch(entry.digest, place, executable=entry.executable)
            case TreeLink():
                fresh = f"{place}.{os.getpid()}.new"
                os.symlink(entry.target, fresh)
                os.replace(fresh, place)
            case TreeFolder():
                os.makedirs(place, exist_ok=True)

    def _at(self, path: str) -> str:
        return os.path.join(self._here, path)


def _safe(path: str) -> str:
    """The path, if it is one a step may write to."""
    if is_inside(path) and not _is_hidden(path):
        return path
    raise OutputUnreadable(
        f"{path!r} is not a place in the project that can be restored",
        at=path,
        remedy="let `out` name a file or folder below the project's own",
    )


def _is_hidden(path: str) -> bool:
    return any(is_passed_over(name) for name in path.split("/"))


def _see_hidden(tree: Tree) -> None:
    """See, before anything is touched, that nothing in a tree hides from `list_folder`."""
    # All paths as one text: looked at one by one, which takes fifty times as long, only if that finds something.
    names = "/".join([entry.path for entry in tree.entries])
    if not any(f"/{name}/" in f"/{names}/" for name in PASSED_OVER) and "/.headway-" not in f"/{names}":
        return
    for entry in tree.entries:
        if _is_hidden(entry.path):
            raise BlobDamaged(
                f"the list of a folder's content names {entry.path}, which is never kept",
                at="store: tree",
                remedy="do not trust where it came from; run the step that made the folder again",
            )


def _need(blobs: Blobs, tree: Tree) -> None:
    """See that all of a tree can be had."""
    wanted = {file.digest for file in tree.files}
    gone = wanted - blobs.has(list(wanted))
    if gone:
        path = next(file.path for file in tree.files if file.digest in gone)
        raise BlobMissing(
            f"{len(gone)} of {len(wanted)} files of the folder are not in the store, {path} among them",
            at="store",
            remedy="run the step that made it again, or bring the store back from a copy",
        )


def _set_executable(path: str, executable: bool) -> None:  # noqa: FBT001 (a file's own property)
    mode = stat.S_IMODE(os.stat(path).st_mode)
    # Whoever may read a program may run it, as with a new file.
    os.chmod(path, mode | (mode & 0o444) >> 2 if executable else mode & ~0o111)


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("no space is left", at=path, remedy="free some, then run again") from e
        raise OutputUnreadable(
            f"{path} cannot be put in place: {e.strerror}",
            at=e.filename or path,
            remedy="move away what stands there, and see that its folder can be written to",
        ) from e
