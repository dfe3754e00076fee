"""Pushes as sources, with real repositories: each state of a branch once, and nothing of anybody's is lost."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from clones import ENVIRON, Clone
from events_world import NOON, Looking
from headway.core import facts as f
from headway.core.pipeline import Pipeline
from headway.core.trigger import push_key
from headway.flows import event_git
from headway.flows.events import see, sources
from headway.flows.launch import LEASE


class Forge:
    """A bare repository, a project that follows it, and somebody else who pushes there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bare = folder / "forge.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", self.bare], check=True, env=ENVIRON)
        self.other = self.clone("other")
        self.other.git("switch", "-q", "-c", "main")
        self.commit(self.other, "a.py", "1")
        self.push()
        self.project = self.clone("project")

    def clone(self, name: str) -> Clone:
        words = ["git", "clone", "-q", str(self.bare), str(self.folder / name)]
        subprocess.run(words, check=True, env=ENVIRON, capture_output=True)
        return Clone(self.folder / name)

    def commit(self, clone: Clone, path: str, text: str, message: str = "") -> str:
        place = clone.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        clone.git("add", "--", path)
        clone.git("commit", "-q", "-m", message or f"Change {path}")
        return clone.git("rev-parse", "HEAD")

    def push(self, *words: str) -> None:
        self.other.git("push", "-q", *words, "origin", "main")

    def pushed(self, path: str = "a.py", text: str = "2") -> str:
        """Somebody else's commit, at the forge."""
        commit = self.commit(self.other, path, text)
        self.push()
        return commit

    def looking(self, **push: object) -> Looking:
        return Looking(self.project.folder, {"push": push or None}, environ=ENVIRON)

    @property
    def here(self) -> str:
        return self.project.git("rev-parse", "HEAD")


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(tmp_path)


def keys(events: list[f.EventSeen]) -> list[str]:
    return [one.key for one in events]


def test_what_is_committed_here_is_told_once_and_what_was_there_is_not(forge: Forge) -> None:
    looking = forge.looking()
    assert looking.told() == []
    assert looking.told(after_s=2) == []
    commit = forge.commit(forge.project, "b.py", "1", "Try another model")
    (event,) = looking.told(after_s=2)
    assert (event.source, event.key, event.by) == ("push", push_key("main", commit), "ann")
    assert event.why == f"main has 1 new commit, to {commit[:8]} (Try another model)"
    assert looking.told(after_s=100) == []
    assert Looking(forge.project.folder, {"push": None}, environ=ENVIRON, log=looking.log).told() == []


@pytest.mark.slow
def test_what_came_while_nobody_looked_is_one_event(forge: Forge) -> None:
    looking = forge.looking()
    looking.told()
    for text in "12":
        forge.commit(forge.project, "b.py", text)
    again = Looking(forge.project.folder, {"push": None}, environ=ENVIRON, log=looking.log)
    (event,) = again.told()
    assert "2 new commits" in event.why


def test_a_remotes_commits_are_taken_and_told(forge: Forge) -> None:
    looking = forge.looking()
    looking.told()
    commit = forge.pushed()
    assert looking.told(after_s=2) == []
    assert keys(looking.told(after_s=60)) == [push_key("main", commit)]
    assert (forge.here, (forge.project.folder / "a.py").read_text()) == (commit, "2")
    assert looking.told(after_s=60) == []


def test_a_tree_with_changes_is_left_alone_until_it_has_none(forge: Forge) -> None:
    looking = forge.looking()
    looking.told()
    before, commit = forge.here, forge.pushed()
    (forge.project.folder / "a.py").write_text("mine")
    assert looking.told(after_s=60) == []
    assert forge.here == before
    assert "files here have changes" in looking.source.pace.trouble
    assert "files here have changes" in looking.source.pace.said
    forge.project.git("checkout", "-q", "--", "a.py")
    assert keys(looking.told(after_s=60)) == [push_key("main", commit)]
    assert looking.source.pace.trouble == ""


