"""Packs: many pieces of content in one file that never changes, with an index at its end. See `docs/formats/store.md`.

A piece is a blob of at most some megabytes, or the list of the pieces of a larger blob. The file on disk and the
object in a bucket have the same bytes. Knows neither: the back-ends `blobs_file` and `blobs_object` read and write.
"""

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct as Layout
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from headway.core.ids import Digest
from headway.errors import BlobDamaged

if TYPE_CHECKING:
    from mmap import mmap

HEAD = b"HWPACK1\n"
"""The first bytes of every pack."""

FULL_BYTES = 64 << 20
"""A pack that has grown to this is closed: small enough to be sent again, large enough that there are few."""

RAW, ZSTD, LIST = 0, 1, 2
"""The forms of a piece: as it is, compressed, or the list of the pieces of a larger blob (as it is)."""

_RECORD = Layout(">32sQIQB3x")
_FOOTER = Layout(">Q32s8s")
_LISTED = Layout(">32sI")
RECORD_BYTES = _RECORD.size
FOOTER_BYTES = _FOOTER.size
_TAIL = b"HWPACKX\n"

_SAMPLE = 64 << 10
_WORTH_IT = 0.95
_LEVEL = 1
_TRIED = 16


class Place(NamedTuple):
    """Where a piece lies in its pack: `stored_bytes` from `offset`; `size_bytes` of content; `form`."""

    digest: Digest
    offset: int
    stored_bytes: int
    size_bytes: int
    form: int


def record(place: Place) -> bytes:
    """The 56 bytes that tell of a piece in an index: its digest, then where it lies."""
    digest, offset, stored, size, form = place
    return _RECORD.pack(bytes.fromhex(digest), offset, stored, size, form)


def place_of(data: bytes | memoryview) -> Place:
    """A record read again."""
    digest, offset, stored, size, form = _RECORD.unpack(data)
    return Place(Digest(digest.hex()), offset, stored, size, form)


