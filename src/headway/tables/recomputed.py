"""Recorded requests, some of them handed out as a table, and features made anew of them beside what was served.

So a feature that is made in one way for training and in another for serving is found out row by row. Neighbour: `skew`
compares a table that is there with the log. Knows no command and no budget.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.core.reference import shown
from headway.core.watch_detail import SkewedRow
from headway.core.watch_skew import Tried
from headway.errors import TableUnreadable
from headway.tables import prediction_log
from headway.tables.labelled import Wanted, together
from headway.tables.prediction_lines import FEATURE
from headway.tables.skew import NEAR

if TYPE_CHECKING:
    import polars as pl

    Pair = tuple[pl.Expr, pl.Expr, bool]

REQUEST, ROW, AT = "request_id", "row", "at"
"""What a sample has beside the columns of the requests; features of these names are left out."""

_SEED = 8
"""Which requests are looked at follows from their ids alone: asked again, the same ones are."""

_MARK = b"PAR1"
_MOST_EXAMPLES = 3
_LONGEST = 60
"""So many signs of a value are shown."""


class Compared(Struct, frozen=True, kw_only=True):
    """What came of it: of `n_rows` rows that were made anew, `n_differ` differ somewhere."""

    n_rows: int
    n_differ: int
    columns: tuple[Tried, ...]


def sample(folder: str, wanted: Wanted, key: str, *, most: int) -> "pl.DataFrame":
    """At most so many rows that were answered: `request_id`, `row`, `at`, and what was asked, in order of time.

    One of each request, and one of each value of the column `key`: rows that go together differ together.
    """
    import polars as pl

    kept = pl.DataFrame()
    for frame in prediction_log.scan(folder, since=wanted.since, until=wanted.until):
        own = frame.filter(pl.col("version") == wanted.version)
        names = [name for name in own.columns if name.startswith(FEATURE)]
        ranked = own.select(REQUEST, ROW, AT, *names).with_columns(rank=pl.col(REQUEST).hash(_SEED))
        kept = _first(together([one for one in (kept, ranked) if one.height]), key, most)
    if not kept.height:
        return kept
    named = {name: name.removeprefix(FEATURE) for name in kept.columns if name.startswith(FEATURE)}
    asked = {name: plain for name, plain in named.items() if plain not in (REQUEST, ROW, AT)}
    return kept.sort(AT, maintain_order=True).select(REQUEST, ROW, AT, *asked).rename(asked)


def _first(rows: "pl.DataFrame", key: str, most: int) -> "pl.DataFrame":
    """Those of the lowest ranks, each request and each value of the key once."""
    if not rows.height:
        return rows
    ordered = rows.sort("rank", ROW).unique(subset=[REQUEST], keep="first", maintain_order=True)
    if FEATURE + key in ordered.columns:
        ordered = ordered.unique(subset=[FEATURE + key], keep="first", maintain_order=True)
    return ordered.head(most)


def made(data: bytes, served: "pl.DataFrame", name: str) -> "pl.DataFrame":
    """The table that was made anew, CSV or Parquet by its first bytes. Raises TableUnreadable.

    What was served as a text is read as one from CSV: a postcode stays as it is written.
    """
    import polars as pl

    texts = {column: pl.String for column, dtype in served.schema.items() if dtype == pl.String}
    try:
        if data[: len(_MARK)] == _MARK:
            return pl.read_parquet(io.BytesIO(data))
        head = pl.read_csv(io.BytesIO(data), n_rows=0).columns
        known = {column: dtype for column, dtype in texts.items() if column in head}
        return pl.read_csv(io.BytesIO(data), schema_overrides=known, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as e:
        raise TableUnreadable(
            f"{name} cannot be read: {str(e).partition(chr(10))[0][:200]}",
            at=name,
            remedy="write CSV with a line of names, or Parquet",
        ) from e


def compared(served: "pl.DataFrame", anew: "pl.DataFrame", key: str, columns: Sequence[str]) -> Compared | None:
    """What was served beside what was made anew, matched by the key; None where they have no key or column in common.

    `columns` are those to compare, all that both have where it is empty. Numbers are the same up to a part of 1e-6.
    """
    import polars as pl

    keys = [one for one in ((key, ROW) if key == REQUEST else (key,)) if one in anew.columns and one in served.columns]
    names = [
        name
        for name in (columns or served.columns)
        if name in served.columns and name in anew.columns and name not in (key, REQUEST, ROW, AT)
    ]
    if key not in keys or not names:
        return None
    there = anew.select(*(_key(anew, one, served).alias(f"k.{one}") for one in keys), *(pl.col(one) for one in names))
    there = there.rename({name: f"anew.{name}" for name in names}).unique(
        subset=[f"k.{one}" for one in keys], keep="first", maintain_order=True
    )
    mine = served.with_columns(*(_key(served, one, anew).alias(f"k.{one}") for one in keys))
    both = mine.join(there, on=[f"k.{one}" for one in keys], how="inner", maintain_order="left")
    if not both.height:
        return Compared(n_rows=0, n_differ=0, columns=())
    pairs = {name: _pair(both, name) for name in names}
    bad = {name: both.select(_differ(pair)).to_series() for name, pair in pairs.items()}
    found = tuple(_column(both, name, pairs[name], bad[name]) for name in names)
    anywhere = pl.DataFrame(list(bad.values())).select(pl.any_horizontal(pl.all())).to_series()
    return Compared(n_rows=both.height, n_differ=int(anywhere.sum()), columns=found)


def _key(frame: "pl.DataFrame", name: str, other: "pl.DataFrame") -> "pl.Expr":
    import polars as pl

    is_number = frame.schema[name].is_numeric() and other.schema[name].is_numeric()
    return pl.col(name).cast(pl.Float64 if is_number else pl.String)


def _pair(both: "pl.DataFrame", name: str) -> "Pair":
    """What was served, what was made anew, and whether both are compared as numbers."""
    import polars as pl

    here, there = both.schema[name], both.schema[f"anew.{name}"]
    if pl.Boolean in (here, there):
        return _truth(pl.col(name), here), _truth(pl.col(f"anew.{name}"), there), True
    if here.is_numeric() or here == pl.Null:
        number = [pl.col(one).cast(pl.Float64, strict=False).fill_nan(None) for one in (name, f"anew.{name}")]
        is_text = there == pl.String and here == pl.Null
        if not is_text:
            return number[0], number[1], True
    text = [_text(pl.col(one), both.schema[one]) for one in (name, f"anew.{name}")]
    return text[0], text[1], False


def _truth(column: "pl.Expr", dtype: "pl.DataType") -> "pl.Expr":
    """Yes and no as 1 and 0, however they are written."""
    import polars as pl

    if dtype != pl.String:
        return column.cast(pl.Float64)
    word = column.str.to_lowercase()
    return (
        pl.when(word == "true").then(1.0).when(word == "false").then(0.0).otherwise(word.cast(pl.Float64, strict=False))
    )


def _text(column: "pl.Expr", dtype: "pl.DataType") -> "pl.Expr":
    """A text, of which an empty one is none: in CSV nobody can tell them apart."""
    import polars as pl

    read = column.cast(pl.String)
    if dtype.is_float():
        # 7.0 is written as 7 by whoever has whole numbers.
        whole = column.cast(pl.Int64, strict=False)
        read = pl.when(column == whole).then(whole.cast(pl.String)).otherwise(read)
    return pl.when(read == "").then(None).otherwise(read)


def _differ(pair: "Pair") -> "pl.Expr":
    import polars as pl

    here, there, is_number = pair
    if not is_number:
        return here.ne_missing(there)
    is_near = (here - there).abs() <= NEAR * pl.max_horizontal(here.abs(), there.abs())
    return here.ne_missing(there) & ~(is_near.fill_null(value=False) & here.is_finite() & there.is_finite())


def _column(both: "pl.DataFrame", name: str, pair: "Pair", bad: "pl.Series") -> Tried:
    here, there, is_number = pair
    apart = both.filter(bad)
    by = apart.select((here - there).abs().median()).item() if is_number and apart.height else None
    told = apart.head(_MOST_EXAMPLES)
    examples = tuple(
        SkewedRow(request_id=request, row=row, served=_shown(was), anew=_shown(is_))
        for request, row, was, is_ in told.select(REQUEST, ROW, name, f"anew.{name}").iter_rows()
    )
    return Tried(of=name, n_differ=apart.height, by=by, examples=examples)


def _shown(value: object) -> str:
    if value is None or value == "":
        return "nothing"
    told = f"{value:.6g}" if isinstance(value, float) else shown(value)
    return told if len(told) <= _LONGEST else f"{told[: _LONGEST - 1]}…"
