"""What a bucket holds: the records of all its packs, read from the objects below `index/`. See `docs/formats/store.md`.

An index object never changes. It tells of the packs of one batch, and is put when all of them are there: so a batch is
seen whole or not at all. It may also name a pack without records: somebody came to rely on what that holds.
"""

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from heapq import merge
from itertools import accumulate
from struct import Struct as Layout

from blake3 import blake3

from headway.backends.blobs_object.bucket import Bucket, Listed
from headway.codec import pack
from headway.codec.pack import RECORD_BYTES, Place, place_of
from headway.core.ids import Digest
from headway.errors import BlobDamaged, RemoteUnreachable

FOLDER = "index"
_HEAD = b"HWPACKS1"
_PACK = Layout(">32sQ")
_REST = Layout(">QIQB3s")
"""A record as it is held here, behind its digest: where the piece lies, then the number of its pack."""

_FAN = 4096
"""Records are looked up by the first 12 bits of their digests."""

_THREADS = 8
_ATTEMPTS = 4


class RemoteIndex:
    """The records of a bucket, held in memory: 56 bytes a piece. `cache` is a folder for copies of index objects."""

    __slots__ = ("_bucket", "_cache", "_fan", "_known", "_packs", "_records", "_wrong")

    def __init__(self, bucket: Bucket, cache: str | None) -> None:
        self._bucket = bucket
        self._cache = cache
        self._known: dict[str, Mapping[str, bytes]] | None = None
        self._packs: list[str] = []
        self._records = memoryview(b"")
        # How many records have a digest that begins with less.
        self._fan = array("I", bytes(4 * (_FAN + 1)))
        self._wrong: set[tuple[str, Digest]] = set()

    def refresh(self) -> dict[str, Listed]:
        """See which index objects there are now, and read those that are new; gives the listing by name."""
        found = {one.path.rpartition("/")[2]: one for one in self._bucket.list(FOLDER)}
        known = self._known or {}
        new = [name for name in found if name not in known]
        if new or self._known is None or len(found) != len(known):
            with ThreadPoolExecutor(_THREADS) as pool:
                read = dict(zip(new, pool.map(self._read, new), strict=True))
            # One that went while it was looked for was replaced by another: the next look finds that.
            kept = {name: packs for name, packs in known.items() if name in found}
            self._known = {**kept, **{name: packs for name, packs in read.items() if packs is not None}}
            self._merge()
        return found

    def find(self, digest: Digest) -> tuple[str, Place] | None:
        """The pack that holds a piece, and where in it; one that gave wrong bytes is passed over."""
        if self._known is None:
            self.refresh()
        key = bytes.fromhex(digest)
        bucket = key[0] << 4 | key[1] >> 4
        n = self._fan[bucket + 1]
        at = pack.search(self._records, key, self._fan[bucket], n)
        while 0 <= at < n and self._records[at * RECORD_BYTES : at * RECORD_BYTES + 32] == key:
            offset, stored, size, form, number = _REST.unpack_from(self._records, at * RECORD_BYTES + 32)
            name = self._packs[int.from_bytes(number, "big")]
            if (name, digest) not in self._wrong:
                return name, Place(digest, offset, stored, size, form)
            at += 1
        return None

    def pass_over(self, name: str, digest: Digest) -> None:
        """Do not look for this piece in this pack again: it was wrong there."""
        self._wrong.add((name, digest))

    def add(self, packs: Mapping[str, bytes]) -> None:
        """Put an index object that tells of these packs (records by name), and take it up."""
        data = encode(packs)
        name = blake3(data).hexdigest()
        self._bucket.put(f"{FOLDER}/{name}", data)
        self._known = {**(self._known or {}), name: packs}
        self._merge()

    def ages(self) -> dict[str, float]:
        """When each pack was named last (UTC seconds), after a new look."""
        listing = self.refresh()
        found: dict[str, float] = {}
        for name, packs in self.objects().items():
            for one in packs:
                found[one] = max(found.get(one, 0.0), listing[name].at if name in listing else 0.0)
        return found

    def replace(self, gone: set[str], trash: Callable[[str], None]) -> None:
        """Tell of these packs no more: what the index objects that name them tell besides is put anew first."""
        objects = {name: packs for name, packs in self.objects().items() if gone & packs.keys()}
        rest = {one: records for packs in objects.values() for one, records in packs.items() if one not in gone}
        for one in sorted(gone):
            trash(one)
        if rest:
            self.add({one: records or self._own(one) for one, records in rest.items()})
        self._bucket.delete([f"{FOLDER}/{name}" for name in objects])
        self._known = {name: packs for name, packs in self.objects().items() if not gone & packs.keys()}
        self._merge()

    def objects(self) -> Mapping[str, Mapping[str, bytes]]:
        """All index objects by name: of each the records by pack."""
        return self._known or {}

    def places(self) -> Iterator[tuple[str, Place]]:
        """All pieces, with the name of their pack."""
        for start in range(0, len(self._records), RECORD_BYTES):
            record = self._records[start : start + RECORD_BYTES]
            yield self._packs[int.from_bytes(record[53:], "big")], place_of(record)

    def _merge(self) -> None:
        packs: dict[str, bytes] = {}
        for one in (self._known or {}).values():
            for name, records in one.items():
                packs[name] = records or packs.get(name, b"")
        self._packs = list(packs)
        everything, count = bytearray(), [0] * (_FAN + 1)
        # One by one: a million records as so many objects would take five times the room.
        for record in merge(
            *(_tagged(records or self._own(name), n) for n, (name, records) in enumerate(packs.items()))
        ):
            everything += record
            count[(record[0] << 4 | record[1] >> 4) + 1] += 1
        self._records = memoryview(everything)
        self._fan = array("I", accumulate(count))

    def _own(self, name: str) -> bytes:
        """The records that a pack tells of itself: for one that is only named, since the rest has gone."""
        path = f"packs/{name}"
        size = self._bucket.size(path)
        if size is None:
            return b""
        footer = bytes(self._bucket.part(path, max(size - pack.FOOTER_BYTES, 0), pack.FOOTER_BYTES) or b"")
        digest, begin, end = pack.index_bounds(footer, size, at=self._bucket.url)
        return pack.checked_records(
            digest, bytes(self._bucket.part(path, begin, end - begin) or b""), at=self._bucket.url
        )

    def _read(self, name: str) -> Mapping[str, bytes] | None:
        path = self._cache and os.path.join(self._cache, name)
        if path:
            with suppress(OSError):
                with open(path, "rb") as file:
                    data = file.read()
                if blake3(data).hexdigest() == name:
                    return decode(data, at=path)
        for _ in range(_ATTEMPTS):
            got = self._bucket.get(f"{FOLDER}/{name}")
            if got is None:
                return None
            if blake3(got).hexdigest() == name:
                if path:
                    _keep(path, got)
                return decode(got, at=self._bucket.url)
        raise RemoteUnreachable(
            "the remote, or what lies between, gives wrong bytes for an index",
            at=f"{self._bucket.url}: {FOLDER}/{name[:12]}",
            remedy="do this again; if it stays so, the object is damaged: push from a clone that has all of it",
        )


