"""The store on disk under SIGKILL: what was reported stored is there, whole, whatever was under way, gc included.

Two processes work on one store: one stores and reports what it stored, one collects all that was not reported. Both are
killed at random moments, again and again.
"""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from headway.backends.blobs_file import FileBlobs
from headway.core.ids import Digest

WRITER = """
import os, random, sys, time
from headway.backends.blobs_file import FileBlobs
root, reported, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
r = random.Random(seed)
noise = random.Random(1).randbytes(1_500_000)
blobs = FileBlobs(root)
path = os.path.join(os.path.dirname(reported), "source")
print("begun", flush=True)
while True:
    done = []
    match r.randrange(4):
        case 0:
            done.append(blobs.put(b"alone %d" % r.randrange(500)))
        case 1:
            with blobs.batch() as batch:
                for _ in range(r.randrange(300)):
                    done.append(batch.put(b"one of many %d" % r.randrange(3000) * r.randrange(1, 20)))
        case 2:
            with open(path, "wb") as f:
                at = r.randrange(len(noise))
                f.write(noise[:at] + b"%d" % r.randrange(20) + noise[at:])
            done.append(blobs.put_file(path, move=r.random() < 0.2)[0])
        case 3:
            with blobs.batch() as batch:
                at = r.randrange(len(noise))
                done.append(batch.put(noise[at:] + noise[:at]))
                done.append(batch.put(b"beside it %d" % r.randrange(100)))
    if r.random() < 0.1:
        blobs.sync()
    if r.random() < 0.5:
        # Stored, but nobody will ever ask for it: until another round stores the same and says so.
        continue
    with open(reported, "a") as f:
        f.write("".join(digest + chr(10) for digest in done))
    if r.random() < 0.3:
        # Long enough for what was stored before to have become old.
        time.sleep(0.3)
"""

COLLECTOR = """
import sys, time
from headway.backends.blobs_file import FileBlobs
root, reported = sys.argv[1], sys.argv[2]
print("begun", flush=True)
while True:
    blobs = FileBlobs(root)
    now = time.time()
    try:
        with open(reported) as f:
            kept = {line[:-1] for line in f if len(line) == 65}
    except FileNotFoundError:
        continue
    kept |= {part for _, parts in blobs.parts(list(kept)) for part in parts}
    doomed = [blob.digest for blob in blobs.list() if blob.digest not in kept]
    blobs.delete(doomed, before=now - 5.0)
    blobs.sweep(before=now - 3600)
"""


def _start(script: str, *words: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, "-c", script, *words], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    return process


def _kill_again_and_again(folder: str, n: int) -> None:
    root, reported = os.path.join(folder, "blobs"), os.path.join(folder, "reported")
    r = random.Random(n)
    for i in range(n):
        workers = [_start(WRITER, root, reported, str(i)), _start(COLLECTOR, root, reported)]
        try:
            time.sleep(r.random() * 1.2)
            assert [worker.poll() for worker in workers] == [None, None]
        finally:
            r.shuffle(workers)
            for worker in workers:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.communicate()
        _see(root, reported, whole=i % 10 == 9 or i == n - 1)


def _see(root: str, reported: str, *, whole: bool) -> None:
    if not os.path.exists(reported):
        return
    with open(reported) as f:
        lines = f.read().split("\n")
    digests = sorted({Digest(line) for line in lines if len(line) == 64})
    blobs = FileBlobs(root)
    assert blobs.has(digests) == set(digests)
    assert list(blobs.check(digests if whole else digests[::20])) == []


def test_what_was_reported_stored_is_there_after_a_kill(tmp_path: "os.PathLike[str]") -> None:
    _kill_again_and_again(os.fspath(tmp_path), 4)


@pytest.mark.slow
def test_what_was_reported_stored_is_there_after_a_hundred_kills(tmp_path: "os.PathLike[str]") -> None:
    _kill_again_and_again(os.fspath(tmp_path), 100)
