"""How two versions of a table differ: columns, and rows by their key; without a key, rows as they are, counted.

Exact, streamed, in bounded memory: `cells` cuts what is larger. Neighbours: `keyed` and `unkeyed` count; `same` says
when two values are the same; docs/tables.md tells users. Knows no store: it is handed the paths of files.
"""

from collections.abc import Sequence

from headway.core.problem import did_you_mean
from headway.errors import ColumnMissing, TableUnreadable
from headway.tables.changes import Question, Retyped, TableDiff
from headway.tables.engine import Engine, TooLarge, opened
from headway.tables.keyed import compare_by_key
from headway.tables.same import is_retyped, pair
from headway.tables.scan import Column, Table, is_json, open_table
from headway.tables.unkeyed import compare_as_they_are

MEMORY_BYTES = 128 << 20
"""What DuckDB may use: the process as a whole then stays below 256 MiB."""


def difference(
    old: Sequence[str],
    new: Sequence[str],
    *,
    key: Sequence[str] = (),
    examples: int = 10,
    memory_bytes: int = MEMORY_BYTES,
) -> TableDiff:
    """How the table in the files `old` became the one in `new`; the files of either together are one table.

    `key`: columns whose values name a row. `memory_bytes` is aimed at; tables with very long rows may take up to eight
    times as much. What is larger goes to a folder in TMPDIR for a while: about the size of both tables, uncompressed.
    Raises FileMissing, TableUnreadable, ColumnMissing, KeyNotUnique, DiskFull, ExtraMissing.
    """
    for times in (1, 2, 4, 8):
        try:
            with opened(memory_bytes * times) as engine:
                return _difference(engine, old, new, key, examples)
        except TooLarge:
            continue
    raise TableUnreadable(
        f"the tables cannot be compared within {memory_bytes * 8 >> 20} MiB",
        at=old[0] if old else "the old table",
        remedy="a row may be too long: look for a quote that never ends",
    )


def _difference(engine: Engine, old: Sequence[str], new: Sequence[str], key: Sequence[str], examples: int) -> TableDiff:
    is_plain = not (is_json(old) and is_json(new))
    before = open_table(engine, old, is_plain=is_plain)
    after = open_table(engine, new, is_plain=is_plain)
    places = {column.name: (i, column) for i, column in enumerate(after.columns)}
    for name in key:
        _check_column(name, before, old)
        _check_column(name, after, new)
    both = [((i, column), places[column.name]) for i, column in enumerate(before.columns) if column.name in places]
    pairs = {first[1].name: pair(first, second) for first, second in both}
    question = Question(
        old=before,
        new=after,
        keys=tuple(pairs[name] for name in dict.fromkeys(key)),
        pairs=tuple(one for name, one in pairs.items() if name not in key),
        examples=examples,
        is_json=not is_plain,
    )
    rows = compare_by_key(engine, question) if key else compare_as_they_are(engine, question)
    return TableDiff(
        key=tuple(dict.fromkeys(key)),
        columns_added=_without(after.columns, before.columns),
        columns_removed=_without(before.columns, after.columns),
        columns_retyped=tuple(
            Retyped(name=one.name, old=one.type, new=other.type)
            for (_, one), (_, other) in both
            if is_retyped(one, other)
        ),
        n_rows_old=rows.n_rows_old,
        n_rows_new=rows.n_rows_new,
        n_added=rows.n_added,
        n_removed=rows.n_removed,
        n_changed=rows.n_changed,
        columns_changed=rows.columns_changed,
        added=rows.added,
        removed=rows.removed,
        changed=rows.changed,
    )


def _without(columns: Sequence[Column], others: Sequence[Column]) -> tuple[str, ...]:
    names = {column.name for column in others}
    return tuple(column.name for column in columns if column.name not in names)


def _check_column(name: str, table: Table, paths: Sequence[str]) -> None:
    names = [column.name for column in table.columns]
    if name not in names:
        raise ColumnMissing(
            f"there is no column {name!r}",
            at=paths[0],
            remedy=did_you_mean(name, names, f"it has {', '.join(names[:20])}"),
        )
