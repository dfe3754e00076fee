"""Labels from files: every form, what is refused, and what is news beside what came before."""

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core.prediction_log import Cursor
from headway.errors import ColumnMissing, DataUnreadable, DiskFull, HeadwayError, SystemRefused
from headway.tables import prediction_log
from headway.tables.label_news import Counts, News, n_unasked, news, put
from headway.tables.labels import Columns, read
from logged import START

AT = 1_764_000_000.0
TABLE = pl.DataFrame({"request_id": ["a", "b"], "label": [1, 0]})


def written(path: Path, frame: pl.DataFrame) -> str:
    if path.suffix == ".csv":
        frame.write_csv(path)
    elif path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dicts()))
    return str(path)


PLAIN = Columns()


def rows(path: str, columns: Columns = PLAIN) -> list[dict[str, Any]]:
    return list(read(path, columns, name="labels", at=AT).frame.to_dicts())


# --- reading ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "ndjson"])
def test_all_forms_say_the_same(tmp_path: Path, ending: str) -> None:
    found = rows(written(tmp_path / f"may.{ending}", TABLE))
    assert found == [
        {"request_id": "a", "row": 0, "label": 1, "at": AT},
        {"request_id": "b", "row": 0, "label": 0, "at": AT},
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_rows_and_times_are_taken_where_they_are(tmp_path: Path, ending: str) -> None:
    frame = pl.DataFrame({"request_id": ["a", "a"], "row": [0, 2], "late": ["yes", "no"], "at": [1.5, None]})
    found = rows(written(tmp_path / f"may.{ending}", frame))
    assert [(one["row"], one["label"], one["at"]) for one in found] == [(0, "yes", 1.5), (2, "no", AT)]


def test_columns_may_be_called_otherwise(tmp_path: Path) -> None:
    frame = pl.DataFrame({"order": ["a"], "churned": [True], "seen": [2.0], "x": ["other"]})
    path = written(tmp_path / "may.parquet", frame)
    (one,) = rows(path, Columns(key="order", label="churned", at="seen"))
    assert one == {"request_id": "a", "row": 0, "label": True, "at": 2.0}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_id_that_looks_like_a_number_stays_as_it_is(tmp_path: Path, ending: str) -> None:
    frame = pl.DataFrame({"request_id": ["007", "8"], "label": [1, 0]})
    assert [one["request_id"] for one in rows(written(tmp_path / f"may.{ending}", frame))] == ["007", "8"]


def test_a_whole_number_of_more_than_64_bits_is_kept_as_a_text(tmp_path: Path) -> None:
    frame = pl.DataFrame({"request_id": ["a", "b"], "label": [2**64 - 1, 3]}, schema_overrides={"label": pl.UInt64})
    assert [one["label"] for one in rows(written(tmp_path / "may.parquet", frame))] == ["18446744073709551615", "3"]


def test_a_column_of_rows_that_is_empty_means_the_first_row(tmp_path: Path) -> None:
    frame = pl.DataFrame({"request_id": ["a"], "label": [1], "row": [None], "at": [None]})
    assert rows(written(tmp_path / "may.parquet", frame)) == [{"request_id": "a", "row": 0, "label": 1, "at": AT}]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2026-11-27T08:00:00Z", 1795766400.0),
        ("2026-11-27 08:00:00", 1795766400.0),
        (dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC), 1795766400.0),
        (dt.date(2026, 11, 27), 1795737600.0),
        (1795766400, 1795766400.0),
    ],
    ids=str,
)
def test_times_may_be_written_as_people_do(tmp_path: Path, value: object, seconds: float) -> None:
    frame = pl.DataFrame({"request_id": ["a"], "label": [1], "at": [value]})
    (one,) = rows(written(tmp_path / "may.parquet", frame))
    assert one["at"] == seconds


def test_of_a_row_the_last_word_counts_and_what_has_no_label_yet_is_left(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"request_id": ["a", "a", "a", "b", "c"], "label": [1, 0, 2, None, 5], "at": [5.0, 9.0, 7.0, 1.0, 1.0]}
    )
    found = read(written(tmp_path / "may.csv", frame), Columns(), name="may.csv", at=AT)
    assert sorted(found.frame.select("request_id", "label").rows()) == [("a", 0), ("c", 5)]
    assert (found.n_empty, found.n_repeated, found.is_timed) == (1, 2, True)


