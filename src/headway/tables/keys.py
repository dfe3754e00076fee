"""What repeats: keys, whole rows, and rows that are equal but for their label.

First a proof is tried that reads little (`order`), then hashes of all rows are compared, and rows whose hashes are
alike by what they hold. So each pass over the table is made only for what is still open. Neighbour: `pairs` compares
with another table.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.core.findings import finding_of_number, finding_of_rows
from headway.core.validation import DataCheck
from headway.tables.answers import Answer, Bad, Mark, Watcher
from headway.tables.hashes import HASHES_MOST, Collected, are_whole, hashes_of, is_among, key_frame, misfit_frame
from headway.tables.order import Bitmap, Proof, goes_strictly
from headway.tables.sights import NESTED, Sight

if TYPE_CHECKING:
    import polars as pl

    from headway.tables.hashes import Bools, Hashes

EXACT_MOST = 1 << 18
"""Up to so many rows whose hashes are alike are compared by what they hold; more by a second hash of 64 bits."""

BY_PROOF = "proven by the order of {}"
BY_BITMAP = "a place for each number"
BY_VALUE = "hashes of 64 bits, those alike compared by value"
BY_TWO_HASHES = "hashes of 128 bits"


class Asked(Struct, frozen=True, kw_only=True):
    """What must not repeat: rows with the same values in `columns`, or only those that differ in their `label`.

    With `nulls_equal` rows with nulls count as others do, else they are passed over. With `is_count` it is only asked
    how many different ones there are.
    """

    check: DataCheck
    columns: tuple[Sight, ...]
    nulls_equal: bool = False
    label: Sight | None = None
    is_count: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that must be read."""
        names = [column.name for column in self.columns]
        return tuple(names if self.label is None else [*names, self.label.name])


class Question:
    """A question about keys on its way to an answer.

    While there is a `watcher`, it must be shown the whole table, and then `go_on` be called. `proofs` are those that
    other questions have begun, by column and direction.
    """

    __slots__ = ("_bad_hashes", "_method", "_n_alike", "_n_bad", "_n_different", "_now", "_repeats", "asked")

    def __init__(self, asked: Asked, head: "pl.DataFrame", proofs: "dict[tuple[str, bool], Proof]") -> None:
        self.asked = asked
        self._now: Proof | Bitmap | _Hashed | _Look | None = _proof(asked, head, proofs) or _Hashed(asked, 0)
        self._n_different = 0
        self._n_alike = 0
        self._repeats: list[Hashes] = []
        self._bad_hashes: Hashes | None = None
        self._n_bad = 0
        self._method = ""

    @property
    def watcher(self) -> Watcher | None:
        """What must be shown the whole table next."""
        return self._now

    def share(self, n: int) -> None:
        """So many questions use the memory at a time."""
        if isinstance(self._now, _Hashed):
            self._now.collected.most = HASHES_MOST // n

    def go_on(self) -> None:
        """Draw from what the watcher has seen what must be looked at next."""
        match self._now:
            case Proof() as proof:
                is_proven = proof.proves(nulls_equal=self.asked.nulls_equal)
                self._proved(BY_PROOF.format(proof.columns[0]) if is_proven else "", proof.n_values)
            case Bitmap() as bitmap:
                is_known = bitmap.is_unique or (self.asked.is_count and not bitmap.is_open)
                self._proved(BY_BITMAP if is_known else "", bitmap.n_different)
            case _Hashed() as hashed:
                self._now = self._counted(hashed)
            case _Look() as look:
                self._n_bad, self._bad_hashes, self._method = look.found()
                self._now = None
            case None:
                pass

    def answer(self, n_rows: int) -> Answer:
        """What came of it."""
        check = self.asked.check
        if self.asked.is_count:
            # A column without a value has no value that is different.
            found = finding_of_number(check, self._n_different, n_rows, of=self.asked.names[0], method=self._method)
            return Answer(finding=found)
        finding = finding_of_rows(check, self._n_bad, n_rows, method=self._method)
        if self._bad_hashes is None:
            return Answer(finding=finding)
        return Answer(finding=finding, bad=_bad(self.asked, self._bad_hashes))

    def _proved(self, method: str, n_different: int) -> None:
        self._now = None if method else _Hashed(self.asked, 0)
        if method:
            self._method, self._n_different = method, n_different

    def _counted(self, hashed: "_Hashed") -> "_Hashed | _Look | None":
        import numpy as np

        found = hashed.collected.taken()
        same = found[1:] == found[:-1]
        n_repeats = int(np.count_nonzero(same))
        repeats = np.unique(found[1:][same])
        self._n_different += len(found) - n_repeats
        self._n_alike += n_repeats + len(repeats)
        self._repeats.append(repeats)
        if hashed.collected.high < 1 << 64:
            return _Hashed(self.asked, hashed.collected.high)
        self._method = BY_VALUE
        if not self._n_alike or self.asked.is_count:
            return None
        # Ranges follow each other, so this is in order.
        return _Look(self.asked, np.concatenate(self._repeats), is_exact=self._n_alike <= EXACT_MOST)


