"""Data in a repository: added, changed, committed on branches, and brought back byte for byte."""

import os
from pathlib import Path

import pytest

from end_to_end.project import complaint
from end_to_end.repository import Repository
from headway.testing.folders import Content


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "project")


ODD: Content = {
    "a b": b"1",
    "new\nline": b"2",
    "stray-\udcff": b"3",
    "Case": b"4",
    "case": b"5",
    "run": b"#!/bin/sh\n",
    "link": "a b",
    "dangling": "nowhere",
    "empty": {},
    "deep": {"er": {"x": b"6"}, ".hidden": b"7"},
    "-dash": b"",
    "日本": b"8",
}


def test_what_was_added_is_ignored_by_git_pinned_and_unchanged(repo: Repository) -> None:
    repo.put("data/train.csv", b"1\n")
    repo.put("data/images", ODD)
    added = repo("data", "add", "data/train.csv", "data/images", "-m", "first", "--json").json
    assert [(a["version"]["dataset"], a["version"]["version"], a["is_new"]) for a in added] == [
        ("train", 1, True),
        ("images", 1, True),
    ]
    assert repo.git("status", "--short", "-uall").split() == ["??", "data/.gitignore", "??", "headway.lock"]
    assert [s["state"] for s in repo("data", "status", "--check", "--json").json] == ["unchanged", "unchanged"]


def test_adding_again_changes_nothing_and_says_so(repo: Repository) -> None:
    repo.put("train.csv", b"1\n")
    repo("data", "add", "train.csv")
    before = repo.read("headway.lock"), repo.read(".gitignore"), repo.facts()
    assert repo("data", "add", "train.csv").out == "train.csv is train@1 already: nothing changed\n"
    assert (repo.read("headway.lock"), repo.read(".gitignore"), repo.facts()) == before


def test_two_branches_with_different_data_are_checked_out_back_and_forth(repo: Repository) -> None:
    contents: dict[str, dict[str, bytes | Content | None]] = {
        "main": {"data/train.csv": b"a" * 1000, "images": ODD, "only-main": b"m", "only-other": None},
        "other": {"data/train.csv": b"b" * 10, "images": {"x": b"y", "Case": {"now": b"a folder"}},
                  "only-main": None, "only-other": {"z": b"z"}},
    }  # fmt: skip
    repo.commit("nothing")
    for branch, held in contents.items():
        if branch != "main":
            repo.git("checkout", "-q", "-b", branch, "main~1")
            # What main has lies there still, ignored by nothing now: it is another branch's.
            repo("checkout", expect=2)
        for path, content in held.items():
            if content is not None:
                repo.put(path, content)
        repo("data", "add", *[path for path, content in held.items() if content is not None])
        repo.commit(branch)
    for branch in ("main", "other", "main", "other"):
        repo.git("checkout", "-q", branch)
        repo("checkout")
        if branch == "main":
            assert {path: repo.holds(path) for path in contents[branch]} == contents[branch]
        else:
            # What lay there before the first checkout of this branch was nobody's to take away.
            assert {p: repo.holds(p) for p in contents[branch] if contents[branch][p] is not None} == {
                p: c for p, c in contents[branch].items() if c is not None
            }
        assert repo("checkout").out.startswith("nothing to do: ")
        assert repo("data", "status", "--check").code == 0


def test_a_checkout_takes_away_what_only_the_other_commit_has(repo: Repository) -> None:
    repo.put("a", b"1")
    repo("data", "add", "a")
    first = repo.commit()
    repo.put("b", {"x": b"2"})
    repo("data", "add", "b")
    repo.commit()
    repo.git("checkout", "-q", first)
    done = repo("checkout", "--json").json["paths"]
    assert [(one["path"], one["happened"]) for one in done] == [("b", "removed"), ("a", "kept")]
    assert repo.holds("b") is None
    repo.git("checkout", "-q", "main")
    repo("checkout")
    assert repo.holds("b") == {"x": b"2"}


def test_what_was_changed_since_is_not_taken_away(repo: Repository) -> None:
    repo.put("a", b"1")
    repo("data", "add", "a")
    first = repo.commit()
    repo.put("b", b"2")
    repo("data", "add", "b")
    repo.commit()
    repo.put("b", b"3")
    repo.git("checkout", "-q", first)
    repo("checkout")
    assert repo.holds("b") == b"3"


STEPS = """
    steps:
      - {id: clean, run: cat raw.csv > clean.csv, in: raw.csv, out: clean.csv}
      - {id: train, run: cat clean.csv code.py extra > model, in: [clean.csv, code.py, extra], out: {model: model}}
"""


