"""Whether there are colours and signs, and which: NO_COLOR, FORCE_COLOR, CLICOLOR, TERM, the stream's encoding."""

from collections.abc import Mapping
from typing import TextIO

_CODES = {"green": "32", "red": "31", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}

_COLOURS = {"passed": "green", "reused": "cyan", "skipped": "dim", "started": "dim", "held": "yellow"}
"""By what happened to a step; everything else is red."""

_SIGNS = {"passed": "✓", "reused": "=", "skipped": "-", "held": "?", "interrupted": "!", "timeout": "!"}
_ASCII = {**_SIGNS, "passed": "+"}


class Paint:
    """Colours a text, or leaves it; `ellipsis` and the signs are such as the stream can show."""

    __slots__ = ("_colours", "ellipsis", "frames", "signs")

    def __init__(self, *, colours: bool, unicode: bool) -> None:
        self._colours = colours
        self.ellipsis = "…" if unicode else "."
        self.frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if unicode else "|/-\\"
        self.signs = _SIGNS if unicode else _ASCII

    def __call__(self, text: str, colour: str) -> str:
        """The text in a colour of the list above, when there are colours and there is a text."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self._colours and text else text

    def sign(self, happened: str) -> str:
        """The one-column sign for what happened to a step, in its colour."""
        return self(self.signs.get(happened, "✗" if self.ellipsis == "…" else "x"), colour_of(happened))


def colour_of(happened: str) -> str:
    """The colour for what happened to a step."""
    return _COLOURS.get(happened, "red")


def paint_for(stream: TextIO, environ: Mapping[str, str]) -> Paint:
    """The paint that suits a stream and the user's wishes."""
    return Paint(colours=has_colours(environ, is_terminal=stream.isatty()), unicode=_takes_signs(stream))


def has_colours(environ: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether to use colours. What was forbidden (NO_COLOR) wins over what was forced, and that over the terminal.

    >>> has_colours({"NO_COLOR": "1", "FORCE_COLOR": "1"}, is_terminal=True)
    False
    >>> has_colours({"FORCE_COLOR": "1"}, is_terminal=False)
    True
    """
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return is_terminal and environ.get("TERM", "dumb") != "dumb" and environ.get("CLICOLOR") != "0"


def can_redraw(environ: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether somebody watches a screen that can be drawn over: a build server's log is none, though some look so."""
    is_server = environ.get("CI", "").lower() not in ("", "0", "false")
    return is_terminal and environ.get("TERM", "dumb") not in ("", "dumb", "unknown") and not is_server


def _takes_signs(stream: TextIO) -> bool:
    try:
        "✓⠋…".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
