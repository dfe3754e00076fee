"""How values behave in expressions, by GitHub's rules: as text, as truth, as numbers, compared, and in functions.

Knows values only; what names stand for is `core/expression`.
"""

from collections.abc import Callable, Mapping
from math import isnan
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Protocol

import msgspec

from headway.core.expression_tokens import unreadable

_NAN = float("nan")
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_LARGEST = 10**300
_NUMERIC = frozenset("0123456789abcdefABCDEFxXoO.+-")


# Any: two texts or two numbers.
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


class Status(Protocol):
    """How the run is going, as far as functions ask."""

    @property
    def failed(self) -> bool:
        """A step before did not pass."""

    @property
    def interrupted(self) -> bool:
        """The run is being ended."""


# Any (here and below): an expression's value is a Scalar, or a group or list of params.
def text_of(value: Any) -> str:  # noqa: ANN401 (as above)
    """A value as text: null is empty, booleans are true and false, groups and lists are JSON.

    >>> text_of(None), text_of(True), text_of(0.1), text_of([1, 2])
    ('', 'true', '0.1', '[1,2]')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _NOT_FINITE.get(repr(value)) or repr(value)
    if isinstance(value, int):
        # Python refuses to write integers of thousands of digits; nobody means one.
        return str(value) if abs(value) < _LARGEST else "Infinity"
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError, OverflowError) as e:
        raise unreadable("a value in it cannot be written as text", "use a number or a text") from e


def truth(value: Any) -> bool:  # noqa: ANN401 (as above)
    """GitHub's: null, false, 0, NaN and the empty text are false; a group or list is true even when empty."""
    if isinstance(value, Mapping | list | tuple):
        return True
    return bool(value) and not (isinstance(value, float) and isnan(value))


def number_of(value: Any) -> float | int:  # noqa: ANN401 (as above)
    """GitHub's: null is 0, booleans 0 and 1, the empty text 0, a text its number, all else NaN."""
    if value is None or isinstance(value, int | float):
        return value or 0
    return _number_in(value) if isinstance(value, str) else _NAN


def _number_in(written: str) -> float | int:
    text = written.strip()
    if len(text) > 40 or not _NUMERIC.issuperset(text):
        return _NAN
    try:
        return int(text, 0) if text[:2].lower() in ("0x", "0o") else float(text or "0")
    except ValueError:
        return _NAN


def compare(operator: str, left: Any, right: Any) -> bool:  # noqa: ANN401 (as above)
    """Two values compared: texts without regard to case, all else as numbers; whatever is not a number is unequal."""
    if isinstance(left, str) and isinstance(right, str):
        left, right = left.upper(), right.upper()
    else:
        left, right = number_of(left), number_of(right)
    return bool(_COMPARE[operator](left, right))


def _contains(_: Status, where: Any, what: Any) -> bool:  # noqa: ANN401 (as above)
    if isinstance(where, list | tuple):
        return any(compare("==", item, what) for item in where)
    return text_of(what).upper() in text_of(where).upper()


def _format(_: Status, pattern: Any, *values: Any) -> str:  # noqa: ANN401 (as above)
    text = text_of(pattern)
    pieces = []
    i = 0
    while i < len(text):
        c = text[i]
        if c in "{}" and text[i + 1 : i + 2] == c:
            pieces.append(c)
            i += 2
            continue
        if c in "{}":
            end = text.find("}", i)
            number = text[i + 1 : end] if c == "{" and end > 0 else ""
            if not (number.isascii() and number.isdigit() and len(number) < 4 and int(number) < len(values)):
                raise unreadable(
                    f"format has no value for `{text[i : end + 1] or c}`",
                    "write {0}, {1}, … for the values that follow, {{ and }} for braces",
                )
            pieces.append(text_of(values[int(number)]))
            i = end + 1
        else:
            pieces.append(c)
            i += 1
    return "".join(pieces)


def _join(_: Status, values: Any, between: Any = ",") -> str:  # noqa: ANN401 (as above)
    if isinstance(values, list | tuple):
        return text_of(between).join(text_of(v) for v in values)
    return text_of(values)


# Any: each takes a scope and the values of its arguments, whose number the parser checked.
CALLS: dict[str, Callable[..., Any]] = {
    "success": lambda scope: not scope.failed and not scope.interrupted,
    "failure": lambda scope: scope.failed and not scope.interrupted,
    "always": lambda _scope: True,
    "cancelled": lambda scope: scope.interrupted,
    "contains": _contains,
    "startsWith": lambda _scope, text, start: text_of(text).upper().startswith(text_of(start).upper()),
    "endsWith": lambda _scope, text, end: text_of(text).upper().endswith(text_of(end).upper()),
    "format": _format,
    "join": _join,
}