def test_lines_may_hold_labels_of_several_types(tmp_path: Path) -> None:
    path = tmp_path / "may.jsonl"
    path.write_text('{"request_id": "a", "label": 1}\n\n{"request_id": "b", "label": "late"}\n')
    assert [one["label"] for one in rows(str(path))] == ["1", "late"]


def test_a_column_of_lists_holds_no_request_ids(tmp_path: Path) -> None:
    frame = pl.DataFrame({"request_id": [["a"]], "label": [1]})
    with pytest.raises(DataUnreadable, match="holds no request ids"):
        rows(written(tmp_path / "may.parquet", frame))


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("may.csv", "id,label\na,1\n", ColumnMissing, "'request_id'"),
        ("may.csv", "request_id,x,y\na,1,2\n", ColumnMissing, "several columns"),
        ("may.csv", "request_id\na\n", ColumnMissing, "several columns, or none"),
        ("may.csv", "request_id,label\n,1\na,0\n", DataUnreadable, "1 row of may.csv"),
        ("may.csv", "request_id,row,label\na,first,1\n", DataUnreadable, "'row'"),
        ("may.csv", "request_id,row,label\na,-1,1\n", DataUnreadable, "'row'"),
        ("may.csv", "request_id,at,label\na,soon,1\n", DataUnreadable, "no times"),
        ("may.csv", "", DataUnreadable, "cannot be read"),
        ("may.parquet", "PAR1", DataUnreadable, "cannot be read"),
        ("may.jsonl", '{"request_id": "a", "label": 1}\n[1]\n', DataUnreadable, "cannot be read"),
        ("may.jsonl", "\n", DataUnreadable, "cannot be read"),
        ("may.jsonl", '{"request_id": ["a"], "label": 1}\n', DataUnreadable, "'request_id' is no id"),
        ("may.csv", "request_id,row,label\na,18446744073709551615,1\n", DataUnreadable, "'row'"),
        ("may.csv", "request_id,at,label\na,NaN,1\nb,1.5,1\n", DataUnreadable, "no times"),
        ("may.jsonl", '{"request_id": "a", "label": 1, "at": [1]}\n', DataUnreadable, "no times"),
        ("may.xlsx", "", DataUnreadable, "no table by its name"),
    ],
)
def test_what_cannot_be_read_is_refused_whole(
    tmp_path: Path, name: str, content: str, error: type[HeadwayError], words: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(error) as refused:
        read(str(tmp_path / name), Columns(), name=name, at=AT)
    assert words in refused.value.problem
    assert refused.value.remedy


def test_labels_that_are_no_single_values_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "may.parquet", pl.DataFrame({"request_id": ["a"], "label": [[1, 2]]}))
    with pytest.raises(DataUnreadable, match="no single values"):
        rows(path)


# --- what is news -----------------------------------------------------------------------------------------------


def say(folder: Path, labels: dict[str, Any], *, at: float | None = None, now: float = 1.0, row: int = 0) -> Counts:
    """Add these labels as a file would, with a time of its own or without any."""
    frame: dict[str, Any] = {"request_id": list(labels), "label": list(labels.values()), "row": [row] * len(labels)}
    if at is not None:
        frame["at"] = [at] * len(labels)
    path = written(folder / f"said-{os.urandom(4).hex()}.parquet", pl.DataFrame(frame))
    found = news(str(folder / "log"), [read(path, Columns(), name="said", at=AT)])
    put(str(folder / "log"), found, received_at=now)
    (said,) = found.counts
    return said


def counts(said: Counts) -> tuple[int, int, int, int]:
    return said.n_new, said.n_corrected, said.n_known, said.n_older


def what_counts(folder: Path) -> dict[str, Any]:
    """The label that counts for each request: as a window of a monitor has it."""
    found = prediction_log.read(str(folder / "log"), "labels")
    last = found.unique(subset=["request_id", "row"], keep="last", maintain_order=True)
    return dict(last.select("request_id", "label").rows())


