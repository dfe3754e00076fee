"""Opens any data as one table that is read batch by batch, in order, in memory that does not grow with the rows.

CSV (also .gz, .zst), Parquet, JSON lines, Arrow; a file, several, or folders of them. Columns of texts are typed by
what the texts look like; the texts themselves stay at hand. Neighbours: `scan` opens tables for DuckDB, `delimited`
cuts a CSV, `sources` opens the other formats, `kinds_of_columns` says what texts are. Knows no checks.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.core.validation import Kind
from headway.errors import ColumnMissing, TableUnreadable
from headway.tables import kinds_of_columns as kinds
from headway.tables.scratch import scratch
from headway.tables.sources import Part, Source, files_below, opened

if TYPE_CHECKING:
    import polars as pl

CELLS = 1 << 23
"""About so many values are held at a time."""

ROWS_MOST = 1 << 18
ROWS_LEAST = 1 << 9


class DataColumn(Struct, frozen=True, kw_only=True):
    """A column of a table: `stored_as` is the file's own word for its type.

    With `is_text` it is typed by what its texts look like.
    """

    name: str
    kind: Kind
    stored_as: str
    is_text: bool = False


class Batch:
    """Rows that follow each other in one file: `first_row` is the number of the first in the table, from 1."""

    __slots__ = ("_part", "file", "first_row", "frame", "n_rows")

    def __init__(self, frame: "pl.DataFrame", part: Part, *, file: str, first_row: int) -> None:
        self.frame = frame
        self.n_rows = part.n_rows
        self.file = file
        self.first_row = first_row
        self._part = part

    def as_text(self, name: str) -> "pl.Series":
        """A column as the file spells it; where the file has types, as Polars spells them."""
        import polars as pl

        if name in self._part.frame.columns and isinstance(self._part.frame[name].dtype, pl.String):
            return self._part.frame[name]
        return self.frame[name].cast(pl.String)

    def misfits(self, name: str) -> "pl.Series":
        """True for rows in which the column's text is no value of its kind, and does not stand for a missing one."""
        return kinds.misfits(self.as_text(name), self.frame[name])

    def line(self, at: int) -> int | None:
        """The line of the file in which a row begins (the batch's first is row 0); None for files without lines."""
        return self._part.line(at)


