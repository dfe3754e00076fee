"""What a table is like, column by column, in one pass: states that take in batches, and may be joined.

Memory does not grow with the rows: of each column so many values are held, and no more (`profile_room`). Neighbours:
`profile_numbers` and `profile_texts` know columns, `correlated` pairs of them, `batches` reads. Knows no checks.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from headway.core.profile import ColumnProfile, Counted, Profile
from headway.tables.batches import Batch, Data, DataColumn
from headway.tables.correlated import Together
from headway.tables.profile_numbers import AMOUNTS, TIMES, NumbersSeen
from headway.tables.profile_room import Room
from headway.tables.profile_texts import TextsSeen

if TYPE_CHECKING:
    import polars as pl

MISFITS_TOLD = 5

_MISFITS_HELD = 1000
_NUMBERS = TIMES | AMOUNTS | {"boolean"}


def profile(
    data: Data,
    *,
    columns: Sequence[str] | None = None,
    correlations: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Profile:
    """The profile of these columns (all by default); `progress` is told how many rows are read, after each batch.

    Counts, ends, means and spreads are exact. Distinct values are to 131,072 (fewer in tables of more than 32 columns)
    and for keys of up to four million rows, then to 0.8 %; quantiles and the counts of histograms to 1 row in 1,000.
    Raises ColumnMissing, TableUnreadable.
    """
    partial = Partial(data, columns, correlations=correlations)
    for batch in data.batches(columns):
        partial.add(batch)
        if progress is not None:
            progress(partial.n_rows)
    return partial.profile(data.sources)


class Partial:
    """What is seen of a table so far."""

    __slots__ = ("columns", "n_rows", "together")

    def __init__(self, data: Data, columns: Sequence[str] | None = None, *, correlations: bool = False) -> None:
        known = {one.name: one for one in data.columns}
        names = list(known) if columns is None else [name for name in columns if name in known]
        room = Room.of(len(names))
        self.n_rows = 0
        self.columns = [_Column(known[name], data.type_of(name), room) for name in names]
        numbers = [name for name in names if known[name].kind in AMOUNTS | {"boolean"}]
        self.together = Together(numbers) if correlations else None

    def add(self, batch: Batch) -> None:
        """Take in rows that follow those seen."""
        self.n_rows += batch.n_rows
        for column, values in zip(self.columns, batch.frame.get_columns(), strict=True):
            column.add(values, batch)
        if self.together is not None:
            self.together.add(batch.frame)

    def merge(self, other: "Partial") -> None:
        """Take in what another has seen of the same columns, in rows further down."""
        self.n_rows += other.n_rows
        for one, more in zip(self.columns, other.columns, strict=True):
            one.merge(more)
        if self.together is not None and other.together is not None:
            self.together.merge(other.together)

    def profile(self, sources: Sequence[str] = ()) -> Profile:
        """What is known now."""
        return Profile(
            n_rows=self.n_rows,
            columns=tuple(column.profile(self.n_rows) for column in self.columns),
            sources=tuple(sources),
            correlations=self.together.found() if self.together is not None else (),
        )


class _Column:
    """State of one column: what lacks, what does not fit, and what is there."""

    __slots__ = ("_column", "misfits", "n_misfit", "n_null", "values")

    def __init__(self, column: DataColumn, stored: "pl.DataType", room: Room) -> None:
        self._column = column
        self.n_null = self.n_misfit = 0
        self.misfits: dict[str, int] = {}
        # What files of several types have in common may be text where one has numbers.
        self.values: NumbersSeen | TextsSeen = (
            NumbersSeen(column.kind, stored, room) if column.kind in _NUMBERS else TextsSeen(column.kind, room)
        )

    def add(self, values: "pl.Series", batch: Batch) -> None:
        n_null = values.null_count()
        if n_null and self._column.is_text:
            n_null -= self._see_misfits(batch)
        self.n_null += n_null
        self.values.add(values.drop_nulls() if values.null_count() else values)

    def _see_misfits(self, batch: Batch) -> int:
        odd = batch.misfits(self._column.name)
        n = int(odd.sum())
        self.n_misfit += n
        if n:
            for text, count in batch.as_text(self._column.name).filter(odd).value_counts(sort=True).rows():
                if text in self.misfits or len(self.misfits) < _MISFITS_HELD:
                    self.misfits[text] = self.misfits.get(text, 0) + count
        return n

    def merge(self, other: "_Column") -> None:
        self.n_null += other.n_null
        self.n_misfit += other.n_misfit
        for text, count in other.misfits.items():
            self.misfits[text] = self.misfits.get(text, 0) + count
        match self.values, other.values:
            case NumbersSeen(), NumbersSeen():
                self.values.merge(other.values)
            case TextsSeen(), TextsSeen():
                self.values.merge(other.values)
            case _:
                raise AssertionError(self._column.name)

    def profile(self, n_rows: int) -> ColumnProfile:
        worst = sorted(self.misfits.items(), key=lambda pair: (-pair[1], pair[0]))[:MISFITS_TOLD]
        column = ColumnProfile(
            name=self._column.name,
            kind=self._column.kind,
            stored_as=self._column.stored_as,
            n_rows=n_rows,
            n_null=self.n_null,
            n_misfit=self.n_misfit,
            misfits=tuple(Counted(value=text, count=count) for text, count in worst),
        )
        return self.values.described(column)
