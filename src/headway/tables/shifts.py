"""Whether columns are distributed as in a reference: counted here, judged by `stats/shift`.

Numbers and times are counted on bins that the reference fixes, texts and truths value by value, and for each column the
rows without a value. The reference is a table, or a profile that was kept of one. Neighbours: `frequencies` counts
values, `skew` compares rows by a key.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from headway.core.findings import Moved, finding_of_moves
from headway.core.profile import ColumnProfile, Profile
from headway.core.validation import DataCheck, Kind, NoShift, NoSkew
from headway.errors import Unmeasurable
from headway.stats.bins import MOST_VALUES, Bins, Edges, Tally, count, fix_edges, tally
from headway.stats.shift import Shift, category_shift, family, numeric_shift, share_shift
from headway.tables.answers import Answer
from headway.tables.frequencies import KEPT_MOST, Counts
from headway.tables.literals import as_number, plain
from headway.tables.one_pass import Together, watched
from headway.tables.order import goes_strictly
from headway.tables.samples import Sample, rows_for
from headway.tables.sights import NUMBERS, Sight, Sights, one, sights_of
from headway.tables.survey import n_rows_of

if TYPE_CHECKING:
    import polars as pl

    from headway.tables.batches import Data

EDGE_ROWS = 1 << 18
"""Bins are fixed by so many rows of the reference, evenly taken; all rows are counted on them."""

_COUNTABLE = frozenset({"string", "boolean"})
_NUMERIC = NUMBERS | {"date", "datetime", "duration"}


class Before(Struct, frozen=True, kw_only=True):
    """A column of the reference, counted: on bins, or value by value, of which `most` were kept.

    With `names_rows` hardly a value is there twice.
    """

    n_rows: int
    n_values: int
    bins: "Bins | None" = None
    values: "Tally | None" = None
    mean: float | None = None
    names_rows: bool = False
    most: int = KEPT_MOST


class Shifting:
    """On its way to the answer for `NoShift`, and for `NoSkew` without a key. Reads the reference when it is made."""

    __slots__ = ("_before", "_check", "_n_reference", "_now", "watcher")

    def __init__(self, check: DataCheck, sights: Sights, reference: "Data | Profile") -> None:
        self._check = check
        self._n_reference = n_rows_of(reference)
        names = _names(check, sights, reference)
        self._before = (
            {name: _of_profile(column) for name in names if (column := reference.column(name)) is not None}
            if isinstance(reference, Profile)
            else before_of(reference, names)
        )
        if not check.columns:
            self._before = {name: before for name, before in self._before.items() if not before.names_rows}
        self._now = {name: _Counting(sights[name], before) for name, before in self._before.items()}
        self.watcher: Together | None = Together([*self._now.values()])

    def go_on(self) -> None:
        """Everything was seen."""
        self.watcher = None

    def answer(self, n_rows: int) -> Answer:
        """What came of it."""
        ask = self._check.asks
        assert isinstance(ask, NoShift | NoSkew)
        found: list[tuple[str, str, Shift]] = []
        for name, now in self._now.items():
            before = self._before[name]
            if before.n_rows and n_rows:
                nulls = (before.n_rows - before.n_values, before.n_rows), (n_rows - now.n_values, n_rows)
                found.append((name, "missing values", share_shift(*nulls)))
            if before.n_values and now.n_values:
                found.append((name, "values", now.shift()))
        if not found:
            why = "one of the two tables has no rows" if self._now else "the two tables have no column in common"
            raise Unmeasurable(why, at=self._check.at, remedy="compare with a table that has some")
        judged = family([shift for *_, shift in found], false_alarms=ask.false_alarms, least=ask.least)
        moves = []
        for (name, of, shift), one_of_all in zip(found, judged, strict=True):
            now, before = self._now[name], self._before[name]
            means = (before.mean, now.mean) if shift.of == "numbers" else (None, None)
            told = (shift.before, shift.after) if shift.of == "share" else means
            moves.append(
                Moved(
                    column=name,
                    distance=shift.distance,
                    is_told=one_of_all.is_alarm,
                    in_sd=shift.unit == "sd",
                    p=one_of_all.p_adjusted,
                    of=of,
                    before=told[0],
                    after=told[1],
                    new=now.new() if of == "values" else (),
                )
            )
        return Answer(finding=finding_of_moves(self._check, moves, n_rows, self._n_reference, method=METHOD))


METHOD = "beyond chance in all columns together by Holm, and by more than chance adds"


class _Binned:
    """Watches numbers, and counts them on bins."""

    __slots__ = ("_column", "_edges", "_sum", "columns", "counts", "n_values")

    def __init__(self, column: Sight, edges: Edges) -> None:
        self.columns = (column.name,)
        self.counts = count(edges, np.array([]))
        self.n_values = 0
        self._column = column
        self._edges = edges
        self._sum = 0.0

    @property
    def mean(self) -> float | None:
        """The mean of the numbers."""
        return self._sum / self.n_values if self.n_values else None

    def see(self, frame: "pl.DataFrame", _first: int) -> None:
        """Count."""
        found = frame.select(as_number(self._column, "").alias("n")).to_series().drop_nulls()
        self.n_values += found.len()
        self._sum += float(found.sum())
        self.counts = self.counts + count(self._edges, found.to_numpy())


class _Counting:
    """Watches a column and counts it as the reference was counted."""

    __slots__ = ("_before", "_now", "columns")

    def __init__(self, column: Sight, before: Before) -> None:
        self.columns = (column.name,)
        self._before = before
        self._now = Counts(column, before.most) if before.bins is None else _Binned(column, before.bins.edges)

    @property
    def n_values(self) -> int:
        """How many rows have a value."""
        return self._now.n_values

    @property
    def mean(self) -> float | None:
        """The mean of its numbers."""
        return self._now.mean if isinstance(self._now, _Binned) else None

    def see(self, frame: "pl.DataFrame", first: int) -> None:
        """Count."""
        self._now.see(frame, first)

    def shift(self) -> Shift:
        """How it differs from the reference; there must be values on both sides."""
        if isinstance(self._now, _Binned):
            assert self._before.bins is not None
            return numeric_shift(self._before.bins, self._now.counts)
        assert self._before.values is not None
        return category_shift(self._before.values, _tally(self._now))

    def new(self) -> tuple[str, ...]:
        """The most frequent values that the reference does not have, where it is known to have kept all."""
        values = self._before.values
        if isinstance(self._now, _Binned) or values is None or values.n_other:
            return ()
        return tuple(value for value in _tally(self._now).counts if value not in values.counts)[:NEW_MOST]


FEW_ROWS = 100
"""Of fewer rows it is not said that a column names them."""

NEW_MOST = 5
"""So many new values are told."""


def before_of(reference: "Data", names: Sequence[str]) -> dict[str, Before]:
    """Columns of a reference, counted in one pass over it, or two where it has more rows than fix the bins."""
    there = sights_of(reference)
    numeric = [there[name] for name in names if there[name].kind in _NUMERIC]
    most = rows_for(len(numeric), EDGE_ROWS)
    samples = {column.name: Sample([as_number(column, "").alias("n")], (column.name,), most=most) for column in numeric}
    texts = [name for name in names if name not in samples]
    kept = rows_for(8 * len(texts), KEPT_MOST)
    values = {name: Counts(there[name], kept) for name in texts}
    n_rows = watched(reference, [*samples.values(), *values.values()])
    edges = {name: edges for name, sample in samples.items() if (edges := _edges(sample)) is not None}
    counted = {name: _Binned(there[name], one) for name, one in edges.items()}
    if counted:
        watched(reference, [*counted.values()])
    found = {name: Before(n_rows=n_rows, n_values=0) for name in names}
    for name, one_value in values.items():
        values_of = _tally(one_value)
        names_rows = 2 * len(values_of.counts) + 2 * values_of.n_other > one_value.n_values > FEW_ROWS
        found[name] = Before(
            n_rows=n_rows, n_values=one_value.n_values, values=values_of, names_rows=names_rows, most=kept
        )
    for name, one_binned in counted.items():
        numbers = samples[name].rows()["n"]
        names_rows = there[name].kind == "integer" and numbers.len() > FEW_ROWS and _rises(numbers)
        bins = Bins(edges=edges[name], counts=one_binned.counts)
        found[name] = Before(
            n_rows=n_rows, n_values=one_binned.n_values, bins=bins, mean=one_binned.mean, names_rows=names_rows
        )
    return found


def _rises(numbers: "pl.Series") -> bool:
    numbers = numbers.drop_nulls()
    return goes_strictly(numbers, is_increasing=True) or goes_strictly(numbers, is_increasing=False)


def _edges(sample: Sample) -> Edges | None:
    rows = sample.rows()
    values = rows["n"].drop_nulls().to_numpy() if rows.width else None
    try:
        return None if values is None else fix_edges(values)
    except Unmeasurable:
        return None


def _tally(counts: Counts) -> Tally:
    ranked = counts.ranked()
    pairs = [(plain(value), n) for value, n in ranked.rows()]
    kept = sum(n for _, n in pairs)
    return tally(pairs, most=MOST_VALUES, n_other=counts.n_values - kept)


def _of_profile(column: ColumnProfile) -> Before:
    """A column as its profile tells of it: by its histogram, or by its most frequent values."""
    histogram, n_values = column.histogram, column.n_values - column.n_nan
    if histogram is not None and column.kind in _NUMERIC and len(histogram.edges) > 1:
        ends = np.array(histogram.edges, dtype=np.float64)
        # Bins of a profile hold their lower end, these hold their upper one.
        at = np.append(np.nextafter(ends[:-1], -np.inf), ends[-1])
        middle = column.quantiles.get("0.5", float(ends[len(ends) // 2]))
        edges = Edges(at=at, low=float(ends[0]), high=float(ends[-1]), median=middle, spread=column.std or 0.0)
        counts = np.array([0, *histogram.counts, 0], dtype=np.int64)
        n_counted = int(counts.sum())
        bins = Bins(edges=edges, counts=counts)
        return Before(n_rows=column.n_rows, n_values=n_counted, bins=bins, mean=column.mean)
    pairs = [
        (str(one.value).lower() if isinstance(one.value, bool) else str(one.value), one.count) for one in column.top
    ]
    kept = sum(n for _, n in pairs)
    values = tally(pairs, n_other=max(n_values - kept, 0))
    return Before(n_rows=column.n_rows, n_values=n_values, values=values)


def _names(check: DataCheck, sights: Sights, reference: "Data | Profile") -> list[str]:
    """The columns that are compared: those named, or all that both have and that can be expected to stay as they are.

    Times go on, and what is different in each row is new in each row: neither is compared unless it is named.
    """
    there = {column.name: column.kind for column in reference.columns}
    if not check.columns:
        names = [name for name, column in sights.items() if name in there and _is_steady(column)]
        return [name for name in names if _is_comparable(sights[name], there[name])]
    for name in check.columns:
        column = one(name, sights, check.at)
        if name not in there:
            raise Unmeasurable(
                f"the reference has no column {name!r}", at=check.at, remedy="leave the column out, or take another"
            )
        if not _is_comparable(column, there[name]):
            raise Unmeasurable(
                f"column {name!r} holds {column.kind} here and {there[name]} in the reference, which are not compared",
                at=check.at,
                remedy="compare numbers and times, texts, or truths with their like",
            )
    return list(check.columns)


def _is_steady(column: Sight) -> bool:
    return column.kind not in ("date", "datetime")


def _is_comparable(column: Sight, kind: Kind) -> bool:
    kinds = {column.kind, kind} - {"null"}
    return bool(kinds) and (kinds <= _NUMERIC or (kinds <= _COUNTABLE and len(kinds) == 1))
