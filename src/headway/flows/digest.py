"""What is in a file or folder of the workspace, by digest, without reading again what did not change.

Neighbours: `core/tree` is a folder's content as a value; `flows/store` puts it into the store and back. Knows no store.
"""

import os
import stat
import time
from collections.abc import Callable

import msgspec
from blake3 import blake3
from msgspec import Struct

from headway.core.ids import Artifact, Digest
from headway.core.tree import Tree, TreeEntry, TreeFile, TreeFolder, TreeLink, digest_of_tree, tree_of
from headway.errors import FileMissing, OutputUnreadable

PASSED_OVER = frozenset({"__pycache__", ".git", ".headway", ".ipynb_checkpoints", ".DS_Store"})
"""Names in a folder that are no part of its content: tools write them beside it while a step merely reads."""

RACY_NS = 50_000_000
"""A file that was changed less than this before it was read may be changed again with the same time: clocks of file
systems tick every 1 to 10 ms, and some round."""

_ATTEMPTS = 3
_BLOCK = 1 << 20
_LARGE = 1 << 24


Read = Callable[[str, os.stat_result], tuple[Digest, os.stat_result]]
"""Gives digest and status of the file at a path, given the status it had when it was found."""


class _Known(Struct, array_like=True, gc=False):
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    digest: Digest


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[dict[bytes, _Known]] = msgspec.msgpack.Decoder(dict[bytes, _Known])
_HEAD = b"headway-stat 1\n"


class StatCache:
    """Digests of files by path, as long as size, times and inode are the same. Losing it costs time only."""

    __slots__ = ("_changed", "_file", "_known", "_used")

    def __init__(self, file: str | None = None) -> None:
        self._file = file
        self._known: dict[bytes, _Known] = {}
        self._used: set[bytes] = set()
        self._changed = False

    @classmethod
    def load(cls, file: str) -> "StatCache":
        """What `save` wrote to `file`; empty when there is none or it is damaged."""
        cache = cls(file)
        try:
            with open(file, "rb") as f:
                data = f.read()
        except OSError:
            return cache
        start = len(_HEAD) + 32
        # A flipped bit in a digest would make a changed file look unchanged: hence the hash.
        if data.startswith(_HEAD) and blake3(data[start:]).digest() == data[len(_HEAD) : start]:
            try:
                cache._known = _decoder.decode(data[start:])
            except msgspec.MsgspecError:
                return cache
        return cache

    def save(self) -> None:
        """Write it for the next process, atomically. Does nothing when there is nothing new, or no room."""
        if not self._changed or self._file is None:
            return
        if len(self._known) > 2 * len(self._used) + 1000:
            # Most of it is about files that nobody asks for any more.
            self._known = {path: known for path, known in self._known.items() if path in self._used}
        body = _encoder.encode(self._known)
        fresh = f"{self._file}.{os.getpid()}.new"
        try:
            os.makedirs(os.path.dirname(self._file), exist_ok=True)
            with open(fresh, "wb") as f:
                f.write(_HEAD + blake3(body).digest() + body)
            os.replace(fresh, self._file)
        except OSError:
            _remove(fresh)
            return
        self._changed = False

    def get(self, path: str, status: os.stat_result) -> Digest | None:
        """The digest of the file at `path` (relative to the project) if it is still as it was when it was read."""
        key = os.fsencode(path)
        known = self._known.get(key)
        if (
            known is None
            or known.mtime_ns != status.st_mtime_ns
            or known.size != status.st_size
            or known.ctime_ns != status.st_ctime_ns
            or known.inode != status.st_ino
        ):
            return None
        self._used.add(key)
        return known.digest

    def put(self, path: str, status: os.stat_result, digest: Digest, *, read_ns: int) -> None:
        """Remember a file that was read from `read_ns` (UTC nanoseconds) on and had this status before and after.

        Not if it was changed shortly before: then the next change might show in nothing that is looked at.
        """
        key = os.fsencode(path)
        if read_ns - max(status.st_mtime_ns, status.st_ctime_ns) < RACY_NS:
            self._changed = self._known.pop(key, None) is not None or self._changed
            return
        self._known[key] = _Known(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, digest)
        self._used.add(key)
        self._changed = True