def test_labels_that_came_again_change_nothing(tmp_path: Path) -> None:
    assert counts(say(tmp_path, {"a": 1, "b": 0})) == (2, 0, 0, 0)
    assert counts(say(tmp_path, {"b": 0, "a": 1}, now=2.0)) == (0, 0, 2, 0)
    assert len(os.listdir(tmp_path / "log")) == 1


def test_the_same_label_however_it_is_written_is_known(tmp_path: Path) -> None:
    say(tmp_path, {"a": 1, "b": 0})
    assert counts(say(tmp_path, {"a": "1", "b": "0.0"}, now=2.0)) == (0, 0, 2, 0)
    assert counts(say(tmp_path, {"a": True, "b": True}, now=3.0)) == (0, 1, 1, 0)


def test_a_correction_counts_from_when_it_came(tmp_path: Path) -> None:
    say(tmp_path, {"a": 1, "b": 0}, at=10.0)
    assert counts(say(tmp_path, {"a": 0, "c": 1}, at=20.0, now=2.0)) == (1, 1, 0, 0)
    assert what_counts(tmp_path) == {"a": 0, "b": 0, "c": 1}


def test_a_clock_that_was_set_back_undoes_no_correction(tmp_path: Path) -> None:
    for now, label in ((50.0, 0), (50.0, 1), (20.0, 2)):
        say(tmp_path, {"a": label, "b": 1}, at=60.0 + label, now=now)
    assert what_counts(tmp_path) == {"a": 2, "b": 1}


def test_an_older_file_that_comes_later_undoes_no_correction(tmp_path: Path) -> None:
    say(tmp_path, {"a": 0}, at=20.0)
    assert counts(say(tmp_path, {"a": 1, "b": 1}, at=10.0, now=2.0)) == (1, 0, 0, 1)
    assert what_counts(tmp_path) == {"a": 0, "b": 1}


def test_a_file_without_times_that_grew_undoes_no_correction(tmp_path: Path) -> None:
    say(tmp_path, {"a": 1})
    say(tmp_path, {"a": 0}, now=2.0)
    assert counts(say(tmp_path, {"a": 1, "b": 1}, now=3.0)) == (1, 0, 1, 0)
    assert what_counts(tmp_path) == {"a": 0, "b": 1}


def test_a_label_may_be_corrected_back_where_times_say_so(tmp_path: Path) -> None:
    for now, (label, at) in enumerate([(1, 10.0), (0, 20.0), (1, 30.0)], 1):
        say(tmp_path, {"a": label}, at=at, now=now)
    assert what_counts(tmp_path) == {"a": 1}


def test_rows_of_one_request_have_labels_of_their_own(tmp_path: Path) -> None:
    say(tmp_path, {"a": 1}, row=0)
    assert counts(say(tmp_path, {"a": 0}, row=1, now=2.0)) == (1, 0, 0, 0)


def test_labels_of_other_types_than_before_are_read_together(tmp_path: Path) -> None:
    say(tmp_path, {"a": 1})
    say(tmp_path, {"b": "late"}, now=2.0)
    assert what_counts(tmp_path) == {"a": "1", "b": "late"}


FILES = st.lists(
    st.tuples(st.integers(0, 3), st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), min_size=1)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=8, deadline=None)
@given(files=FILES, data=st.data())
def test_in_whatever_order_and_however_often_files_come_the_latest_label_counts(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[int, dict[str, int]]], data: st.DataObject
) -> None:
    # One file of each time, so that which is the latest can be said.
    files = [(time, labels) for time, labels in dict(files).items()]
    order = data.draw(st.permutations(files * 2))
    folder = tmp_path_factory.mktemp("labels")
    for now, (time, labels) in enumerate(order, 1):
        say(folder, labels, at=float(time), now=float(now))
    latest: dict[str, int] = {}
    for _, labels in sorted(files, key=lambda one: one[0]):
        latest |= labels
    assert what_counts(folder) == latest


