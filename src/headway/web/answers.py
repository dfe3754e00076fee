"""Answers: JSON for programs, a page for people who look with a browser; errors as on the command line."""

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
        body = rendered("refused.html", title=problem, problem=problem, remedy=remedy, who=_who(request))
        return Response(body, status, headers, media_type="text/html")
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
        values = {"title": error.problem, "problem": error.problem, "remedy": error.remedy, "who": _who(request)}
        return Response(rendered("refused.html", **values), status, headers, media_type="text/html")
    return json(trouble.document(error), status, headers)


async def not_found(request: Request, _error: Exception) -> Response:
    """No such address."""
    return refusal(request, 404, "there is nothing here", "begin at the first page, /")


async def not_allowed(request: Request, _error: Exception) -> Response:
    """Asked in a way that the address does not take; says in which it does, by all routes to it."""
    path = request.scope["path"]
    routes = [one for one in request.app.routes if isinstance(one, Route) and one.path_regex.match(path)]
    allowed = sorted({method for one in routes for method in one.methods or ()})
    remedy = "ask with GET to look" if "GET" in allowed else f"ask with {' or '.join(allowed)}"
    headers = {"allow": ", ".join(allowed)}
    return refusal(request, 405, f"{request.method} is not for this address", remedy, headers)


# Any: `access.Who`, which is above this file; templates read its name and role.
def _who(request: Request) -> Any:  # noqa: ANN401 (as above)
    return getattr(request.state, "who", None)
