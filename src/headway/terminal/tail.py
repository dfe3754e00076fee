"""The end of a log while it is being written, fit to be shown: no escape codes, no control characters.

The file is held open, so that it can still be read when the run has moved it into the store.
"""

import os

_LINE_BYTES = 4096
"""Enough for the last line: what is longer is cut anyway."""

_LINES_BYTES = 65536
"""Enough for the last lines of nearly every log."""

_LONGEST = 300
"""Characters of a line that are shown: a step may print a megabyte of JSON in one."""


class Tail:
    """The end of the file at `path`; empty when that cannot be opened."""

    __slots__ = ("_fd", "_line", "_size")

    def __init__(self, path: str) -> None:
        self._line = ""
        self._size = 0
        try:
            self._fd = os.open(path, os.O_RDONLY)
        except OSError:
            self._fd = -1

    def line(self) -> str:
        """The last line with something in it. Costs one `fstat` when the file has not grown."""
        if self._fd >= 0:
            size = os.fstat(self._fd).st_size
            if size != self._size:
                self._size = size
                lines = _shown(os.pread(self._fd, _LINE_BYTES, max(0, size - _LINE_BYTES)))
                self._line = next((line for line in reversed(lines) if line), self._line)
        return self._line

    def lines(self, n: int) -> list[str]:
        """The last `n` lines, without empty ones at the end."""
        if self._fd < 0:
            return []
        size = os.fstat(self._fd).st_size
        start = max(0, size - _LINES_BYTES)
        lines = _shown(os.pread(self._fd, _LINES_BYTES, start))
        if start and len(lines) > 1:
            del lines[0]  # its beginning was not read
        while lines and not lines[-1]:
            del lines[-1]
        return lines[-n:]

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def clean(text: str) -> str:
    r"""The text without what could move the cursor, change colours, or hide and reorder characters.

    >>> clean("\x1b[31mloss\x1b[0m\t0.1\x07 \u202eoops")
    'loss    0.1 oops'
    """
    if "\x1b" in text or "\x9b" in text:
        import re

        # Operating system commands (titles, links), control sequences (colours, cursor), and all the shorter ones.
        text = re.sub(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b.?", "", text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _INSTEAD.get(c, "") for c in text)


_INSTEAD = {"\t": "    ", "\n": " ", "\xa0": " ", "\u202f": " ", "\u2009": " "}


def _shown(data: bytes) -> list[str]:
    return [_last_writing(line) for line in data.decode(errors="replace").split("\n")]


def _last_writing(line: str) -> str:
    """What is left to see of a line that was written over, as progress bars do with carriage returns."""
    written = [part for part in line.split("\r") if part.strip()]
    text = clean(written[-1][: _LONGEST * 4]).rstrip() if written else ""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
