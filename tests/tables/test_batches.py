"""Data of any format read in batches: what comes out, against plain Python; every odd thing a file may hold."""

import csv
import gzip
import io
import json
import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zstandard import ZstdCompressor

from headway.core.validation import Kind
from headway.errors import ColumnMissing, FileMissing, TableUnreadable
from headway.tables import delimited
from headway.tables.batches import Data, open_data
from tries import tries


def written(path: Path, content: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def whole(data: Data, columns: list[str] | None = None) -> pl.DataFrame:
    frames = [batch.frame for batch in data.batches(columns)]
    return (
        pl.concat(frames) if frames else pl.DataFrame(schema={one.name: data.type_of(one.name) for one in data.columns})
    )


def rows(*paths: str) -> list[tuple[Any, ...]]:
    with open_data(paths) as data:
        return whole(data).rows()


def kinds(*paths: str) -> dict[str, Kind]:
    with open_data(paths) as data:
        return {one.name: one.kind for one in data.columns}


def refusal(*paths: str) -> TableUnreadable:
    with pytest.raises(TableUnreadable) as caught, open_data(paths) as data:
        whole(data)
    return caught.value


# --- CSV ----------------------------------------------------------------------------------------------------------

TYPED = (
    "id,fare,late,day,at,zone,city,empty\n"
    "1,2.5,true,2024-01-01,2024-01-01T10:00:00,2024-01-01 10:00:00+02:00,Oslo,\n"
    "2,,False,2024-01-02,2024-01-01T10:00:00.5,2024-01-01 10:00:00Z,007,\n"
)


def test_columns_of_a_csv_are_what_their_texts_look_like(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", TYPED)
    assert kinds(path) == {
        "id": "integer",
        "fare": "number",
        "late": "boolean",
        "day": "date",
        "at": "datetime",
        "zone": "datetime",
        "city": "string",
        "empty": "null",
    }
    first, second = rows(path)
    moment = datetime(2024, 1, 1, 10)  # noqa: DTZ001 (without a zone, as in the file)
    assert first == (1, 2.5, True, date(2024, 1, 1), moment, datetime(2024, 1, 1, 8, tzinfo=UTC), "Oslo", None)
    assert second[1:3] == (None, False)
    assert second[4:7] == (moment.replace(microsecond=500_000), datetime(2024, 1, 1, 10, tzinfo=UTC), "007")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("\ufeffa,b\n1,x\n", [(1, "x")]),
        ("a;b\r\n1;x\r\n2;y\r\n", [(1, "x"), (2, "y")]),
        ("a\tb\r1\tx\r2\ty\r", [(1, "x"), (2, "y")]),
        ('a,b\n1,"x,\ny"\n2,"say ""hi"""\n', [(1, "x,\ny"), (2, 'say "hi"')]),
        ("a,b\n1,x", [(1, "x")]),
        ("a,b\n\n1,x\n\n\r\n2,y\n\n", [(1, "x"), (2, "y")]),
        ('a,b\n"1",""\n2,y\n', [(1, None), (2, "y")]),
        ("a\n1\n\n3\n", [(1,), (None,), (3,)]),
        ("a,b\n,\n", [(None, None)]),
        ("a,b\n", []),
        ('"a","b"\n1,2\n', [(1, 2)]),
    ],
    ids=[
        "BOM",
        "CRLF",
        "CR",
        "quotes",
        "no last end",
        "blank lines",
        "empty in quotes",
        "one column",
        "nothing",
        "no rows",
        "quoted header",
    ],
)
def test_a_csv_is_read_as_it_is_meant(tmp_path: Path, content: str, expected: list[tuple[Any, ...]]) -> None:
    assert rows(written(tmp_path / "a.csv", content)) == expected


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_compressed_csv_is_read(tmp_path: Path, ending: str) -> None:
    content = "a,b\n" + "".join(f"{i},x{i}\n" for i in range(50_000))
    packed = gzip.compress(content.encode()) if ending == ".gz" else ZstdCompressor().compress(content.encode())
    assert rows(written(tmp_path / f"a.csv{ending}", packed)) == [(i, f"x{i}") for i in range(50_000)]
    assert "decompressed" in refusal(written(tmp_path / f"b.csv{ending}", packed[:-20])).problem


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"a,b\n1,2\n3\n", 3, "1 value, and there are 2 columns"),
        (b"a,b\n1,2\n3,4,5\n6,7\n", 3, "3 values"),
        (b"a,b\n1,2\n3\n4,5,6\n", 3, "1 value,"),
        (b'a,b\n1,"x\ny"\n3,4,5\n', 4, "3 values"),
        (b"a,b\n\n1,2\n3\n", 4, "1 value,"),
        (b"a,b\n1,2\n3,\xff\n", 3, "UTF-8"),
        (b'a,b\n1,5" pipe\n3,4\n', 2, "not doubled"),
        (b'a,b\n1,x\n2,"open\n3,4\n', 3, "not closed"),
        (b'a,b\n1,"x"y\n', 2, "not doubled"),
        (b"a,a\n1,2\n", 1, "several columns"),
    ],
    ids=[
        "short",
        "long",
        "short and long",
        "after a value of two lines",
        "after a blank line",
        "letter",
        "stray quote",
        "open quote",
        "text after a quote",
        "names",
    ],
)
def test_a_csv_that_cannot_be_read_is_refused_with_the_line(
    tmp_path: Path, content: bytes, line: int, said: str
) -> None:
    path = written(tmp_path / "a.csv", content)
    error = refusal(path)
    assert said in error.problem
    assert error.at == f"{path}:{line}"
    assert error.remedy


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert "no first row" in refusal(written(tmp_path / "a.csv", "")).problem


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    assert "UTF-8" in refusal(written(tmp_path / "a.csv", "a,b\n1,2\n".encode("utf-16"))).problem


