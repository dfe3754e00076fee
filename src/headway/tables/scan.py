"""Opens files of tables for DuckDB: CSV, TSV and JSON lines (also .gz, .zst), Parquet, Arrow; several as one table.

What a file is, its first bytes say before its name does. Every column is `c0`, `c1`, … in SQL, so that names may hold
anything and differ in capital letters alone. CSV and JSON lines are read as text, whose type is what it looks like.
Neighbour: `header` reads the first bytes. Knows no comparison.
"""

import os
from collections.abc import Sequence
from itertools import groupby

from msgspec import Struct

from headway.errors import FileMissing, TableUnreadable
from headway.tables.engine import Engine, listed
from headway.tables.header import Head, head_of

SAMPLE = 10_000
"""So many rows are looked at for what the texts of a column look like."""

NOTHING = "NULL"
"""The type of a column without a value among those rows."""

# One bit for each: whole number, number, truth, day, time, any text. No number begins with a needless zero or a plus:
# `007` is a name.
WHOLE = "'-?(0|[1-9][0-9]{0,17})'"
NUMBER = "'-?((0|[1-9][0-9]*)([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?|[nN][aA][nN]|-?[iI]nf(inity)?'"
_LOOKS = f"""CASE WHEN @ IS NULL THEN 0
WHEN regexp_full_match(@, {WHOLE}) THEN 1
WHEN regexp_full_match(@, {NUMBER}) THEN 2
WHEN lower(@) IN ('true', 'false') THEN 4
WHEN regexp_full_match(@, '\\d\\d\\d\\d-\\d\\d-\\d\\d.*') AND TRY_CAST(@ AS TIMESTAMP) IS NOT NULL
THEN CASE WHEN length(@) = 10 THEN 8 ELSE 16 END ELSE 32 END"""
_TYPES = ((0, NOTHING), (1, "BIGINT"), (3, "DOUBLE"), (4, "BOOLEAN"), (8, "DATE"), (24, "TIMESTAMP"))


class Column(Struct, frozen=True, kw_only=True):
    """A column: `type` in DuckDB's words. With `is_text` it is read as text that looks like that type."""

    name: str
    type: str
    is_text: bool


class Table(Struct, frozen=True, kw_only=True):
    """Files as one table: `sql` is a query whose columns are c0, c1, … in the order of `columns`.

    `size_bytes` and `row_bytes` are estimates of what it and one of its rows take in memory.
    """

    paths: tuple[str, ...]
    columns: tuple[Column, ...]
    sql: str
    size_bytes: int
    row_bytes: int


def is_json(paths: Sequence[str]) -> bool:
    """Whether all files are JSON lines, whose values then keep their quotes: "1" is not 1."""
    return all(head_of(path).kind == "json" for path in paths)


def open_table(engine: Engine, paths: Sequence[str], *, is_plain: bool) -> Table:
    """The table that these files are together; a column that some of them lack is empty there.

    With `is_plain` texts of JSON stand without quotes. Raises FileMissing, TableUnreadable, ExtraMissing.
    """
    for path in paths:
        if not os.path.isfile(path):
            raise FileMissing("there is no such table", at=path, remedy="check the path")
    engine.paths = tuple(paths)
    groups = [
        _part(engine, head, [path for path, _ in files], is_plain=is_plain)
        for head, files in groupby(((path, head_of(path)) for path in paths), key=lambda pair: pair[1])
    ]
    columns, sql = _together(groups)
    if not columns:
        raise TableUnreadable("a table has no columns", at=paths[0] if paths else "", remedy="name a table")
    size = sum(os.path.getsize(path) * head_of(path).expands for path in paths)
    row = max(head_of(path).row_bytes for path in paths)
    return Table(
        paths=tuple(paths),
        columns=_typed(engine, columns, sql),
        sql=sql,
        size_bytes=size,
        row_bytes=max(row, 16 * len(columns)),
    )


def _part(engine: Engine, head: Head, paths: list[str], *, is_plain: bool) -> tuple[list[Column], str]:
    match head.kind:
        case "csv":
            return _csv(engine, head, paths)
        case "json":
            return _json(engine, head, paths, is_plain=is_plain)
        case "arrow":
            from headway.tables.arrow import as_parquet

            return _parquet(engine, [as_parquet(path, engine.folder) for path in paths], head.names)
        case _:
            return _parquet(engine, paths, ())


def _csv(engine: Engine, head: Head, paths: list[str]) -> tuple[list[Column], str]:
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(head.names)))
    # A buffer for each thread, and some in between: with DuckDB's own 32 MB, 128 MB of memory are not enough.
    buffer = engine.memory_bytes // 32
    sql = (
        f"SELECT * FROM read_csv({listed(paths)}, auto_detect=false, header=true, columns={{{columns}}}, "
        f"delim='{head.delimiter}', quote='\"', escape='\"', new_line='{head.newline}', "
        f"compression='{head.compression}', buffer_size={buffer}, max_line_size={buffer // 4})"
    )
    return [Column(name=name, type="VARCHAR", is_text=True) for name in head.names], sql


