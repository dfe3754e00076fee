"""Commands that only look leave nothing behind, and need no right to write."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from end_to_end.project import HEADWAY, Ended, Project, environ

LOOKING = (
    "status", "runs", "models", "endpoints", "gc --dry-run", "plan", "run --dry-run",
    "triggers", "show", "logs", "logs 1 train", "diff 1 1", "audit",
    "data list", "data status", "data log", "data diff lock work", "data verify",
)  # fmt: skip

PIPELINE = """
steps:
  - name: Train
    run: echo trained && cp data.csv model.bin
    shell: sh -e {0}
    in: data.csv
    out: {model: model.bin}
"""


KEPT = (".headway/cache/stat", ".headway/cache/stat-folders")
"""What is remembered of unchanged files, for the next one who looks: with the right to write, that may be newer."""


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    """Every path below a folder; of each file its size and when it was changed.

    What comes and goes while a command is at work (SQLite puts files beside its own) shows in the times of folders.
    """
    states = {path: path.lstat() for path in folder.rglob("*") if str(path.relative_to(folder)) not in KEPT}
    return {
        str(path.relative_to(folder)): (0, 0) if path.is_dir() else (state.st_size, state.st_mtime_ns)
        for path, state in states.items()
    }


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project")
    made.pipeline(PIPELINE)
    made.write("data.csv", "1\n")
    return made


@pytest.mark.parametrize("words", LOOKING)
def test_where_nothing_has_run_looking_makes_nothing_and_says_so(words: str, project: Project) -> None:
    before = everything(project.folder)
    ended = project(*words.split(), expect=None)
    assert everything(project.folder) == before
    told = ended.out + ended.err
    assert ended.code in (0, 2)
    if ended.code:
        assert any(
            said in told
            for said in ("there is no run", "there is no log: nothing was recorded here", "names no dataset")
        )


def test_in_a_folder_that_is_no_project_looking_makes_nothing(tmp_path: Path) -> None:
    bare = Project(tmp_path / "bare")
    for words in LOOKING:
        bare(*words.split(), expect=None)
    assert list(bare.folder.iterdir()) == []


@pytest.mark.parametrize("words", LOOKING)
def test_looking_at_a_project_changes_nothing_in_it(words: str, ran: Project) -> None:
    before = everything(ran.folder)
    ran(*words.split())
    assert everything(ran.folder) == before


def test_a_clone_is_looked_at_and_stays_a_clone(ran: Project, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(ran.folder, clone, ignore=shutil.ignore_patterns(".headway", "model.bin"))
    for words in ("data status", "data list", "data log", "data diff lock work"):
        Project(clone)(*words.split())
        assert not (clone / ".headway").exists()


def test_what_was_read_of_files_is_remembered_by_one_who_looks(ran: Project) -> None:
    cache = ran.home / "cache" / "stat"
    cache.unlink()
    # Files that were changed shortly before are not remembered.
    time.sleep(0.1)
    ran("data", "status")
    assert cache.exists()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("ran") / "project")
    made.pipeline(PIPELINE)
    made.write("data.csv", "1\n")
    made("run")
    return made


@pytest.fixture(scope="module")
def sealed(ran: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that ran, in which nobody may write."""
    folder = tmp_path_factory.mktemp("sealed") / "project"
    shutil.copytree(ran.folder, folder)
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return Project(folder)


@pytest.mark.parametrize("words", LOOKING)
def test_one_who_may_not_write_may_look(words: str, sealed: Project) -> None:
    assert may_not_write(sealed, *words.split()).out


def test_one_who_may_not_write_is_told_so_when_running(sealed: Project) -> None:
    ended = may_not_write(sealed, "run", expect=1)
    assert "written" in ended.err


def may_not_write(project: Project, *words: str, expect: int = 0) -> Ended:
    """Run a command as one whom permissions bind: root, too, once it has laid down the right to pass them by."""
    bound: tuple[str, ...] = ()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root is bound by no permission, and there is no setpriv to bind it")
        bound = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
    done = subprocess.run(
        [*bound, *HEADWAY, *words],
        cwd=project.folder,
        env=environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    ended = Ended(words, done.returncode, done.stdout, done.stderr)
    assert ended.code == expect, ended
    return ended


def test_the_log_of_another_user_is_read_also_while_a_run_of_theirs_is_at_work(tmp_path: Path) -> None:
    theirs = Project(tmp_path / "theirs")
    theirs.pipeline("steps:\n  - run: touch begun; while [ ! -e go ]; do sleep 0.02; done\n")
    run = theirs.start("run")
    try:
        while not (theirs.folder / "begun").exists():
            assert run.poll() is None
            time.sleep(0.02)
        for path in (theirs.home, theirs.folder):
            path.chmod(0o555)
        assert "running" in may_not_write(theirs, "runs").out
    finally:
        for path in (theirs.folder, theirs.home):
            path.chmod(0o755)
        (theirs.folder / "go").touch()
        run.communicate(timeout=60)
