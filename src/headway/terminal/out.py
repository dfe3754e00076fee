"""Where a run is shown: a stream that may go away."""

import os
from typing import TextIO


class Out:
    """Writes to a stream; once that fails, nowhere.

    A window that was closed, or a reader that went away, is no reason to end a training of hours.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream

    def write(self, text: str) -> None:
        """Write, at once."""
        if self._stream is not None:
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                self._stream = None

    def line(self, text: str) -> None:
        """Write a line."""
        self.write(text + "\n")

    def size(self) -> tuple[int, int]:
        """Columns and rows of the terminal; 80 by 24 where that cannot be known."""
        try:
            columns, rows = os.get_terminal_size(self._stream.fileno()) if self._stream else (80, 24)
        except (OSError, ValueError):
            return 80, 24
        # 0 by 0 is what a terminal without a window says.
        return columns or 80, rows or 24
