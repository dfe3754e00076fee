"""What the frames of a connection of HTTP/2 are, before they are whole: h2 holds what comes of one until all of it has.

Knows the nine bytes that every frame begins with (RFC 9113, section 4.1), nothing of what is in it.
"""

PREFACE_BYTES = 24
HEAD_BYTES = 9
DATA = 0


class Frames:
    """Walks along the bytes that a client sends, the preface first."""

    __slots__ = ("_head", "_is_data", "_left", "_most_bytes")

    def __init__(self, most_bytes: int) -> None:
        """`most_bytes`: how long a frame may say it is, without its head."""
        self._most_bytes = most_bytes
        self._head = bytearray()
        self._left = PREFACE_BYTES
        self._is_data = False

    def walk(self, data: bytes) -> int | None:
        """How many of these bytes are of other frames than DATA; None when a frame says that it is too long."""
        at = n_other = 0
        while at < len(data):
            if self._left:
                n = min(self._left, len(data) - at)
                self._left -= n
                at += n
                n_other += 0 if self._is_data else n
                continue
            n = min(HEAD_BYTES - len(self._head), len(data) - at)
            self._head += data[at : at + n]
            at += n
            n_other += n
            if len(self._head) == HEAD_BYTES:
                self._left = int.from_bytes(self._head[:3], "big")
                self._is_data = self._head[3] == DATA
                self._head.clear()
                if self._left > self._most_bytes:
                    return None
        return n_other
