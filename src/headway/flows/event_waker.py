"""File events: who watches folders for sources, so that they are looked at when something changed and not later.

A file system that tells of nothing, or of too much, costs time and no event: sources are looked at all the same, and
more often where nobody watches. Knows no event.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Literal

from headway.flows.events import Source

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

STEP_MS = 100
"""What changes within so long is one."""

LONGEST_MS = 1000
"""A folder in which something changes without end is told of so often."""

AGAIN_MS = 10_000
"""Folders that came, or are others under the same name, are noticed within so long."""

Folder = tuple[str, int, int]
"""A folder's path, device and inode: one that was made anew is another."""


class Waker:
    """Watches the folders of sources in a thread of its own, touches those that may have changed, and rings."""

    __slots__ = ("_end", "_ring", "_sources", "_thread")

    def __init__(self, sources: Sequence[Source], ring: Callable[[], None]) -> None:
        """`ring` is called from another thread when a source was touched: it must only wake whoever looks."""
        self._sources = tuple(sources)
        self._ring = ring
        self._end = Event()
        self._thread: Thread | None = None

    def begin(self) -> None:
        """Begin to watch; nothing is watched for sources that have no folder."""
        if self._thread is None:
            self._thread = Thread(target=self._watch, name="headway-waker", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End it. May be called twice."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        for source in self._sources:
            source.pace.is_watched = False

    def _watch(self) -> None:
        watched: set[Folder] = set()
        notify: RustNotify | None = None
        while not self._end.is_set():
            folders = {folder for source in self._sources for path in source.paths if (folder := _folder(path))}
            if folders != watched:
                watched = folders
                if notify is not None:
                    notify.close()
                notify = _notify([path for path, _, _ in folders])
                self._note(watched if notify is not None else set())
            if notify is None:
                self._end.wait(AGAIN_MS / 1000)
            else:
                self._touch(notify.watch(LONGEST_MS, STEP_MS, AGAIN_MS, self._end))
        if notify is not None:
            notify.close()

    def _note(self, watched: set[Folder]) -> None:
        """Let sources know whether they are watched; what changed before that is looked for once more."""
        paths = {path for path, _, _ in watched}
        for source in self._sources:
            source.pace.is_watched = bool(source.paths) and paths.issuperset(source.paths)
            if source.pace.is_watched:
                source.pace.touched = True
        if paths:
            self._ring()

    def _touch(self, told: set[tuple[int, str]] | Literal["signal", "stop", "timeout"]) -> None:
        if isinstance(told, str):
            return
        folders = {os.path.dirname(path) for _, path in told}
        touched = [source for source in self._sources if any(_is_in(folders, path) for path in source.paths)]
        for source in touched:
            source.pace.touched = True
        if touched:
            self._ring()


def _folder(path: str) -> Folder | None:
    with suppress(OSError):
        status = os.stat(path)
        return path, status.st_dev, status.st_ino
    return None


def _notify(paths: list[str]) -> "RustNotify | None":
    """Who tells of changes below these folders; None when there are none, or the system watches no more of them."""
    if not paths:
        return None
    try:
        from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError
    except ImportError:
        return None
    try:
        return RustNotify(paths, False, False, 0, True, True)
    except (OSError, WatchfilesRustInternalError):
        return None


def _is_in(folders: set[str], path: str) -> bool:
    real = os.path.realpath(path)
    return any(f"{folder}/".startswith((f"{path}/", f"{real}/")) for folder in folders)