class Listing:
    """What a folder holds, not yet read: `files` and `links` by relative path, `folders` and whether they are empty.

    `others` are sockets, pipes and devices.
    """

    __slots__ = ("files", "folders", "links", "others")

    def __init__(self) -> None:
        self.files: dict[str, os.stat_result] = {}
        self.links: dict[str, str] = {}
        self.folders: dict[str, bool] = {}
        self.others: list[str] = []


def digest_path(root: str, path: str, cache: StatCache) -> Artifact:
    """The file or folder at `path`, relative to the folder `root`, by its digest.

    Raises FileMissing when there is nothing, OutputUnreadable when it cannot be read, keeps changing, or holds
    something that is neither file, folder nor link.
    """
    name, here, status = locate(root, path)
    read = reader(root, cache)
    if stat.S_ISREG(status.st_mode):
        return file_artifact(name, *read(name, status))
    return tree_artifact(name, tree_here(name, list_folder(here), read))


def reader(root: str, cache: StatCache) -> Read:
    """Gives the digest of a file by its path below `root`, read only if `cache` does not know it."""

    def read(path: str, status: os.stat_result) -> tuple[Digest, os.stat_result]:
        digest = cache.get(path, status)
        if digest is not None:
            return digest, status
        return read_settled(root, path, status, cache, _hash)

    return read


def locate(root: str, path: str) -> tuple[str, str, os.stat_result]:
    """A path as artifacts have it, where that is, and its status: a file's or a folder's. Follows links.

    Raises FileMissing when there is nothing, OutputUnreadable when it is something else or hidden.
    """
    name = os.path.normpath(path)
    here = os.path.join(root, name)
    try:
        status = os.stat(here)
    except (FileNotFoundError, NotADirectoryError) as e:
        raise FileMissing(f"{path} is not there", at=here, remedy="make it, or mend the path") from e
    except OSError as e:
        raise unreadable(path, e) from e
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise _not_content(path)
    return name, here, status


def file_artifact(name: str, digest: Digest, status: os.stat_result) -> Artifact:
    """A file as an artifact."""
    executable = bool(status.st_mode & 0o100)
    return Artifact(path=name, digest=digest, size_bytes=status.st_size, executable=executable)


def tree_artifact(name: str, tree: Tree) -> Artifact:
    """A folder as an artifact."""
    files = tree.files
    return Artifact(
        path=name,
        digest=digest_of_tree(tree),
        kind="tree",
        size_bytes=sum(file.size_bytes for file in files),
        n_files=len(files),
    )


def tree_here(name: str, listing: Listing, read: Read) -> Tree:
    """A folder's tree; `read` is given each file's path in the project and its status."""
    if listing.others:
        raise _not_content(f"{name}/{listing.others[0]}")
    entries: list[TreeEntry] = [TreeLink(path, target) for path, target in listing.links.items()]
    entries += [TreeFolder(path) for path, empty in listing.folders.items() if empty]
    for path, status in listing.files.items():
        digest, after = read(f"{name}/{path}", status)
        entries.append(TreeFile(path, digest, after.st_size, bool(after.st_mode & 0o100)))
    return tree_of(entries)


def read_settled(
    root: str, key: str, status: os.stat_result, cache: StatCache, read: Callable[[str], Digest]
) -> tuple[Digest, os.stat_result]:
    """What `read` gives for a file that did not change meanwhile, with its status; remembered in `cache`."""
    path = os.path.join(root, key)
    try:
        for _ in range(_ATTEMPTS):
            read_ns = time.time_ns()
            digest = read(path)
            after = os.stat(path)
            if _same(status, after):
                cache.put(key, after, digest, read_ns=read_ns)
                return digest, after
            status = after
    except OSError as e:
        raise unreadable(key, e) from e
    raise OutputUnreadable(
        f"{key} keeps changing while it is read", at=path, remedy="end what still writes to it, then run again"
    )


