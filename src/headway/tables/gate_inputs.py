"""What a gate measures on: the true values, two models' answers and the groups of rows, sound and in one order.

Rows are put into an order that depends on nothing but what they hold: the same rows give the same verdict to the bit
however a file has them. Neighbours: `predictions` reads answers, `codes` makes groups, `core/gate_evidence` measures.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.core.check import Check
from headway.core.gate_evidence import Material
from headway.core.telling import listed
from headway.errors import Unmeasurable
from headway.tables import predictions
from headway.tables.codes import coded, grouping, one

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from headway.stats.answers import Answers, Column, Rows

_SHOWN = 3


class Layout(Struct, frozen=True, kw_only=True):
    """Which columns mean what: the `unit` that rows come in, the `query` whose rows are ranked together."""

    unit: str = ""
    query: str = ""


def rows_of(table: "pl.DataFrame", truth: "Column", layout: Layout, *, seed: int) -> "Rows":
    """What is known of the rows besides answers. Raises DataUnreadable (a column), Unmeasurable (a missing value)."""
    from headway.stats.answers import Rows

    units, queries = (
        _kept_together(table, name, key) for key, name in (("unit", layout.unit), ("query", layout.query))
    )
    return Rows(truth=truth, units=units, queries=queries, seed=seed)


def _kept_together(table: "pl.DataFrame", name: str, key: str) -> "npt.NDArray[np.int64] | None":
    if not name:
        return None
    codes, values = coded(one(table, name, at=f"{key}: {name}"))
    if values and values[-1] is None:
        raise Unmeasurable(
            f"{name} is missing in {_some_rows(codes == len(values) - 1)}",
            at=f"{key}: {name}",
            remedy=f"give every row its {key}",
        )
    return codes


def read_answers(table: "pl.DataFrame", key: str, files: Mapping[str, str]) -> "tuple[Answers, Answers | None]":
    """What the files of predictions say, the new one's and the old one's, if there are two: paths by their names.

    Raises DataUnreadable.
    """
    keys = one(table, key, at=f"predictions.key: {key}")
    found = [
        predictions.answers_of(predictions.read(path, name, at="predictions"), keys, name)
        for name, path in files.items()
    ]
    return found[0], found[1] if len(found) > 1 else None


def gather(
    table: "pl.DataFrame", rows: "Rows", new: "Answers", old: "Answers | None", checks: Sequence[Check]
) -> Material:
    """The answers with the groups that the checks speak of, in an order of their own.

    Raises Unmeasurable where a value is missing or not finite, naming rows, and where a column makes too many groups;
    DataUnreadable where there is no such column.
    """
    from headway.stats.alike import order_of

    wanted = {check.each for check in checks if check.each} | {(check.by,) for check in checks if check.by}
    groups = {columns: grouping(table, columns, at=f"checks: {', '.join(columns)}") for columns in sorted(wanted)}
    refuse_unsound(rows, new, old)
    columns = [rows.truth, rows.units, rows.queries]
    for answers in (new, old):
        if answers is not None:
            quantiles = (answers.quantiles or {}).items()
            columns += [
                answers.labels,
                answers.chances,
                answers.probabilities,
                *(found for _, found in sorted(quantiles)),
            ]
    columns += [one.codes for one in groups.values()]
    order = order_of([_as_numbers(column) for column in columns if column is not None])
    return Material(rows=rows, new=new, old=old, groups=groups).take(order)


def refuse_unsound(rows: "Rows", new: "Answers", old: "Answers | None") -> None:
    """Raises Unmeasurable when a true value or an answer is missing, not finite, or of another shape."""
    from headway.stats.answers import check_answers

    _refuse_holes(rows.truth, "true values", at="data", n_rows=len(rows))
    for answers, whose in ((new, "new"), (old, "old")):
        if answers is None:
            continue
        for column in (answers.labels, answers.chances, answers.probabilities, *(answers.quantiles or {}).values()):
            if column is not None:
                _refuse_holes(column, f"answers of the {whose} model", at=f"{whose} model", n_rows=len(rows))
        check_answers(rows, answers, whose)


def _refuse_holes(column: "Column", what: str, *, at: str, n_rows: int) -> None:
    import numpy as np

    if len(column) != n_rows:
        return  # Shapes are told by `check_answers`.
    if column.dtype.kind == "f":
        finite = np.isfinite(column.astype(np.float64, copy=False))
        bad = ~finite.reshape(len(column), -1).all(axis=1)
    elif column.dtype.kind == "O":
        # NaN is the one value that differs from itself; None is what a table gives for an absent one.
        bad = np.fromiter((value is None or value != value for value in column.tolist()), np.bool_, len(column))  # noqa: PLR0124 - as said
    else:
        return
    if bad.any():
        told = f"{int(bad.sum()):,} of {len(column):,} {what} are missing or no finite number"
        raise Unmeasurable(
            f"{told}: {_some_rows(np.asarray(bad))}",
            at=at,
            remedy="mend or leave out those rows before the gate; it does not guess",
        )


def _some_rows(bad: "npt.NDArray[np.bool_]") -> str:
    """The first rows by number: `rows 3, 17 and 4 more`; the first row of the data is 1."""
    import numpy as np

    places = np.flatnonzero(bad)
    words = [f"{place + 1:,}" for place in places[:_SHOWN].tolist()]
    if len(places) > _SHOWN:
        words.append(f"{len(places) - _SHOWN:,} more")
    return f"row{'s' * (len(places) != 1)} {listed(words, _SHOWN + 1)}"


def _as_numbers(column: "Column") -> "Column":
    """A column to order by: texts by their rank."""
    import polars as pl

    if column.dtype.kind in "biuf" or column.ndim > 1:
        return column
    return coded(pl.Series("texts", column))[0]
