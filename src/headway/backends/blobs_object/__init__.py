"""The store of blobs in a bucket: `s3://bucket/prefix`, `gs://…`, `az://…`, and `bucket:/folder` for a shared folder.

Its form is specified in `docs/formats/store.md`. Small blobs stored by themselves are objects; batches become packs of
which one index object tells, put last. Two may write at once without knowing of each other. Every byte that arrives is
verified. Knows nothing of trees, of the log, or of who needs what.
"""

import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Literal

import msgspec
from blake3 import blake3

from headway.backends.blobs_object import read
from headway.backends.blobs_object.batch import ObjectBatch, unreadable
from headway.backends.blobs_object.bucket import Bucket
from headway.backends.blobs_object.index import RemoteIndex
from headway.codec import chunks, pack
from headway.codec.pack import LIST
from headway.core.ids import Digest
from headway.errors import BlobDamaged, BlobMissing, StoreNewer
from headway.ports import Batch, BlobInfo, Blobs, Piece, Tell

FORM = 1
"""Of the store in the bucket, in `headway-store.json`; a later one is refused."""

KEPT_S = 13 * 86_400.0
"""Seconds for which packs that gc gave up are kept, beyond a day: longer than any upload."""

_MARK = "headway-store.json"
_MANY = 16
_ATTEMPTS = 3