def test_one_bad_cell_does_not_change_what_a_column_is(tmp_path: Path) -> None:
    lines = [f"{i},{i / 2}" for i in range(30_000)]
    lines[29_000] = "many,NA"
    path = written(tmp_path / "a.csv", "a,b\n" + "\n".join(lines) + "\n")
    with open_data([path]) as data:
        assert [one.kind for one in data.columns] == ["integer", "number"]
        found = [
            (batch.first_row + at, batch.line(at), batch.as_text("a")[at])
            for batch in data.batches(["a", "b"])
            for at in batch.misfits("a").arg_true().to_list()
        ]
        assert found == [(29_001, 29_002, "many")]
        assert not any(batch.misfits("b").any() for batch in data.batches())
        assert whole(data)["b"].null_count() == 1


def test_fractions_far_down_a_large_file_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.tables.sources.SPOT_BYTES", 1 << 8)
    path = written(tmp_path / "a.csv", "a\n" + "1\n" * 30_000 + "1.5\n" * 30_000)
    assert kinds(path) == {"a": "number"}


def test_lines_are_told_also_behind_quotes_and_blank_lines(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", 'a,b\n1,"x\ny"\n\n2,z\n3,w\n')
    with open_data([path]) as data:
        (batch,) = data.batches()
        assert [batch.line(i) for i in range(3)] == [2, 5, 6]
        assert data.lines([3, 1]) == {1: (path, 2), 3: (path, 6)}


cells = st.text(st.sampled_from('ab,"\n;é 1'), max_size=5)


@settings(max_examples=tries(150))
@given(table=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=12), size=st.integers(1, 40))
def test_a_csv_is_what_the_csv_module_reads(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, ...]], size: int
) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([("a", "b", "c"), *table])
    path = written(tmp_path_factory.mktemp("csv") / "a.csv", buffer.getvalue())
    expected = [tuple(cell or None for cell in row) for row in csv.reader(io.StringIO(buffer.getvalue(), newline=""))][
        1:
    ]
    with pytest.MonkeyPatch.context() as patch, open_data([path]) as data:
        patch.setattr(delimited.pieces, "__defaults__", (size,))
        found = [
            tuple(batch.as_text(name)[i] for name in "abc") for batch in data.batches() for i in range(batch.n_rows)
        ]
        assert found == expected
        lines = [batch.line(i) for batch in data.batches() for i in range(batch.n_rows)]
        starts, reader = [], csv.reader(io.StringIO(buffer.getvalue(), newline=""))
        before = 0
        for _ in reader:
            starts.append(before + 1)
            before = reader.line_num
        assert lines == starts[1:]


# --- other formats ------------------------------------------------------------------------------------------------


