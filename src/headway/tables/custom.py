"""What a person wrote to find bad rows: a condition on a row, a query, a function of Python.

A condition is Polars' SQL and becomes part of the one query. A query is DuckDB's and sees the table `data` and nothing
else: no files, no network, so much memory. A function is code of the user's and runs as such. Neighbour: `compile`.
"""

import re
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headway.core.findings import finding_of_rows, finding_of_truth
from headway.core.validation import DataCheck, FunctionHolds, RowHolds, SqlFinds
from headway.errors import FileMissing, HeadwayError, Unmeasurable
from headway.tables.answers import Answer, Bad, Mark
from headway.tables.engine import Engine, TooLarge, listed, opened, text
from headway.tables.scratch import scratch
from headway.tables.sights import Sights, one

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from headway.tables.batches import Data

# What looks at several rows, as Polars shows an expression.
_OVER_ROWS = re.compile(r"\.(over|mean|sum|min|max|count|first|last|median|std|var|quantile|n_unique)\(|\blen\(\)")

MEMORY_BYTES = 512 << 20
"""What a query may use at a time; what is more goes to the disk."""


def condition(check: DataCheck, sights: Sights) -> "tuple[tuple[str, ...], pl.Expr]":
    """The columns of a condition and where it is not met. Raises Unmeasurable, ColumnMissing."""
    import polars as pl

    assert isinstance(check.asks, RowHolds)
    said, at = check.asks.expression, check.at or "row"
    if ";" in re.sub(r"'[^']*'|\"[^\"]*\"", "", said):
        raise _mistaken(f"{said!r} is more than one condition", at, "write one condition a check")
    try:
        found = pl.sql_expr(said)
    except pl.exceptions.PolarsError as e:
        first = str(e).split("\n", 1)[0]
        raise _mistaken(
            f"{said!r} cannot be read: {first}", at, "write a condition of SQL: arrival >= departure"
        ) from e
    names = tuple(dict.fromkeys(found.meta.root_names()))
    if not names:
        raise _mistaken(f"{said!r} names no column", at, "write a condition over the columns of a row")
    columns = [one(name, sights, at) for name in names]
    empty = pl.DataFrame({column.name: pl.Series([], dtype=column.dtype) for column in columns})
    nothings = [column.name for column in columns if column.kind == "null"]
    with _quiet():
        try:
            seen = _nulled(empty, nothings).select(found.alias("found")).to_series()
        except pl.exceptions.PolarsError as e:
            first = str(e).strip().split("\n", 1)[0]
            remedy = "write times as CAST('2026-01-31' AS DATE), numbers without quotes"
            raise _mistaken(f"{said!r} does not fit the columns: {first}", at, remedy) from e
    if seen.len() or _OVER_ROWS.search(str(found)):
        raise _mistaken(f"{said!r} looks at several rows at once", at, "ask it by a query: `sql:`")
    if not isinstance(seen.dtype, pl.Boolean):
        raise _mistaken(f"{said!r} is not true or false, but {seen.dtype}", at, "write a condition, such as a > 0")
    if not nothings:
        return names, ~found

    def good(rows: "pl.Series") -> "pl.Series":
        return _nulled(rows.struct.unnest(), nothings).select(found.alias("good")).to_series()

    return names, ~pl.struct(names).map_batches(good, return_dtype=pl.Boolean())


def _nulled(frame: "pl.DataFrame", names: Sequence[str]) -> "pl.DataFrame":
    """The frame with columns that hold nothing, as far as was looked, of a type that compares with everything."""
    import polars as pl

    return frame.with_columns(
        [pl.Series(name, [None], dtype=pl.Null).new_from_index(0, frame.height) for name in names]
    )


def _mistaken(problem: str, at: str, remedy: str) -> Unmeasurable:
    return Unmeasurable(problem, at=at, remedy=remedy)


