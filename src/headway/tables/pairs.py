"""Rows and keys against those of another table: what must be known there, what must not be there.

The other table's keys are kept as hashes of 64 bits. A key whose hash is not among them is surely not there. Of those
that are found where they must not be, what they hold is compared. Neighbour: `keys` looks within a table.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.core.findings import finding_of_rows
from headway.core.validation import DataCheck, IsKnown, NotShared
from headway.errors import Unmeasurable
from headway.tables.answers import Answer, Bad
from headway.tables.hashes import Collected, are_whole, common_type, hashes_of, is_among, key_frame
from headway.tables.one_pass import watched
from headway.tables.sights import Sight, Sights, one, seen, sights_of

if TYPE_CHECKING:
    import polars as pl

    from headway.tables.batches import Data
    from headway.tables.hashes import Bools, Hashes

EXACT_MOST = 1 << 18
"""Up to so many rows that seem to be shared are compared by what they hold."""

BY_HASH = "hashes of 64 bits"
BY_VALUE = "hashes of 64 bits, those alike compared by value"


class Pair:
    """On its way to the answer for `IsKnown` and `NotShared`. Reads the other table when it is made."""

    __slots__ = ("_among", "_check", "_key", "_method", "_other", "_theirs", "watcher")

    def __init__(self, check: DataCheck, sights: Sights, other: "Data") -> None:
        mine, theirs = _matched(check, sights, sights_of(other))
        types = _types(check, mine, theirs)
        nulls_equal = isinstance(check.asks, NotShared) and not check.columns
        self._check = check
        self._other = other
        self._key = _Key(columns=mine, types=types[0], nulls_equal=nulls_equal)
        self._theirs = _Key(columns=theirs, types=types[1], nulls_equal=nulls_equal)
        collecting = _Collecting(self._theirs)
        watched(other, [collecting])
        self._method = BY_HASH
        self._among = _Among(self._key, collecting.different(), is_bad_there=isinstance(check.asks, NotShared))
        self.watcher: _Among | None = self._among

    def go_on(self) -> None:
        """Everything was seen; what seems to be shared is looked at in the other table, too."""
        self.watcher = None
        rows = self._among.rows()
        if rows is not None and isinstance(self._check.asks, NotShared):
            self._method = BY_VALUE
            self._among.n_bad, self._among.known = self._really_shared(rows)

    def answer(self, n_rows: int) -> Answer:
        """What came of it."""
        finding = finding_of_rows(self._check, self._among.n_bad, n_rows, method=self._method)
        return Answer(finding=finding, bad=Bad(columns=self._key.names, start=lambda: self._among.mark))

    def _really_shared(self, rows: "pl.DataFrame") -> "tuple[int, Hashes]":
        import numpy as np
        import polars as pl

        theirs = _Among(self._theirs, np.unique(rows["hash"].to_numpy()), is_bad_there=True)
        watched(self._other, [theirs])
        found = theirs.rows()
        if found is None:
            # They are too many there to be held: their hashes must do.
            return self._among.n_bad, self._among.known
        keys = [name for name in rows.columns if name != "hash"]
        both = pl.concat([rows.with_columns(mine=pl.lit(1)), found.with_columns(mine=pl.lit(0))])
        groups = both.group_by(["hash", *keys]).agg(n_mine=pl.col("mine").sum(), n=pl.len())
        shared = groups.filter((pl.col("n_mine") > 0) & (pl.col("n") > pl.col("n_mine")))
        return int(shared["n_mine"].sum() or 0), shared["hash"].unique().sort().to_numpy()


class _Key(Struct, frozen=True, kw_only=True):
    """The columns of a key in one of the tables, with the types in which both are compared."""

    columns: tuple[Sight, ...]
    types: "dict[str, pl.DataType]"
    nulls_equal: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def hashes(self, frame: "pl.DataFrame") -> "Hashes":
        return hashes_of(frame, self.columns, types=self.types)

    def counted(self, frame: "pl.DataFrame") -> "Bools | None":
        return None if self.nulls_equal else are_whole(frame, self.columns)


class _Collecting:
    """Watches the other table, and keeps the hashes of its keys."""

    __slots__ = ("_collected", "_key", "columns")

    def __init__(self, key: _Key) -> None:
        self.columns = key.names
        self._key = key
        self._collected = Collected(0, 1 << 40)

    def see(self, frame: "pl.DataFrame", _first: int) -> None:
        """Keep hashes."""
        found, counted = self._key.hashes(frame), self._key.counted(frame)
        self._collected.add(found if counted is None else found[counted])

    def different(self) -> "Hashes":
        """Those that were there, each once, in order."""
        return self._collected.different()


class _Among:
    """Watches for rows whose key is, or is not, among those known; keeps those that are, while they are few."""

    __slots__ = ("_is_bad_there", "_kept", "_key", "_n_kept", "columns", "known", "n_bad")

    def __init__(self, key: _Key, known: "Hashes", *, is_bad_there: bool) -> None:
        self.columns = key.names
        self.known = known
        self.n_bad = 0
        self._key = key
        self._is_bad_there = is_bad_there
        self._kept: list[pl.DataFrame] = []
        self._n_kept = 0

    def see(self, frame: "pl.DataFrame", _first: int) -> None:
        """Count the bad rows."""
        import polars as pl

        found = self._key.hashes(frame)
        bad = self._bad(frame, found)
        n_bad = int(bad.sum())
        self.n_bad += n_bad
        if not n_bad or not self._is_bad_there:
            return
        self._n_kept += n_bad
        if self._n_kept > EXACT_MOST:
            self._kept = []
            return
        keys = key_frame(frame.filter(pl.Series(bad)), self._key.columns, self._key.types)
        self._kept.append(keys.with_columns(pl.Series("hash", found[bad])))

    def mark(self, frame: "pl.DataFrame", _first: int) -> "pl.Series":
        """True for the bad rows."""
        import polars as pl

        return pl.Series("bad", self._bad(frame, self._key.hashes(frame)))

    def rows(self) -> "pl.DataFrame | None":
        """The rows that were kept; None when there are none or too many."""
        import polars as pl

        return pl.concat(self._kept) if self._kept else None

    def _bad(self, frame: "pl.DataFrame", found: "Hashes") -> "Bools":
        bad = is_among(self.known, found)
        if not self._is_bad_there:
            bad = ~bad
        counted = self._key.counted(frame)
        return bad if counted is None else bad & counted


def _matched(check: DataCheck, mine: Sights, theirs: Sights) -> tuple[tuple[Sight, ...], tuple[Sight, ...]]:
    """The columns that are compared, here and there."""
    if not check.columns and isinstance(check.asks, NotShared):
        both = [name for name in mine if name in theirs]
        if not both:
            raise Unmeasurable(
                "the two tables have no column in common", at=check.at, remedy="name columns, or another table"
            )
        return tuple(mine[name] for name in both), tuple(theirs[name] for name in both)
    names = check.asks.columns if isinstance(check.asks, IsKnown) and check.asks.columns else check.columns
    if len(names) != len(check.columns):
        raise Unmeasurable(
            f"{len(check.columns)} columns are to be found among {len(names)}",
            at=check.at,
            remedy="name as many columns there as here",
        )
    return seen(check, mine), tuple(one(name, theirs, check.at) for name in names)


def _types(
    check: DataCheck, mine: Sequence[Sight], theirs: Sequence[Sight]
) -> "tuple[dict[str, pl.DataType], dict[str, pl.DataType]]":
    """The types in which both sides of each column are compared. Raises Unmeasurable where there is none."""
    first, second = {}, {}
    for here, there in zip(mine, theirs, strict=True):
        common = common_type(here, there, check.at)
        if common is not None:
            first[here.name] = second[there.name] = common
    return first, second
