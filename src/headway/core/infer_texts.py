"""What texts of a column are like: which values, of which form, how long; only what a fresh sample would keep.

A value that was never seen is the less improbable the more values were seen but once (Good, 1953): this decides
whether a list of values, or of forms, is closed.
"""

from collections.abc import Sequence
from itertools import groupby

from msgspec import Struct

from headway.core.profile import ColumnProfile, Counted
from headway.core.validation import Cell
from headway.stats.interval import clopper_pearson

MOST_VALUES = 50
"""More values than this nobody reads; the form of the texts says more."""

OFTEN = 5
"""A list of which each value was seen so often is taken to be whole: another is found missing once in 2^5 samples."""

FEW_VALUES = 10
"""A longer list has a tail of rare ones, of which the next is as rare as not to be seen."""

RARE = 200
"""A list whose rarest value makes up at least one row in so many has no such tail."""

MOST_OTHER = 0.01
"""Where more rows than this may hold values never seen the list says too little."""

SURE = 0.998
"""The level of intervals: their upper end is exceeded once in 1,000."""


class ClosedValues(Struct, frozen=True, kw_only=True):
    """The values of a column, and the share of rows (0 to 1) that may have others."""

    values: tuple[Cell, ...]
    other: float = 0.0


def closed_values(column: ColumnProfile, most: int = MOST_VALUES) -> ClosedValues | None:
    """The values of a column when hardly a row has another; None when there are too many, or too many rare ones.

    Source: Good (1953), Biometrika 40, 237-264: the share of what was never seen is about the share of what was seen
    once.
    """
    n = column.n_values
    if not 1 < len(column.top) <= most or sum(one.count for one in column.top) != n:
        return None
    values = tuple(sorted((one.value for one in column.top), key=lambda value: (isinstance(value, str), value)))
    rarest = min(one.count for one in column.top)
    if rarest >= OFTEN and (len(values) <= FEW_VALUES or rarest * RARE >= n):
        return ClosedValues(values=values)
    n_once = sum(one.count == 1 for one in column.top)
    other = clopper_pearson(max(n_once, 1), n, SURE).high
    return ClosedValues(values=values, other=other) if other <= MOST_OTHER else None


# --- forms ------------------------------------------------------------------------------------------------------------

_CLASSES = {"A": "A-Z", "a": "a-z", "9": "0-9"}
_LETTERS = {"A": r"\p{Lu}", "a": r"\p{Ll}", "Aa": r"\p{L}"}
_SPECIAL = frozenset("\\.^$*+?()[]{}|")


class Run(Struct, frozen=True):
    """A part of a form: signs of some classes (`A`, `a`, `9`), or a sign that stands for itself; so many of them."""

    classes: str
    shortest: int
    longest: int


def form_of(column: ColumnProfile) -> str:
    """A regular expression that all texts of the column match; empty where they have no common form.

    Forms are taken together part by part: the same signs between the parts, each part with the classes of signs that it
    was seen to have, as long as it always was, or of any length.
    """
    patterns = [one for one in column.patterns if isinstance(one.value, str)]
    lengths = column.lengths
    if not patterns or lengths is None or lengths.maximum > 80:
        return ""
    is_whole = sum(one.count for one in patterns) == column.n_values and _is_closed(patterns, column.n_values)
    # Where all have one length and some parts mix classes (as in UUIDs) there are more forms than were listed.
    if not is_whole and lengths.minimum != lengths.maximum:
        return ""
    parsed = [_runs(str(one.value)) for one in patterns]
    merged = _merged(parsed, is_mixed=not is_whole)
    if merged is None or not all(_is_sayable(run) for run in merged):
        return ""
    return "".join(map(_written, merged))


def _is_closed(patterns: Sequence[Counted], n: int) -> bool:
    rare = sum(one.count for one in patterns if one.count < OFTEN)
    return rare == 0 or (len(patterns) > 1 and clopper_pearson(rare, n, SURE).high <= MOST_OTHER and rare * 200 < n)


def _runs(pattern: str) -> list[Run]:
    """The same sign in a row is one part."""
    found = []
    for sign, same in groupby(pattern):
        n = sum(1 for _ in same)
        found.append(Run(sign, n, n))
    return found


def _merged(parsed: Sequence[Sequence[Run]], *, is_mixed: bool) -> list[Run] | None:
    """The forms as one: run by run where all have the same, else word by word between the same signs."""
    if not is_mixed and len({tuple(run.classes for run in runs) for runs in parsed}) == 1:
        return [_joined(several) for several in zip(*parsed, strict=True)]
    words = [_words(runs) for runs in parsed]
    if len({tuple(run.classes if run.classes not in _WORDS else "" for run in runs) for runs in words}) != 1:
        return None
    return [_joined(several) for several in zip(*words, strict=True)]


_WORDS = frozenset("".join(sign for i, sign in enumerate("Aa9") if bits >> i & 1) for bits in range(1, 8))


def _words(runs: Sequence[Run]) -> list[Run]:
    """Neighbouring letters and digits as one part."""
    found: list[Run] = []
    for run in runs:
        if run.classes in _CLASSES and found and found[-1].classes in _WORDS:
            last = found.pop()
            classes = "".join(sign for sign in "Aa9" if sign in last.classes + run.classes)
            found.append(Run(classes, last.shortest + run.shortest, last.longest + run.longest))
        else:
            found.append(run)
    return found


def _joined(several: Sequence[Run]) -> Run:
    classes = "".join(sign for sign in "Aa9" if any(sign in run.classes for run in several)) or several[0].classes
    if several[0].classes not in _WORDS:
        classes = several[0].classes
    return Run(classes, min(run.shortest for run in several), max(run.longest for run in several))


def _is_sayable(run: Run) -> bool:
    return run.classes.isascii() and run.classes.isprintable() and run.classes != " "


def _written(run: Run) -> str:
    if run.classes == "9":
        sign = r"\d"
    elif run.shortest != run.longest and run.classes in _LETTERS:
        # Words, and not codes: there are letters beyond Z.
        sign = _LETTERS[run.classes]
    elif run.classes in _WORDS:
        sign = f"[{''.join(_CLASSES[one] for one in run.classes)}]"
    else:
        sign = "\\" * (run.classes in _SPECIAL) + run.classes
    if run.shortest != run.longest:
        return f"{sign}+"
    return sign if run.shortest == 1 else f"{sign}{{{run.shortest}}}"


def space_of(column: ColumnProfile) -> float:
    """How many different texts the forms of a column allow; 0 where its forms are not all known."""
    patterns = [str(one.value) for one in column.patterns]
    lengths = column.lengths
    if not patterns or any(" " in pattern for pattern in patterns):
        return 0.0
    whole = sum(one.count for one in column.patterns) == column.n_values
    if not whole and (lengths is None or lengths.minimum != lengths.maximum):
        return 0.0
    return float(
        sum(26.0 ** sum(pattern.count(sign) for sign in "Aa") * 10.0 ** pattern.count("9") for pattern in patterns)
    )
