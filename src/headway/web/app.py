"""The application: its routes, who may ask for each, and what stands around all of them."""

from collections.abc import Sequence

from msgspec import Struct
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from headway import __version__
from headway.core.access import Role
from headway.errors import HeadwayError
from headway.web import acts, answers, downloads, exports, live, openapi, static
from headway.web.access import OIDC_PATHS, Access, Endpoint, Who, is_for_us
from headway.web.guard import Guard
from headway.web.hooks import Hooks
from headway.web.pages import API, endpoint, pages
from headway.web.pages import ways as ways_of_pages
from headway.web.site import Site

SMALL_BYTES = 1024
"""What is smaller is sent as it is."""


class Way(Struct, frozen=True, kw_only=True):
    """One route: who may ask for it, nobody in particular where `role` is None."""

    path: str
    endpoint: Endpoint
    role: Role | None = None
    methods: tuple[str, ...] = ("GET",)


def ways(site: Site, access: Access, streams: live.Live | None = None) -> Sequence[Way]:
    """All routes of a site; `streams` are those of its open pages."""
    streams = streams or live.Live(site, access)
    found = [
        Way(path="/health", endpoint=health),
        Way(path="/static/{digest}/{name}", endpoint=static.hand_out),
        Way(path="/enter", endpoint=access.enter, methods=("GET", "POST")),
        Way(path="/leave", endpoint=access.leave, role="viewer", methods=("POST",)),
        Way(path=live.PATH, endpoint=streams.follow, role="viewer"),
        Way(path=exports.PATH, endpoint=exports.endpoint(site), role="viewer"),
        Way(path=f"{API}/openapi.json", endpoint=openapi.handed_out, role="viewer"),
    ]
    for path, find in ((downloads.LOG, downloads.log), (downloads.OUTPUT, downloads.output)):
        answer = downloads.endpoint(site, find)
        found += [Way(path=one, endpoint=answer, role="viewer") for one in (path, API + path)]
    if access.provider is not None:
        from headway.web.oidc import SignIn

        sign_in = SignIn(site, access, access.provider)
        found += [
            Way(path=path, endpoint=does)
            for path, does in zip(OIDC_PATHS, (sign_in.begin, sign_in.back, sign_in.end), strict=True)
        ]
    if not site.reading:
        found.append(Way(path="/hooks/{path:path}", endpoint=Hooks(site).receive, methods=("POST",)))
        for act in acts.acts():
            does = acts.endpoint(site, act)
            found += [Way(path=path, endpoint=does, role=act.role, methods=("POST",)) for path in (act.path, act.twin)]
    for page in pages():
        answer = endpoint(site, page)
        found.append(Way(path=page.path, endpoint=answer, role=page.role))
        found.append(Way(path=page.twin, endpoint=answer, role=page.role))
    return found


def make(site: Site) -> Starlette:
    """The application of one project; `state.live` are its streams, which whoever stops it ends.

    `state.ways` are what stands at the top of each page, `state.knows` says who asks: for answers that no page gives.
    """
    access = Access(site)
    streams = live.Live(site, access)
    if access.provider is not None:
        try:
            access.provider.ready()
        except HeadwayError as e:
            # Not raised: tokens and links let people in all the same.
            site.tell(f"signing in: {e}")
    routes = [
        Route(
            way.path,
            way.endpoint if way.role is None else access.guarded(way.endpoint, way.role),
            methods=list(way.methods),
        )
        for way in ways(site, access, streams)
    ]

    def knows(request: Request) -> Who | None:
        return access.who(request) if is_for_us(request, site.settings.web_url) else None

    made = Starlette(
        routes=routes,
        middleware=[
            Middleware(Guard, tell=site.tell),
            Middleware(GZipMiddleware, minimum_size=SMALL_BYTES, compresslevel=5),
        ],
        exception_handlers={HeadwayError: answers.failed, 404: answers.not_found, 405: answers.not_allowed},
    )
    made.state.live = streams
    made.state.ways = ways_of_pages()
    made.state.knows = knows
    return made


async def health(_request: Request) -> Response:
    """Whether the server is there; it says nothing of the project."""
    return answers.json({"status": "ok", "headway": __version__})
