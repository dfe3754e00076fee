"""Rows that a key names: which were added, removed, changed, and in which columns.

Neighbour: `unkeyed` is for tables without a key.
"""

from collections.abc import Sequence

from headway.errors import KeyNotUnique
from headway.tables.cells import Part, cells, count
from headway.tables.changes import Cell, ChangedRow, ColumnChange, Question, Rows
from headway.tables.engine import Engine, Row
from headway.tables.same import Pair
from headway.tables.scan import Table
from headway.tables.values import Scalar, scalar

_SHOWN_TWICE = 5
"""Examples of keys that several rows have."""

_ADDED, _REMOVED, _CHANGED = range(3)


def compare_by_key(engine: Engine, question: Question) -> Rows:
    """Compare row by row. Raises KeyNotUnique, and what reading raises."""
    n = count(max(question.old.size_bytes, question.new.size_bytes), engine.memory_bytes)
    parts = (
        Part(name="old", sql=question.old.sql, by=_exact(question.keys, "old", "c")),
        Part(name="new", sql=question.new.sql, by=_exact(question.keys, "new", "c")),
    )
    sides = (_Side("old", question.old), _Side("new", question.new))
    counts = [0] * (3 + len(question.pairs))
    engine.paths = (*question.old.paths, *question.new.paths)
    for places in cells(engine, parts, n, max(question.old.row_bytes, question.new.row_bytes)):
        for side, place in zip(sides, places, strict=True):
            side.count(engine, question.keys, place)
        # With such keys a join would give a row for each pair of rows; what is left is only searched for more of them.
        if not any(side.n_repeated for side in sides):
            found = _join(engine, question, places)
            counts = [a + b for a, b in zip(counts, found, strict=True)]
    for side in sides:
        side.check(question.keys)
    changes = [
        ColumnChange(name=pair.name, n_rows=n_rows)
        for pair, n_rows in zip(question.pairs, counts[3:], strict=True)
        if n_rows
    ]
    return Rows(
        n_rows_old=sides[0].n_rows,
        n_rows_new=sides[1].n_rows,
        n_added=counts[_ADDED],
        n_removed=counts[_REMOVED],
        n_changed=counts[_CHANGED],
        columns_changed=tuple(sorted(changes, key=lambda change: -change.n_rows)),
        added=tuple(_whole(question, question.new, "n", row) for row in _shown(engine, question, _ADDED)),
        removed=tuple(_whole(question, question.old, "o", row) for row in _shown(engine, question, _REMOVED)),
        changed=tuple(_changed(question, row) for row in _shown(engine, question, _CHANGED)),
    )


class _Side:
    """One of the tables: its rows, and keys that several of them have, over all cells."""

    __slots__ = ("_examples", "_name", "_table", "n_repeated", "n_rows")

    def __init__(self, name: str, table: Table) -> None:
        self._name = name
        self._table = table
        self.n_rows = 0
        self.n_repeated = 0
        self._examples: list[tuple[int, str]] = []

    def count(self, engine: Engine, keys: Sequence[Pair], place: str) -> None:
        """Count the rows of a cell, and look for keys that come again."""
        groups = f"SELECT {', '.join(_exact(keys, self._name, 'c'))}, count(*) AS n FROM {place} GROUP BY ALL"
        (row,) = engine.run(f"SELECT coalesce(sum(n), 0)::BIGINT, count(*) FILTER (n > 1) FROM ({groups})")
        n_rows, n_repeated = (n for n in row if isinstance(n, int))
        self.n_rows += n_rows
        self.n_repeated += n_repeated
        if n_repeated:
            order = ", ".join(f"{i}" for i in range(1, len(keys) + 1))
            found = engine.run(f"{groups} HAVING count(*) > 1 ORDER BY n DESC, {order} LIMIT {_SHOWN_TWICE}")
            self._examples += [(-int(str(row[-1])), _named(keys, row)) for row in found]
            self._examples = sorted(self._examples)[:_SHOWN_TWICE]

    def check(self, keys: Sequence[Pair]) -> None:
        """Raise KeyNotUnique when there are such keys."""
        if not self.n_repeated:
            return
        named = ", ".join(key.name for key in keys)
        shown = "; ".join(f"{name}: {-n} rows" for n, name in self._examples)
        raise KeyNotUnique(
            f"{self.n_repeated:,} values of {named} name several rows each ({shown})",
            at=self._table.paths[0],
            remedy="name further columns of the key, or compare without one",
        )


