"""Shares, amounts and spans as people write them in a schema: `0.1%`, `12`, `4..6`, `10%..30%`.

Times and amounts of memory are `core/units`. What they are spans of is not known here.
"""

import re
from math import isfinite

from headway.core.validation import Tolerance

_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_SHARE = re.compile(rf"({_NUMBER})\s*%")
_PLAIN = re.compile(_NUMBER)

Ends = tuple[float | None, float | None]
"""The lower and the upper end of a span, both within; None where it has none."""


def share(value: object) -> float | None:
    """The share (0 to 1) that a text in percent says; None when it says none.

    >>> share("0.1%"), share("25 %"), share("120%"), share(0.5)
    (0.001, 0.25, None, None)
    """
    found = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    read = _hundredth(found[1])
    return read if 0 <= read <= 1 else None


def _hundredth(percent: str) -> float:
    """The float nearest to the share, as 7 / 1000 is to `0.7%`; a hundredth of the float 0.7 is less than that."""
    digits, _, exponent = percent.lower().partition("e")
    return float(f"{digits}e{int(exponent or 0) - 2}")


def amount(value: float | str) -> Tolerance | None:
    """How many rows: a count, or a share in percent; None when it is neither.

    >>> amount(12) == amount("12") == Tolerance(count=12), amount("0.1%") == Tolerance(share=0.001)
    (True, True)
    >>> amount(0.1), amount("-1")
    (None, None)
    """
    if isinstance(value, str):
        read = share(value)
        if read is not None:
            return Tolerance(share=read)
        return Tolerance(count=int(value)) if value.isascii() and value.isdigit() and len(value) < 16 else None
    return Tolerance(count=value) if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def span(value: float | str) -> Ends | None:
    """The ends of a span: `4..6`, `4..`, `..6`, or one number for both; in percent read as shares. None if it is none.

    >>> span("4..6"), span("1000.."), span("..-0.5"), span(5), span("10%..30%"), span("6 to 4")
    ((4, 6), (1000, None), (None, -0.5), (5, 5), (0.1, 0.3), None)
    """
    if not isinstance(value, str):
        return (value, value)
    if ".." not in value:
        one = end(value)
        return None if one is None else (one, one)
    told = [part.strip() for part in value.split("..", 1)]
    ends = [end(part) for part in told]
    if not any(told) or any(part and read is None for part, read in zip(told, ends, strict=True)):
        return None
    return ends[0], ends[1]


def end(value: float | str) -> float | None:
    """One end of a span: a number, or a share in percent; None if it is neither.

    >>> end("1e3"), end("5%"), end(7), end("many"), end("1e999")
    (1000.0, 0.05, 7, None, None)
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    found = _SHARE.fullmatch(text)
    if found is None and _PLAIN.fullmatch(text) is None:
        return None
    read = _hundredth(found[1]) if found else float(text)
    if not isfinite(read):
        return None
    return int(text) if text.lstrip("+-").isdigit() else read