def _json(engine: Engine, head: Head, paths: list[str], *, is_plain: bool) -> tuple[list[Column], str]:
    # Before DuckDB 2, CSV and JSON call it differently.
    compression = "uncompressed" if head.compression == "none" else head.compression
    source = (
        f"read_json_objects({listed(paths)}, format='{'array' if head.delimiter == '[' else 'newline_delimited'}', "
        f"compression='{compression}', maximum_object_size={engine.memory_bytes // 32})"
    )
    (odd,) = engine.run(f"SELECT count(*) FROM {source} WHERE json_type(json) <> 'OBJECT'")[0]
    if odd:
        raise TableUnreadable(
            f"{odd} lines of JSON are no objects", at=paths[0], remedy='write each row as `{"column": value, …}`'
        )
    found = engine.run(f"SELECT DISTINCT unnest(json_keys(json)) FROM {source}")
    names = sorted(str(name) for (name,) in found)
    pointers = ["/" + name.replace("~", "~0").replace("/", "~1") for name in names]
    how = "json_extract_string" if is_plain else "json_extract"
    values = ", ".join(f"nullif(v[{i}]::VARCHAR, 'null') AS c{i - 1}" for i in range(1, len(names) + 1))
    sql = f"SELECT {values} FROM (SELECT {how}(json, {listed(pointers)}) AS v FROM {source})"
    return [Column(name=name, type="VARCHAR", is_text=True) for name in names], sql


def _parquet(engine: Engine, paths: list[str], names: Sequence[str]) -> tuple[list[Column], str]:
    """Files of one schema; `names` when those in the files are c0, c1, …."""
    found = names or _parquet_names(engine, paths[0])
    aliases = ", ".join(f"c{i}" for i in range(len(found)))
    # DuckDB renames columns that differ in capital letters alone; by their place they are what they were.
    sql = f"SELECT * FROM read_parquet({listed(paths)}, hive_partitioning=false) AS t({aliases})"
    types = [str(row[1]) for row in engine.run(f"DESCRIBE {sql}")]
    return [Column(name=n, type=t, is_text=False) for n, t in zip(found, types, strict=True)], sql


def _parquet_names(engine: Engine, path: str) -> list[str]:
    """The names at the top of the schema, which is a list of all nodes, each before its children."""
    nodes = engine.run(f"SELECT name, num_children FROM parquet_schema({listed([path])})")
    names, at = [], 1
    while at < len(nodes):
        names.append(str(nodes[at][0]))
        open_nodes = 1
        while open_nodes:
            children = nodes[at][1]
            open_nodes += (children if isinstance(children, int) else 0) - 1
            at += 1
    return names


def _together(groups: list[tuple[list[Column], str]]) -> tuple[list[Column], str]:
    """Groups of files as one table: by name, in the order in which names first come."""
    if len(groups) == 1:
        return groups[0]
    types: dict[str, set[tuple[str, bool]]] = {}
    for columns, _ in groups:
        for column in columns:
            types.setdefault(column.name, set()).add((column.type, column.is_text))
    united = []
    for name, kinds in types.items():
        kind, is_text = next(iter(kinds)) if len(kinds) == 1 else ("VARCHAR", True)
        united.append(Column(name=name, type=kind, is_text=is_text))
    parts = []
    for columns, sql in groups:
        place = {column.name: i for i, column in enumerate(columns)}
        values = [
            f"{f'c{place[column.name]}' if column.name in place else 'NULL'}::{column.type} AS c{i}"
            for i, column in enumerate(united)
        ]
        parts.append(f"SELECT {', '.join(values)} FROM ({sql})")
    return united, " UNION ALL ".join(parts)


def _typed(engine: Engine, columns: list[Column], sql: str) -> tuple[Column, ...]:
    """The columns, each text with the type that it looks like."""
    texts = [i for i, column in enumerate(columns) if column.is_text]
    if not texts:
        return tuple(columns)
    looks = ", ".join(f"bit_or({_LOOKS.replace('@', f'c{i}')})" for i in texts)
    (seen,) = engine.run(f"SELECT {looks} FROM (SELECT * FROM ({sql}) LIMIT {SAMPLE})")
    typed = list(columns)
    for i, bits in zip(texts, seen, strict=True):
        mask = bits if isinstance(bits, int) else 0
        kind = next((kind for most, kind in _TYPES if mask & ~most == 0), "VARCHAR")
        typed[i] = Column(name=columns[i].name, type=kind, is_text=True)
    return tuple(typed)
