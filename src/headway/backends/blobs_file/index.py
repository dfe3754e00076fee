"""Where each piece lies: the records of all packs, found by digest.

The packs tell themselves what they hold. `index` in the store's folder is a copy of all their records, sorted, so that
not every pack must be opened; it may be deleted at any time. What it does not know yet is held in memory.
"""

import mmap
import os
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from heapq import merge
from struct import Struct as Layout

from headway.backends.blobs_file import files
from headway.codec import pack
from headway.core.ids import Digest
from headway.errors import BlobDamaged

CUTS = ".cuts"
"""How the name of a file ends that tells which chunks a large blob holds that is kept whole."""

_HEAD = b"HWINDEX1"
_LAYOUT = Layout(">8sIQ")
_RECORD = pack.RECORD_BYTES
_REST = Layout(">QIQB3s")
"""A record of the copy behind its digest: where the piece lies, then the number of its source."""

_FAN = 65536
_NEAR = 8
"""So many records are looked at one after the other sooner than they are searched."""

_MANY = 1000
_MUCH = 0.25
_LARGE = 1_000_000
"""All records are read where so many are asked for, and that share of them; but not where there are more than that."""

_LOOSE = 32_768
"""Records held in memory before they are merged into the copy: about 5 MB."""

_RACY_S = 0.05
"""A folder that was changed less than this before it was listed may be changed again with the same time."""


