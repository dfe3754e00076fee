"""SIGKILL at any moment and writers side by side: what was acknowledged is there, once, and nothing is half there."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from headway.backends.blobs_file import FileBlobs
from headway.backends.log_sqlite import SqliteLog
from headway.codec import wire
from headway.core.facts import StepStarted
from headway.core.ids import Digest

N_KILLS = 30

APPEND = """
import sys
from headway.backends.log_sqlite import SqliteLog
from headway.core.facts import StepStarted
log = SqliteLog(sys.argv[1])
n = len(log.read("run/1"))
while True:
    n = log.append("run/1", [StepStarted(step="x" * (n * 7 % 900)) for _ in range(3)], expect=n, at=float(n))
    print(n, flush=True)
    if n % 10 == 0:
        log.sync()
"""

STORE = """
import os, sys
from headway.backends.blobs_file import FileBlobs
blobs = FileBlobs(sys.argv[1])
i = int(sys.argv[2]) * 1000000
path = sys.argv[1] + "-file"
while True:
    i += 1
    data = b"%d " % i * (1, 100, 60000)[i % 3]
    if i % 4:
        digest = blobs.put(data)
    else:
        with open(path, "wb") as f:
            f.write(data)
        digest, _ = blobs.put_file(path, move=i % 8 == 0)
    print(digest, flush=True)
    if i % 20 == 0:
        blobs.sync()
"""

COUNT = """
import sys, time
from headway.backends.log_sqlite import SqliteLog
from headway.core.facts import StepStarted
from headway.errors import AppendConflict
path, name, stream, start, total = *sys.argv[1:4], float(sys.argv[4]), int(sys.argv[5])
while time.time() < start:
    pass
log = SqliteLog(path)
conflicts = 0
length = len(log.read(stream))
mine = 0
while mine < total:
    try:
        length = log.append(stream, [StepStarted(step=f"{name} {mine}")], expect=length, at=1.0)
        mine += 1
    except AppendConflict:
        conflicts += 1
        length = len(log.read(stream))
log.close()
print(conflicts)
"""


def _killed(script: str, *words: str, after_s: float) -> list[str]:
    """The whole lines that a script said until it was killed, a while after its first."""
    with subprocess.Popen([sys.executable, "-c", script, *words], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        time.sleep(after_s)
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
    lines = (first + rest).splitlines(keepends=True)
    return [line.rstrip("\n") for line in lines if line.endswith("\n")]


@pytest.mark.slow
def test_a_log_whose_writer_is_killed_holds_all_that_was_acknowledged_in_whole_batches(
    tmp_path: "os.PathLike[str]",
) -> None:
    path = os.path.join(tmp_path, "log.sqlite")
    moments = random.Random(1)
    for _ in range(N_KILLS):
        told = _killed(APPEND, path, after_s=moments.uniform(0.0, 0.05))
        log = SqliteLog(path)
        entries = log.read("run/1")
        assert len(entries) >= int(told[-1])
        assert len(entries) % 3 == 0
        assert wire.verify(log.raw())[0] == len(entries)
        # Closing now and then moves all into the main file, so that kills meet both forms.
        if moments.random() < 0.5:
            log.close()


@pytest.mark.slow
def test_a_store_whose_writer_is_killed_holds_whole_blobs_only_and_all_that_were_acknowledged(
    tmp_path: "os.PathLike[str]",
) -> None:
    root = os.path.join(tmp_path, "blobs")
    moments = random.Random(2)
    told: set[Digest] = set()
    for i in range(N_KILLS):
        told |= {Digest(line) for line in _killed(STORE, root, str(i), after_s=moments.uniform(0.0, 0.03))}
    blobs = FileBlobs(root)
    assert blobs.has(list(told)) == told
    listed = {blob.digest for blob in blobs.list()}
    assert told <= listed
    for digest in listed:
        blobs.get(digest)
    blobs.sweep(before=time.time() + 60)
    assert os.listdir(os.path.join(root, "tmp")) == []
    assert {blob.digest for blob in blobs.list()} == listed


def _side_by_side(path: str, streams: list[str], total: int) -> int:
    """Writers that begin at one moment; how often one found that another was first."""
    start = str(time.time() + 0.5)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", COUNT, path, str(i), stream, start, str(total)], stdout=subprocess.PIPE, text=True
        )
        for i, stream in enumerate(streams)
    ]
    told = [writer.communicate(timeout=60)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * len(writers)
    return sum(int(text) for text in told)


@pytest.mark.slow
def test_writers_of_one_stream_tell_each_other_apart_and_leave_no_gap(tmp_path: "os.PathLike[str]") -> None:
    path = os.path.join(tmp_path, "log.sqlite")
    _side_by_side(path, ["run/1", "run/1"], 150)
    log = SqliteLog(path)
    facts = [e.fact for e in log.read("run/1")]
    steps = [fact.step for fact in facts if isinstance(fact, StepStarted)]
    assert len(steps) == 300
    for name in ("0", "1"):
        assert [s for s in steps if s.startswith(name)] == [f"{name} {i}" for i in range(150)]
    assert wire.verify(log.raw())[0] == 300
    log.close()


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(3))
def test_processes_that_begin_a_log_at_once_end_up_with_one(tmp_path: "os.PathLike[str]", attempt: int) -> None:
    path = os.path.join(tmp_path, "home", "log.sqlite")
    assert _side_by_side(path, [f"run/{i}" for i in range(4)], 5) == 0
    log = SqliteLog(path)
    assert [len(log.read(f"run/{i}")) for i in range(4)] == [5] * 4
    assert wire.verify(log.raw())[0] == 20
    log.close()
    assert os.listdir(os.path.join(tmp_path, "home")) == ["log.sqlite"]