@settings(max_examples=8, deadline=None)
@given(files=FILES, data=st.data())
def test_files_that_are_read_together_say_what_they_say_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[int, dict[str, int]]], data: st.DataObject
) -> None:
    files = list(dict(files).items())
    order = data.draw(st.permutations(files))
    folder = tmp_path_factory.mktemp("labels")
    say(folder, data.draw(st.dictionaries(st.sampled_from("abc"), st.integers(0, 2))), at=1.5)
    reads = []
    for n, (time, said) in enumerate(order):
        frame = pl.DataFrame({"request_id": list(said), "label": list(said.values()), "at": [float(time)] * len(said)})
        reads.append(read(written(folder / f"{n}.parquet", frame), Columns(), name="said", at=AT))
    (folder / "one").mkdir()
    for name in os.listdir(folder / "log") if (folder / "log").exists() else ():
        (folder / "one" / "log").mkdir(exist_ok=True)
        (folder / "one" / "log" / name).write_bytes((folder / "log" / name).read_bytes())
    found = news(str(folder / "log"), reads)
    put(str(folder / "log"), found, received_at=50.0)
    for n, one in enumerate(reads):
        put(str(folder / "one" / "log"), news(str(folder / "one" / "log"), [one]), received_at=50.0 + n)
    assert what_counts(folder) == what_counts(folder / "one")
    assert [sum(counts(one)) for one in found.counts] == [one.frame.height for one in reads]


def test_a_file_of_texts_beside_one_of_numbers_and_one_without_any_label(tmp_path: Path) -> None:
    frames: list[dict[str, Any]] = [{"a": 1}, {"b": "late"}, {}]
    reads = [
        read(
            written(tmp_path / f"{n}.parquet", pl.DataFrame({"request_id": list(one), "label": list(one.values())})),
            Columns(), name="said", at=AT,
        )
        for n, one in enumerate(frames)
    ]  # fmt: skip
    found = news(str(tmp_path / "log"), reads)
    assert dict(found.frame.select("request_id", "label").rows()) == {"a": "1", "b": "late"}
    assert [one.n_new for one in found.counts] == [1, 1, 0]
    alone = news(str(tmp_path / "log"), [reads[0], reads[2]])
    assert dict(alone.frame.select("request_id", "label").rows()) == {"a": 1}


# --- in the log -------------------------------------------------------------------------------------------------


def test_what_was_put_is_read_like_labels_that_a_server_wrote(tmp_path: Path) -> None:
    say(tmp_path, {"a": 1}, at=5.0, now=START)
    (name,) = os.listdir(tmp_path / "log")
    assert os.stat(tmp_path / "log" / name).st_mode & 0o777 == 0o600
    (row,) = prediction_log.read(str(tmp_path / "log"), "labels").to_dicts()
    assert row == {"request_id": "a", "row": 0, "label": 1, "at": 5.0, "received_at": START}
    followed = prediction_log.follow(str(tmp_path / "log"), Cursor())
    assert [one.request_id for one in followed.labels] == ["a"]


def test_labels_of_no_request_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    pl.DataFrame({"request_id": ["a"], "at": [1.0]}).write_parquet(
        folder / "predictions-0000000001000-0000000001001-v3-0123456789abcdef.parquet"
    )
    (folder / "predictions-0123456789abcde0.jsonl").write_text(
        '{"request_id":"b","at":2.0,"ms":1.0,"model":"m","version":3,"rows":[{"x":1}],"predictions":[1]}\n'
    )
    path = written(tmp_path / "may.csv", pl.DataFrame({"request_id": ["a", "b", "c"], "label": [1, 1, 1]}))
    assert n_unasked(str(folder), read(path, Columns(), name="may.csv", at=AT)) == 1


def test_what_somebody_who_was_killed_left_half_done_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "labels-0000000001000-0000000001001-v0-0123456789abcdef.parquet.adding").write_bytes(b"PAR1")
    say(tmp_path, {"a": 1})
    (name,) = os.listdir(folder)
    assert name.endswith(".parquet")


def test_a_folder_that_cannot_be_written_is_told_and_left_as_it_was(tmp_path: Path) -> None:
    found = News(frame=pl.DataFrame({"request_id": ["a"], "row": [0], "label": [1], "at": [1.0]}), counts=())
    (tmp_path / "file").touch()
    with pytest.raises(SystemRefused):
        put(str(tmp_path / "file" / "log"), found, received_at=1.0)


def test_a_disk_that_is_full_is_told_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = News(frame=pl.DataFrame({"request_id": ["a"], "row": [0], "label": [1], "at": [1.0]}), counts=())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFull):
        put(str(tmp_path), found, received_at=1.0)
    assert os.listdir(tmp_path) == []
