"""The provider of `[web.oidc]`: what it says of itself, its keys, and who comes back from it with a code.

Asks over HTTP, in threads of its own: however slow or odd a provider is, pages are answered meanwhile. `core/oidc` says
what claims mean, `codec/id_token` who signed them. Knows neither browsers nor sessions.
"""

import asyncio
import hashlib
import re
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

import msgspec
from msgspec import Struct

from headway.codec import id_token
from headway.core.access import Role
from headway.core.oidc import Claims, Oidc, groups_of, is_safe, lacks, name_of, refuted, role_of
from headway.errors import SourceRefused, SourceUnreachable, UsageMistaken

SILENCE_S = 5.0
"""A provider that says nothing for so long is given up."""

PATIENCE_S = 12.0
"""Nobody waits longer for a provider than that, whatever it does."""

ANSWER_BYTES = 512 * 1024
"""What a provider says of itself, of its keys or of somebody is a hundredth of that."""

KEPT_S = 600.0
"""How long we believe what a provider said of itself and its keys: a key that it took back is ours no longer."""

PAUSE_S = 5.0
"""A provider that did not say what it is is left alone for so long, however many want to sign in."""

KEYS_PAUSE_S = 30.0
"""Keys are not asked for sooner again, whatever tokens say of theirs."""

AT_ONCE = 4
"""Sign-ins that are carried out at a time; others wait."""

AT = "headway.toml: web.oidc"

T = TypeVar("T")


