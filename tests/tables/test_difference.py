"""How two versions of a table differ: against a model in plain Python, and every odd thing a file may hold."""

import csv
import glob
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather
from zstandard import ZstdCompressor

from headway.errors import ColumnMissing, FileMissing, KeyNotUnique, TableUnreadable
from headway.tables.changes import ColumnChange, Retyped, TableDiff
from headway.tables.difference import difference


def written(path: Path, text: str | bytes) -> str:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def diff(folder: Path, old: str, new: str, *key: str, ending: str = "csv") -> TableDiff:
    before, after = written(folder / f"old.{ending}", old), written(folder / f"new.{ending}", new)
    return difference([before], [after], key=key)


def counts(found: TableDiff) -> tuple[int, int, int]:
    return found.n_added, found.n_removed, found.n_changed


def test_rows_are_told_by_their_key(tmp_path: Path) -> None:
    old = "id,fare,city\n1,2.5,Oslo\n2,3.0,Rome\n3,4.0,Rome\n10,1,Rome\n"
    new = "id,fare,city\n10,1,Rome\n3,4.5,Rom\n2,3.0,Roma\n11,9,Oslo\n4,1,Oslo\n"
    found = diff(tmp_path, old, new, "id")
    assert (found.n_rows_old, found.n_rows_new) == (4, 5)
    assert counts(found) == (2, 1, 2)
    assert found.columns_changed == (ColumnChange(name="city", n_rows=2), ColumnChange(name="fare", n_rows=1))
    assert found.added == ({"id": "4", "fare": "1", "city": "Oslo"}, {"id": "11", "fare": "9", "city": "Oslo"})
    assert found.removed == ({"id": "1", "fare": "2.5", "city": "Oslo"},)
    assert [row.key for row in found.changed] == [{"id": "2"}, {"id": "3"}]
    assert [(cell.name, cell.old, cell.new) for cell in found.changed[1].cells] == [
        ("fare", "4.0", "4.5"),
        ("city", "Rome", "Rom"),
    ]
    assert not found.is_same


def test_without_a_key_rows_count_as_often_as_they_are_there(tmp_path: Path) -> None:
    found = diff(tmp_path, "a,b\n1,x\n1,x\n2,y\n", "b,a\nx,1\ny,2\ny,2.0\nz,3\n")
    assert counts(found) == (2, 1, 0)
    assert found.added == ({"a": "2.0", "b": "y"}, {"a": "3", "b": "z"})
    assert found.removed == ({"a": "1", "b": "x"},)


@pytest.mark.parametrize("key", [(), ("id",)], ids=["whole rows", "by key"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("id,x\n1,7\n2,8\n", "id,x\n2.0,8.0\n1.0,7\n"),
        ("id,x\n1,1e3\n2,.5\n", "id,x\n1,1000\n2,0.50\n"),
        ("id,x\n1,\n2,nan\n", "id,x\n1,\n2,NaN\n"),
        ("id,x\n1,True\n2,false\n", "id,x\n1,true\n2,FALSE\n"),
        ("id,x\n1,2020-01-01T00:00:00\n", "id,x\n1,2020-01-01 00:00:00\n"),
        ("id,x\n1,a\n,b\n", "id,x\n,b\n1,a\n"),
        ("id,x\r\n1,a\r\n", 'id,x\n"1","a"\n'),
        ("id,x\n1,a\n", "\ufeffid;x\n1;a\n"),
        ('id,x\r\n1,"a\nb"\r\n', 'id,x\n1,"a\nb"\n'),
        ("id,x\n", "id,x\n"),
    ],
    ids=[
        "whole or not",
        "powers",
        "no number",
        "truth",
        "time",
        "empty key",
        "line ends",
        "separator",
        "lines in quotes",
        "no rows",
    ],
)
def test_the_same_values_in_another_form_are_no_change(tmp_path: Path, old: str, new: str, key: tuple[str]) -> None:
    found = diff(tmp_path, old, new, *key)
    assert counts(found) == (0, 0, 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("id,x\n1,007\n", "id,x\n1,7\n"),
        ("id,x\n1,9007199254740993\n", "id,x\n1,9007199254740992.0\n"),
        ("id,x\n1,9007199254740993\n", "id,x\n1,9007199254740992\n"),
        ("id,x\n1,a \n", "id,x\n1,a\n"),
        ("id,x\n1,\n", "id,x\n1,0\n"),
        ("id,x\n1,é\n", "id,x\n1,e\u0301\n"),
    ],
    ids=["zeros of a name", "beyond floats", "large", "blank", "nothing is not zero", "unicode form"],
)
def test_values_that_only_look_alike_are_a_change(tmp_path: Path, old: str, new: str) -> None:
    assert counts(diff(tmp_path, old, new, "id")) == (0, 0, 1)
    assert counts(diff(tmp_path, old, new)) == (1, 1, 0)


