"""Releases that nobody drives get one driver, those of runs at work none, and a driver that dies is started again."""

from collections.abc import Sequence
from math import inf
from pathlib import Path

import msgspec
import pytest

from headway.backends.runner_memory import Play
from headway.core import facts as f
from headway.core.ids import Digest, RunId
from headway.core.strategy_grammar import read_strategy
from headway.flows import firing
from headway.flows.daemon import Duty, World
from headway.flows.daemon_releases import GRACE_S, Drivers
from headway.flows.launch import LEASE
from headway.ports import Task
from simulated_daemon import BEGAN, Project

PLAN = read_strategy({"strategy": [{"canary": "10% for 1000 requests"}, "promote", {"bake": "14d"}]}).strategy
STARTED = f.ReleaseStarted(endpoint="live", release=1, model="churn", version=2, key="k", strategy=PLAN)
WATCH = "rollout watch live"


def duties(world: World) -> Sequence[Duty]:
    return [Drivers(log=world.log, leases=world.leases, children=world.children, tell=world.tell)]


def happens(project: Project, *facts: f.Fact, stream: str = "endpoint/live") -> None:
    project.log.append(stream, facts, expect=len(project.log.read(stream)), at=project.now())


class Driver:
    """`headway rollout watch`: holds the lease, until it ends so."""

    def __init__(self, project: Project, *, code: int = 0, seconds: float = inf, says: bytes = b"") -> None:
        self._project = project
        self.play = Play(code=code, seconds=seconds, says=says, act=self._let_go)

    def __call__(self, task: Task) -> Play:
        self._project.leases.acquire("endpoint/live", holder="driver", ttl_s=1e9, now=self._project.now())
        return self.play

    def _let_go(self, _: Task) -> None:
        self._project.leases.release("endpoint/live", holder="driver")


def test_a_release_that_nobody_drives_is_driven_and_how_it_goes_is_told(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.plays = Driver(project)
    daemon = project.daemon(duties=duties)
    project.live(daemon, 10.0)
    happens(project, STARTED)
    project.live(daemon, 60.0)
    assert [words for _, words in project.commands] == [WATCH]
    happens(project, f.VersionStarted(release=1), f.StageBegan(release=1, stage=0))
    happens(project, f.ReleaseHeld(release=1, stage=0, why="not sure", cause="unsure"))
    happens(project, f.ReleaseDirected(release=1, act="abort", by="ann", why="no"))
    happens(project, f.ReleaseFinished(release=1, outcome="rolled-back", why="ann aborted it"))
    project.live(daemon, 60.0)
    assert project.lines("release") == [
        "release 1 began: churn@2",
        "release 1 is driven from here on",
        "release 1: canary: 10% for 1000 requests",
        "release 1 is held: not sure; headway rollout status live",
        "release 1: ann says abort: no",
        "release 1: rolled-back: ann aborted it",
    ]
    assert [words for _, words in project.commands] == [WATCH]


def test_one_that_somebody_drives_is_left_to_them_until_they_are_gone(tmp_path: Path) -> None:
    project = Project(tmp_path)
    happens(project, STARTED)
    project.leases.acquire("endpoint/live", holder="ann", ttl_s=600.0, now=project.now())
    daemon = project.daemon(duties=duties)
    project.live(daemon, 599.0)
    assert not project.commands
    project.live(daemon, 30.0)
    ((at, _),) = project.commands
    assert GRACE_S <= at - BEGAN - 600.0 < GRACE_S + 3.0


def test_a_driver_of_a_killed_daemon_is_found_by_the_lease(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.plays = Driver(project)
    happens(project, STARTED)
    project.live(project.daemon(duties=duties), 30.0)
    project.live(project.daemon(duties=duties), 60.0)
    assert len(project.commands) == 1


def test_a_driver_that_dies_is_started_again_ever_more_seldom(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.plays = Driver(project, code=7, seconds=1.0, says=b"headway: the target cannot be reached\n  at: x\n")
    happens(project, STARTED)
    project.live(project.daemon(duties=duties), 3600.0)
    assert 10 < len(project.commands) < 24
    assert project.lines("process")[:2] == [
        "nobody drives its release: the target cannot be reached; a driver is started again in 1 s",
        "nobody drives its release: the target cannot be reached; a driver is started again in 2 s",
    ]


def test_a_driver_whose_release_made_room_for_another_is_no_trouble(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.plays = Driver(project, seconds=30.0)
    happens(project, STARTED)
    daemon = project.daemon(duties=duties)
    project.live(daemon, 20.0)
    happens(project, f.ReleaseFinished(release=1, outcome="released"))
    happens(project, msgspec.structs.replace(STARTED, release=2, version=3, key="l"))
    project.live(daemon, 25.0)
    assert project.lines("process") == []
    assert project.lines("release")[-2:] == ["release 2 began: churn@3", "release 2 is driven from here on"]


def run(number: int, firing: str = "") -> f.RunStarted:
    options = f.RunOptions(firing=firing)
    return f.RunStarted(run=RunId(number), name="churn", file="f", pipeline=Digest(""), options=options)


OF_RUN_1 = f.ReleaseStarted(
    endpoint="live", release=1, model="churn", version=2, key="k", strategy=PLAN, run=RunId(1)
)  # fmt: skip


def test_a_release_of_a_run_that_is_at_work_is_left_to_it(tmp_path: Path) -> None:
    project = Project(tmp_path)
    happens(project, run(1), stream="run/1")
    happens(project, OF_RUN_1)
    project.leases.acquire(LEASE, holder="ann's run", ttl_s=1e9, now=project.now())
    daemon = project.daemon(duties=duties)
    project.live(daemon, 600.0)
    assert not project.commands
    # It bakes: the run is over.
    happens(project, f.RunFinished(outcome="passed", exit_code=0), stream="run/1")
    project.live(daemon, 20.0)
    assert len(project.commands) == 1


@pytest.mark.parametrize("is_over", [False, True], ids=["to be gone on with", "given up"])
def test_a_release_of_a_killed_run_is_left_to_it_as_long_as_its_firing_goes_on(tmp_path: Path, is_over: bool) -> None:
    project = Project(tmp_path)
    happens(project, run(1, "other/1"), stream="run/1")
    happens(project, OF_RUN_1)
    fired = f.TriggerFired(firing=1, sources=("hand",), why="ann asked")
    ended = f.FiringEnded(firing=1, outcome="failed", run=RunId(1))
    happens(project, fired, *[ended] * is_over, stream=firing.stream("other"))
    project.live(project.daemon(duties=duties), 60.0)
    assert len(project.commands) == is_over
