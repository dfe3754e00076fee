"""The rows on which two models differ: only their labels tell which is better. Chosen, put in a fair order, written.

The data are read batch by batch, once for their keys and once for the rows that are wanted; in memory are the keys, the
two columns of answers and the rows that are written. Neighbour: `flows/gate_label` asks models for their answers.
"""

import os
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.core.problem import did_you_mean
from headway.core.telling import listed
from headway.errors import ColumnMissing, DataUnreadable, KeyNotUnique
from headway.tables.batches import open_data
from headway.tables.whole import put

if TYPE_CHECKING:
    import polars as pl

    from headway.tables.batches import Batch, Data

ANSWER = "prediction"
"""The column of answers in a file of predictions."""

_SHOWN = 3
"""Keys that are named of those with a fault."""

_ORDER = b"headway gate label 1"
"""Whatever the data, the same key has the same place: rows that come later are shuffled in, and none is labelled twice.
"""


class Keys(Struct, frozen=True, eq=False):
    """What names each row of the data, as text, in their order; `labelled` where there is a label already."""

    texts: "pl.Series"
    labelled: "pl.Series"


class Sorted(Struct, frozen=True, kw_only=True):
    """How the rows fall: agreeing, differing, of those labelled already, and the numbers of those to be labelled."""

    n_rows: int
    n_differ: int
    n_labelled: int
    rows: tuple[int, ...]


def keys_of(paths: Sequence[str], key: str, target: str) -> Keys:
    """What names the rows of the data, and which have a value in the column `target`, if there is one.

    Raises FileMissing, TableUnreadable, ColumnMissing, DataUnreadable (a row without a key), KeyNotUnique.
    """
    import polars as pl

    with open_data(paths) as data:
        wanted = [key, *([target] if data.column(target) is not None else [])]
        _see_column(data, key, "--key")
        texts, labelled = [pl.Series([], dtype=pl.String)], [pl.Series([], dtype=pl.Boolean)]
        for batch in data.batches(wanted):
            texts.append(_texts(batch, key))
            labelled.append(_has_value(batch, target) if len(wanted) > 1 else texts[-1].is_null())
    whole = pl.concat([one.alias("key") for one in texts])
    _see_keys(whole, paths[0], key)
    return Keys(whole, pl.concat([one.alias("labelled") for one in labelled]))


def labelled_in(paths: Sequence[str], key: str, target: str) -> "pl.Series":
    """The keys of the rows that have a label: a value in the column `target`, or any where there is no such column."""
    import polars as pl

    found = [pl.Series("key", [], dtype=pl.String)]
    with open_data(paths) as data:
        _see_column(data, key, "--labels")
        has_target = data.column(target) is not None
        for batch in data.batches([key, *([target] if has_target else [])]):
            texts = _texts(batch, key).alias("key")
            found.append(texts.filter(_has_value(batch, target)) if has_target else texts)
    return pl.concat(found).drop_nulls().unique()


def answers_in(paths: Sequence[str], key: str, keys: "pl.Series", called: str) -> "pl.Series":
    """A file's predictions in the order of the keys; rows that the data do not hold are passed over.

    Raises as `keys_of`, and DataUnreadable where a row has no prediction.
    """
    import polars as pl

    parts = []
    with open_data(paths) as data:
        _see_column(data, key, called)
        _see_column(data, ANSWER, called)
        parts += [
            pl.DataFrame({"key": _texts(batch, key), "answer": batch.frame[ANSWER]})
            for batch in data.batches([key, ANSWER])
        ]
        kind = data.type_of(ANSWER)
    found = pl.concat(parts) if parts else pl.DataFrame(schema={"key": pl.String, "answer": kind})
    _see_keys(found["key"], called, key)
    joined = keys.alias("key").to_frame().with_row_index("row").join(found, on="key", how="left").sort("row")
    return checked(joined["answer"], keys, called)


def checked(answers: "pl.Series", keys: "pl.Series", called: str) -> "pl.Series":
    """The answers, if each row has one. Raises DataUnreadable."""
    missing = answers.is_null()
    if answers.dtype.is_float():
        missing |= answers.is_nan().fill_null(value=False)
    if missing.any():
        raise DataUnreadable(
            f"{called} has no prediction for {int(missing.sum()):,} of {len(keys):,} rows, "
            f"such as {_some(keys.filter(missing))}",
            at=called,
            remedy="let it answer every row of the data once, by the same keys",
        )
    return answers


