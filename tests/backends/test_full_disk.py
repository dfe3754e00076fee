"""A disk without room: said in plain words, nothing half written left behind, and all goes on once there is room.

The disk is a real one: a small tmpfs in a mount namespace of its own, which goes with the process.
"""

import os
import shutil
import subprocess
import sys

import pytest

# What each script shares: `disk` is the folder on the small disk, `free` gives back some room.
BEGIN = """
import os, sys
from headway.errors import DiskFull
disk = sys.argv[1]
ballast = os.path.join(disk, "ballast")
with open(ballast, "wb") as f:
    f.write(bytes(512 * 1024))
def refused(act):
    try:
        act()
    except DiskFull as e:
        assert "no space" in e.problem and e.at and e.remedy, e
        return True
    return False
"""

LOG = """
from headway.backends.log_sqlite import SqliteLog
from headway.codec import wire
from headway.core.facts import RunResumed
log = SqliteLog(os.path.join(disk, "log.sqlite"))
n = 0
def append():
    global n
    n = log.append("run/1", [RunResumed(by="x" * 20000), RunResumed(by="y")], expect=n, at=1.0)
while not refused(append):
    assert n < 1000
assert n > 4
assert refused(append)
assert len(log.read("run/1")) == n
assert wire.verify(log.raw())[0] == n
os.unlink(ballast)
append()
log.sync()
log.close()
log = SqliteLog(os.path.join(disk, "log.sqlite"))
assert len(log.read("run/1")) == n
assert wire.verify(log.raw())[0] == n
"""

NEW_LOG = """
from headway.backends.log_sqlite import SqliteLog
with open(os.path.join(disk, "more"), "wb", buffering=0) as f:
    try:
        while f.write(bytes(4096)):
            pass
    except OSError:
        pass
path = os.path.join(disk, "log.sqlite")
assert refused(lambda: SqliteLog(path))
assert sorted(os.listdir(disk)) == ["ballast", "more"], os.listdir(disk)
os.unlink(ballast)
SqliteLog(path).close()
"""

BLOBS = """
from headway.backends.blobs_file import FileBlobs
root = os.path.join(disk, "blobs")
blobs = FileBlobs(root)
kept = set()
def put():
    kept.add(blobs.put(bytes([len(kept)]) * 50000))
while not refused(put):
    assert len(kept) < 1000
assert len(kept) > 4
source = sys.argv[2]
with open(source, "wb") as f:
    f.write(b"z" * 100000)
assert refused(lambda: blobs.put_file(source))
assert refused(lambda: blobs.put_file(source, move=True))
assert os.path.getsize(source) == 100000
assert os.listdir(os.path.join(root, "tmp")) == []
assert {b.digest for b in blobs.list()} == kept
target = os.path.join(disk, "target")
with open(target, "wb") as f:
    f.write(b"old")
assert refused(lambda: blobs.fetch(sorted(kept)[0], target))
with open(target, "rb") as f:
    assert f.read() == b"old"
assert sorted(os.listdir(disk)) == ["ballast", "blobs", "target"], os.listdir(disk)
for digest in kept:
    blobs.get(digest)
os.unlink(ballast)
put()
blobs.put_file(source, move=True)
blobs.fetch(sorted(kept)[0], target)
blobs.sync()
"""

STORE = """
from headway.backends.blobs_file import FileBlobs
from headway.flows.listing import look_of
from headway.flows.store import StatCache, digest_path, keep, restore
project, cache = sys.argv[2], StatCache(os.path.join(disk, "cache", "stat"))
os.makedirs(os.path.join(project, "out", "sub"))
for i in range(30):
    with open(os.path.join(project, "out", "sub", str(i)), "wb") as f:
        f.write(os.urandom(60000))
blobs = FileBlobs(os.path.join(disk, "blobs"))
assert refused(lambda: keep(blobs, project, "out", cache))
elsewhere = FileBlobs(project + "-blobs")
artifact = keep(elsewhere, project, "out", cache)
assert refused(lambda: restore(elsewhere, artifact, disk, cache))
cache.put("x", look_of(os.stat(project)), artifact.digest, read_ns=2**62)
cache.save()
os.unlink(ballast)
for blob in blobs.list():
    blobs.delete([blob.digest], before=4e9)
restore(elsewhere, artifact, disk, cache)
assert digest_path(disk, "out", cache) == artifact
"""

BAD_ROWS = """
from headway.core.validation import DataCheck, Matches
from headway.tables.review import Asked, review
with open(os.path.join(disk, "a.csv"), "w") as f:
    f.writelines(["a\\n", *(f"{os.urandom(8).hex()}\\n" for _ in range(20_000))])
check = DataCheck(asks=Matches("x"), columns=("a",))
bad = os.path.join(disk, "bad.parquet")
asked = Asked(paths=(os.path.join(disk, "a.csv"),), checks=(check,), examples=0, bad_rows=bad)
write = lambda: review(asked, paths_of=lambda name: [name], now=0.0)
assert refused(write)
assert sorted(os.listdir(disk)) == ["a.csv", "ballast"], os.listdir(disk)
os.unlink(ballast)
assert write().n_bad_rows == 20_000
assert sorted(os.listdir(disk)) == ["a.csv", "bad.parquet"], os.listdir(disk)
"""


def _on_a_small_disk(script: str, folder: str, *, size: str) -> None:
    disk, work = os.path.join(folder, "disk"), os.path.join(folder, "work")
    os.mkdir(disk)
    unshare, mount = shutil.which("unshare"), shutil.which("mount")
    if not (unshare and mount):
        pytest.skip("FULL DISK NOT TESTED: this system has no `unshare` or no `mount`")
    own = [unshare, "--mount"] if os.geteuid() == 0 else [unshare, "--mount", "--user", "--map-root-user"]
    done = subprocess.run([*own, mount, "-t", "tmpfs", "none", disk], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"FULL DISK NOT TESTED: no tmpfs may be mounted here: {done.stderr.decode().strip()}")
    line = f'{mount} -t tmpfs -o size={size} none "$1" && shift && exec "$@"'
    subprocess.run(
        [*own, "/bin/sh", "-c", line, "sh", disk, sys.executable, "-c", BEGIN + script, disk, work],
        check=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("script", "size"),
    [(LOG, "1m"), (NEW_LOG, "1m"), (BLOBS, "1m"), (STORE, "2m"), (BAD_ROWS, "1m")],
    ids=["append", "new log", "blobs", "keep and restore", "bad rows"],
)
def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    tmp_path: "os.PathLike[str]", script: str, size: str
) -> None:
    _on_a_small_disk(script, os.path.realpath(tmp_path), size=size)
