"""The worker of the daemon's benchmark really measures a daemon: one that idles, and one to whom data come."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import daemon_worker
from end_to_end.project import environ

WORKER = Path(daemon_worker.__file__)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def played(folder: Path, *words: str) -> dict[str, float]:
    source = WORKER.read_text().replace("SETTLED_S = 10.0", "SETTLED_S = 1.0")
    (folder / "worker.py").write_text(source)
    subprocess.run([sys.executable, "worker.py", *words], cwd=folder, env=environ(), check=True, timeout=500)
    counts: dict[str, float] = json.loads((folder / "counts.json").read_text())
    return counts


def test_an_idle_daemon_has_a_size_and_a_child(tmp_path: Path) -> None:
    counts = played(tmp_path, "idle", "2", "1")
    assert set(counts) == {"% of a core", "MB", "daemon MB", "MB, what is shared counted twice"}
    assert 5.0 < counts["daemon MB"] < counts["MB"] < counts["MB, what is shared counted twice"]


def test_an_arrival_takes_its_time(tmp_path: Path) -> None:
    counts = played(tmp_path, "arrival", "2")
    assert 0.0 < counts["s to a step"] <= counts["longest s"]