def _tagged(records: bytes, number: int) -> Iterator[bytes]:
    """The records of a pack, which are in order, with its number in their last bytes."""
    tail = number.to_bytes(3, "big")
    return (record[:53] + tail for record in pack.split(records))


def encode(packs: Mapping[str, bytes]) -> bytes:
    """An index object: of each pack its name, the number of its records, and these."""
    parts: list[bytes] = [_HEAD]
    for name, records in sorted(packs.items()):
        parts += [_PACK.pack(bytes.fromhex(name), len(records) // RECORD_BYTES), records]
    return b"".join(parts)


def decode(data: bytes, *, at: str) -> Mapping[str, bytes]:
    """Such an object read again. Raises BlobDamaged."""
    packs, start = {}, len(_HEAD)
    while data.startswith(_HEAD) and start + _PACK.size <= len(data):
        name, n = _PACK.unpack_from(data, start)
        start += _PACK.size
        packs[name.hex()] = data[start : start + n * RECORD_BYTES]
        start += n * RECORD_BYTES
    if start != len(data) or not data.startswith(_HEAD):
        raise BlobDamaged("an index of the remote is not in its form", at=at, remedy="push again from a whole clone")
    return packs


def spans(places: Iterable[tuple[str, Place]], *, most: int, gap: int) -> Iterator[tuple[str, Sequence[Place]]]:
    """Pieces of packs grouped into what is read at once: neighbours up to `most` bytes, over gaps up to `gap`."""
    group: list[Place] = []
    at = ""
    for name, place in sorted(places, key=lambda one: (one[0], one[1].offset)):
        if group and not (
            name == at
            and place.offset - (group[-1].offset + group[-1].stored_bytes) <= gap
            and place.offset + place.stored_bytes - group[0].offset <= most
        ):
            yield at, group
            group = []
        at = name
        group.append(place)
    if group:
        yield at, group


def _keep(path: str, data: bytes) -> None:
    """Only a copy: where there is no room for it, it is read again next time."""
    fresh = f"{path}.{os.getpid()}.new"
    with suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(fresh, "wb") as file:
            file.write(data)
        os.replace(fresh, path)
