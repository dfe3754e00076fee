"""Many small blobs out of packs into new files, pack by pack: each pack is read from its start to its end.

By one thread: two take 1.4 times as long, each waits for the other after every call of the system; two processes gain
a tenth of the time for a third more of the processors' (100,000 files, ext4).
"""

import os
from collections.abc import Sequence

from blake3 import blake3

from headway.backends.blobs_file import files
from headway.backends.blobs_file.folder import Folder
from headway.codec import pack
from headway.codec.pack import LIST, RAW, Place
from headway.core.ids import Digest
from headway.ports import Tell

Wanted = tuple[Digest, str, bool]
"""A blob, the file to write it to, and whether that is executable."""
_Packed = tuple[str, int, Place, Wanted]
"""The pack in which one lies, and where in it."""

_OFTEN = 200
"""Files after which one who waits is told: some milliseconds."""
_WINDOW_BYTES = 4 << 20


def write_all(folder: Folder, wanted: Sequence[Wanted], tell: Tell | None = None) -> Sequence[Wanted]:
    """Write what lies in packs, each to a new file; returns what must be fetched by itself, or again.

    Raises FileExistsError, and others of the system.
    """
    rest: list[Wanted] = []
    packed: list[_Packed] = []
    for one, found in zip(wanted, folder.index.find_all([one[0] for one in wanted]), strict=True):
        if found is None or found[1].form == LIST:
            rest.append(one)
        else:
            packed.append((found[0], found[1].offset, found[1], one))
    packed.sort(key=lambda item: item[:2])
    return [*rest, *_write(packed, tell)]


def _write(packed: Sequence[_Packed], tell: Tell | None) -> list[Wanted]:
    """Write each to its new file, in the order in which they lie; returns those that could not be had."""
    rest: list[Wanted] = []
    unpacker = pack.Unpacker()
    start, window, at, fd = 0, b"", "", -1
    n = 0
    try:
        for path, offset, place, one in packed:
            if path != at:
                fd, at, window = _opened(path, fd), path, b""
            if not start <= offset <= start + len(window) - place.stored_bytes and fd >= 0:
                start, window = offset, os.pread(fd, max(_WINDOW_BYTES, place.stored_bytes), offset)
            stored = window[offset - start : offset - start + place.stored_bytes]
            content = stored if place.form == RAW else unpacker.content(stored, place)
            # What is not as it was is fetched by itself: that finds another copy, or says what is wrong.
            if content is None or blake3(content).hexdigest() != one[0]:
                rest.append(one)
                continue
            _create(one, content)
            n += 1
            if n == _OFTEN and tell is not None:
                tell(n)
                n = 0
        if n and tell is not None:
            tell(n)
    finally:
        if fd >= 0:
            os.close(fd)
    return rest


def _opened(path: str, before: int) -> int:
    """A pack, instead of the one that was open; -1 when it is gone, since its pieces lie elsewhere then."""
    if before >= 0:
        os.close(before)
    try:
        return os.open(path, files.OLD)
    except FileNotFoundError:
        return -1


def _create(one: Wanted, content: bytes) -> None:
    fd = os.open(one[1], files.NEW, 0o777 if one[2] else 0o666)
    try:
        done = os.write(fd, content)
        if done < len(content):
            files.write(fd, content[done:])
    finally:
        os.close(fd)
