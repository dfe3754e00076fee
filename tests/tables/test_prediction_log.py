"""The prediction log's files: what is sealed, read by time and by request, and joined with labels that came later."""

import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from headway.codec import prediction_line
from headway.codec.prediction_line import PlainLine, PlainV2Line, encoder, flat, on_one_line
from headway.core.prediction_log import Cursor, open_name
from headway.tables import prediction_lines as lines
from headway.tables import prediction_log as log
from tries import tries

CELLS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)


def line(request_id: str, at: float, rows: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    rows = [{"x": 1.0}] if rows is None else rows
    return {
        "request_id": request_id, "at": at, "ms": 1.5, "model": "m", "version": 2, "rows": rows,
        "predictions": [0] * len(rows), **more,
    }  # fmt: skip


def label(request_id: str, value: Any, at: float, received_at: float, row: int = 0) -> dict[str, Any]:
    return {"request_id": request_id, "row": row, "label": value, "at": at, "received_at": received_at}


def write(folder: Path, token: str, lines: list[dict[str, Any]], kind: Any = "predictions") -> str:
    path = folder / open_name(kind, token)
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return str(path)


@pytest.mark.parametrize("is_sealed", [True, False], ids=["sealed", "open"])
def test_what_was_written_is_read_row_by_row(tmp_path: Path, is_sealed: bool) -> None:
    rows: list[dict[str, Any]] = [{"x": 1, "name": "a"}, {"x": 2.5, "name": None}]
    told = {"predictions": ["yes", "no"], "classes": ["no", "yes"], "probabilities": [[0.1, 0.9], [0.8, 0.2]]}
    path = write(tmp_path, "aa", [line("r", 5.0, rows, **told), line("q", 6.0, [{"x": 3, "name": "b"}])])
    if is_sealed:
        assert log.seal(path) is not None
        assert [name for name in os.listdir(tmp_path) if name.endswith(".jsonl")] == []
    frame = log.read(str(tmp_path))
    assert frame.select("request_id", "row", "at").rows() == [("r", 0, 5.0), ("r", 1, 5.0), ("q", 0, 6.0)]
    assert frame["feature.x"].to_list() == [1.0, 2.5, 3.0]
    assert frame["feature.name"].to_list() == ["a", None, "b"]
    assert frame["prediction"].to_list() == ["yes", "no", "0"]
    assert frame["probability.yes"].to_list() == [0.9, 0.2, None]
    assert frame.select("model", "version").unique().rows() == [("m", 2)]


# Any: a cell of a log, and what was sent.
def is_told(got: Any, value: Any) -> bool:
    """Whether the log tells the value: as it is, as a text or its JSON, a number as nearly as a float can."""
    if got == value or str(got) == str(value):
        return True
    if isinstance(got, str):
        return bool(json.loads(got) == value)
    return isinstance(got, int | float) and isinstance(value, int | float) and float(got) == float(value)


@settings(max_examples=tries(30), deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), CELLS, max_size=3), min_size=1, max_size=6))
def test_whatever_rows_hold_can_be_sealed_and_read(tmp_path_factory: Any, rows: list[dict[str, Any]]) -> None:
    folder = tmp_path_factory.mktemp("log")
    log.seal(write(folder, "aa", [line(f"r{i}", float(i), [row]) for i, row in enumerate(rows)]))
    log.seal(write(folder, "bb", [line("s", 100.0, rows)]))
    frame = log.read(str(folder))
    assert frame.height == 2 * len(rows)
    for i, row in enumerate(rows):
        for name, value in row.items():
            got = frame[f"feature.{name}"][i]
            assert is_told(got, value), (got, value)


def plain(one: dict[str, Any], *, v2: bool = False) -> bytes:
    """The same line as it is written where nothing is left out: what was asked and answered as it came and went."""
    about = (one["request_id"], one["at"], one["ms"], one["model"], one["version"])
    marks = (one.get("is_shadow", False), one.get("instead_of", 0))
    if not v2:
        answer = {name: one[name] for name in ("predictions", "classes", "probabilities") if name in one}
        asked = on_one_line(json.dumps(one["rows"], indent=1).encode())
        return encoder.encode(PlainLine(*about, asked, Raw(json.dumps(answer).encode()), *marks)) + b"\n"
    n = len(one["rows"])
    inputs = [
        {"name": name, "shape": [n], "datatype": "?", "data": [row[name] for row in one["rows"]]}
        for name in one["rows"][0]
    ]
    outputs = [{"name": "label", "shape": [n], "datatype": "?", "data": one["predictions"]}]
    if "probabilities" in one:
        width = len(one["classes"])
        outputs.append({"name": "probabilities", "shape": [n, width], "datatype": "?", "data": one["probabilities"]})
    outputs += [
        {"name": name, "shape": [n], "datatype": "?", "data": told} for name, told in one.get("outputs", {}).items()
    ]
    both = (Raw(json.dumps({"inputs": inputs}).encode()), Raw(json.dumps({"outputs": outputs}).encode()))
    return encoder.encode(PlainV2Line(*about, *both, *marks, one.get("classes", ()))) + b"\n"


