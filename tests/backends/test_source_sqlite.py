"""What a query over an SQLite file becomes."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headway.backends import connect
from headway.errors import QueryMistaken, SourceUnreachable
from headway.ports import Source


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop's ?#%.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript("""
            CREATE TABLE trips (id INTEGER, fare REAL, city TEXT, photo BLOB, mixed, big, note TEXT, n INT);
            INSERT INTO trips VALUES (1, 2.5, 'Oslo', x'00ff', 1, 9007199254740993, NULL, 4);
            INSERT INTO trips VALUES (2, 3, 'Ål', NULL, 'two', 1.5, NULL, NULL);
        """)
    return path


def snapshot(database: Path, query: str, folder: Path) -> pa.Table:
    folder.mkdir(exist_ok=True)
    source = cast("Source", connect("source", f"sqlite:{database}"))
    names = source.snapshot(query, str(folder))
    assert names == ["rows.parquet"]
    assert sorted(p.name for p in folder.iterdir()) == names
    return pq.read_table(folder / names[0])


def test_each_kind_of_value_keeps_its_type(database: Path, tmp_path: Path) -> None:
    table = snapshot(database, "SELECT * FROM trips ORDER BY id;", tmp_path / "out")
    assert [str(field.type) for field in table.schema] == [
        "int64",
        "double",
        "string",
        "binary",
        "string",
        "string",
        "string",
        "int64",
    ]
    assert table.to_pylist() == [
        {
            "id": 1,
            "fare": 2.5,
            "city": "Oslo",
            "photo": b"\x00\xff",
            "mixed": "1",
            "big": "9007199254740993",
            "note": None,
            "n": 4,
        },
        {"id": 2, "fare": 3.0, "city": "Ål", "photo": None, "mixed": "two", "big": "1.5", "note": None, "n": None},
    ]


def test_a_result_without_rows_keeps_the_declared_types(database: Path, tmp_path: Path) -> None:
    table = snapshot(database, "SELECT id, fare, city, photo FROM trips WHERE id > 9", tmp_path / "out")
    assert [str(field.type) for field in table.schema] == ["int64", "double", "string", "binary"]
    assert table.num_rows == 0


def test_the_same_rows_give_the_same_bytes(database: Path, tmp_path: Path) -> None:
    query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000) SELECT i, i % 7 AS k FROM n"
    for name in ("a", "b"):
        assert snapshot(database, query, tmp_path / name).num_rows == 9000
    assert (tmp_path / "a/rows.parquet").read_bytes() == (tmp_path / "b/rows.parquet").read_bytes()


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM trips",
        "SELECT 1; DELETE FROM trips",
        "SELECT * FROM tripz",
        "",
        "PRAGMA user_version = 3",
        "SELECT fehler(1)",
        "SELECT id FROM trips WHERE abs(-9223372036854775807 - id) > 0",
    ],
    ids=["writes", "writes behind", "no table", "empty", "pragma", "no function", "fails at a row"],
)
def test_what_is_no_query_is_refused_and_nothing_changes(database: Path, tmp_path: Path, query: str) -> None:
    before = database.read_bytes()
    with pytest.raises(QueryMistaken):
        snapshot(database, query, tmp_path / "out")
    assert database.read_bytes() == before
    assert list((tmp_path / "out").iterdir()) == []


def test_two_columns_of_one_name_are_told_apart(database: Path, tmp_path: Path) -> None:
    assert len(set(snapshot(database, "SELECT id, id FROM trips", tmp_path / "out").column_names)) == 2


@pytest.mark.parametrize("content", [None, b"not a database" * 100], ids=["absent", "foreign"])
def test_a_file_that_is_no_database_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceUnreachable, match="SQLite"):
        snapshot(path, "SELECT 1", tmp_path / "out")
    assert path.exists() is (content is not None)


def test_the_state_is_the_answer_to_the_query(database: Path) -> None:
    source = cast("Source", connect("source", f"sqlite:{database}"))
    before = source.state("SELECT max(id), count(*) FROM trips")
    assert (before.n_things, before.number) == (1, 2)
    assert source.state("SELECT max(id), count(*) FROM trips") == before
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("INSERT INTO trips (id) VALUES (9)")
    after = source.state("SELECT max(id), count(*) FROM trips")
    assert (after.number, after.key == before.key) == (9, False)
    assert source.state("SELECT city FROM trips ORDER BY id").number is None
    assert source.state("SELECT id FROM trips WHERE id > 100").n_things == 0
    with pytest.raises(QueryMistaken):
        source.state("DELETE FROM trips")
    with pytest.raises(SourceUnreachable):
        cast("Source", connect("source", f"sqlite:{database}.not")).state("SELECT 1")
