"""Pieces out of a bucket: neighbours read at once, several reads under way, each piece verified when it arrives."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from headway.backends.blobs_object.bucket import Bucket
from headway.backends.blobs_object.index import RemoteIndex, spans
from headway.codec import pack
from headway.codec.pack import LIST, Place
from headway.core.ids import Digest
from headway.errors import BlobDamaged, BlobMissing

_SPAN_BYTES = 8 << 20
_GAP_BYTES = 64 << 10
"""Bytes that are read and thrown away rather than asked for anew: what a request costs in time, about."""

_UNDER_WAY = 4
_ATTEMPTS = 3

Found = tuple[str, Place]

_Got = tuple[Place, bytes | None]


def in_order(bucket: Bucket, index: RemoteIndex, places: Iterable[Found]) -> Iterator[tuple[Place, bytes]]:
    """Pieces, verified, in the order in which they lie. Raises BlobMissing, BlobDamaged."""
    with ThreadPoolExecutor(_UNDER_WAY) as pool:
        waiting: deque[tuple[str, Future[Sequence[_Got]]]] = deque()
        try:
            for name, group in spans(places, most=_SPAN_BYTES, gap=_GAP_BYTES):
                waiting.append((name, pool.submit(_read, bucket, name, group)))
                if len(waiting) > _UNDER_WAY:
                    yield from _checked(bucket, index, *waiting.popleft())
            while waiting:
                yield from _checked(bucket, index, *waiting.popleft())
        finally:
            for _, asked in waiting:
                asked.cancel()


def one(bucket: Bucket, index: RemoteIndex, digest: Digest, found: Found) -> bytes:
    """A piece, or a list as it is, verified; from another pack when this one has it wrong. Raises as `in_order`."""
    is_wrong = False
    here: Found | None = found
    while here is not None:
        name, place = here
        for _ in range(_ATTEMPTS):
            stored = bucket.part(f"packs/{name}", place.offset, place.stored_bytes)
            if stored is None:
                break
            data = _right(bucket, place, stored)
            if data is not None and (place.form != LIST or _is_told(bucket, index, data)):
                return data
            is_wrong = True
        # Gone, or wrong each time: it is not in this pack, whatever the index tells.
        index.pass_over(name, digest)
        index.refresh()
        here = index.find(digest)
    raise damaged(bucket, digest) if is_wrong else missing(bucket, digest)


def missing(bucket: Bucket, digest: Digest) -> BlobMissing:
    """The error for a blob that the bucket does not hold."""
    return BlobMissing(
        f"blob {digest[:12]} is not there",
        at=bucket.url,
        remedy="`headway push` from a clone that has it; else run the step that made it again",
    )


def damaged(bucket: Bucket, digest: Digest) -> BlobDamaged:
    """The error for a blob of which wrong bytes arrive, time after time."""
    return BlobDamaged(
        f"blob {digest[:12]} is damaged: the bytes that arrive are not those it was made of",
        at=bucket.url,
        remedy="try again; if it stays so, `headway push` from a clone that has it puts it there anew",
    )


def _read(bucket: Bucket, name: str, group: Sequence[Place]) -> Sequence[_Got]:
    """Neighbours, each with its content, verified, or None where that is not what it should be."""
    start = group[0].offset
    data = bucket.part(f"packs/{name}", start, group[-1].offset + group[-1].stored_bytes - start)
    if data is None:
        return [(place, None) for place in group]
    return [
        (place, _right(bucket, place, data[place.offset - start : place.offset - start + place.stored_bytes]))
        for place in group
    ]


def _right(bucket: Bucket, place: Place, stored: memoryview) -> bytes | None:
    try:
        return pack.content(bytes(stored), place, at=bucket.url)
    except BlobDamaged:
        return None


def _checked(
    bucket: Bucket, index: RemoteIndex, name: str, asked: Future[Sequence[_Got]]
) -> Iterator[tuple[Place, bytes]]:
    for place, data in asked.result():
        if data is not None and (place.form != LIST or _is_told(bucket, index, data)):
            yield place, data
        else:
            yield place, one(bucket, index, place.digest, (name, place))


def _is_told(bucket: Bucket, index: RemoteIndex, data: bytes) -> bool:
    """Whether all that a list names is there: it has no digest of its own, and may have been changed on its way."""
    for part, size in pack.listed(data, at=bucket.url):
        found = index.find(Digest(part.hex()))
        if found is None or found[1].size_bytes != size:
            return False
    return True
