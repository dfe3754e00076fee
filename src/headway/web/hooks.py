"""Web hooks: pushes that a forge tells of, and calls that start a run; each becomes an event of a trigger, or nothing.

`POST /hooks/push` is for forges: every pipeline with a `push` trigger hears of it. `POST /hooks/<path>` is for the
`http` triggers of that path (of a pipeline's name, where none is written). Who calls must know the secret that the
trigger names. When a run starts is decided elsewhere.
"""

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import UNSET, Struct
from starlette.requests import Request
from starlette.responses import Response

from headway.codec.hook import pushed
from headway.core.facts import EventSeen
from headway.core.grammar import HttpTrigger, PushTrigger
from headway.core.hook import BRANCH, TAG, Push, Sender, Wanted, is_wanted, sender
from headway.core.pipeline import Pipeline
from headway.core.trigger import PUSH, push_key
from headway.errors import FileFaulty
from headway.flows import firing, git
from headway.flows.events import see, short, triggers_of
from headway.flows.events_http import source_of
from headway.web import answers
from headway.web.rate import Rate, asker
from headway.web.site import Site

PUSHES = "push"
"""The path of the forges."""

BODY_BYTES = 25 * 1024 * 1024
"""What GitHub sends at most."""

BODY_S = 20.0
"""How long a call may take to come in: whoever dawdles must not keep others out."""

AT_ONCE = 4
"""Hooks that are looked at at a time: each may hold so large a body."""

VARIABLE = "HEADWAY_HOOK_SECRET"
"""The variable of every trigger that names none."""

FAILURES = 20
"""Hooks without the right secret that one address may send at once, and half of that each minute from then on."""


class Hook(Struct, frozen=True, kw_only=True):
    """One trigger that may be told of something; `variable` holds the secret that callers must know."""

    pipeline: str
    kind: Literal["push", "http"]
    source: str
    variable: str
    wanted: Wanted = Wanted()


class Heard(Struct, frozen=True, kw_only=True):
    """What a call came to for one pipeline: an event with its source and key, or none and why."""

    pipeline: str
    source: str = ""
    key: str = ""
    is_new: bool = False
    why: str = ""


class Said(Struct, frozen=True, kw_only=True):
    """A call as it came: small letters in the names of its headers."""

    path: str
    headers: Mapping[str, str]
    body: bytes


def hooks_of(pipeline: Pipeline, path: str) -> Iterator[Hook]:
    """The triggers of a pipeline that a call to this path is for."""
    triggers = triggers_of(pipeline)
    if path == PUSHES and triggers.push is not UNSET:
        push = triggers.push or PushTrigger()
        wanted = Wanted(branches=_all(push.branches), tags=_all(push.tags), paths=_all(push.paths))
        yield Hook(pipeline=pipeline.name, kind="push", source=PUSH, variable=VARIABLE, wanted=wanted)
    if triggers.http is not UNSET and triggers.http is not False:
        http = triggers.http if isinstance(triggers.http, HttpTrigger) else HttpTrigger()
        own = http.path.strip("/") or pipeline.name
        if own == path:
            yield Hook(
                pipeline=pipeline.name, kind="http", source=source_of(http.path), variable=http.secret or VARIABLE
            )


def _all(patterns: str | list[str]) -> tuple[str, ...]:
    return (patterns,) if isinstance(patterns, str) else tuple(patterns)


