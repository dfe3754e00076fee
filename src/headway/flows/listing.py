"""What lies in a folder of the workspace: names and statuses, nothing read but links.

Neighbours: `digest` reads the files and names them, `statcache` remembers.
"""

import os
import stat
from struct import Struct as Layout

from blake3 import blake3

from headway.errors import OutputUnreadable

PASSED_OVER = frozenset({"__pycache__", ".git", ".headway", ".ipynb_checkpoints", ".DS_Store"})
"""Names in a folder that are no part of its content: tools write them beside it while a step merely reads."""


_HIDDEN = frozenset(map(os.fsencode, PASSED_OVER))
_STATUS = Layout("=5q")
# No name holds these bytes, so that two folders cannot look alike by where one name ends.
_JOIN = b"\0/".join


class Listing:
    """What a folder holds, not yet read: `files` and `links` by relative path, `folders` and whether they are empty.

    `others` are sockets, pipes and devices; `links_out` is whether a link was followed. `mark` is what `mark_of` gives,
    and `latest_ns` the last time of change.
    """

    __slots__ = ("_hasher", "files", "folders", "latest_ns", "links", "links_out", "others")

    def __init__(self) -> None:
        self.files: dict[str, os.stat_result] = {}
        self.links: dict[str, str] = {}
        self.folders: dict[str, bool] = {}
        self.others: list[str] = []
        self.latest_ns = 0
        self.links_out = False
        self._hasher = blake3()

    @property
    def mark(self) -> bytes | None:
        """What the folder looked like from outside; None when there is anything but files and folders."""
        return None if self.links or self.links_out or self.others else self._hasher.digest()

    def note(self, seen: list[bytes]) -> None:
        """What was seen in the next folder."""
        self._hasher.update(_JOIN(seen))


def mark_of(folder: str) -> bytes | None:
    """All that is to be seen of a folder from outside, as 32 bytes: what `list_folder` gives as its mark, sooner.

    As long as it is the same, so are names, sizes, times and rights of all files in the folder and below. None when
    there is anything but files and folders. Raises OutputUnreadable.
    """
    hasher, pending = blake3(), [os.fsencode(folder)]
    packed, is_file, is_folder = _STATUS.pack, stat.S_ISREG, stat.S_ISDIR
    try:
        while pending:
            seen, below = [], []
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    name = entry.name
                    if name in _HIDDEN or (name[:9] == b".headway-" and name[-4:] == b".tmp"):
                        continue
                    status = entry.stat(follow_symlinks=False)
                    mode = status.st_mode
                    if is_file(mode):
                        times = status.st_mtime_ns, status.st_ctime_ns
                        seen.append(name + packed(mode, status.st_size, *times, status.st_ino))
                    elif is_folder(mode):
                        seen.append(name)
                        below.append(entry.path)
                    else:
                        return None
            hasher.update(_JOIN(seen))
            pending += reversed(below)
    except OSError as e:
        raise unreadable(folder, e) from e
    return hasher.digest()


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
    below, seen = [], []
    empty = True
    packed, is_file = _STATUS.pack, stat.S_ISREG
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name in PASSED_OVER or (name[:9] == ".headway-" and name[-4:] == ".tmp"):
                continue
            empty = False
            path = prefix + name
            status = entry.stat(follow_symlinks=False)
            mode = status.st_mode
            if stat.S_ISLNK(mode):
                target = None if outside is None else outside.target(entry.path)
                if target is None:
                    listing.links[path] = os.readlink(entry.path)
                    continue
                # Followed, it is no file of the folder's own: no mark can tell of it.
                listing.links_out = True
                status = os.stat(target)
                mode = status.st_mode
            if is_file(mode):
                listing.files[path] = status
                mtime, ctime = status.st_mtime_ns, status.st_ctime_ns
                seen.append(os.fsencode(name) + packed(mode, status.st_size, mtime, ctime, status.st_ino))
                if ctime > listing.latest_ns or mtime > listing.latest_ns:
                    listing.latest_ns = max(mtime, ctime)
            elif stat.S_ISDIR(mode):
                seen.append(os.fsencode(name))
                below.append((path, entry.path))
            else:
                listing.others.append(path)
    listing.note(seen)
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


def unreadable(path: str, e: OSError) -> OutputUnreadable:
    """The error for a path that the system does not let be read."""
    return OutputUnreadable(
        f"{path} cannot be read: {e.strerror}", at=e.filename or path, remedy="see that it may be read"
    )
