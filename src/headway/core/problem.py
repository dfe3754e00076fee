"""One fault of a file as the pure rooms know it: where in the values, not in which line."""

from collections.abc import Iterable

from msgspec import Struct

Path = tuple[str | int, ...]
"""The way from the top of a file to a value: `("steps", 1, "needs", 0)`."""


class Problem(Struct, frozen=True, kw_only=True):
    """What is wrong at `path` and what to do about it.

    `at_key` points at the key and not at its value; `offset` >= 0 at a character of the value's text.
    """

    path: Path
    problem: str
    remedy: str
    at_key: bool = False
    offset: int = -1


MANY = 100
"""So many faults come from a machine's mistake, not from slips: no further one is looked up among the known words."""


def close_to(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The known word that was probably meant, or nothing. About 10 microseconds for each known word.

    >>> close_to("depz", ["deps", "needs"])
    'deps'
    """
    from difflib import get_close_matches

    by_lower = {k.lower(): k for k in known}
    if len(by_lower) > 500:
        # Among thousands of steps a slip seldom changes both ends of the word.
        ends = word[:2].lower(), word[-2:].lower()
        by_lower = {k: name for k, name in by_lower.items() if k.startswith(ends[0]) or k.endswith(ends[1])}
    found = get_close_matches(word.lower(), by_lower, 1, cutoff)
    return by_lower[found[0]] if found else ""


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """The remedy for an unknown word: the nearest known one, or what to do instead."""
    near = close_to(word, known)
    return f"did you mean `{near}`?" if near else otherwise
