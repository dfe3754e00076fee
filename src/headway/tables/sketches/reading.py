"""All that was counted of a version's predictions: of segments what lies beside them, of open files their lines.

No row is counted twice: a file is known by its token, open or sealed, and what a killed writer left in two files counts
in the one that began first. Looking again when nothing is new costs the time of change of a folder and the sizes of its
open files. Neighbours: `files` and `opened` count a file, `edges` says what may stand twice.
"""

import contextlib
import os
import time
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from headway.core.prediction_log import Segment, segments
from headway.core.reference import Layout, layout_id
from headway.core.sketch import Sketch

if TYPE_CHECKING:
    from headway.tables.sketches.edges import Edge
    from headway.tables.sketches.files import Counted
    from headway.tables.sketches.opened import OpenFile

N_TRIES = 10
"""How often a look begins anew because files were sealed under it."""

SETTLED_NS = 2_000_000_000
"""A folder that changed less than that before it was listed may change again at the same time, as files tell it."""

SLACK_S = 10.0
"""So much older files are looked at, too: what stands in them may stand again in a newer one."""

_Without = frozenset[bytes]


class _File(Struct, frozen=True, kw_only=True):
    """A file of the log as it was counted; `without` what counts in others. `opened` while it is open."""

    one: Segment
    counted: "Counted"
    without: _Without = frozenset()
    opened: "OpenFile | None" = None

    @property
    def last_at(self) -> float:
        return self.counted.tail.last_at


class Known(Struct, frozen=True, kw_only=True):
    """What was counted of a log from `since` (UTC seconds) on: `cells`, in order of time.

    Begin with `Known()` or `Known(since=…)`, and give `read` what it gave the last time; what was given is used up
    then. To forget what is old, give it with a later `since` (`known.from_(at)`). `unreadable` are segments that are
    damaged: their rows do not count. A file that was deleted counts as long as it is not older than `since`.
    """

    since: float = 0.0
    cells: tuple[Sketch, ...] = ()
    unreadable: tuple[str, ...] = ()
    layout: Layout | None = None
    digest: str = ""
    files: dict[str, _File] = {}
    changed_ns: int = 0
    sizes: dict[str, int] = {}

    def from_(self, since: float) -> "Known":
        """The same without what was before."""
        return self if since == self.since else structs.replace(self, since=since, changed_ns=0)


def read(folder: str, layout: Layout, known: Known | None = None, *, keep: bool = True) -> Known:
    """What was logged of a layout's version until now: `known` itself when nothing is new.

    Segments that have no sketches of this layout beside them get them, unless `keep` is false or the folder may not be
    written. What was counted on another layout is counted anew.
    """
    known = known if known is not None else Known()
    if known.layout is not layout and known.layout != layout:
        known = Known(since=known.since, layout=layout, digest=layout_id(layout))
    for _ in range(N_TRIES - 1):
        try:
            return _Look(folder, layout, known, keep=keep).told()
        except FileNotFoundError:
            # Sealed or deleted between being listed and being read: what there is now is another list.
            continue
    return _Look(folder, layout, known, keep=keep).told()


