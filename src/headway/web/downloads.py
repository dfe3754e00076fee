"""Files as they are: what a step printed, and what it made; whole, or the part that was asked for (RFC 9110, 14.2).

Read and sent a part at a time, so that their size does not matter. Nothing of them is ever shown as a page of ours.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from headway.web import answers
from headway.web.access import Endpoint
from headway.web.named import run_of, stands, step_of
from headway.web.page_outputs import PICTURES, entry_of, output_of, suffix
from headway.web.pages import API, Asked
from headway.web.site import Site

LOG = "/runs/{run}/steps/{step}/log/file"
OUTPUT = "/runs/{run}/steps/{step}/outputs/{name}/file"

ASKS: dict[str, dict[str, str]] = {
    API + LOG: {},
    API + OUTPUT: {"path": "the file, where the output is a folder"},
}
"""What each address may have behind its `?`."""

PART_BYTES = 4 << 20

HEADERS = {
    "accept-ranges": "bytes",
    # Whatever is in it is nobody's page, least of all one of ours.
    "content-security-policy": "default-src 'none'; sandbox",
    # A part of a file that is compressed on its way is no part of it.
    "content-encoding": "identity",
}


class File(Struct, frozen=True, kw_only=True):
    """What is sent: `read` gives up to so many bytes from a place on. `tag` is the content's, empty while it grows."""

    name: str
    size: int
    read: Callable[[Asked, int, int], bytes]
    kind: str = "application/octet-stream"
    tag: str = ""


Find = Callable[[Asked], File]
"""The file that an address names. Raises NameUnknown."""


def endpoint(site: Site, find: Find) -> Endpoint:
    """What answers with the file that `find` finds."""

    async def answer(request: Request) -> Response:
        asked = {name: str(value) for name, value in request.path_params.items()}, dict(request.query_params)
        file = await asyncio.to_thread(_with, site, asked, find)
        headers = {**HEADERS, "content-disposition": f"attachment; filename*=utf-8''{quote(file.name, safe='')}"}
        if file.tag:
            headers["etag"] = f'"{file.tag}"'
            if request.headers.get("if-none-match") == headers["etag"]:
                return Response(status_code=304, headers=headers)
        wanted = _range(request, file, headers.get("etag", ""))
        if wanted is None:
            there = {"content-range": f"bytes */{file.size}"}
            return answers.refusal(request, 416, f"there are {file.size:,} bytes", "ask for a part of these", there)
        start, end = wanted
        is_part = end - start < file.size
        headers["content-length"] = str(end - start)
        if is_part:
            headers["content-range"] = f"bytes {start}-{end - 1}/{file.size}"
        return StreamingResponse(
            _parts(site, asked, file, start, end), 206 if is_part else 200, headers, media_type=file.kind
        )

    return answer


Address = tuple[dict[str, str], dict[str, str]]
"""What a path and what a query say."""


def _with(site: Site, address: Address, find: Find) -> File:
    with site.looking() as parts:
        return find(Asked(site=site, parts=parts, now=site.now(), path=address[0], query=address[1]))


async def _parts(site: Site, address: Address, file: File, start: int, end: int) -> AsyncIterator[bytes]:
    for at in range(start, end, PART_BYTES):
        yield await asyncio.to_thread(_read, site, address, file, at, min(PART_BYTES, end - at))


def _read(site: Site, address: Address, file: File, at: int, size: int) -> bytes:
    with site.looking() as parts:
        asked = Asked(site=site, parts=parts, now=0.0, path=address[0], query=address[1])
        return file.read(asked, at, size)


def _range(request: Request, file: File, etag: str) -> tuple[int, int] | None:
    """From where to where; all of it where no part, several or something else is asked for. None: there is no such."""
    if request.headers.get("if-range", etag) != etag:
        return 0, file.size
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", request.headers.get("range", "").strip())
    if found is None or not (found[1] or found[2]):
        return 0, file.size
    if not found[1]:
        start, end = max(file.size - int(found[2]), 0), file.size
    else:
        start, end = int(found[1]), min(int(found[2]) + 1 if found[2] else file.size, file.size)
        if found[2] and int(found[2]) < start:
            return 0, file.size
    return None if start >= end else (start, end)


def log(asked: Asked) -> File:
    """What the last attempt of a step printed, as it came."""
    run, _ = stands(asked)
    step = step_of(run, asked)
    printed = asked.site.shelf.printed(asked.parts.blobs, asked.site.settings.home, run, step.step)

    def read(again: Asked, at: int, size: int) -> bytes:
        now = run
        if step.log is None:
            # It may have ended since, and what it printed lies in the store then.
            fresh = run_of(again)
            now = fresh if fresh.steps[step.step].attempt == step.attempt else run
        return again.site.shelf.printed(again.parts.blobs, again.site.settings.home, now, step.step).slice(at, size)

    return File(
        name=f"run-{run.run}-{step.step}.log",
        size=printed.n_bytes,
        read=read,
        kind="text/plain; charset=utf-8",
        tag=step.log or "",
    )


def output(asked: Asked) -> File:
    """What a step made: a file, or one of those in a folder. Raises NameUnknown."""
    artifact = output_of(asked)
    path, digest, size = artifact.path, artifact.digest, artifact.size_bytes
    if artifact.kind == "tree":
        entry = entry_of(asked, artifact)
        path, digest, size = entry.path, entry.digest, entry.size_bytes
    name = path.rpartition("/")[2]
    return File(
        name=name,
        size=size,
        read=lambda again, at, n: again.parts.blobs.slice(digest, at, n),
        kind=PICTURES.get(suffix(name), "application/octet-stream"),
        tag=digest,
    )
