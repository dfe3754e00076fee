"""What the server needs to know of traces without OpenTelemetry.

A request's trace is known from its `traceparent` in any case, so that failures are told with it. Neighbours: `tracing`
decides whether spans are sent, `spans` makes them.
"""

import re
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol

# Any: ASGI's own types are open mappings.
Words = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Words]]
Send = Callable[[Words], Awaitable[None]]
Answer = Callable[[Words, Receive, Send], Awaitable[None]]

TRACEPARENT = b"traceparent"

_PARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Spans(Protocol):
    """What traces an application's requests. Nothing here blocks or raises."""

    def is_due(self, scope: Words) -> bool:
        """Whether a request is to be traced and is not yet: probes and `/metrics` never are."""

    async def around(self, answer: Answer, scope: Words, receive: Receive, send: Send) -> None:
        """Let `answer` answer a request within a span, which the headers name then, for whoever is asked next."""

    def asked(self, n_rows: int) -> object:
        """The span of the request under way, which asks the model for these rows; handed back to `computed`."""

    def computed(self, asked: object, n_rows: int, n_requests: int, took_s: float, *, failed: bool) -> None:
        """The model was called just now for a request, and for the others of its batch."""

    async def close(self) -> None:
        """Send what is left; waits a little."""


def trace_id(headers: Mapping[bytes, bytes]) -> str | None:
    """The trace that a request belongs to, as 32 digits; None when it names none, or not rightly.

    >>> trace_id({b"traceparent": b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
    '4bf92f3577b34da6a3ce929d0e0e4736'
    """
    told = headers.get(TRACEPARENT)
    found = None if told is None else _PARENT.fullmatch(told)
    return None if found is None else found[1].decode()


def named(request_id: str, headers: Mapping[bytes, bytes]) -> str:
    """How a line of the server's log names a request: by its id, and its trace if it has one."""
    trace = trace_id(headers)
    return request_id if trace is None else f"{request_id} (trace {trace})"


def say(text: str) -> None:
    """A line of the server's log."""
    sys.stderr.write(time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime()) + text.rstrip() + "\n")
    sys.stderr.flush()
