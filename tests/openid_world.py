"""A provider of OpenID Connect on loopback, with real keys, which can be made to misbehave; and a browser that is none.

It keeps to the rules that matter here as strictly as a certified one: codes hold once, for one client, one address and
one verifier of PKCE. `tests/web/test_oidc_certified.py` also asks one that is certified.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from headway.config import Settings
from headway.core.oidc import Oidc, Roles
from headway.web.passes import Keys, OwnKeys
from services import free_port
from web_world import NOW, Visitor, served, write

CLIENT = "headway"

ROLES = Roles(viewer=("staff",), approver=("leads",), admin=("ml-admins",))


def key_of(alg: str, kid: str) -> RSAKey | ECKey:
    """A fresh key for an algorithm."""
    if alg.startswith("ES"):
        return ECKey.generate_key({"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[alg], {"kid": kid})
    return RSAKey.generate_key(2048, {"kid": kid})


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class OpenId:
    """The provider. What it says of the user is `claims`, of `told` by the endpoint for users alone.

    `alter` changes the claims of an ID token before it is signed, `sign` signs otherwise, `answer` answers otherwise at
    a path (status, headers, body) or not at all (None: as usual).
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.behave()
        self._codes: dict[str, dict[str, str]] = {}
        self.redirects: set[str] = set()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                provider._handle(self, {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
                provider._handle(self, {name: values[0] for name, values in parse_qs(body).items()})

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def behave(self) -> None:
        """Keep to the rules from now on, and know nothing of what was."""
        self.alg = "RS256"
        self.keys: list[RSAKey | ECKey] = [KEYS["RS256"]]
        self.secret = ""
        self.claims: dict[str, Any] = {"preferred_username": "ann", "groups": ["staff", "ml-admins"]}
        self.told: dict[str, Any] = {}
        self.alter: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        self.sign: Callable[[dict[str, Any]], str] = self.signed
        self.answer: Callable[[str], tuple[int, dict[str, str], bytes] | None] = lambda path: None
        self.about_more: dict[str, Any] = {}
        self.back_more: dict[str, str] = {}
        self.asked: list[str] = []
        """Every path that was asked for, in order."""
        self.seen: list[str] = []
        """Everything that a browser was told and that must be seen nowhere else: codes, tokens, secrets."""

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    # --- what it answers ------------------------------------------------------------------------------------------

    def _handle(self, asked: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        parts = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(parts.path)
        answer = self.answer(parts.path)
        if answer is None:
            match parts.path:
                case "/.well-known/openid-configuration":
                    answer = _json(self.about())
                case "/jwks":
                    answer = _json({"keys": [key.as_dict(private=False) for key in self.keys]})
                case "/authorize":
                    answer = self._authorize(query)
                case "/token":
                    answer = self._token(form, asked.headers)
                case "/me":
                    answer = self._me(asked.headers)
                case _:
                    answer = 404, {}, b"{}"
        status, headers, body = answer
        with suppress(OSError):
            asked.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                asked.send_header(name, value)
            asked.end_headers()
            asked.wfile.write(body)

    def about(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?tenant=a",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "userinfo_endpoint": f"{self.url}/me",
            "end_session_endpoint": f"{self.url}/end",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "authorization_response_iss_parameter_supported": True,
            **self.about_more,
        }

    def _authorize(self, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        is_right = (
            query["client_id"] == CLIENT
            and query["response_type"] == "code"
            and query["redirect_uri"] in self.redirects
            and query["code_challenge_method"] == "S256"
            and "openid" in query["scope"].split()
            and query["tenant"] == "a"
        )
        if not is_right:
            return 400, {}, b"not registered here"
        code = secrets.token_urlsafe(24)
        self.seen.append(code)
        self._codes[code] = query
        back = {"code": code, "state": query["state"], "iss": self.url, **self.back_more}
        return 303, {"location": f"{query['redirect_uri']}?{urlencode(back)}"}, b""

    def _token(self, form: dict[str, str], headers: Message) -> tuple[int, dict[str, str], bytes]:
        begun = self._codes.pop(form.get("code", ""), None)
        if begun is None or begun["redirect_uri"] != form.get("redirect_uri"):
            return _json({"error": "invalid_grant", "error_description": f"what is {form.get('code')}?"}, 400)
        verifier = form.get("code_verifier", "")
        self.seen.append(verifier)
        if encoded(hashlib.sha256(verifier.encode()).digest()) != begun["code_challenge"]:
            return _json({"error": "invalid_grant", "error_description": "PKCE"}, 400)
        if not self._is_client(form, headers):
            return _json({"error": "invalid_client"}, 401)
        now = int(self.now())
        claims = {"iss": self.url, "aud": CLIENT, "sub": "u1", "iat": now, "exp": now + 300, "nonce": begun["nonce"]}
        token = self.sign(self.alter({**claims, **self.claims}))
        access = secrets.token_urlsafe(24)
        self.seen += [token, access]
        return _json({"id_token": token, "access_token": access, "token_type": "Bearer", "expires_in": 300})

    def _is_client(self, form: dict[str, str], headers: Message) -> bool:
        kind, _, pair = (headers.get("authorization") or "").partition(" ")
        if kind == "Basic":
            name, _, secret = base64.b64decode(pair).decode().partition(":")
            name, secret = unquote(name), unquote(secret)
        else:
            name, secret = form.get("client_id", ""), form.get("client_secret", "")
        return name == CLIENT and hmac.compare_digest(secret.encode(), self.secret.encode())

    def _me(self, headers: Message) -> tuple[int, dict[str, str], bytes]:
        if (headers.get("authorization") or "").removeprefix("Bearer ") not in self.seen:
            return _json({"error": "invalid_token"}, 401)
        return _json({"sub": "u1", **self.told})

    # --- keys -------------------------------------------------------------------------------------------------------

    def signed(self, claims: dict[str, Any], **head: Any) -> str:
        """As it should be: by the newest key, which is named."""
        key = self.keys[-1]
        head = {"alg": self.alg, "kid": key.kid, **head}
        head = {name: value for name, value in head.items() if value is not None}
        return jws.serialize_compact(head, json.dumps(claims).encode(), key, algorithms=[self.alg])


KEYS = {alg: key_of(alg, alg) for alg in ("RS256", "ES256", "ES384", "ES512")}
"""Made once: they take a while."""
KEYS |= {"PS256": KEYS["RS256"], "RS512": KEYS["RS256"]}


def _json(value: Any, status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"content-type": "application/json"}, json.dumps(value).encode()


@contextmanager
def provided(now: Callable[[], float] = time.time) -> Iterator[OpenId]:
    """A provider, while it is asked."""
    provider = OpenId(now)
    try:
        yield provider
    finally:
        provider.close()


class Window:
    """A browser that is none: keeps cookies, and goes where it is sent when it is told to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookies: dict[str, str] = {}
        self.given: list[str] = []
        """Cookies as they were given, with all that is said of them."""

    def ask(self, url: str, method: str = "GET", body: str | None = None, **headers: str) -> tuple[int, str, str]:
        """Status, where to go next, and the text; of our own site, or with an address of another."""
        parts = urlsplit(url)
        is_ours = not parts.netloc or url.startswith(self.url)
        connection = HTTPConnection(parts.netloc or urlsplit(self.url).netloc, timeout=60)
        sent = {"Accept": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if is_ours and self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request(method, f"{parts.path or '/'}?{parts.query}", body, sent)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        for given in (answer.headers.get_all("set-cookie") or []) if is_ours else []:
            self.given.append(given)
            name, _, value = given.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "max-age=0" in given.lower():
                del self.cookies[name]
        return answer.status, answer.getheader("location") or "", text

    def go(self, path: str = "/sign-in") -> str:
        """Begin a sign-in, and be sent back by the provider: the address that it sends one back to."""
        status, there, text = self.ask(path)
        assert status == 303, text
        status, back, text = self.ask(there)
        assert status == 303, text
        return back

    def sign_in(self, path: str = "/sign-in") -> tuple[int, str, str]:
        """All of it."""
        return self.ask(self.go(path))


# --- all together


class World:
    """A provider, the pages that know it, and whoever looks; `told` is what whoever runs the pages hears."""

    def __init__(self, openid: OpenId, bare: Settings) -> None:
        self.openid = openid
        self.now = [NOW]
        self.told: list[str] = []
        self.keys: Keys = OwnKeys()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        openid.now = lambda: self.now[0]
        openid.redirects = {f"{self.url}/sign-in/callback"}
        self.written = Oidc(issuer=openid.url, client_id=CLIENT, roles_claim="groups", roles=ROLES)
        self.settings = msgspec.structs.replace(bare, web_url=self.url, web_oidc=self.written)

    def say(self, **changed: Any) -> None:
        self.written = msgspec.structs.replace(self.written, **changed)
        self.settings = msgspec.structs.replace(self.settings, web_oidc=self.written)

    def window(self) -> Window:
        return Window(self.url)

    @contextmanager
    def running(self, **of_site: Any) -> Iterator[Visitor]:
        of_site = {"now": lambda: self.now[0], "keys": self.keys, "tell": self.told.append, **of_site}
        with served(self.settings, port=self.port, **of_site) as visitor:
            yield visitor

    def who(self, window: Window) -> tuple[str, str] | None:
        """Name and role, as the pages show them."""
        status, _, text = window.ask("/runs")
        if status == 401:
            return None
        assert status == 200
        found = text.partition('<span title="')[2].partition("</span>")[0].split('">')
        return found[1], found[0]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return write(tmp_path_factory.mktemp("project"))


@pytest.fixture
def world(bare: Settings) -> Iterator[World]:
    """All of it, of one test; the pages are started by it."""
    with provided() as openid:
        yield World(openid, bare)


@pytest.fixture(scope="module")
def shared(bare: Settings) -> Iterator[World]:
    with provided() as openid:
        world = World(openid, bare)
        with world.running():
            yield world


@pytest.fixture
def up(shared: World) -> World:
    """All of it, running, for tests that change no settings. What others did is long ago, and forgotten."""
    shared.openid.behave()
    shared.told.clear()
    shared.now[0] += 3600
    return shared
