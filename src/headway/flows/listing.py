"""What lies in a folder of the workspace: names and statuses, nothing read but links.

Neighbours: `digest` reads the files and names them, `statcache` remembers.
"""

import os
import stat
import struct
import time
from typing import Literal, NewType

from blake3 import blake3

from headway.core.tree import PASSED_OVER
from headway.errors import OutputUnreadable

_HIDDEN = frozenset(map(os.fsencode, PASSED_OVER))
_MAY_HIDE = frozenset({name[0] for name in _HIDDEN} | {ord(".")})
_TYPE, _FILE, _FOLDER = 0o170000, stat.S_IFREG, stat.S_IFDIR
_LOOK = struct.Struct("<4qQ")
_MOST = (1 << 64) - 1
_LAST_NS = (1 << 63) - 1
_MODE_AND_SIZE = struct.Struct("<2q").unpack_from
LOOK_BYTES = _LOOK.size

Look = NewType("Look", bytes)
"""What is to be seen of a file from outside: rights, size, times of change and inode, in 40 bytes."""


def look_of(status: os.stat_result) -> Look:
    """What a status shows."""
    times = status.st_mtime_ns, status.st_ctime_ns
    try:
        return Look(_LOOK.pack(status.st_mode, status.st_size, *times, status.st_ino))
    except struct.error:
        # Some file systems can say years in which nobody lives: beyond 2262 nanoseconds have no room.
        near = [max(min(at, _LAST_NS), -_LAST_NS) for at in times]
        return Look(_LOOK.pack(status.st_mode, status.st_size, *near, status.st_ino & _MOST))


def seen(look: Look) -> tuple[int, int]:
    """Rights and size of a file."""
    mode, size = _MODE_AND_SIZE(look)
    return mode, size


def changed_ns(look: bytes) -> int:
    """When a file was changed last, or the last of several whose looks stand one after the other; 0 for none."""
    numbers = struct.unpack(f"<{len(look) // 8}q", look)
    return max(numbers[2::5] + numbers[3::5], default=0)


class Listing:
    """What a folder holds, not yet read: `files` and `links` by relative path, `folders` and whether they are empty.

    `others` are sockets, pipes and devices; `links_out` is whether a link was followed. `mark` is all that is to be
    seen of the folder from outside, as 32 bytes; `began_ns` is when one began to look (UTC nanoseconds).
    """

    __slots__ = ("_files", "_groups", "began_ns", "folders", "links", "links_out", "mark", "others")

    def __init__(self) -> None:
        self.began_ns = time.time_ns()
        self.links: dict[str, str] = {}
        self.folders: dict[str, bool] = {}
        self.others: list[str] = []
        self.links_out = False
        self.mark: bytes | None = None
        # Folder by folder: a folder that turns out to be as it was needs no more than its mark.
        self._groups: list[tuple[str, list[bytes], list[bytes]]] = []
        self._files: dict[str, Look] | None = None

    @property
    def files(self) -> dict[str, Look]:
        """Each file's look, by its path in the folder."""
        if self._files is None:
            self._files = {}
            for prefix, names, looks in self._groups:
                paths = os.fsdecode(b"\0".join(names)).split("\0")
                self._files.update(zip([prefix + path for path in paths], map(Look, looks), strict=True))
        return self._files

    @property
    def latest_ns(self) -> int:
        """When something in it was changed last."""
        return changed_ns(b"".join([look for _, _, looks in self._groups for look in looks]))

    def add(self, prefix: str, names: list[bytes], looks: list[bytes]) -> None:
        """The files that are in one folder."""
        if names:
            self._groups.append((prefix, names, looks))


