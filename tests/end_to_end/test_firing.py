"""The run of a trigger's firing: begun once, gone on with wherever it was left, and left alone when it has ended."""

import os
import random
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from end_to_end.project import Ended, Project, complaint, finish
from headway.backends import connect
from headway.core import facts as f
from headway.ports import Log

EVENT = f.EventSeen(source="data: day.csv", key="a", why="day.csv changed")
FIRED = f.TriggerFired(firing=1, sources=("data: day.csv",), why=EVENT.why)


@pytest.fixture
def fired(project: Project) -> Project:
    """A project whose trigger fired once, with a run of three steps that each leave their word."""
    project.pipeline(
        """
        pipeline: churn
        steps:
          - {id: load, run: echo load >> ledger}
          - {id: train, run: sleep 0.2 && echo train >> ledger}
          - {id: test, run: echo test >> ledger}
        """
    )
    project.home.mkdir()
    with closing(cast("Log", connect("log", f"sqlite:{project.home}/log.sqlite"))) as log:
        log.append("trigger/churn", [EVENT, FIRED], expect=0, at=time.time())
    return project


def begun(project: Project) -> list[dict[str, object]]:
    return [fact for fact in project.facts() if fact["kind"] == "RunStarted"]


def test_a_firing_has_one_run_and_says_what_started_it(fired: Project) -> None:
    fired("run", "--firing", "churn/1")
    again = fired("run", "--firing", "churn/1", "--json")
    assert (again.json["outcome"], again.json["run"]) == ("passed", 1)
    (started,) = begun(fired)
    assert (started["trigger"], started["options"]) == ("data: day.csv", {"firing": "churn/1"})
    assert fired.ledger() == ["load", "train", "test"]


@pytest.mark.slow
def test_a_failed_run_of_a_firing_is_left_as_it_is(fired: Project) -> None:
    fired.pipeline("pipeline: churn\nsteps:\n  - {id: load, run: echo load >> ledger && exit 3}\n")
    fired("run", "--firing", "churn/1", expect=1)
    fired("run", "--firing", "churn/1", expect=1)
    assert fired.ledger() == ["load"]


def test_a_firing_that_never_was_is_a_mistake(fired: Project) -> None:
    said = complaint(fired("run", "--firing", "churn/2", expect=2))
    assert said[0] == "headway: no trigger of the pipeline churn fired as 'churn/2'"
    assert not begun(fired)


def killed(project: Project, after_s: float) -> None:
    process = project.start("run", "--firing", "churn/1")
    time.sleep(after_s)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_run_that_was_killed_is_gone_on_with(fired: Project) -> None:
    process = fired.start("run", "--firing", "churn/1")
    while not any(fact.get("step") == "train" for fact in fired.facts()):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    fired("run", "--firing", "churn/1")
    (started,) = begun(fired)
    assert started["run"] == 1
    assert [fact["outcome"] for fact in fired.facts() if fact["kind"] == "RunFinished"] == ["passed"]
    assert fired.ledger().count("load") == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_any_moment_and_started_by_two_at_once_it_has_one_run(tmp_path: Path, fired: Project) -> None:
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")
    began = time.monotonic()
    fired("run", "--firing", "churn/1")
    usual = time.monotonic() - began
    for n in range(15):
        project = Project(tmp_path / f"p{n}")
        project.write("pipeline.yaml", fired.read("pipeline.yaml"))
        project.home.mkdir()
        with closing(cast("Log", connect("log", f"sqlite:{project.home}/log.sqlite"))) as log:
            log.append("trigger/churn", [EVENT, FIRED], expect=0, at=time.time())
        killed(project, chance.uniform(0.0, usual * 1.1))
        both = [project.start("run", "--firing", "churn/1") for _ in range(2)]
        codes = sorted(_code(process) for process in both)
        # One of them may find the other at work: that is told, and no second run is begun.
        assert codes in ([0, 0], [0, 5]), f"seed {seed}, kill {n}"
        assert len(begun(project)) == 1, f"seed {seed}, kill {n}"
        passed = [fact["step"] for fact in project.facts() if fact["kind"] == "StepFinished"]
        assert passed == ["load", "train", "test"], f"seed {seed}, kill {n}"
        project("audit")


def _code(process: subprocess.Popen[bytes]) -> int:
    ended: Ended = finish(process)
    return ended.code