class ObjectBlobs:
    """Blobs in a bucket; nothing is asked of it before something is stored or looked for."""

    __slots__ = ("_bucket", "_index", "_is_known", "_wrong")

    def __init__(self, bucket: Bucket, cache: str | None = None) -> None:
        self._bucket = bucket
        self._index = RemoteIndex(bucket, cache)
        self._is_known = False
        # Blobs by themselves of which wrong bytes came each time: they count as missing, and are stored again.
        self._wrong: set[Digest] = set()

    def put(self, data: bytes) -> Digest:
        """Store bytes. See `Blobs`. Put also when they are there: then they are young, for `gc`."""
        if len(data) > chunks.MAX_BYTES:
            with self.batch() as batch:
                return batch.put(data)
        self._see_form()
        digest = Digest(blake3(data).hexdigest())
        self._bucket.put(f"blobs/{digest}", data)
        self._wrong.discard(digest)
        return digest

    def put_file(self, path: str, *, move: bool = False) -> tuple[Digest, int]:
        """Store a file. See `Blobs`."""
        try:
            is_small = os.stat(path).st_size <= chunks.MAX_BYTES
            data = b""
            if is_small:
                with open(path, "rb") as file:
                    data = file.read(chunks.MAX_BYTES + 1)
        except FileNotFoundError:
            is_small = False
        except OSError as e:
            raise unreadable(path, e) from e
        if is_small:
            kept = self.put(data), len(data)
        else:
            with self.batch() as batch:
                kept = batch.put_file(path)
        if move:
            os.unlink(path)
        return kept

    def batch(self) -> AbstractContextManager[Batch]:
        """Store many things as one. See `Blobs`."""
        self._see_form()
        return ObjectBatch(self._bucket, self._index)

    def get(self, digest: Digest) -> bytes:
        """The content. See `Blobs`."""
        data = b"".join(self._content(digest))
        if blake3(data).hexdigest() != digest:
            raise read.damaged(self._bucket, digest)
        return data

    def slice(self, digest: Digest, start: int, size: int) -> bytes:
        """A part of the content. See `Blobs`."""
        found = self._find(digest)
        if found is None or found[1].form != LIST:
            return self.get(digest)[start : start + size]
        data = read.one(self._bucket, self._index, digest, found)
        cut = [(Digest(part.hex()), a, b) for part, a, b in pack.overlapping(data, start, size, at=self._bucket.url)]
        got = {piece.digest: piece.data for piece in self.pieces(list(dict.fromkeys(part for part, _, _ in cut)))}
        return b"".join(got[part][a:b] for part, a, b in cut)

    def fetch(self, digest: Digest, path: str, *, executable: bool = False) -> None:
        """Write the content to a file. See `Blobs`."""
        fresh = os.path.join(os.path.dirname(path), f".headway-{os.urandom(8).hex()}.tmp")
        self._write(digest, fresh, path, executable=executable)
        try:
            os.replace(fresh, path)
        except OSError as e:
            os.unlink(fresh)
            raise unreadable(path, e) from e

    def fetch_all(self, wanted: Sequence[tuple[Digest, str, bool]], tell: Tell | None = None) -> None:
        """Write many blobs. See `Blobs`."""
        by_digest: dict[Digest, list[tuple[str, bool]]] = {}
        for digest, path, executable in wanted:
            by_digest.setdefault(digest, []).append((path, executable))
        for piece in self.pieces(list(by_digest)):
            for path, executable in by_digest[piece.digest]:
                if piece.is_list:
                    self._write(piece.digest, path, path, executable=executable)
                else:
                    with _created(path, path, executable=executable) as fd:
                        _write_all(fd, piece.data)
                if tell is not None:
                    tell(1)

    def has(self, digests: Sequence[Digest]) -> set[Digest]:
        """Those that are there. See `Blobs`."""
        found = {digest for digest in digests if self._index.find(digest)}
        if len(found) < len(set(digests)):
            self._see_form()
            self._index.refresh()
            found = {digest for digest in digests if self._index.find(digest)}
            rest = set(digests) - found - self._wrong
            if len(rest) > _MANY:
                found |= rest & {Digest(one.path.rpartition("/")[2]) for one in self._bucket.list("blobs")}
            else:
                found |= {digest for digest in rest if self._bucket.size(f"blobs/{digest}") is not None}
        return found

    def renew(self, digests: Sequence[Digest], *, before: float) -> set[Digest]:
        """Those that are there, young. See `Blobs`; one index object names the old packs anew."""
        ages = self._index.ages()
        found = self.has(digests)
        places = {digest: self._index.find(digest) for digest in found}
        old = {place[0] for place in places.values() if place is not None and ages.get(place[0], 0.0) < before}
        if old:
            self._index.add(dict.fromkeys(sorted(old), b""))
        alone = {digest for digest, place in places.items() if place is None}
        for one in self._bucket.list("blobs") if alone else ():
            digest = Digest(one.path.rpartition("/")[2])
            if digest in alone and one.at < before:
                try:
                    self._bucket.put(one.path, self._alone(digest))
                except (BlobMissing, BlobDamaged):
                    found.discard(digest)
        return found

    def pieces(self, digests: Sequence[Digest]) -> Iterator[Piece]:
        """These blobs as pieces. See `Blobs`."""
        places = {digest: self._find(digest) for digest in digests}
        packed = [found for found in places.values() if found is not None]
        for place, data in read.in_order(self._bucket, self._index, packed):
            is_list = place.form == LIST
            yield Piece(place.digest, data, place.size_bytes, is_list=is_list, is_verified=not is_list)
        for digest, found in places.items():
            if found is None:
                data = self._alone(digest)
                yield Piece(digest, data, len(data), is_verified=True)

    def parts(self, digests: Sequence[Digest]) -> Iterator[tuple[Digest, Sequence[Digest]]]:
        """Of what pieces they are. See `Blobs`."""
        lists = [found for digest in digests if (found := self._find(digest)) and found[1].form == LIST]
        for place, data in read.in_order(self._bucket, self._index, lists):
            yield place.digest, [Digest(part.hex()) for part, _ in pack.listed(data, at=self._bucket.url)]

    def check(self, digests: Sequence[Digest]) -> Iterator[tuple[Digest, Literal["missing", "damaged"]]]:
        """Those that cannot be had. See `Blobs`."""
        for digest in digests:
            hasher = blake3()
            try:
                for data in self._content(digest):
                    hasher.update(data)
                if hasher.hexdigest() != digest:
                    raise read.damaged(self._bucket, digest)
            except BlobMissing:
                yield digest, "missing"
            except BlobDamaged:
                yield digest, "damaged"

    def delete(self, digests: Collection[Digest], *, before: float) -> int:
        """Forget blobs. See `Blobs`; a pack of which anything is needed stays as it is.

        A pack that goes is told of no more. It itself is kept for two weeks, and comes back when it turns out that
        somebody has named it again meanwhile: see `sweep`.
        """
        freed = 0
        for one in self._bucket.list("blobs"):
            if one.path.rpartition("/")[2] in digests and one.at < before:
                self._bucket.delete([one.path])
                freed += one.size_bytes
        ages = self._index.ages()
        needed = {name for name, place in self._index.places() if place.digest not in digests}
        gone = {name for name, at in ages.items() if name not in needed and at < before}
        if gone:
            freed += sum(place.stored_bytes for name, place in self._index.places() if name in gone)
            self._index.replace(gone, lambda name: self._bucket.put(f"trash/{name}", b""))
        return freed

    def list(self) -> Iterator[BlobInfo]:
        """All blobs and pieces. See `Blobs`; `at` is when one was stored, or relied on, last."""
        for one in self._bucket.list("blobs"):
            yield BlobInfo(digest=Digest(one.path.rpartition("/")[2]), size_bytes=one.size_bytes, at=one.at)
        ages = self._index.ages()
        for name, place in self._index.places():
            yield BlobInfo(digest=place.digest, size_bytes=place.size_bytes, at=ages.get(name, time.time()))

    def sweep(self, *, before: float) -> int:
        """Remove packs that nothing tells of, two weeks after they were given up or put. See `Blobs`."""
        named = self._index.ages()
        given_up = {one.path.rpartition("/")[2]: one.at for one in self._bucket.list("trash")}
        freed = 0
        for one in self._bucket.list("packs"):
            name = one.path.rpartition("/")[2]
            if name not in named and max(one.at, given_up.get(name, 0.0)) < before - KEPT_S:
                self._bucket.delete([one.path])
                freed += one.size_bytes
        there = {name for name, at in given_up.items() if name in named or at < before - KEPT_S}
        self._bucket.delete([f"trash/{name}" for name in sorted(there)])
        return freed

    def sync(self) -> None:
        """Make all that was stored durable. See `Blobs`."""
        self._bucket.sync()

    def _see_form(self) -> None:
        """Make the store's mark if there is none, and see that this version knows the form. Raises StoreNewer."""
        if self._is_known:
            return
        data = self._bucket.get(_MARK)
        if data is None:
            rule = [chunks.MIN_BYTES, chunks.MEAN_BYTES, chunks.MAX_BYTES]
            self._bucket.create(_MARK, msgspec.json.encode({"form": FORM, "fastcdc-2020": rule}) + b"\n")
        else:
            with suppress(msgspec.MsgspecError):
                form = msgspec.json.decode(data, type=dict[str, object]).get("form")
                if isinstance(form, int) and form > FORM:
                    raise StoreNewer(
                        f"the store has form {form}; this version of headway knows {FORM}",
                        at=f"{self._bucket.url}: {_MARK}",
                        remedy="install the version of headway that made it, or a newer one",
                    )
        self._is_known = True

    def _find(self, digest: Digest) -> read.Found | None:
        found = self._index.find(digest)
        if found is None and self._bucket.size(f"blobs/{digest}") is None:
            self._index.refresh()
            found = self._index.find(digest)
        return found

    def _content(self, digest: Digest) -> Iterator[bytes]:
        """A blob's content from first to last; of one in pieces each piece is verified, the whole is not."""
        found = self._find(digest)
        if found is None:
            yield self._alone(digest)
            return
        data = read.one(self._bucket, self._index, digest, found)
        if found[1].form != LIST:
            yield data
            return
        parts = [Digest(part.hex()) for part, _ in pack.listed(data, at=self._bucket.url)]
        # A stretch at a time: what lies near each other is read at once, and put in order in memory.
        for start in range(0, len(parts), 256):
            stretch = parts[start : start + 256]
            got = {piece.digest: piece.data for piece in self.pieces(list(dict.fromkeys(stretch)))}
            for part in stretch:
                yield got[part]

    def _alone(self, digest: Digest) -> bytes:
        """A blob that is an object of its own, verified; asked for again when it arrives wrong."""
        for _ in range(_ATTEMPTS):
            data = self._bucket.get(f"blobs/{digest}")
            if data is None:
                raise read.missing(self._bucket, digest)
            if blake3(data).hexdigest() == digest:
                return data
        # Not deleted: it may be whole, and the network be lying.
        self._wrong.add(digest)
        raise read.damaged(self._bucket, digest)

    def _write(self, digest: Digest, fresh: str, path: str, *, executable: bool) -> None:
        """Write a blob's content to a new file; it is removed when something is wrong."""
        content = self._content(digest)
        first = next(content)
        hasher = blake3(first)
        with _created(fresh, path, executable=executable) as fd:
            _write_all(fd, first)
            for data in content:
                hasher.update(data)
                _write_all(fd, data)
            if hasher.hexdigest() != digest:
                raise read.damaged(self._bucket, digest)


