"""Links, sessions and tokens that nobody can make up.

The first two are sealed; nothing is kept of them but which links were used. Of tokens only digests are known.
"""

import base64
import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from typing import Literal, Protocol, TypeVar

import msgspec
from msgspec import Struct

from headway.core.access import Role, Token
from headway.flows.home import make

LINK_S = 15 * 60.0
"""How long a link waits to be opened."""

SESSION_S = 12 * 3600.0

SIGN_IN_S = 10 * 60.0
"""How long somebody may take at a provider that asks for a password and more."""

TOKEN_PREFIX = "hw_"  # noqa: S105 (what tokens begin with, so that scanners of secrets know one)

_FOLDER = "web"


class Pass(Struct, frozen=True, kw_only=True):
    """What is sealed: who it is for, until when (UTC seconds). `token` is the digest of the token that gave it.

    `provider` is the mark of the provider that somebody signed in with, and `groups` what it said of them.
    """

    kind: Literal["link", "session"]
    name: str
    role: Role
    until: float
    nonce: str
    token: str = ""
    provider: str = ""
    groups: tuple[str, ...] = ()


class Begun(Struct, frozen=True, kw_only=True):
    """A sign-in that one browser began: `nonce` is told to the provider (`state`), `leads_to` is a page of ours."""

    kind: Literal["sign-in"]
    until: float
    nonce: str
    leads_to: str


S = TypeVar("S", Pass, Begun)


def seal(secret: bytes, value: Pass | Begun) -> str:
    """The text that stands for it in a link or a cookie."""
    said = msgspec.json.encode(value)
    return f"{_text(said)}.{_text(_signed(secret, said))}"


def unseal(secret: bytes, text: str, kind: str, now: float) -> Pass | None:
    """What a text stands for; None when we did not write it, it is over, or it is of another kind."""
    value = _opened(secret, text, Pass)
    return value if value is not None and value.kind == kind and value.until > now else None


def unseal_begun(secret: bytes, text: str, now: float) -> Begun | None:
    """The sign-in that a text stands for; None when we did not write it, or it took too long."""
    value = _opened(secret, text, Begun)
    return value if value is not None and value.until > now else None


def _opened(secret: bytes, text: str, kind: type[S]) -> S | None:
    try:
        said, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split("."))
        if not hmac.compare_digest(signature, _signed(secret, said)):
            return None
        return msgspec.json.decode(said, type=kind)
    except (ValueError, msgspec.DecodeError):
        return None


def derived(secret: bytes, purpose: str, nonce: str) -> str:
    """A text of 256 bits that only we know before we say it, for one purpose of what `nonce` began.

    So that a browser keeps nothing that opens anything: neither the verifier of PKCE nor the nonce of an ID token.
    """
    # What is sealed is JSON and begins with a brace: no text is both.
    return _text(_signed(secret, f"{purpose}\0{nonce}".encode()))


def challenge(verifier: str) -> str:
    """What PKCE (S256) tells of a verifier beforehand. Source: RFC 7636, appendix B.

    >>> challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
    """
    return _text(hashlib.sha256(verifier.encode()).digest())


def _signed(secret: bytes, said: bytes) -> bytes:
    return hmac.new(secret, said, hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Keys(Protocol):
    """What links and sessions are sealed with, which links were used, and which sessions were ended."""

    @property
    def secret(self) -> bytes:
        """What seals them."""

    def use(self, value: Pass | Begun, now: float) -> bool:
        """Use a link or a sign-in up, or end a session; False when somebody did before."""

    def is_used(self, value: Pass) -> bool:
        """Whether somebody did."""


class OwnKeys:
    """Keys of one server that end with it, and leave nothing behind."""

    __slots__ = ("_used", "secret")

    def __init__(self) -> None:
        self.secret = secrets.token_bytes(32)
        self._used: dict[str, float] = {}

    def use(self, value: Pass | Begun, now: float) -> bool:
        """See `Keys`."""
        self._used = {nonce: until for nonce, until in self._used.items() if until > now}
        if value.nonce in self._used:
            return False
        self._used[value.nonce] = value.until
        return True

    def is_used(self, value: Pass) -> bool:
        """See `Keys`."""
        return value.nonce in self._used


class KeptKeys:
    """Keys that lie in the project's `home`, which only its user can read: a restart of the server ends no session.

    Any process of that user can make a link. Deleting the file ends all sessions.
    """

    __slots__ = ("_used", "secret")

    def __init__(self, home: str) -> None:
        make(home)
        folder = os.path.join(home, _FOLDER)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._used = os.path.join(folder, "used")
        self.secret = _secret(os.path.join(folder, "secret"))

    def use(self, value: Pass | Begun, now: float) -> bool:
        """See `Keys`; also when it was used in another process."""
        folder = self._used
        os.makedirs(folder, mode=0o700, exist_ok=True)
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            with suppress(FileNotFoundError):
                # Twice as long as any of them is valid: what is forgotten cannot be used.
                if os.stat(path).st_mtime < now - 2 * SESSION_S:
                    os.unlink(path)
        try:
            os.close(os.open(os.path.join(folder, value.nonce), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        return True

    def is_used(self, value: Pass) -> bool:
        """See `Keys`; also when it was in another process."""
        return os.path.exists(os.path.join(self._used, value.nonce))


_: tuple[type[Keys], type[Keys]] = (OwnKeys, KeptKeys)


def _secret(path: str) -> bytes:
    if not os.path.exists(path):
        fresh = f"{path}.{secrets.token_hex(8)}"
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(fd, secrets.token_bytes(32))
            # Whoever was first made it; it is whole when it can be seen.
            with suppress(FileExistsError):
                os.link(fresh, path)
        finally:
            os.close(fd)
            os.unlink(fresh)
    with open(path, "rb") as file:
        return file.read()


def link(keys: Keys, url: str, *, name: str, role: Role, now: float) -> str:
    """An address that lets one browser in, once, within a quarter of an hour."""
    value = Pass(kind="link", name=name, role=role, until=now + LINK_S, nonce=secrets.token_hex(16))
    return f"{url}/enter?key={seal(keys.secret, value)}"


def new_token() -> str:
    """A token that nobody guesses: 256 bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """What headway.toml has of a token.

    >>> digest_of("hw_example")[:18]
    'sha256:f2802cc1460'
    """
    return "sha256:" + hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def of_token(token: str, known: tuple[Token, ...]) -> Token | None:
    """Whose token that is; it takes as long for every one that is none."""
    digest = digest_of(token)
    found = [one for one in known if hmac.compare_digest(digest.encode(), one.digest.encode("utf-8", "replace"))]
    return found[0] if found else None
