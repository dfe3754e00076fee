"""Rows as they are, each as often as it is there: how many were added and removed.

Neighbour: `keyed` is for tables whose rows a key names.
"""

from headway.tables.cells import Part, cells, count
from headway.tables.changes import Question, Rows
from headway.tables.engine import Engine
from headway.tables.values import Scalar, scalar


def compare_as_they_are(engine: Engine, question: Question) -> Rows:
    """Compare as multisets. Raises what reading raises.

    Twice where texts may be the same value in several forms (`7`, `7.0`): as they are written, which is quick, and what
    is then left over by value.
    """
    old, new, pairs = question.old, question.new, question.pairs
    engine.paths = (*old.paths, *new.paths)
    left = ", ".join(f"{pair.old()} AS v{i}" for i, pair in enumerate(pairs)) or "0 AS v0"
    right = ", ".join(f"{pair.new()} AS v{i}" for i, pair in enumerate(pairs)) or "0 AS v0"
    names = [f"v{i}" for i in range(max(len(pairs), 1))]
    size, row_bytes = old.size_bytes + new.size_bytes, max(old.row_bytes, new.row_bytes)
    # Two parts and not a union, which would hold both files' buffers at a time.
    parts = (
        Part(name="old", sql=f"SELECT -1 AS n, {left} FROM ({old.sql})", by=tuple(names)),
        Part(name="new", sql=f"SELECT 1 AS n, {right} FROM ({new.sql})", by=tuple(names)),
    )
    n_old, n_new = _sift(engine, parts, (size, row_bytes), names, "left_over")
    table = "left_over"
    if any(pair.refine for pair in pairs):
        refined = tuple(pair.exact(f"v{i}") for i, pair in enumerate(pairs))
        (n_left,) = engine.run("SELECT count(*) FROM left_over")[0]
        part = Part(name="refined", sql="SELECT * FROM left_over", by=refined)
        _sift(engine, (part,), (int(str(n_left)) * row_bytes, row_bytes), names, "left_at_last")
        table = "left_at_last"
    (counts,) = engine.run(
        f"SELECT coalesce(sum(n) FILTER (n > 0), 0)::BIGINT, coalesce(-sum(n) FILTER (n < 0), 0)::BIGINT FROM {table}"
    )
    n_added, n_removed = (n for n in counts if isinstance(n, int))
    return Rows(
        n_rows_old=n_old,
        n_rows_new=n_new,
        n_added=n_added,
        n_removed=n_removed,
        added=_shown(engine, question, f"{table} WHERE n > 0"),
        removed=_shown(engine, question, f"{table} WHERE n < 0"),
    )


def _sift(
    engine: Engine, parts: tuple[Part, ...], size: tuple[int, int], names: list[str], into: str
) -> tuple[int, int]:
    """Put the rows whose counts do not cancel out into a table; returns how many there were of the old and the new."""
    size_bytes, row_bytes = size
    # A name inside of `min` is a column: in a group by value, the first of the texts stands for all of them.
    by = parts[0].by
    groups = ", ".join(f"g{i}" for i in range(len(by)))
    keys = ", ".join(f"{one} AS g{i}" for i, one in enumerate(by))
    values = ", ".join(f"min({name}) AS {name}" for name in names)
    if list(by) == names:
        groups, keys, values = ", ".join(names), "", ", ".join(names)
    inner = f"(SELECT *, {keys} FROM {{}})" if keys else "{}"
    engine.run(f"CREATE TEMP TABLE {into} AS SELECT * FROM ({parts[0].sql}) LIMIT 0")
    n_old = n_new = 0
    for places in cells(engine, parts, count(size_bytes, engine.memory_bytes), row_bytes):
        place = f"({' UNION ALL '.join(f'SELECT * FROM {one}' for one in places)})"
        (counts,) = engine.run(f"SELECT count(*) FILTER (n < 0), count(*) FILTER (n > 0) FROM {place}")
        old, new = (n for n in counts if isinstance(n, int))
        n_old, n_new = n_old + old, n_new + new
        engine.run(
            f"INSERT INTO {into} SELECT sum(n) AS n, {values} FROM {inner.format(place)} "
            f"GROUP BY {groups} HAVING sum(n) <> 0"
        )
    return n_old, n_new


def _shown(engine: Engine, question: Question, where: str) -> tuple[dict[str, Scalar], ...]:
    """Examples of rows, in the order of their values; only columns that both tables have."""
    if not question.pairs:
        return ()
    order = ", ".join(
        f"TRY_CAST(v{i} AS DOUBLE) NULLS LAST, v{i}" if pair.is_text else f"v{i}"
        for i, pair in enumerate(question.pairs)
    )
    values = ", ".join(f"v{i}" for i in range(len(question.pairs)))
    found = engine.run(f"SELECT {values} FROM {where} ORDER BY {order} LIMIT {question.examples}")
    names = [pair.name for pair in question.pairs]
    return tuple(
        {name: scalar(value, is_json=question.is_json) for name, value in zip(names, row, strict=True)} for row in found
    )
