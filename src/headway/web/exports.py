"""What is handed out as a file, of any size: who did what as CSV or JSON lines, and the log itself with its chain.

It is read and sent a part at a time, each with the log opened anew, so that a million facts need no room.
"""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from headway.core.audit_trail import Deed, Sought
from headway.errors import UsageMistaken
from headway.flows import audit_trail
from headway.web.access import Endpoint
from headway.web.page_audit import sought
from headway.web.pages import API
from headway.web.site import Site

PATH = f"{API}/audit/export"

COLUMNS = ("seq", "at", "by", "about", "kind", "text", "why", "hash")

KINDS = ("text/csv; charset=utf-8", "application/x-ndjson")

ASKS = {
    "format": "csv, jsonl (default), or log: all facts as they lie there",
    "by": "who did it",
    "about": "what it was done to: model, endpoint/churn",
    "kind": "a kind of fact",
    "since": "so long ago (7d), or a date",
}

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""

Portion = tuple[bytes, int, bool]
"""What is sent next, the number of the fact that it ends with, and whether it is the last."""


def endpoint(site: Site) -> Endpoint:
    """What answers: `?format=csv`, `jsonl` or `log`, and for the first two what the page takes."""
    csv_, lines = KINDS
    kinds: dict[str, tuple[str, Callable[[Site, Sought, int], Portion]]] = {
        "csv": (csv_, _csv),
        "jsonl": (lines, _jsonl),
        "log": (lines, _log),
    }

    async def answer(request: Request) -> Response:
        wanted = request.query_params.get("format", "jsonl")
        if wanted not in kinds:
            raise UsageMistaken(f"{wanted!r} is no format", at="format", remedy=f"ask for one of {', '.join(kinds)}")
        kind, made = kinds[wanted]
        asked = sought(dict(request.query_params), site.now())
        # The first part before anything is sent: what cannot be read is an error, and not half a file.
        first = await asyncio.to_thread(made, site, asked, 0)
        name = "headway-log.jsonl" if wanted == "log" else f"headway-audit.{wanted}"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(_parts(first, made, site, asked), media_type=kind, headers=headers)

    return answer


async def _parts(
    first: Portion, made: Callable[[Site, Sought, int], Portion], site: Site, asked: Sought
) -> AsyncIterator[bytes]:
    data, seq, is_last = first
    yield data
    while not is_last:
        data, seq, is_last = await asyncio.to_thread(made, site, asked, seq)
        yield data


def _deeds(site: Site, asked: Sought, after: int) -> audit_trail.Part:
    with site.looking() as parts:
        return audit_trail.part(parts.log, asked, after=after)


def _jsonl(site: Site, asked: Sought, after: int) -> Portion:
    found = _deeds(site, asked, after)
    return b"".join(msgspec.json.encode(_told(deed)) + b"\n" for deed in found.deeds), found.seq, found.is_last


def _csv(site: Site, asked: Sought, after: int) -> Portion:
    found = _deeds(site, asked, after)
    file = io.StringIO()
    writer = csv.writer(file)
    if not after:
        writer.writerow(COLUMNS)
    for deed in found.deeds:
        writer.writerow([_cell(value) for value in _told(deed).values()])
    return file.getvalue().encode(), found.seq, found.is_last


def _log(site: Site, _asked: Sought, after: int) -> Portion:
    with site.looking() as parts:
        found = list(audit_trail.rows(parts.log, after=after))
    lines = [
        msgspec.json.encode(
            {"seq": row.seq, "stream": row.stream, "n": row.n, "at": row.at, "kind": row.kind, "key": row.key}
            | {"body": row.body.decode("utf-8", "backslashreplace"), "hash": row.hash}
        )
        for row in found
    ]
    return b"".join(line + b"\n" for line in lines), found[-1].seq if found else after, len(found) < audit_trail.PART


def _told(deed: Deed) -> dict[str, str | int]:
    at = datetime.fromtimestamp(deed.at, UTC).isoformat(timespec="milliseconds")
    return {name: at if name == "at" else getattr(deed, name) for name in COLUMNS}


def _cell(value: str | int) -> str | int:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
