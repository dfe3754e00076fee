"""One file of any format as rows in order: a CSV by pieces, Parquet and Arrow by slices, JSON lines by way of Parquet.

Texts are handed on as texts: what they are, `kinds_of_columns` says when all files of a table are known (`batches`).
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from headway.errors import FileMissing, TableUnreadable
from headway.tables import delimited
from headway.tables.copies import copied, largest_group
from headway.tables.header import Head, head_of, kind_of
from headway.tables.kinds_of_columns import Seen, plain_json, seen

if TYPE_CHECKING:
    import polars as pl

SAMPLE_ROWS = 10_000
SAMPLE_CELLS = 2_000_000
"""Of texts that are looked at for what a column is; in wide tables it is the second that counts."""

SPOTS = 16
"""A large CSV is looked at in so many places besides its start."""

SPOT_BYTES = 1 << 16

GROUP_ROWS_MOST = 1 << 22
"""Parquet with larger groups of rows is copied into smaller ones: a slice costs what lies before it in its group."""


BYTES = 1 << 28
"""Of large values (texts, bytes, lists) about so many bytes are read at a time, going by the first rows of the file."""

_ROWS_WEIGHED = 256


class Part:
    """Some rows of a file as it holds them: values, or texts. `frame` has no rows when no column was asked for."""

    __slots__ = ("frame", "line", "n_rows")

    def __init__(self, frame: "pl.DataFrame", n_rows: int, line: Callable[[int], int | None]) -> None:
        self.frame = frame
        self.n_rows = n_rows
        self.line = line


class Source(Protocol):
    """A file: columns with types of Polars (`types`), or of texts with what some of them look like (`looks`)."""

    path: str
    types: "Mapping[str, pl.DataType]"
    looks: Mapping[str, Seen]
    n_rows: int | None
    stored_as: Mapping[str, str]

    def parts(self, names: Sequence[str], n_rows: int) -> Iterator[Part]:
        """The rows in order, about so many at a time. Raises TableUnreadable."""
        ...

    def lazy(self) -> "pl.LazyFrame | None":
        """All of it as a query, where Polars reads the file itself."""
        ...


def files_below(paths: Sequence[str]) -> list[str]:
    """The files that are meant: of a folder all tables below it, by name. Raises FileMissing, TableUnreadable."""
    found: list[str] = []
    for path in paths:
        if not os.path.isdir(path):
            if not os.path.exists(path):
                raise FileMissing("there is no such table", at=path, remedy="check the path")
            found.append(path)
            continue
        below = sorted(_walk(path))
        if not below:
            raise TableUnreadable(
                "the folder holds no table",
                at=path,
                remedy="name a folder with CSV, Parquet, JSON lines or Arrow files",
            )
        found += below
    return found


def _walk(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        for name in files:
            path = os.path.join(place, name)
            if not name.startswith((".", "_")) and kind_of(path) is not None:
                yield path


def opened(path: str, folder: str, memory_bytes: int) -> Source:
    """A file as a source of rows; copies that it needs are put into the folder."""
    if kind_of(path) == "arrow":
        return _Typed(path, _arrow)
    head = head_of(path)
    match head.kind:
        case "csv":
            return _Csv(path, head)
        case "json":
            return _Json(path, head, folder, memory_bytes)
        case _:
            return _Typed(path, _parquet, folder, memory_bytes)


# --- files with types ---------------------------------------------------------------------------------------------


def _parquet(path: str) -> "pl.LazyFrame":
    import polars as pl

    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def _arrow(path: str) -> "pl.LazyFrame":
    import glob

    import polars as pl

    return pl.scan_ipc(glob.escape(path), hive_partitioning=False)


class _Typed:
    """Parquet or Arrow, which Polars reads a slice at a time for what the slice costs."""

    def __init__(
        self, path: str, scan: "Callable[[str], pl.LazyFrame]", folder: str = "", memory_bytes: int = 0
    ) -> None:
        import polars as pl

        self.path = path
        self._scan = scan
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._sliced: pl.LazyFrame | None = None
        try:
            query = scan(path)
            stored = query.collect_schema()
            self.n_rows: int | None = int(query.select(pl.len()).collect().item())
        except (pl.exceptions.PolarsError, OSError) as e:
            raise unreadable(e, path) from e
        # Categories of two slices have nothing to do with each other.
        named = (pl.Categorical, pl.Enum)
        self.types: Mapping[str, pl.DataType] = {
            name: pl.String() if isinstance(kind, named) else kind for name, kind in stored.items()
        }
        self.looks: Mapping[str, Seen] = {}
        self.stored_as: Mapping[str, str] = {name: str(kind) for name, kind in stored.items()}

    def lazy(self) -> "pl.LazyFrame | None":
        return self._scan(self.path)

    def parts(self, names: Sequence[str], n_rows: int) -> Iterator[Part]:
        import polars as pl

        large = (pl.String, pl.Binary, pl.List, pl.Array, pl.Struct)
        weighed = self._slice([name for name in names if isinstance(self.types[name], large)], 0, _ROWS_WEIGHED)
        n_rows = _fitting(weighed, n_rows)
        for start in range(0, self.n_rows or 0, n_rows):
            n = min(n_rows, (self.n_rows or 0) - start)
            yield Part(self._slice(names, start, n), n, _no_line)

    def _slice(self, names: Sequence[str], start: int, n_rows: int) -> "pl.DataFrame":
        import polars as pl

        if not names:
            return pl.DataFrame()
        try:
            return self._in_slices().select(names).slice(start, n_rows).collect()
        except (pl.exceptions.PolarsError, OSError) as e:
            raise unreadable(e, self.path) from e

    def _in_slices(self) -> "pl.LazyFrame":
        """What slices are taken of: the file, or a copy of it in which they cost little."""
        import polars as pl

        if self._sliced is None:
            self._sliced = self._scan(self.path)
            is_large = bool(self._folder) and (self.n_rows or 0) > GROUP_ROWS_MOST
            if is_large and largest_group(self.path, self._memory_bytes) > GROUP_ROWS_MOST:
                copy, names, _ = copied(self.path, self._folder, self._memory_bytes)
                # DuckDB has fewer types than Polars.
                as_it_was = [pl.col(f"c{i}").cast(self.types[name]).alias(name) for i, name in enumerate(names)]
                self._sliced = pl.scan_parquet(copy, glob=False).select(as_it_was)
        return self._sliced


def _fitting(few: "pl.DataFrame", n_rows: int) -> int:
    """So many rows, or fewer if they are as large as these few."""
    fit = int(BYTES * few.height / max(few.estimated_size(), 1)) or 1
    return min(n_rows, 1 << fit.bit_length() - 1) if few.height else n_rows


def _no_line(_: int) -> int | None:
    return None


# --- texts --------------------------------------------------------------------------------------------------------


class _Csv:
    """A CSV, a piece at a time."""

    def __init__(self, path: str, head: Head) -> None:
        self.path = path
        self._head = head
        self.types: Mapping[str, pl.DataType] = {}
        self.n_rows: int | None = None
        self.stored_as: Mapping[str, str] = dict.fromkeys(head.names, "text")
        samples = [seen(frame) for frame in self._samples()]
        self.looks: Mapping[str, Seen] = {
            name: sum((sample[name] for sample in samples), Seen()) for name in head.names
        }

    def lazy(self) -> "pl.LazyFrame | None":
        return None

    def parts(self, names: Sequence[str], n_rows: int) -> Iterator[Part]:
        for piece in delimited.pieces(self.path, self._head):
            frame = self._frame(piece, names)
            for start in range(0, piece.n_rows, n_rows) if piece.n_rows > 2 * n_rows else (0,):
                n = min(n_rows, piece.n_rows - start) if piece.n_rows > 2 * n_rows else piece.n_rows
                yield Part(frame.slice(start, n), n, _lines(piece, start))

    def _frame(self, piece: delimited.Piece, names: Sequence[str], most: int | None = None) -> "pl.DataFrame":
        import polars as pl

        if not names:
            return pl.DataFrame()
        places = {name: i for i, name in enumerate(self._head.names)}
        try:
            frame = pl.read_csv(
                piece.data,
                has_header=False,
                separator=self._head.delimiter,
                eol_char="\r" if self._head.newline == "\\r" else "\n",
                schema={f"c{i}": pl.String for i in range(len(places))},
                columns=sorted({places[name] for name in names}),
                n_rows=most,
            )
        except pl.exceptions.PolarsError as e:
            raise delimited.fault(self.path, self._head, piece) or unreadable(e, self.path) from e
        frame = frame.select([pl.col(f"c{places[name]}").alias(name) for name in names])
        # For one byte is looked much quicker than for two.
        if b'"' in piece.data and b'""' in piece.data:
            # As DuckDB does: an empty field is no value, with quotes or without.
            frame = frame.select([pl.when(pl.col(name) != "").then(pl.col(name)) for name in names])
        return frame

    def _samples(self) -> "Iterator[pl.DataFrame]":
        names = self._head.names
        most = sample_rows(len(names))
        start = next(delimited.pieces(self.path, self._head, SPOTS * SPOT_BYTES), None)
        if start is None:
            return
        yield self._frame(start, names, most)
        for piece in delimited.spots(self.path, self._head, SPOT_BYTES, SPOTS):
            if piece.n_rows:
                yield self._frame(piece, names, max(most // SPOTS, 10))


def _lines(piece: delimited.Piece, start: int) -> Callable[[int], int | None]:
    return lambda at: piece.line(start + at)


def sample_rows(n_columns: int) -> int:
    """How many rows of a table of texts are looked at."""
    return min(max(SAMPLE_CELLS // max(n_columns, 1), 100), SAMPLE_ROWS)


class _Json:
    """JSON lines, or one JSON list: turned by DuckDB into Parquet whose columns are the texts of the values."""

    def __init__(self, path: str, head: Head, folder: str, memory_bytes: int) -> None:
        self.path = path
        self._head = head
        self._copy, names, n_rows = copied(path, folder, memory_bytes)
        self._places = {name: f"c{i}" for i, name in enumerate(names)}
        self.types: Mapping[str, pl.DataType] = {}
        self.n_rows: int | None = n_rows
        self.stored_as: Mapping[str, str] = dict.fromkeys(names, "JSON")
        sample = next(self._raw(names, sample_rows(len(names))), None)
        self.looks: Mapping[str, Seen] = (
            seen(sample, is_json=True) if sample is not None else dict.fromkeys(names, Seen())
        )
        self._blank: list[int] | None = None

    def lazy(self) -> "pl.LazyFrame | None":
        return None

    def parts(self, names: Sequence[str], n_rows: int) -> Iterator[Part]:
        import polars as pl

        start = 0
        n_rows = _fitting(next(self._raw(names, _ROWS_WEIGHED), pl.DataFrame()), n_rows)
        for raw in self._raw(names, n_rows):
            n = raw.height if names else min(n_rows, (self.n_rows or 0) - start)
            frame = raw.select([plain_json(raw[name]) for name in names]) if names else pl.DataFrame()
            yield Part(frame, n, self._line_from(start))
            start += n

    def _raw(self, names: Sequence[str], n_rows: int) -> "Iterator[pl.DataFrame]":
        import polars as pl

        for start in range(0, self.n_rows or 0, n_rows):
            places = [pl.col(self._places[name]).alias(name) for name in names]
            yield pl.scan_parquet(self._copy, glob=False).slice(start, n_rows).select(places).collect()

    def _line_from(self, start: int) -> Callable[[int], int | None]:
        return lambda at: self._line(start + at)

    def _line(self, row: int) -> int | None:
        if self._head.delimiter == "[":
            return None
        if self._blank is None:
            self._blank = delimited.blank_lines(self.path, self._head)
        line = row + 1
        for blank in self._blank:
            line += blank <= line
        return line


def unreadable(e: Exception, path: str) -> TableUnreadable:
    """The error for a file that Polars cannot read."""
    said = str(e).strip().split("\n", 1)[0]
    return TableUnreadable(
        f"a table cannot be read: {said}",
        at=path,
        remedy="mend the file, or bring it back from a version that is whole",
    )
