"""The prediction log's files: what is sealed, read by time and by request, and joined with labels that came later."""

import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core.prediction_log import open_name
from headway.tables import prediction_log as log

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


@settings(max_examples=30, deadline=None)
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


def test_a_cut_off_line_is_left_out_and_a_damaged_one_is_kept_aside(tmp_path: Path) -> None:
    path = write(tmp_path, "aa", [line("r", 1.0)])
    with open(path, "ab") as f:
        f.write(b"\0\0\0\n" + json.dumps(line("q", 2.0)).encode() + b'\n{"request_id": "cut')
    assert log.read(str(tmp_path))["request_id"].to_list() == ["r", "q"]
    log.seal(path)
    assert log.read(str(tmp_path))["request_id"].to_list() == ["r", "q"]
    assert (tmp_path / "predictions-aa.damaged").read_bytes() == b"\0\0\0\n"


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


@given(st.lists(st.dictionaries(st.sampled_from("abc"), CELLS), max_size=6))
def test_a_file_read_in_pieces_is_the_one_read_at_once(tmp_path_factory: Any, rows: list[dict[str, Any]]) -> None:
    from polars.testing import assert_frame_equal

    from headway.tables import prediction_lines as lines

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