def list_folder(folder: str, *, follow: bool = True) -> Listing:
    """What is in a folder and below.

    With `follow`, a link that leads out of the folder counts as what it points to: its content would otherwise be in
    no digest, and a change of it would go unseen. Links that stay inside are links. Raises OutputUnreadable.
    """
    listing = Listing()
    try:
        _list(listing, folder, "", _Outside(folder) if follow else None)
    except OSError as e:
        raise unreadable(folder, e) from e
    return listing


class _Outside:
    """Tells where links of a folder lead; `inside` holds the folders one must not come back to."""

    __slots__ = ("inside",)

    def __init__(self, folder: str) -> None:
        self.inside: tuple[str, ...] = (os.path.realpath(folder),)

    def target(self, path: str) -> str | None:
        """Where the link leads, if that is out of the folder and there is something."""
        real = os.path.realpath(path)
        if any(f"{real}/".startswith(f"{top}/") for top in self.inside) or not os.path.exists(real):
            return None
        return real


def is_passed_over(name: str) -> bool:
    """Whether something of this name is no part of a folder's content; nor is what a killed restore left of itself."""
    return name in PASSED_OVER or (name.startswith(".headway-") and name.endswith(".tmp"))


def _list(listing: Listing, folder: str, prefix: str, outside: _Outside | None) -> bool:
    """Add what is in `folder`; whether that is nothing."""
    below = []
    empty = True
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if is_passed_over(name):
                continue
            empty = False
            path = prefix + name
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                target = None if outside is None else outside.target(entry.path)
                if target is None:
                    listing.links[path] = os.readlink(entry.path)
                    continue
                status = os.stat(target)
            if stat.S_ISREG(status.st_mode):
                listing.files[path] = status
            elif stat.S_ISDIR(status.st_mode):
                below.append((path, entry.path))
            else:
                listing.others.append(path)
    for path, place in below:
        listing.folders[path] = _below(listing, place, path, outside)
    return empty


def _below(listing: Listing, folder: str, path: str, outside: _Outside | None) -> bool:
    if outside is None or not os.path.islink(folder):
        return _list(listing, folder, path + "/", outside)
    real = os.path.realpath(folder)
    if any(f"{top}/".startswith(f"{real}/") for top in outside.inside):
        raise OutputUnreadable(
            f"{path} is a link to a folder that holds it", at=folder, remedy="remove the link, or name a folder below"
        )
    before, outside.inside = outside.inside, (*outside.inside, real)
    empty = _list(listing, folder, path + "/", outside)
    outside.inside = before
    return empty


def _hash(path: str) -> Digest:
    # Not `update_mmap`: a file cut short by somebody else would end this process with SIGBUS.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        hasher = blake3(max_threads=blake3.AUTO if size >= _LARGE else 1)
        while block := os.read(fd, _LARGE if size >= _LARGE else min(size + 1, _BLOCK)):
            hasher.update(block)
        return Digest(hasher.hexdigest())
    finally:
        os.close(fd)


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino) == (
        other.st_size,
        other.st_mtime_ns,
        other.st_ctime_ns,
        other.st_ino,
    )


def _not_content(path: str) -> OutputUnreadable:
    return OutputUnreadable(
        f"{path} is a pipe, a socket or a device",
        at=path,
        remedy="only files, folders and links can be read and kept; let the step put it elsewhere",
    )


def unreadable(path: str, e: OSError) -> OutputUnreadable:
    """The error for a path that the system does not let be read."""
    return OutputUnreadable(
        f"{path} cannot be read: {e.strerror}", at=e.filename or path, remedy="see that it may be read"
    )


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
