"""What can be done on the pages: each act takes a role and a reason, and is a fact that says who did it and why.

A file `page_<name>` may bring `ACTS` beside its pages. Programs send the same as JSON under /api/v1. Nothing can be
done on pages that only read.
"""

import asyncio
from collections.abc import Callable, Iterator
from functools import cache

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from headway.core.access import Role
from headway.errors import UsageMistaken
from headway.web import answers
from headway.web.access import FORM_BYTES, Endpoint, form, sent
from headway.web.pages import API, modules
from headway.web.site import Site
from headway.wiring import Parts

LONGEST_WHY = 500
"""Signs of a reason."""


class Doing(Struct, frozen=True, kw_only=True):
    """What an act is done with: `by` whom, and why; `fields` are what was sent besides."""

    site: Site
    parts: Parts
    by: str
    why: str
    now: float
    path: dict[str, str] = {}
    fields: dict[str, str] = {}


class Done(Struct, frozen=True, kw_only=True):
    """What was done, in words, and the page that shows it."""

    done: str
    page: str


class Act(Struct, frozen=True, kw_only=True):
    """One act: it is asked for by POST, and `does` what it says. `takes` are the fields that it needs."""

    path: str
    role: Role
    does: Callable[[Doing], Done]
    takes: tuple[str, ...] = ()

    @property
    def twin(self) -> str:
        """Where programs ask for it."""
        return API + self.path


@cache
def acts() -> tuple[Act, ...]:
    """All of them."""
    return tuple(_acts())


def _acts() -> Iterator[Act]:
    for module in modules():
        yield from getattr(module, "ACTS", ())


def endpoint(site: Site, act: Act) -> Endpoint:
    """What answers when an act is asked for."""

    async def answer(request: Request) -> Response:
        fields = await _fields(request)
        done = await asyncio.to_thread(_do, site, act, request, fields)
        return RedirectResponse(done.page, 303) if answers.wants_page(request) else answers.json(done)

    return answer


async def _fields(request: Request) -> dict[str, str]:
    """What was sent: a form's fields, or those of a JSON object."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return await form(request)
    body = await sent(request)
    if body is None:
        raise UsageMistaken(
            f"the body is larger than {FORM_BYTES:,} bytes", at="the request's body", remedy="say it in fewer words"
        )
    try:
        return msgspec.json.decode(body, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise UsageMistaken(
            f"the body is no object of texts: {e}",
            at="the request's body",
            remedy='send {"why": "…"} and what it takes',
        ) from e


def _do(site: Site, act: Act, request: Request, fields: dict[str, str]) -> Done:
    why = " ".join(fields.get("why", "").split())
    if not why or len(why) > LONGEST_WHY:
        raise UsageMistaken(
            "a reason is missing" if not why else f"the reason is longer than {LONGEST_WHY} signs",
            at="why",
            remedy="say in a sentence why: it is recorded beside your name",
        )
    for name in act.takes:
        if not fields.get(name):
            raise UsageMistaken(f"{name} is missing", at=name, remedy="send it beside `why`")
    path = {name: str(value) for name, value in request.path_params.items()}
    with site.parts() as parts:
        done = act.does(
            Doing(
                site=site,
                parts=parts,
                by=request.state.who.name,
                why=why,
                now=site.now(),
                path=path,
                fields=fields,
            )
        )
        parts.log.sync()
    return done