@contextmanager
def _quiet() -> Iterator[None]:
    """Polars warns of what its own SQL writes: a cast of a text to a day."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


# --- a query ------------------------------------------------------------------------------------------------------


def by_query(check: DataCheck, data: "Data", n_rows: int) -> Answer:
    """The rows that a query gives are bad. Raises Unmeasurable."""
    assert isinstance(check.asks, SqlFinds)
    query = check.asks.query.strip().rstrip(";")
    at = check.at or "sql"
    with scratch(tempfile.gettempdir(), "headway-tables-") as folder, opened(MEMORY_BYTES) as engine:
        _show(engine, _parquet(data, folder))
        try:
            names = [str(row[0]) for row in engine.run(f"DESCRIBE {query}")]
            if "row" in names and "row" not in {column.name for column in data.columns}:
                found = engine.run(f"SELECT DISTINCT row FROM ({query}) WHERE row IS NOT NULL ORDER BY row")
                return _of_numbers(check, [int(str(row)) for (row,) in found], n_rows)
            (count,) = engine.run(f"SELECT count(*) FROM ({query})")[0]
        except TooLarge as e:
            raise _mistaken("the query needs more memory than it may have", at, "make it simpler") from e
        except HeadwayError as e:
            said = e.problem.removeprefix("a table cannot be read: ")
            remedy = "mend the query: the table is called `data`, and no other files can be read"
            raise _mistaken(f"the query fails: {said}", at, remedy) from e
    return Answer(finding=finding_of_rows(check, min(int(str(count)), n_rows), n_rows))


def _parquet(data: "Data", folder: str) -> list[str]:
    """Files of Parquet that hold the table: its own, or a copy."""
    if data.lazy() is not None and all(path.endswith((".parquet", ".pq")) for path in data.sources):
        return list(data.sources)
    return data.as_parquet(folder)


def _show(engine: Engine, paths: list[str]) -> None:
    """Make the table `data`, with a column `row` unless it has one, and shut the door behind it."""
    source = f"read_parquet({listed(paths)}, file_row_number=true, filename=true, hive_partitioning=false)"
    sizes = engine.run(f"SELECT file_name, num_rows FROM parquet_file_metadata({listed(paths)})")
    n_before, cases = 0, []
    by_path = {str(path): int(str(n)) for path, n in sizes}
    for path in paths:
        cases.append(f"WHEN {text(path)} THEN {n_before}")
        n_before += by_path[path]
    row = f"file_row_number + 1 + CASE filename {' '.join(cases)} END AS row"
    columns = [
        str(name) for name, *_ in engine.run(f"DESCRIBE SELECT * EXCLUDE (file_row_number, filename) FROM {source}")
    ]
    extra = "" if "row" in [name.lower() for name in columns] else f", {row}"
    engine.run(f"CREATE VIEW data AS SELECT * EXCLUDE (file_row_number, filename){extra} FROM {source}")
    engine.run(f"SET allowed_paths = {listed(paths)}")
    engine.run(f"SET allowed_directories = {listed([engine.folder])}")
    engine.run("SET enable_external_access = false")
    engine.run("SET lock_configuration = true")


def _of_numbers(check: DataCheck, numbers: list[int], n_rows: int) -> Answer:
    import numpy as np

    rows = np.array(numbers, dtype=np.int64) - 1
    return Answer(finding=finding_of_rows(check, len(rows), n_rows), bad=Bad(columns=(), start=lambda: _numbered(rows)))


def _numbered(rows: "npt.NDArray[np.int64]") -> Mark:
    def mark(frame: "pl.DataFrame", first: int) -> "pl.Series":
        import numpy as np
        import polars as pl

        found = np.zeros(frame.height, dtype=np.bool_)
        start, end = np.searchsorted(rows, [first, first + frame.height])
        found[rows[start:end] - first] = True
        return pl.Series("bad", found)

    return mark


# --- a function ---------------------------------------------------------------------------------------------------


def by_function(check: DataCheck, data: "Data", n_rows: int) -> Answer:
    """What a function of the user's says. Raises Unmeasurable, with the line of the user's file where it failed."""
    import polars as pl

    assert isinstance(check.asks, FunctionHolds)
    path, at = check.asks.function.rpartition(":")[0], check.at or "python"
    function = loaded(check.asks.function, at)
    with scratch(tempfile.gettempdir(), "headway-tables-") as folder:
        frame = data.lazy()
        if frame is None:
            frame = pl.scan_parquet(data.as_parquet(folder), glob=False)
        try:
            found = _asked(function, frame)
        except (Exception, SystemExit) as e:
            raise fault_of(e, path, at) from e
    match found:
        case bool():
            return Answer(finding=finding_of_truth(check, found, n_rows))
        case pl.DataFrame():
            return _judged(check, found, n_rows, at)
        case _:
            remedy = "let it give True or False, a Polars expression, or a column of booleans"
            raise _mistaken(f"{check.asks.function} gives {type(found).__name__}", at, remedy)


def _asked(function: "Callable[[pl.LazyFrame], object]", frame: "pl.LazyFrame") -> object:
    """What the function gives; what is a query, as the rows that it gives."""
    import polars as pl

    match function(frame):
        case pl.Expr() as expression:
            return frame.select(expression.alias("good")).collect()
        case pl.Series() as column:
            return column.to_frame("good")
        case pl.LazyFrame() as query:
            return query.collect()
        case said:
            return said


def _judged(check: DataCheck, found: "pl.DataFrame", n_rows: int, at: str) -> Answer:
    import polars as pl

    if found.width != 1 or not isinstance(found.dtypes[0], pl.Boolean | pl.Null):
        raise _mistaken("the function gives no column of booleans", at, "let it give one, true where a row is good")
    good = found.to_series().cast(pl.Boolean)
    if good.len() == 1 and n_rows != 1:
        if good[0] is None:
            raise _mistaken("the function gives neither true nor false, but null", at, "let it give one of the two")
        return Answer(finding=finding_of_truth(check, bool(good[0]), n_rows))
    if good.len() != n_rows:
        raise _mistaken(
            f"the function tells of {good.len():,} rows, and there are {n_rows:,}", at, "filter nothing out"
        )
    bad = ~good.fill_null(value=True)

    def mark(frame: "pl.DataFrame", first: int) -> "pl.Series":
        return bad.slice(first, frame.height)

    return Answer(finding=finding_of_rows(check, int(bad.sum()), n_rows), bad=Bad(columns=(), start=lambda: mark))


def loaded(function: str, at: str) -> Callable[..., object]:
    """The user's function that `file.py:name` means. Raises FileMissing, Unmeasurable (with the line that failed)."""
    import importlib.util
    import os

    path, _, name = function.rpartition(":")
    if not path or not name.isidentifier():
        raise _mistaken(f"{function!r} names no function", at, "write it as file.py:name")
    if not os.path.isfile(path):
        raise FileMissing("there is no such file of Python", at=path, remedy="check the path")
    spec = importlib.util.spec_from_file_location(f"headway_check_{abs(hash(path))}", path)
    if spec is None or spec.loader is None:
        raise _mistaken(f"{path} is no file of Python", at, "write it as file.py:name")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as e:
        # Who leaves here would leave without a verdict, and with the exit code of a good one.
        raise fault_of(e, path, at) from e
    found = getattr(module, name, None)
    if not callable(found):
        raise _mistaken(f"there is no function {name!r} in {path}", at, "check the name")
    function_found: Callable[..., object] = found
    return function_found


def fault_of(e: Exception | SystemExit, path: str, at: str) -> Unmeasurable:
    """The fault with the last line of the user's file that was at work."""
    import os

    lines = [
        one.lineno
        for one in traceback.extract_tb(e.__traceback__)
        if os.path.abspath(one.filename) == os.path.abspath(path)
    ]
    line = e.lineno if isinstance(e, SyntaxError) else (lines[-1] if lines else None)
    place = f"{path}:{line}" if line else path
    said = str(e).strip().split("\n", 1)[0]
    return Unmeasurable(f"{place}: {type(e).__name__}: {said}", at=at, remedy=f"mend {place}")