ROWS = st.integers(1, 3).flatmap(
    lambda n: st.lists(st.dictionaries(st.sampled_from("abc"), CELLS), min_size=n, max_size=n)
)


@settings(max_examples=tries(40), deadline=None)
@given(
    st.lists(st.tuples(ROWS, st.booleans(), st.booleans()), min_size=1, max_size=6),
    st.sampled_from([("no", "yes"), (0, 1), ()]),
)
def test_plain_lines_make_the_same_tables_as_others(
    tmp_path_factory: Any, requests: list[tuple[list[dict[str, Any]], bool, bool]], classes: tuple[Any, ...]
) -> None:
    from polars.testing import assert_frame_equal

    entries, texts = [], []
    for i, (asked, has_chances, v2) in enumerate(requests):
        # One tensor for each column: all rows have all of them.
        rows = [{"x": row.get("a"), "y": row.get("b")} for row in asked] if v2 else asked
        more: dict[str, Any] = {"outputs": {"score": [0.5] * len(rows)}} if v2 and i % 2 else {}
        if has_chances and classes:
            more |= {"classes": list(classes), "probabilities": [[0.25, 0.75]] * len(rows)}
        if i % 3 == 2:
            more |= {"is_shadow": True, "instead_of": 7}
        entries.append(line(f"r{i}", i + 0.5, rows, **more))
        texts.append(plain(entries[-1], v2=v2))
    folder = tmp_path_factory.mktemp("log")
    write(folder, "aa", entries)
    other = tmp_path_factory.mktemp("log")
    (other / open_name("predictions", "aa")).write_bytes(b"".join(texts))
    both = [log.follow(str(one), Cursor()).lines for one in (folder, other)]
    assert both[0] == both[1]
    for one in (folder, other):
        log.seal(str(one / open_name("predictions", "aa")))
    told = [log.read(str(one), shadows=True, failed=True) for one in (folder, other)]
    assert_frame_equal(*told, check_column_order=False)


@settings(max_examples=tries(40), deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("xxxy"), st.integers(1, 3), st.sampled_from([2, 2, 2, 1]), st.booleans()),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([(), ("no", "yes"), (0, 1)]),
    st.integers(0, 7),
)
def test_tensors_that_are_alike_make_the_same_table_at_once_as_one_by_one(
    tmp_path_factory: Any, requests: list[tuple[str, int, int, bool]], classes: tuple[Any, ...], odd: int
) -> None:
    from polars.testing import assert_frame_equal

    texts = []
    for i, (name, n, width, is_nested) in enumerate(requests):
        values: list[Any] = [[i + 0.5 + j for j in range(width)] for _ in range(n)]
        asked = {"name": name, "shape": [n, width], "datatype": "?", "data": values if is_nested else flat(values)}
        label: list[Any] = [None if i == odd else "a" for _ in range(n)]
        outputs: list[Any] = [{"name": "label", "shape": [n], "datatype": "?", "data": label}]
        if i != odd + 1:
            outputs.append({"name": "probabilities", "shape": [n, 2], "datatype": "?", "data": [0.25, 0.75] * n})
        both = (Raw(json.dumps({"inputs": [asked]}).encode()), Raw(json.dumps({"outputs": outputs}).encode()))
        marks = (i == odd + 2, 3 if i == odd + 3 else 0)
        texts.append(encoder.encode(PlainV2Line(f"r{i}", i + 0.5, 1.5, "m", 2, *both, *marks, classes)) + b"\n")
    path = tmp_path_factory.mktemp("log") / open_name("predictions", "aa")
    path.write_bytes(b"".join(texts))
    quick, _ = lines.table(str(path), "predictions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction_line, "alike", lambda _: None)
        slow, _ = lines.table(str(path), "predictions")
    assert quick is not None
    assert slow is not None
    assert_frame_equal(quick, slow, check_column_order=False)


def test_what_is_usual_is_sealed_at_once() -> None:
    inputs = Raw(b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1.5,2.5]}]}')
    outputs = Raw(b'{"outputs":[{"name":"label","shape":[1],"datatype":"INT64","data":[1]}]}')
    one = prediction_line.decode(encoder.encode(PlainV2Line("r", 1.0, 1.0, "m", 2, inputs, outputs)))
    found = prediction_line.alike([one, one])
    assert found is not None
    assert (found.n_rows, found.features, found.predictions) == ([1, 1], {"x.0": [1.5] * 2, "x.1": [2.5] * 2}, [1, 1])