def test_an_old_commit_brings_back_its_data_and_its_model(repo: Repository) -> None:
    repo.pipeline(STEPS)
    repo.put("code.py", b"code 1\n")
    repo.put(".gitignore", b"/raw.csv\n/clean.csv\n/model\n/extra\n")
    repo.put("raw.csv", b"raw 1\n")
    repo.put("extra", {"x": b"extra 1"})
    repo.pipeline(STEPS.replace("code.py extra", "code.py extra/x"))
    repo.git("add", "-A")
    repo("run")
    first = repo.commit("first")
    repo.put("code.py", b"code 2\n")
    repo.put("raw.csv", b"raw 2\n")
    repo.put("extra", {"x": b"extra 2"})
    repo("run")
    repo.commit("second")
    repo.git("checkout", "-q", first)
    repo("checkout")
    held = {name: repo.holds(name) for name in ("raw.csv", "clean.csv", "model", "extra", "code.py")}
    assert held == {
        "raw.csv": b"raw 1\n",
        "clean.csv": b"raw 1\n",
        "model": b"raw 1\ncode 1\nextra 1",
        "extra": {"x": b"extra 1"},
        "code.py": b"code 1\n",
    }
    # And all of it is known: nothing runs.
    assert {action for action, _ in repo.plan().values()} == {"reuse"}
    repo.git("checkout", "-q", "main")
    repo("checkout")
    assert repo.holds("model") == b"raw 2\ncode 2\nextra 2"


def test_what_no_version_holds_is_not_overwritten(repo: Repository) -> None:
    repo.put("data/train.csv", b"1")
    repo.put("images", {"a": b"1", "b": b"2"})
    repo("data", "add", "data/train.csv", "images")
    first = repo.commit()
    repo.put("data/train.csv", b"changed")
    repo.put("images", {"a": b"9", "c": b"new"})
    ended = repo("checkout", expect=5)
    assert "data/train.csv" in complaint(ended)[0]
    assert "images/a" in complaint(ended)[0]
    assert "images/c" in complaint(ended)[0]
    assert repo("checkout", first, "--json", expect=5).json["error"] == "content-unsaved"
    assert (repo.holds("data/train.csv"), repo.holds("images")) == (b"changed", {"a": b"9", "c": b"new"})
    # A part that loses nothing may be checked out.
    repo("data", "add", "data/train.csv")
    repo("checkout", first, "data")
    assert (repo.holds("data/train.csv"), repo.holds("images")) == (b"1", {"a": b"9", "c": b"new"})
    repo("checkout", "--force")
    assert (repo.holds("data/train.csv"), repo.holds("images")) == (b"changed", {"a": b"1", "b": b"2"})


def test_a_file_becomes_a_folder_and_a_folder_a_file(repo: Repository) -> None:
    repo.put("data", b"a file")
    repo("data", "add", "data")
    first = repo.commit()
    os.unlink(repo.folder / "data")
    repo.put("data", {"x": b"1"})
    repo("data", "add", "data")
    repo.commit()
    for commit, content in ((first, b"a file"), ("main", {"x": b"1"}), (first, b"a file")):
        repo.git("checkout", "-q", commit)
        repo("checkout")
        assert repo.holds("data") == content


def test_a_version_is_checked_out_and_pinned(repo: Repository) -> None:
    for content in (b"1", b"2", b"3"):
        repo.put("train.csv", content)
        repo("data", "add", "train.csv")
    repo.commit()
    assert "headway.lock pins train@1" in repo("checkout", "train@1").out
    assert repo.holds("train.csv") == b"1"
    assert repo.git("status", "--short").split() == ["M", "headway.lock"]
    assert repo("checkout").out.startswith("nothing to do")
    repo.git("checkout", "-q", "headway.lock")
    repo("data", "checkout")
    assert repo.holds("train.csv") == b"3"
    digest = repo("data", "log", "train", "--json").json["train"][1]["card"]["version"]["artifact"]["digest"]
    repo("checkout", digest[:8])
    assert repo.holds("train.csv") == b"2"


def test_a_link_out_of_the_project_is_not_followed(repo: Repository, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    repo.put("data/train.csv", b"1")
    repo("data", "add", "data/train.csv")
    os.rename(repo.folder / "data", tmp_path / "data")
    (repo.folder / "data").symlink_to(tmp_path / "elsewhere")
    ended = repo("checkout", expect=1)
    assert "leads out of the project" in complaint(ended)[0]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_clone_without_the_content_is_told_to_pull(repo: Repository, tmp_path: Path) -> None:
    repo.put("train.csv", b"1")
    repo("data", "add", "train.csv")
    repo.commit()
    clone = Repository(tmp_path / "clone")
    clone.git("pull", "-q", os.fspath(repo.folder), "main")
    (state,) = clone("data", "status", "--json").json
    assert (state["state"], state["is_stored"]) == ("missing", False)
    ended = clone("checkout", expect=1)
    assert "headway pull" in complaint(ended)[2]
    # Its own log never saw the version; it goes on from its number.
    clone.put("train.csv", b"2")
    assert clone("data", "add", "train.csv", "--json").json[0]["version"]["version"] == 2