@pytest.mark.slow
def test_what_a_run_writes_is_no_change_of_the_tree(forge: Forge) -> None:
    forge.pushed("headway.lock", "{}")
    forge.project.git("pull", "-q")
    looking = forge.looking()
    looking.told()
    (forge.project.folder / "headway.lock").write_text('{"run": 1}')
    commit = forge.pushed()
    assert keys(looking.told(after_s=60)) == [push_key("main", commit)]
    assert (forge.project.folder / "headway.lock").read_text() == '{"run": 1}'
    forge.commit(forge.project, "headway.lock", '{"run": 1}')
    assert looking.told(after_s=60) == []


@pytest.mark.slow
def test_two_locks_are_not_put_together_by_guessing(forge: Forge) -> None:
    forge.pushed("headway.lock", "{}")
    forge.project.git("pull", "-q")
    looking = forge.looking()
    looking.told()
    (forge.project.folder / "headway.lock").write_text('{"run": 1}')
    forge.commit(forge.other, "headway.lock", '{"run": 2}')
    forge.pushed()
    assert looking.told(after_s=60) == []
    assert "origin/main has another headway.lock" in looking.source.pace.trouble
    assert (forge.project.folder / "headway.lock").read_text() == '{"run": 1}'


@pytest.mark.slow
def test_files_that_git_does_not_track_are_not_overwritten(forge: Forge) -> None:
    looking = forge.looking()
    looking.told()
    (forge.project.folder / "new.py").write_text("mine")
    forge.pushed("new.py", "theirs")
    assert looking.told(after_s=60) == []
    assert "Git does not take it" in looking.source.pace.trouble
    assert (forge.project.folder / "new.py").read_text() == "mine"


def test_a_branch_with_commits_of_its_own_is_left_alone(forge: Forge) -> None:
    looking = forge.looking()
    looking.told()
    mine, _ = forge.commit(forge.project, "b.py", "mine"), forge.pushed()
    assert keys(looking.told(after_s=60)) == [push_key("main", mine)]
    assert "main has commits of its own" in looking.source.pace.trouble
    assert forge.here == mine
    assert looking.told(after_s=60) == []


def test_a_branch_that_was_pushed_over_is_followed_and_back_again(forge: Forge) -> None:
    first = forge.here
    looking = forge.looking()
    second = forge.pushed()
    looking.told()
    assert forge.here == second
    forge.other.git("reset", "-q", "--hard", first)
    third = forge.commit(forge.other, "a.py", "3")
    forge.push("--force")
    (event,) = looking.told(after_s=60)
    assert (event.key, forge.here) == (push_key("main", third), third)
    assert event.why.startswith("main was moved, to")
    forge.other.git("reset", "-q", "--hard", second)
    forge.push("--force")
    assert keys(looking.told(after_s=60)) == [push_key("main", second)]
    assert looking.told(after_s=60) == []


def test_nothing_is_taken_while_a_run_is_at_work(forge: Forge) -> None:
    looking = forge.looking()
    looking.told()
    commit = forge.pushed()
    looking.leases.acquire(LEASE, holder="a run", ttl_s=1e6, now=NOON)
    assert looking.told(after_s=60) == []
    assert "when the run under way has ended" in looking.source.pace.said
    looking.leases.release(LEASE, holder="a run")
    assert keys(looking.told(after_s=3)) == [push_key("main", commit)]
    assert looking.leases.holder(LEASE, now=looking.now) is None


def test_one_who_only_looks_takes_nothing(forge: Forge) -> None:
    looking = forge.looking()
    looking.told()
    before, commit = forge.here, forge.pushed()
    only = Looking(forge.project.folder, {"push": None}, environ=ENVIRON, log=looking.log, looking=True)
    assert only.source.look(NOON + 60) == []
    assert only.source.pace.said == f"main is at {before[:8]}; origin/main is at {commit[:8]}, which is not here yet"
    assert forge.here == before
    assert forge.project.git("rev-parse", "origin/main") == before


@pytest.mark.slow
def test_a_remote_that_is_only_watched_is_followed_by_nobody(forge: Forge) -> None:
    looking = forge.looking(pull=False)
    looking.told()
    before, commit = forge.here, forge.pushed()
    assert keys(looking.told(after_s=60)) == [push_key("main", commit)]
    assert forge.here == before
    assert looking.told(after_s=60) == []


