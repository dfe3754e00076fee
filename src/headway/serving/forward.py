"""Hand one request on to a sibling process over its private socket, and its answer back.

Used by a version that no longer serves for the requests that still reach it on connections it holds. One connection
a request: a drained connection carries at most one more.
"""

import asyncio
from typing import NamedTuple

HOP = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"date", b"upgrade", b"expect"})
"""Headers that speak of one connection only."""

HANDED_ON = b"x-headway-handed-on"
"""Tells a client's request that a version handed on from a check: both come on the private socket."""

MAX_ANSWER_BYTES = 256 * 2**20

Headers = list[tuple[bytes, bytes]]


class Forwarded(NamedTuple):
    """A sibling's answer; `headers` without those of the connection."""

    status: int
    headers: Headers
    body: bytes


async def forward(path: str, *, method: str, target: bytes, headers: Headers, body: bytes) -> Forwarded:
    """Ask the process behind the socket at `path`. Raises OSError, EOFError or ValueError when it gives no answer."""
    reader, writer = await asyncio.open_unix_connection(path, limit=1 << 20)
    try:
        head = [b"%s %s HTTP/1.1" % (method.encode(), target)]
        head += [b"%s: %s" % (name, value) for name, value in headers if name not in HOP]
        head += [b"content-length: %d" % len(body), b"connection: close", b"", b""]
        writer.write(b"\r\n".join(head) + body)
        await writer.drain()
        lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        back = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines[1:-2])]
        length = 0 if method == "HEAD" else int(dict(back)[b"content-length"])
        if length > MAX_ANSWER_BYTES:
            raise ValueError(f"an answer of {length} bytes")
        content = await reader.readexactly(length)
    except (KeyError, asyncio.LimitOverrunError) as e:
        raise ValueError("the sibling's answer is not understood") from e
    finally:
        writer.close()
    return Forwarded(int(lines[0].split(b" ", 2)[1]), [h for h in back if h[0] not in HOP], content)
