"""What a run read and made is versioned without a command: inputs that Git does not track, datasets that changed."""

import os
import subprocess
from pathlib import Path

import pytest

from end_to_end.project import HEADWAY, environ
from end_to_end.repository import Repository
from headway.codec import lock

STEPS = """
    steps:
      - {id: a, run: cat raw.csv code.py > a.out, in: [raw.csv, code.py], out: a.out}
      - {id: b, run: cat a.out > b.out, in: a.out, out: b.out}
"""


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repo = Repository(tmp_path / "project")
    repo.pipeline(STEPS)
    repo.put("code.py", b"code\n")
    repo.put(".gitignore", b"*.csv\n*.out\n")
    repo.put("raw.csv", b"raw\n")
    repo.commit()
    return repo


def pinned(repo: Repository) -> lock.Lock:
    return lock.parse((repo.folder / "headway.lock").read_bytes())


def inputs(repo: Repository) -> list[str] | None:
    found = pinned(repo).inputs
    return None if found is None else list(found)


def test_inputs_that_git_does_not_track_and_no_step_makes_are_pinned(repo: Repository) -> None:
    repo("run")
    assert inputs(repo) == ["raw.csv"]
    repo("run", "--force")
    assert inputs(repo) == ["raw.csv"]


def test_a_changed_input_is_kept_and_the_old_one_comes_back(repo: Repository) -> None:
    repo("run")
    first = repo.commit()
    repo.put("raw.csv", b"other\n")
    repo("run")
    repo("checkout", first)
    assert repo.holds("raw.csv") == b"raw\n"
    assert repo.holds("b.out") == b"raw\ncode\n"
    repo("checkout")
    assert repo.holds("raw.csv") == b"other\n"


def test_of_a_folder_that_git_tracks_in_part_the_rest_is_pinned(repo: Repository) -> None:
    repo.pipeline("steps:\n  - {id: a, run: ls -R data > a.out, in: data, out: a.out}\n")
    repo.put("data", {".gitkeep": b"", "x.csv": b"x", "deep": {"kept.txt": b"k", "y.csv": b"y"},
                      "whole": {"z.csv": b"z"}, "__pycache__": {"q": b"q"}})  # fmt: skip
    repo.commit()
    repo("run")
    assert inputs(repo) == ["data/deep/y.csv", "data/whole", "data/x.csv"]


def test_outside_of_a_repository_nothing_is_kept_of_inputs(repo: Repository) -> None:
    os.rename(repo.folder / ".git", repo.folder / ".not-git")
    repo("run")
    assert inputs(repo) is None


def test_a_lock_of_before_is_looked_at_anew_and_nothing_is_asked_of_git_without_a_change(repo: Repository) -> None:
    repo("run")
    path = repo.folder / "headway.lock"
    new = path.read_text()
    old = new[: new.index("inputs:")] + new[new.index("steps:") :]
    path.write_text(old)
    repo("run")
    assert path.read_text() == new
    # With no Git to be asked, a run without a change, and one whose command alone changed, pin what was pinned.
    repo.pipeline(STEPS.replace("cat a.out", "cat ./a.out"))
    blind = {"PATH": f"{os.path.dirname(HEADWAY[0])}:/nowhere"}
    repo("run", env=blind, expect=None)
    assert inputs(repo) == ["raw.csv"]


def test_a_dataset_that_changed_becomes_a_version_when_a_run_read_it(repo: Repository) -> None:
    repo("data", "add", "raw.csv", "--name", "raw")
    repo("run")
    assert inputs(repo) == []
    repo.put("raw.csv", b"changed\n")
    repo("run")
    versions = [card["card"]["version"] for card in repo("data", "log", "raw", "--json").json["raw"]]
    assert [(v["version"], v.get("note", "")) for v in versions] == [(1, ""), (2, "as run 2 read it")]
    assert pinned(repo).data["raw"].version == 2
    assert repo("data", "status", "--check").code == 0
    # What was a version is that version again.
    repo("checkout", "raw@1")
    repo("run")
    assert pinned(repo).data["raw"].version == 1


def test_a_run_keeps_the_datasets_that_it_does_not_read(repo: Repository) -> None:
    repo.put("other.csv", b"o")
    repo("data", "add", "other.csv")
    repo("run")
    repo("run", "--only", "b", "--force")
    assert list(pinned(repo).data) == ["other"]
    assert inputs(repo) == ["raw.csv"]


def test_a_run_that_fails_pins_nothing(repo: Repository) -> None:
    repo.pipeline(STEPS.replace("cat a.out > b.out", "exit 1"))
    repo("run", expect=1)
    assert not (repo.folder / "headway.lock").exists()


def test_an_input_that_changed_while_it_was_read_is_left_out(repo: Repository) -> None:
    repo.pipeline(STEPS.replace("cat raw.csv", "echo more >> raw.csv; cat raw.csv"))
    repo("run")
    assert inputs(repo) == []


def test_a_lock_left_in_pieces_by_a_merge_finds_its_datasets_again(repo: Repository) -> None:
    repo("data", "add", "raw.csv", "--name", "raw")
    repo("run")
    whole = repo.read("headway.lock")
    repo.write("headway.lock", f"<<<<<<< HEAD\n{whole}=======\n>>>>>>> other\n")
    repo("run", "--force")
    assert repo.read("headway.lock") == whole


def test_what_is_made_by_a_step_cannot_be_added(repo: Repository) -> None:
    repo("run")
    ended = repo("data", "add", "b.out", expect=5)
    assert "output of b" in ended.err


def test_data_can_be_added_while_a_run_is_at_work(repo: Repository) -> None:
    waiting = "touch begun; while test -e begun; do sleep 0.05; done; cp a.out b.out"
    repo.pipeline(STEPS.replace("cat a.out > b.out", waiting))
    process = repo.start("run")
    try:
        while not (repo.folder / "begun").exists():
            assert process.poll() is None
        repo.put("more.csv", b"m")
        repo("data", "add", "more.csv")
        os.unlink(repo.folder / "begun")
        process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    found = pinned(repo)
    assert (list(found.data), list(found.steps)) == (["more"], ["a", "b"])


def test_many_added_at_once_are_all_pinned(repo: Repository) -> None:
    names = [f"d{i}.csv" for i in range(6)]
    for name in names:
        repo.put(name, name.encode())
    at_work = [
        subprocess.Popen([*HEADWAY, "data", "add", name], cwd=repo.folder, env=environ(), stdout=subprocess.DEVNULL)
        for name in names
    ]
    assert [process.wait(timeout=60) for process in at_work] == [0] * 6
    assert sorted(pinned(repo).data) == sorted(name.removesuffix(".csv") for name in names)
