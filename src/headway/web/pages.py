"""Pages: what each address shows, for people as HTML and for programs as JSON, from one and the same value.

A file `page_<name>` of this room brings a page or several, and is found by its name. A page looks at the project and
changes nothing; its twin is at the same address under /api/v1, or there where a program asks for JSON.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import import_module
from importlib.resources import files
from types import ModuleType
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from headway.core.access import Role, may
from headway.web import answers
from headway.web.access import Endpoint
from headway.web.live import last_seq
from headway.web.render import rendered
from headway.web.site import Site
from headway.wiring import Parts

API = "/api/v1"

DEAR = ((1.5, 300), (0.15, 30))
"""A page that took so many seconds of the processor is looked at anew so seldom, however often it would like to be."""

REST_S = 0.5
"""An open page is not asked for sooner again, however much happens: a burst of facts is one refresh."""

STREAMED_S = 30
"""How often a page is looked at anew that is told of every fact: for ages, and for what no fact says."""

KEPT = "private, no-cache"
"""A browser may keep a page, and asks whether it is still so."""


class Asked(Struct, frozen=True, kw_only=True):
    """What a page is made from. `path` and `query` are as they were typed; `now` is in UTC seconds."""

    site: Site
    parts: Parts
    now: float
    path: dict[str, str] = {}
    query: dict[str, str] = {}


class Viewed(Struct, frozen=True, kw_only=True):
    """What a page shows, the seconds of the processor that it took, and how far the log had come before."""

    # Any: the view's own value.
    value: Any
    took_s: float
    seq: int = 0


class Page(Struct, frozen=True, kw_only=True):
    """One page. `view` gives a `gives`, which is all that its template and its JSON twin show.

    `command` is what to type for the same on a command line; `refresh_s` how often an open page is looked at anew, 0:
    never. `asks` are the names that an address may have behind its `?`, and what each means. `way` is what leads there
    at the top of every page; empty where nothing does. `kind` is what the template makes.
    """

    path: str
    template: str
    section: str
    gives: type[Struct]
    # Any: the view's own value; the template knows it.
    view: Callable[[Asked], Any]
    title: Callable[[Any], str]
    command: Callable[[Any], str]
    role: Role = "viewer"
    way: str = ""
    kind: str = "text/html"
    refresh_s: int = 5
    asks: dict[str, str] = {}

    @property
    def twin(self) -> str:
        """The address of the same as JSON."""
        return API + (self.path if self.path != "/" else "/loop")


@cache
def modules() -> tuple[ModuleType, ...]:
    """The files that bring pages."""
    names = sorted(file.name for file in files("headway.web").iterdir() if file.name.startswith("page_"))
    return tuple(import_module(f"headway.web.{name[:-3]}") for name in names if name.endswith(".py"))


@cache
def pages() -> tuple[Page, ...]:
    """All of them."""
    return tuple(_pages())


def _pages() -> Iterator[Page]:
    for module in modules():
        yield from module.PAGES


_ORDER = ("Loop", "Data", "Runs", "Models", "Releases", "Monitors", "Story", "Audit")


@cache
def ways() -> tuple[tuple[str, str], ...]:
    """What stands at the top of every page: addresses and names."""
    found = [(page.path, page.way) for page in pages() if page.way]
    return tuple(sorted(found, key=lambda one: (_ORDER.index(one[1]) if one[1] in _ORDER else len(_ORDER), one[1])))


def endpoint(site: Site, page: Page) -> Endpoint:
    """What answers for a page and for its twin."""

    async def answer(request: Request) -> Response:
        viewed = await asyncio.to_thread(_viewed, site, page, request)
        if answers.wants_page(request) or _is_picture(page, request):
            body, kind = await asyncio.to_thread(_drawn, site, page, request, viewed), page.kind
        else:
            body, kind = msgspec.json.encode(viewed.value), "application/json"
        tag = f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'
        headers = {"etag": tag, "cache-control": KEPT, "vary": "accept, cookie"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=kind)

    return answer


# Any: `access.Who`, or nobody.
def _can(site: Site, who: Any, role: Role) -> bool:  # noqa: ANN401 (as above)
    """Whether whoever looks may do what takes that role."""
    return not site.reading and who is not None and may(who.role, role)


def _is_picture(page: Page, request: Request) -> bool:
    """Whether a browser asks for a picture that stands on a page."""
    return (
        page.kind.startswith("image/")
        and not request.url.path.startswith(API)
        and "image/" in request.headers.get("accept", "")
    )


def _viewed(site: Site, page: Page, request: Request) -> Viewed:
    begun = time.thread_time()
    with site.looking() as parts:
        path = {name: str(value) for name, value in request.path_params.items()}
        # What is given several times (boxes that are ticked) is one text with commas.
        query = {name: ",".join(request.query_params.getlist(name)) for name in request.query_params}
        asked = Asked(site=site, parts=parts, now=site.now(), path=path, query=query)
        # Before the view is made: what is appended meanwhile is told, and shown by the next.
        seq = last_seq(parts.log) if page.refresh_s and answers.wants_page(request) else 0
        value = page.view(asked)
        return Viewed(value=value, took_s=time.thread_time() - begun, seq=seq)


def paced(refresh_s: int, took_s: float) -> int:
    """How often an open page is looked at anew, in seconds; 0: never.

    >>> paced(5, 0.01), paced(5, 0.2), paced(5, 3.0), paced(0, 0.2)
    (5, 30, 300, 0)
    """
    return refresh_s and max(refresh_s, next((pause_s for limit_s, pause_s in DEAR if took_s > limit_s), 0))


def rested(refresh_s: int, took_s: float) -> float:
    """How long an open page that is told of every fact is left alone after a look, in seconds.

    It costs a tenth of a core at most, dear ones less.

    >>> rested(5, 0.01), rested(5, 0.1), rested(5, 0.2)
    (0.5, 1.0, 30)
    """
    pace_s = paced(refresh_s, took_s)
    return pace_s if pace_s > refresh_s else max(REST_S, round(10 * took_s, 1))


def _drawn(site: Site, page: Page, request: Request, viewed: Viewed) -> bytes:
    query = f"?{request.url.query}" if request.url.query else ""
    value = viewed.value
    return rendered(
        page.template,
        title=page.title(value),
        who=request.state.who,
        section=page.section,
        view=value,
        now=site.now(),
        here=request.url.path + query,
        twin=page.twin.format(**request.path_params) + query,
        command=page.command(value),
        seq=viewed.seq,
        refresh_s=paced(page.refresh_s, viewed.took_s),
        rest_s=rested(page.refresh_s, viewed.took_s),
        streamed_s=max(STREAMED_S, paced(page.refresh_s, viewed.took_s)),
        project=site.name,
        can=partial(_can, site, request.state.who),
        reading=site.reading,
        has_pipeline=site.has_pipeline,
        ways=ways(),
    ).encode()
