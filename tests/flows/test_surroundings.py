"""Where a run's code came from, asked of a real Git; and the interpreter that steps find."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from headway import __version__, config
from headway.backends.blobs_memory import MemoryBlobs
from headway.core.facts import Source
from headway.flows.commands import find
from headway.flows.surroundings import MAX_DIFF_BYTES, answer, ask, place, user

PATH = config.load().environ["PATH"]
ENVIRON = {
    "PATH": PATH,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
}


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, env=ENVIRON, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A repository without a commit."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    return tmp_path


@pytest.fixture
def repository(empty: Path) -> Path:
    """A repository with one commit of one file."""
    (empty / "train.py").write_text("print(1)\n")
    git(empty, "add", ".")
    git(empty, "commit", "--quiet", "--message=first")
    return empty


def source(folder: Path, **environ: str) -> tuple[Source, str]:
    """What Git says of a folder, and the text of the diff that was kept."""
    blobs = MemoryBlobs()
    found = answer(ask(str(folder), {**ENVIRON, **environ}), blobs)
    return found, blobs.get(found.diff).decode() if found.diff else ""


def test_a_clean_tree_gives_commit_and_branch(repository: Path) -> None:
    assert source(repository)[0] == Source(commit=git(repository, "rev-parse", "HEAD"), branch="main")


def test_a_folder_below_belongs_to_the_repository(repository: Path) -> None:
    (repository / "a" / "b").mkdir(parents=True)
    assert source(repository / "a" / "b")[0].branch == "main"


def test_a_change_is_kept_as_a_diff(repository: Path) -> None:
    (repository / "train.py").write_text("print(2)\n")
    found, diff = source(repository)
    assert found.commit == git(repository, "rev-parse", "HEAD")
    assert " M train.py\n" in diff
    assert "-print(1)\n+print(2)\n" in diff


def test_a_staged_change_counts_too(repository: Path) -> None:
    (repository / "train.py").write_text("print(2)\n")
    git(repository, "add", ".")
    assert "+print(2)\n" in source(repository)[1]


def test_an_untracked_file_is_named(repository: Path) -> None:
    (repository / "grüße.py").write_text("")
    assert source(repository)[1] == "?? grüße.py\n\n"


def test_an_ignored_file_does_not_count(repository: Path) -> None:
    (repository / ".headway").mkdir()
    (repository / ".headway" / ".gitignore").write_text("*\n")
    assert source(repository)[0].diff is None


def test_the_lock_is_what_a_run_makes_and_not_what_it_is_made_from(repository: Path) -> None:
    (repository / "headway.lock").write_text("version: 1\n")
    assert source(repository)[0].diff is None


def test_what_changed_beside_the_project_does_not_count(repository: Path) -> None:
    (repository / "project").mkdir()
    (repository / "train.py").write_text("print(2)\n")
    assert source(repository / "project")[0].diff is None


def test_the_same_changes_are_one_blob(repository: Path) -> None:
    (repository / "train.py").write_text("print(2)\n")
    assert source(repository)[0] == source(repository)[0]


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--detach")
    assert source(repository)[0] == Source(commit=git(repository, "rev-parse", "HEAD"))


def test_a_branch_may_have_slashes(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "feature/new-model")
    assert source(repository)[0].branch == "feature/new-model"


def test_a_repository_without_a_commit_has_none(empty: Path) -> None:
    (empty / "train.py").write_text("")
    assert source(empty)[0] == Source()


def test_a_folder_outside_of_any_repository_has_none(tmp_path: Path) -> None:
    assert ask(str(tmp_path), ENVIRON) is None
    assert answer(None, MemoryBlobs()) == Source()


def test_a_machine_without_git_has_none(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert source(repository, PATH=str(tmp_path_factory.mktemp("bin")))[0] == Source()


def test_a_git_that_cannot_be_started_is_as_none(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    bin_ = tmp_path_factory.mktemp("bin")
    (bin_ / "git").write_text("no program")
    (bin_ / "git").chmod(0o755)
    assert source(repository, PATH=str(bin_))[0] == Source()


def test_a_broken_repository_has_none(repository: Path) -> None:
    (repository / ".git" / "HEAD").write_text("nonsense")
    assert source(repository)[0] == Source()


def test_users_own_settings_of_git_change_nothing(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = tmp_path_factory.mktemp("home") / "config"
    settings.write_text(
        "[color]\nui = always\n[diff]\nexternal = false\nmnemonicPrefix = true\n[status]\nshort = true\n"
    )
    (repository / "train.py").write_text("print(2)\n")
    _, diff = source(repository, GIT_CONFIG_GLOBAL=str(settings))
    assert "-print(1)\n+print(2)\n" in diff
    assert "\x1b" not in diff


def test_a_huge_diff_is_cut(repository: Path) -> None:
    (repository / "train.py").write_text("0123456789abcde\n" * (MAX_DIFF_BYTES // 12))
    _, diff = source(repository)
    assert MAX_DIFF_BYTES <= len(diff) < MAX_DIFF_BYTES + 1000


ASK = """
import os, sys
from headway.backends.blobs_memory import MemoryBlobs
from headway.flows.surroundings import answer, ask
before = os.listdir("/proc/self/fd")
assert answer(ask(sys.argv[1], dict(os.environ)), MemoryBlobs()).commit
assert os.listdir("/proc/self/fd") == before
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("none")
"""


def test_asking_leaves_no_process_and_no_descriptor_behind(repository: Path) -> None:
    # In a process of its own: other tests of this one may have left something, or just now clear it away.
    done = subprocess.run([sys.executable, "-c", ASK, str(repository)], env=ENVIRON, capture_output=True, check=True)
    assert done.stdout == b"none\n"


# --- the place --------------------------------------------------------------------------------------------------


def interpreter(folder: Path, *, name: str = "python", cfg: str | None = None) -> Path:
    """Something that looks like a virtual environment of Python 3.12."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python3.12").write_text("")
    (folder / "bin" / "python3.12").chmod(0o755)
    if not (folder / "bin" / name).exists():
        (folder / "bin" / name).symlink_to("python3.12")
    for package in ("numpy-2.1.0", "scikit_learn-1.5.2"):
        (folder / "lib" / "python3.12" / "site-packages" / f"{package}.dist-info").mkdir(parents=True)
    if cfg is not None:
        (folder / "pyvenv.cfg").write_text(cfg)
    return folder / "bin"


