"""How much clients may ask of a version that serves, and for how long: as a person writes it, and as servers are told.

Does not know how limits are kept: `serving/limits`, `serving/batch` and `serving/body` do.
"""

from typing import Any

from msgspec import Struct

from headway.core.keyed import Key, duration, read_keys, size
from headway.core.problem import Problem


class Limits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the process of one version takes on. Sizes in bytes, times in seconds."""

    max_body_bytes: int = 16 * 2**20
    """A larger request is refused (413): some 50,000 rows of 30 numbers; more belongs into a batch job."""

    max_gathered_bytes: int = 256 * 2**20
    """Bytes of all bodies that are not whole yet; above it requests get 503 and a time to come back."""

    max_waiting: int = 1024
    """Requests that wait for the model; above it they get 503. A light model answers so many in 50 ms."""

    max_waiting_rows: int = 200_000
    """Rows of all requests that wait; above it requests get 503, unless nobody else waits."""

    answer_s: float = 30.0
    """A request that the model has not answered by then gets 504, and is not computed if it has not begun."""

    receive_s: float = 60.0
    """A request must be whole so long after its first byte; else its connection is closed."""

    idle_s: float = 75.0
    """A connection on which nothing is sent is closed after that. Longer than clients' and proxies' own limit (60 s is
    usual), so that it is they who close: a server that closes may cross a request that was just written."""

    max_head_bytes: int = 64 * 2**10
    """Request line and headers together; more is refused (431)."""


# Any: `limits:` as a person wrote it.
def read_limits(value: Any) -> Limits | list[Problem]:  # noqa: ANN401 (as above)
    """Read `limits: {queue: 256, body: 4MB, answer: 5s}`; what is not named stays as it is by default.

    >>> read_limits({"queue": 256, "body": "4MB", "answer": "5s"})
    Limits(max_body_bytes=4000000, max_gathered_bytes=268435456, max_waiting=256, max_waiting_rows=200000, \
answer_s=5.0, receive_s=60.0, idle_s=75.0, max_head_bytes=65536)
    >>> read_limits({"queue": 0})[0].remedy
    'write how many requests may wait for the model, at least 1: 256'
    """
    read = read_keys(value, KEYS, form=FORM, of="limits")
    return read if isinstance(read, list) else Limits(**read)


# Any: what a person wrote. A text is what the command line gives.
def _count(value: Any) -> int | None:  # noqa: ANN401 (as above)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST else None


# Any: as above.
def _bytes(value: Any) -> int | None:  # noqa: ANN401 (as above)
    return size(value) or None


# Any: as above.
def _head_bytes(value: Any) -> int | None:  # noqa: ANN401 (as above)
    read = size(value)
    return None if read is None or read < _LEAST_HEAD else read


# Any: as above.
def _time(value: Any) -> float | None:  # noqa: ANN401 (as above)
    return duration(value) or None


_MOST = 10**9
# Smaller than that no client's headers are.
_LEAST_HEAD = 1024

FORM = "write a mapping such as `limits: {queue: 256, body: 4MB, answer: 5s}`"

KEYS = {
    "body": Key("max_body_bytes", _bytes, "write the most bytes that a request may have: 16MiB"),
    "arriving": Key("max_gathered_bytes", _bytes, "write how much may be on its way at once: 256MiB"),
    "queue": Key("max_waiting", _count, "write how many requests may wait for the model, at least 1: 256"),
    "queue-rows": Key("max_waiting_rows", _count, "write how many rows may wait for the model, at least 1: 100000"),
    "answer": Key("answer_s", _time, "write how long the model may take for an answer: 5s"),
    "request": Key("receive_s", _time, "write how long a request may take to arrive: 60s"),
    "idle": Key("idle_s", _time, "write how long a connection may be silent: 75s"),
    "headers": Key("max_head_bytes", _head_bytes, "write the most bytes that headers may have, at least 1024: 64KiB"),
}
"""The keys of `limits:`, and of `--limit` on the command line."""