def test_a_cut_off_line_is_left_out_and_a_damaged_one_is_kept_aside(tmp_path: Path) -> None:
    path = write(tmp_path, "aa", [line("r", 1.0)])
    strange = b'{"request_id":"s","at":1.5,"ms":1,"model":"m","version":2,"request":[5],"answer":{"predictions":[1]}}\n'
    with open(path, "ab") as f:
        f.write(b"\0\0\0\n" + strange + json.dumps(line("q", 2.0)).encode() + b'\n{"request_id": "cut')
    assert log.read(str(tmp_path))["request_id"].to_list() == ["r", "q"]
    log.seal(path)
    assert log.read(str(tmp_path))["request_id"].to_list() == ["r", "q"]
    assert (tmp_path / "predictions-aa.damaged").read_bytes() == b"\0\0\0\n" + strange


def test_sealing_twice_and_half_sealed_files_give_every_row_once(tmp_path: Path) -> None:
    path = write(tmp_path, "aa", [line("r", 1.0)])
    sealed = log.seal(path)
    write(tmp_path, "aa", [line("r", 1.0)])
    assert log.read(str(tmp_path)).height == 1
    assert log.seal(path) == sealed
    assert log.seal(path) is None
    assert log.read(str(tmp_path)).height == 1


def test_entries_that_a_killed_writer_left_twice_are_given_once(tmp_path: Path) -> None:
    log.seal(write(tmp_path, "aa", [line("r", 1.0), line("q", 2.0)]))
    log.seal(write(tmp_path, "bb", [line("q", 2.0), line("q", 3.0), line("s", 4.0)]))
    write(tmp_path, "cc", [line("s", 4.0), line("t", 5.0)])
    got = log.read(str(tmp_path)).select("request_id", "at").rows()
    assert got == [("r", 1.0), ("q", 2.0), ("q", 3.0), ("s", 4.0), ("t", 5.0)]


def test_a_time_is_read_from_its_beginning_up_to_its_end(tmp_path: Path) -> None:
    for i, token in enumerate(["aa", "bb", "cc"]):
        log.seal(write(tmp_path, token, [line(f"r{i}{j}", 10.0 * i + j) for j in range(3)]))
    got = [frame["request_id"].to_list() for frame in log.scan(str(tmp_path), since=1.0, until=12.0)]
    assert got == [["r01", "r02"], ["r10", "r11"]]
    assert log.read(str(tmp_path), since=100.0).columns == ["request_id", "row", "at"]


def test_a_request_is_found_in_open_and_sealed_files_the_newest_first(tmp_path: Path) -> None:
    log.seal(write(tmp_path, "aa", [line("r", 1.0, [{"x": 1.0}]), line("q", 2.0, version=1)]))
    write(tmp_path, "bb", [line("r", 5.0, [{"x": 2.0}, {"x": 3.0}])])
    write(tmp_path, "cc", [label("q", 1, 9.0, 9.5)], "labels")
    found = log.find(str(tmp_path), "r")
    assert found is not None
    assert (found.at, found.rows["feature.x"].to_list(), found.labels) == (5.0, [2.0, 3.0], ())
    other = log.find(str(tmp_path), "q")
    assert other is not None
    assert (other.version, [one.label for one in other.labels]) == (1, [1])
    assert log.find(str(tmp_path), "z") is None
    assert log.find(str(tmp_path / "nowhere"), "z") is None


def test_of_labels_for_one_row_the_last_to_come_counts_and_unknown_ones_are_counted(tmp_path: Path) -> None:
    log.seal(write(tmp_path, "aa", [line("r", 1.0, [{"x": 1.0}, {"x": 2.0}]), line("q", 2.0)]))
    labels = [
        label("r", 1, 8.0, 10.0),
        label("r", 0, 7.0, 11.0),
        label("r", 1, 9.0, 12.0, row=1),
        label("z", 1, 9.0, 13.0),
    ]
    log.seal(write(tmp_path, "ll", labels[:2], "labels"))
    write(tmp_path, "mm", labels[2:], "labels")
    told = log.joined(str(tmp_path))
    assert told.frame.select("request_id", "row", "label", "label_at").rows() == [
        ("r", 0, 0, 7.0), ("r", 1, 1, 9.0), ("q", 0, None, None),
    ]  # fmt: skip
    assert (told.n_labelled, told.n_unknown, told.n_repeated) == (2, 1, 1)


def test_without_labels_all_predictions_wait_for_theirs(tmp_path: Path) -> None:
    write(tmp_path, "aa", [line("r", 1.0)])
    told = log.joined(str(tmp_path))
    assert told.frame["label"].to_list() == [None]
    assert told.n_labelled == 0


