"""Many small blobs out of packs into new files, pack by pack: each pack is read from its start to its end."""

import os
from collections.abc import Sequence

from blake3 import blake3

from headway.backends.blobs_file import files
from headway.backends.blobs_file.folder import Folder
from headway.codec import pack
from headway.codec.pack import LIST, RAW, Place
from headway.core.ids import Digest

Wanted = tuple[Digest, str, bool]

_WINDOW_BYTES = 4 << 20


def write_all(folder: Folder, wanted: Sequence[Wanted]) -> Sequence[Wanted]:
    """Write what lies in packs, each to a new file; returns what must be fetched by itself, or again.

    Raises FileExistsError, and others of the system.
    """
    rest: list[Wanted] = []
    packed: list[tuple[str, int, Place, Wanted]] = []
    find = folder.index.find
    for one in wanted:
        found = find(one[0])
        if found is None or found[1].form == LIST:
            rest.append(one)
        else:
            packed.append((found[0], found[1].offset, found[1], one))
    packed.sort(key=lambda item: item[:2])
    start, window, at = 0, b"", ""
    for path, offset, place, one in packed:
        if path != at or offset + place.stored_bytes > start + len(window):
            try:
                start, at, window = offset, path, folder.read(path, max(_WINDOW_BYTES, place.stored_bytes), offset)
            except FileNotFoundError:
                rest.append(one)
                continue
        stored = window[offset - start : offset - start + place.stored_bytes]
        content = stored if place.form == RAW else pack.unpacked(stored, place)
        # What is not as it was is fetched by itself: that finds another copy, or says what is wrong.
        if content is None or blake3(content).hexdigest() != one[0]:
            rest.append(one)
            continue
        fd = os.open(one[1], files.NEW, 0o777 if one[2] else 0o666)
        try:
            files.write(fd, content)
        finally:
            os.close(fd)
    return rest
