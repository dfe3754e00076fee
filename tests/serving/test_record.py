"""The recorder with its real writer: what was noted is in files, whatever is killed, full or gone in between."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from headway.core.prediction_log import Cursor, Label
from headway.core.recording import Recording
from headway.serving import log_writer
from headway.serving.record import Answered, PredictionLog
from headway.tables import prediction_log as files

ALL = Recording()


def entry(name: object, x: float = 1.0) -> Answered:
    return Answered(str(name), time.time(), 1.0, "predict", b'{"x": %r}' % x, b'{"predictions": [1]}')


def log_of(folder: Path, recording: Recording = ALL, room_bytes: int = 64 * 2**20, **more: Any) -> PredictionLog:
    begin = {"folder": str(folder / "predictions"), "model": "m", "version": 2, **more}
    return PredictionLog(begin, recording, room_bytes=room_bytes)


def run(what: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(what())  # type: ignore[arg-type] # a coroutine


async def until(is_so: Callable[[], object], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.02)


def writers(folder: Path) -> list[int]:
    """The processes that write into this folder, by the files they hold open."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            open_files = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        except OSError:
            continue
        if int(pid) != os.getpid() and any(name.startswith(str(folder)) for name in open_files):
            found.append(int(pid))
    return found


def ids_in(folder: Path) -> list[str]:
    return [str(name) for name in files.read(str(folder))["request_id"].to_list()]


def ids(folder: Path) -> list[str]:
    return ids_in(folder / "predictions")


def test_what_is_noted_is_in_a_file_soon_and_sealed_at_the_end(tmp_path: Path) -> None:
    log = log_of(tmp_path)

    async def go() -> None:
        for i in range(100):
            log.note(entry(i, i))
        assert log.label((Label("7", 1, 5.0),))
        await until(lambda: log.n_written == 100)
        assert ids(tmp_path) == [str(i) for i in range(100)]
        log.note(entry("last"))
        await log.close()

    run(go)
    assert (log.n_noted, log.n_written, log.n_dropped, log.n_labels, log.held_bytes) == (101, 101, 0, 1, 0)
    told = files.joined(str(tmp_path / "predictions"))
    assert (told.frame.height, told.n_labelled) == (101, 1)


def test_only_the_share_is_written_and_labels_always(tmp_path: Path) -> None:
    log = log_of(tmp_path, Recording(share=0.2))

    async def go() -> None:
        for i in range(1000):
            log.note(entry(i))
        await log.close()

    run(go)
    assert 150 < log.n_written < 250
    assert log.n_left_out + log.n_written == log.n_noted == 1000
    assert len(ids(tmp_path)) == log.n_written


def test_what_there_is_no_room_for_is_dropped_and_counted_to_the_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "predictions").write_text("a file where the folder should be: nothing can be written")
    log = log_of(tmp_path, room_bytes=50_000)

    async def go() -> None:
        for i in range(1000):
            log.note(entry(i))
        assert not log.label((Label("7", 1, 5.0),) * 1000)
        await until(lambda: log.trouble)
        held = log.n_noted - log.n_dropped
        assert 100 < held < 1000
        (tmp_path / "predictions").unlink()
        await until(lambda: log.n_written == held)
        assert log.trouble == ""
        log.note(entry("after"))
        await log.close()

    run(go)
    assert log.n_written + log.n_dropped == log.n_noted == 1001
    assert len(ids(tmp_path)) == log.n_written
    said = capsys.readouterr().err
    assert "cannot be written, and is tried again: Not a directory" in said
    assert "it is written again" in said
    assert f"{log.n_dropped:,} predictions were dropped" in said


def test_a_disk_that_stays_away_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.serving.record.CLOSE_S", 0.5)
    (tmp_path / "predictions").write_text("")
    log = log_of(tmp_path)

    async def go() -> None:
        log.note(entry("a"))
        await until(lambda: log.trouble)
        await log.close()

    run(go)
    assert (log.n_noted, log.n_written, log.n_dropped) == (1, 0, 1)


def test_a_killed_writer_loses_nothing(tmp_path: Path) -> None:
    log = log_of(tmp_path)

    async def go() -> None:
        for i in range(30):
            log.note(entry(i))
            if i in (5, 17):
                await until(lambda: writers(tmp_path))
                for pid in writers(tmp_path):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.03)
        await until(lambda: log.n_written == 30)
        await log.close()

    run(go)
    assert sorted(ids(tmp_path), key=int) == [str(i) for i in range(30)]
    assert log.n_dropped == 0


