"""What is new in a prediction log since the last look, each entry once, whatever was sealed, killed or deleted.

A cursor says how far each file was read: bytes of an open one, which are rows of its segment. What a killed writer left
in two files is told once, by looking for it in what was read of the others at the same time. Neighbours: `pieces` reads
files from a place on, `reading` gives tables.
"""

import heapq
import os
import time
from collections.abc import Collection

from msgspec import Struct, structs

from headway.core.prediction_log import Cursor, Kind, LabelLine, Line, Place, Segment
from headway.tables.prediction_log.files import listed
from headway.tables.prediction_log.pieces import Gone, Key, Piece, entries_of, first_of, key, keys_between, piece

MOST_ENTRIES = 20_000
MOST_BYTES = 16 * 2**20
"""What one look gives at most, and a piece of a file more."""

SETTLE_S = 600.0
"""A segment older than that is not named in a cursor any more: longer than it takes to write one and to show it."""

N_TRIES = 10
"""How often a look begins anew because files were sealed under it."""

ALL = 2**31
"""More rows than a segment has."""

KINDS: tuple[Kind, ...] = ("predictions", "labels")


class Followed(Struct, frozen=True, kw_only=True):
    """What is new: lines of all kinds (failed requests and shadows' too), labels, and where to go on from."""

    lines: list[Line]
    labels: list[LabelLine]
    cursor: Cursor


def follow(folder: str, cursor: Cursor, *, since: float = 0.0, most: int = MOST_ENTRIES) -> Followed:
    """All that was logged after `cursor`, each entry once; with an empty cursor, from `since` (UTC seconds) on.

    At most about `most` entries: ask again, with the cursor that came, until nothing comes. They are roughly in order
    of time, and in the order of each file. Two entries of the same request, version and time are one. Values may have
    another type when their file was sealed meanwhile (whole numbers beside fractions, classes as texts), and a column
    that is null may be missing.
    """
    begun = structs.replace(cursor, since=max(cursor.since, since))
    for _ in range(N_TRIES - 1):
        try:
            return _Look(folder, begun, most).told()
        except Gone:
            # Sealed or deleted between being listed and being read: what there is now is another list.
            continue
    return _Look(folder, begun, most).told()


def of_requests(folder: str, ids: Collection[str], since: float = 0.0) -> list[Line]:
    """The lines of these requests from `since` (UTC seconds) on: clients' and shadows', failed ones too, each once.

    Reads the ids of all files of that time: milliseconds for a segment.
    """
    wanted = frozenset(ids)
    found: dict[Key, Line] = {}
    for _ in range(N_TRIES):
        try:
            for one in listed(folder, "predictions") if wanted else ():
                if one.last_at >= since:
                    for line in entries_of(folder, one, wanted):
                        found.setdefault(key(line), line)
        except Gone:
            continue
        break
    return sorted((line for line in found.values() if line.at >= since), key=lambda line: line.at)


class _File(Struct):
    """A file of the log now, and how far it was followed before this look and is now."""

    one: Segment
    kind: Kind
    changed_at: float
    before: Place
    now: Place

    @property
    def is_whole(self) -> bool:
        return self.now.is_done


class _Look:
    """One look."""

    __slots__ = ("_cursor", "_files", "_folder", "_labels", "_lines", "_most", "_n_bytes", "_seen", "_swept_at")

    def __init__(self, folder: str, cursor: Cursor, most: int) -> None:
        self._folder = folder
        self._cursor = cursor
        self._most = most
        self._swept_at = time.time() - SETTLE_S
        self._files = self._found()
        self._lines: list[Line] = []
        self._labels: list[LabelLine] = []
        self._seen: set[Key] = set()
        self._n_bytes = 0

    def told(self) -> Followed:
        """Read piece by piece, of the file that is furthest back in time, until there is enough or nothing is left."""
        due = [(self._begins_at(file), i) for i, file in enumerate(self._files) if not file.is_whole]
        heapq.heapify(due)
        while due and len(self._lines) + len(self._labels) < self._most and self._n_bytes < MOST_BYTES:
            _, i = heapq.heappop(due)
            file = self._files[i]
            read = piece(self._folder, file.one, file.now)
            if read.entries:
                self._take(file, read)
            file.now = read.place
            if not read.is_end:
                heapq.heappush(due, (file.now.last_at, i))
        return Followed(lines=self._lines, labels=self._labels, cursor=self._left())

    def _found(self) -> list[_File]:
        places = {place.name: place for place in self._cursor.places}
        found = self._listed(places)
        if places.keys() - {file.now.name for file in found}:
            # A list of a folder may miss a file that is sealed while it is made; the next one has it.
            found = self._listed(places)
        return found

    def _listed(self, places: dict[str, Place]) -> list[_File]:
        found = []
        for kind in KINDS:
            for one in listed(self._folder, kind):
                try:
                    changed_at = os.stat(os.path.join(self._folder, one.name)).st_mtime
                except FileNotFoundError as e:
                    raise Gone from e
                name = kind[0] + one.token
                is_done = not one.is_open and (changed_at < self._cursor.swept_at or one.last_at < self._cursor.since)
                place = places.get(name) or _whole(name, one) if is_done else places.get(name, Place(name=name))
                found.append(_File(one, kind, changed_at, place, place))
        return found

    def _begins_at(self, file: _File) -> float:
        if file.now.n_rows:
            return file.now.last_at
        return first_of(self._folder, file.one) if file.one.is_open else file.one.first_at

    def _take(self, file: _File, read: Piece) -> None:
        since = self._cursor.since
        keys = [key(entry) for entry in read.entries]
        ends = (min(at for _, at, _ in keys), max(at for _, at, _ in keys))
        told = self._told_before(file, read.place.version, *ends)
        n_before = len(self._seen)
        for entry, own in zip(read.entries, keys, strict=True):
            if own[1] < since or own in told or own in self._seen:
                continue
            self._seen.add(own)
            if isinstance(entry, Line):
                self._lines.append(entry)
            else:
                self._labels.append(entry)
        # What is left out takes no room: a look that gives nothing has come to the end.
        if len(self._seen) > n_before:
            self._n_bytes += read.n_bytes

    def _told_before(self, file: _File, version: int, first_at: float, last_at: float) -> set[Key]:
        """What earlier looks read of this time, in any file of the version."""
        told: set[Key] = set()
        for other in self._files:
            before = other.before
            if (
                other.kind == file.kind
                and before.n_rows
                and before.version == version
                and before.first_at <= last_at
                and before.last_at >= first_at
            ):
                told |= keys_between(self._folder, other.one, before, first_at, last_at)
        return told

    def _left(self) -> Cursor:
        """Where the next look goes on."""
        unread = (f.changed_at for f in self._files if not (f.one.is_open or f.is_whole))
        swept_at = max(self._cursor.swept_at, min(self._swept_at, min(unread, default=self._swept_at)))
        kept = [f.now for f in self._files if f.now.n_rows or f.now.n_bytes]
        gone = {f.now.name for f in self._files if f.is_whole and f.changed_at < swept_at}
        past = {f.now.name for f in self._files if not f.one.is_open and f.one.last_at < self._cursor.since}
        places = tuple(place for place in kept if place.name not in gone | past)
        return Cursor(since=self._cursor.since, swept_at=swept_at, places=places)


def _whole(name: str, one: Segment) -> Place:
    """The place behind the end of a segment that was followed long ago."""
    return Place(
        name=name,
        n_rows=ALL,
        version=one.version,
        first_at=one.first_at,
        last_at=one.last_at,
        is_done=True,
    )
