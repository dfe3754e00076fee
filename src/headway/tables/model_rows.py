"""Rows as models take them: a frame with the columns that are wanted, a matrix of numbers, or an array for a column.

Rows come as a frame (a gate's holdout) or as a list of dicts (a request), for which Polars is not imported where arrays
are wanted: a server of such models starts the sooner. A single row is the common request: lists go
to arrays without a detour by a frame, which would take longer than most models. Neighbour: `asked` asks models.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from headway.core.signature import DTYPES, Kind
from headway.errors import DataUnreadable

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

# Any: a row is a JSON object of a request.
Row = Mapping[str, Any]

_FLOATS = frozenset({float})
_NUMBERS = frozenset({int, float, bool, type(None)})


def frame_of(rows: "Sequence[Row] | pl.DataFrame", wanted: tuple[str, ...], texts: frozenset[str]) -> "pl.DataFrame":
    """The wanted columns (all, when none are named). `texts` are those that hold texts even where all are gaps.

    Raises DataUnreadable for a column that is not there.
    """
    import polars as pl

    if isinstance(rows, pl.DataFrame):
        check_columns(rows.columns, wanted, "the data")
        return rows.select(wanted) if wanted else rows
    names = wanted or tuple(rows[0])
    frame = pl.DataFrame({name: _values(rows, name, names) for name in names}, strict=False, infer_schema_length=None)
    # A column of nothing but gaps has no type: say which, so that a number's gap becomes NaN and a text's None.
    empty = [name for name, kind in frame.schema.items() if kind == pl.Null]
    return frame.cast({name: pl.String if name in texts else pl.Float64 for name in empty}) if empty else frame


def fractions_of(rows: Sequence[Row]) -> "np.ndarray[Any, np.dtype[np.float64]] | None":
    """What the frame of these rows is as an array, bit for bit and in its order in memory, made without a frame.

    None when they hold anything but numbers with a fraction, or have not all the same columns.
    """
    names = tuple(rows[0])
    try:
        table = _picked(rows, names)
    except KeyError:
        return None
    if not names or not all(_FLOATS.issuperset(map(type, row)) for row in table):
        return None
    # A copy by columns: a frame has its numbers in that order.
    return _of_fractions(table).T.copy(order="C").T


def matrix_of(
    rows: "Sequence[Row] | pl.DataFrame", columns: tuple[str, ...], *, width: int | None = None
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """The columns as numbers side by side, shape (n_rows, n_columns), gaps as NaN; all columns when none are named.

    Raises DataUnreadable when a column is not there, holds something else than numbers, or there are not `width`.
    """
    import numpy as np

    if not isinstance(rows, Sequence):
        import polars as pl

        frame = frame_of(rows, columns, frozenset())
        _check_width(frame.width, width)
        for name, kind in frame.schema.items():
            if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
                raise _no_number(name, f"is of type {kind}")
        return np.ascontiguousarray(frame.cast(pl.Float64).to_numpy(), dtype=np.float64)
    names = columns or tuple(rows[0])
    _check_width(len(names), width)
    try:
        table = _picked(rows, names)
    except KeyError:
        raise _lacking(rows, names) from None
    if names and all(_FLOATS.issuperset(map(type, row)) for row in table):
        return _of_fractions(table)
    for row in table:
        if not _NUMBERS.issuperset(map(type, row)):
            _check_numbers(zip(names, row, strict=True))
    try:
        return np.array(table, dtype=np.float64)
    except OverflowError:
        raise _too_large("a column") from None


# Any: values of JSON.
def _picked(rows: Sequence[Row], names: Sequence[str]) -> list[tuple[Any, ...]]:
    """The values of these names, row by row. Raises KeyError for one that is not there."""
    if len(names) < 2:
        return [tuple(row[name] for name in names) for row in rows]
    return list(map(itemgetter(*names), rows))


def _of_fractions(table: Sequence[tuple[float, ...]]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """A table of numbers with a fraction as an array, by way of a plain one: NumPy would ask each what it is."""
    import numpy as np

    flat = array("d", list(chain.from_iterable(table)))
    return np.frombuffer(flat, np.float64).reshape(len(table), len(table[0]))


def column_of(rows: "Sequence[Row] | pl.DataFrame", name: str, kind: Kind | None) -> "np.ndarray[Any, np.dtype[Any]]":
    """One column as an array of `kind`, shape (n_rows,): gaps are NaN among fractions and None among texts.

    Raises DataUnreadable when it is not there, holds what is not of the kind, or has a gap where there can be none.
    """
    import numpy as np

    if not isinstance(rows, Sequence):
        check_columns(rows.columns, (name,), "the data")
        values = rows[name].to_list()
    else:
        values = _values(rows, name, (name,))
    if kind is None:
        return np.asarray(values)
    if kind == "BYTES":
        bad = next((v for v in values if v is not None and not isinstance(v, str)), None)
        if bad is not None:
            raise DataUnreadable(
                f"the column {name} holds {bad!r}, and the model takes texts there", at=name, remedy="send texts"
            )
        return np.array(values, dtype=object)
    if not _NUMBERS.issuperset(map(type, values)):
        _check_numbers((name, value) for value in values)
    return _numbers(values, name, kind)


# Any: numbers and gaps.
def _numbers(values: list[Any], name: str, kind: Kind) -> "np.ndarray[Any, np.dtype[Any]]":
    import numpy as np

    try:
        if kind.startswith("FP"):
            with np.errstate(over="ignore"):  # what is too large for the model's numbers is infinite to it
                return np.array(values, dtype=np.float64).astype(DTYPES[kind])
        if any(v is None or v != v for v in values):  # noqa: PLR0124 (NaN is not itself)
            raise DataUnreadable(
                f"the column {name} has a gap, and the model takes whole numbers there", at=name, remedy="fill the gap"
            )
        if any(v != int(v) for v in values):
            raise DataUnreadable(
                f"the column {name} holds fractions, and the model takes whole numbers there",
                at=name,
                remedy="send whole numbers",
            )
        whole = [int(v) for v in values]
        if kind == "BOOL" and not {0, 1}.issuperset(whole):
            raise DataUnreadable(
                f"the column {name} holds other numbers than 0 and 1, and the model takes true and false there",
                at=name,
                remedy="send true or false",
            )
        # By way of Python's own numbers: NumPy refuses those that do not fit, where it would wrap its own.
        return np.array(whole, dtype=DTYPES[kind])
    except OverflowError:
        raise _too_large(f"the column {name}") from None


def check_columns(have: Sequence[str], wanted: Sequence[str], place: str) -> None:
    """Raise DataUnreadable when a wanted column is not there, with the nearest name that is."""
    missing = [name for name in wanted if name not in set(have)]
    if not missing:
        return
    from difflib import get_close_matches

    close = get_close_matches(missing[0], [h for h in have if h not in wanted], n=1)
    raise DataUnreadable(
        f"{place} lacks {len(missing)} column{'s' * (len(missing) > 1)} of the model: {', '.join(missing[:5])}",
        at=place,
        remedy=f"is {close[0]!r} meant to be {missing[0]!r}?"
        if close
        else "send every column the model was trained on",
    )


# Any: arrays of whatever a request sent.
def arrays_of(
    arrays: "Mapping[str, np.ndarray[Any, np.dtype[Any]]]", names: Sequence[str]
) -> "list[np.ndarray[Any, np.dtype[Any]]]":
    """The arrays of a model's inputs, in its order. Raises DataUnreadable for one that is not there."""
    try:
        return [arrays[name] for name in names]
    except KeyError as e:
        raise DataUnreadable(f"the model's input {e} is not there", at=str(e), remedy="send it as well") from e


