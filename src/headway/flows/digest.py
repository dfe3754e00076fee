"""What is in a file or folder of the workspace, by digest, without reading again what did not change.

Neighbours: `core/tree` is a folder's content as a value; `flows/store` puts it into the store and back. Knows no store.
"""

import os
import stat
import time
from collections.abc import Callable, Mapping

from blake3 import blake3

from headway.core.ids import Artifact, Digest
from headway.core.tree import Tree, TreeEntry, TreeFile, TreeFolder, TreeLink, digest_of_tree, tree_of
from headway.errors import FileMissing, OutputUnreadable
from headway.flows.listing import Listing, Look, list_folder, look_of, seen, unreadable
from headway.flows.statcache import StatCache

_ATTEMPTS = 3
_BLOCK = 1 << 20
_LARGE = 1 << 24

Read = Callable[[str, Look], tuple[Digest, Look]]
"""Gives digest and look of the file at a path, given the look it had when it was found."""


def digest_path(root: str, path: str, cache: StatCache) -> Artifact:
    """The file or folder at `path`, relative to the folder `root`, by its digest.

    Raises FileMissing when there is nothing, OutputUnreadable when it cannot be read, keeps changing, or holds
    something that is neither file, folder nor link.
    """
    return content_at(root, path, cache)[0]


def content_at(root: str, path: str, cache: StatCache) -> tuple[Artifact, Tree | None]:
    """As `digest_path`; and the tree of a folder, if what is in it had to be looked at. Raises as `digest_path`."""
    name, here, status = locate(root, path)
    if stat.S_ISREG(status.st_mode):
        return file_artifact(name, *reader(root, cache)(name, look_of(status))), None
    listing = list_folder(here)
    known = remembered(name, listing, cache)
    if known is not None:
        return known, None
    tree = tree_of_folder(root, name, listing, cache)
    return named(name, tree, listing, cache), tree


def remembered(name: str, listing: Listing, cache: StatCache) -> Artifact | None:
    """The folder that was listed as an artifact, if it is as it was when it was remembered."""
    return None if listing.mark is None else cache.folder(name, listing.mark)


def named(name: str, tree: Tree, listing: Listing, cache: StatCache) -> Artifact:
    """The folder that was listed, and then found to hold just this; remembered for the next time."""
    artifact = tree_artifact(name, tree)
    if listing.mark is not None:
        cache.put_folder(artifact, listing.mark, latest_ns=listing.latest_ns, read_ns=listing.began_ns)
    return artifact


def remember(artifact: Artifact, tree: Tree, listing: Listing, cache: StatCache) -> None:
    """Remember a folder that holds just this tree, the artifact's; it was written some time ago and listed now."""
    looks, read_ns = listing.files, listing.began_ns
    pairs = [(file, looks.get(file.path)) for file in tree.files]
    right = [(file.path, look, file.digest) for file, look in pairs if look and seen(look)[1] == file.size_bytes]
    cache.put_all(artifact.path, right, read_ns=read_ns)
    if listing.mark is not None:
        same = tree_artifact(artifact.path, tree, artifact.digest)
        cache.put_folder(same, listing.mark, latest_ns=listing.latest_ns, read_ns=read_ns)


def reader(root: str, cache: StatCache) -> Read:
    """Gives the digest of a file by its path below `root`, read only if `cache` does not know it."""

    def read(path: str, look: Look) -> tuple[Digest, Look]:
        digest = cache.get(path, look)
        if digest is not None:
            return digest, look
        return read_settled(root, path, look, cache, _hash)

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


def file_artifact(name: str, digest: Digest, look: Look) -> Artifact:
    """A file as an artifact."""
    mode, size = seen(look)
    return Artifact(path=name, digest=digest, size_bytes=size, executable=bool(mode & 0o100))


def tree_artifact(name: str, tree: Tree, digest: Digest | None = None) -> Artifact:
    """A folder as an artifact; `digest` is its tree's, if that is known."""
    files = tree.files
    return Artifact(
        path=name,
        digest=digest or digest_of_tree(tree),
        kind="tree",
        size_bytes=sum(file.size_bytes for file in files),
        n_files=len(files),
    )


def tree_here(name: str, listing: Listing, known: Mapping[str, Digest], read: Read) -> Tree:
    """A folder's tree. `known` are digests of files by path in it; `read` is given the others' paths in the project."""
    if listing.others:
        raise _not_content(f"{name}/{listing.others[0]}")
    entries: list[TreeEntry] = [TreeLink(path, target) for path, target in listing.links.items()]
    entries += [TreeFolder(path) for path, empty in listing.folders.items() if empty]
    prefix, digest_of, looked, add = name + "/", known.get, seen, entries.append
    for path, look in listing.files.items():
        digest, after = digest_of(path), look
        if digest is None:
            digest, after = read(prefix + path, look)
        mode, size = looked(after)
        add(TreeFile(path, digest, size, mode & 0o100 != 0))
    return tree_of(entries)


def tree_of_folder(root: str, name: str, listing: Listing, cache: StatCache) -> Tree:
    """As `tree_here`, of a folder in `root`, whose files are read only where `cache` does not know them."""
    return tree_here(name, listing, cache.get_all(name, listing.files), reader(root, cache))


def read_settled(
    root: str, key: str, look: Look, cache: StatCache, read: Callable[[str], Digest]
) -> tuple[Digest, Look]:
    """What `read` gives for a file that did not change meanwhile, with its look; remembered in `cache`."""
    path = os.path.join(root, key)
    try:
        for _ in range(_ATTEMPTS):
            read_ns = time.time_ns()
            digest = read(path)
            after = look_of(os.stat(path))
            if look == after:
                cache.put(key, after, digest, read_ns=read_ns)
                return digest, after
            look = after
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


def _not_content(path: str) -> OutputUnreadable:
    return OutputUnreadable(
        f"{path} is a pipe, a socket or a device",
        at=path,
        remedy="only files, folders and links can be read and kept; let the step put it elsewhere",
    )