def _join(engine: Engine, question: Question, places: tuple[str, ...]) -> list[int]:
    """The rows of a cell that differ: added, removed, changed, and for each column in how many it did."""
    pairs = question.pairs
    sides = []
    for side, table, place in zip("on", (question.old, question.new), places, strict=True):
        values = ", ".join(f"c{i} AS {side}{i}" for i in range(len(table.columns)))
        sides.append(f"(SELECT true AS {side}, {values} FROM {place})")
    both = zip(_exact(question.keys, "old", "o"), _exact(question.keys, "new", "n"), strict=True)
    on = " AND ".join(f"{old} IS NOT DISTINCT FROM {new}" for old, new in both)
    flags = "".join(f", o AND n AND {_differs(pair)} AS d{i}" for i, pair in enumerate(pairs))
    any_of = " OR ".join(f"d{i}" for i in range(len(pairs))) or "false"
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE found AS SELECT CASE WHEN o IS NULL THEN {_ADDED} "
        f"WHEN n IS NULL THEN {_REMOVED} ELSE {_CHANGED} END AS kind, * "
        f"FROM (SELECT *{flags} FROM {sides[0]} FULL JOIN {sides[1]} ON {on}) "
        f"WHERE o IS NULL OR n IS NULL OR {any_of}"
    )
    asked = [f"count(*) FILTER (kind = {kind})" for kind in range(3)]
    asked += [f"count(*) FILTER (d{i})" for i in range(len(pairs))]
    (counts,) = engine.run(f"SELECT {', '.join(asked)} FROM found")
    engine.run("CREATE TEMP TABLE IF NOT EXISTS shown AS SELECT * FROM found LIMIT 0")
    for kind in range(3):
        engine.run(f"INSERT INTO shown {_first(question, 'found', kind)}")
    return [n for n in counts if isinstance(n, int)]


def _differs(pair: Pair) -> str:
    old, new = pair.old("o"), pair.new("n")
    differs = f"{old} IS DISTINCT FROM {new}"
    if pair.refine is None:
        return f"({differs})"
    return f"CASE WHEN {differs} THEN {pair.exact(old)} IS DISTINCT FROM {pair.exact(new)} ELSE false END"


def _exact(keys: Sequence[Pair], side: str, prefix: str) -> tuple[str, ...]:
    """The values of the key of one side, equal for the same keys."""
    return tuple(key.exact(key.old(prefix) if side == "old" else key.new(prefix)) for key in keys)


def _first(question: Question, table: str, kind: int) -> str:
    """The first rows of a kind in the order of the key: numbers as numbers."""
    order = []
    for key in question.keys:
        value = f"coalesce({key.old('o')}, {key.new('n')})"
        order += [f"TRY_CAST({value} AS DOUBLE) NULLS LAST"] if key.is_text else []
        order += [f"{value} NULLS LAST"]
    return f"SELECT * FROM {table} WHERE kind = {kind} ORDER BY {', '.join(order)} LIMIT {question.examples}"


def _shown(engine: Engine, question: Question, kind: int) -> list[dict[str, object]]:
    """Examples, each with its values by the names that `_join` gave them."""
    names = [str(row[0]) for row in engine.run("DESCRIBE shown")]
    return [dict(zip(names, row, strict=True)) for row in engine.run(_first(question, "shown", kind))]


def _whole(question: Question, table: Table, side: str, row: dict[str, object]) -> dict[str, Scalar]:
    return {column.name: scalar(row[f"{side}{i}"], is_json=question.is_json) for i, column in enumerate(table.columns)}


def _changed(question: Question, row: dict[str, object]) -> ChangedRow:
    old = _whole(question, question.old, "o", row)
    new = _whole(question, question.new, "n", row)
    return ChangedRow(
        key={key.name: old[key.name] for key in question.keys},
        cells=tuple(
            Cell(name=pair.name, old=old[pair.name], new=new[pair.name])
            for i, pair in enumerate(question.pairs)
            if row[f"d{i}"]
        ),
    )


def _named(keys: Sequence[Pair], row: Row) -> str:
    return ", ".join(f"{key.name}={value}" for key, value in zip(keys, row, strict=False))
