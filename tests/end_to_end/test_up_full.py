"""`headway up` on a disk that fills and is freed again: told, nothing lost, and nobody need start it anew."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from end_to_end.project import Project, finish
from end_to_end.test_faults_files import mount, unmount

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PIPELINE = """
pipeline: churn
triggers: {data: {dataset: day.csv}}
steps:
  - {id: load, run: echo load >> ledger}
"""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Project]:
    """A project on a disk of 6 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)):
        pytest.skip("only root can mount a small disk: `headway up` on a full disk is NOT tested here")
    try:
        yield Project(disk / "project")
    finally:
        unmount(disk)


def eventually(project: Project, kind: str, n: int = 1) -> list[dict[str, Any]]:
    give_up_at = time.monotonic() + 120.0
    while len(found := [fact for fact in project.facts() if fact["kind"] == kind]) < n:
        assert time.monotonic() < give_up_at, f"{len(found)} {kind}, not {n}"
        time.sleep(0.1)
    return found


def fill(path: Path) -> None:
    """Take all the room there is, page by page."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (65536, 4096, 1):
            while True:
                try:
                    os.write(fd, b"\0" * size)
                except OSError:
                    break
    finally:
        os.close(fd)


def test_a_disk_that_fills_while_it_watches_loses_no_event(small: Project) -> None:
    small.pipeline(PIPELINE)
    small.write("ledger", "")
    data = small.write("day.csv", "a,b\n1,2\n")
    process = small.start("up", "--json")
    assert process.stdout is not None
    said: list[dict[str, Any]] = [json.loads(process.stdout.readline())]
    while not (small.home / "log.sqlite").exists():
        time.sleep(0.05)
    eventually(small, "SourceWatched")
    ballast = small.folder / "ballast"
    fill(ballast)
    # In the page that the file has already.
    with data.open("r+") as file:
        file.write("a,b\n3,4\n")
    while "no space is left" not in said[-1]["says"]:
        said.append(json.loads(process.stdout.readline()))
    assert process.poll() is None
    ballast.unlink()
    (ended,) = eventually(small, "FiringEnded")
    assert ended["outcome"] == "passed"
    process.send_signal(signal.SIGTERM)
    assert finish(process).code == 0
    assert len([fact for fact in small.facts() if fact["kind"] == "RunStarted"]) == 1
    small("audit")
