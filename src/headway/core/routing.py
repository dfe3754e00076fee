"""Which version answers a request of an endpoint that has several: weights, keys that stick, a share that is copied.

Decides by hashes of a key or of the request's id, so that every process that is asked says the same, at any time, and
nothing has to be remembered. Does not know sockets, processes or where in a request a key stands.
"""

import math
import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

from msgspec import Struct, structs

from headway.core.problem import Problem
from headway.errors import UsageMistaken

MAX_ROUTES = 32
"""Versions in one table: each costs a request that sticks a hash, and this machine a process."""

MAX_WEIGHT = 1e9

_GIVE_WEIGHT = f"give a number from 0 to {MAX_WEIGHT:,.0f}"

# What a header or a cookie can be called (RFC 9110, section 5.6.2): by any other name no request would have it.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Route(Struct, frozen=True, kw_only=True):
    """A version that answers clients. Weights are relative: 90 and 10 say the same as 0.9 and 0.1; 0 is nothing."""

    version: int
    weight: float


class Shadow(Struct, frozen=True, kw_only=True):
    """A version that gets a copy of a `share` (0..1) of the requests; no client sees its answers."""

    version: int
    share: float = 1.0


class Sticky(Struct, frozen=True, kw_only=True):
    """Where a request's key stands: in a header, a cookie, or a field (a column) of its first row."""

    place: Literal["field", "header", "cookie"]
    name: str


