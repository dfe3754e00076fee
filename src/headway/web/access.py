"""Who asks, and whether they may: links that are used once, sessions in a cookie, tokens; and nobody else.

A browser is let in by a link, by a token that is typed, or by a provider (`oidc`), and has a session from then on;
programs send their token each time. What changes something is taken from our own pages alone. What a role may do
`core/access` says.
"""

import hashlib
import secrets
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from headway.core.access import Role, may
from headway.core.oidc import role_of
from headway.web import answers, passes
from headway.web.answers import Door
from headway.web.rate import Rate, asker
from headway.web.site import Site

if TYPE_CHECKING:
    from headway.web.provider import Provider

Endpoint = Callable[[Request], Awaitable[Response]]

FAILURES = 10
"""Links and tokens that are none, which one address may try at once, and half of that each minute from then on."""

REQUESTS = 600
"""Requests of one address at once, and a tenth of that each second from then on."""

FORM_BYTES = 16 * 1024

LONGEST = 1024
"""No address of ours is longer; what people come back to is kept in a cookie."""

OIDC_PATHS = ("/sign-in", "/sign-in/callback", "/sign-out")
"""Where people go to a provider, come back from it, and sign out there."""


class Who(Struct, frozen=True, kw_only=True):
    """Somebody who was let in. `has_session`: by a cookie, which a browser sends with whatever page asks it to."""

    name: str
    role: Role
    has_session: bool = False