class Data:
    """A table: `columns` in the order in which they first come, and `n_rows` where the files tell without reading."""

    __slots__ = ("_sources", "_types", "columns", "n_rows", "sources")

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        united = _united(sources)
        self._types = {name: one.type for name, one in united.items()}
        self.sources = tuple(source.path for source in sources)
        counts = [source.n_rows for source in sources]
        self.n_rows = None if None in counts else sum(count or 0 for count in counts)
        self.columns = tuple(
            DataColumn(name=name, kind=one.kind, stored_as=one.stored_as, is_text=one.is_text)
            for name, one in united.items()
        )

    def column(self, name: str) -> DataColumn | None:
        """The column of that name."""
        return next((one for one in self.columns if one.name == name), None)

    def type_of(self, name: str) -> "pl.DataType":
        """The type that a column has in the frames."""
        return self._types[name]

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[Batch]:
        """The rows in order, with these columns (all by default) in this order; a file without one has nulls there.

        Raises ColumnMissing, and TableUnreadable with the line when a row is met that cannot be read.
        """
        names = self._known(columns)
        # A power of two, as most writers of Parquet have it.
        n_rows = min(max(1 << (CELLS // max(len(names), 1)).bit_length() - 1, ROWS_LEAST), ROWS_MOST)
        first = 1
        for source in self._sources:
            here = {*source.types, *source.looks}
            for part in source.parts([name for name in names if name in here], n_rows):
                yield Batch(self._frame(part, names, source.path), part, file=source.path, first_row=first)
                first += part.n_rows

    def lazy(self, columns: Sequence[str] | None = None) -> "pl.LazyFrame | None":
        """The whole as one query, for which nothing is copied; None where there is none: texts, unlike files."""
        import polars as pl

        names = self._known(columns)
        queries = []
        for source in self._sources:
            query = source.lazy()
            if query is None or {*names} - {*source.types} or any(source.types[n] != self._types[n] for n in names):
                return None
            queries.append(query.select(names).cast({name: self._types[name] for name in names}))
        return queries[0] if len(queries) == 1 else pl.concat(queries)

    def as_parquet(self, folder: str, columns: Sequence[str] | None = None) -> list[str]:
        """Files of Parquet with the rows in order, written into the folder; one at least, which may be empty.

        For what cannot work on batches: a query over the whole, a function of the user's.
        """
        import polars as pl

        os.makedirs(folder, exist_ok=True)
        names = self._known(columns)
        paths: list[str] = []
        for batch in self.batches(names):
            paths.append(os.path.join(folder, f"rows-{len(paths):06}.parquet"))
            batch.frame.write_parquet(paths[-1], compression="snappy", statistics=False)
        if not paths:
            paths.append(os.path.join(folder, "rows-000000.parquet"))
            pl.DataFrame(schema={name: self._types[name] for name in names}).write_parquet(paths[-1])
        return paths

    def lines(self, rows: Sequence[int]) -> dict[int, tuple[str, int | None]]:
        """For rows by their numbers, the file and the line where each begins. Texts are read again as far as that."""
        found: dict[int, tuple[str, int | None]] = {}
        wanted = sorted(set(rows))
        first = 1
        for source in self._sources:
            if not wanted:
                break
            for part in source.parts([], ROWS_MOST):
                while wanted and wanted[0] < first + part.n_rows:
                    row = wanted.pop(0)
                    found[row] = (source.path, part.line(row - first))
                first += part.n_rows
                if not wanted:
                    break
        return found

    def _frame(self, part: Part, names: Sequence[str], path: str) -> "pl.DataFrame":
        import polars as pl

        # Asking a frame for its names makes a list of them.
        here = set(part.frame.columns)
        try:
            found = kinds.typed(part.frame, {name: self._types[name] for name in names if name in here})
        except pl.exceptions.InvalidOperationError as e:
            raise _unlike(f"values do not fit those of the other files: {str(e).partition(chr(10))[0]}", path) from e
        if len(here) == len(names):
            return found
        lacking = [pl.Series(n, [None], dtype=self._types[n]) for n in names if n not in here]
        return pl.DataFrame([*found, *(one.new_from_index(0, part.n_rows) for one in lacking)]).select(names)

    def _known(self, columns: Sequence[str] | None) -> list[str]:
        if columns is None:
            return [column.name for column in self.columns]
        lacking = [name for name in columns if name not in self._types]
        if lacking:
            raise ColumnMissing(
                f"there is no column {', '.join(map(repr, lacking))}",
                at=self.sources[0],
                remedy=f"the columns are {', '.join(list(self._types)[:20])}",
            )
        return list(columns)


@contextmanager
def open_data(paths: Sequence[str], *, memory_bytes: int = 256 << 20) -> Iterator[Data]:
    """The table that these files and folders are together; what had to be copied is gone when the block is left.

    `memory_bytes` is what DuckDB may use where JSON is read. Raises FileMissing, TableUnreadable.
    """
    with scratch(tempfile.gettempdir(), "headway-data-") as folder:
        yield Data([opened(path, folder, memory_bytes) for path in files_below(paths)])


class _United(Struct, frozen=True, kw_only=True):
    """What a column is in all files together."""

    type: "pl.DataType"
    kind: Kind
    stored_as: str
    is_text: bool


def _united(sources: Sequence[Source]) -> dict[str, _United]:
    """The columns of all files by name, in the order in which they first come. Raises TableUnreadable."""
    looks: dict[str, kinds.Seen] = {}
    for source in sources:
        for name, one in source.looks.items():
            looks[name] = looks[name] + one if name in looks else one
    found: dict[str, _United] = {}
    for source in sources:
        for name, stored_as in source.stored_as.items():
            is_text = name in source.looks
            kind = kinds.type_of(looks[name]) if is_text else source.types[name]
            said = looks[name].kind if is_text else kinds.kind_of(kind)
            column = _United(type=kind, kind=said, stored_as=stored_as, is_text=is_text)
            found[name] = _both(found[name], column, name, source.path) if name in found else column
    return found


def _both(one: _United, other: _United, name: str, path: str) -> _United:
    if one.is_text and other.is_text:
        # Texts were looked at together.
        return one
    kind = kinds.common(one.type, other.type)
    if kind is None:
        raise _unlike(f"column {name!r} is {other.type} here and {one.type} in the files before", path)
    return _United(
        type=kind,
        kind=kinds.kind_of(kind),
        stored_as=one.stored_as if one.stored_as == other.stored_as else f"{one.stored_as}, {other.stored_as}",
        is_text=one.is_text or other.is_text,
    )


def _unlike(problem: str, path: str) -> TableUnreadable:
    return TableUnreadable(problem, at=path, remedy="read the files apart, or write them alike")
