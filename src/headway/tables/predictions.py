"""What models answered to the rows of a holdout, from files: joined by a key, and refused where they do not fit.

A file of predictions has the key, `prediction`, and where the model gives them `probability` (of the label 1),
`probability_CLASS` or `quantile_0.1`. Neighbour: `codes` makes groups of rows. Knows no metric.
"""

import os
from typing import TYPE_CHECKING

from headway.core.problem import did_you_mean
from headway.core.telling import listed
from headway.errors import DataUnreadable
from headway.tables.codes import one

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from headway.stats.answers import Answers

LABEL, CHANCE, QUANTILE = "prediction", "probability", "quantile_"
"""The columns of a file of predictions; behind `probability_` stands a class, behind `quantile_` a level."""

_SHOWN = 3


def read(path: str, name: str, *, at: str) -> "pl.DataFrame":
    """A CSV or Parquet file as a table. Raises DataUnreadable."""
    import polars as pl

    ending = os.path.splitext(path)[1].lower()
    if ending not in {".csv", ".parquet"}:
        raise DataUnreadable(
            f"{name} is neither CSV nor Parquet by its name",
            at=f"{at}: {name}",
            remedy="name a file that ends in .csv or .parquet",
        )
    try:
        return pl.read_csv(path) if ending == ".csv" else pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as e:
        raise DataUnreadable(
            f"{name} cannot be read: {e}", at=f"{at}: {name}", remedy="mend the file, or write it as Parquet"
        ) from e


def split(table: "pl.DataFrame", target: str, name: str) -> "tuple[npt.NDArray[np.generic], pl.DataFrame]":
    """The true values, and the rows as a model may see them: without those. Raises DataUnreadable."""
    if target not in table.columns:
        raise DataUnreadable(
            f"{name} has no column {target!r}",
            at=f"target: {target}",
            remedy=did_you_mean(target, table.columns, f"it has: {', '.join(table.columns[:10])}"),
        )
    return table[target].to_numpy(), table.drop(target)


def answers_of(table: "pl.DataFrame", keys: "pl.Series", name: str) -> "Answers":
    """What a file of predictions says of the rows that have these keys, in their order.

    Raises DataUnreadable, naming rows: keys that are missing, repeated or unknown, columns that are missing.
    """
    import numpy as np

    from headway.stats.answers import Answers

    said = aligned(table, keys, name)
    labels = one(said, LABEL, at=name).to_numpy()
    chances = said[CHANCE].to_numpy() if CHANCE in said.columns else None
    classes = [column for column in said.columns if column.startswith(CHANCE + "_")]
    quantiles = {
        _level(column, name): said[column].to_numpy() for column in said.columns if column.startswith(QUANTILE)
    }
    if chances is not None or not classes:
        return Answers(labels=labels, chances=chances, quantiles=quantiles or None)
    named = tuple(_class(column.removeprefix(CHANCE + "_"), labels) for column in classes)
    probabilities = np.column_stack([said[column].to_numpy().astype(np.float64) for column in classes])
    of_one = probabilities[:, named.index(1)] if len(named) == 2 and 1 in named else None
    return Answers(
        labels=labels, chances=of_one, classes=named, probabilities=probabilities, quantiles=quantiles or None
    )


def aligned(table: "pl.DataFrame", keys: "pl.Series", name: str) -> "pl.DataFrame":
    """The rows of the table that have these keys, in their order.

    Raises DataUnreadable when the two do not fit one to one: a key that is missing, repeated, or only in one of them.
    """
    theirs = one(table, keys.name, at=name)
    _check_keys(keys, "the holdout")
    _check_keys(theirs, name)
    if keys.dtype.is_numeric() != theirs.dtype.is_numeric():
        raise DataUnreadable(
            f"the key {keys.name} is {keys.dtype} in the holdout and {theirs.dtype} in {name}",
            at=f"{name}: {keys.name}",
            remedy="write it the same way in both",
        )
    if keys.dtype != theirs.dtype:
        # Such as whole numbers of 32 and of 64 bits.
        theirs = theirs.cast(keys.dtype, strict=False)
    wanted, there = keys.to_frame().with_row_index("_row"), theirs.to_frame().with_row_index("_place")
    missing = wanted.join(there, on=keys.name, how="anti").sort("_row")
    if missing.height:
        raise DataUnreadable(
            f"{name} has no prediction for {_rows(missing.height)} of the holdout: {_shown(missing)}",
            at=f"{name}: {keys.name}",
            remedy="predict for every row of the holdout; a gate does not guess",
        )
    extra = there.join(wanted, on=keys.name, how="anti").sort("_place")
    if extra.height:
        raise DataUnreadable(
            f"{name} has {_rows(extra.height)} whose {keys.name} is not in the holdout: {_shown(extra)}",
            at=f"{name}: {keys.name}",
            remedy="write predictions for the rows of this holdout only, or name the holdout they belong to",
        )
    return table[wanted.join(there, on=keys.name, how="left").sort("_row")["_place"]]


def _check_keys(keys: "pl.Series", whose: str) -> None:
    table = keys.to_frame().with_row_index("_row")
    if keys.null_count():
        missing = table.filter(keys.is_null())
        raise DataUnreadable(
            f"{_rows(missing.height)} of {whose} have no {keys.name}: {_shown(missing)}",
            at=f"{whose}: {keys.name}",
            remedy="give every row a key of its own",
        )
    if keys.n_unique() < len(keys):
        repeated = table.filter(keys.is_duplicated())
        raise DataUnreadable(
            f"{_rows(repeated.height)} of {whose} share their {keys.name} with another: {_shown(repeated)}",
            at=f"{whose}: {keys.name}",
            remedy="give every row a key of its own; two answers to one row are none",
        )


def _rows(n: int) -> str:
    return f"{n:,} row{'s' * (n != 1)}"


def _shown(table: "pl.DataFrame") -> str:
    """The first rows by number and key: `row 3 (id 17)`; the first row of the data is 1."""
    key = table.columns[1]
    words = [f"row {row + 1} ({key} {value})" for row, value in table.head(_SHOWN).iter_rows()]
    return listed([*words, *([f"{table.height - _SHOWN:,} more"] if table.height > _SHOWN else [])], _SHOWN + 1)


def _level(column: str, name: str) -> float:
    text = column.removeprefix(QUANTILE)
    try:
        level = float(text)
    except ValueError:
        level = 0.0
    if not 0 < level < 1:
        raise DataUnreadable(
            f"the column {column} of {name} names no level", at=f"{name}: {column}", remedy="write quantile_0.1"
        )
    return level


def _class(text: str, labels: "npt.NDArray[np.generic]") -> object:
    """A class as the labels are written: numbers where those are."""
    if labels.dtype.kind not in "biuf":
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number