_: type[Blobs] = ObjectBlobs


def connect(url: str, environ: Mapping[str, str]) -> ObjectBlobs:
    """The store in a bucket; nothing is asked of it yet. `HEADWAY_CACHE` in `environ` is a folder for copies."""
    cache = environ.get("HEADWAY_CACHE")
    folder = cache and os.path.join(cache, "remotes", blake3(url.encode()).hexdigest()[:16])
    return ObjectBlobs(Bucket(url, environ), folder or None)


class _created(AbstractContextManager[int]):  # noqa: N801 (used as a function)
    """A new file to be written, which is removed when that fails; the system's errors in Headway's words."""

    def __init__(self, fresh: str, path: str, *, executable: bool) -> None:
        self._fresh, self._path, self._mode = fresh, path, 0o777 if executable else 0o666
        self._fd = -1

    def __enter__(self) -> int:
        try:
            self._fd = os.open(self._fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, self._mode)
        except OSError as e:
            raise unreadable(self._path, e) from e
        return self._fd

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _tb: object) -> None:
        os.close(self._fd)
        if kind is not None:
            os.unlink(self._fresh)
        if isinstance(error, OSError):
            raise unreadable(self._path, error) from error


def _write_all(fd: int, data: bytes) -> None:
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, memoryview(data)[done:])
