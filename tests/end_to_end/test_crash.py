"""A pipeline of 30 steps, killed with SIGKILL at random moments, the whole process tree: nothing is lost or doubled."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

HEADWAY = [sys.executable, "-m", "headway"]
N_STEPS = 30
N_KILLS = 50


def project(folder: Path) -> None:
    """Thirty steps, some side by side, some cacheable; each leaves a line in a ledger when it has done its work.

    The ledger is outside of what is declared: it tells how often a step really ran to its end.
    """
    lines = ["order: graph", "steps:"]
    for i in range(N_STEPS):
        inputs = [f"out/{i - 3}" if i >= 3 else "seed", *([f"out/{i - 5}"] if i >= 5 else [])]
        work = f"cat {' '.join(inputs)} > out/{i}.tmp && sleep 0.0{i % 4} && mv out/{i}.tmp out/{i}"
        lines += [
            f"  - id: s{i}",
            f"    run: {work} && echo s{i} >> ledger",
            f"    in: [{', '.join(inputs)}]",
            f"    out: out/{i}",
        ]
    (folder / "out").mkdir()
    (folder / "seed").write_text("1\n")
    (folder / "ledger").write_text("")
    (folder / "pipeline.yaml").write_text("\n".join(lines) + "\n")


def tree(pid: int) -> list[int]:
    """A process and all that descend from it, as /proc tells it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        found.append(one)
        queue += children.get(one, [])
    return found


def kill_tree(pid: int) -> None:
    for one in tree(pid):
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            continue


def headway(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*HEADWAY, *words], cwd=folder, capture_output=True, text=True, check=False)


def facts(folder: Path) -> list[dict[str, object]]:
    import sqlite3

    with closing(sqlite3.connect(folder / ".headway" / "log.sqlite")) as connection, connection:
        rows = connection.execute("select seq, stream, n, kind, body from facts order by seq").fetchall()
    return [{"seq": r[0], "stream": r[1], "n": r[2], **json.loads(r[4])} for r in rows]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="killing a whole tree at once reads /proc")
@pytest.mark.timeout(900)
def test_killed_at_random_moments_a_run_is_finished_by_resume(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")
    whole = tmp_path / "whole"
    whole.mkdir()
    project(whole)
    began = time.monotonic()
    assert headway(whole, "run", "--jobs", "3").returncode == 0
    usual = time.monotonic() - began
    expected = {p.name: p.read_bytes() for p in (whole / "out").iterdir()}

    for kill in range(N_KILLS):
        folder = tmp_path / f"k{kill}"
        folder.mkdir()
        project(folder)
        process = subprocess.Popen(
            [*HEADWAY, "run", "--jobs", "3"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.0, usual * 1.05))
        kill_tree(process.pid)
        process.wait()
        check_finished(folder, expected, seed=seed, kill=kill)


def check_finished(folder: Path, expected: dict[str, bytes], *, seed: int, kill: int) -> None:
    where = f"seed {seed}, kill {kill}"
    log = folder / ".headway" / "log.sqlite"
    before = facts(folder) if log.exists() and headway(folder, "runs", "--json").stdout.find('"run":') >= 0 else []
    passed_before = {str(f["step"]) for f in before if f["kind"] == "StepFinished"}
    ledger_before = (folder / "ledger").read_text().split()
    resumed = headway(folder, "resume" if before else "run")
    assert resumed.returncode == 0, f"{where}: {resumed.stderr}"
    after = facts(folder)
    # Nothing is lost: what was in the log is there, unchanged, as the beginning of what is there now.
    assert after[: len(before)] == before, where
    assert [f["seq"] for f in after] == list(range(1, len(after) + 1)), where
    finished = [str(f["step"]) for f in after if f["kind"] == "StepFinished"]
    assert sorted(finished) == sorted(f"s{i}" for i in range(N_STEPS)), where
    # No step that was reported finished ran again.
    for step in passed_before:
        assert (folder / "ledger").read_text().split().count(step) == ledger_before.count(step), where
    assert {p.name: p.read_bytes() for p in (folder / "out").iterdir() if "." not in p.name} == expected, where
    audit = headway(folder, "audit")
    assert audit.returncode == 0, f"{where}: {audit.stderr}"
    assert [f["kind"] for f in after].count("RunFinished") == 1, where