def test_a_value_far_down_may_be_of_another_kind_than_its_column(tmp_path: Path) -> None:
    rows = [f"{i},{i}\n" for i in range(30_000)]
    changed = [*rows[:29_000], "29000,none\n", *rows[29_001:]]
    found = diff(tmp_path, "id,x\n" + "".join(rows), "id,x\n" + "".join(changed), "id")
    assert counts(found) == (0, 0, 1)
    assert found.changed[0].cells[0].new == "none"


def test_columns_come_go_and_change_their_type(tmp_path: Path) -> None:
    found = diff(tmp_path, "id,gone,x,y\n1,1,5,\n", "x,id,new,y\nfive,1,1,3\n", "id")
    assert found.columns_added == ("new",)
    assert found.columns_removed == ("gone",)
    # A column without a value has any type.
    assert found.columns_retyped == (Retyped(name="x", old="BIGINT", new="VARCHAR"),)
    assert found.changed[0].cells[0].new == "five"


ODD = ['o"dd', "select", "a b", "A", "a", "ü\n", "", "c0", "kind", "100%", "x.y", "it's", "o", "n", "v0", "@"]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "arrow"])
def test_a_column_may_have_any_name(tmp_path: Path, ending: str) -> None:
    old, new = tmp_path / f"old.{ending}", tmp_path / f"new.{ending}"
    first = dict(zip(ODD, [f"w{i}" for i in range(len(ODD))], strict=True))
    for path, row in ((old, first), (new, {**first, "a": "other"})):
        if ending == "csv":
            text = io.StringIO(newline="")
            csv.writer(text).writerows([row.keys(), row.values()])
            written(path, text.getvalue())
        elif ending == "jsonl":
            written(path, json.dumps(row) + "\n")
        else:
            table = pa.table({name: [value] for name, value in row.items()})
            (pq.write_table if ending == "parquet" else feather.write_feather)(table, path)
    for key in ("a", ODD[0], ODD[5]):
        found = difference([str(old)], [str(new)], key=[key])
        wanted = (1, 1, 0) if key == "a" else (0, 0, 1)
        assert counts(found) == wanted, key
    assert found.changed[0].cells[0].name == "a"
    assert found.changed[0].cells[0].old == "w4"


def test_a_key_may_have_several_columns_and_nothing_in_them(tmp_path: Path) -> None:
    old = "a,b,x\n1,,1\n,1,2\n1,1,3\n,,4\n"
    new = "a,b,x\n,,5\n1,,1\n,1,6\n2,1,3\n"
    found = diff(tmp_path, old, new, "a", "b", "a")
    assert found.key == ("a", "b")
    assert counts(found) == (1, 1, 2)
    assert [row.key for row in found.changed] == [{"a": None, "b": "1"}, {"a": None, "b": None}]


def test_a_key_that_names_several_rows_is_refused_with_examples(tmp_path: Path) -> None:
    with pytest.raises(KeyNotUnique, match=r"2 values of a, b .*a=1, b=x: 3 rows; a=2, b=None: 2") as e:
        diff(tmp_path, "a,b\n1,x\n", "a,b\n1,x\n2,\n1,x\n2,\n1,x\n3,x\n", "a", "b")
    assert e.value.at.endswith("new.csv")


def test_a_missing_key_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(ColumnMissing, match="no column 'trip'") as e:
        diff(tmp_path, "trip,x\n1,2\n", "trip_id,x\n1,2\n", "trip")
    assert "trip_id" in e.value.remedy
    assert e.value.at.endswith("new.csv")


