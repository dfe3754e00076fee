"""What gc keeps: locks of the workspace, refs, stashes and commits of late, and every version that stands."""

import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from headway.backends.log_memory import MemoryLog
from headway.codec.lock import Lock, render
from headway.core.dataset import Pin, Snapshot
from headway.core.facts import HoldoutAnswered
from headway.core.holdout import Asking
from headway.core.ids import Artifact, Digest
from headway.core.registry import Registration
from headway.errors import FileFaulty
from headway.flows import dataset, git, holdouts, registry
from headway.flows.needed import needed


class Repository:
    """A repository whose headway.lock pins one dataset."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *identity, *words], cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def pin(self, sign: str) -> None:
        artifact = Artifact(path="d.csv", digest=Digest(sign * 64))
        (self.folder / "headway.lock").write_bytes(render(Lock(data={"d": Pin(artifact=artifact)})))

    def commit(self, sign: str) -> str:
        self.pin(sign)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", sign)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def signs(repo: Repository, log: MemoryLog | None = None) -> dict[str, str]:
    """By the sign of a digest: why it is kept."""
    found = needed(log or MemoryLog(), str(repo.folder), keep_runs=20)
    return {digest[0]: why for digest, (_, why) in found.artifacts.items()}


def test_the_locks_of_the_workspace_branches_tags_and_stashes_are_kept(repo: Repository) -> None:
    repo.commit("a")
    repo.git("tag", "v1")
    repo.git("checkout", "-q", "-b", "other")
    repo.commit("b")
    repo.git("update-ref", "refs/remotes/origin/theirs", "HEAD")
    repo.git("checkout", "-q", "main")
    for sign in "cd":
        repo.pin(sign)
        repo.git("stash", "-q")
    repo.pin("e")
    repo.git("add", "-A")
    repo.pin("f")
    why = signs(repo)
    assert sorted(why) == list("abcdef")
    assert why["f"] == "headway.lock of this workspace"
    assert why["e"] == "headway.lock of the index"
    assert why["a"].startswith("headway.lock of refs/")


def test_commits_of_the_past_are_kept_also_abandoned_ones(repo: Repository) -> None:
    repo.commit("a")
    abandoned = repo.commit("b")
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.commit("c")
    repo.commit("d")
    assert sorted(signs(repo)) == list("abcd")
    assert signs(repo)["b"] == f"headway.lock of commit {abandoned[:12]}"


def test_a_detached_head_and_merged_branches_are_kept(repo: Repository) -> None:
    repo.commit("a")
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("b")
    repo.git("checkout", "-q", "main")
    (repo.folder / "more").write_text("m")
    repo.commit("c")
    repo.git("merge", "-q", "-s", "ours", "side", "-m", "ours")
    repo.git("branch", "-q", "-D", "side")
    repo.git("checkout", "-q", "--detach")
    assert sorted(signs(repo)) == list("abc")


def test_a_project_below_the_top_of_its_repository_is_found(tmp_path: Path) -> None:
    top = Repository(tmp_path)
    below = Repository.__new__(Repository)
    below.folder = tmp_path / "below"
    below.folder.mkdir()
    top.commit("a")
    below.commit("b")
    below.commit("c")
    assert sorted(signs(below)) == ["b", "c"]


def test_without_a_repository_the_workspace_alone_counts(tmp_path: Path) -> None:
    alone = Repository.__new__(Repository)
    alone.folder = tmp_path
    alone.pin("a")
    assert list(signs(alone)) == ["a"]


def test_a_broken_lock_on_a_branch_stops_everything_and_one_of_the_past_does_not(repo: Repository) -> None:
    repo.commit("a")
    (repo.folder / "headway.lock").write_text("<<<<<<< HEAD\n")
    repo.git("commit", "-q", "-a", "-m", "broken")
    repo.git("branch", "broken")
    repo.commit("b")
    with pytest.raises(FileFaulty, match="refs/heads/broken"):
        signs(repo)
    repo.git("branch", "-D", "broken")
    assert sorted(signs(repo)) == ["a", "b"]


def test_every_version_of_a_dataset_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    log = MemoryLog()
    for n, sign in enumerate("abc", 1):
        artifact = Artifact(path="d.csv", digest=Digest(sign * 64))
        dataset.record(log, Snapshot(dataset="d", artifact=artifact), None, now=float(n))
    one = dataset.read(log, "d")
    log.append("dataset/d", [one.forget(2)], expect=one.length, at=4.0)
    alone = Repository.__new__(Repository)
    alone.folder = tmp_path
    assert signs(alone, log) == {"a": "dataset d@1", "c": "dataset d@3"}


def test_what_a_holdout_answered_is_kept_for_it_may_be_asked_the_same_again(tmp_path: Path) -> None:
    log, holdout = MemoryLog(), Digest("b" * 64)
    asking = Asking(holdout=holdout, path="h.csv", question=Digest("q"), key="run/1/gate", confidence=0.95)
    claim = holdouts.ask(log, asking, now=1.0).claim
    answer = HoldoutAnswered(
        ask=1,
        question=Digest("q"),
        outcome="pass",
        reveal="all",
        verdict=Digest("c" * 64),
        answers=Digest("d" * 64),
    )
    holdouts.answer(log, claim, answer, now=2.0)
    assert needed(log, str(tmp_path), keep_runs=20).digests == {
        "c" * 64: "an answer of holdout/bbbbbbbbbbbb",
        "d" * 64: "what a model answered to holdout/bbbbbbbbbbbb",
    }


def test_what_a_version_answered_and_later_verdicts_are_kept_as_long_as_it(tmp_path: Path) -> None:
    log, artifact = MemoryLog(), Artifact(path="m.pkl", digest=Digest("a" * 64))
    asked = Registration(model="m", artifact=artifact, key="k", verdict=Digest("b" * 64), answers=Digest("c" * 64))
    registry.register(log, asked, now=1.0)
    later = replace(asked, key="l", verdict=Digest("d" * 64), answers=Digest("e" * 64))
    registry.register(log, later, now=2.0)
    assert sorted(needed(log, str(tmp_path), keep_runs=20).digests) == [sign * 64 for sign in "bcde"]


def test_git_tells_what_it_tracks_and_passes_over(repo: Repository) -> None:
    (repo.folder / "folder").mkdir()
    for name in ("a[1]", "b", "folder/x", "folder/y"):
        (repo.folder / name).write_text(name)
    (repo.folder / ".gitignore").write_text("b\n")
    repo.git("add", "a[1]", "folder/x", ".gitignore")
    folder = str(repo.folder)
    assert git.tracked(folder, ["a[1]", "b", "folder", "nowhere"]) == {"a[1]", "folder/x"}
    assert git.tracked(folder, ["a1"]) == set()
    assert (git.is_ignored(folder, "b"), git.is_ignored(folder, "folder")) == (True, False)
    assert git.commit(folder, "HEAD") is None
    assert git.commit(folder, "--all") is None


@pytest.mark.parametrize(
    "name", ["plain", "a b ", "[x]", "*", "a\\b", "#x", "!x", "new\nline", "日本", "-x", "trail\\ "]
)
def test_git_passes_over_what_was_added_by_whatever_name(repo: Repository, name: str) -> None:
    (repo.folder / "data").mkdir()
    (repo.folder / "data" / name).write_text("x")
    (repo.folder / "data" / "other").write_text("x")
    folder = str(repo.folder)
    assert dataset.let_ignore(folder, f"data/{name}") == "data/.gitignore"
    assert git.is_ignored(folder, f"data/{name}")
    assert dataset.let_ignore(folder, f"data/{name}") is None
    assert repo.git("status", "--short", "-uall").split("\n") == ["?? data/.gitignore", "?? data/other"]
