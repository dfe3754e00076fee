"""Who asks, and whether they may: links that are used once, sessions in a cookie, tokens; and nobody else.

A browser is let in by a link, or by a token that is typed, and has a session from then on; programs send their token
each time. What changes something is taken from our own pages alone. What a role may do `core/access` says.
"""

import hashlib
import secrets
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from headway.core.access import Role, may
from headway.web import answers, passes
from headway.web.rate import Rate, asker
from headway.web.site import Site

Endpoint = Callable[[Request], Awaitable[Response]]

FAILURES = 10
"""Links and tokens that are none, which one address may try at once, and half of that each minute from then on."""

REQUESTS = 600
"""Requests of one address at once, and a tenth of that each second from then on."""

FORM_BYTES = 16 * 1024


class Who(Struct, frozen=True, kw_only=True):
    """Somebody who was let in. `has_session`: by a cookie, which a browser sends with whatever page asks it to."""

    name: str
    role: Role
    has_session: bool = False


class Access:
    """The doors of one site."""

    __slots__ = ("_cookie", "_failures", "_requests", "_secret", "_site")

    def __init__(self, site: Site) -> None:
        self._site = site
        self._secret = site.keys.secret
        self._failures = Rate(most=FAILURES, per_s=FAILURES / 120)
        self._requests = Rate(most=REQUESTS, per_s=REQUESTS / 10)
        # Servers on other ports of a machine share its cookies: each project has a name of its own.
        self._cookie = f"headway-{hashlib.sha256(self._secret).hexdigest()[:8]}"

    def guarded(self, endpoint: Endpoint, role: Role) -> Endpoint:
        """The endpoint for whoever has that role; others are told to come in, or that they may not."""

        async def answered(request: Request) -> Response:
            if not is_for_us(request, self._site.settings.web_url):
                return answers.elsewhere(request)
            wait_s = self._requests.take(self._asker(request), self._site.now())
            if wait_s:
                return answers.busy(request, "too many requests", wait_s)
            who = self.who(request)
            if who is None:
                return answers.stranger(request)
            request.state.who = who
            if not may(who.role, role):
                return answers.refusal(
                    request, 403, f"this takes the role {role}, and yours is {who.role}", "ask an admin"
                )
            if who.has_session and request.method not in ("GET", "HEAD") and not is_ours(request):
                return answers.refusal(
                    request, 403, "another site asked for this", "open Headway's own page and do it there"
                )
            return await endpoint(request)

        return answered

    def who(self, request: Request) -> Who | None:
        """Who asks; None for a stranger."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._bearer(request, token.strip())
        value = self._of_cookie(request)
        if value is None:
            return None
        if value.token:
            # As the file says now: a token that was taken back ends its sessions, another role is theirs, too.
            now = next((one for one in self._site.settings.web_tokens if one.digest == value.token), None)
            return None if now is None else Who(name=now.name, role=now.role, has_session=True)
        return Who(name=value.name, role=value.role, has_session=True)

    def _of_cookie(self, request: Request) -> passes.Pass | None:
        value = passes.unseal(self._secret, request.cookies.get(self._cookie, ""), "session", self._site.now())
        # Who signed out is out, whoever kept the cookie.
        return None if value is None or self._site.keys.is_used(value) else value

    def session(self, request: Request) -> str:
        """What tells apart who asks, by session or token; what it is cannot be read from it."""
        said = request.headers.get("authorization", "") or request.cookies.get(self._cookie, "")
        return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()

    def _asker(self, request: Request) -> str:
        return asker(request, has_proxy=bool(self._site.settings.web_url))

    def _bearer(self, request: Request, token: str) -> Who | None:
        if self._failures.wait(self._asker(request), self._site.now()):
            return None
        found = passes.of_token(token, self._site.settings.web_tokens)
        if found is None:
            self._failures.take(self._asker(request), self._site.now())
            return None
        return Who(name=found.name, role=found.role)

    # --- coming in and going out --------------------------------------------------------------------------------

    async def enter(self, request: Request) -> Response:
        """Come in by a link (GET with its key), or by a token (POST from the page that asks for it)."""
        if not is_for_us(request, self._site.settings.web_url):
            return answers.elsewhere(request)
        now, address = self._site.now(), self._asker(request)
        wait_s = self._failures.wait(address, now)
        if wait_s:
            return answers.busy(request, "too many tries", wait_s)
        if request.method == "POST":
            value = await self._by_token(request, now)
        elif "key" not in request.query_params:
            return answers.stranger(request)
        else:
            value = self._by_link(request, now)
        if value is None:
            self._failures.take(address, now)
            return answers.stranger(request, "that is used up, too old, or not one of ours")
        answer = RedirectResponse(_inside(request.query_params.get("next", "/")), 303)
        answer.set_cookie(
            self._cookie,
            passes.seal(self._secret, value),
            max_age=int(passes.SESSION_S),
            httponly=True,
            samesite="lax",
            secure=self._site.settings.web_url.startswith("https:"),
        )
        return answer

    def _by_link(self, request: Request, now: float) -> passes.Pass | None:
        if "prefetch" in request.headers.get("sec-purpose", request.headers.get("purpose", "")):
            # A browser that only looks ahead must not use the link up.
            return None
        value = passes.unseal(self._secret, request.query_params["key"], "link", now)
        if value is None or not self._site.keys.use(value, now):
            return None
        return _session(value.name, value.role, now)

    async def _by_token(self, request: Request, now: float) -> passes.Pass | None:
        if not is_ours(request):
            return None
        found = passes.of_token((await form(request)).get("token", "").strip(), self._site.settings.web_tokens)
        return None if found is None else _session(found.name, found.role, now, token=found.digest)

    async def leave(self, request: Request) -> Response:
        """Go out: the session is over, and the browser forgets it."""
        value = self._of_cookie(request)
        if value is not None:
            self._site.keys.use(value, self._site.now())
        answer = RedirectResponse("/enter", 303)
        answer.delete_cookie(self._cookie, httponly=True, samesite="lax")
        return answer


def _session(name: str, role: Role, now: float, *, token: str = "") -> passes.Pass:
    nonce, until = secrets.token_hex(16), now + passes.SESSION_S
    return passes.Pass(kind="session", name=name, role=role, until=until, nonce=nonce, token=token)


def is_ours(request: Request) -> bool:
    """Whether a page of ours asked, or no browser did: as browsers say, who set these headers and no script can."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def is_for_us(request: Request, url: str) -> bool:
    """Whether a request names this machine, or the address that `web.url` says.

    A page of somebody else can have its own name mean this machine: its requests come with that name.
    """
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return False
    if host in ("localhost", socket.gethostname().lower()) or host.endswith(".localhost"):
        return True
    if url and host == urlsplit(url).hostname:
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def sent(request: Request) -> bytes | None:
    """The body of a request; None when it is too large for anything that is asked here."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            return None
    return bytes(body)


async def form(request: Request) -> dict[str, str]:
    """The fields of a form that was sent; of one too large none."""
    body = await sent(request) or b""
    return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _inside(path: str) -> str:
    """A page of ours: whatever else is asked for is the first one."""
    is_path = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_path else "/"
