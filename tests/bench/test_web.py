"""The worker of the pages' benchmark really measures pages of a server: a small history suffices to see that."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import web_worker
from end_to_end.project import environ

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_pages_have_a_size_and_take_time(tmp_path: Path) -> None:
    command = [sys.executable, web_worker.__file__, "50"]
    subprocess.run(command, cwd=tmp_path, env=environ(), check=True, timeout=250)
    counts = json.loads((tmp_path / "counts.json").read_text())
    each = {f"{what}: {name}" for name in web_worker.PAGES for what in ("ms", "ms there, p95")}
    once = {"s to answer", "KB cold", "KB of scripts", "MB", "s until told"}
    of_log = {"s: a log's end, the first time", "s: a log searched to its end"}
    assert each | once | of_log == set(counts)
    assert 5.0 < counts["KB of scripts"] < counts["KB cold"] < 150.0
    assert counts["ms: first page"] > 0.0
    assert counts["MB"] > 20.0
    assert 0.0 < counts["s until told"] < 10.0
