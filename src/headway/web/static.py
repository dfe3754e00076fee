"""What pages need besides themselves: one sheet of style and a script, in the package, under a name of their content.

So a browser asks for each of them once. Kept in memory, compressed: they are small.
"""

import gzip
import hashlib
from functools import cache
from importlib.resources import files

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from headway.codec.gate_svg import STYLE

KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
"""Files of other kinds are not handed out."""

FOR_EVER = "public, max-age=31536000, immutable"


class Asset(Struct, frozen=True, kw_only=True):
    """One file as it is sent."""

    name: str
    kind: str
    digest: str
    plain: bytes
    packed: bytes


@cache
def assets() -> dict[str, Asset]:
    """All of them by name."""
    found = {"gate.css": _asset("gate.css", STYLE.encode())}
    for file in files("headway.web").joinpath("assets").iterdir():
        if file.name.endswith(tuple(KINDS)):
            found[file.name] = _asset(file.name, file.read_bytes())
    return found


def _asset(name: str, plain: bytes) -> Asset:
    kind = KINDS[name[name.rindex(".") :]]
    digest = hashlib.sha256(plain).hexdigest()[:12]
    return Asset(name=name, kind=kind, digest=digest, plain=plain, packed=gzip.compress(plain, 9, mtime=0))


def address(name: str) -> str:
    """Where a file is had; another one when its content is another."""
    return f"/static/{assets()[name].digest}/{name}"


async def hand_out(request: Request) -> Response:
    """Send one."""
    asset = assets().get(request.path_params["name"])
    if asset is None or request.path_params["digest"] != asset.digest:
        return Response(status_code=404)
    headers = {"cache-control": FOR_EVER, "etag": f'"{asset.digest}"', "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, headers={**headers, "content-encoding": "gzip"}, media_type=asset.kind)
    return Response(asset.plain, headers=headers, media_type=asset.kind)
