"""Shows the rows of a table, batch by batch and in order, to all who watch; parts of checks are computed and folded.

Batches and not one streaming query of Polars: they cost no more, hold less memory, and keep the rows in order for who
needs that. One part that cannot be computed takes only its own check out. Neighbours: `parts` says what a part is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from headway.errors import HeadwayError, Unmeasurable
from headway.tables.answers import Watcher
from headway.tables.parts import Measure, folded
from headway.tables.sights import Sights, frames

if TYPE_CHECKING:
    import polars as pl

    from headway.tables.batches import Data

Values = list[object]
Progress = Callable[[int], None]
"""Told after each batch how many rows have been looked at."""


def faults_on_nothing(measures: Sequence[Measure], sights: Sights) -> list[HeadwayError | None]:
    """For each measure the fault that its parts would have on any rows: a comparison of texts with numbers, say."""
    import polars as pl

    try:
        _on_nothing(measures, sights)
    except pl.exceptions.PolarsError:
        return [_fault(measure, sights) for measure in measures]
    return [None] * len(measures)


def _fault(measure: Measure, sights: Sights) -> HeadwayError | None:
    import polars as pl

    try:
        _on_nothing([measure], sights)
    except pl.exceptions.PolarsError as e:
        return fault_of(e, "checks")
    return None


def _on_nothing(measures: Sequence[Measure], sights: Sights) -> None:
    """Compute the parts on no rows of the columns that they read."""
    import polars as pl

    read = [sights[name] for name in _names(measures)]
    texts = {one.text.meta.output_name(): pl.Series([], dtype=pl.String) for one in read if one.text is not None}
    empty = pl.DataFrame({one.name: pl.Series([], dtype=one.dtype) for one in read} | texts)
    parts = [part.value for one in measures for part in one.parts]
    empty.select([value.alias(str(i)) for i, value in enumerate(parts)])


def fault_of(e: Exception, at: str) -> Unmeasurable:
    """What Polars says of an expression, in its first line; of a pattern another one says what is wrong."""
    first, *more = str(e).strip().split("\n")
    wrong = next((line.removeprefix("error: ") for line in more if line.startswith("error: ")), "")
    said = f"{first} {wrong}" if first.endswith(":") else first
    return Unmeasurable(said or type(e).__name__, at=at, remedy="mend the condition, or the kind of the column")


class Folding:
    """Parts computed batch by batch, and folded."""

    __slots__ = ("_faults", "_measures", "_values", "columns")

    def __init__(self, measures: Sequence[Measure]) -> None:
        self.columns = tuple(_names(measures))
        self._measures = measures
        self._values: dict[str, object] = {}
        self._faults: dict[int, HeadwayError] = {}

    def see(self, frame: "pl.DataFrame", first: int) -> None:
        """Add rows."""
        import polars as pl

        sound = [i for i in range(len(self._measures)) if i not in self._faults]
        try:
            self._add(frame, sound)
        except pl.exceptions.PolarsError:
            for i in sound:
                try:
                    self._add(frame, [i])
                except pl.exceptions.PolarsError as e:
                    self._faults[i] = fault_of(e, f"rows {first + 1} to {first + frame.height}")

    def values(self) -> list[Values | HeadwayError]:
        """What the parts of each measure gave in all."""
        return [
            self._faults.get(i) or [self._values.get(f"{i}.{j}") for j in range(len(one.parts))]
            for i, one in enumerate(self._measures)
        ]

    def _add(self, frame: "pl.DataFrame", which: Sequence[int]) -> None:
        parts = {f"{i}.{j}": part for i in which for j, part in enumerate(self._measures[i].parts)}
        if not parts:
            return
        # By what they compute, the name of the one that does it for all.
        first = {part.same or name: name for name, part in reversed(parts.items())}
        asked = [part.value.alias(name) for name, part in parts.items() if first[part.same or name] == name]
        found = frame.select(asked).row(0, named=True)
        for name, part in parts.items():
            self._values[name] = folded(part.fold, self._values.get(name), found[first[part.same or name]])


class Together:
    """Shows rows to several."""

    __slots__ = ("_watchers", "columns")

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers
        self.columns = tuple(dict.fromkeys(name for one in watchers for name in one.columns))

    def see(self, frame: "pl.DataFrame", first: int) -> None:
        """Show rows."""
        for watcher in self._watchers:
            watcher.see(frame, first)


def watched(data: "Data", watchers: Sequence[Watcher], progress: Progress | None = None) -> int:
    """Show all rows to the watchers, each the columns that it wants; gives the number of rows."""
    n_rows, faults = shown(data, dict(enumerate(watchers)), progress)
    for fault in faults.values():
        raise fault
    return n_rows


def shown(
    data: "Data", watchers: Mapping[int, Watcher], progress: Progress | None = None
) -> tuple[int, dict[int, HeadwayError]]:
    """Show all rows to the watchers; gives the number of rows, and why some of them could not see all."""
    import polars as pl

    wanted = {name for one in watchers.values() for name in one.columns}
    # Several may wait for the same watcher.
    sharing: dict[int, tuple[Watcher, list[int]]] = {}
    for i, one in watchers.items():
        sharing.setdefault(id(one), (one, []))[1].append(i)
    n_rows = 0
    faults: dict[int, HeadwayError] = {}
    for batch, frame in frames(data, [column.name for column in data.columns if column.name in wanted]):
        for one, places in sharing.values():
            if places[0] in faults:
                continue
            try:
                one.see(frame, n_rows)
            except HeadwayError as e:
                faults |= dict.fromkeys(places, e)
            except pl.exceptions.PolarsError as e:
                found = fault_of(e, f"rows {n_rows + 1} to {n_rows + batch.n_rows}")
                faults |= dict.fromkeys(places, found)
        n_rows += batch.n_rows
        if progress is not None:
            progress(n_rows)
    return n_rows, faults


def _names(measures: Sequence[Measure]) -> list[str]:
    return list(dict.fromkeys(name for one in measures for name in one.columns))
