"""An open file of the log, counted line by line as it grows.

Neighbour: `files` counts segments. Does not know other files.
"""

import os
from collections.abc import Iterator

from headway.codec import prediction_line
from headway.codec.prediction_line import Written
from headway.core.reference import Layout, layout_id
from headway.tables.prediction_lines import DAMAGED
from headway.tables.sketches.counter import Counter
from headway.tables.sketches.edges import Ends, key
from headway.tables.sketches.files import Counted

PIECE_BYTES = 4 * 2**20


class OpenFile:
    """One open file. `counted` has what was counted of the `n_bytes` that were read. One owner."""

    __slots__ = ("_counter", "_ends", "_layout", "_path", "_without", "counted", "is_other", "n_bytes")

    def __init__(self, path: str, layout: Layout, without: frozenset[bytes] = frozenset()) -> None:
        self._path = path
        self._layout = layout
        self._without = without
        self._counter = Counter(layout)
        self._ends = Ends()
        self.n_bytes = 0
        # Of another version: it is not read any further.
        self.is_other = False
        self.counted = Counted(layout=layout_id(layout), n_entries=0, cells=())

    def read(self) -> bool:
        """Count what is new of it; whether anything was. Raises FileNotFoundError."""
        if self.is_other or os.stat(self._path).st_size <= self.n_bytes:
            return False
        begins = self.n_bytes
        for lines in self._pieces():
            if not self._ends.n_entries and lines[0].version != self._layout.version:
                self.is_other = True
                return False
            self._ends.add([(line.request_id, line.at) for line in lines])
            if self._without:
                self._counter.add([line for line in lines if key(line.request_id, line.at) not in self._without])
            else:
                self._counter.add(lines)
        if self.n_bytes == begins:
            return False
        self.counted = Counted(
            layout=self.counted.layout,
            n_entries=self._ends.n_entries,
            cells=tuple(self._counter.cells()),
            head=self._ends.head,
            tail=self._ends.tail,
        )
        return True

    def _pieces(self) -> Iterator[list[Written]]:
        """What lies behind what was read, as lines that can be read; `n_bytes` moves along."""
        with open(self._path, "rb") as f:
            f.seek(self.n_bytes)
            while read := f.readlines(PIECE_BYTES):
                found: list[Written] = []
                for line in read:
                    # What stands behind the last newline is being written.
                    if not line.endswith(b"\n"):
                        break
                    self.n_bytes += len(line)
                    try:
                        found.append(prediction_line.opened(prediction_line.decode(line)))
                    except DAMAGED:
                        # Whoever seals the file keeps it beside.
                        continue
                if found:
                    yield found
