"""The text of a check as tokens, each with its place, and the error that points into it.

Serves both languages: `core/check_grammar`'s own and that of `core/check_dialect`. Knows no forms and no metrics.
"""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from headway.errors import CheckUnreadable

_TOKEN = re.compile(
    r"""(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<name>[^\W\d][\w.@]*)
      | (?P<tolerance>\+/-|±)
      | (?P<and>/\\|&&?)
      | (?P<op>[<>=!≥≤]+)
      | (?P<quoted>"[^"]*"|'[^']*')
      | (?P<sign>\S)""",
    re.VERBOSE,
)

_COLUMN = re.compile(r"""[^\s,()"']+""")

JOINING = frozenset({"and", "or", "AND", "OR"})
"""Words that join two conditions, which stand on two lines instead."""


class Token(NamedTuple):
    """A piece of text: number, name, tolerance, and, op, quoted, sign or end; `at` is its place, the first being 0."""

    kind: str
    text: str
    at: int


class Column(NamedTuple):
    """A column that a check names, and where."""

    name: str
    at: int


class Reader:
    """The tokens of a check, read one after another; the last is an `end`, which is never passed."""

    def __init__(self, text: str) -> None:
        self.text = text
        found = [Token(str(match.lastgroup), match[0], match.start()) for match in _TOKEN.finditer(text)]
        self.tokens: Sequence[Token] = [*found, Token("end", "", len(text))]
        self._next = 0

    @property
    def next(self) -> Token:
        """What comes next, without reading it."""
        return self.tokens[self._next]

    @property
    def after_next(self) -> Token:
        """What comes after that."""
        return self.tokens[min(self._next + 1, len(self.tokens) - 1)]

    def read(self) -> Token:
        """What comes next, which is read by that."""
        token = self.next
        self._next = min(self._next + 1, len(self.tokens) - 1)
        return token

    def takes(self, *texts: str) -> Token | None:
        """What comes next, read, if it is one of these texts; else None, and nothing is read."""
        return self.read() if self.next.kind != "quoted" and self.next.text in texts else None

    def number(self, what: str) -> float:
        """The number that comes next, which is finite; raises CheckUnreadable if none does."""
        start = self.next.at
        minus = self.takes("+", "-")
        token = self.read()
        told = (minus.text if minus else "") + token.text
        if token.kind == "end":
            raise self.fault(token.at, f"the {what} is missing", "write one, such as 0.8 or -0.01")
        if token.text.lower() in {"nan", "inf", "infinity"}:
            raise self.fault(start, f"{told} is no limit", "write a finite number, such as 0.8 or -0.01")
        if token.kind != "number":
            raise self.fault(start, f"{told!r} is not a number", "write one, such as 0.8 or -0.01")
        value = float(told)
        if not math.isfinite(value):
            raise self.fault(start, f"{told} is no limit", "write a finite number, such as 0.8 or -0.01")
        if self.takes("%"):
            raise self.fault(start, "shares are written as fractions", f"write {value / 100:.15g} for {told} %")
        if self.next.text == "," and self.after_next.kind == "number" and "." not in told:
            raise self.fault(start, "a comma is no decimal point", f"write {told}.{self.after_next.text}")
        return value

    def tolerance(self) -> float | None:
        """The number behind `+/-`, if that comes next; raises CheckUnreadable if it is not above 0."""
        if not self.takes("+/-", "±"):
            return None
        place = self.next.at
        return self.above_zero(self.number("tolerance"), place)

    def above_zero(self, tolerance: float, at: int) -> float:
        """A tolerance that was read at this place; raises CheckUnreadable if it is not above 0."""
        if tolerance <= 0:
            raise self.fault(at, f"{tolerance:g} is no tolerance, for nothing comes so near", "write one such as 0.01")
        return tolerance

    def column(self) -> str:
        """The name of a column, quoted or up to the next blank, comma or bracket."""
        token = self.next
        if token.kind == "quoted" and len(token.text) > len("''"):
            return self.read().text[1:-1]
        bare = _COLUMN.match(self.text, token.at)
        if bare is None:
            is_open = token.text in {'"', "'"}
            problem = "this quote is not closed" if is_open else "the name of a column is missing"
            raise self.fault(token.at, problem, 'write a column of the data, such as region or "postal code"')
        while self.next.kind != "end" and self.next.at < bare.end():
            self.read()
        return bare[0]

    def each(self) -> list[Column]:
        """The columns behind `for each`; none where that does not come next. Raises CheckUnreadable."""
        if not self.takes("for"):
            return []
        if not self.takes("each"):
            raise self.fault(self.next.at, "`each` is missing behind `for`", "write `for each COLUMN`")
        columns: list[Column] = []
        while not columns or self.takes(","):
            column = Column(at=self.next.at, name=self.column())
            if any(column.name == known.name for known in columns):
                raise self.fault(column.at, f"{column.name} is named twice", "name each column once")
            columns.append(column)
        return columns

    def fault(self, at: int, problem: str, remedy: str) -> CheckUnreadable:
        """The error for a check that goes wrong at this place."""
        return CheckUnreadable(
            f"the check {self.text.strip()!r} cannot be read: {problem}",
            at=f"checks, column {at + 1}",
            remedy=remedy,
            offset=at,
        )