def ending(records: Iterable[bytes]) -> tuple[Digest, bytes]:
    """What stands at the end of a pack with these records, and the pack's name: the digest of the records, sorted."""
    body = b"".join(sorted(records))
    name = blake3(body)
    return Digest(name.hexdigest()), body + _FOOTER.pack(len(body) // RECORD_BYTES, name.digest(), _TAIL)


def index_bounds(footer: bytes, size: int, *, at: str) -> tuple[Digest, int, int]:
    """From the last 48 of a pack's `size` bytes: its name, and where its records begin and end.

    Raises BlobDamaged, naming the place `at`.
    """
    if len(footer) == FOOTER_BYTES:
        n, name, tail = _FOOTER.unpack(footer)
        begin = size - FOOTER_BYTES - n * RECORD_BYTES
        if tail == _TAIL and begin >= len(HEAD):
            return Digest(name.hex()), begin, size - FOOTER_BYTES
    raise not_a_pack(at)


def checked_records(name: Digest, records: bytes, *, at: str) -> bytes:
    """The records of the pack of that name. Raises BlobDamaged when they are others."""
    if blake3(records).hexdigest() != name:
        raise not_a_pack(at)
    return records


def not_a_pack(at: str) -> BlobDamaged:
    """The error for a file that stands where a pack should."""
    return BlobDamaged("a pack of the store is damaged: its index is not whole", at=at, remedy="`headway data verify`")


def split(records: bytes | memoryview) -> Iterator[bytes]:
    """The single records of an index."""
    for start in range(0, len(records), RECORD_BYTES):
        yield bytes(records[start : start + RECORD_BYTES])


def search(records: "bytes | memoryview | mmap", digest: bytes, low: int, high: int) -> int:
    """The number of the first record of `digest` among the sorted ones from `low` to `high`, or -1."""
    end = high
    while low < high:
        middle = (low + high) >> 1
        start = middle * RECORD_BYTES
        if bytes(records[start : start + 32]) < digest:
            low = middle + 1
        else:
            high = middle
    start = low * RECORD_BYTES
    return low if low < end and records[start : start + 32] == digest else -1


def shrinks(sample: bytes | memoryview) -> bool:
    """Whether content that begins like this is worth compressing: the first 64 KiB get 5 % smaller."""
    from zstandard import ZstdCompressor

    start = sample[:_SAMPLE]
    return len(start) > 0 and len(ZstdCompressor(_LEVEL).compress(start)) < len(start) * _WORTH_IT


class Packer:
    """Turns content into stored bytes, one piece after the other.

    Keeps the compressor, whose making costs more than a small piece; and where little of the last was worth
    compressing, only every sixteenth is tried.
    """

    __slots__ = ("_compress", "_n_raw")

    def __init__(self) -> None:
        from zstandard import ZstdCompressor

        self._compress = ZstdCompressor(_LEVEL).compress
        self._n_raw = 0

    def stored(self, data: bytes | memoryview) -> tuple[int, bytes | memoryview]:
        """The form and the stored bytes of a piece; compressed only where that makes it smaller."""
        if self._n_raw < _TRIED or self._n_raw % _TRIED == 0:
            small = self._compress(data) if len(data) > 64 and shrinks(data) else data
            if len(small) < len(data):
                self._n_raw = 0
                return ZSTD, small
        self._n_raw += 1
        return RAW, data


def content(stored: bytes, place: Place, *, at: str) -> bytes:
    """A piece's content, or a list as it is, verified. Raises BlobDamaged for any byte that is not as it was."""
    if place.form == LIST:
        # What it lists is verified as a whole, against the digest of the blob.
        if sum(size for _, size in listed(stored, at=at)) == place.size_bytes:
            return stored
    elif (data := unpacked(stored, place)) is not None and blake3(data).hexdigest() == place.digest:
        return data
    raise BlobDamaged(
        f"blob {place.digest[:12]} is damaged: its bytes are not those it was made of",
        at=at,
        remedy="`headway data verify` finds all such, and heals them from the remote",
    )


def unpacked(stored: bytes, place: Place) -> bytes | None:
    """A piece's content, not verified; None when it cannot be had."""
    return stored if place.form == RAW else Unpacker().content(stored, place)


class Unpacker:
    """Unpacks compressed pieces, one after the other; making the decompressor costs more than a small piece."""

    __slots__ = ("_decompressor",)

    def __init__(self) -> None:
        from zstandard import ZstdDecompressor

        self._decompressor = ZstdDecompressor()

    def content(self, stored: bytes, place: Place) -> bytes | None:
        """A piece's content, not verified; None when it cannot be had."""
        from zstandard import ZstdError

        try:
            # Never more than was promised: a few bytes can be made to unpack to gigabytes.
            return self._decompressor.decompress(stored, max_output_size=place.size_bytes)
        except ZstdError:
            return None


def encode_list(parts: Iterable[tuple[bytes, int]]) -> bytes:
    """A list of pieces: for each its digest (32 bytes) and size."""
    pack = _LISTED.pack
    return b"".join([pack(digest, size) for digest, size in parts])


def listed(data: bytes, *, at: str) -> Sequence[tuple[bytes, int]]:
    """The pieces in a list, in order: digest (32 bytes) and size. Raises BlobDamaged."""
    if len(data) % _LISTED.size:
        raise BlobDamaged("a list of pieces is damaged", at=at, remedy="`headway data verify`")
    return list(_LISTED.iter_unpack(data))


def overlapping(data: bytes, start: int, size: int, *, at: str) -> Iterator[tuple[bytes, int, int]]:
    """Of a list, the pieces that hold bytes `start` to `start + size` of the blob: digest, and from where to where.

    Raises BlobDamaged.
    """
    before = 0
    for digest, n in listed(data, at=at):
        if before >= start + size:
            return
        low, high = max(start - before, 0), min(start + size - before, n)
        if low < high:
            yield digest, low, high
        before += n