class _Look:
    """One look."""

    def __init__(self, folder: str, layout: Layout, known: Known, *, keep: bool) -> None:
        self._folder = folder
        self._layout = layout
        self._known = known
        self._keep = keep
        self._files = dict(known.files)
        self._unreadable = dict.fromkeys(known.unreadable)
        self._sizes: dict[str, int] = {}
        self._open: set[str] = set()
        self._changed: set[str] = set()

    def told(self) -> Known:
        """Count what is new. Raises FileNotFoundError where a file went away meanwhile."""
        known = self._known
        began_ns = time.time_ns()
        try:
            changed_ns = os.stat(self._folder).st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            # Nothing was logged yet.
            return known
        if known.changed_ns == changed_ns and all(self._size(name) == n for name, n in known.sizes.items()):
            return known
        oldest = known.since - SLACK_S
        for one in segments(os.listdir(self._folder)):
            is_ours = one.is_open or (one.version == self._layout.version and one.last_at >= oldest)
            if one.kind == "predictions" and is_ours and one.name not in self._unreadable:
                self._see(one)
        self._files = {
            token: file for token, file in self._files.items() if file.last_at >= oldest or file.one.name in self._open
        }
        self._settle()
        cells = [cell for file in self._files.values() for cell in file.counted.cells if cell.last_at >= known.since]
        return structs.replace(
            known,
            cells=tuple(sorted(cells, key=lambda cell: (cell.first_at, cell.last_at))),
            unreadable=tuple(self._unreadable),
            files=self._files,
            changed_ns=changed_ns if began_ns - changed_ns > SETTLED_NS else 0,
            sizes=self._sizes,
        )

    def _size(self, name: str) -> int:
        return os.stat(os.path.join(self._folder, name)).st_size

    def _see(self, one: Segment) -> None:
        """Count what is new of a file, and put it in the place of what was known of it."""
        before = self._files.get(one.token)
        if one.is_open:
            if before is None or before.opened is not None:
                now = self._files[one.token] = self._opened(one, before)
                if before is None or now.counted is not before.counted:
                    self._changed.add(one.token)
        elif before is None or before.opened is not None:
            # What counted elsewhere still does, also where the other file is gone by now.
            without = before.without if before is not None else frozenset()
            counted = self._sealed(one, without)
            if counted is not None:
                self._files[one.token] = _File(one=one, counted=counted, without=without)
                self._changed.add(one.token)

    def _opened(self, one: Segment, before: _File | None) -> _File:
        from headway.tables.sketches.opened import OpenFile

        size = self._size(one.name)
        self._open.add(one.name)
        opened = before.opened if before is not None else None
        without = before.without if before is not None else frozenset()
        if opened is None or size < opened.n_bytes:
            # Shorter than what was read of it: the machine lost power, and what is there now was written since.
            opened = OpenFile(os.path.join(self._folder, one.name), self._layout, without)
        opened.read()
        if not opened.is_other:
            self._sizes[one.name] = size
        return _File(one=one, counted=opened.counted, without=without, opened=opened)

    def _sealed(self, one: Segment, without: _Without = frozenset()) -> "Counted | None":
        from headway.tables.sketches import files

        counted = None if without else files.read(self._folder, one, self._layout, self._known.digest)
        if counted is not None:
            return counted
        from polars.exceptions import PolarsError

        try:
            counted = files.count(os.path.join(self._folder, one.name), self._layout, without)
        except FileNotFoundError:
            raise
        except (PolarsError, OSError):
            self._unreadable[one.name] = None
            return None
        if self._keep and not without:
            # It is made again the next time.
            with contextlib.suppress(OSError):
                files.write(self._folder, one, counted)
        return counted

    # --- what stands twice --------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Count again where entries stand that count in another file; nearly always there are none."""
        for token, found in self._twice().items():
            file = self._files[token]
            without = file.without | found
            if without == file.without:
                continue
            # One that was sealed or deleted since it was counted stays as it is: the next look sees what became of it.
            with contextlib.suppress(FileNotFoundError):
                self._files[token] = self._again(file, without)

    def _again(self, file: _File, without: _Without) -> _File:
        """A file counted without some entries. Raises FileNotFoundError."""
        if file.opened is None:
            counted = self._sealed(file.one, without)
            return file if counted is None else structs.replace(file, counted=counted, without=without)
        from headway.tables.sketches.opened import OpenFile

        opened = OpenFile(os.path.join(self._folder, file.one.name), self._layout, without)
        opened.read()
        return structs.replace(file, counted=opened.counted, opened=opened, without=without)

    def _twice(self) -> dict[str, set[bytes]]:
        """Of each file the entries that also stand in one that began before."""
        if not self._changed:
            return {}
        ranked = sorted(self._files, key=lambda token: (self._files[token].counted.head.first_at, token))
        ends: list[tuple[float, float, int, Edge]] = [
            (end.first_at, end.last_at, rank, end)
            for rank, token in enumerate(ranked)
            for end in (self._files[token].counted.head, self._files[token].counted.tail)
            if end.keys
        ]
        ends.sort(key=lambda end: end[:3])
        found: dict[str, set[bytes]] = {}
        recent: list[tuple[float, float, int, Edge]] = []
        for end in ends:
            recent = [other for other in recent if other[1] >= end[0]]
            for other in recent:
                # Of two that are as they were it was seen before.
                pair = {ranked[end[2]], ranked[other[2]]}
                if len(pair) == 2 and pair & self._changed and (common := other[3].key_set & end[3].key_set):
                    found.setdefault(ranked[max(other[2], end[2])], set()).update(common)
            recent.append(end)
        return found