class Index:
    """The records of the store in `root`. A source is a pack, or a `.cuts` file beside a large blob kept whole."""

    __slots__ = ("_fan", "_map", "_n", "_names", "_paths", "_recent", "_seen", "_sources", "folder", "root")

    def __init__(self, root: str) -> None:
        self.root = root
        self.folder = os.path.join(root, "packs")
        self._seen: int | None = None
        self._forget()

    def _forget(self) -> None:
        self._sources: list[str] = []
        self._paths: list[str] = []
        self._names: set[str] = set()
        self._recent: dict[bytes, tuple[bytes, str]] = {}
        self._map: mmap.mmap | bytes = b""
        self._fan = array("I", bytes(4 * (_FAN + 1)))
        self._n = 0

    def find(self, digest: Digest) -> tuple[str, pack.Place] | None:
        """The file that holds a piece, and where in it; looks for packs that others have written meanwhile."""
        found = self._place(digest)
        if found is None and self.refresh():
            found = self._place(digest)
        return found

    def find_all(self, digests: Sequence[Digest]) -> list[tuple[str, pack.Place] | None]:
        """As `find`, for many."""
        if self._seen is None:
            self.refresh()
        found = self._places(digests)
        if None in found and self.refresh():
            found = self._places(digests)
        return found

    def holds_all(self, digests: Sequence[Digest]) -> list[bool]:
        """Which of these are in a pack, or in a large blob kept whole: `find_all` in half the time."""
        if self._seen is None:
            self.refresh()
        found = self._all_at([*map(bytes.fromhex, digests)])
        if None in found and self.refresh():
            found = self._all_at([*map(bytes.fromhex, digests)])
        return [at is not None for at in found]

    def knows(self, digest: Digest) -> str | None:
        """The file that holds a piece, as far as is known without looking for packs again."""
        if self._seen is None:
            self.refresh()
        found = self._place(digest)
        return found and found[0]

    def refresh(self) -> bool:
        """See which packs there are; whether that has changed."""
        try:
            at = os.stat(self.folder).st_mtime_ns
        except FileNotFoundError:
            at = 0
        if at == self._seen:
            return False
        looked = time.time()
        names = {entry.name for entry in files.entries(self.folder)}
        is_first, known = self._seen is None, self._names
        self._seen = at if looked - at / 1e9 > _RACY_S else -1
        if is_first or known - names:
            self._forget()
            self._load(names)
            known = self._names
        changed = is_first or names != known
        for name in names - known:
            # One that is being taken away, or is damaged, holds nothing that can be had.
            with suppress(FileNotFoundError, BlobDamaged):
                self.add(name, self.records(name))
        return changed

    def add(self, name: str, records: bytes | Iterable[bytes]) -> None:
        """Take up the records of a source that was just written or found."""
        for record in pack.split(records) if isinstance(records, bytes) else records:
            self._recent[record[:32]] = (record, name)
        # Last: a source of which an interrupt left some records out is looked at again.
        self._names.add(name)

    def records(self, name: str) -> bytes:
        """The records of a source, read from itself. Raises FileNotFoundError, BlobDamaged."""
        path = os.path.join(self.folder, name)
        fd = os.open(path, files.OLD)
        try:
            size = os.fstat(fd).st_size
            footer = os.pread(fd, pack.FOOTER_BYTES, max(size - pack.FOOTER_BYTES, 0))
            digest, begin, end = pack.index_bounds(footer, size, at=path)
            return pack.checked_records(digest, os.pread(fd, end - begin, begin), at=path)
        finally:
            os.close(fd)

    def sources(self) -> set[str]:
        """The names of all packs and cuts."""
        self.refresh()
        return set(self._names)

    def file_of(self, name: str) -> str:
        """The file in which the pieces of a source lie."""
        if name.endswith(CUTS):
            return f"{self.root}/{name[:2]}/{name[: -len(CUTS)]}"
        return f"{self.folder}/{name}"

    def save(self) -> None:
        """Merge what is held in memory into the copy, when it has grown to be worth it."""
        if len(self._recent) < max(_LOOSE, self._n // 4):
            return
        names = sorted(self._names)
        number = {name: i.to_bytes(3, "big") for i, name in enumerate(names)}
        ours = sorted(record[:53] + number[name] for record, name in self._recent.values())
        old = [number[name] for name in self._sources]
        theirs = (record[:53] + old[int.from_bytes(record[53:], "big")] for record in self._records())
        with suppress(OSError):
            self._write(names, self._n + len(ours), merge(theirs, ours))
            self._seen = None
            self.refresh()

    def drop_copy(self) -> None:
        """Remove the copy, which has turned out to be wrong, and read the packs themselves."""
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(self.root, "index"))
        self._seen = None
        self.refresh()

    def _place(self, digest: Digest) -> tuple[str, pack.Place] | None:
        key = bytes.fromhex(digest)
        return self._found(digest, key, self._at(key))

    def _places(self, digests: Sequence[Digest]) -> list[tuple[str, pack.Place] | None]:
        keys = [*map(bytes.fromhex, digests)]
        return [*map(self._found, digests, keys, self._all_at(keys))]

    def _found(self, digest: Digest, key: bytes, at: int | None) -> tuple[str, pack.Place] | None:
        """The file and the place of a piece whose record stands there."""
        if at is None:
            return None
        if at < 0:
            record, name = self._recent[key]
            return self.file_of(name), pack.place_of(record)
        offset, stored, size, form, number = _REST.unpack_from(self._map, at + 32)
        source = int.from_bytes(number, "big")
        return (
            (self._paths[source], pack.Place(digest, offset, stored, size, form)) if source < len(self._paths) else None
        )

    def _all_at(self, keys: Sequence[bytes]) -> list[int | None]:
        """As `_at` for many; where much of the copy is asked for, it is read as a whole, in a fifth of the time."""
        if len(keys) < _MANY or len(keys) < _MUCH * (self._n + len(self._recent)) or self._n > _LARGE:
            return [self._at(key) for key in keys]
        starts = range(0, self._n * _RECORD, _RECORD)
        copy = bytes(self._map[: self._n * _RECORD])
        known: dict[bytes, int] = dict(zip([copy[at : at + 32] for at in starts], starts, strict=True))
        known |= dict.fromkeys(self._recent, -1)
        return [*map(known.get, keys)]

    def _at(self, key: bytes) -> int | None:
        """Where in the copy the record of a piece stands; -1 when it is held in memory."""
        if key in self._recent:
            return -1
        bucket = key[0] << 8 | key[1]
        low, high = self._fan[bucket], self._fan[bucket + 1]
        if high - low > _NEAR:
            found = pack.search(self._map, key, low, high)
            return found * _RECORD if found >= 0 else None
        for start in range(low * _RECORD, high * _RECORD, _RECORD):
            if self._map[start : start + 32] == key:
                return start
        return None

    def _records(self) -> Iterator[bytes]:
        return (bytes(self._map[i * _RECORD : (i + 1) * _RECORD]) for i in range(self._n))

    def _write(self, names: list[str], n: int, records: Iterable[bytes]) -> None:
        fan, count, bucket = array("I"), 0, 0
        fd, fresh = files.create(os.path.join(self.root, "tmp"))
        with os.fdopen(fd, "wb", buffering=1 << 20) as file:
            # Records stand first, so that they can be mapped from the start of the file.
            for record in records:
                here = record[0] << 8 | record[1]
                while bucket <= here:
                    fan.append(count)
                    bucket += 1
                file.write(record)
                count += 1
            fan.extend([count] * (_FAN + 1 - len(fan)))
            listing = "\n".join(names).encode()
            file.write(fan.tobytes() + listing + _LAYOUT.pack(_HEAD, len(listing), n))
        os.rename(fresh, os.path.join(self.root, "index"))

    def _load(self, names: set[str]) -> None:
        """Map the copy, if it is whole and tells of nothing that is gone."""
        try:
            fd = os.open(os.path.join(self.root, "index"), files.OLD)
        except OSError:
            return
        try:
            size = os.fstat(fd).st_size
            tail = os.pread(fd, _LAYOUT.size, max(size - _LAYOUT.size, 0))
            if len(tail) < _LAYOUT.size:
                return
            head, listed, n = _LAYOUT.unpack(tail)
            fan_at = n * _RECORD
            if head != _HEAD or fan_at + 4 * (_FAN + 1) + listed + _LAYOUT.size != size:
                return
            listing = os.pread(fd, listed, size - _LAYOUT.size - listed)
            sources = listing.decode("ascii", "replace").split("\n")
            if not names.issuperset(sources):
                return
            self._fan = array("I", os.pread(fd, 4 * (_FAN + 1), fan_at))
            self._map = mmap.mmap(fd, size, access=mmap.ACCESS_READ)
            self._n, self._sources, self._names = n, sources, set(sources)
            self._paths = list(map(self.file_of, sources))
        finally:
            os.close(fd)
