"""SIGKILL in the middle of `data add` and `checkout`, then the same words again: nothing is lost, doubled or half."""

import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from end_to_end.project import HEADWAY, environ
from end_to_end.repository import Repository
from headway.testing.folders import Content

N_FILES = 300


def content(seed: int) -> Content:
    """A folder of small files and a large one."""
    chance = random.Random(seed)
    small: Content = {f"{i}": chance.randbytes(chance.randrange(2000)) for i in range(N_FILES)}
    return {"small": small, "large": chance.randbytes(3_000_000), "run": b"#!" + chance.randbytes(8)}


def killed_after(repo: Repository, seconds: float, *words: str) -> bool:
    """Type a command and kill it after a while; whether it was still at work."""
    process = subprocess.Popen([*HEADWAY, *words], cwd=repo.folder, env=environ(), stdout=-3, stderr=-3)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def moments(n: int, usual_s: float) -> list[float]:
    """Moments all over the usual time of a command, each at random in its part of it."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    return [usual_s * (i + chance.random()) / n for i in range(n)]


def usual(repo: Repository, *words: str) -> float:
    began = time.monotonic()
    repo(*words)
    return time.monotonic() - began


@pytest.mark.parametrize("n_kills", [4, pytest.param(40, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_a_killed_add_is_done_by_adding_again(tmp_path: Path, n_kills: int) -> None:
    whole = Repository(tmp_path / "whole")
    whole.put("data", content(0))
    expected = whole.git("status", "--short")
    usual_s = usual(whole, "data", "add", "data")
    for kill, after in enumerate(moments(n_kills, usual_s)):
        repo = Repository(tmp_path / f"k{kill}")
        repo.put("data", content(0))
        killed_after(repo, after, "data", "add", "data")
        # What is pinned after a kill can be had; what is not pinned is still where it was.
        if (repo.folder / "headway.lock").exists():
            assert repo("data", "verify").code == 0
        assert repo.holds("data") == content(0)
        repo("data", "add", "data")
        assert repo.read("headway.lock") == whole.read("headway.lock")
        assert [fact["kind"] for fact in repo.facts()] == ["DatasetVersioned"]
        assert "data" not in repo.git("status", "--short", "-uall")
        repo("audit")
        repo.put("data", {})
        repo("checkout")
        assert repo.holds("data") == content(0)
    assert expected == "?? data/\n"


@pytest.mark.parametrize("n_kills", [4, pytest.param(40, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_a_killed_checkout_is_done_by_checking_out_again(tmp_path: Path, n_kills: int) -> None:
    repo = Repository(tmp_path / "project")
    for seed, name in ((1, "one"), (2, "two")):
        repo.put("data", {**content(seed), name: b"only here"})
        repo.put("model", bytes([seed]) * 5_000_000)
        repo("data", "add", "data", "model")
        repo.commit(name)
        repo.git("branch", name)
    sides = {name: {**content(seed), name: b"only here"} for seed, name in ((1, "one"), (2, "two"))}
    repo.git("checkout", "-q", "one")
    usual_s = usual(repo, "checkout")
    n_at_work = 0
    for kill, after in enumerate(moments(n_kills, usual_s)):
        name = ("two", "one")[kill % 2]
        repo.git("checkout", "-q", name)
        n_at_work += killed_after(repo, after, "checkout")
        # Each file is of one side or the other, never a part of one.
        model = repo.holds("model")
        assert model in (b"\1" * 5_000_000, b"\2" * 5_000_000)
        said = repo("checkout").out
        found = repo.holds("data")
        assert isinstance(found, dict)
        # Not as one: a report of what differs in megabytes of noise takes longer than all of this.
        differing = [path for path in {*found, *sides[name]} if found.get(path) != sides[name].get(path)]
        assert differing == [], f"kill {kill} of {n_kills} after {after:.3f} s, to {name}: {said}"
        assert repo.holds("model") == (b"\2" if name == "two" else b"\1") * 5_000_000
        left = [path for path in os.listdir(repo.folder) if path.startswith(".headway-")]
        assert left == [], left
    assert n_at_work, "every checkout was over before it was killed"


def test_a_killed_difference_of_tables_leaves_nothing_once_another_was_asked(tmp_path: Path) -> None:
    repo, temporary = Repository(tmp_path / "repo"), tmp_path / "tmp"
    temporary.mkdir()
    rows = [f"{i},{i * 7919 % 1_000_003}" for i in range(200_000)]
    repo.put("t.csv", "\n".join(["id,n", *rows]).encode())
    repo("data", "add", "t.csv", "--name", "t")
    repo.put("t.csv", "\n".join(["id,n", *rows[:-1]]).encode())
    repo("data", "add", "t.csv", "--name", "t")

    def left() -> list[Path]:
        return [*temporary.glob("headway-tables-*"), *(repo.home / "cache").glob("rows-*")]

    words = ("data", "diff", "t@1", "t@2", "--key", "id", "--json")
    process = subprocess.Popen(
        [*HEADWAY, *words], cwd=repo.folder, env=environ(TMPDIR=str(temporary)), stdout=-3, stderr=-3
    )
    while len(left()) < 2:
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert len(left()) == 2
    table = repo(*words, env={"TMPDIR": str(temporary)}).json["tables"]["t.csv"]
    assert (table["n_rows_old"], table["n_removed"]) == (200_000, 1)
    assert left() == []
