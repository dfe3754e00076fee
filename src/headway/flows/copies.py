"""Copies that lie in `.headway/cache`: whoever deletes or damages one costs time, and nothing else.

Each begins with a line that names its form, then the 32 bytes of the BLAKE3 of all that follows. Their forms are
specified in `docs/formats/`. Neighbour: `flows/store` keeps what is no copy.
"""

import os
from contextlib import suppress

from blake3 import blake3


def read(file: str | None, head: bytes) -> memoryview | None:
    """What `write` put there; None when there is none, or it is damaged, or has another form."""
    try:
        with open(file or "", "rb") as f:
            data = f.read()
    except OSError:
        return None
    start = len(head) + 32
    # A flipped bit would be believed: hence the hash.
    if data.startswith(head) and blake3(data[start:]).digest() == data[len(head) : start]:
        return memoryview(data)[start:]
    return None


def write(file: str, head: bytes, body: bytes) -> bool:
    """Write a copy, atomically; False when that could not be done."""
    fresh = f"{file}.{os.getpid()}.new"
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(fresh, "wb") as f:
            f.write(head + blake3(body).digest() + body)
        os.replace(fresh, file)
    except OSError:
        with suppress(OSError):
            os.unlink(fresh)
        return False
    return True