@pytest.mark.slow
def test_a_remote_that_is_down_for_an_hour_is_told_once_and_asked_with_pauses(forge: Forge) -> None:
    looking = forge.looking()
    looking.due()
    commit = forge.pushed()
    away = forge.bare.rename(forge.folder / "away.git")
    troubles, asked = [], 0
    for _ in range(360):
        looking.now += 10
        remote = looking.source._remote  # type: ignore[attr-defined] # a push has one
        asked += remote.due_at(looking.now) <= looking.now
        assert looking.due() == []
        troubles.append(looking.source.pace.trouble)
    (trouble,) = {one for one in troubles if one}
    assert "origin does not answer" in trouble
    assert troubles[10:] == [trouble] * 350
    assert 5 <= asked <= 20
    mine = forge.commit(forge.project, "b.py", "1")
    looking.now += 10
    assert keys(looking.due()) == [push_key("main", mine)]
    forge.project.git("reset", "-q", "--hard", "HEAD~1")
    away.rename(forge.bare)
    found = []
    for _ in range(70):
        looking.now += 10
        found += looking.due()
    assert keys(found)[-1] == push_key("main", commit)
    assert looking.source.pace.trouble == ""


def test_who_was_told_by_the_forge_takes_before_a_run_may_begin(forge: Forge) -> None:
    looking = forge.looking()
    looking.told()
    commit = forge.pushed()
    hook = f.EventSeen(source="push", key=push_key("main", commit), why="1 commit on main", by="github")
    assert see(looking.log, "churn", [hook], now=NOON) == [hook]
    looking.source.pace.touched = True
    assert looking.source.due_at(NOON) == NOON
    assert looking.told(after_s=1) == []
    assert forge.here == commit
    assert looking.told(after_s=60) == []


@pytest.mark.slow
def test_a_run_that_began_before_its_commit_was_here_is_followed_by_another(forge: Forge) -> None:
    looking = forge.looking()
    looking.told()
    commit = forge.pushed()
    hook = f.EventSeen(source="push", key=push_key("main", commit), why="1 commit on main", by="github")
    see(looking.log, "churn", [hook], now=NOON)
    fired = f.TriggerFired(firing=1, sources=("push",), why="w")
    looking.log.append("trigger/churn", [fired], expect=2, at=NOON)
    (event,) = looking.told(after_s=60)
    assert (event.key, event.why) == (push_key("main", commit) + "+", f"main was moved to {commit[:8]} only now")
    assert looking.told(after_s=60) == []
    again = f.TriggerFired(firing=2, sources=("push",), why="w")
    looking.log.append("trigger/churn", [again], expect=4, at=NOON)
    assert looking.told(after_s=60) == []
    later = forge.pushed(text="3")
    assert keys(looking.told(after_s=60)) == [push_key("main", later)]


@pytest.mark.slow
def test_what_the_forge_told_and_could_not_be_taken_makes_no_news_of_what_is_here(forge: Forge) -> None:
    looking = forge.looking()
    looking.told()
    commit = forge.pushed()
    (forge.project.folder / "a.py").write_text("mine")
    see(looking.log, "churn", [f.EventSeen(source="push", key=push_key("main", commit), why="w", by="g")], now=NOON)
    looking.source.pace.touched = True
    assert looking.told(after_s=1) == []
    assert "files here have changes" in looking.source.pace.trouble
    forge.commit(forge.project, "a.py", "mine")
    (event,) = looking.told(after_s=60)
    assert event.key == push_key("main", forge.here)


@pytest.mark.slow
def test_several_pipelines_ask_the_remote_once(forge: Forge) -> None:
    looking = forge.looking()
    looking.told()
    commit = forge.pushed()
    (second,) = sources(Pipeline(name="second", steps=(), triggers={"push": None}), looking.world)
    assert see(looking.log, "second", second.look(looking.now), now=looking.now) == []
    looking.told(after_s=60)
    assert forge.here == commit
    found = see(looking.log, "second", second.look(looking.now), now=looking.now)
    assert keys(found) == [push_key("main", commit)]
    ((at, there),) = looking.world.remembered["push"].values()
    assert (at, there) == (looking.now, commit)


