"""Blobs out of the folder of a store: as they are, verified, whether they lie in a pack, in chunks or as a file."""

import os
from collections.abc import Iterator, Sequence

from blake3 import blake3

from headway.backends.blobs_file import files, large
from headway.backends.blobs_file.collect import rewrite
from headway.backends.blobs_file.folder import Folder
from headway.backends.blobs_file.index import CUTS
from headway.codec import pack
from headway.codec.chunks import MAX_BYTES
from headway.codec.pack import LIST, RAW, Place
from headway.core.ids import Digest
from headway.errors import BlobDamaged, BlobMissing
from headway.ports import Piece

_RUN_BYTES = 4 << 20
"""Neighbouring pieces are read at once up to this."""


def whole(folder: Folder, digest: Digest) -> bytes:
    """A blob's content. Raises BlobMissing, BlobDamaged."""
    found = folder.index.find(digest)
    if found is None:
        return _file(folder, digest)
    if found[1].form == LIST:
        data = b"".join(_stream(folder, digest, found))
        if blake3(data).hexdigest() != digest:
            raise wrong(folder, digest)
        return data
    return _piece(folder, digest, found)


def some(folder: Folder, digest: Digest, start: int, size: int) -> bytes:
    """Up to `size` bytes of a blob's content from `start`. See `Blobs`."""
    found = folder.index.find(digest)
    if found is None:
        fd = _opened(folder, digest)
        try:
            return files.read_at(fd, size, start)
        finally:
            os.close(fd)
    data = _piece(folder, digest, found)
    if found[1].form != LIST:
        return data[start : start + size]
    cut = pack.overlapping(data, start, size, at=folder.root)
    return b"".join(whole(folder, Digest(part.hex()))[a:b] for part, a, b in cut)


def write_to(folder: Folder, digest: Digest, target: int) -> bool:
    """Write a blob's content to an empty file; False when it is another's, of which nothing may be used.

    Raises BlobMissing, and BlobDamaged where a single piece is to blame.
    """
    found = folder.index.find(digest)
    if found is None:
        source = _opened(folder, digest)
        try:
            if files.clone(source, target):
                return files.hash_of(source, os.fstat(source).st_size)[0] == digest
            return files.copy(source, target)[0] == digest
        finally:
            os.close(source)
    if found[1].form != LIST:
        files.write(target, _piece(folder, digest, found))
        return True
    return files.write_hashed(_stream(folder, digest, found), target)[0] == digest


def wrong(folder: Folder, digest: Digest) -> BlobDamaged:
    """What is wrong with a blob whose content was found to be another's, and out of the way with it."""
    return damaged(folder, digest) if folder.index.find(digest) is None else damaged_list(folder, digest)


def verify(folder: Folder, digest: Digest) -> None:
    """Read a blob, in bounded memory. Raises BlobMissing, BlobDamaged, after which the damage is out of the way."""
    found = folder.index.find(digest)
    if found is None:
        fd = _opened(folder, digest)
        try:
            is_right = files.hash_of(fd, os.fstat(fd).st_size)[0] == digest
        finally:
            os.close(fd)
    elif found[1].form == LIST:
        hasher = blake3()
        for data in _stream(folder, digest, found):
            hasher.update(data)
        is_right = hasher.hexdigest() == digest
    else:
        _piece(folder, digest, found)
        return
    if not is_right:
        raise wrong(folder, digest)


def link_to(folder: Folder, digest: Digest, path: str) -> bool:
    """Give a blob that is a file of its own a second name; False where that cannot be. Raises BlobDamaged."""
    if not folder.has_file(digest):
        return False
    fd = os.open(folder.path(digest), files.OLD)
    try:
        if files.hash_of(fd, os.fstat(fd).st_size)[0] != digest:
            raise damaged(folder, digest)
    finally:
        os.close(fd)
    try:
        os.link(folder.path(digest), path)
    except OSError:
        # Another file system, or one without links.
        return False
    return True


def pieces(folder: Folder, digests: Sequence[Digest]) -> Iterator[Piece]:
    """These blobs as pieces, in the order in which they lie. See `Blobs`."""
    where = {digest: folder.index.find(digest) for digest in digests}
    alone = [digest for digest, found in where.items() if found is None]
    packed = [(found[0], found[1].offset, digest) for digest, found in where.items() if found is not None]
    for _, _, digest in sorted(packed):
        # Asked again: what another process tidies up meanwhile moves.
        found = folder.index.find(digest)
        if found is None:
            raise folder.missing(digest)
        data = _piece(folder, digest, found)
        is_list = found[1].form == LIST
        yield Piece(digest, data, found[1].size_bytes, is_list=is_list, is_verified=not is_list)
    for digest in alone:
        listed = chunks_of(folder, digest)
        if listed is None:
            data = _file(folder, digest)
            yield Piece(digest, data, len(data), is_verified=True)
        else:
            parts = pack.encode_list((bytes.fromhex(place.digest), place.size_bytes) for place in listed)
            yield Piece(digest, parts, sum(place.size_bytes for place in listed), is_list=True)


def chunks_of(folder: Folder, digest: Digest) -> Sequence[Place] | None:
    """The chunks of a large blob that is a file of its own, in order; None for a small one. Raises BlobMissing."""
    try:
        if os.stat(folder.path(digest)).st_size <= MAX_BYTES:
            return None
        return _noted(folder, digest) or large.cuts(folder, digest)
    except FileNotFoundError as e:
        raise folder.missing(digest) from e


