"""Signing in with a provider (OpenID Connect): to it, back from it with a code, and out there.

The authorization code flow with PKCE. What belongs to one sign-in is bound to the browser that began it by a sealed
cookie, and holds once. Who comes back has a session like others (`access`); what the provider says `provider` asks.
"""

import secrets
from functools import partial
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from headway.errors import HeadwayError, SourceRefused, SourceUnreachable
from headway.web import passes
from headway.web.access import OIDC_PATHS, Access, inside, session
from headway.web.provider import Code, Provider, named
from headway.web.site import Site

BEGIN, BACK, _ = OIDC_PATHS

LONGEST_CODE = 4096

SAID_AGAIN_S = 60.0
"""The same is not told again sooner."""


class SignIn:
    """The way in by the provider of one site, and the way out."""

    __slots__ = ("_access", "_provider", "_redirect", "_secret", "_site", "_told")

    def __init__(self, site: Site, access: Access, provider: Provider) -> None:
        self._site = site
        self._access = access
        self._provider = provider
        self._secret = site.keys.secret
        self._redirect = site.settings.web_url + BACK
        self._told = ("", 0.0)

    async def begin(self, request: Request) -> Response:
        """Lead a browser to the provider. By a link, since forms may not lead to another site (CSP)."""
        turned_away = self._access.turned_away(request)
        if turned_away is not None:
            return turned_away
        leads_to = inside(request.query_params.get("next", "/"))
        try:
            self._provider.ready()
            about = await self._provider.apart(self._provider.about)
        except HeadwayError as e:
            return self._failed(request, e, leads_to)
        begun = passes.Begun(
            kind="sign-in",
            until=self._site.now() + passes.SIGN_IN_S,
            nonce=secrets.token_hex(16),
            leads_to=leads_to,
        )
        written = self._provider.written
        asked = {
            "response_type": "code",
            "client_id": written.client_id,
            "redirect_uri": self._redirect,
            "scope": " ".join(written.scopes),
            "state": begun.nonce,
            "nonce": self._derived("nonce", begun),
            "code_challenge": passes.challenge(self._derived("verifier", begun)),
            "code_challenge_method": "S256",
        }
        answer = RedirectResponse(_with(about.authorization_endpoint, asked), 303)
        self._access.give(answer, self._cookie(begun.nonce), begun, passes.SIGN_IN_S, path=BEGIN)
        return answer

    async def back(self, request: Request) -> Response:
        """Let somebody in who comes back."""
        turned_away = self._access.turned_away(request) or self._access.waits(request)
        if turned_away is not None:
            return turned_away
        state = request.query_params.get("state", "")
        begun = passes.unseal_begun(self._secret, request.cookies.get(self._cookie(state), ""), self._site.now())
        if begun is None or begun.nonce != state or not self._site.keys.use(begun, self._site.now()):
            self._access.failed(request)
            why = "this sign-in did not begin in this browser, took too long, or is used up"
            return self._access.stranger(request, why, "begin again", leads_to="/")
        answer = await self._let_in(request, begun)
        answer.delete_cookie(self._cookie(state), path=BEGIN, httponly=True, samesite="lax")
        return answer

    async def _let_in(self, request: Request, begun: passes.Begun) -> Response:
        query, written = request.query_params, self._provider.written
        if "error" in query:
            said = query.get("error_description", "")
            told = f": {said[:200]}" if said.isprintable() and said else ""
            why = f"{written.host} did not let you in ({named(query['error'])}){told}"
            return self._access.stranger(request, why, "begin again, or ask whoever runs it", leads_to=begun.leads_to)
        code = query.get("code", "")
        if not 0 < len(code) <= LONGEST_CODE:
            self._access.failed(request)
            why = f"{written.host} sent you back without a word"
            return self._access.stranger(request, why, "begin again", leads_to=begun.leads_to)
        back = Code(
            code=code,
            verifier=self._derived("verifier", begun),
            nonce=self._derived("nonce", begun),
            redirect=self._redirect,
            sent_by=query.get("iss"),
        )
        try:
            found = await self._provider.apart(partial(self._provider.somebody, back))
        except HeadwayError as e:
            return self._failed(request, e, begun.leads_to)
        made = session(found.name, found.role, self._site.now(), provider=self._provider.mark, groups=found.groups)
        return self._access.let_in(made, begun.leads_to)

    async def end(self, request: Request) -> Response:
        """Lead a browser to where its user can sign out of the provider; to our own page where there is no such place.

        Nothing is said of where to go then: it would have to be registered there, and few do so.
        """
        turned_away = self._access.turned_away(request)
        if turned_away is not None:
            return turned_away
        try:
            about = await self._provider.apart(self._provider.about)
        except HeadwayError as e:
            return self._failed(request, e, "/")
        asked = {"client_id": self._provider.written.client_id}
        return RedirectResponse(
            _with(about.end_session_endpoint, asked) if about.end_session_endpoint else "/enter", 303
        )

    def _failed(self, request: Request, error: HeadwayError, leads_to: str) -> Response:
        """What people are told; whoever runs the server hears more of it."""
        self._tell(f"signing in: {error}")
        match error:
            case SourceRefused():
                self._access.failed(request)
                return self._access.stranger(request, error.problem, error.remedy, 403, leads_to)
            case SourceUnreachable():
                return self._access.stranger(request, error.problem, error.remedy, 503, leads_to)
            case _:
                problem, remedy = "signing in is not set up completely", "ask whoever runs Headway here"
                return self._access.stranger(request, problem, remedy, 503, leads_to)

    def _tell(self, line: str) -> None:
        now = self._site.now()
        # Whoever asks again and again does not fill anybody's screen.
        if line == self._told[0] and now - self._told[1] < SAID_AGAIN_S:
            return
        self._told = line, now
        self._site.tell(line)

    def _cookie(self, nonce: str) -> str:
        # Each sign-in has one of its own: several pages may be waiting for theirs.
        return f"{self._access.cookie}-in-{nonce[:8]}"

    def _derived(self, purpose: str, begun: passes.Begun) -> str:
        return passes.derived(self._secret, purpose, begun.nonce)


def _with(url: str, asked: dict[str, str]) -> str:
    """An address with more behind its `?`.

    >>> _with("https://id.example.com/auth?tenant=x", {"a": "b c"})
    'https://id.example.com/auth?tenant=x&a=b+c'
    """
    return f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}"