def test_parquet_of_every_type_is_read_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.tables.batches.ROWS_MOST", 700)
    frame = pl.DataFrame(
        {
            "i": pl.Series(range(2000), dtype=pl.UInt16),
            "f": [float("nan"), float("inf"), None, 1.0] * 500,
            "d": pl.Series([Decimal("1.50")] * 2000, dtype=pl.Decimal(10, 2)),
            "t": pl.Series([datetime(2024, 1, 1, tzinfo=UTC)] * 2000, dtype=pl.Datetime("ns", "Europe/Oslo")),
            "l": [[1, 2], []] * 1000,
            "s": [{"x": 1}] * 2000,
            "b": [b"\x00\xff"] * 2000,
            "n": pl.Series([None] * 2000, dtype=pl.Null),
            "c": pl.Series(["x", "y"] * 1000, dtype=pl.Categorical),
        }
    )
    path = str(tmp_path / "odd [1]*.parquet")
    frame.write_parquet(path, row_group_size=300)
    with open_data([path]) as data:
        assert data.n_rows == 2000
        assert [one.kind for one in data.columns] == [
            "integer", "number", "decimal", "datetime", "list", "struct", "binary", "null", "string",
        ]  # fmt: skip
        batches = list(data.batches())
        assert [(batch.first_row, batch.n_rows) for batch in batches] == [(1, 700), (701, 700), (1401, 600)]
        assert whole(data)["i"].to_list() == list(range(2000))
        assert batches[0].line(0) is None
        query = data.lazy(["i"])
        assert query is not None
        assert query.collect()["i"].sum() == sum(range(2000))


def test_parquet_of_one_large_group_is_read_from_a_copy_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headway.tables.sources.GROUP_ROWS_MOST", 100)
    monkeypatch.setattr("headway.tables.batches.ROWS_MOST", 64)
    frame = pl.DataFrame(
        {
            "a": range(500),
            "A": [None, "x"] * 250,
            "wait": pl.Series([timedelta(seconds=1)] * 500, dtype=pl.Duration("ms")),
            "at": pl.Series([datetime(2024, 1, 1, tzinfo=UTC)] * 500, dtype=pl.Datetime("ns", "Europe/Oslo")),
            "list": [[1, 2], None] * 250,
        }
    )
    for rows_of_group in (500, 50):
        path = tmp_path / f"{rows_of_group}.parquet"
        frame.write_parquet(path, row_group_size=rows_of_group)
        with open_data([str(path)]) as data:
            found = pl.concat([batch.frame for batch in data.batches()])
            assert found.equals(frame)
            assert found.schema == frame.schema


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_of_large_values_fewer_are_read_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    monkeypatch.setattr("headway.tables.sources.BYTES", 1 << 16)
    path = str(tmp_path / f"a.{ending}")
    frame = pl.DataFrame({"i": range(1000), "t": [f"{i:01000}x" for i in range(1000)]})
    frame.write_parquet(path) if ending == "parquet" else frame.write_ndjson(path)
    with open_data([path]) as data:
        batches = list(data.batches())
        assert {batch.n_rows for batch in batches[:-1]} <= {32, 64}
        assert all(len("".join(batch.as_text("t"))) <= 1 << 16 for batch in batches)
        assert whole(data).rows() == frame.rows()
        assert sum(batch.n_rows for batch in data.batches(["i"])) == 1000


def test_a_parquet_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": range(1000)}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-30])
    assert refusal(str(path)).at == str(path)


def test_arrow_is_read_without_pyarrow(tmp_path: Path) -> None:
    path = str(tmp_path / "a.arrow")
    pl.DataFrame({"a": [1, 2], "b": ["x", None]}).write_ipc(path)
    assert rows(path) == [(1, "x"), (2, None)]


LINES = [
    {"n": 1, "t": "1", "q": 'say "hi"\n', "at": "2024-01-01T00:00:00Z", "l": [1, 2], "o": {"k": 1}, "b": True},
    {"n": 2.5, "t": "x", "q": None, "at": "2024-01-02T00:00:00Z", "l": [], "o": {}},
]