def test_compressed_and_other_formats_are_the_same_table(tmp_path: Path) -> None:
    text = "id,x,s\n" + "".join(f"{i},{i / 4},row {i}\n" for i in range(500))
    table = pa.table({"id": range(500), "x": [i / 4 for i in range(500)], "s": [f"row {i}" for i in range(500)]})
    lines = "".join(json.dumps(row) + "\n" for row in table.to_pylist())
    pq.write_table(table, tmp_path / "t.parquet")
    feather.write_feather(table, tmp_path / "t.arrow")
    pq.write_table(table, tmp_path / "no-ending")
    paths = [
        written(tmp_path / "t.csv", text),
        written(tmp_path / "t.tsv", text.replace(",", "\t")),
        written(tmp_path / "t.csv.gz", gzip.compress(text.encode())),
        written(tmp_path / "t.csv.zst", ZstdCompressor().compress(text.encode())),
        written(tmp_path / "t.jsonl", lines),
        written(tmp_path / "t.jsonl.gz", gzip.compress(lines.encode())),
        written(tmp_path / "t.json", json.dumps(table.to_pylist())),
        str(tmp_path / "t.parquet"),
        str(tmp_path / "t.arrow"),
        str(tmp_path / "no-ending"),
    ]
    for path in paths:
        for key in ((), ("id",)):
            found = difference([paths[0]], [path], key=key)
            assert (found.n_rows_new, *counts(found)) == (500, 0, 0, 0), path


def test_several_files_are_one_table(tmp_path: Path) -> None:
    whole = written(tmp_path / "all.csv", "id,x\n1,a\n2,b\n3,\n")
    parts = [
        written(tmp_path / "1.csv", "id,x\n1,a\n"),
        written(tmp_path / "2.csv", "x,id\nb,2\n"),
        written(tmp_path / "3.csv", "id\n3\n"),
    ]
    for key in ((), ("id",)):
        assert difference([whole], parts, key=key).is_same
        assert counts(difference([whole], parts[:2], key=key)) == (0, 1, 0)


def test_json_keeps_texts_and_numbers_apart(tmp_path: Path) -> None:
    old = '{"id": 1, "x": "1", "y": {"a": [1]}}\n{"id": 2, "x": "b"}\n'
    new = '{"id": 1, "x": 1, "y": {"a": [2]}}\n{"id": 2, "x": "b", "z": null}\n'
    found = diff(tmp_path, old, new, "id", ending="jsonl")
    assert counts(found) == (0, 0, 1)
    assert {cell.name: (cell.old, cell.new) for cell in found.changed[0].cells} == {
        "x": ("1", "1"),
        "y": ('{"a":[1]}', '{"a":[2]}'),
    }
    assert found.columns_added == ("z",)


def test_typed_columns_are_compared_as_what_they_are(tmp_path: Path) -> None:
    nan = float("nan")
    old = pa.table({"id": pa.array([1, 2], pa.int32()), "x": [nan, 0.1], "t": [b"\x00\xff", None], "l": [[1], [2, 3]]})
    new = pa.table({"id": pa.array([1, 2], pa.int64()), "x": [nan, 0.1], "t": [b"\x00\xff", b""], "l": [[1], [3, 2]]})
    pq.write_table(old, tmp_path / "old.parquet")
    pq.write_table(new, tmp_path / "new.parquet")
    found = difference([str(tmp_path / "old.parquet")], [str(tmp_path / "new.parquet")], key=["id"])
    assert counts(found) == (0, 0, 1)
    assert found.columns_retyped == (Retyped(name="id", old="INTEGER", new="BIGINT"),)
    assert [(cell.name, cell.old, cell.new) for cell in found.changed[0].cells] == [
        ("t", None, ""),
        ("l", "[2, 3]", "[3, 2]"),
    ]