class Hooks:
    """The hooks of one site."""

    __slots__ = ("_at_once", "_failures", "_site")

    def __init__(self, site: Site) -> None:
        self._site = site
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._failures = Rate(most=FAILURES, per_s=FAILURES / 120)

    async def receive(self, request: Request) -> Response:
        """Take a call: 202 with what it came to, also when it is nothing; 401 for whoever does not know the secret."""
        who = asker(request, has_proxy=bool(self._site.settings.web_url))
        wait_s = self._failures.wait(who, self._site.now())
        if wait_s:
            return answers.busy(request, "too many calls without the right secret", wait_s)
        async with self._at_once:
            try:
                async with asyncio.timeout(BODY_S):
                    body = await _limited(request)
            except TimeoutError:
                return answers.refusal(request, 408, "the call did not end", "send it whole")
            if body is None:
                return answers.refusal(request, 413, f"more than {BODY_BYTES} bytes are no hook", "send less")
            said = Said(path=request.path_params["path"].strip("/"), headers=_headers(request), body=body)
            return await asyncio.to_thread(self._answered, request, said, who)

    def _answered(self, request: Request, said: Said, who: str) -> Response:
        """Everything that waits for files and the log, in a thread."""
        try:
            hooks = [hook for pipeline in self._site.pipelines() for hook in hooks_of(pipeline, said.path)]
        except FileFaulty as e:
            # Whoever calls did nothing wrong, and a forge that is told so sends it again.
            self._site.tell(f"a hook was called, and the pipeline cannot be read: {e}")
            return answers.refusal(request, 503, "the pipeline cannot be read", "mend its file", {"retry-after": "60"})
        if not hooks:
            return answers.refusal(
                request, 404, "no trigger answers to this address", "see `triggers:` in the pipeline's file"
            )
        environ = self._site.settings.environ
        mute = sorted({hook.variable for hook in hooks if not environ.get(hook.variable)})
        if mute:
            self._site.tell(f"a hook was called, and nobody can call it: {', '.join(mute)} has no value")
        known = [
            (hook, found)
            for hook in hooks
            if (found := sender(said.headers, said.body, environ.get(hook.variable, "")))
        ]
        if known:
            return answers.json({"heard": [self._heard(hook, found, said) for hook, found in known]}, 202)
        if len(mute) == len({hook.variable for hook in hooks}):
            return answers.refusal(request, 503, "this hook has no secret yet", "set it where `headway up` runs")
        self._failures.take(who, self._site.now())
        return answers.refusal(
            request,
            401,
            "the call does not prove that it knows the secret",
            "sign it, or send it as a bearer token",
            _ASK,
        )

    def _heard(self, hook: Hook, by: Sender, said: Said) -> Heard:
        if by.event == "ping":
            return Heard(pipeline=hook.pipeline, why="the forge asked whether anybody is here")
        if hook.kind == "http":
            return self._seen(hook, _called(hook, by, said.path))
        if by.event not in ("push", ""):
            return Heard(pipeline=hook.pipeline, why=f"{by.event} is no push")
        push = pushed(said.body, said.headers.get("content-type", ""))
        if not is_wanted(push, hook.wanted):
            return Heard(pipeline=hook.pipeline, why=f"{push.ref} at {push.commit[:8]} is not what `push` asks for")
        here = git.branch(self._site.settings.folder)
        if here is not None and push.ref != BRANCH + here and not push.ref.startswith(TAG):
            return Heard(pipeline=hook.pipeline, why=f"{push.ref} was pushed, and {here} is checked out here")
        return self._seen(hook, _pushed(hook, push, by))

    def _seen(self, hook: Hook, event: EventSeen) -> Heard:
        with self._site.parts() as parts:
            # A branch that goes back to where it was is news, and an old call that is sent again is none.
            told = any(entry.fact == event for entry in parts.log.read(firing.stream(hook.pipeline)))
            new = [] if told else see(parts.log, hook.pipeline, [event], now=self._site.now())
        self._site.heard(hook.pipeline)
        return Heard(pipeline=hook.pipeline, source=event.source, key=event.key, is_new=bool(new), why=event.why)


_ASK = {"www-authenticate": "Bearer"}


def _called(hook: Hook, by: Sender, path: str) -> EventSeen:
    # A call that does not name itself is a new one each time.
    return EventSeen(
        source=hook.source,
        key=by.key or secrets.token_hex(16),
        why=f"{by.forge or 'somebody'} called /hooks/{path}",
        by=by.forge,
    )


def _pushed(hook: Hook, push: Push, by: Sender) -> EventSeen:
    name = push.ref.removeprefix(BRANCH).removeprefix(TAG)
    many = "the tag" if push.ref.startswith(TAG) else f"{push.n_commits} commit{'s' * (push.n_commits != 1)} on"
    return EventSeen(
        source=hook.source,
        key=push_key(name, push.commit),
        why=f"{many} {name}, to {short(push.commit)}",
        by=push.by or by.forge,
    )


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


async def _limited(request: Request) -> bytes | None:
    """The body; None when it is too large, of which no more is read then."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            return None
    return bytes(body)
