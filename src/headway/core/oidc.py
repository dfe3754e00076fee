"""Who comes in by an OpenID provider: what a user writes under `[web.oidc]`, and what a provider's claims mean.

No secret stands there: that of the client is named by the variable that holds it. Neighbours: `codec/id_token` proves
who signed claims, `web/provider` asks for them. Read with the settings of every command: imports nothing slow.
"""

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from headway.core.access import ROLES, Role

Claims = Mapping[str, object]
"""What a provider says of somebody, as JSON has it."""

LEEWAY_S = 60.0
"""How far the clocks of the provider and of this machine may be apart."""

LONGEST_NAME = 200

KEPT_BYTES = 1600
"""So much of somebody's groups is kept in a session: browsers keep no cookie of more than 4 KB."""

# As texts: every command reads settings, few have a provider.
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_ADDRESS = r"(?P<scheme>https?)://(?P<host>[^\s/:@?#\[\]\\]+|\[[0-9A-Fa-f:.]+\])(?P<port>:[0-9]{1,5})?(/[^\s?#\\]*)?"
_LOOPBACK = r"localhost|127(\.[0-9]{1,3}){3}|\[::1\]"
_SCOPE = r"[\x21\x23-\x5b\x5d-\x7e]+"


class Roles(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the claim of `roles-claim` must say for each role; the highest one counts."""

    viewer: tuple[str, ...] = ()
    operator: tuple[str, ...] = ()
    approver: tuple[str, ...] = ()
    admin: tuple[str, ...] = ()

    def of(self, role: Role) -> tuple[str, ...]:
        """The values that give a role."""
        values: tuple[str, ...] = getattr(self, role)
        return values


class Oidc(Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True, omit_defaults=True):
    """A provider of OpenID Connect that people sign in with."""

    issuer: str = ""
    """The address that the provider calls itself by; empty: nobody signs in so."""
    client_id: str = ""
    """What the provider calls this Headway."""
    client_secret_env: str = ""
    """The variable that holds the client's secret; empty: a public client, which PKCE alone protects."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    """What is asked for."""
    name_claim: str = ""
    """What people are called by; empty: `preferred_username`, else `email`, else `sub`."""
    roles_claim: str = ""
    """The claim whose values give roles; a path with dots reaches into it (`realm_access.roles`)."""
    roles: Roles = field(default_factory=Roles)
    default_role: Role | None = None
    """The role of those whom `roles` gives none; None: they are not let in."""

    @property
    def host(self) -> str:
        """What people call the provider."""
        found = re.match(_ADDRESS, self.issuer)
        return found["host"] + (found["port"] or "") if found else self.issuer


class Wrong(Struct, frozen=True, kw_only=True):
    """A fault, in the field as it is written."""

    field: str
    problem: str
    remedy: str


def is_safe(url: str) -> bool:
    """Whether what goes to that address is read by nobody on the way: it has TLS, or stays on this machine.

    >>> is_safe("https://id.example.com/realms/x"), is_safe("http://id.example.com"), is_safe("http://127.0.0.1:9000")
    (True, False, True)
    """
    found = re.fullmatch(_ADDRESS, url)
    return found is not None and (found["scheme"] == "https" or re.fullmatch(_LOOPBACK, found["host"]) is not None)


def wrong(written: Oidc, web_url: str) -> list[Wrong]:
    """What is of the right kind there and yet cannot be meant; `web_url` is where people reach the pages."""
    return [Wrong(field=name, problem=problem, remedy=remedy) for name, problem, remedy in _wrong(written, web_url)]


def _wrong(one: Oidc, web_url: str) -> Iterator[tuple[str, str, str]]:
    if not is_safe(one.issuer):
        problem = f"{one.issuer!r} is no address with TLS" if one.issuer else "`issuer` is missing"
        yield "issuer", problem, "write the provider's own address: https://HOST/PATH (http:// only on this machine)"
    if not one.client_id or not one.client_id.isprintable():
        problem = "`client-id` is no text of one line" if one.client_id else "`client-id` is missing"
        yield "client-id", problem, "write what the provider calls this Headway"
    if one.client_secret_env and not re.fullmatch(_VARIABLE, one.client_secret_env):
        # Most likely the secret itself: it is not said again.
        remedy = "write the variable's name here, and the secret into the environment of `headway up`"
        yield "client-secret-env", "it is no name of a variable", remedy
    if "openid" not in one.scopes:
        yield "scopes", "`openid` is not among the scopes, and nobody is told of without it", "add it"
    for scope in one.scopes:
        if not re.fullmatch(_SCOPE, scope):
            yield "scopes", f"{scope!r} is no scope", "write each as a text of its own, without spaces"
    yield from _wrong_roles(one)
    if not web_url:
        remedy = 'write where people reach the pages: [web] url = "https://HOST"'
        yield "", "people are sent back to `web.url`, which is missing", remedy
    elif not is_safe(web_url):
        remedy = "put a proxy with TLS before it, and write https:// (http:// only on this machine)"
        yield "", f"people would be sent back to {web_url!r} without TLS", remedy


def _wrong_roles(one: Oidc) -> Iterator[tuple[str, str, str]]:
    has_roles = any(one.roles.of(role) for role in ROLES)
    if has_roles and not one.roles_claim:
        yield "roles-claim", "`roles` says values of a claim, and not of which", 'write `roles-claim = "groups"`'
    if one.roles_claim and not has_roles:
        remedy = 'write [web.oidc.roles] with `admin = ["ml-admins"]`, and the other roles so'
        yield "roles", "`roles-claim` is said, and no value of it gives a role", remedy
    if not (has_roles or one.roles_claim or one.default_role):
        remedy = 'write [web.oidc.roles] with `admin = ["ml-admins"]`, or `default-role = "viewer"`'
        yield "roles", "nobody could come in: nothing gives a role", remedy


# --- what claims mean -------------------------------------------------------------------------------------------


def claim(claims: Claims, name: str) -> object:
    """One claim, by its name or by a path with dots; None where there is none.

    An address that the provider did not verify is none: anybody can call themselves by it.

    >>> claim({"realm_access": {"roles": ["a"]}, "x.y": "b"}, "realm_access.roles"), claim({"x.y": "b"}, "x.y")
    (['a'], 'b')
    >>> claim({"email": "ann@example.com", "email_verified": False}, "email")
    """
    if name == "email" and claims.get("email_verified") in (False, "false"):
        return None
    if name in claims:
        return claims[name]
    found: object = claims
    for word in name.split("."):
        found = found.get(word) if isinstance(found, Mapping) else None
    return found


def name_of(written: Oidc, claims: Claims) -> str:
    """What somebody is called; empty where the claims have no name that can be shown."""
    names = (written.name_claim,) if written.name_claim else ("preferred_username", "email", "sub")
    for name in names:
        value = claim(claims, name)
        text = value.strip() if isinstance(value, str) else ""
        if text and len(text) <= LONGEST_NAME and text.isprintable():
            return text
    return ""


def groups_of(written: Oidc, claims: Claims) -> tuple[str, ...]:
    """The values of the claim that gives roles; those that give one first, from the highest on, each once.

    What would not fit into a session is left out, from the end.
    """
    if not written.roles_claim:
        return ()
    value = claim(claims, written.roles_claim)
    said = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    found = dict.fromkeys(one for one in said if isinstance(one, str))
    given = [one for role in reversed(ROLES) for one in written.roles.of(role) if one in found]
    kept, left = [], KEPT_BYTES
    for one in dict.fromkeys([*given, *found]):
        left -= len(one.encode("utf-8", "replace")) + 3
        if left < 0:
            break
        kept.append(one)
    return tuple(kept)


def role_of(written: Oidc, groups: tuple[str, ...]) -> Role | None:
    """The highest role that one of the groups gives, else the default; None: not let in.

    >>> written = Oidc(roles=Roles(viewer=("staff",), admin=("ml-admins",)), default_role=None)
    >>> role_of(written, ("staff", "ml-admins")), role_of(written, ("guests",))
    ('admin', None)
    """
    for role in reversed(ROLES):
        if any(group in written.roles.of(role) for group in groups):
            return role
    return written.default_role


def lacks(written: Oidc, claims: Claims) -> bool:
    """Whether something is missing that the provider may say elsewhere."""
    wanted = [written.name_claim or "preferred_username", *([written.roles_claim] if written.roles_claim else [])]
    return any(claim(claims, name) is None for name in wanted)


def refuted(claims: Claims, written: Oidc, *, nonce: str, now: float) -> str:
    """Why an ID token is not for this sign-in; empty when it is. `now` in UTC seconds.

    Source: OpenID Connect Core 1.0, section 3.1.3.7.
    """
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    subject = claims.get("sub")
    if claims.get("iss") != written.issuer:
        return "it is of another issuer"
    if written.client_id not in audiences:
        return "it is for another client"
    if (party is not None or len(audiences) > 1) and party != written.client_id:
        return "it is for several clients, and not made for this one"
    if not isinstance(subject, str) or not subject:
        return "it does not say of whom it is"
    if claims.get("nonce") != nonce:
        return "it is of another sign-in"
    return _out_of_time(claims, now)


def _out_of_time(claims: Claims, now: float) -> str:
    ends, made, begins = (_seconds(claims.get(name)) for name in ("exp", "iat", "nbf"))
    if ends is None or made is None:
        return "it does not say when it was made and until when it holds"
    if ends <= now - LEEWAY_S:
        return "it is over; see that the clocks of both machines are right"
    if max(made, begins or made) > now + LEEWAY_S:
        return "it is from the future; see that the clocks of both machines are right"
    return ""


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