def differing(new: "pl.Series", old: "pl.Series") -> "pl.Series":
    """Which answers differ: numbers and truths by their value, all else as it stands. Raises DataUnreadable."""
    import polars as pl

    if all(one.dtype.is_numeric() or one.dtype == pl.Boolean for one in (new, old)):
        return new.cast(pl.Float64) != old.cast(pl.Float64)
    if new.dtype != old.dtype and new.len():
        raise DataUnreadable(
            f"the new model answers in {new.dtype}, the old one in {old.dtype}: no two answers can be the same",
            at="--new, --old",
            remedy="let both answer in the target's own labels",
        )
    return new != old


def sort_out(keys: Keys, differ: "pl.Series", labelled: "pl.Series", most: int | None) -> Sorted:
    """Which rows to label: those that differ and have no label yet, at most so many, in the order of a keyed hash.

    The order looks like chance and is the same on any machine, so that the first N are a fair sample of all.
    """
    done = keys.labelled | keys.texts.is_in(labelled.to_list())
    rows = (differ & ~done).arg_true().to_list()
    texts = keys.texts
    placed = sorted(rows, key=lambda row: _place(texts[row]))
    return Sorted(
        n_rows=len(texts),
        n_differ=int(differ.sum()),
        n_labelled=int((differ & done).sum()),
        rows=tuple(placed if most is None else placed[:most]),
    )


def _place(key: str) -> tuple[bytes, str]:
    return blake2b(key.encode("utf-8", "surrogatepass"), key=_ORDER, digest_size=8).digest(), key


def write(paths: Sequence[str], rows: Sequence[int], target: str, path: str) -> None:
    """Write those rows of the data in that order, with an empty column for the label, whole or not at all.

    Texts stand as the file spells them. By the path's ending Parquet, else CSV. Raises as `keys_of`, DiskFull,
    SystemRefused.
    """
    import polars as pl

    place = pl.DataFrame({"row": rows, "place": range(len(rows))}, schema={"row": pl.UInt32, "place": pl.UInt32})
    with open_data(paths) as data:
        columns = [column.name for column in data.columns if column.name != target]
        first = data.batches(columns)
        parts = [_wanted(batch, data, columns, place) for batch in first]
        schema = {name: pl.String if data.column(name) is None else data.type_of(name) for name in columns}
    found = pl.concat(parts) if parts else pl.DataFrame(schema={**schema, "place": pl.UInt32})
    # The label stands last, where somebody who types looks for it.
    table = found.sort("place").drop("place").with_columns(pl.lit(None, dtype=pl.String).alias(target))
    put(path, table.write_parquet if path.lower().endswith(".parquet") else table.write_csv, "the rows")


def _wanted(batch: "Batch", data: "Data", columns: Sequence[str], place: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    first = batch.first_row - 1
    here = place.filter(pl.col("row").is_between(first, first + batch.n_rows - 1)).sort("row")
    at = (here["row"] - first).to_list()
    texts = {column.name for column in data.columns if column.is_text}
    series = [(batch.as_text(name) if name in texts else batch.frame[name])[at].alias(name) for name in columns]
    return pl.DataFrame([*series, here["place"]])


# --- keys --------------------------------------------------------------------------------------------------------


def _texts(batch: "Batch", name: str) -> "pl.Series":
    """Keys as texts: 7 in one file is 7 in another, whatever types they have."""
    import polars as pl

    return batch.as_text(name).cast(pl.String)


def _has_value(batch: "Batch", name: str) -> "pl.Series":
    return batch.frame[name].is_not_null()


def _see_column(data: "Data", name: str, at: str) -> None:
    if data.column(name) is None:
        names = [column.name for column in data.columns]
        raise ColumnMissing(
            f"{os.path.basename(data.sources[0])} has no column {name!r}",
            at=at,
            remedy=did_you_mean(name, names, f"its columns are {', '.join(names[:20])}"),
        )


def _see_keys(texts: "pl.Series", called: str, key: str) -> None:
    """Raises DataUnreadable where a row has no key, KeyNotUnique where two have the same."""
    if n := texts.null_count():
        raise DataUnreadable(
            f"{n:,} of {len(texts):,} rows have no {key}", at=called, remedy="give each row a key of its own"
        )
    if texts.n_unique() < len(texts):
        twice = texts.filter(texts.is_duplicated()).unique(maintain_order=True)
        raise KeyNotUnique(
            f"{len(twice):,} values of {key} stand in several rows, such as {_some(twice)}",
            at=called,
            remedy="name a column that names each row, or drop what is there twice",
        )


def _some(texts: "pl.Series") -> str:
    return listed([repr(text) for text in texts.head(_SHOWN + 1).to_list()][:_SHOWN])
