"""Only what nobody needs is deleted, and never what is young."""

import os
import time

import pytest

from headway.backends.blobs_file import FileBlobs
from headway.core.ids import Artifact, Digest
from headway.flows.gc import collect
from headway.flows.statcache import StatCache
from headway.flows.store import keep, present
from headway.testing.folders import write_folder


@pytest.fixture
def root(tmp_path: "os.PathLike[str]") -> str:
    return os.path.join(os.path.realpath(tmp_path), "blobs")


@pytest.fixture
def blobs(root: str) -> FileBlobs:
    return FileBlobs(root)


def _folder(blobs: FileBlobs, tmp_path: "os.PathLike[str]") -> Artifact:
    write_folder(os.path.join(tmp_path, "out"), {"a": b"needed", "b": {"c": b"too"}})
    return keep(blobs, os.fspath(tmp_path), "out", StatCache())


LATER = time.time() + 1e6


def test_a_needed_folder_keeps_all_its_files_and_the_rest_goes(blobs: FileBlobs, tmp_path: "os.PathLike[str]") -> None:
    artifact, log, waste = _folder(blobs, tmp_path), blobs.put(b"a step's log"), blobs.put(b"waste")
    done = collect(blobs, [artifact], [log], now=LATER, grace_s=3600)
    assert (done.n_removed, done.removed_bytes, done.n_kept, done.n_fresh, done.missing) == (1, 5, 4, 0, ())
    assert present(blobs, artifact)
    assert blobs.has([log, waste]) == {log}


def test_what_is_young_is_left_for_a_run_that_has_not_told_the_log_yet(blobs: FileBlobs) -> None:
    digest = blobs.put(b"young")
    assert collect(blobs, [], [], now=time.time(), grace_s=3600).n_fresh == 1
    assert blobs.has([digest]) == {digest}


def test_what_was_stored_again_is_young_again(blobs: FileBlobs, root: str) -> None:
    digest = blobs.put(b"old")
    os.utime(os.path.join(root, digest[:2], digest), (1.0, 1.0))
    blobs.put(b"old")
    assert collect(blobs, [], [], now=time.time(), grace_s=3600).n_fresh == 1


def test_a_dry_run_says_the_same_and_does_nothing(blobs: FileBlobs) -> None:
    digest = blobs.put(b"waste")
    done = collect(blobs, [], [], now=LATER, grace_s=0, dry_run=True)
    assert (done.n_removed, done.removed_bytes) == (1, 5)
    assert blobs.has([digest]) == {digest}


def test_needed_blobs_that_are_not_there_are_told(blobs: FileBlobs, tmp_path: "os.PathLike[str]") -> None:
    artifact, gone = _folder(blobs, tmp_path), Digest("0" * 64)
    blobs.delete([artifact.digest], before=4e9)
    done = collect(blobs, [artifact], [gone], now=time.time(), grace_s=3600)
    assert done.missing == tuple(sorted([gone, artifact.digest]))


def test_what_killed_writers_left_goes_after_a_day_not_before(blobs: FileBlobs, root: str) -> None:
    blobs.put(b"x")
    left = os.path.join(root, "tmp", "left")
    with open(left, "wb") as f:
        f.write(b"half")
    collect(blobs, [], [], now=time.time() + 3600, grace_s=0)
    assert os.path.exists(left)
    assert collect(blobs, [], [], now=time.time() + 90_000, grace_s=0).removed_bytes == 4
    assert not os.path.exists(left)


def test_collecting_twice_removes_nothing_more(blobs: FileBlobs, tmp_path: "os.PathLike[str]") -> None:
    artifact = _folder(blobs, tmp_path)
    blobs.put(b"waste")
    collect(blobs, [artifact], [], now=LATER, grace_s=0)
    assert collect(blobs, [artifact], [], now=LATER, grace_s=0).n_removed == 0