class Table(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who answers. Requests of one key go to one version; those without one, and all without `sticky`, by their id."""

    routes: tuple[Route, ...]
    sticky: Sticky | None = None
    shadow: Shadow | None = None

    @property
    def versions(self) -> tuple[int, ...]:
        """Every version that it names, in order, the shadow last."""
        return (*(route.version for route in self.routes), *((self.shadow.version,) if self.shadow else ()))

    @property
    def shares(self) -> dict[int, float]:
        """Each version's share of the requests, 0 to 1."""
        total = sum(route.weight for route in self.routes)
        return {route.version: route.weight / total for route in self.routes}


def faults(table: Table) -> list[Problem]:
    """All that is wrong with a table.

    >>> [fault.problem for fault in faults(Table(routes=(Route(version=3, weight=0),)))]
    ['no version has a weight']
    """
    seen: set[int] = set()
    found = []
    for route in table.routes:
        if not (0 <= route.weight <= MAX_WEIGHT):
            found.append(_fault("routes", f"a weight of {route.weight:g} is none", _GIVE_WEIGHT))
        if route.version in seen:
            found.append(_fault("routes", f"version {route.version} is named twice", "name each version once"))
        seen.add(route.version)
    if not any(route.weight > 0 for route in table.routes):
        found.append(_fault("routes", "no version has a weight", "give at least one version a weight above 0"))
    if len(table.routes) > MAX_ROUTES:
        found.append(_fault("routes", f"{len(table.routes)} versions are too many", f"name at most {MAX_ROUTES}"))
    if table.sticky is not None and not table.sticky.name:
        found.append(_fault("sticky", f"a {table.sticky.place} without a name", "name it"))
    if table.shadow is not None:
        if not (0 <= table.shadow.share <= 1):
            found.append(_fault("shadow", f"a share of {table.shadow.share:g} is none", "give one from 0 to 1"))
        if any(route.version == table.shadow.version and route.weight > 0 for route in table.routes):
            name = f"version {table.shadow.version}"
            found.append(_fault("shadow", f"{name} answers clients and is their shadow", "make it one of both"))
    return found


def refuse(endpoint: str, wrong: Sequence[Problem]) -> None:
    """Raise UsageMistaken when there are faults."""
    if wrong:
        told = "; ".join(fault.problem for fault in wrong)
        remedy = "; ".join(dict.fromkeys(fault.remedy for fault in wrong))
        raise UsageMistaken(f"{endpoint}: {told}", at="the routing table", remedy=remedy)


def _fault(key: str, problem: str, remedy: str) -> Problem:
    return Problem(path=(key,), problem=problem, remedy=remedy)


def without(table: Table, version: int) -> Table | None:
    """The table when a version of it is gone: its share is the others'. None when nobody is left to choose from.

    >>> three = Table(routes=tuple(Route(version=v, weight=1) for v in (3, 4, 5)))
    >>> without(three, 5).versions, without(without(three, 5), 4)
    ((3, 4), None)
    """
    routes = tuple(route for route in table.routes if route.version != version)
    shadow = None if table.shadow is None or table.shadow.version == version else table.shadow
    if not any(route.weight > 0 for route in routes) or (len(routes) == 1 and shadow is None):
        return None
    return structs.replace(table, routes=routes, shadow=shadow)


class Chooser:
    """Chooses by a table, for one endpoint: another endpoint's choice for the same key says nothing of this one's.

    By weighted rendezvous hashing: each version draws a number from the key, and the smallest, divided by the weight,
    wins. A version whose weight grows beside the others' takes keys from them and gives none away, and keys move
    between two versions only when their weights change to one another.
    Source: Schindelhauer & Schomaker (2005), Weighted distributed hash tables, SPAA, 218-227.

    >>> table = Table(routes=(Route(version=3, weight=90), Route(version=4, weight=10)))
    >>> sum(Chooser("churn", table).version(f"customer-{i}") == 4 for i in range(1000))
    103
    """

    __slots__ = ("_all", "_draws", "_key", "_shadow")

    def __init__(self, endpoint: str, table: Table) -> None:
        """`table` has no faults."""
        live = [route for route in table.routes if route.weight > 0]
        salt = blake2b(endpoint.encode(), digest_size=16).digest()
        self._all = live[0].version if len(live) == 1 else None
        self._key = blake2b(digest_size=8, key=salt, person=b"route")
        # Large prime steps apart, so that neighbouring versions start far from each other.
        self._draws = [(route.version, 1.0 / route.weight, route.version * _STEP & _MASK) for route in live]
        share = table.shadow.share if table.shadow is not None else 0.0
        self._shadow = (blake2b(digest_size=8, key=salt, person=b"shadow"), share * 2.0**64)

    def version(self, key: str) -> int:
        """Who answers the requests of this key."""
        if self._all is not None:
            return self._all
        draw = self._key.copy()
        draw.update(key.encode("utf-8", "surrogatepass"))
        drawn = int.from_bytes(draw.digest(), "big")
        best, least = self._draws[0][0], math.inf
        for version, per_weight, start in self._draws:
            # The finish of SplitMix64 (Steele, Lea & Flood 2014): a hash for each version would cost thrice as much.
            z = drawn ^ start
            z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _MASK
            z = (z ^ z >> 27) * 0x94D049BB133111EB & _MASK
            # From (0, 1]: the logarithm of 0 is none.
            waits = -math.log(((z ^ z >> 31) + 1) * 2.0**-64) * per_weight
            if waits < least:
                best, least = version, waits
        return best

    def is_shadowed(self, request_id: str) -> bool:
        """Whether a request is among those that are copied; which version answers it plays no part."""
        start, below = self._shadow
        draw = start.copy()
        draw.update(request_id.encode("utf-8", "surrogatepass"))
        return int.from_bytes(draw.digest(), "big") < below


_MASK = 2**64 - 1
_STEP = 0x9E3779B97F4A7C15


def key_text(value: object) -> str | None:
    """A key as a text, the same for the same key however a client writes it; None for what is no key.

    >>> key_text(17), key_text(17.0), key_text("17"), key_text(True), key_text(None), key_text([17])
    ('17', '17', '17', 'true', None, None)
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value) if isinstance(value, int) or (isinstance(value, str) and value) else None


def cookie(header: str, name: str) -> str | None:
    """A cookie's value, from the header in which a client sends all of them.

    >>> cookie("a=1; sid=x%201; b=", "sid"), cookie("a=1", "sid")
    ('x%201', None)
    """
    for pair in header.split(";"):
        key, equals, value = pair.strip().partition("=")
        if equals and key == name:
            return value.strip('"') or None
    return None


def read_sticky(text: str) -> Sticky | Problem:
    """Read `customer_id` (a field), `header:X-User` or `cookie:sid`.

    >>> read_sticky("customer_id")
    Sticky(place='field', name='customer_id')
    >>> read_sticky("header:X-User")
    Sticky(place='header', name='x-user')
    """
    place, colon, name = text.partition(":")
    if colon and place in ("header", "cookie"):
        if _TOKEN.fullmatch(name):
            return Sticky(place="header", name=name.lower()) if place == "header" else Sticky(place="cookie", name=name)
    elif column := text.removeprefix("field:"):
        return Sticky(place="field", name=column)
    return _fault("sticky", f"{text!r} names no key", "write a column, header:NAME or cookie:NAME")


def read_weights(text: str, n_versions: int) -> tuple[float, ...] | Problem:
    """Read `90,10`: a weight for each version; without a text all are the same.

    >>> read_weights("90,10", 2), read_weights("", 2)
    ((90.0, 10.0), (1.0, 1.0))
    >>> read_weights("90", 2).problem
    '1 weight for 2 versions'
    """
    if not text:
        return (1.0,) * n_versions
    words = [word.strip().removesuffix("%") for word in text.split(",")]
    try:
        weights = tuple(float(word) for word in words)
    except ValueError:
        return _fault("weights", f"{text!r} are no weights", "write numbers: 90,10")
    if len(weights) != n_versions:
        n = len(weights)
        problem = f"{n} weight{'s' * (n != 1)} for {n_versions} version{'s' * (n_versions != 1)}"
        return _fault("weights", problem, "give one for each version, in their order")
    return weights


def read_share(text: str) -> float | Problem:
    """Read `10%` or `0.1`.

    >>> read_share("10%"), read_share("0.1"), read_share("ten").problem
    (0.1, 0.1, "'ten' is no share")
    """
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    return share if 0 <= share <= 1 else _fault("shadow", f"{text!r} is no share", "write 10% or 0.1")
