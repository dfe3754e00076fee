"""Answers: JSON for programs, a page for people who look with a browser; errors as on the command line.

A page that says no has the same ways at its top as any other, for whoever was let in. Which there are, and who is
known, the application says (`state.ways`, `state.knows`): both are above this file.
"""

import math
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from headway.errors import Conflict, HeadwayError, LogTrouble, Mistake, NameUnknown, StoreTrouble, TableTrouble
from headway.terminal import trouble
from headway.web.render import rendered

API = "/api/"

_NAMES = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    408: "timeout",
    413: "too-large",
    416: "range-not-satisfiable",
    421: "misdirected",
    429: "too-many-requests",
    503: "unavailable",
}


# Any: whatever msgspec can encode.
def json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:  # noqa: ANN401 (as above)
    """A value as JSON."""
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")


def wants_page(request: Request) -> bool:
    """Whether a person looks: a browser asks for HTML, and nothing under /api/ is any."""
    return not request.scope["path"].startswith(API) and "text/html" in request.headers.get("accept", "")


def refusal(
    request: Request, status: int, problem: str, remedy: str, headers: dict[str, str] | None = None
) -> Response:
    """An answer that is no, in the form of an error of the command line."""
    if wants_page(request):
        return _page(request, status, problem, remedy, headers)
    return json({"error": _NAMES[status], "problem": problem, "remedy": remedy}, status, headers)


def busy(request: Request, problem: str, wait_s: float) -> Response:
    """Somebody must wait."""
    after = str(math.ceil(wait_s))
    return refusal(request, 429, problem, f"try again in {after} s", {"retry-after": after})


class Door(Struct, frozen=True, kw_only=True):
    """What the page by which people come in has besides a form for tokens.

    `host` is the provider's, empty where there is none; `next` the page that they asked for, as it stands behind a `?`.
    `has_left`: they signed out here, and may still be signed in there.
    """

    host: str = ""
    next: str = ""
    has_left: bool = False


def stranger(
    request: Request, why: str = "", *, remedy: str = "", status: int = 401, door: Door | None = None
) -> Response:
    """Nobody we know: the page that asks for a token, and says where a link is to be had."""
    headers = {"www-authenticate": "Bearer"} if status == 401 else None
    if wants_page(request):
        body = rendered("enter.html", title="Come in", why=why, remedy=remedy, door=door or Door(), who=None)
        return Response(body, status, headers, media_type="text/html")
    problem = why or "this is for those who were let in"
    remedy = remedy or "send a token (Authorization: Bearer …), or open the link that `headway ui` prints"
    return refusal(request, status, problem, remedy, headers)


def status_of(error: HeadwayError) -> int:
    """The status that says best what an error means to who asked."""
    match error:
        case NameUnknown():
            return 404
        case Conflict():
            return 409
        case LogTrouble() | StoreTrouble() | TableTrouble():
            return 503
        case Mistake():
            return 400
        case _:
            return 500


def elsewhere(request: Request) -> Response:
    """Somebody asked by a name that is none of ours."""
    remedy = "ask by this machine's address, or say in headway.toml what people ask by: web.url"
    return refusal(request, 421, "this is not what that name stands for", remedy)


async def failed(request: Request, error: Exception) -> Response:
    """What an error of ours is answered with."""
    assert isinstance(error, HeadwayError)
    status = status_of(error)
    wait_s = error.retry_after_s
    headers = {"retry-after": str(max(1, math.ceil(wait_s)))} if wait_s is not None and status != 500 else None
    if wants_page(request):
        return _page(request, status, error.problem, error.remedy, headers)
    return json(trouble.document(error), status, headers)


async def not_found(request: Request, _error: Exception) -> Response:
    """No such address."""
    _see(request)
    return refusal(request, 404, "there is nothing here", "begin at the first page, /")


async def not_allowed(request: Request, _error: Exception) -> Response:
    """Asked in a way that the address does not take; says in which it does, by all routes to it."""
    _see(request)
    path = request.scope["path"]
    routes = [one for one in request.app.routes if isinstance(one, Route) and one.path_regex.match(path)]
    allowed = sorted({method for one in routes for method in one.methods or ()})
    remedy = "ask with GET to look" if "GET" in allowed else f"ask with {' or '.join(allowed)}"
    headers = {"allow": ", ".join(allowed)}
    return refusal(request, 405, f"{request.method} is not for this address", remedy, headers)


def broken(request: Request, request_id: str) -> Response:
    """A fault of our own: by its id whoever runs the server can see what it was, and who asked learns no more."""
    problem, remedy = "the server met a fault of its own", "ask again; whoever runs the server can see what it was"
    at = f"request {request_id}"
    if wants_page(request):
        return _page(request, 500, problem, f"{remedy}: it is {at}")
    return json({"error": "internal", "problem": problem, "at": at, "remedy": remedy}, 500)


def _page(request: Request, status: int, problem: str, remedy: str, headers: dict[str, str] | None = None) -> Response:
    who = getattr(request.state, "who", None)
    ways = request.app.state.ways
    body = rendered("refused.html", title=problem, problem=problem, remedy=remedy, who=who, ways=ways)
    return Response(body, status, headers, media_type="text/html")


def _see(request: Request) -> None:
    """Ask who it is, where no door stood before the answer."""
    if wants_page(request):
        request.state.who = request.app.state.knows(request)
