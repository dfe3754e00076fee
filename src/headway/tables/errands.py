"""Which file of this room answers a check that the one query cannot: an errand that sees the table as often as it must.

Neighbours: `compile` has the checks that the query answers, `validate` runs the errands together.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from headway.core.profile import Profile
from headway.core.validation import (
    DataCheck,
    HidesLabel,
    IsBalanced,
    IsIncreasing,
    IsKnown,
    IsUnique,
    NoDuplicates,
    NoShift,
    NoSkew,
    NotShared,
    OneLabel,
    Statistic,
    Varies,
)
from headway.errors import Unmeasurable
from headway.tables.answers import Answer, Watcher
from headway.tables.frequencies import Frequency
from headway.tables.keys import Asked, Question
from headway.tables.order import Proof, Rising
from headway.tables.pairs import Pair
from headway.tables.sights import NESTED, Sight, Sights, one, seen
from headway.tables.skew import Skew
from headway.tables.tells import Telling

if TYPE_CHECKING:
    import polars as pl

    from headway.tables.batches import Data


class Errand(Protocol):
    """A check on its way to its answer: while it has a `watcher`, that is shown the table, and then `go_on` called."""

    @property
    def watcher(self) -> Watcher | None:
        """What must be shown the whole table next."""
        ...

    def go_on(self) -> None:
        """The watcher has seen all."""
        ...

    def answer(self, n_rows: int) -> Answer:
        """What came of it."""
        ...


class Around(Struct, frozen=True, kw_only=True):
    """What a check may need besides the table: its columns, its first rows, the reference, and other tables by name."""

    sights: Sights
    head: "Callable[[tuple[str, ...]], pl.DataFrame]"
    reference: "Data | Profile | None"
    others: "Callable[[str], Data]"
    proofs: dict[tuple[str, bool], Proof] = {}


def errand_for(check: DataCheck, around: Around) -> Errand:  # noqa: C901, PLR0911, PLR0912 (one case a kind)
    """The errand that answers a check. Raises ColumnMissing, Unmeasurable, and what opening another table raises."""
    sights = around.sights
    columns = () if isinstance(check.asks, NotShared | IsKnown | NoShift | NoSkew) else seen(check, sights)
    match check.asks:
        case IsIncreasing():
            return Rising(check, columns)
        case IsUnique():
            return _question(Asked(check=check, columns=columns), around)
        case NoDuplicates():
            return _question(Asked(check=check, columns=columns, nulls_equal=True), around)
        case OneLabel(label):
            return _question(_labelled(check, columns, one(label, sights, check.at)), around)
        case Statistic(of="distinct"):
            if len(columns) != 1:
                raise Unmeasurable("it counts the values of one column", at=check.at, remedy="write a check a column")
            return _question(Asked(check=check, columns=columns, is_count=True), around)
        case Varies() | IsBalanced():
            return Frequency(check, columns)
        case HidesLabel(label=label):
            return Telling(check, columns, one(label, sights, check.at))
        case IsKnown(other=other) | NotShared(other=other):
            return Pair(check, sights, around.others(other))
        case NoShift():
            if around.reference is None:
                raise Unmeasurable("there is no reference", at=check.at, remedy="name one")
            return _shifting(check, around, around.reference)
        case NoSkew(log=log, key=key):
            served = around.others(log)
            return Skew(check, sights, served) if key else _shifting(check, around, served)
        case asked:
            raise Unmeasurable(f"{type(asked).__name__} is not known here", at=check.at, remedy="report this")


def _shifting(check: DataCheck, around: Around, reference: "Data | Profile") -> Errand:
    # It takes scipy, which takes longer to load than most tables to read.
    from headway.tables.shifts import Shifting

    return Shifting(check, around.sights, reference)


def _labelled(check: DataCheck, columns: tuple[Sight, ...], label: Sight) -> Asked:
    features = tuple(column for column in columns if column.name != label.name)
    if not features:
        raise Unmeasurable("there is no column but the label", at=check.at, remedy="name columns")
    return Asked(check=check, columns=features, nulls_equal=True, label=label)


def _question(asked: Asked, around: Around) -> Errand:
    if not asked.columns:
        raise Unmeasurable("the table has no columns", at=asked.check.at, remedy="name a table that has some")
    plain = tuple(column.name for column in asked.columns if column.kind not in NESTED)
    return Question(asked, around.head(plain), around.proofs)
