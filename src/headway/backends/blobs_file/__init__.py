"""The store of blobs in a folder: `file:<path>`. Its form is specified in `docs/formats/store.md`.

A small blob stored by itself, and a large one of new content, is a read-only file `<first two digits>/<digest>`; what
is stored in batches lies in packs, and what changed little in a large blob in chunks. All is written under `tmp/` and
moved into place when it is whole. What turns out damaged is put aside under `damaged/`, so that whatever made it makes
it again. Knows nothing of trees, of the log, or of who needs what.

`files`, `folder` and `index` are the ground; `batch` and `large` store, `read` gives back, `collect` takes out.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Literal

from blake3 import blake3

from headway.backends import path_of
from headway.backends.blobs_file import collect, files, read, unpack
from headway.backends.blobs_file.batch import PackBatch
from headway.backends.blobs_file.folder import EMPTY, Folder
from headway.codec.chunks import MAX_BYTES
from headway.codec.pack import place_of, split
from headway.core.ids import Digest
from headway.errors import BlobDamaged, BlobMissing
from headway.ports import Batch, BlobInfo, Blobs, Piece, Tell

__all__ = ["EMPTY", "FileBlobs", "connect"]


class FileBlobs:
    """Blobs in the folder `root`, which is made when something is stored.

    With `hard_links`, what is fetched is the store's own file under a second name where that can be, and read-only.
    """

    __slots__ = ("_folder", "_hard_links", "_root")

    def __init__(self, root: str, *, hard_links: bool = False) -> None:
        self._root = root
        self._folder = Folder(root)
        self._hard_links = hard_links

    def put(self, data: bytes) -> Digest:
        """Store bytes. See `Blobs`."""
        if len(data) > MAX_BYTES:
            with self.batch() as batch:
                return batch.put(data)
        digest = Digest(blake3(data).hexdigest())
        with files.translated(self._root):
            if not self._folder.again(digest, len(data)):
                self._store(digest, data)
        return digest

    def put_file(self, path: str, *, move: bool = False) -> tuple[Digest, int]:
        """Store a file. See `Blobs`.

        What is stored is what was read, also while somebody writes to it. `move` asks for a file that nobody has
        open for writing; if it can be seen to change, has other names or lies elsewhere, it is copied.
        """
        try:
            fd = os.open(path, files.OLD)
        except OSError as e:
            raise files.translate(e, path) from e
        try:
            if move and (moved := self._moved(fd, path)):
                return moved
            kept = self._small(fd, path)
        finally:
            os.close(fd)
        if kept is None:
            with self.batch() as batch:
                kept = batch.put_file(path)
        if move:
            with files.translated(path):
                os.unlink(path)
        return kept

    def batch(self) -> AbstractContextManager[Batch]:
        """Store many things as one. See `Blobs`."""
        return PackBatch(self._folder)

    def get(self, digest: Digest) -> bytes:
        """The content. See `Blobs`."""
        with files.translated(self._root):
            return read.whole(self._folder, digest)

    def slice(self, digest: Digest, start: int, size: int) -> bytes:
        """A part of the content. See `Blobs`."""
        with files.translated(self._root):
            return read.some(self._folder, digest, start, size)

    def fetch(self, digest: Digest, path: str, *, executable: bool = False) -> None:
        """Write the content to a file. See `Blobs`; the file is new and gets the usual rights of a new file."""
        fresh = os.path.join(os.path.dirname(path), f".headway-{os.urandom(8).hex()}.tmp")
        with files.translated(path):
            if not self._folder.holds(digest):
                raise self._folder.missing(digest)
            if self._hard_links and not executable and read.link_to(self._folder, digest, fresh):
                os.replace(fresh, path)
                return
            target = os.open(fresh, files.NEW, 0o777 if executable else 0o666)
            try:
                try:
                    is_right = read.write_to(self._folder, digest, target)
                finally:
                    os.close(target)
                if is_right:
                    os.replace(fresh, path)
                    return
            except BaseException:
                os.unlink(fresh)
                raise
            os.unlink(fresh)
            raise read.wrong(self._folder, digest)

    def fetch_all(self, wanted: Sequence[tuple[Digest, str, bool]], tell: Tell | None = None) -> None:
        """Write many blobs. See `Blobs`; pack by pack, in the order in which they lie."""
        with files.translated(self._root):
            rest = unpack.write_all(self._folder, wanted, tell)
        for digest, path, executable in rest:
            self.fetch(digest, path, executable=executable)
            if tell is not None:
                tell(1)

    def has(self, digests: Sequence[Digest]) -> set[Digest]:
        """Those that are there. See `Blobs`. A few microseconds each."""
        with files.translated(self._root):
            packed, has_file = self._folder.index.holds_all(digests), self._folder.has_file
            return {digest for digest, held in zip(digests, packed, strict=True) if held or has_file(digest)}

    def renew(self, digests: Sequence[Digest], *, before: float) -> set[Digest]:
        """Those that are there, young. See `Blobs`; what cannot be made young, another user's file, is left out."""
        with files.translated(self._root):
            self._folder.index.refresh()
            return self._folder.renew(digests, before)

    def pieces(self, digests: Sequence[Digest]) -> Iterator[Piece]:
        """These blobs as pieces. See `Blobs`."""
        with files.translated(self._root):
            yield from read.pieces(self._folder, digests)

    def parts(self, digests: Sequence[Digest]) -> Iterator[tuple[Digest, Sequence[Digest]]]:
        """Of what pieces they are. See `Blobs`."""
        with files.translated(self._root):
            yield from read.parts(self._folder, digests)

    def check(self, digests: Sequence[Digest]) -> Iterator[tuple[Digest, Literal["missing", "damaged"]]]:
        """Those that cannot be had. See `Blobs`."""
        for digest in digests:
            try:
                with files.translated(self._root):
                    read.verify(self._folder, digest)
            except BlobMissing:
                yield digest, "missing"
            except BlobDamaged:
                yield digest, "damaged"

    def delete(self, digests: Collection[Digest], *, before: float) -> int:
        """Forget blobs. See `Blobs`; of a pack that is mostly needed nothing is taken."""
        return collect.delete(self._folder, digests, before=before)

    def list(self) -> Iterator[BlobInfo]:
        """All blobs and pieces. See `Blobs`; `at` is when one was last stored, again or for the first time."""
        for digest, status in self._folder.blobs():
            yield BlobInfo(digest=digest, size_bytes=status.st_size, at=status.st_mtime)
        for name in self._folder.index.sources():
            with suppress(FileNotFoundError, BlobDamaged):
                at = os.stat(self._folder.index.file_of(name)).st_mtime
                for place in map(place_of, split(self._folder.index.records(name))):
                    yield BlobInfo(digest=place.digest, size_bytes=place.size_bytes, at=at)

    def sweep(self, *, before: float) -> int:
        """Remove what killed writers left, and what was put aside as damaged. See `Blobs`."""
        freed = 0
        for name in ("tmp", "damaged"):
            for entry in files.entries(os.path.join(self._root, name)):
                with files.translated(self._root), suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    if status.st_mtime < before:
                        os.unlink(entry.path)
                        freed += status.st_size
        return freed

    def sync(self) -> None:
        """Make all that was stored durable. See `Blobs`: first the files, then the folders that name them."""
        with files.translated(self._root):
            self._folder.sync()

    def _store(self, digest: Digest, data: bytes) -> None:
        fd, fresh = files.create(self._folder.tmp)
        placed = False
        try:
            try:
                files.write(fd, data)
            finally:
                # Here a network's file system may say that it had no room after all.
                os.close(fd)
            self._folder.place(fresh, self._folder.path(digest))
            placed = True
        finally:
            if not placed:
                os.unlink(fresh)

    def _small(self, fd: int, path: str) -> tuple[Digest, int] | None:
        """Store a file of one piece from memory: when it is there already, no file is made at all."""
        with files.translated(path):
            os.lseek(fd, 0, os.SEEK_SET)
            data = os.read(fd, MAX_BYTES + 1)
            if len(data) > MAX_BYTES or os.read(fd, 1):
                return None
        return self.put(data), len(data)

    def _moved(self, fd: int, path: str) -> tuple[Digest, int] | None:
        """Use up the file itself; None when that cannot be done safely."""
        with files.translated(path):
            before = os.fstat(fd)
            link = os.lstat(path)
            if before.st_nlink != 1 or (link.st_dev, link.st_ino) != (before.st_dev, before.st_ino):
                return None
            digest, size = files.hash_of(fd, before.st_size)
            if size != before.st_size or _times(os.fstat(fd)) != _times(before):
                return None
            if self._folder.again(digest, size):
                os.unlink(path)
                return digest, size
            os.fchmod(fd, 0o444)
            os.utime(fd)
            try:
                self._folder.place(path, self._folder.path(digest))
            except OSError as e:
                import errno

                if e.errno != errno.EXDEV:
                    raise
                return None
        return digest, size


_: type[Blobs] = FileBlobs


_HARD = "?links=hard"


def connect(url: str) -> FileBlobs:
    """The store of `file:<path>`, or of `file:<path>?links=hard`; nothing is touched yet."""
    path = path_of(url)
    return FileBlobs(path.removesuffix(_HARD), hard_links=path.endswith(_HARD))


def _times(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