class Access:
    """The doors of one site."""

    __slots__ = ("_failures", "_requests", "_secret", "_site", "cookie", "provider")

    def __init__(self, site: Site) -> None:
        self._site = site
        self._secret = site.keys.secret
        self.provider = _provider(site)
        self._failures = Rate(most=FAILURES, per_s=FAILURES / 120)
        self._requests = Rate(most=REQUESTS, per_s=REQUESTS / 10)
        # Servers on other ports of a machine share its cookies: each project has a name of its own.
        self.cookie = f"headway-{hashlib.sha256(self._secret).hexdigest()[:8]}"

    def guarded(self, endpoint: Endpoint, role: Role) -> Endpoint:
        """The endpoint for whoever has that role; others are told to come in, or that they may not."""

        async def answered(request: Request) -> Response:
            turned_away = self.turned_away(request)
            if turned_away is not None:
                return turned_away
            who = self.who(request)
            if who is None:
                return self.stranger(request)
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

    def turned_away(self, request: Request) -> Response | None:
        """What somebody is told who asks by a name that is none of ours, or too often; None: go on."""
        if not is_for_us(request, self._site.settings.web_url):
            return answers.elsewhere(request)
        wait_s = self._requests.take(self._asker(request), self._site.now())
        return answers.busy(request, "too many requests", wait_s) if wait_s else None

    def stranger(
        self, request: Request, why: str = "", remedy: str = "", status: int = 401, leads_to: str = ""
    ) -> Response:
        """Nobody we know: the page by which people come in, and then go on to what they asked for, or to `leads_to`."""
        path, asked = request.url.path, request.url.query
        if not leads_to and path == "/enter":
            leads_to = request.query_params.get("next", "/")
        elif not leads_to and request.method == "GET":
            leads_to = f"{path}?{asked}" if asked else path
        next_ = "" if inside(leads_to) in ("/", *OIDC_PATHS) else urlencode({"next": leads_to})
        host, has_left = "", False
        if self.provider is not None:
            host = self.provider.written.host
            has_left = "left" in request.query_params and path == "/enter" and self.provider.may_end
        door = Door(host=host, next=next_, has_left=has_left)
        return answers.stranger(request, why, remedy=remedy, status=status, door=door)

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
        if value.provider:
            # As the file says now, again: another provider, or groups that give no role any more, end a session.
            provider = self.provider
            role = role_of(provider.written, value.groups) if provider and provider.mark == value.provider else None
            return None if role is None else Who(name=value.name, role=role, has_session=True)
        return Who(name=value.name, role=value.role, has_session=True)

    def _of_cookie(self, request: Request) -> passes.Pass | None:
        value = passes.unseal(self._secret, request.cookies.get(self.cookie, ""), "session", self._site.now())
        # Who signed out is out, whoever kept the cookie.
        return None if value is None or self._site.keys.is_used(value) else value

    def session(self, request: Request) -> str:
        """What tells apart who asks, by session or token; what it is cannot be read from it."""
        said = request.headers.get("authorization", "") or request.cookies.get(self.cookie, "")
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
        waits = self.waits(request)
        if waits is not None:
            return waits
        now = self._site.now()
        if request.method == "POST":
            value = await self._by_token(request, now)
        elif "key" not in request.query_params:
            return self.stranger(request)
        else:
            value = self._by_link(request, now)
        if value is None:
            self.failed(request)
            return self.stranger(request, "that is used up, too old, or not one of ours")
        return self.let_in(value, request.query_params.get("next", "/"))

    def waits(self, request: Request) -> Response | None:
        """What somebody is told who tried too often to come in; None: go on."""
        wait_s = self._failures.wait(self._asker(request), self._site.now())
        return answers.busy(request, "too many tries", wait_s) if wait_s else None

    def failed(self, request: Request) -> None:
        """Count a try that was none."""
        self._failures.take(self._asker(request), self._site.now())

    def let_in(self, value: passes.Pass, leads_to: str) -> Response:
        """Give a browser its session, and lead it to a page of ours."""
        answer = RedirectResponse(inside(leads_to), 303)
        self.give(answer, self.cookie, value, passes.SESSION_S)
        return answer

    def give(
        self, answer: Response, name: str, value: passes.Pass | passes.Begun, kept_s: float, path: str = "/"
    ) -> None:
        """Have a browser keep something for so many seconds, which no script can read."""
        answer.set_cookie(
            name,
            passes.seal(self._secret, value),
            max_age=int(kept_s),
            path=path,
            httponly=True,
            samesite="lax",
            secure=self._site.settings.web_url.startswith("https:"),
        )

    def _by_link(self, request: Request, now: float) -> passes.Pass | None:
        if "prefetch" in request.headers.get("sec-purpose", request.headers.get("purpose", "")):
            # A browser that only looks ahead must not use the link up.
            return None
        value = passes.unseal(self._secret, request.query_params["key"], "link", now)
        if value is None or not self._site.keys.use(value, now):
            return None
        return session(value.name, value.role, now)

    async def _by_token(self, request: Request, now: float) -> passes.Pass | None:
        if not is_ours(request):
            return None
        found = passes.of_token((await form(request)).get("token", "").strip(), self._site.settings.web_tokens)
        return None if found is None else session(found.name, found.role, now, token=found.digest)

    async def leave(self, request: Request) -> Response:
        """Go out: the session is over, and the browser forgets it."""
        value = self._of_cookie(request)
        if value is not None:
            self._site.keys.use(value, self._site.now())
        # A form may not lead to another site (CSP); the page that it leads to says how to sign out there, too.
        answer = RedirectResponse("/enter?left" if value is not None and value.provider else "/enter", 303)
        answer.delete_cookie(self.cookie, httponly=True, samesite="lax")
        return answer


def _provider(site: Site) -> "Provider | None":
    """Whom people sign in with; nobody on pages that only read: no provider knows where they are."""
    written = site.settings.web_oidc
    if written is None or site.reading:
        return None
    from headway.web.provider import Provider

    return Provider(written, site.settings.environ, site.now)


def session(
    name: str, role: Role, now: float, *, token: str = "", provider: str = "", groups: tuple[str, ...] = ()
) -> passes.Pass:
    """A fresh session of somebody; see `passes.Pass`."""
    return passes.Pass(
        kind="session",
        name=name,
        role=role,
        until=now + passes.SESSION_S,
        nonce=secrets.token_hex(16),
        token=token,
        provider=provider,
        groups=groups,
    )


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


def inside(path: str) -> str:
    """A page of ours: whatever else is asked for is the first one."""
    is_path = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and len(path) < LONGEST
    return path if is_path else "/"
