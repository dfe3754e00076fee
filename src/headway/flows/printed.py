"""What a step printed, as numbered lines: any of them at once, of a file of any size that may still grow.

Read in blocks, of which the number of line ends is remembered; no line and no file need fit into memory. A line is
text without its end; of a line that was written over, as progress bars are, the last writing is shown.
"""

import os
import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock

from msgspec import Struct

from headway.codec.ansi import PLAIN, Look, Span, plain, spans
from headway.core.history import RunView
from headway.flows.history import log_path
from headway.ports import Blobs

BLOCK = 1 << 20

AT_ONCE = 8
"""Blocks that are read at once where all are: of what lies in pieces, each reading takes their list anew."""

LINE_BYTES = 16 << 10
"""Of a longer line the beginning is shown."""

SEEK_S = 1.5
"""So long a search goes on before it tells what it has."""

HITS = 200
"""So many lines that were found are told at once."""

HIT_BYTES = 400
"""Of a line that was found so much is told."""

KEPT = 32
"""Of so many steps it is known where lines end."""

Read = Callable[[int, int], bytes]
"""Up to so many bytes from a place on, fewer at the end."""


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line; the first has number 1. `spans` are set where it has colours, `more_bytes` are not shown."""

    number: int
    text: str
    spans: tuple[Span, ...] = ()
    more_bytes: int = 0


class Hit(Struct, frozen=True, kw_only=True):
    """A line that holds what was looked for."""

    number: int
    text: str


class Hits(Struct, frozen=True, kw_only=True):
    """Lines that hold it, in order. `next` is the line to go on from, 0 where all was searched."""

    hits: tuple[Hit, ...] = ()
    next: int = 0


class Ends:
    """Where the lines of a file end, block by block, as far as it was seen. May be shared by threads."""

    __slots__ = ("counts", "lock", "size")

    def __init__(self) -> None:
        self.lock = Lock()
        self.size = 0
        # How many line ends come before each block that was read, and after all that was.
        self.counts = [0]


class Printed:
    """The lines of one file: what was there stays there, and more may come. Owned by who looks; `ends` are not."""

    __slots__ = ("_counts", "_read", "_size", "n_lines")

    def __init__(self, read: Read, size: int, ends: Ends) -> None:
        """`size` is how far it is looked at; what was seen already is not read again but for the last block."""
        self._read = read
        with ends.lock:
            if size > ends.size:
                first = ends.size // BLOCK
                counts = ends.counts[: first + 1]
                for at in range(first * BLOCK, size, AT_ONCE * BLOCK):
                    data = read(at, min(AT_ONCE * BLOCK, size - at))
                    for begin in range(0, len(data), BLOCK):
                        counts.append(counts[-1] + data.count(b"\n", begin, begin + BLOCK))
                    if len(data) < min(AT_ONCE * BLOCK, size - at):
                        # It has gone into the store meanwhile: so far it was seen.
                        size = max(at + len(data), ends.size)
                        break
                ends.counts, ends.size = counts, size
            self._counts, self._size = ends.counts, ends.size
        # The last line may have no end yet.
        self.n_lines = self._counts[-1] + (self._size > 0 and read(self._size - 1, 1) != b"\n")

    @property
    def n_bytes(self) -> int:
        """How much of it was seen."""
        return self._size

    def slice(self, at: int, size: int) -> bytes:
        """A part of it, as it was printed."""
        return self._read(at, min(size, max(self._size - at, 0)))

    def lines(self, first: int, most: int) -> tuple[Line, ...]:
        """Up to `most` lines from number `first` on."""
        found: list[Line] = []
        look = PLAIN
        for number, data, more in self._raw(max(first, 1), most):
            line, look = _line(number, data, more, look)
            found.append(line)
        return tuple(found)

    def find(self, words: str, first: int, *, most: int = HITS, seconds: float = SEEK_S) -> Hits:
        """Lines from number `first` on that hold these words; small letters stand for capitals, too."""
        wanted, is_loose = words.encode("utf-8", "surrogatepass"), words == words.lower()
        until, hits = time.monotonic() + seconds, list[Hit]()
        for line, block in self._blocks(max(first, 1)):
            number = line
            if len(hits) >= most or time.monotonic() > until:
                return Hits(hits=tuple(hits[:most]), next=hits[most].number if len(hits) > most else number)
            text = block.lower() if is_loose else block
            at = text.find(wanted)
            seen = 0
            while at >= 0:
                number += text.count(b"\n", seen, at)
                end = text.find(b"\n", at)
                begin = text.rfind(b"\n", 0, at) + 1
                hits.append(Hit(number=number, text=_shown(block, begin, at, end)))
                if end < 0 or len(hits) > most:
                    break
                seen = end
                at = text.find(wanted, end)
        return Hits(hits=tuple(hits[:most]), next=hits[most].number if len(hits) > most else 0)

    def _blocks(self, first: int) -> Iterator[tuple[int, bytes]]:
        """Whole lines, about a block at a time, each with its first line's number; of longer lines, what fits."""
        at, rest, number = self._start(first), b"", first
        while at < self._size:
            block = rest + self._read(at, min(BLOCK, self._size - at))
            at = min(at + BLOCK, self._size)
            cut = len(block) if at >= self._size else block.rfind(b"\n") + 1
            if not cut and len(block) < 4 * BLOCK:
                rest = block
                continue
            # A line that is longer than that is searched in parts, and all of them have its number.
            cut = cut or len(block)
            yield number, block[:cut]
            number += block.count(b"\n", 0, cut)
            rest = block[cut:]

    def _raw(self, first: int, most: int) -> Iterator[tuple[int, bytes, int]]:
        """Lines as bytes, with how many of each were left out."""
        at = self._start(first)
        data, begin = b"", 0
        for number in range(first, first + most):
            end = data.find(b"\n", begin)
            if end < 0:
                data, begin = self._read(at, min(4 * LINE_BYTES, self._size - at)), 0
                end = data.find(b"\n")
            if not data:
                return
            if 0 <= end - begin <= LINE_BYTES:
                yield number, data[begin:end], 0
                at, begin = at + end + 1 - begin, end + 1
                continue
            if end < 0 and at + len(data) >= self._size and len(data) <= LINE_BYTES:
                yield number, data, 0
                return
            stop = self._start(number + 1)
            length = stop - at - (stop > at and self._read(stop - 1, 1) == b"\n")
            last = self._read(at + max(length - LINE_BYTES, 0), min(LINE_BYTES, length)).rstrip(b"\r")
            is_over = b"\r" in last
            shown = last if is_over else data[begin : begin + LINE_BYTES]
            yield number, shown, 0 if is_over else length - len(shown)
            at, data, begin = stop, b"", 0

    def _start(self, number: int) -> int:
        """Where a line begins; where all ends, if there is no such line."""
        counts, n = self._counts, number - 1
        if n <= 0:
            return 0
        if n > counts[-1]:
            return self._size
        block = bisect_left(counts, n) - 1
        data = self._read(block * BLOCK, min(BLOCK, self._size - block * BLOCK))
        at = -1
        for _ in range(n - counts[block]):
            at = data.find(b"\n", at + 1)
        return block * BLOCK + at + 1