@pytest.mark.slow
def test_only_branches_and_paths_that_are_meant_count(forge: Forge) -> None:
    looking = forge.looking(branches=["main", "release/*"], paths=["src/**"], remote="")
    looking.told()
    forge.commit(forge.project, "README.md", "1")
    assert looking.told(after_s=2) == []
    commit = forge.commit(forge.project, "src/deep/model.py", "1")
    assert keys(looking.told(after_s=2)) == [push_key("main", commit)]
    forge.project.git("switch", "-q", "-c", "dev")
    forge.commit(forge.project, "src/model.py", "2")
    assert looking.told(after_s=2) == []
    assert looking.source.pace.said == "dev is checked out, which is not meant"
    forge.project.git("switch", "-q", "-c", "release/2")
    assert looking.told(after_s=2) == []
    commit = forge.commit(forge.project, "src/model.py", "3")
    assert keys(looking.told(after_s=2)) == [push_key("release/2", commit)]


@pytest.mark.slow
def test_tags_count_where_they_are_asked_for(forge: Forge) -> None:
    forge.project.git("tag", "v1")
    looking = forge.looking(tags=["v*"])
    assert looking.told() == []
    forge.other.git("tag", "nightly")
    forge.other.git("tag", "-a", "-m", "two", "v2")
    forge.other.git("push", "-q", "origin", "v2", "nightly")
    commit = forge.pushed()
    found = looking.told(after_s=60)
    assert {one.key.partition("@")[0]: one.why for one in found}.keys() == {"main", "tags"}
    assert [one.why for one in found if one.key.startswith("tags@")] == ["the tags changed; the newest is v2"]
    assert forge.here == commit
    assert looking.told(after_s=60) == []


@pytest.mark.slow
def test_a_folder_without_git_or_remote_or_commits_waits(tmp_path: Path) -> None:
    looking = Looking(tmp_path, {"push": None}, environ=ENVIRON)
    assert looking.told() == []
    assert looking.source.pace.said == "there is no repository of Git here"
    clone = Clone(tmp_path)
    clone.git("init", "-q", "-b", "main")
    assert looking.told(after_s=60) == []
    assert looking.source.pace.said == "there is no commit yet"
    (tmp_path / "a").write_text("1")
    clone.git("add", "a")
    clone.git("commit", "-q", "-m", "Begin")
    looking.told(after_s=60)
    clone.git("commit", "-q", "--allow-empty", "-m", "Again")
    assert keys(looking.told(after_s=60)) == [push_key("main", clone.git("rev-parse", "HEAD"))]
    assert "it has no such remote" in looking.source.pace.said


def by_ssh(forge: Forge, script: str) -> Looking:
    """A project whose remote is reached by a program that does what it says."""
    program = forge.folder / "ssh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    forge.project.git("remote", "set-url", "origin", "ssh://somewhere/churn.git")
    environ = {**ENVIRON, "GIT_SSH_COMMAND": str(program), "GIT_SSH_VARIANT": "simple"}
    return Looking(forge.project.folder, {"push": None}, environ=environ)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_a_remote_that_never_answers_is_given_up_with_all_that_was_started(
    forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_git, "ASK_S", 1.0)
    pid = forge.folder / "pid"
    looking = by_ssh(forge, f"echo $$ > {pid}; exec sleep 300")
    assert looking.told() == []
    assert looking.source.pace.trouble == (
        "the remote origin does not answer: no answer within 1 s (ssh://somewhere/churn.git)"
    )
    until = time.monotonic() + 60
    while is_alive(int(pid.read_text())):
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.slow
def test_a_remote_that_lets_nobody_in_says_so_and_shows_no_password(forge: Forge) -> None:
    said = "fatal: ssh://ann:s3cret@somewhere/churn.git: Permission denied (publickey)."
    looking = by_ssh(forge, f"echo '{said}' >&2; exit 255")
    forge.project.git("remote", "set-url", "origin", "ssh://ann:s3cret@somewhere/churn.git")
    assert looking.told() == []
    trouble = looking.source.pace.trouble
    assert "the remote origin does not let you in: ssh://***@somewhere/churn.git: Permission denied" in trouble
    assert "s3cret" not in trouble
