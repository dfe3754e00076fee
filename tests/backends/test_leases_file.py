"""Leases in locked files: the kernel frees them, children do not inherit them, a removed file is noticed."""

import os
import signal
import subprocess
import sys

import pytest

from headway.backends import connect
from headway.backends.leases_file import FileLeases
from headway.errors import LeaseHeld, StoreTrouble
from headway.ports import Leases
from headway.testing.leases_contract import LeasesContract
from headway.testing.processes import eventually

HOLD = """
import sys, time
from headway.backends.leases_file import FileLeases
FileLeases(sys.argv[1]).acquire("project", holder="another", ttl_s=1, now=0)
print("held", flush=True)
time.sleep(60)
"""


class TestFileLeases(LeasesContract):
    def make(self, root: str) -> Leases:
        leases = connect("leases", f"file:{root}")
        assert isinstance(leases, FileLeases)
        return leases


def _held(leases: FileLeases) -> bool:
    return leases.holder("project", now=0) is not None


def test_a_lease_ends_with_its_holder_even_by_sigkill(tmp_path: "os.PathLike[str]") -> None:
    root = os.path.join(tmp_path, "leases")
    with subprocess.Popen([sys.executable, "-c", HOLD, root], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        leases = FileLeases(root)
        with pytest.raises(LeaseHeld, match="another"):
            leases.acquire("project", holder="us", ttl_s=1, now=0)
        child.send_signal(signal.SIGKILL)
    assert not _held(leases)
    leases.acquire("project", holder="us", ttl_s=1, now=0)
    assert leases.holder("project", now=0) == "us"


def test_a_step_that_outlives_its_run_does_not_keep_the_lease(tmp_path: "os.PathLike[str]") -> None:
    leases = FileLeases(os.path.join(tmp_path, "leases"))
    leases.acquire("project", holder="us", ttl_s=1, now=0)
    with subprocess.Popen(["/bin/sleep", "60"], close_fds=False) as child:
        leases.release("project", holder="us")
        try:
            # A child is told of as started an instant before the kernel closes what it must not inherit.
            eventually(lambda: not _held(leases))
        finally:
            child.kill()


def test_a_lease_whose_file_was_removed_is_lost(tmp_path: "os.PathLike[str]") -> None:
    root = os.path.join(tmp_path, "leases")
    ours, theirs = FileLeases(root), FileLeases(root)
    ours.acquire("project", holder="us", ttl_s=1, now=0)
    os.unlink(os.path.join(root, "project.lease"))
    theirs.acquire("project", holder="them", ttl_s=1, now=0)
    with pytest.raises(LeaseHeld, match="them"):
        ours.renew("project", holder="us", ttl_s=1, now=0)
    with pytest.raises(LeaseHeld):
        ours.acquire("project", holder="us", ttl_s=1, now=0)


def test_the_holder_can_be_read_with_cat(tmp_path: "os.PathLike[str]") -> None:
    FileLeases(os.fspath(tmp_path)).acquire("project", holder="ann@box:17", ttl_s=1, now=0)
    with open(os.path.join(tmp_path, "project.lease")) as f:
        assert f.read() == "ann@box:17"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: "os.PathLike[str]") -> None:
    path = os.path.join(tmp_path, "file")
    with open(path, "w"):
        pass
    with pytest.raises(StoreTrouble, match="cannot be taken"):
        FileLeases(os.path.join(path, "leases")).acquire("project", holder="us", ttl_s=1, now=0)
