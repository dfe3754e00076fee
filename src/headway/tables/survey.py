"""What must be known of columns before their rows can be judged: quartiles, what is rarer, the last time elsewhere.

Only the columns that such checks name are read. Neighbour: `compile` makes of it expressions over single rows.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from headway.core.profile import Profile
from headway.core.validation import DataCheck, IsAfter, NoOutlier, OneNull, OneType
from headway.errors import HeadwayError
from headway.tables.compile import Beside
from headway.tables.each_row import Known, looks_like_number, stands_for_nothing, text_of
from headway.tables.literals import as_number, instant
from headway.tables.one_pass import shown, watched
from headway.tables.samples import Sample, rows_for
from headway.tables.sights import NUMBERS, Sight, Sights, one, seen, sights_of

if TYPE_CHECKING:
    import polars as pl

    from headway.tables.batches import Data

QUARTILE_ROWS = 1 << 22
"""Quartiles are exact up to so many values; of more, those of an even sample."""


def survey(
    data: "Data",
    sights: Sights,
    checks: Sequence[DataCheck],
    *,
    reference: "Data | Profile | None",
    others: "Callable[[str], Data]",
    now: float,
) -> Beside:
    """Look at what the checks must know beforehand. What is amiss with a check is told when it is compiled."""
    quartiles = _quartiles(data, sights, checks, reference)
    words = {column.name: _Words(column) for column in _texts(checks, sights)}
    unseen: dict[str, HeadwayError] = {}
    if words:
        names = list(words)
        _, faults = shown(data, dict(enumerate(words.values())))
        unseen = {names[i]: fault for i, fault in faults.items()}
    known = {
        name: Known(
            quartiles=quartiles.get(name),
            has_more_numbers=words[name].has_more_numbers if name in words else True,
            rare_nulls=words[name].rare_nulls if name in words else (),
        )
        for name in {*quartiles, *words}
    }
    n_reference = None if reference is None else n_rows_of(reference)
    newest = dict(_newest(checks, sights, others))
    return Beside(now=now, n_reference=n_reference, known=known, newest=newest, unseen=unseen)


def n_rows_of(table: "Data | Profile") -> int:
    """How many rows a table has."""
    if isinstance(table, Profile) or table.n_rows is not None:
        return table.n_rows or 0
    return watched(table, [])


def _quartiles(
    data: "Data", sights: Sights, checks: Sequence[DataCheck], reference: "Data | Profile | None"
) -> dict[str, tuple[float, float]]:
    import numpy as np

    names = [
        column.name
        for check in checks
        if isinstance(check.asks, NoOutlier)
        for column in _there(check, sights)
        if column.kind in NUMBERS
    ]
    if not names:
        return {}
    if isinstance(reference, Profile):
        found = {name: reference.column(name) for name in names}
        pairs = {name: column.quantiles for name, column in found.items() if column is not None}
        return {name: (at["0.25"], at["0.75"]) for name, at in pairs.items() if "0.25" in at and "0.75" in at}
    table = data if reference is None else reference
    there = sights if reference is None else sights_of(reference)
    samples = {
        name: Sample([as_number(there[name], "").alias(name)], (name,), most=rows_for(len(names), QUARTILE_ROWS))
        for name in names
        if name in there and there[name].kind in NUMBERS
    }
    watched(table, [*samples.values()])
    result = {}
    for name, sample in samples.items():
        rows = sample.rows()
        if not rows.width:
            continue
        values = rows[name].drop_nulls().to_numpy()
        values = values[np.isfinite(values)]
        if len(values):
            low, high = np.quantile(values, [0.25, 0.75])
            result[name] = (float(low), float(high))
    return result


def _texts(checks: Sequence[DataCheck], sights: Sights) -> list[Sight]:
    found = {
        column.name: column
        for check in checks
        if isinstance(check.asks, OneType | OneNull)
        for column in _there(check, sights)
        if column.text is not None or column.kind == "string"
    }
    return list(found.values())


def _there(check: DataCheck, sights: Sights) -> tuple[Sight, ...]:
    try:
        return seen(check, sights)
    except HeadwayError:
        return ()


class _Words:
    """Watches what texts look like, and how they spell nothing."""

    __slots__ = ("_column", "_n_numbers", "_n_words", "_nothings", "columns")

    def __init__(self, column: Sight) -> None:
        self.columns = (column.name,)
        self._column = column
        self._n_numbers = 0
        self._n_words = 0
        self._nothings: dict[str, int] = {}

    @property
    def has_more_numbers(self) -> bool:
        """Whether numbers are more frequent than words; where they are alike, numbers are taken to be meant."""
        return self._n_numbers >= self._n_words

    @property
    def rare_nulls(self) -> tuple[str, ...]:
        """Spellings of nothing but the most frequent."""
        ranked = sorted(self._nothings.items(), key=lambda one: (-one[1], one[0]))
        return tuple(word for word, _ in ranked[1:])

    def see(self, frame: "pl.DataFrame", _first: int) -> None:
        """Count."""
        texts = frame.select(text_of(self._column).alias("text"))
        n_null = texts["text"].null_count()
        looks = texts.select(
            "text", nothing=stands_for_nothing(texts_column()), number=looks_like_number(texts_column())
        )
        found = looks.filter(looks["nothing"])["text"].value_counts()
        for word, count in found.rows():
            self._nothings[word] = self._nothings.get(word, 0) + count
        if n_null:
            self._nothings[""] = self._nothings.get("", 0) + n_null
        said = looks.filter(~looks["nothing"])["number"]
        n_numbers = int(said.sum() or 0)
        self._n_numbers += n_numbers
        self._n_words += said.len() - n_numbers


def texts_column() -> "pl.Expr":
    """The column of texts that is looked at."""
    import polars as pl

    return pl.col("text")


def _newest(
    checks: Sequence[DataCheck], sights: Sights, others: "Callable[[str], Data]"
) -> Iterable[tuple[tuple[str, str], int | float | HeadwayError | None]]:
    """For each column that must be later than in another table, the last time there."""
    for check in checks:
        if not isinstance(check.asks, IsAfter):
            continue
        for column in _there(check, sights):
            try:
                yield (check.asks.other, column.name), _last(others(check.asks.other), column, check.at)
            except HeadwayError as e:
                yield (check.asks.other, column.name), e


def _last(table: "Data", column: Sight, at: str) -> int | float | None:
    there = one(column.name, sights_of(table), at)
    watcher = _Last(there.name, instant(there, at))
    watched(table, [watcher])
    return watcher.last


class _Last:
    """Watches for the last time of a column."""

    __slots__ = ("_value", "columns", "last")

    def __init__(self, name: str, value: "pl.Expr") -> None:
        self.columns = (name,)
        self.last: int | float | None = None
        self._value = value

    def see(self, frame: "pl.DataFrame", _first: int) -> None:
        """Look for a later one."""
        found = frame.select(self._value.max()).item()
        if found is not None and (self.last is None or found > self.last):
            self.last = found
