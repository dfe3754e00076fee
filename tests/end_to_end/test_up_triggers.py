"""`headway up` with real triggers: data that arrive, commits at a remote, also while it is down."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clones import ENVIRON, Clone
from end_to_end.project import Project

pytestmark = pytest.mark.slow

PIPELINE = """
pipeline: churn
triggers:
  data: [{dataset: data/in}, {dataset: data/a.csv}]
  push: {branches: [main], every: 1s}
steps:
  - run: cat code.txt >> ledger && ls data/in >> ledger
"""


@pytest.fixture
def forge(tmp_path: Path) -> Path:
    bare = tmp_path / "forge.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", bare], check=True, env=ENVIRON)
    return bare


@pytest.fixture
def other(tmp_path: Path, forge: Path) -> Clone:
    """Somebody else's clone."""
    subprocess.run(["git", "clone", "-q", forge, tmp_path / "other"], check=True, env=ENVIRON, capture_output=True)
    clone = Clone(tmp_path / "other")
    clone.git("switch", "-q", "-c", "main")
    (clone.folder / "pipeline.yaml").write_text(PIPELINE)
    (clone.folder / ".gitignore").write_text("ledger\ndata/\n")
    pushed(clone, "one")
    return clone


def pushed(clone: Clone, code: str) -> None:
    (clone.folder / "code.txt").write_text(f"{code}\n")
    clone.git("add", ".")
    clone.git("commit", "-q", "-m", f"Code {code}")
    clone.git("push", "-q", "origin", "main")


@pytest.fixture
def project(tmp_path: Path, forge: Path, other: Clone) -> Project:
    made = Project(tmp_path / "project")
    subprocess.run(["git", "clone", "-q", forge, made.folder], check=True, env=ENVIRON, capture_output=True)
    (made.folder / "data" / "in").mkdir(parents=True)
    return made


@pytest.fixture
def up(project: Project) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        started.append(project.start("up"))
        return started[-1]

    yield start
    for one in started:
        if one.poll() is None:
            one.kill()
            one.communicate()


def of(project: Project, kind: str) -> list[dict[str, Any]]:
    return [one for one in project.facts() if one["kind"] == kind] if (project.home / "log.sqlite").exists() else []


def eventually(project: Project, kind: str, n: int) -> list[dict[str, Any]]:
    end = time.monotonic() + 90
    while len(found := of(project, kind)) < n:
        assert time.monotonic() < end, f"{len(found)} {kind}, not {n}: {of(project, 'EventSeen')}"
        time.sleep(0.05)
    return found


def ledger(project: Project) -> list[str]:
    return (project.folder / "ledger").read_text().split()


def test_data_and_pushes_start_runs_of_what_is_new_whoever_is_killed(
    project: Project, other: Clone, up: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    first = up()
    # Each source is known as it was: nothing has happened yet.
    eventually(project, "SourceWatched", 3)
    assert of(project, "EventSeen") == []

    (project.folder / "data" / "in" / "1.csv").write_text("id\n1\n")
    eventually(project, "FiringEnded", 1)
    assert ledger(project) == ["one", "1.csv"]

    pushed(other, "two")
    eventually(project, "FiringEnded", 2)
    assert ledger(project)[2:] == ["two", "1.csv"]

    first.kill()
    first.communicate()
    # While nobody looks: data, and a push over the last one by force.
    (project.folder / "data" / "in" / "2.csv").write_text("id\n2\n")
    other.git("reset", "-q", "--hard", "HEAD~1")
    (other.folder / "code.txt").write_text("three\n")
    other.git("commit", "-q", "-a", "-m", "Code three")
    other.git("push", "-q", "--force", "origin", "main")
    second = up()
    end = time.monotonic() + 90
    while ledger(project)[-3:] != ["three", "1.csv", "2.csv"]:
        assert time.monotonic() < end, ledger(project)
        time.sleep(0.05)
    second.kill()
    second.communicate()

    sources = [one["source"] for one in of(project, "EventSeen")]
    assert (sources.count("push"), sources.count("data: data/in")) == (2, 2)
    assert len({(one["source"], one["key"]) for one in of(project, "EventSeen")}) == 4


def test_a_file_that_is_being_written_starts_one_run_when_it_is_whole(
    project: Project, up: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    one = up()
    eventually(project, "SourceWatched", 3)
    with (project.folder / "data" / "a.csv").open("w") as file:
        for n in range(20):
            file.write(f"{n}\n")
            file.flush()
            time.sleep(0.2)
        assert of(project, "EventSeen") == []
    (event,) = eventually(project, "EventSeen", 1)
    assert event["source"] == "data: data/a.csv"
    eventually(project, "FiringEnded", 1)
    one.kill()
    one.communicate()
    assert len(of(project, "EventSeen")) == 1
