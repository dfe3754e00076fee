"""ID tokens: whether one of a provider's keys signed them. The one place that meets `joserfc`.

Knows no provider: `web/provider` has the keys, `core/oidc` says whether what was signed is meant for us.
"""

import base64
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from headway.core.oidc import Claims
from headway.errors import ExtraMissing

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, RSAKey

_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", *_CURVES)
"""What may sign. Never `none`, nor HS…, for which whatever is public (a key) or shared (a secret) would do as a key."""

LEAST_RSA_BITS = 2048

LONGEST = 256 * 1024
"""Somebody may be in thousands of groups, each of which has a long name."""

MOST_TRIED = 8
"""Keys that fit one token: it costs time to try each."""


class Head(Struct, frozen=True, kw_only=True):
    """What a token says of itself before anything is proven."""

    alg: str
    kid: str | None = None
    crit: object = None
    b64: object = None


class _Jwk(Struct, frozen=True, kw_only=True):
    kty: str
    kid: str | None = None
    use: str | None = None
    alg: str | None = None
    crv: str | None = None
    n: str | None = None
    e: str | None = None
    x: str | None = None
    y: str | None = None


class _Jwks(Struct, frozen=True, kw_only=True):
    keys: tuple[msgspec.Raw, ...]


Jwks = tuple[_Jwk, ...]
"""The public keys of a provider, those that can sign anything at all here."""


def read_keys(data: bytes) -> Jwks:
    """The keys of a JWK set; those of other kinds, and short ones, are passed over. Raises ValueError: it is no set.

    >>> len(read_keys(b'{"keys": [{"kty": "EC", "crv": "P-256"}, {"kty": "oct", "k": "AQ"}, {"odd": 1}]}'))
    1
    """
    found = []
    for raw in msgspec.json.decode(data, type=_Jwks).keys:
        try:
            found.append(msgspec.json.decode(raw, type=_Jwk))
        except msgspec.ValidationError:
            # One odd key must not keep the others out.
            continue
    return tuple(one for one in found if one.use in (None, "sig") and _is_usable(one))


def _is_usable(key: "_Jwk") -> bool:
    try:
        return key.kty == "EC" or (key.kty == "RSA" and _bits(key.n) >= LEAST_RSA_BITS)
    except ValueError:
        return False


def head_of(token: str) -> Head | None:
    """What a token says of itself; None when it is no signed token, or wants us to understand what we do not."""
    first, _, rest = token.partition(".")
    try:
        head = msgspec.json.decode(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)), type=Head)
    except ValueError:
        return None
    # `joserfc` passes over `crit`, which says what must not be passed over.
    return head if rest.count(".") == 1 and head.crit is None and head.b64 is None else None


def fitting(head: Head, keys: Jwks) -> Jwks:
    """The keys that a token may have been signed with: of its algorithm, and of its id where it names one.

    >>> keys = read_keys(b'{"keys": [{"kty": "EC", "crv": "P-256"}]}')
    >>> [len(fitting(Head(alg=alg), keys)) for alg in ("ES256", "ES384", "HS256", "none")]
    [1, 0, 0, 0]
    """
    if head.alg not in ALGORITHMS:
        return ()
    return tuple(_fitting(head, keys))


def _fitting(head: Head, keys: Jwks) -> Iterator[_Jwk]:
    curve = _CURVES.get(head.alg)
    for key in keys:
        is_of_kind = key.kty == "EC" and key.crv == curve if curve else key.kty == "RSA"
        if is_of_kind and key.alg in (None, head.alg) and head.kid in (None, key.kid):
            yield key


def proven(token: str, head: Head, keys: Jwks) -> Claims | None:
    """What one of these keys signed; None when none of them did. Raises ExtraMissing without joserfc.

    `keys` are those that `fitting` gives for `head`.
    """
    need()
    from joserfc import jws
    from joserfc.errors import JoseError

    # What else a head holds (chains of certificates) is nobody's harm; what counts in it `head_of` has looked at.
    registry = jws.JWSRegistry(algorithms=[head.alg], strict_check_header=False)
    registry.max_header_length = registry.max_payload_length = LONGEST
    for key in keys[:MOST_TRIED]:
        try:
            found = jws.deserialize_compact(token.encode(), _imported(key), registry=registry)
            return msgspec.json.decode(found.payload, type=dict[str, object])
        except (JoseError, ValueError):
            continue
    return None


def _imported(key: _Jwk) -> "RSAKey | ECKey":
    from joserfc.jwk import ECKey, RSAKey

    # The numbers alone: what else stands there was looked at already.
    names = ("kty", "crv", "x", "y") if key.kty == "EC" else ("kty", "n", "e")
    values = {name: value for name in names if (value := getattr(key, name)) is not None}
    return ECKey.import_key(values) if key.kty == "EC" else RSAKey.import_key(values)


def _bits(number: str | None) -> int:
    """How long a number of a key is."""
    data = base64.urlsafe_b64decode((number or "") + "=" * (-len(number or "") % 4))
    return int.from_bytes(data, "big").bit_length()


def need() -> None:
    """Raises ExtraMissing where `joserfc` is not installed; imports nothing."""
    if find_spec("joserfc") is None:
        raise ExtraMissing(
            "signing in with a provider needs joserfc, which is not installed here",
            at="headway.toml: web.oidc",
            remedy="pip install 'headway[oidc]'",
        )
