"""Restores from a store of headway on disk without headway: pip install blake3 zstandard, and docs/formats/store.md."""
# python restore_without_headway.py .headway/blobs DIGEST TARGET [tree]

import json
import struct
import sys
from pathlib import Path

from blake3 import blake3
from zstandard import ZstdDecompressor

STORE, DIGEST, TARGET = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
PLACES = {}  # digest: the file it lies in, where, how many bytes, its size, its form
for source in sorted((STORE / "packs").glob("*")) if (STORE / "packs").is_dir() else []:
    data = source.read_bytes()
    (n,) = struct.unpack(">Q", data[-48:-40])
    body = data[-48 - 56 * n : -48]
    # A .cuts tells of chunks that lie in a blob kept whole.
    blob = source.name.removesuffix(".cuts")
    where = source if blob == source.name else STORE / blob[:2] / blob
    for record in struct.iter_unpack(">32sQIQB3x", body):
        PLACES[record[0].hex()] = (where, *record[1:])


def content(digest: str) -> bytes:
    """A blob's bytes, verified."""
    if digest in PLACES:
        where, offset, stored, size, form = PLACES[digest]
        with where.open("rb") as file:
            file.seek(offset)
            data = file.read(stored)
        if form == 1:
            data = ZstdDecompressor().decompress(data, max_output_size=size)
        if form == 2:
            data = b"".join(content(part.hex()) for part, _ in struct.iter_unpack(">32sI", data))
    else:
        data = (STORE / digest[:2] / digest).read_bytes()
    if blake3(data).hexdigest() != digest:
        raise SystemExit(f"{digest} is damaged")
    return data


def name(text: str) -> str:
    """A path of a tree: %XX stands for a byte that is no UTF-8, %25 for %."""
    first, *rest = text.split("%")
    return first + "".join("%" + p[2:] if p[:2] == "25" else chr(0xDC00 + int(p[:2], 16)) + p[2:] for p in rest)


if sys.argv[4:] != ["tree"]:
    TARGET.write_bytes(content(DIGEST))
    sys.exit()
for line in content(DIGEST).splitlines()[1:]:
    kind, path, *more = json.loads(line)
    place = TARGET / name(path)
    (place if kind == "dir" else place.parent).mkdir(parents=True, exist_ok=True)
    if kind == "link":
        place.symlink_to(name(more[0]))
    if kind == "file":
        place.write_bytes(content(more[0]))
        place.chmod(0o755 if more[2] else 0o644)