def _proof(asked: Asked, head: "pl.DataFrame", proofs: "dict[tuple[str, bool], Proof]") -> Proof | Bitmap | None:
    """What may prove by little that nothing repeats, by what the first rows look like; one proof serves many."""
    for is_increasing in (True, False):
        rising = [
            column
            for column in asked.columns
            if column.kind not in NESTED | {"null", "binary"}
            and head.height > 1
            and not head[column.name].null_count()
            and goes_strictly(head[column.name], is_increasing=is_increasing)
        ]
        if rising:
            return proofs.setdefault((rising[0].name, is_increasing), Proof(rising[0], is_increasing=is_increasing))
    if len(asked.columns) == 1 and asked.columns[0].kind == "integer" and not asked.nulls_equal:
        return Bitmap(asked.columns[0])
    return None


class _Hashed:
    """Watches keys, and keeps their hashes."""

    __slots__ = ("_asked", "collected", "columns")

    def __init__(self, asked: Asked, low: int) -> None:
        self.columns = tuple(column.name for column in asked.columns)
        self.collected = Collected(low, HASHES_MOST)
        self._asked = asked

    def see(self, frame: "pl.DataFrame", _first: int) -> None:
        """Keep the hashes of these rows."""
        found = hashes_of(frame, self._asked.columns)
        whole = None if self._asked.nulls_equal else are_whole(frame, self._asked.columns)
        self.collected.add(found if whole is None else found[whole])


class _Look:
    """Watches rows whose hashes are there more than once, and tells what really repeats."""

    __slots__ = ("_asked", "_frames", "_is_exact", "_repeats", "columns")

    def __init__(self, asked: Asked, repeats: "Hashes", *, is_exact: bool) -> None:
        self.columns = asked.names
        self._asked = asked
        self._repeats = repeats
        self._is_exact = is_exact
        self._frames: list[pl.DataFrame] = []

    def see(self, frame: "pl.DataFrame", _first: int) -> None:
        """Keep the rows in question: their keys, or a second hash of them."""
        import polars as pl

        rows = _counted_rows(frame, self._asked, self._repeats)
        if rows is None:
            return
        frame, found = rows
        parts = [pl.Series("hash", found)]
        if self._is_exact:
            parts += [*key_frame(frame, self._asked.columns), *_misfits(frame, self._asked.columns)]
        else:
            parts.append(pl.Series("second", hashes_of(frame, self._asked.columns, second=True)))
        if self._asked.label is not None:
            parts.append(pl.Series("label", hashes_of(frame, [self._asked.label])))
        self._frames.append(pl.DataFrame(parts))

    def found(self) -> "tuple[int, Hashes, str]":
        """How many rows are bad, the hashes of their keys in order, and how that is known."""
        import polars as pl

        if not self._frames:
            # Of rows that are alike none may have a label.
            return 0, self._repeats[:0], BY_VALUE
        rows = pl.concat(self._frames)
        keys = [name for name in rows.columns if name != "label"]
        groups = rows.group_by(keys).agg(pl.len(), *([pl.col("label").n_unique()] if self._asked.label else []))
        if self._asked.label is not None:
            groups = groups.filter(pl.col("label") > 1)
            n_bad = int(groups["len"].sum() or 0)
        else:
            groups = groups.filter(pl.col("len") > 1)
            n_bad = int(groups["len"].sum() or 0) - groups.height
        return n_bad, groups["hash"].unique().sort().to_numpy(), BY_VALUE if self._is_exact else BY_TWO_HASHES


def _misfits(frame: "pl.DataFrame", columns: Sequence[Sight]) -> "pl.DataFrame":
    import polars as pl

    found = misfit_frame(frame, columns)
    if found is not None:
        return found
    names = [f"m{i}" for i, column in enumerate(columns) if column.text is not None]
    return pl.DataFrame({name: pl.Series([None], dtype=pl.String).new_from_index(0, frame.height) for name in names})


def _counted_rows(frame: "pl.DataFrame", asked: Asked, known: "Hashes") -> "tuple[pl.DataFrame, Hashes] | None":
    """The rows whose hashes are known, with the hashes; those with nulls where they do not count are left out."""
    import polars as pl

    found = hashes_of(frame, asked.columns)
    rows = _which(frame, asked, known, found)
    if not rows.any():
        return None
    return frame.filter(pl.Series(rows)), found[rows]


def _which(frame: "pl.DataFrame", asked: Asked, known: "Hashes", found: "Hashes") -> "Bools":
    rows = is_among(known, found)
    whole = None if asked.nulls_equal else are_whole(frame, asked.columns)
    rows = rows if whole is None else rows & whole
    labelled = None if asked.label is None else are_whole(frame, [asked.label])
    return rows if labelled is None else rows & labelled


def _bad(asked: Asked, hashes: "Hashes") -> Bad:
    """Rows that repeat an earlier one, or all of those that differ in their label only."""

    def start() -> Mark:
        import numpy as np
        import polars as pl

        was_there = np.zeros(len(hashes), dtype=np.bool_)

        def mark(frame: pl.DataFrame, _first: int) -> pl.Series:
            found = hashes_of(frame, asked.columns)
            rows = _which(frame, asked, hashes, found)
            if asked.label is not None:
                return pl.Series("bad", rows)
            at = np.flatnonzero(rows)
            places = np.searchsorted(hashes, found[at])
            kinds, firsts = np.unique(places, return_index=True)
            is_first = np.zeros(len(at), dtype=np.bool_)
            is_first[firsts[~was_there[kinds]]] = True
            was_there[kinds] = True
            rows[at[is_first]] = False
            return pl.Series("bad", rows)

        return mark

    return Bad(columns=asked.names, start=start)