def placed(*path: Path, **environ: str) -> tuple[str, str]:
    """Python as the run records it, and the list of packages."""
    blobs = MemoryBlobs()
    found = place({"PATH": ":".join(map(str, path)), **environ}, blobs)
    return found.python, blobs.get(found.packages).decode() if found.packages else ""


def test_the_packages_are_those_of_the_python_that_steps_find(tmp_path: Path) -> None:
    bin_ = interpreter(tmp_path, cfg="home = /usr\nversion = 3.12.7\n")
    assert placed(bin_) == (f"3.12.7 {bin_}/python", "numpy==2.1.0\nscikit_learn==1.5.2")


def test_uv_says_the_version_in_its_own_word(tmp_path: Path) -> None:
    bin_ = interpreter(tmp_path, cfg="version_info = 3.12.9\n")
    assert placed(bin_)[0] == f"3.12.9 {bin_}/python"


def test_without_an_environment_the_programs_name_tells_the_version(tmp_path: Path) -> None:
    bin_ = interpreter(tmp_path)
    assert placed(bin_) == (f"3.12 {bin_}/python", "numpy==2.1.0\nscikit_learn==1.5.2")


def test_the_first_python_on_the_path_counts(tmp_path: Path) -> None:
    first, second = interpreter(tmp_path / "a"), interpreter(tmp_path / "b")
    assert placed(first, second)[0] == f"3.12 {first}/python"


def test_python3_stands_in_where_there_is_no_python(tmp_path: Path) -> None:
    bin_ = interpreter(tmp_path, name="python3")
    assert placed(bin_)[0] == f"3.12 {bin_}/python3"


def test_no_python_at_all_is_said_as_that(tmp_path: Path) -> None:
    assert placed(tmp_path) == ("", "")


def test_a_python_that_tells_nothing_is_at_least_named(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\n")
    (tmp_path / "python").chmod(0o755)
    assert placed(tmp_path) == (f"{tmp_path}/python", "")


def test_the_machine_and_the_user_are_recorded() -> None:
    found = place({"PATH": PATH, "USER": "ann"}, MemoryBlobs())
    assert (found.user, found.host, found.headway) == ("ann", os.uname().nodename, __version__)
    assert found.platform.startswith(os.uname().sysname)
    assert place({"PATH": PATH, "LOGNAME": "bob"}, MemoryBlobs()).user == "bob"
    assert place({"PATH": PATH}, MemoryBlobs()).user == pwd.getpwuid(os.getuid()).pw_name


def test_a_user_whom_the_machine_does_not_know_is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    assert user({}) == str(2**31 - 7)


@pytest.mark.skipif(find("git", {"PATH": PATH}) is None, reason="without git")
def test_the_answer_may_come_long_after_the_question(repository: Path) -> None:
    asked = ask(str(repository), ENVIRON)
    (repository / "later.py").write_text("")
    assert answer(asked, MemoryBlobs()).commit == git(repository, "rev-parse", "HEAD")
