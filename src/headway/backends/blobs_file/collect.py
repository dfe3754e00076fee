"""Taking out of a store: what nobody needs, and what is damaged. The rest of a pack is written anew before it goes."""

import os
from collections.abc import Callable, Collection
from contextlib import suppress

from headway.backends.blobs_file import files
from headway.backends.blobs_file.folder import Folder
from headway.backends.blobs_file.index import CUTS
from headway.codec import pack
from headway.codec.pack import Place, place_of, record, split
from headway.core.ids import Digest
from headway.errors import BlobDamaged

_WASTE = 0.3
"""The share of a pack that must be needed by nobody before the rest is written anew."""


def delete(folder: Folder, digests: Collection[Digest], *, before: float) -> int:
    """Forget those of the blobs that were stored last before then; the bytes that this freed. See `Blobs`."""
    doomed = frozenset(digests)
    freed = 0
    folder.index.refresh()
    whole = {digest: status for digest, status in folder.blobs() if digest in doomed}
    for name in sorted(folder.index.sources()):
        if name.endswith(CUTS) and name[: -len(CUTS)] not in whole:
            continue
        with folder.locked(alone=True), files.translated(folder.root):
            freed += _thin(folder, name, doomed, before)
    for digest in whole:
        with folder.locked(alone=True), files.translated(folder.root), suppress(FileNotFoundError):
            status = os.stat(folder.path(digest))
            if status.st_mtime < before and not os.path.exists(os.path.join(folder.index.folder, digest + CUTS)):
                os.unlink(folder.path(digest))
                folder.pending.discard(folder.path(digest))
                freed += status.st_size
    folder.index.refresh()
    return freed


def rewrite(folder: Folder, name: str, wanted: Callable[[Place], object]) -> int:
    """Write the wanted pieces of a source anew, as far as they are whole, and remove it; the bytes that were lost.

    What is not whole is put aside with the file it lay in. Killed in between, some pieces are there twice.
    """
    path = folder.index.file_of(name)
    try:
        places = [place_of(one) for one in split(folder.index.records(name))]
        size = os.stat(path).st_size
    except FileNotFoundError:
        return 0
    except BlobDamaged:
        files.put_aside(os.path.join(folder.index.folder, name), folder.root)
        folder.forget(name)
        return 0
    kept = _copied(folder, path, [place for place in places if wanted(place)])
    is_whole = kept[1]
    at = os.path.join(folder.index.folder, name)
    if name.endswith(CUTS):
        with suppress(FileNotFoundError):
            os.unlink(at)
    if is_whole:
        with suppress(FileNotFoundError):
            os.unlink(path)
    else:
        files.put_aside(path, folder.root)
    folder.forget(name)
    return size - kept[0]


def _thin(folder: Folder, name: str, doomed: frozenset[Digest], before: float) -> int:
    """Take a source away when enough of it is needed by nobody, and nobody has stored any of it since."""
    path = folder.index.file_of(name)
    try:
        status = os.stat(path)
        places = [place_of(one) for one in split(folder.index.records(name))]
    except FileNotFoundError:
        folder.forget(name)
        return 0
    except BlobDamaged:
        # `check` is for that; nothing is deleted by one that cannot be read.
        return 0
    if status.st_mtime >= before:
        return 0
    waste = sum(place.stored_bytes for place in places if place.digest in doomed)
    needed = sum(place.stored_bytes for place in places if place.digest not in doomed)
    if waste <= _WASTE * (waste + needed):
        return 0
    return rewrite(folder, name, lambda place: place.digest not in doomed)


def _copied(folder: Folder, path: str, places: list[Place]) -> tuple[int, bool]:
    """A new pack with these pieces, as far as they are whole: its bytes, and whether all were."""
    records, offset, are_whole = [], len(pack.HEAD), True
    if not places:
        return 0, True
    with files.translated(folder.root):
        fd, fresh = files.create(folder.tmp)
        try:
            try:
                files.write(fd, pack.HEAD)
                for place in sorted(places, key=lambda place: place.offset):
                    stored = folder.read(path, place.stored_bytes, place.offset)
                    try:
                        pack.content(stored, place, at=path)
                    except BlobDamaged:
                        are_whole = False
                        continue
                    files.write(fd, stored)
                    records.append(record(Place(place.digest, offset, *place[2:])))
                    offset += len(stored)
                name, end = pack.ending(records)
                files.write(fd, end)
                os.fsync(fd)
            finally:
                os.close(fd)
            if records:
                folder.place(fresh, os.path.join(folder.index.folder, name))
                folder.index.add(name, records)
                # The old one is about to go: its place must be taken for good before.
                folder.sync()
                return offset + len(end), are_whole
        finally:
            with suppress(FileNotFoundError):
                os.unlink(fresh)
    return 0, are_whole
