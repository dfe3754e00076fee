"""What `headway up` does, a line each: with the time in front for people, a JSON document each for machines."""

from typing import TextIO

import msgspec

from headway.core.daemon import Told, moment
from headway.terminal.out import Out
from headway.terminal.tail import clean


def line(told: Told) -> str:
    """The line for people.

    >>> line(Told(at=0.0, kind="run", about="churn", says="run 1 passed"))
    '1970-01-01 00:00:00 UTC  churn: run 1 passed'
    """
    about = f"{told.about}: " if told.about else ""
    return f"{moment(told.at)}  {about}{clean(told.says)}"


class Teller:
    """Writes each line to `stream` at once; a reader that went away does not end a daemon."""

    __slots__ = ("_as_json", "_out")

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        self._out = Out(stream)
        self._as_json = as_json

    def __call__(self, told: Told) -> None:
        """Write it."""
        self._out.line(msgspec.json.encode(told).decode() if self._as_json else line(told))