WHOLE = "id,x\n1,a\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"id,x\n1,a\n2,b,c\n", "a.csv:3"),
        ("a.csv", b"id,x\n1,a\n2,\xff\n", "UTF-8"),
        ("a.csv", b"id,x\n1,a\r\n2,b\n", "a.csv"),
        ("a.csv", b'id,x\n1,"a\n2,b\n', "a.csv"),
        ("a.csv", b"", "no first row"),
        ("a.csv", b"id,id\n1,2\n", "several columns are named 'id'"),
        ("a.csv.gz", gzip.compress(WHOLE.encode() * 999, mtime=0)[:-20], "cannot be"),
        ("a.parquet", b"id,x\n1,a\n", "no Parquet"),
        ("a.parquet", b"PAR1" + b"x" * 100, "a.parquet"),
        ("a.arrow", b"ARROW1\0\0" + b"x" * 100, "cannot be read"),
        ("a.jsonl", b'{"id": 1}\n{"id": \n', "a.jsonl"),
        ("a.jsonl", b'{"id": 1}\n[1]\n', "1 lines of JSON are no objects"),
    ],
)
def test_a_damaged_file_is_told_with_its_place(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    whole, damaged = written(tmp_path / "whole.csv", WHOLE), written(tmp_path / name, content)
    with pytest.raises(TableUnreadable) as e:
        difference([whole], [damaged], key=["id"])
    assert said in str(e.value)
    assert name in e.value.at


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        difference([str(tmp_path / "a.csv")], [str(tmp_path / "b.csv")])


# --- against a model --------------------------------------------------------------------------------------------

VALUES = st.sampled_from(["", "a", "b", '"', "a,b", "x\ny", "é"])
TABLES = st.dictionaries(st.integers(0, 30), st.tuples(VALUES, VALUES), max_size=12)


def as_csv(path: str, rows: list[tuple[str, ...]]) -> None:
    with open(path, "w", newline="") as f:
        csv.writer(f, quoting=csv.QUOTE_ALL).writerows([("id", "x", "y"), *rows])


@settings(max_examples=15)
@given(old=TABLES, new=TABLES)
def test_it_finds_what_a_model_finds(old: dict[int, tuple[str, str]], new: dict[int, tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("old.csv", "new.csv")]
        for path, table in zip(paths, (old, new), strict=True):
            as_csv(path, [(str(key), *values) for key, values in table.items()])
        keyed = difference(paths[:1], paths[1:], key=["id"], examples=99)
        plain = difference(paths[:1], paths[1:], examples=99)
    both = old.keys() & new.keys()
    changed = [key for key in both if old[key] != new[key]]
    assert counts(keyed) == (len(new.keys() - both), len(old.keys() - both), len(changed))
    assert [row.key["id"] for row in keyed.changed] == [str(key) for key in sorted(changed)]
    assert [row["id"] for row in keyed.added] == [str(key) for key in sorted(new.keys() - both)]
    assert {change.name: change.n_rows for change in keyed.columns_changed} == Counter(
        "xy"[i] for key in changed for i in (0, 1) if old[key][i] != new[key][i]
    )
    gone, come = (Counter(table.items()) for table in (old, new))
    assert (plain.n_added, plain.n_removed) == ((come - gone).total(), (gone - come).total())


# --- larger than memory -----------------------------------------------------------------------------------------


def large(path: Path, n: int, changed: set[int]) -> str:
    with open(path, "w") as f:
        f.write("id,x,s\n")
        f.writelines(f"{i * 7919 % n},{i % 97 + (i in changed)},{'row ' * 8}{i}\n" for i in range(n))
    return str(path)


@pytest.mark.parametrize("key", [(), ("id",)], ids=["whole rows", "by key"])
def test_tables_that_are_larger_than_memory_are_compared_in_cells(tmp_path: Path, key: tuple[str, ...]) -> None:
    n, changed = 150_000, {5, 70_000, 149_999}
    old, new = large(tmp_path / "old.csv", n, set()), large(tmp_path / "new.csv", n, changed)
    found = difference([old], [new], key=key, memory_bytes=24 << 20)
    assert (found.n_rows_old, found.n_rows_new) == (n, n)
    assert counts(found) == ((0, 0, 3) if key else (3, 3, 0))


LEFT_OVERS = """
import sys
from headway.tables.difference import difference
print("begun", flush=True)
difference(sys.argv[1:2], sys.argv[2:3], key=["id"], memory_bytes=24 << 20)
"""


def test_nothing_is_left_behind_by_ctrl_c(tmp_path: Path) -> None:
    old, new = (large(tmp_path / f"{name}.csv", 400_000, set()) for name in ("old", "new"))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", LEFT_OVERS, old, new],
        env={"TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        deadline = time.monotonic() + 60
        while not glob.glob(f"{scratch}/headway-tables-*/old"):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert b"KeyboardInterrupt" in said
    assert list(scratch.iterdir()) == []