def check_some(rows: "Sequence[Row] | pl.DataFrame") -> None:
    """Raise DataUnreadable when there are no rows."""
    if not len(rows):
        raise DataUnreadable("there are no rows to predict for", at="rows", remedy="send at least one row")


# Any: values of JSON.
def _values(rows: Sequence[Row], name: str, names: Sequence[str]) -> list[Any]:
    try:
        return [row[name] for row in rows]
    except KeyError:
        raise _lacking(rows, names) from None


def _lacking(rows: Sequence[Row], names: Sequence[str]) -> DataUnreadable:
    number = next(i for i, row in enumerate(rows) if not row.keys() >= set(names))
    try:
        check_columns(list(rows[number]), names, f"row {number}")
    except DataUnreadable as e:
        return e
    raise AssertionError(names)


def _check_width(have: int, wanted: int | None) -> None:
    if wanted is not None and have != wanted:
        raise DataUnreadable(
            f"the model was trained on {wanted} columns without names; these rows have {have}",
            at="rows",
            remedy=f"send its {wanted} columns in their order, or train it on a data frame: names then count",
        )


def _check_numbers(values: Iterable[tuple[str, object]]) -> None:
    """Raise DataUnreadable for the first value that is no number, no gap and no NumPy number either."""
    for name, value in values:
        kind = getattr(getattr(value, "dtype", None), "kind", "")
        if not (value is None or isinstance(value, int | float) or (kind and kind in "biuf")):
            raise _no_number(name, f"holds {value!r}")


def _no_number(name: str, what: str) -> DataUnreadable:
    return DataUnreadable(
        f"the column {name} {what}, and the model takes numbers there",
        at=name,
        remedy="send numbers, or null for a gap",
    )


def _too_large(what: str) -> DataUnreadable:
    return DataUnreadable(
        f"{what} holds a number that is too large for the model", at="rows", remedy="send numbers that the model takes"
    )


def coded_matrix(
    rows: "Sequence[Row] | pl.DataFrame",
    columns: tuple[str, ...],
    categories: Mapping[str, Sequence[str]],
    *,
    refuse_unknown: bool,
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """As `matrix_of`, with the position of its text among `categories` in a column that has some.

    A text that is none of them is a gap, or refused. Raises DataUnreadable.
    """
    import numpy as np

    parts = []
    for name in columns:
        if name not in categories:
            parts.append(column_of(rows, name, "FP64"))
            continue
        codes = {text: float(at) for at, text in enumerate(categories[name])}
        texts = column_of(rows, name, "BYTES").tolist()
        unknown = next((t for t in texts if t is not None and t not in codes), None) if refuse_unknown else None
        if unknown is not None:
            raise DataUnreadable(
                f"the column {name} holds {unknown!r}, which the model never saw",
                at=name,
                remedy=f"send one of: {', '.join(list(codes)[:10])}; or null",
            )
        parts.append(np.array([codes.get(t, np.nan) for t in texts], dtype=np.float64))
    return np.column_stack(parts)


def first_line(e: Exception) -> str:
    """What a library's error says first, at most 200 characters."""
    return (str(e).splitlines() or [""])[0][:200]
