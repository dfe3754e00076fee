"""Numbers, shares, times and lists in the words of a sentence: `12 of 336,776 rows (0.0036 %)`, `a, b and 3 more`.

Knows nothing of what they are about. How the gate's metrics are told is `core/gate_words`' own business.
"""

import math
from collections.abc import Sequence

HIDDEN = "•••"
"""What stands for a value that nobody is to see."""

_MOST_NAMES = 5
"""So many names are listed; of more, the first ones and how many there are."""


def number(value: float) -> str:
    """A number as people read it: six digits, thousands apart.

    >>> number(336776), number(0.1 + 0.2), number(1e9), number(2.5e-7), number(12345.678)
    ('336,776', '0.3', '1,000,000,000', '2.5e-07', '12,345.7')
    """
    if not math.isfinite(value):
        return "infinity" if value > 0 else "minus infinity" if value < 0 else "no number"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.6g}"


def apart(value: float, limits: Sequence[float]) -> str:
    """The number with as many digits as it takes to see on which side of each limit it is.

    >>> apart(6.00000001, [6]), apart(5.2, [6])
    ('6.00000001', '5.2')
    """
    told = number(value)
    near = {number(limit) for limit in limits if limit != value}
    for digits in range(7, 18):
        if told not in near:
            break
        told = f"{value:,.{digits}g}"
    return told


def percent(share: float) -> str:
    """A share (0 to 1) in percent: three digits, never rounded to nothing or to all.

    >>> percent(0.25), percent(1 / 336776), percent(0.99999), percent(1), percent(0)
    ('25 %', '0.000297 %', '99.999 %', '100 %', '0 %')
    """
    hundred = share * 100
    for digits in range(3, 16):
        told = f"{hundred:.{digits}g}"
        if (float(told) == 100) == (hundred == 100):
            break
    return f"{_plain(float(told))} %"


def _plain(value: float) -> str:
    """Without an exponent where that can be read."""
    told = f"{value:.15g}"
    return f"{value:.12f}".rstrip("0") if "e-" in told and value > 1e-11 else told


def rows(n: int, what: str = "") -> str:
    """So many rows.

    >>> rows(1), rows(1234), rows(1, "bad")
    ('1 row', '1,234 rows', '1 bad row')
    """
    return f"{n:,} {what and f'{what} '}row{'s' * (n != 1)}"


def of_rows(n_bad: int, n_rows: int) -> str:
    """So many rows of so many, and what share that is.

    >>> of_rows(12, 336776)
    '12 of 336,776 rows (0.00356 %)'
    """
    return f"{n_bad:,} of {rows(n_rows)} ({percent(n_bad / max(n_rows, 1))})"


def listed(words: Sequence[str], most: int = _MOST_NAMES, *, last: str = "and") -> str:
    """Words in a row, the many cut short.

    >>> listed(["a"]), listed(["a", "b", "c"]), listed(list("abcdefgh"))
    ('a', 'a, b and c', 'a, b, c, d, e and 3 more')
    """
    if len(words) > most + 1:
        return f"{', '.join(words[:most])} {last} {len(words) - most:,} more"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


_UNITS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))


def duration(seconds: float) -> str:
    """A time in its largest unit that is there at least twice, or once and nothing besides.

    >>> duration(172800), duration(86400), duration(100000), duration(90), duration(0.2)
    ('2 days', '1 day', '27.8 hours', '90 seconds', '0.2 seconds')
    """
    size, unit = next(
        ((size, unit) for size, unit in _UNITS if seconds >= 2 * size or seconds == size), (1.0, "second")
    )
    many = f"{seconds / size:.3g}" if seconds / size < 1000 else f"{seconds / size:,.0f}"
    return f"{many} {unit}{'s' * (many != '1')}"


def quoted(value: str | float | bool | None) -> str:  # noqa: FBT001 (a cell of a table, not a switch)
    """A value between backquotes, a long one cut; a text without signs said to be empty.

    >>> quoted("UA"), quoted(""), quoted(None), quoted(True)
    ('`UA`', 'an empty text', 'nothing', '`true`')
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    told = value if isinstance(value, str) else f"{value!r}"
    if not told:
        return "an empty text"
    shown = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in told)
    return f"`{shown if len(shown) <= 40 else shown[:39] + '…'}`"