def list_folder(folder: str, *, follow: bool = True) -> Listing:
    """What is in a folder and below.

    With `follow`, a link that leads out of the folder counts as what it points to: its content would otherwise be in
    no digest, and a change of it would go unseen. Links that stay inside are links.

    As long as the `mark` is the same, so are names, sizes, times and rights of all files; it is None where there is
    anything but files and folders. Raises OutputUnreadable.
    """
    listing = Listing()
    hasher = blake3()
    try:
        _list(listing, hasher, os.fsencode(folder), "", _Outside(folder) if follow else None)
    except OSError as e:
        raise unreadable(folder, e) from e
    if not (listing.links or listing.links_out or listing.others):
        listing.mark = hasher.digest()
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


def _list(listing: Listing, hasher: blake3, folder: bytes, prefix: str, outside: _Outside | None) -> bool:
    """Add what is in `folder`; whether that is nothing."""
    names: list[bytes] = []
    looks: list[bytes] = []
    below, odd = [], []
    packed, add_name, add_look = _LOOK.pack, names.append, looks.append
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name[0] in _MAY_HIDE and (name in _HIDDEN or (name[:9] == b".headway-" and name[-4:] == b".tmp")):
                continue
            status = entry.stat(follow_symlinks=False)
            mode = status.st_mode
            # Of a hundred thousand files every call of a function is to be felt: hence no `S_ISREG`.
            if mode & _TYPE == _FILE:
                add_name(name)
                try:
                    add_look(packed(mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))
                except struct.error:
                    add_look(look_of(status))
            elif mode & _TYPE == _FOLDER:
                below.append(name)
            else:
                odd.append(name)
    empty = not (names or below or odd)
    for name in odd:
        kind, look = _follow(listing, os.path.join(folder, name), prefix + os.fsdecode(name), outside)
        if kind == "file":
            names.append(name)
            looks.append(look)
        elif kind == "folder":
            below.append(name)
    listing.add(prefix, names, looks)
    # No name is empty or holds a zero byte, and all looks are of one length: what is hashed can be read in one way.
    hasher.update(b"%d\0%s\0\0%s\0\0" % (len(names), b"\0".join(names), b"\0".join(below)) + b"".join(looks))
    for name in below:
        path = prefix + os.fsdecode(name)
        listing.folders[path] = _below(listing, hasher, os.path.join(folder, name), path, outside)
    return empty


def _follow(
    listing: Listing, place: bytes, path: str, outside: _Outside | None
) -> tuple[Literal["file", "folder", "other"], Look]:
    """What something is that is neither file nor folder itself; a link that is kept as such is noted."""
    status = os.lstat(place)
    if stat.S_ISLNK(status.st_mode):
        target = None if outside is None else outside.target(os.fsdecode(place))
        if target is None:
            listing.links[path] = os.fsdecode(os.readlink(place))
            return "other", look_of(status)
        # Followed, it is no file of the folder's own: no mark can tell of it.
        listing.links_out = True
        status = os.stat(target)
    if stat.S_ISREG(status.st_mode):
        return "file", look_of(status)
    if stat.S_ISDIR(status.st_mode):
        return "folder", look_of(status)
    listing.others.append(path)
    return "other", look_of(status)


def _below(listing: Listing, hasher: blake3, folder: bytes, path: str, outside: _Outside | None) -> bool:
    if outside is None or not listing.links_out or not os.path.islink(folder):
        return _list(listing, hasher, folder, path + "/", outside)
    real = os.path.realpath(os.fsdecode(folder))
    if any(f"{top}/".startswith(f"{real}/") for top in outside.inside):
        raise OutputUnreadable(
            f"{path} is a link to a folder that holds it",
            at=os.fsdecode(folder),
            remedy="remove the link, or name a folder below",
        )
    before, outside.inside = outside.inside, (*outside.inside, real)
    empty = _list(listing, hasher, folder, path + "/", outside)
    outside.inside = before
    return empty


def unreadable(path: str, e: OSError) -> OutputUnreadable:
    """The error for a path that the system does not let be read."""
    return OutputUnreadable(
        f"{path} cannot be read: {e.strerror}", at=e.filename or path, remedy="see that it may be read"
    )
