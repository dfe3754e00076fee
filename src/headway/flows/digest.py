"""What is in a file or folder of the workspace, by digest, without reading again what did not change.

Neighbours: `core/tree` is a folder's content as a value; `flows/store` puts it into the store and back. Knows no store.
"""

import os
import stat
import time
from collections.abc import Callable

from blake3 import blake3

from headway.core.ids import Artifact, Digest
from headway.core.tree import Tree, TreeEntry, TreeFile, TreeFolder, TreeLink, digest_of_tree, tree_of
from headway.errors import FileMissing, OutputUnreadable
from headway.flows.listing import Listing, list_folder, mark_of, unreadable
from headway.flows.statcache import StatCache

_ATTEMPTS = 3
_BLOCK = 1 << 20
_LARGE = 1 << 24

Read = Callable[[str, os.stat_result], tuple[Digest, os.stat_result]]
"""Gives digest and status of the file at a path, given the status it had when it was found."""


def digest_path(root: str, path: str, cache: StatCache) -> Artifact:
    """The file or folder at `path`, relative to the folder `root`, by its digest.

    Raises FileMissing when there is nothing, OutputUnreadable when it cannot be read, keeps changing, or holds
    something that is neither file, folder nor link.
    """
    name, here, status = locate(root, path)
    read = reader(root, cache)
    if stat.S_ISREG(status.st_mode):
        return file_artifact(name, *read(name, status))
    return remembered(name, here, cache) or named(name, here, cache, lambda found: tree_here(name, found, read))


def remembered(name: str, here: str, cache: StatCache) -> Artifact | None:
    """The folder at `here` as an artifact, if it is as it was when it was remembered."""
    if not cache.has_folder(name):
        return None
    mark = mark_of(here)
    return None if mark is None else cache.folder(name, mark)


def named(name: str, here: str, cache: StatCache, read: Callable[[Listing], Tree]) -> Artifact:
    """The folder at `here` as an artifact, whose files are read now; remembered for the next time."""
    began = time.time_ns()
    listing = list_folder(here)
    artifact = tree_artifact(name, read(listing))
    mark = listing.mark
    if mark is not None:
        cache.put_folder(artifact, mark, latest_ns=listing.latest_ns, read_ns=began)
    return artifact


def remember(name: str, tree: Tree, listing: Listing, cache: StatCache) -> None:
    """Remember a folder that holds just this, which was written some time ago and listed now."""
    read_ns = time.time_ns()
    for file in tree.files:
        status = listing.files.get(file.path)
        if status is not None and status.st_size == file.size_bytes:
            cache.put(f"{name}/{file.path}", status, file.digest, read_ns=read_ns)
    mark = listing.mark
    if mark is not None:
        cache.put_folder(tree_artifact(name, tree), mark, latest_ns=listing.latest_ns, read_ns=read_ns)


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
            if is_same(status, after):
                cache.put(key, after, digest, read_ns=read_ns)
                return digest, after
            status = after
    except OSError as e:
        raise unreadable(key, e) from e
    raise OutputUnreadable(
        f"{key} keeps changing while it is read", at=path, remedy="end what still writes to it, then run again"
    )


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


def is_same(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether nothing is to be seen changed in a file."""
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