@pytest.mark.parametrize("form", ["lines", "list", "gz"])
def test_json_is_read_with_its_types(tmp_path: Path, form: str) -> None:
    text = json.dumps(LINES, indent=1) if form == "list" else "\n\n".join(map(json.dumps, LINES)) + "\n"
    packed = gzip.compress(text.encode()) if form == "gz" else text
    path = written(tmp_path / ("a.jsonl.gz" if form == "gz" else "a.jsonl"), packed)
    assert kinds(path) == {
        "at": "datetime", "b": "boolean", "l": "list", "n": "number", "o": "struct", "q": "string", "t": "string",
    }  # fmt: skip
    with open_data([path]) as data:
        found = whole(data, ["n", "t", "q", "b", "l"]).rows()
        assert found == [(1.0, "1", 'say "hi"\n', True, "[1,2]"), (2.5, "x", None, None, "[]")]
        (batch,) = data.batches(["at"])
        assert batch.line(1) == (None if form == "list" else 3)


def test_json_that_is_no_object_is_refused(tmp_path: Path) -> None:
    assert "objects" in refusal(written(tmp_path / "a.jsonl", '{"a":1}\n[1]\n')).problem


# --- several files ------------------------------------------------------------------------------------------------


def test_a_folder_is_one_table(tmp_path: Path) -> None:
    written(tmp_path / "d/a.csv", "id,x\n1,2\n")
    written(tmp_path / "d/b/c.csv", "y,id\nz,2.5\n")
    written(tmp_path / "d/_SUCCESS", "")
    written(tmp_path / "d/.hidden.csv", "q\n1\n")
    pl.DataFrame({"id": [3], "x": [4]}).write_parquet(tmp_path / "d/z.parquet")
    with open_data([str(tmp_path / "d")]) as data:
        assert [(one.name, one.kind) for one in data.columns] == [("id", "number"), ("x", "integer"), ("y", "string")]
        assert whole(data).rows() == [(1.0, 2, None), (2.5, None, "z"), (3.0, 4, None)]
        assert [(batch.first_row, Path(batch.file).name) for batch in data.batches(["y"])] == [
            (1, "a.csv"), (2, "c.csv"), (3, "z.parquet"),
        ]  # fmt: skip
        assert data.lazy() is None
        copies = data.as_parquet(str(tmp_path / "copies"))
        assert pl.read_parquet(copies).rows() == whole(data).rows()


def test_files_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    pl.DataFrame({"a": [[1]]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "b.parquet")
    assert "'a'" in refusal(str(tmp_path)).problem


def test_durations_of_two_units_are_one_column_and_texts_are_another(tmp_path: Path) -> None:
    for unit in ("ms", "ns"):
        pl.DataFrame({"a": pl.Series([1000], dtype=pl.Duration(unit))}).write_parquet(tmp_path / f"{unit}.parquet")
    assert rows(str(tmp_path)) == [(timedelta(seconds=1),), (timedelta(microseconds=1),)]
    pl.DataFrame({"a": ["x"]}).write_parquet(tmp_path / "z.parquet")
    assert "'a'" in refusal(str(tmp_path)).problem


def test_a_number_too_large_for_the_other_files_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"a": [-1]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"a": pl.Series([2**63], dtype=pl.UInt64)}).write_parquet(tmp_path / "b.parquet")
    error = refusal(str(tmp_path))
    assert error.at == str(tmp_path / "b.parquet")
    assert str(2**63) in error.problem


def test_copies_of_a_killed_process_are_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "headway-data-killed").mkdir()
    with open_data([written(tmp_path / "a.jsonl", '{"a":1}\n')]):
        assert not (tmp_path / "headway-data-killed").exists()
    assert [one.name for one in tmp_path.iterdir()] == ["a.jsonl"]


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileMissing), open_data([str(tmp_path / "no.csv")]):
        pass
    (tmp_path / "empty").mkdir()
    assert "no table" in refusal(str(tmp_path / "empty")).problem
    with open_data([written(tmp_path / "a.csv", "a\n1\n")]) as data, pytest.raises(ColumnMissing):
        list(data.batches(["b"]))


def test_five_thousand_columns_are_read(tmp_path: Path) -> None:
    names = [f"x{i}" for i in range(5000)]
    path = written(tmp_path / "a.csv", "\n".join([",".join(names), *(",".join(["1.5"] * 5000) for _ in range(20))]))
    with open_data([path]) as data:
        assert {one.kind for one in data.columns} == {"number"}
        assert whole(data).shape == (20, 5000)
