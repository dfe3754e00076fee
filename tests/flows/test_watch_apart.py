"""What reckons lives as long as it reckons: killed anywhere, nothing is lost and nothing is told twice."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headway import wiring
from headway.config import load
from headway.core import facts as f
from headway.core.monitor_grammar import Plan
from headway.flows.delivery import stream
from headway.flows.watch_apart import Apart
from headway.flows.watch_news import stream as monitor_stream
from headway.flows.watch_run import Heard, Rounds
from headway.wiring import Parts
from watched import HOUR_S, Project, day, rows_of

N = 1000
PLANS = [Plan(name="live", endpoint="churn"), Plan(name="other", endpoint="churn")]


@pytest.fixture
def never() -> Iterator[int]:
    """A descriptor of which nothing can be read."""
    read, write = os.pipe()
    yield read
    os.close(read)
    os.close(write)


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def judge(folder: Path) -> list[str]:
    return [sys.executable, "-P", "-m", "headway", "judge", "-C", str(folder)]


def on_disk(folder: Path, project: Project) -> Parts:
    """The project with all that it has, in a store and a log that other processes see."""
    (folder / "pipeline.yaml").write_text('steps: [{run: "true"}]\n')
    parts = wiring.open(load(folder=str(folder)))
    for name in (stream("churn"), monitor_stream("live")):
        for n, entry in enumerate(project.log.read(name)):
            parts.log.append(name, [entry.fact], expect=n, at=entry.at)
    for one in list(project.blobs.list()):
        assert parts.blobs.put(project.blobs.get(one.digest)) == one.digest
    return parts


def asked(folder: Path, *, n_days: int) -> Project:
    project = Project(str(folder))
    project.release(1)
    project.begin(rows_of(100, 2000))
    for n in range(n_days):
        project.answer(rows_of(n, N), at=day(n) + HOUR_S)
    return project


def told(heard: Heard) -> str:
    return heard.trouble.problem if heard.trouble is not None else "looked"


def test_what_is_judged_apart_is_what_is_judged_here(tmp_path: Path, never: int) -> None:
    project = asked(tmp_path, n_days=1)
    with on_disk(tmp_path, project) as parts:
        rounds = Rounds(parts.delivery(), lambda: {"live": project.plan}, Apart(judge(tmp_path), stop=never))
        (heard,) = rounds.do(day(1) + 120)
        assert heard.trouble is None
        there = [entry.fact for entry in parts.log.read(monitor_stream("live"))]
        # Nothing is new any more: nobody is asked to judge.
        (again,) = rounds.do(day(1) + 7200)
        assert again.looked is not None
        assert not again.looked.facts
    project.look(day(1) + 120)
    assert there == project.facts()
    assert heard.looked is not None
    assert list(heard.looked.facts) == [fact for fact in there if isinstance(fact, f.WindowClosed)]


def test_what_waits_imports_nothing_that_reckons() -> None:
    # What `headway monitor run` has in memory for ever: what sees, what starts, what tells.
    waits = "headway.cli.monitor, headway.flows.watch_apart, headway.flows.pipeline, headway.core.watch_words"
    heavy = "{'numpy', 'scipy', 'polars', 'pyarrow', 'sklearn', 'duckdb'}"
    text = f"import sys, {waits}; sys.exit(' '.join({heavy} & sys.modules.keys()) or 0)"
    ended = subprocess.run(script(text), check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_one_that_dies_is_told_and_what_it_did_not_come_to_is_asked_for_again(never: int) -> None:
    dies = Apart(script("import os; os.kill(os.getpid(), 9)"), stop=never)
    assert [(heard.monitor, told(heard)) for heard in dies(PLANS, 0.0)] == [
        ("live", "the process that judges was killed by signal 9")
    ]
    half = 'import sys; sys.stdin.read(); print(\'{"monitor": "live"}\', flush=True); sys.exit(3)'
    assert [(heard.monitor, told(heard)) for heard in Apart(script(half), stop=never)(PLANS, 0.0)] == [
        ("live", "looked"),
        ("other", "the process that judges ended with exit code 3"),
    ]


def test_it_is_ended_as_soon_as_everything_is_to_end() -> None:
    read, write = os.pipe()
    os.write(write, b"!")
    assert list(Apart(script("import time; time.sleep(3600)"), stop=read)(PLANS, 0.0)) == []
    os.close(read)
    os.close(write)


@pytest.mark.slow
def test_killed_anywhere_it_judges_each_window_once(tmp_path: Path, never: int) -> None:
    project = asked(tmp_path, n_days=3)
    project.answer(rows_of(7, N, age=1.0), at=day(3) + HOUR_S)
    now, n_killed = day(4) + 120, 0
    with on_disk(tmp_path, project) as parts:
        began_at = time.monotonic()
        assert not list(Apart(judge(tmp_path), stop=never)([], now))
        usual_s = time.monotonic() - began_at
        for n in range(8):
            # Ever later, so that it dies while it begins, judges, writes, and when it has.
            dying = ["timeout", "-s", "KILL", f"{usual_s / 2 + n * usual_s / 2:.3f}", *judge(tmp_path)]
            heard = list(Apart(dying, stop=never)([project.plan], now))
            n_killed += any(one.trouble is not None for one in heard)
        found = [told(one) for one in Apart(judge(tmp_path), stop=never)([project.plan], now)]
        assert found == ["looked"]
        there = [entry.fact for entry in parts.log.read(monitor_stream("live"))]
    assert n_killed
    project.look(now)
    assert there == project.facts()