def parts(folder: Folder, digests: Sequence[Digest]) -> Iterator[tuple[Digest, Sequence[Digest]]]:
    """Of which pieces those are that are kept in pieces. See `Blobs`."""
    for digest in digests:
        found = folder.index.find(digest)
        if found is None:
            try:
                listed = chunks_of(folder, digest)
            except BlobMissing:
                continue
            if listed is not None:
                yield digest, [place.digest for place in listed]
        elif found[1].form == LIST:
            data = _piece(folder, digest, found)
            yield digest, [Digest(part.hex()) for part, _ in pack.listed(data, at=folder.root)]


def damaged(folder: Folder, digest: Digest) -> BlobDamaged:
    """Take a damaged file out of the way, so that storing it again mends the store; its good chunks are kept."""
    if digest + CUTS in folder.index.sources():
        rewrite(folder, digest + CUTS, lambda _: True)
    files.put_aside(folder.path(digest), folder.root)
    return _error(folder, digest)


def damaged_list(folder: Folder, digest: Digest) -> BlobDamaged:
    """Find what is wrong with a blob in pieces, and take that out of the way."""
    found = folder.index.find(digest)
    if found is not None:
        data = _piece(folder, digest, found)
        for part in {part for part, _ in pack.listed(data, at=folder.root)}:
            try:
                whole(folder, Digest(part.hex()))
            except (BlobMissing, BlobDamaged):
                continue
        # Without all it names, or naming what it is not made of, the list is of no use. Its pack may have changed.
        found = folder.index.find(digest)
        if found is not None:
            rewrite(folder, _source(folder, found[0]), lambda place: place.digest != digest)
    return _error(folder, digest)


def _noted(folder: Folder, digest: Digest) -> Sequence[Place] | None:
    """The chunks that are noted beside a blob; a chunk that occurs twice is noted once, so its sizes must add up."""
    if digest + CUTS not in folder.index.sources():
        return None
    places = sorted(map(pack.place_of, pack.split(folder.index.records(digest + CUTS))), key=lambda place: place.offset)
    is_whole = sum(place.size_bytes for place in places) == os.stat(folder.path(digest)).st_size
    return places if is_whole else None


def _piece(folder: Folder, digest: Digest, found: tuple[str, Place] | None) -> bytes:
    """A piece, or a list as it is, verified; looked for again when its pack has gone, or is not as it was."""
    n_wrong = 0
    while found is not None:
        path, place = found
        try:
            return pack.content(folder.read(path, place.stored_bytes, place.offset), place, at=path)
        except FileNotFoundError:
            folder.forget(_source(folder, path))
        except BlobDamaged:
            n_wrong += 1
            if n_wrong == 1:
                # Perhaps only the copy of the records is wrong.
                folder.index.drop_copy()
            else:
                rewrite(folder, _source(folder, path), lambda _: True)
        found = folder.index.find(digest)
    if folder.has_file(digest):
        return _file(folder, digest)
    raise _error(folder, digest) if n_wrong else folder.missing(digest)


def _source(folder: Folder, path: str) -> str:
    name = os.path.basename(path)
    return name if os.path.dirname(path) == folder.index.folder else name + CUTS


def _stream(folder: Folder, digest: Digest, found: tuple[str, Place]) -> Iterator[bytes]:
    """The content of a blob in pieces, from first to last, not verified: neighbours are read at once."""
    run: list[Place] = []
    path = ""
    for part, _ in pack.listed(_piece(folder, digest, found), at=folder.root):
        name = Digest(part.hex())
        here = folder.index.find(name)
        if here is None:
            yield from _run(folder, path, run)
            run = []
            yield _file(folder, name)
            continue
        follows = run and here[0] == path and run[-1].offset + run[-1].stored_bytes == here[1].offset
        if run and not (follows and here[1].offset - run[0].offset < _RUN_BYTES):
            yield from _run(folder, path, run)
            run = []
        path = here[0]
        run.append(here[1])
    yield from _run(folder, path, run)


def _run(folder: Folder, path: str, run: list[Place]) -> Iterator[bytes]:
    if not run:
        return
    first, last = run[0], run[-1]
    try:
        data = folder.read(path, last.offset + last.stored_bytes - first.offset, first.offset)
    except FileNotFoundError:
        for place in run:
            yield whole(folder, place.digest)
        return
    if all(place.form == RAW for place in run):
        yield data
        return
    for place in run:
        start = place.offset - first.offset
        content = pack.unpacked(data[start : start + place.stored_bytes], place)
        yield whole(folder, place.digest) if content is None else content


def _file(folder: Folder, digest: Digest) -> bytes:
    fd = _opened(folder, digest)
    try:
        data = files.read(fd)
    finally:
        os.close(fd)
    if blake3(data).hexdigest() != digest:
        raise damaged(folder, digest)
    return data


def _opened(folder: Folder, digest: Digest) -> int:
    try:
        return os.open(folder.path(digest), files.OLD)
    except FileNotFoundError as e:
        raise folder.missing(digest) from e


def _error(folder: Folder, digest: Digest) -> BlobDamaged:
    return BlobDamaged(
        f"blob {digest[:12]} is damaged: its bytes are not those it was made of",
        at=folder.root,
        remedy="it was put aside; `headway data verify` heals it from a remote that has it; have the disk checked",
    )
