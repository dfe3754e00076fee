"""A CSV in pieces: whole rows of some megabytes at a time, looked over for what would shift their values.

Polars reads a row with too few values as if the rest were empty, and a stray quote as it likes. So bytes are counted
first: quotes, separators and ends of rows. A row that does not fit is refused with its line. A piece also knows the
line of each of its rows. Neighbour: `batches` has Polars read the pieces.
"""

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from headway.errors import SystemRefused, TableUnreadable
from headway.tables.header import Head

if TYPE_CHECKING:
    Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
    Places = np.ndarray[tuple[int], np.dtype[np.int64]]
    Bools = np.ndarray[tuple[int], np.dtype[np.bool]]

PIECE_BYTES = 8 << 20
"""Read at a time."""

ROW_BYTES_MOST = 256 << 20
"""A row that is longer is none: a quote that nobody closed, or no table."""

_QUOTE, _LF, _CR = 34, 10, 13
_BOM = b"\xef\xbb\xbf"
_MEND = "mend the file, or bring it back from a version that is whole"


class Piece:
    """Rows of a CSV: `data` as they stand in the file, without blank lines; the first stands in line `first_line`."""

    __slots__ = ("_lines", "_newline", "_raw", "data", "first_line", "n_rows", "next_line")

    def __init__(self, raw: bytes, data: bytes, n_rows: int, *, first_line: int, newline: int) -> None:
        self._raw = raw
        self.data = data
        self.n_rows = n_rows
        self.first_line = first_line
        self.next_line = first_line + int(np.count_nonzero(np.frombuffer(raw, np.uint8) == newline))
        self._newline = newline
        self._lines: Places | None = None

    def line(self, at: int) -> int:
        """The line in which the row begins that stands at a place of this piece; both count from 1, and from 0."""
        if self._lines is None:
            found = np.frombuffer(self._raw, np.uint8)
            ends = np.flatnonzero(found == self._newline)
            starts, _, is_blank = _rows(found, self._newline)
            # In a table of one column a blank line is a row.
            starts = starts if len(starts) == self.n_rows else starts[~is_blank]
            self._lines = np.searchsorted(ends, starts)
        return self.first_line + int(self._lines[at])


def pieces(path: str, head: Head, block_bytes: int = PIECE_BYTES) -> Iterator[Piece]:
    """The rows below the header, in order. Raises TableUnreadable with the line, SystemRefused."""
    look = _look(path, head)
    newline = look.newline
    with _opened(path, head) as f:
        rest, line, is_first = b"", 1, True
        while True:
            block = _read(f, path, head, block_bytes)
            if is_first:
                block = block.removeprefix(_BOM)
            rest += block
            cut = look.cut(rest, line) if block else _ended(rest, newline)
            if not cut:
                if not block:
                    return
                continue
            raw, rest = rest[:cut] if len(rest) >= cut else rest + bytes([newline]), rest[cut:]
            piece = look.over(raw, line, skip=is_first)
            line = piece.next_line
            is_first = False
            if piece.n_rows:
                yield piece