class Shelf:
    """Of what steps printed, where lines end, for those that were looked at last. May be shared by threads."""

    __slots__ = ("_known", "_lock")

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, ...], Ends] = OrderedDict()
        self._lock = Lock()

    def printed(self, blobs: Blobs, home: str, run: RunView, step: str) -> Printed:
        """What the last attempt of a step printed until now; nothing where it is another run's. Raises BlobMissing."""
        found = run.steps[step]
        if found.log is not None:
            return Printed(partial(blobs.slice, found.log), found.log_bytes, self._ends(found.log))
        path = log_path(home, run.run, step, found.attempt)
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return Printed(_nothing, 0, Ends())
        return Printed(partial(_of_file, path), status.st_size, self._ends(path, status.st_ino))

    def _ends(self, *key: object) -> Ends:
        with self._lock:
            found = self._known.setdefault(key, Ends())
            self._known.move_to_end(key)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
            return found


def _nothing(_at: int, _size: int) -> bytes:
    return b""


def _of_file(path: str, at: int, size: int) -> bytes:
    """A part of a file that is written to; nothing where it has gone into the store meanwhile."""
    try:
        with open(path, "rb") as file:
            file.seek(at)
            return file.read(size)
    except FileNotFoundError:
        return b""


def _line(number: int, data: bytes, more_bytes: int, look: Look) -> tuple[Line, Look]:
    text = data.decode("utf-8", "replace")
    found, look = spans(text, look)
    is_plain = all(not span.look for span in found)
    shown = "".join(span.text for span in found)
    return Line(number=number, text=shown, spans=() if is_plain else found, more_bytes=more_bytes), look


def _shown(block: bytes, begin: int, at: int, end: int) -> str:
    """A line that was found, or the part of a long one around what was found."""
    end = len(block) if end < 0 else end
    if end - begin > HIT_BYTES:
        begin, end = max(begin, at - HIT_BYTES // 4), min(end, at + HIT_BYTES)
    return plain(block[begin:end].decode("utf-8", "replace"))