class About(Struct, frozen=True, kw_only=True):
    """What a provider says of itself. Source: OpenID Connect Discovery 1.0, section 3."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] | None = None
    authorization_response_iss_parameter_supported: bool | None = None


class _Tokens(Struct, frozen=True, kw_only=True):
    id_token: str
    access_token: str | None = None


class Somebody(Struct, frozen=True, kw_only=True):
    """Who signed in, and what is known of them."""

    name: str
    role: Role
    groups: tuple[str, ...]


class Code(Struct, frozen=True, kw_only=True):
    """What somebody came back with, and what belongs to it. `sent_by` is who the answer says it is from, if it does."""

    code: str
    verifier: str
    nonce: str
    redirect: str
    sent_by: str | None


class Provider:
    """One provider, as the settings name it."""

    __slots__ = (
        "_about",
        "_about_at",
        "_environ",
        "_keys",
        "_keys_at",
        "_lock",
        "_now",
        "_room",
        "_silent_at",
        "written",
    )

    def __init__(self, written: Oidc, environ: Mapping[str, str], now: Callable[[], float]) -> None:
        self.written = written
        self._environ = environ
        self._now = now
        self._about: About | None = None
        self._about_at = self._keys_at = self._silent_at = float("-inf")
        self._keys: id_token.Jwks = ()
        self._lock = threading.Lock()
        self._room = asyncio.Semaphore(AT_ONCE)

    async def apart(self, work: Callable[[], T]) -> T:
        """What `work` gives, carried out beside the loop. Raises as it, SourceUnreachable when it takes too long."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[T] = loop.create_future()

        def finish(value: T | None, error: Exception | None) -> None:
            self._room.release()
            if ended.done():
                return
            if error is not None:
                ended.set_exception(error)
            else:
                # mypy: a value of T wherever there is no error.
                ended.set_result(value)  # type: ignore[arg-type]

        def do() -> None:
            value: T | None = None
            error: Exception | None = None
            try:
                value = work()
            except Exception as e:  # noqa: BLE001 (raised again by whoever waits)
                error = e
            # The loop may have ended meanwhile.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(finish, value, error)

        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._room.acquire()
                # Not of a pool: its threads would keep the server from ending for as long as a provider is silent.
                threading.Thread(target=do, name="oidc", daemon=True).start()
                return await ended
        except TimeoutError as e:
            raise self._silent(f"nothing within {PATIENCE_S:g} s") from e

    @property
    def mark(self) -> str:
        """What tells sessions of this provider apart from those of another."""
        return hashlib.sha256(f"{self.written.issuer}\0{self.written.client_id}".encode()).hexdigest()[:32]

    @property
    def may_end(self) -> bool:
        """Whether people can sign out there, as far as is known."""
        return self._about is None or bool(self._about.end_session_endpoint)

    def ready(self) -> None:
        """See that nothing is missing here. Raises ExtraMissing, UsageMistaken."""
        id_token.need()
        self._secret()

    def about(self) -> About:
        """What the provider says of itself. Raises SourceUnreachable, SourceRefused when it is not the one meant."""
        with self._lock:
            now = self._now()
            if self._about is not None and abs(now - self._about_at) <= KEPT_S:
                return self._about
            if abs(now - self._silent_at) < PAUSE_S:
                raise self._silent(f"asked less than {PAUSE_S:g} s ago")
            try:
                self._about, self._about_at = self._discovered(), now
            except SourceUnreachable:
                self._silent_at = now
                raise
            return self._about

    def somebody(self, back: Code) -> Somebody:
        """Who came back. Raises SourceUnreachable, SourceRefused when they are not let in, UsageMistaken."""
        about = self.about()
        if back.sent_by != self.written.issuer and (
            back.sent_by is not None or about.authorization_response_iss_parameter_supported
        ):
            raise self._refused("the answer is of another provider", "begin again")
        tokens = self._redeemed(about, back)
        claims = self._proven(about, tokens.id_token)
        if why := refuted(claims, self.written, nonce=back.nonce, now=self._now()):
            raise self._refused(f"what {self.written.host} says does not hold: {why}", "begin again")
        if lacks(self.written, claims) and about.userinfo_endpoint and tokens.access_token:
            claims = {**self._told(about.userinfo_endpoint, tokens.access_token, claims), **claims}
        return self._let_in(claims)

    def _let_in(self, claims: Claims) -> Somebody:
        name, groups = name_of(self.written, claims), groups_of(self.written, claims)
        host = self.written.host
        if not name:
            claim = self.written.name_claim or "sub"
            raise self._refused(f"{host} does not say what you are called ({claim})", "ask whoever runs Headway here")
        role = role_of(self.written, groups)
        if role is None:
            raise self._refused(
                f"{host} knows you as {name}, and that gives no role here",
                "ask whoever runs Headway here, and say by which name you signed in",
            )
        return Somebody(name=name, role=role, groups=groups)

    # --- asking -------------------------------------------------------------------------------------------------

    def _discovered(self) -> About:
        url = f"{self.written.issuer.rstrip('/')}/.well-known/openid-configuration"
        status, data = self._ask(url)
        if status != 200:
            raise self._silent(f"{url}: {status}")
        try:
            about = msgspec.json.decode(data, type=About)
        except ValueError as e:
            raise self._silent(f"{url}: {e}") from e
        if about.issuer != self.written.issuer:
            raise SourceRefused(
                f"{self.written.host} calls itself by another name than it is known by here",
                at=f"{AT}.issuer: {about.issuer[:200]!r}, not {self.written.issuer!r}",
                remedy="whoever runs Headway here writes `issuer` as the provider does, sign by sign",
            )
        ways = (about.authorization_endpoint, about.token_endpoint, about.jwks_uri, about.userinfo_endpoint)
        for way in (*ways, about.end_session_endpoint):
            if way and not is_safe(way.partition("?")[0]):
                raise self._silent(f"{way[:200]!r} has no TLS")
        return about

    def _redeemed(self, about: About, back: Code) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": back.code,
            "redirect_uri": back.redirect,
            "code_verifier": back.verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        secret, client = self._secret(), self.written.client_id
        methods = about.token_endpoint_auth_methods_supported
        if secret and (methods is None or "client_secret_basic" in methods):
            pair = f"{quote(client, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": client} | ({"client_secret": secret} if secret else {})
        status, data = self._ask(about.token_endpoint, body=urlencode(form).encode(), headers=headers)
        if status >= 500:
            raise self._silent(f"{about.token_endpoint}: {status}")
        try:
            if status == 200:
                return msgspec.json.decode(data, type=_Tokens)
        except ValueError as e:
            # Not its words: they may be those of a token.
            raise self._silent(f"{about.token_endpoint}: no ID token in its answer") from e
        raise self._refused(f"{self.written.host} does not take the sign-in back ({_error_of(data)})", "begin again")

    def _proven(self, about: About, token: str) -> Claims:
        head = id_token.head_of(token)
        if head is None or head.alg not in id_token.ALGORITHMS:
            raise self._refused(f"what {self.written.host} says is not signed as it must be", "begin again")
        for again in (False, True):
            found = id_token.proven(token, head, id_token.fitting(head, self._known_keys(about, again=again)))
            if found is not None:
                return found
        remedy = f"begin again; if its keys are new, in {KEYS_PAUSE_S:g} s"
        raise self._refused(f"what {self.written.host} says is signed by none of its keys", remedy)

    def _known_keys(self, about: About, *, again: bool) -> id_token.Jwks:
        with self._lock:
            age_s = abs(self._now() - self._keys_at)
            if age_s > KEPT_S or (again and age_s >= KEYS_PAUSE_S):
                status, data = self._ask(about.jwks_uri)
                try:
                    if status != 200:
                        raise self._silent(f"{about.jwks_uri}: {status}")
                    self._keys, self._keys_at = id_token.read_keys(data), self._now()
                except ValueError as e:
                    raise self._silent(f"{about.jwks_uri}: {e}") from e
            return self._keys

    def _told(self, url: str, access_token: str, claims: Claims) -> Claims:
        """What the provider says of somebody beyond the ID token."""
        if not re.fullmatch(r"[\x21-\x7e]+", access_token):
            raise self._silent(f"{url}: an access token that cannot be sent")
        status, data = self._ask(url, headers={"Authorization": f"Bearer {access_token}"})
        if status != 200:
            raise self._silent(f"{url}: {status}")
        try:
            told = msgspec.json.decode(data, type=dict[str, object])
        except ValueError as e:
            raise self._silent(f"{url}: no JSON") from e
        if told.get("sub") != claims.get("sub"):
            raise self._refused(f"{self.written.host} speaks of two people", "begin again")
        return told

    def _ask(
        self, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of an answer. Raises SourceUnreachable."""
        from headway import __version__

        said = {"User-Agent": f"headway/{__version__}", "Accept": "application/json", "Accept-Encoding": "identity"}
        request = Request(url, data=body, headers={**said, **(headers or {})})  # noqa: S310 (`is_safe` looked at it)
        try:
            # Not where an answer points: it would be given a code, a secret or a token.
            with build_opener(_Stay).open(request, timeout=SILENCE_S) as answer:
                return answer.status, self._read(answer, url)
        except HTTPError as e:
            # Its body is worth a look where it says why, and none is a body as well.
            with e, suppress(HTTPException, OSError):
                return e.code, self._read(e.fp, url) if isinstance(e.fp, HTTPResponse) else b""
            return e.code, b""
        except (URLError, HTTPException, OSError, ValueError) as e:
            # Of others not the words: they may repeat what was sent.
            why = e.reason if isinstance(e, URLError) else e.strerror if isinstance(e, OSError) else type(e).__name__
            raise self._silent(f"{url}: {why or type(e).__name__}") from e

    def _read(self, answer: HTTPResponse, url: str) -> bytes:
        data, until = bytearray(), time.monotonic() + PATIENCE_S
        while block := answer.read1(1 << 16):
            data += block
            if len(data) > ANSWER_BYTES:
                raise self._silent(f"{url}: more than {ANSWER_BYTES >> 10} KB")
            if time.monotonic() > until:
                raise self._silent(f"{url}: slower than {PATIENCE_S:g} s")
        if answer.length:
            raise self._silent(f"{url}: {answer.length} bytes less than were announced")
        return bytes(data)

    def _secret(self) -> str:
        name = self.written.client_secret_env
        secret = self._environ.get(name, "") if name else ""
        if name and not secret:
            # Without its name: somebody may have written the secret there.
            raise UsageMistaken(
                "the variable that holds the client's secret is not set",
                at=f"{AT}.client-secret-env",
                remedy="set it where `headway up` is started",
            )
        return secret

    def _silent(self, detail: str) -> SourceUnreachable:
        """`detail` is for whoever runs the server."""
        problem = f"{self.written.host} does not answer as it should"
        return SourceUnreachable(problem, at=f"{AT}: {detail}", remedy="try again in a minute, or use a token")

    def _refused(self, problem: str, remedy: str) -> SourceRefused:
        return SourceRefused(problem, at=AT, remedy=remedy)


class _Stay(HTTPRedirectHandler):
    # The base class says what these are; None: a redirect is an error like others.
    def redirect_request(self, *_: object) -> None:
        return None


class _Error(Struct, frozen=True, kw_only=True):
    error: str


def _error_of(data: bytes) -> str:
    """What a provider calls its refusal, if it has a name for it."""
    try:
        return named(msgspec.json.decode(data, type=_Error).error)
    except ValueError:
        return "no reason given"


def named(error: str) -> str:
    """The name of an error as providers give them, and nothing else.

    >>> named("access_denied"), named("<b>")
    ('access_denied', 'no reason given')
    """
    return error if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", error) else "no reason given"