def test_a_segment_is_plain_parquet(tmp_path: Path) -> None:
    sealed = log.seal(write(tmp_path, "aa", [line("r", 1.0005)]))
    assert sealed is not None
    assert os.path.basename(sealed) == "predictions-0000000001000-0000000001001-v2-aa.parquet"
    assert pl.read_parquet(sealed).schema["at"] == pl.Float64


@pytest.mark.parametrize("is_sealed", [True, False], ids=["sealed", "open"])
def test_what_a_shadow_said_is_apart_from_what_clients_got(tmp_path: Path, is_sealed: bool) -> None:
    ours = write(tmp_path, "aa", [line("r", 5.0), line("q", 6.0)])
    # Version 3 was a shadow, and answered clients afterwards; the times are the same to the last bit.
    copied = [line("r", 5.0, version=3, is_shadow=True), line("q", 7.0, version=3, is_shadow=True)]
    theirs = write(tmp_path, "bb", [*copied, line("p", 8.0, version=3)])
    if is_sealed:
        log.seal(ours)
        log.seal(theirs)
    frame = log.read(str(tmp_path))
    assert frame.select("request_id", "version").rows() == [("r", 2), ("q", 2), ("p", 3)]
    assert "is_shadow" not in frame.columns
    both = log.read(str(tmp_path), shadows=True).sort("version", "request_id")
    assert both.select("request_id", "version", "is_shadow").rows() == [
        ("q", 2, False), ("r", 2, False), ("p", 3, False), ("q", 3, True), ("r", 3, True)
    ]  # fmt: skip
    found = log.find(str(tmp_path), "q")
    assert found is not None
    assert (found.version, found.at) == (2, 6.0)
    assert log.joined(str(tmp_path)).frame.height == 3


@pytest.mark.parametrize("is_sealed", [True, False], ids=["sealed", "open"])
def test_failed_requests_are_apart_from_answers(tmp_path: Path, is_sealed: bool) -> None:
    refused = line("a", 5.0, [{"x": None}], predictions=[], status=400)
    unread = line("b", 6.0, [], status=400)
    stood_in = line("c", 7.0, instead_of=3)
    lost = line("c", 7.5, predictions=[], status=503, instead_of=4, is_shadow=True)
    path = write(tmp_path, "aa", [refused, unread, stood_in, lost, line("d", 8.0)])
    plain = write(tmp_path, "bb", [line("e", 9.0)])
    if is_sealed:
        log.seal(path)
        log.seal(plain)
    frame = log.read(str(tmp_path))
    assert frame["request_id"].to_list() == ["c", "d", "e"]
    assert not {"status", "instead_of", "is_shadow"} & set(frame.columns)
    told = log.read(str(tmp_path), failed=True)
    assert told.select("request_id", "row", "status", "instead_of", "prediction").rows() == [
        ("a", 0, 400, 0, None), ("b", 0, 400, 0, None), ("c", 0, 200, 3, 0), ("d", 0, 200, 0, 0), ("e", 0, 200, 0, 0),
    ]  # fmt: skip
    both = log.read(str(tmp_path), failed=True, shadows=True)
    assert both.filter(pl.col("is_shadow")).select("request_id", "status", "instead_of").rows() == [("c", 503, 4)]
    assert log.find(str(tmp_path), "a") is None
    assert log.joined(str(tmp_path)).frame.height == 3


def test_files_that_know_no_failures_need_no_columns_for_them(tmp_path: Path) -> None:
    sealed = log.seal(write(tmp_path, "aa", [line("r", 1.0)]))
    assert sealed is not None
    assert not {"status", "instead_of", "is_shadow"} & set(pl.read_parquet(sealed).columns)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), CELLS), max_size=6))
def test_a_file_read_in_pieces_is_the_one_read_at_once(tmp_path_factory: Any, rows: list[dict[str, Any]]) -> None:
    from polars.testing import assert_frame_equal

    entries = [line(f"r{i}", float(i), [row], is_shadow=i % 3 == 2) for i, row in enumerate(rows)]
    path = write(tmp_path_factory.mktemp("log"), "aa", entries)
    at_once, _ = lines.table(path, "predictions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "PIECE_BYTES", 1)
        in_pieces, _ = lines.table(path, "predictions")
    if at_once is None or in_pieces is None:
        assert at_once is in_pieces is None
    else:
        assert_frame_equal(at_once, in_pieces, check_column_order=False)


def test_a_file_that_another_process_seals_is_left_to_it(tmp_path: Path) -> None:
    import fcntl
    import subprocess
    import sys

    def seal(*paths: str) -> int:
        return subprocess.run([sys.executable, "-P", "-m", "headway.serving.seal", *paths], check=False).returncode

    path = write(tmp_path, "aa", [line("r", 1.0)])
    with Path(path).open("rb") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        assert seal(path) == 0
        assert Path(path).exists()
    assert seal(path, path) == 0
    assert not Path(path).exists()
    assert len(list(tmp_path.glob("*.parquet"))) == 1
