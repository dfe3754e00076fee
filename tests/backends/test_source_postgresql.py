"""What a query over a real PostgreSQL becomes."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import cast

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headway.backends import connect
from headway.errors import HeadwayError, QueryMistaken, SourceRefused, SourceUnreachable
from headway.ports import Source
from services import free_port, postgresql

UTC = dt.UTC

TABLE = """
CREATE TABLE t (
    a int2, b int4, c int8, d float4, e float8, f numeric(10,2), g numeric, h text, i bool, j date, k timestamp,
    l timestamptz, m bytea, n json, o jsonb, p uuid, q int4[], r text[], s interval, t time, u varchar(5), v inet,
    w numeric(50,3), x int4range, y timestamptz[], z numeric[]
);
INSERT INTO t VALUES (
    1, 2, 3, 1.5, 2.5, 12.34, 1e30, 'hé', true, '2020-01-02', '2020-01-02 03:04:05.000006', '2020-01-02 03:04:05+02',
    '\\x00ff', '{"b":  1}', '{"b":  1}', '00000000-0000-0000-0000-000000000001', '{1,null,3}', '{a,"b c"}', '1 day',
    '03:04:05', 'abc', '10.0.0.1', 1.5, '[1,3)', '{2020-01-02 00:00:00+00}', '{1.50,2}'
);
INSERT INTO t (a) VALUES (NULL);
CREATE TABLE many AS SELECT i AS id, i * 0.5::float8 AS x, 'row ' || i AS s FROM generate_series(1, 20000) i;
"""

# Column: Arrow's type, and the value of the first row.
WANTED = {
    "a": ("int16", 1),
    "b": ("int32", 2),
    "c": ("int64", 3),
    "d": ("float", 1.5),
    "e": ("double", 2.5),
    "f": ("decimal128(10, 2)", Decimal("12.34")),
    "g": ("string", "1" + "0" * 30),
    "h": ("string", "hé"),
    "i": ("bool", True),
    "j": ("date32[day]", dt.date(2020, 1, 2)),
    "k": ("timestamp[us]", dt.datetime(2020, 1, 2, 3, 4, 5, 6)),  # noqa: DTZ001 (it has no zone)
    "l": ("timestamp[us, tz=UTC]", dt.datetime(2020, 1, 2, 1, 4, 5, tzinfo=UTC)),
    "m": ("binary", b"\x00\xff"),
    "n": ("string", '{"b":  1}'),
    "o": ("string", '{"b": 1}'),
    "p": ("string", "00000000-0000-0000-0000-000000000001"),
    "q": ("list<element: int32>", [1, None, 3]),
    "r": ("list<element: string>", ["a", "b c"]),
    "s": ("string", "1 day"),
    "t": ("time64[us]", dt.time(3, 4, 5)),
    "u": ("string", "abc"),
    "v": ("string", "10.0.0.1"),
    "w": ("decimal256(50, 3)", Decimal("1.500")),
    "x": ("string", "[1,3)"),
    "y": ("list<element: timestamp[us, tz=UTC]>", [dt.datetime(2020, 1, 2, tzinfo=UTC)]),
    "z": ("string", "{1.50,2}"),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgresql() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(TABLE.encode())
        yield url


def snapshot(url: str, query: str, folder: Path) -> pa.Table:
    folder.mkdir(exist_ok=True)
    names = cast("Source", connect("source", url)).snapshot(query, str(folder))
    assert names == ["rows.parquet"] == [p.name for p in folder.iterdir()]
    return pq.read_table(folder / names[0])


def ask(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


def test_each_type_keeps_its_values(url: str, tmp_path: Path) -> None:
    table = snapshot(url, "SELECT * FROM t ORDER BY a;", tmp_path / "out")
    assert {field.name: str(field.type) for field in table.schema} == {name: kind for name, (kind, _) in WANTED.items()}
    first, second = table.to_pylist()
    assert first == {name: value for name, (_, value) in WANTED.items()}
    assert set(second.values()) == {None}


def test_a_result_without_rows_keeps_its_types(url: str, tmp_path: Path) -> None:
    table = snapshot(url, "SELECT * FROM t WHERE false", tmp_path / "out")
    assert {field.name: str(field.type) for field in table.schema} == {name: kind for name, (kind, _) in WANTED.items()}
    assert table.num_rows == 0


def test_floats_that_are_no_numbers_stay(url: str, tmp_path: Path) -> None:
    query = "SELECT 'inf'::float8 AS a, '-inf'::float4 AS b, 'nan'::float8 AS c"
    (row,) = snapshot(url, query, tmp_path / "out").to_pylist()
    assert row["a"] == float("inf")
    assert row["b"] == float("-inf")
    assert row["c"] != row["c"]


def test_the_same_rows_give_the_same_bytes_over_many_batches(url: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        table = snapshot(url, "SELECT * FROM many ORDER BY id", tmp_path / name)
        assert table.column("id").to_pylist() == list(range(1, 20001))
    assert (tmp_path / "a/rows.parquet").read_bytes() == (tmp_path / "b/rows.parquet").read_bytes()


def test_signs_of_percent_are_the_querys_own(url: str, tmp_path: Path) -> None:
    assert snapshot(url, "SELECT '5 %s' AS a WHERE 'a%b' LIKE 'a%'", tmp_path / "out").to_pylist() == [{"a": "5 %s"}]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("DELETE FROM many", "syntax error"),
        ("SELECT 1; COMMIT; DROP TABLE many", "multiple commands"),
        ("WITH gone AS (DELETE FROM many RETURNING 1) SELECT * FROM gone", "data-modifying"),
        ("SELECT setval(pg_get_serial_sequence('t', 'a'), 1) FROM nothing_there", "does not exist"),
        ("SELEC 1", "syntax error"),
        ("", "empty"),
        ("SELECT 1 / (id - 9000) AS x FROM many ORDER BY id", "division by zero"),
        ("SELECT id, id FROM many", "several columns named 'id'"),
        ("SELECT 'infinity'::date AS d", "date too large"),
        ("SELECT '{{1},{2}}'::int[] AS a", "no list"),
    ],
)
def test_a_query_that_cannot_be_answered_is_told(url: str, tmp_path: Path, query: str, said: str) -> None:
    with pytest.raises(QueryMistaken, match=said):
        snapshot(url, query, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert ask(url, "SELECT count(*) FROM many") == 20000


def test_nothing_that_a_query_does_lasts(url: str, tmp_path: Path) -> None:
    # PostgreSQL lets a large object be made even where only reading is allowed.
    snapshot(url, "SELECT lo_create(0)", tmp_path / "out")
    assert ask(url, "SELECT count(*) FROM pg_largeobject_metadata") == 0


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (("secret", "wrong-one"), SourceRefused),
        (("/postgres", "/nowhere"), SourceRefused),
        (("headway:", "nobody:"), SourceRefused),
    ],
    ids=["password", "database", "user"],
)
def test_who_may_not_come_in_is_told_without_the_password(
    url: str, tmp_path: Path, change: tuple[str, str], kind: type[HeadwayError]
) -> None:
    with pytest.raises(kind) as refused:
        snapshot(url.replace(*change), "SELECT 1", tmp_path / "out")
    assert "***" in refused.value.at
    assert "secret" not in str(refused.value)
    assert "wrong-one" not in str(refused.value)


def test_a_table_one_may_not_read_is_told(url: str, tmp_path: Path) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    with pytest.raises(SourceRefused, match="permission denied"):
        snapshot(url.replace("headway:secret", "guest:guest"), "SELECT * FROM many", tmp_path / "out")


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachable, match="does not answer"):
        snapshot(f"postgres://a:b@127.0.0.1:{free_port()}/c", "SELECT 1", tmp_path / "out")


def test_the_state_is_the_answer_to_the_query(url: str) -> None:
    source = cast("Source", connect("source", url))
    before = source.state("SELECT max(id), count(*) FROM many;")
    assert (before.n_things, before.number) == (1, 20000)
    assert source.state("SELECT max(id), count(*) FROM many") == before
    every = source.state("SELECT id FROM many ORDER BY id")
    assert (every.n_things, every.key) == (20000, source.state("SELECT id FROM many ORDER BY id DESC").key)
    with pytest.raises(QueryMistaken):
        source.state("DELETE FROM many")
