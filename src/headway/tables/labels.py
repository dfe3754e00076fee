"""Labels from files, read as tables: CSV, Parquet or JSON lines, with a request's id and its label in columns.

Neighbours: `label_news` holds them against those that came before, `labelled` joins them to predictions.
"""

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from headway.core.problem import did_you_mean
from headway.core.telling import listed, rows
from headway.errors import ColumnMissing, DataUnreadable, SystemRefused
from headway.tables.prediction_lines import series

if TYPE_CHECKING:
    import polars as pl

_KEY = ["request_id", "row"]

_NAMES = {".csv": "csv", ".csv.gz": "csv", ".parquet": "parquet", ".jsonl": "lines", ".ndjson": "lines"}


class Columns(Struct, frozen=True, kw_only=True):
    """How the columns of a file are called. `label` is empty where it is the only one left, or called so.

    `at` and `row` may be missing: then the label is from when the file was written, and of a request's first row.
    """

    key: str = "request_id"
    label: str = ""
    at: str = "at"
    row: str = "row"


class Read(Struct, frozen=True, kw_only=True, eq=False):
    """The labels of a file: `request_id`, `row`, `label`, `at`, each row once, the newest word on it.

    `n_empty` rows of the file have no label yet, `n_repeated` were said again further down, or by a later time.
    `is_timed`: the file says itself since when each is known.
    """

    # polars.DataFrame, which is not imported before a table is read.
    frame: Any
    n_empty: int = 0
    n_repeated: int = 0
    is_timed: bool = False


def is_table(name: str) -> bool:
    """Whether a file of this name is read as one of labels.

    >>> is_table("may.csv"), is_table("may.csv.part"), is_table(".may.csv")
    (True, False, False)
    """
    return _form(name) is not None and not name.startswith(".")


def _form(name: str) -> str | None:
    return next((form for ending, form in _NAMES.items() if name.lower().endswith(ending)), None)


def read(path: str, columns: Columns, *, name: str, at: float) -> Read:
    """The labels of the file at `path`, which is called `name`; they are from `at` (UTC seconds) where it does not say.

    Raises DataUnreadable, ColumnMissing, SystemRefused.
    """
    import polars as pl

    table = _table(path, columns, name)
    label = _label_column(table, columns, name)
    said = table.select(
        pl.col(columns.key).cast(pl.String).alias("request_id"),
        _rows_of(table, columns, name).alias("row"),
        label.alias("label"),
        _times(table, columns, name).alias("at"),
    ).with_columns(pl.col("at").fill_null(at))
    nameless = said.filter(pl.col("request_id").is_null() | (pl.col("request_id") == "")).height
    if nameless:
        raise DataUnreadable(
            f"{rows(nameless)} of {name} have no request id in {columns.key!r}",
            at=f"labels: {name}",
            remedy="give each label the X-Request-Id of its answer; no label of this file was taken",
        )
    there = said.filter(pl.col("label").is_not_null())
    last = there.sort("at", maintain_order=True).unique(subset=_KEY, keep="last", maintain_order=True)
    return Read(
        frame=last,
        n_empty=said.height - there.height,
        n_repeated=there.height - last.height,
        is_timed=columns.at in table.columns,
    )


def _table(path: str, columns: Columns, name: str) -> "pl.DataFrame":
    import polars as pl

    form = _form(path)
    if form is None:
        raise DataUnreadable(
            f"{name} is no table by its name",
            at=f"labels: {name}",
            remedy=f"name a file that ends in {listed(list(_NAMES), 9, last='or')}",
        )
    try:
        if form == "parquet":
            table = pl.read_parquet(path)
        elif form == "lines":
            table = _of_lines(path, columns.key)
        else:
            # An id is a text, also where all of them look like numbers: 007 is not 7.
            table = pl.read_csv(path, infer_schema_length=None, schema_overrides={columns.key: pl.String})
    except OSError as e:
        raise SystemRefused(
            f"{name} cannot be read: {e.strerror or e}", at=f"labels: {name}", remedy="check the file"
        ) from e
    except (pl.exceptions.PolarsError, msgspec.MsgspecError, ValueError) as e:
        raise DataUnreadable(
            f"{name} cannot be read: {e}", at=f"labels: {name}", remedy="mend the file; no label of it was taken"
        ) from e
    if columns.key not in table.columns:
        raise ColumnMissing(
            f"{name} has no column {columns.key!r}",
            at=f"labels: {name}",
            remedy=did_you_mean(columns.key, table.columns, f"it has {listed(table.columns)}; --key names the one"),
        )
    if table[columns.key].dtype.is_nested() or table[columns.key].dtype in (pl.Binary, pl.Object):
        raise DataUnreadable(
            f"the column {columns.key!r} of {name} holds no request ids",
            at=f"labels: {name}",
            remedy="write the X-Request-Id of each answer there, or name its column with --key",
        )
    return table