def test_a_killed_writer_leaves_each_entry_to_be_followed_once(tmp_path: Path) -> None:
    log = log_of(tmp_path, seal_bytes=4000)
    folder = str(tmp_path / "predictions")
    told: list[str] = []
    cursor = Cursor()

    def look() -> int:
        nonlocal cursor
        new = files.follow(folder, cursor, most=7)
        cursor = new.cursor
        found = [*(one.request_id for one in new.lines), *(one.request_id for one in new.labels)]
        told.extend(found)
        return len(found)

    async def go() -> None:
        n = 0
        for round_ in range(5):
            for _ in range(40):
                log.note(entry(n))
                assert log.label((Label(f"label-{n}", 1, 5.0, received_at=time.time()),))
                n += 1
                if n % 7 == 0:
                    look()
                await asyncio.sleep(0.003)
            if round_ % 2:
                await until(lambda: writers(tmp_path))
                # Not the one that seals: it is none of the log's, and what it leaves is sealed by the next.
                for pid in writers(tmp_path):
                    os.kill(pid, signal.SIGKILL)
        await until(lambda: log.n_written == log.n_labels == n)
        await log.close()

    run(go)
    while look():
        pass
    wanted = [str(i) for i in range(200)] + [f"label-{i}" for i in range(200)]
    assert sorted(told) == sorted(wanted)
    assert sorted(ids(tmp_path), key=int) == [str(i) for i in range(200)]


def test_a_log_whose_folder_is_deleted_begins_anew(tmp_path: Path) -> None:
    log = log_of(tmp_path)

    async def go() -> None:
        log.note(entry("a"))
        await until(lambda: log.n_written == 1)
        for name in os.listdir(tmp_path / "predictions"):
            (tmp_path / "predictions" / name).unlink()
        (tmp_path / "predictions").rmdir()
        log.note(entry("b"))
        await until(lambda: log.n_written == 2)
        await log.close()

    run(go)
    assert ids(tmp_path) == ["b"]


def test_files_are_sealed_by_size_and_deleted_by_age(tmp_path: Path) -> None:
    old = "predictions-0000000001000-0000000002001-v1-aa.parquet"
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / old).write_text("")
    log = log_of(tmp_path, seal_bytes=1000)

    async def go() -> None:
        for i in range(60):
            log.note(entry(i))
            await asyncio.sleep(0.02)
        await until(lambda: any(name.endswith(".parquet") for name in os.listdir(tmp_path / "predictions")))
        await log.close()

    run(go)
    assert len(ids(tmp_path)) == 60
    assert old not in os.listdir(tmp_path / "predictions")


def test_segments_are_made_in_the_background_until_too_many_files_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    class Process:
        """One that never ends: whoever has the processor does not let it go."""

        def __init__(self, argv: list[str], **_: object) -> None:
            started.append(argv[argv.index("headway.serving.seal") + 1 :])

        def poll(self) -> None:
            return None

    monkeypatch.setattr(subprocess, "Popen", Process)
    read, report = os.pipe()
    writer = log_writer.Writer(log_writer.Begin(folder=str(tmp_path / "p"), model="m", version=2, seal_bytes=1), report)
    for i in range(9):
        writer.write(log_writer.Batch(number=i, entries=[entry(i)]))
        writer.tend()
    os.close(read)
    os.close(report)
    assert [(one[0] == "--hurry", len(one)) for one in started] == [(False, 1), (True, 5)]
    handed = {name for one in started for name in one if name != "--hurry"}
    assert handed <= {str(path) for path in (tmp_path / "p").glob("*.jsonl")}
    assert len(ids_in(tmp_path / "p")) == 9


def test_what_cannot_be_read_is_counted_and_the_rest_written(tmp_path: Path) -> None:
    log = log_of(tmp_path)

    async def go() -> None:
        log.note(Answered("bad", 1.0, 1.0, "infer", b"{", b"{}", 0))
        log.note(entry("good"))
        await log.close()

    run(go)
    assert (log.n_written, log.n_unreadable, ids(tmp_path)) == (1, 1, ["good"])


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from headway.serving.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(sys.argv[1], "predictions")
journal.append(b"first\\n", 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
try:
    journal.append(b"second line\\n", 1)
except OSError as e:
    print(e.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append(b"third\\n", 1)
print(open(journal.path).read())
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "p")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n") == ["File too large", "first", "third", "", ""]


def test_of_a_batch_that_a_disk_takes_in_part_whole_lines_stay(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from headway.serving.log_writer import Begin, Writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = Writer(Begin(folder=sys.argv[1], model="m", version=2), 1)
writer._append("predictions", b"one\\n", 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (11, resource.RLIM_INFINITY))
writer._append("predictions", b"two\\nthree\\nfour\\n", 3)
print(writer._journals["predictions"].n_lines)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "p")], capture_output=True, text=True, check=True
    )
    assert done.stdout == '{"trouble":"File too large"}\n{"trouble":""}\n2\n'
    found = sorted(one.read_text() for one in (tmp_path / "p").glob("*.jsonl"))
    assert found == ["one\ntwo\n", "three\nfour\n"]
