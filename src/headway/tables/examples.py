"""Shows bad rows: some of each broken check with where they stand, or all of them as a table of their own.

A pass over the columns that broken checks name, made only when there is one, and ended when enough is found.
Neighbour: `answers` says how bad rows are found.
"""

import os
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headway.core.validation import DataCheck, Example
from headway.tables.answers import Bad
from headway.tables.scratch import scratch
from headway.tables.sights import frames
from headway.tables.whole import put

if TYPE_CHECKING:
    import polars as pl

    from headway.tables.batches import Batch, Data

COLUMNS_MOST = 12
"""An example of a check of the whole table shows so many columns."""


def examples_of(data: "Data", bads: "Sequence[tuple[Bad, tuple[str, ...]]]", most: int) -> list[tuple[Example, ...]]:
    """For each way of being bad the first so many rows, with the columns named beside it."""
    found: list[list[Example]] = [[] for _ in bads]
    if not bads or most <= 0:
        return [() for _ in bads]
    shown = [names[:COLUMNS_MOST] for _, names in bads]
    marks = _Marks([bad for bad, _ in bads])
    wanted = {name for (bad, _), names in zip(bads, shown, strict=True) for name in (*bad.columns, *names)}
    is_single = len(data.sources) == 1
    spelled = frozenset(column.name for column in data.columns if column.is_text)
    for batch, frame in frames(data, [column.name for column in data.columns if column.name in wanted]):
        open_ones = [i for i, one in enumerate(found) if len(one) < most]
        texts = _Texts(batch, spelled)
        for i, rows in marks.of(frame, batch.first_row - 1, open_ones).items():
            some = rows.arg_true().head(most - len(found[i]))
            found[i] += [_example(batch, int(at), shown[i], texts, is_single=is_single) for at in some]
        if all(len(one) >= most for one in found):
            break
    return [tuple(one) for one in found]


class _Marks:
    """Several ways of being bad, each asked for the same rows; those that are expressions, in one go."""

    __slots__ = ("_bads", "_marks")

    def __init__(self, bads: Sequence[Bad]) -> None:
        self._bads = bads
        self._marks = {i: bad.start() for i, bad in enumerate(bads) if bad.expression is None}

    def of(self, frame: "pl.DataFrame", first: int, which: Sequence[int]) -> "dict[int, pl.Series]":
        """True for the bad rows of a frame, for each of the ways that is asked for."""
        import polars as pl

        asked = [one.alias(str(i)) for i in which if (one := self._bads[i].expression) is not None]
        together = frame.with_columns(pl.lit(value=False).alias(ROWS)).select(ROWS, *asked) if asked else frame
        columns = together.iter_columns() if asked else ()
        found = {int(one.name): one.fill_null(value=False) for one in columns if one.name != ROWS}
        wanted = set(which)
        return found | {i: mark(frame, first) for i, mark in self._marks.items() if i in wanted}


ROWS = "\N{NULL}rows"
"""A column that is there so that a frame has all its rows, though what is asked of them be one value for all."""


def _example(batch: "Batch", at: int, names: Sequence[str], texts: "_Texts", *, is_single: bool) -> Example:
    return Example(
        row=batch.first_row + at,
        file="" if is_single else batch.file,
        line=batch.line(at),
        values={name: texts.of(name, at) for name in names},
    )


class _Texts:
    """What stands in the cells of a batch, as texts; columns that files spell themselves are looked up once."""

    __slots__ = ("_batch", "_kept", "_spelled")

    def __init__(self, batch: "Batch", spelled: frozenset[str]) -> None:
        self._batch = batch
        self._spelled = spelled
        self._kept: dict[str, pl.Series] = {}

    def of(self, name: str, at: int) -> str | None:
        """A cell; what has no text in Polars, as Python shows it."""
        import polars as pl

        if name in self._spelled:
            if name not in self._kept:
                self._kept[name] = self._batch.as_text(name)
            text = self._kept[name][at]
            return None if text is None else str(text)
        value = self._batch.frame[name].slice(at, 1)
        if value.is_null().item():
            return None
        is_odd = value.dtype.is_nested() or isinstance(value.dtype, pl.Binary | pl.Duration)
        return str(value.to_list()[0] if is_odd else value.cast(pl.String).item())


def write_bad_rows(data: "Data", bads: "Sequence[tuple[DataCheck, Bad]]", path: str) -> int:
    """Write the rows that are bad in some way as Parquet, with the checks that each breaks; gives how many they are."""
    import polars as pl

    called = [check.name or check.at or type(check.asks).__struct_config__.tag for check, _ in bads]
    marks = _Marks([bad for _, bad in bads])
    n_rows = 0
    with scratch(tempfile.gettempdir(), "headway-tables-") as folder:
        for n_parts, (batch, frame) in enumerate(frames(data, [column.name for column in data.columns])):
            all_of_them = marks.of(frame, batch.first_row - 1, range(len(bads)))
            found = pl.DataFrame([all_of_them[i].alias(str(i)) for i in range(len(bads))])
            bad = (
                found.select(pl.any_horizontal(pl.all()).alias("bad")).to_series()
                if bads
                else pl.Series([], dtype=pl.Boolean)
            )
            rows = _written(data, batch, bad.arg_true().to_list(), found, [str(name) for name in called])
            n_rows += rows.height
            if rows.height or not n_parts:
                rows.write_parquet(os.path.join(folder, f"{n_parts:06}.parquet"))
        parts = sorted(os.path.join(folder, name) for name in os.listdir(folder))
        rows_of_all = pl.scan_parquet(parts, glob=False) if parts else _empty(data).lazy()
        put(path, rows_of_all.sink_parquet, "the bad rows")
    return n_rows


def _written(
    data: "Data", batch: "Batch", at: list[int], found: "pl.DataFrame", called: Sequence[str]
) -> "pl.DataFrame":
    """Rows of a batch as they are written."""
    import polars as pl

    columns = [batch.as_text(one.name) if one.is_text else batch.frame[one.name] for one in data.columns]
    breaks = [[name for name, bad in zip(called, row, strict=True) if bad] for row in found[at].rows()]
    return pl.DataFrame(
        [
            pl.Series("row", [batch.first_row + i for i in at], dtype=pl.Int64),
            pl.Series("file", [batch.file] * len(at), dtype=pl.String),
            pl.Series("line", [batch.line(i) for i in at], dtype=pl.Int64),
            pl.Series("breaks", breaks, dtype=pl.List(pl.String)),
            *[one.gather(at).alias(_free(one.name)) for one in columns],
        ]
    )


def _empty(data: "Data") -> "pl.DataFrame":
    """No rows of the table, as they are written."""
    import polars as pl

    before = {"row": pl.Int64(), "file": pl.String(), "line": pl.Int64(), "breaks": pl.List(pl.String())}
    after = {_free(one.name): pl.String() if one.is_text else data.type_of(one.name) for one in data.columns}
    return pl.DataFrame(schema={**before, **after})


def _free(name: str) -> str:
    """A name that is not one of those before the table's columns."""
    return f"{name}_" if name in ("row", "file", "line", "breaks") else name