def _of_lines(path: str, key: str) -> "pl.DataFrame":
    """Lines of JSON, each an object; values of several types in one column become texts. Raises ValueError."""
    import polars as pl

    # Any: values of JSON.
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    with open(path, "rb") as f:
        found = [decode(line) for line in f if line.strip()]
    if not found:
        raise ValueError("it has no line")
    if any(isinstance(one.get(key), list | dict) for one in found):
        raise ValueError(f"{key!r} is no id in each line")
    names = dict.fromkeys(name for one in found for name in one)
    return pl.DataFrame([series(name, [one.get(name) for one in found]) for name in names])


def _label_column(table: "pl.DataFrame", columns: Columns, name: str) -> "pl.Expr":
    import polars as pl

    others = [one for one in table.columns if one not in (columns.key, columns.at, columns.row)]
    label = columns.label or ("label" if "label" in others else others[0] if len(others) == 1 else "")
    if label not in table.columns:
        problem = f"{name} has no column {label!r}" if label else f"{name} has several columns, or none, for the label"
        raise ColumnMissing(
            problem,
            at=f"labels: {name}",
            remedy=f"say which with --label; it has {listed(table.columns)}",
        )
    dtype = table[label].dtype
    if dtype.is_integer() and _fits(table[label]):
        return pl.col(label).cast(pl.Int64)
    if dtype.is_float() or dtype.is_decimal():
        number = pl.col(label).cast(pl.Float64)
        return pl.when(number.is_finite()).then(number)
    if dtype in (pl.Boolean, pl.String):
        return pl.col(label)
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
        raise DataUnreadable(
            f"the column {label!r} of {name} holds no single values",
            at=f"labels: {name}",
            remedy="write one number, text or truth value for each row",
        )
    return pl.col(label).cast(pl.String)


def _fits(column: "pl.Series") -> bool:
    """Whether its whole numbers have 64 bits with a sign; others are kept as texts."""
    import polars as pl

    return column.cast(pl.Int64, strict=False).null_count() == column.null_count()


def _rows_of(table: "pl.DataFrame", columns: Columns, name: str) -> "pl.Expr":
    """Which row of its request each label is of."""
    import polars as pl

    if columns.row not in table.columns:
        return pl.lit(0, pl.Int64)
    found = table[columns.row]
    is_whole = found.dtype.is_integer() or found.dtype == pl.Null()
    if not is_whole or not _fits(found) or (found.cast(pl.Int64) < 0).any():
        raise DataUnreadable(
            f"the column {columns.row!r} of {name} does not say which row of its request a label is of",
            at=f"labels: {name}",
            remedy="write whole numbers from 0 there, or call the column otherwise",
        )
    return pl.col(columns.row).cast(pl.Int64).fill_null(0)


def _times(table: "pl.DataFrame", columns: Columns, name: str) -> "pl.Series | pl.Expr":
    """Since when each label is known, in UTC seconds; null where nothing says so."""
    import polars as pl

    if columns.at not in table.columns:
        return pl.lit(None, pl.Float64)
    try:
        return _utc(table[columns.at])
    except ValueError as e:
        raise DataUnreadable(
            f"the column {columns.at!r} of {name} holds no times",
            at=f"labels: {name}",
            remedy="write UTC seconds (1763980000.5) or 2026-11-27T08:00:00Z there, or call the column otherwise",
        ) from e


def _utc(column: "pl.Series") -> "pl.Series":
    """A column of times in UTC seconds. Raises ValueError where one is no time."""
    import polars as pl

    if isinstance(column.dtype, pl.Datetime | pl.Date):
        return column.dt.epoch("us") / 1e6
    if column.dtype == pl.String:
        return pl.Series([None if text is None else _seconds(text) for text in column], dtype=pl.Float64)
    if not (column.dtype.is_numeric() or column.dtype == pl.Null()):
        raise ValueError(f"{column.dtype} is no time")
    found = column.cast(pl.Float64)
    if not found.is_finite().all():
        raise ValueError("a time is no number")
    return found


def _seconds(text: str) -> float:
    """A time as ISO 8601 has it; without a zone it is UTC. Raises ValueError."""
    from datetime import UTC, datetime

    time = datetime.fromisoformat(text.strip())
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
