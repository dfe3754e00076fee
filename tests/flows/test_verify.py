"""What cannot be had is named with whom it belongs to, and comes back from a remote that has it."""

import os
from pathlib import Path

import pytest

from headway.backends.blobs_file import FileBlobs
from headway.backends.blobs_memory import MemoryBlobs
from headway.core.ids import Artifact, Digest
from headway.flows.needed import Needed
from headway.flows.statcache import StatCache
from headway.flows.store import keep
from headway.flows.verify import verify
from headway.testing.folders import write_folder


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    return FileBlobs(str(tmp_path / "blobs"))


def folder(blobs: FileBlobs | MemoryBlobs, tmp_path: Path) -> Artifact:
    write_folder(str(tmp_path / "data"), {"a": os.urandom(400_000), "b": {"c": b"small"}})
    return keep(blobs, str(tmp_path), "data", StatCache())


def of(artifact: Artifact, *digests: Digest) -> Needed:
    found = Needed(artifacts={}, digests={}, elsewhere=set())
    found.artifact(artifact, "dataset d@1")
    for digest in digests:
        found.digest(digest, "how run 1 came about")
    return found


def test_whole_content_has_no_fault(blobs: FileBlobs, tmp_path: Path) -> None:
    artifact = folder(blobs, tmp_path)
    done = verify(blobs, of(artifact, blobs.put(b"plan")))
    assert (done.n_checked, done.faults) == (4, ())


def test_a_flipped_bit_is_named_by_the_file_that_it_belongs_to(blobs: FileBlobs, tmp_path: Path) -> None:
    artifact = folder(blobs, tmp_path)
    flip(tmp_path / "blobs", at_least=200_000)
    (fault,) = verify(blobs, of(artifact)).faults
    assert (fault.what, fault.of, fault.is_healed) == ("damaged", ("data/a of dataset d@1",), False)


def test_what_is_missing_is_named(blobs: FileBlobs, tmp_path: Path) -> None:
    gone = Digest("0" * 64)
    (fault,) = verify(blobs, of(folder(blobs, tmp_path), gone)).faults
    assert (fault.digest, fault.what, fault.of) == (gone, "missing", ("how run 1 came about",))


def test_a_remote_that_has_it_heals_it(blobs: FileBlobs, tmp_path: Path) -> None:
    artifact = folder(blobs, tmp_path)
    remote = MemoryBlobs()
    assert folder_again(remote, tmp_path) == artifact
    flip(tmp_path / "blobs", at_least=200_000)
    (fault,) = verify(blobs, of(artifact), remote=remote).faults
    assert fault.is_healed
    assert verify(blobs, of(artifact)).faults == ()


def test_a_lost_list_of_a_folder_is_healed_and_then_looked_into(tmp_path: Path) -> None:
    remote, empty = MemoryBlobs(), FileBlobs(str(tmp_path / "empty"))
    artifact = folder(remote, tmp_path)
    faults = verify(empty, of(artifact), remote=remote).faults
    assert len(faults) == 3
    assert all(fault.what == "missing" and fault.is_healed for fault in faults)
    assert verify(empty, of(artifact)).faults == ()


def folder_again(blobs: MemoryBlobs, tmp_path: Path) -> Artifact:
    return keep(blobs, str(tmp_path), "data", StatCache())


def flip(root: Path, *, at_least: int) -> None:
    """Flip a bit in the middle of every large file."""
    for path in root.rglob("*"):
        if path.is_file() and path.stat().st_size >= at_least:
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 4
            path.chmod(0o644)
            path.write_bytes(data)


def test_what_only_another_commit_pins_may_never_have_been_here(blobs: FileBlobs, tmp_path: Path) -> None:
    artifact = folder(blobs, tmp_path)
    needed = of(artifact)
    other = Artifact(path="old.csv", digest=Digest("1" * 64))
    needed.artifact(other, "headway.lock of refs/heads/old")
    assert verify(blobs, needed).faults
    needed.elsewhere.add(other.digest)
    done = verify(blobs, needed)
    assert (done.n_checked, done.n_elsewhere, done.faults) == (3, 1, ())