def spots(path: str, head: Head, n_bytes: int, n_spots: int) -> Iterator[Piece]:
    """Some rows from all over a large file without compression; what lies where is not known, and lines are wrong."""
    size = os.path.getsize(path)
    if head.compression != "none" or size < 4 * n_bytes * n_spots:
        return
    look = _look(path, head)
    end = bytes([look.newline])
    with _opened(path, head) as f:
        for spot in range(1, n_spots + 1):
            f.seek(size * spot // (n_spots + 1))
            block = f.read(n_bytes)
            try:
                yield look.over(block[block.find(end) + 1 : block.rfind(end) + 1], 1, skip=False)
            except TableUnreadable:
                # Begun within quotes, or within a letter: the whole file is read later.
                continue


def blank_lines(path: str, head: Head) -> list[int]:
    """The numbers of lines without anything in them, from 1."""
    with _opened(path, head) as f:
        return [at for at, line in enumerate(f, 1) if not line.strip()]


def fault(path: str, head: Head, piece: Piece) -> TableUnreadable | None:
    """The first row of a piece that has too many or too few values, if there is one."""
    look = _look(path, head)
    found = np.frombuffer(piece.data, np.uint8)
    outside = ~_quoted(found)
    return look.ragged(piece, (found == look.newline) & outside, (found == look.delimiter) & outside)


def _look(path: str, head: Head) -> "_Look":
    newline = _CR if head.newline == "\\r" else _LF
    return _Look(path=path, n_columns=len(head.names), delimiter=ord(head.delimiter), newline=newline)


def _ended(rest: bytes, newline: int) -> int:
    """How many bytes the last rows have, with an end of their own."""
    return len(rest) + (not rest.endswith(bytes([newline]))) if rest else 0


class _Look:
    """How a file is looked over."""

    __slots__ = ("delimiter", "n_columns", "newline", "path")

    def __init__(self, *, path: str, n_columns: int, delimiter: int, newline: int) -> None:
        self.path = path
        self.n_columns = n_columns
        self.delimiter = delimiter
        self.newline = newline

    def cut(self, data: bytes, line: int) -> int:
        """Where the last whole row of the data ends; 0 when there is none yet."""
        has_quotes = b'"' in data
        if has_quotes:
            found = np.frombuffer(data, np.uint8)
            self._see_quotes(found, line, is_whole=False)
            ends = np.flatnonzero((found == self.newline) & ~_quoted(found))
            cut = int(ends[-1]) + 1 if len(ends) else 0
        else:
            cut = data.rfind(bytes([self.newline])) + 1
        if not cut and len(data) > ROW_BYTES_MOST:
            problem = "a quote is opened here and not closed" if has_quotes else "a row has no end"
            raise self._refused(problem, line)
        return cut

    def over(self, raw: bytes, line: int, *, skip: bool) -> Piece:
        """Look over whole rows that begin in a line; `skip` the first of them, which is the header."""
        self._see_text(raw, line)
        found = np.frombuffer(raw, np.uint8)
        has_quotes = b'"' in raw
        if has_quotes:
            self._see_quotes(found, line, is_whole=True)
        if skip:
            ends = np.flatnonzero((found == self.newline) & ~_quoted(found)) if has_quotes else None
            end = int(ends[0]) if ends is not None else raw.index(bytes([self.newline]))
            line += raw.count(bytes([self.newline]), 0, end + 1)
            raw = raw[end + 1 :]
            found = found[end + 1 :]
        piece, rows, cells = self._counted(raw, raw, line)
        if self._fits(piece, cells):
            return piece
        if self.n_columns > 1:
            piece, rows, cells = self._counted(raw, _without_blank_lines(found, self.newline), line)
            if self._fits(piece, cells):
                return piece
        raise self.ragged(piece, rows, cells) or self._refused("its rows do not fit its columns", line)

    def _counted(self, raw: bytes, data: bytes, line: int) -> "tuple[Piece, Bools, Bools]":
        """The piece, and where a row ends in its data and where a value does within one."""
        found = np.frombuffer(data, np.uint8)
        rows, cells = found == self.newline, found == self.delimiter
        if b'"' in data:
            outside = ~_quoted(found)
            rows &= outside
            cells &= outside
        n_rows = int(np.count_nonzero(rows))
        return Piece(raw, data, n_rows, first_line=line, newline=self.newline), rows, cells

    def _fits(self, piece: Piece, cells: "Bools") -> bool:
        return int(np.count_nonzero(cells)) == piece.n_rows * (self.n_columns - 1)

    def ragged(self, piece: Piece, rows: "Bools", cells: "Bools") -> TableUnreadable | None:
        """The error for the first row that has not as many values as there are columns."""
        per_row = np.diff(np.searchsorted(np.flatnonzero(cells), np.flatnonzero(rows)), prepend=0) + 1
        wrong = np.flatnonzero(per_row != self.n_columns)
        if not len(wrong):
            return None
        n = int(per_row[wrong[0]])
        columns = "is 1 column" if self.n_columns == 1 else f"are {self.n_columns} columns"
        has = f"a row has {n} value{'s' * (n != 1)}, and there {columns}"
        return self._refused(has, piece.line(int(wrong[0])))

    def _see_text(self, raw: bytes, line: int) -> None:
        if raw.isascii():
            return
        try:
            raw.decode()
        except UnicodeDecodeError as e:
            line += raw.count(bytes([self.newline]), 0, e.start)
            raise TableUnreadable(
                f"the file is not UTF-8: {raw[e.start : e.start + 1]!r} is no letter",
                at=f"{self.path}:{line}",
                remedy="save it as UTF-8, for instance: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW",
            ) from e

    def _see_quotes(self, found: "Bytes", line: int, *, is_whole: bool) -> None:
        """Quotes stand around a whole value; one within it is doubled."""
        at = np.flatnonzero(found == _QUOTE)
        fits = np.zeros(256, dtype=bool)
        fits[[self.delimiter, _LF, _CR, _QUOTE]] = True
        opens, closes = at[::2], at[1::2]
        wrong = opens[(opens > 0) & ~fits[found[opens - 1]]]
        inner = closes[(closes < len(found) - 1) & ~fits[found[np.minimum(closes + 1, len(found) - 1)]]]
        bad = [int(places[0]) for places in (wrong, inner) if len(places)]
        if bad:
            line += int(np.count_nonzero(found[: min(bad)] == self.newline))
            raise self._refused("a quote stands within a value and is not doubled", line)
        if is_whole and len(at) % 2:
            line += int(np.count_nonzero(found[: at[-1]] == self.newline))
            raise self._refused("a quote is opened here and not closed", line)

    def _refused(self, problem: str, line: int) -> TableUnreadable:
        return TableUnreadable(f"the table cannot be read: {problem}", at=f"{self.path}:{line}", remedy=_MEND)


def _quoted(found: "Bytes") -> "Bools":
    """True for bytes between quotes; that of the opening quote is, that of the closing one is not."""
    return np.logical_xor.accumulate(found == _QUOTE)


def _rows(found: "Bytes", newline: int) -> "tuple[Places, Places, Bools]":
    """Where each row starts and ends, and whether it is a blank line."""
    ends = np.flatnonzero((found == newline) & ~_quoted(found))
    starts = np.concatenate((np.zeros(1, dtype=np.int64), ends + 1))[:-1]
    is_cr = (ends == starts + 1) & (found[starts] == _CR) if newline == _LF else np.zeros(len(ends), dtype=bool)
    return starts, ends, (ends == starts) | is_cr


def _without_blank_lines(found: "Bytes", newline: int) -> bytes:
    starts, ends, is_blank = _rows(found, newline)
    kept = np.ones(len(found), dtype=bool)
    kept[ends[is_blank]] = False
    kept[starts[is_blank]] = False
    return found[kept].tobytes()


def _opened(path: str, head: Head) -> IO[bytes]:
    try:
        match head.compression:
            case "gzip":
                return cast("IO[bytes]", gzip.GzipFile(path))
            case "zstd":
                return cast("IO[bytes]", io.BufferedReader(_Frames(open(path, "rb"))))
            case _:
                return open(path, "rb")
    except OSError as e:
        raise SystemRefused(f"a table cannot be opened: {e.strerror}", at=path, remedy="check the file") from e


class _Frames(io.RawIOBase):
    """What frames of Zstandard hold. The package's own reader says nothing when the last of them was cut off."""

    def __init__(self, f: IO[bytes]) -> None:
        from zstandard import ZstdDecompressor

        self._file = f
        self._new = ZstdDecompressor().decompressobj
        self._frame = self._new()
        self._packed = b""
        self._is_within = False
        self._found = b""

    def readable(self) -> bool:
        return True

    # The buffer's type has no public name before Python 3.12.
    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 (as above)
        while not self._found:
            self._packed = self._packed or self._file.read(1 << 20)
            if not self._packed:
                if self._is_within:
                    raise EOFError("it ends too early")
                return 0
            self._is_within = True
            self._found = self._frame.decompress(self._packed)
            self._packed = b""
            if self._frame.eof:
                self._packed, self._frame, self._is_within = self._frame.unused_data, self._new(), False
        n = min(len(buffer), len(self._found))
        buffer[:n], self._found = self._found[:n], self._found[n:]
        return n

    def close(self) -> None:
        self._file.close()
        super().close()


def _read(f: IO[bytes], path: str, head: Head, n_bytes: int) -> bytes:
    faults: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error)
    if head.compression == "zstd":
        from zstandard import ZstdError

        faults = (*faults, ZstdError)
    try:
        return f.read(n_bytes)
    except faults as e:
        raise TableUnreadable(f"the file cannot be decompressed: {e}", at=path, remedy=_MEND) from e
