"""A gate that is really killed, at each of its acts, and two gates at once: one ask, one answer, none for nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from headway import wiring
from headway.config import load
from headway.core.facts import HoldoutAnswered, HoldoutAsked
from headway.core.gate import Verdict
from headway.core.ids import RunId
from headway.flows import holdouts
from headway.flows import step as flow
from headway.steps import StepTask, find, read_with

pytestmark = pytest.mark.slow

DRIVER = """
import os, signal, sys
sys.path[:0] = [sys.argv[4]]
from test_gate_killed import gate
from headway import wiring
from headway.config import load

kill_at, after = int(sys.argv[2]), sys.argv[3] == "after"
n = 0

class Deadly:
    def __init__(self, inner): self._inner = inner
    def __getattr__(self, name):
        act = getattr(self._inner, name)
        if name not in ("append", "put", "put_file", "sync"): return act
        def done(*args, **kwargs):
            global n
            n += 1
            if n == kill_at and not after: os.kill(os.getpid(), signal.SIGKILL)
            result = act(*args, **kwargs)
            if n == kill_at: os.kill(os.getpid(), signal.SIGKILL)
            return result
        return done

class Parts:
    def __init__(self, parts):
        self.log, self.blobs, self.leases = Deadly(parts.log), Deadly(parts.blobs), parts.leases

with wiring.open(load(folder=sys.argv[1])) as parts:
    sys.exit(gate(Parts(parts), sys.argv[1], f"run-{kill_at}", float(sys.argv[5])))
"""


def gate(parts: flow.Parts, folder: str, scratch: str, limit: float) -> int:
    """Run the step in the folder; each question has a limit of its own."""
    values = {
        "data": "holdout.csv",
        "target": "target",
        "predictions": {"new": "new.csv", "key": "id"},
        "checks": [f"new.accuracy > {limit}"],
    }
    task = StepTask(
        folder=folder, run_id=RunId(1), step_id="gate", uses="gate", scratch=os.path.join(folder, ".headway", scratch)
    )
    bench = flow.bench(task, parts, reports=flow.Reports())
    return read_with(find("gate"), values).run(bench)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    truth = np.arange(400) % 2
    pl.DataFrame({"id": np.arange(400), "target": truth}).write_csv(tmp_path / "holdout.csv")
    pl.DataFrame({"id": np.arange(400), "prediction": truth}).write_csv(tmp_path / "new.csv")
    return str(tmp_path)


def facts(parts: wiring.Parts) -> list[HoldoutAsked | HoldoutAnswered]:
    """All that the ledger of the one holdout holds."""
    found = [entry.fact for entry in parts.log.scan(("HoldoutAsked", "HoldoutAnswered"))]
    return [fact for fact in found if isinstance(fact, HoldoutAsked | HoldoutAnswered)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("when", ["before", "after"])
def test_whoever_asks_again_finds_its_ask_and_one_answer(folder: str, when: str) -> None:
    n_kills = n_between = 0
    while True:
        n_kills += 1
        limit = 0.5 + n_kills / 1000
        argv = [sys.executable, "-c", DRIVER, folder, str(n_kills), when, os.path.dirname(__file__), str(limit)]
        ended = subprocess.run(argv, check=False, timeout=120, stdout=subprocess.DEVNULL)
        with wiring.open(load(folder=folder)) as parts:
            found = facts(parts)
            n_between += isinstance(found[-1], HoldoutAsked) if found else 0
            if ended.returncode != 0:
                assert ended.returncode == -signal.SIGKILL
                assert gate(parts, folder, "again", limit) == 0
            found = facts(parts)
            # Every question so far has one ask and one answer, in turn.
            assert [fact.ask for fact in found] == [1 + i // 2 for i in range(2 * n_kills)]
            assert len({fact.question for fact in found}) == n_kills
            assert isinstance(found[0], HoldoutAsked)
            assert holdouts.read(parts.log, found[0].holdout).left == 32 - n_kills
        if ended.returncode == 0:
            break
    assert n_kills > 6
    assert n_between >= 3


def test_gates_that_ask_at_once_get_asks_of_their_own(folder: str) -> None:
    argv = [sys.executable, "-c", DRIVER, folder, "0", "after", os.path.dirname(__file__)]
    limits = ["0.5", "0.6", "0.6", "0.7"]
    at_once = [subprocess.Popen([*argv, limit], stdout=subprocess.DEVNULL) for limit in limits]
    assert [one.wait(timeout=120) for one in at_once] == [0] * 4
    with wiring.open(load(folder=folder)) as parts:
        found = facts(parts)
        asks = [fact for fact in found if isinstance(fact, HoldoutAsked)]
        answers = [fact for fact in found if isinstance(fact, HoldoutAnswered)]
        assert [fact.ask for fact in asks] == [1, 2, 3]
        assert sorted(fact.ask for fact in answers) == [1, 2, 3]
        assert len({fact.question for fact in asks}) == 3
        for fact in answers:
            verdict = msgspec.json.decode(parts.blobs.get(fact.verdict), type=Verdict)
            assert verdict.outcome == fact.outcome == "pass"
