"""Shares of an endpoint's requests by how many copies each version has: what is had without a Gateway.

A Service gives each ready copy as many connections as any other, so that 9 copies of one version and 1 of another are
90 % and 10 %. Whole copies reach only some shares: which, is said here. Knows no cluster.
"""

from collections.abc import Mapping

from headway.core.problem import Problem

TOLERANCE = 0.05
"""How far, of a wished share, the one that is had may be from it: 10 % may be 9.5 % to 10.5 %."""


def apportioned(shares: Mapping[int, float], n: int) -> dict[int, int]:
    """`n` copies, shared out by the largest remainder (Hamilton's method); of equal remainders the first version's.

    >>> apportioned({3: 0.9, 4: 0.1}, 10), apportioned({3: 0.5, 4: 0.3, 5: 0.2}, 4)
    ({3: 9, 4: 1}, {3: 2, 4: 1, 5: 1})
    """
    found = {version: int(share * n + 1e-9) for version, share in shares.items()}
    by_rest = sorted(shares, key=lambda version: found[version] - shares[version] * n)
    for version in by_rest[: n - sum(found.values())]:
        found[version] += 1
    return found


def chosen(shares: Mapping[int, float], *, serving: int, least: int, most: int) -> dict[int, int] | Problem:
    """The fewest copies that have these shares (each above 0, together 1), or what cannot be had and what could be.

    The version that serves keeps at least `least` copies; all together are at most `most`.

    >>> chosen({3: 0.9, 4: 0.1}, serving=3, least=2, most=20), chosen({3: 0.5, 4: 0.5}, serving=3, least=2, most=20)
    ({3: 9, 4: 1}, {3: 2, 4: 2})
    >>> print(chosen({3: 0.99, 4: 0.01}, serving=3, least=2, most=20).remedy)
    choose 5% (19 and 1 copies), write `gateway` into headway.toml: kubernetes, or raise `most-copies`
    """
    for n in range(max(least, len(shares)), most + 1):
        found = apportioned(shares, n)
        if min(found.values()) > 0 and found[serving] >= least and _off(shares, found) <= TOLERANCE:
            return found
    told = ", ".join(f"{share:.4g}" for share in shares.values())
    wished = f"the shares {told}"
    near = ""
    others = [version for version in shares if version != serving]
    if len(others) == 1:
        wished = f"a share of {100 * shares[others[0]]:.4g}% for version {others[0]}"
        near = _nearest(shares[others[0]], least=least, most=most)
    choose = f"choose {near}, " if near else ""
    return Problem(
        path=("table",),
        problem=f"{wished} cannot be had by copies: at most {most} together, at least {least} of version {serving}",
        remedy=f"{choose}write `gateway` into headway.toml: kubernetes, or raise `most-copies`",
    )


def _off(shares: Mapping[int, float], found: Mapping[int, int]) -> float:
    n = sum(found.values())
    return max(abs(found[version] / n - share) / share for version, share in shares.items())


def reachable(*, least: int, most: int) -> dict[float, tuple[int, int]]:
    """The shares that one version can have beside another, in order, each with the fewest copies that have it.

    >>> list(reachable(least=2, most=4))
    [0.25, 0.3333333333333333, 0.5]
    """
    found: dict[float, tuple[int, int]] = {}
    for n in range(least + 1, most + 1):
        for new in range(1, n - least + 1):
            found.setdefault(new / n, (n - new, new))
    return dict(sorted(found.items()))


def _nearest(share: float, *, least: int, most: int) -> str:
    """The nearest shares that can be had, the smaller one first."""
    can = reachable(least=least, most=most)
    around = [max((s for s in can if s < share), default=None), min((s for s in can if s > share), default=None)]
    said = [f"{100 * s:.3g}% ({can[s][0]} and {can[s][1]} copies)" for s in around if s is not None]
    return " or ".join(said)
