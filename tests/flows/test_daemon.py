"""The loop of `headway up`: each event one run, each run seen through, whoever dies; trouble of one stops no other."""

from pathlib import Path
from typing import Any

import pytest

from headway.core import facts as f
from headway.core.daemon import MOST_STARTS
from headway.errors import DiskFull, LeaseHeld
from headway.flows import daemon as d
from headway.flows.launch import LEASE
from simulated_daemon import BEGAN, Fatal, Killed, Project, pipeline

FAULTY = '{"error":"file-faulty","problem":"churn.yaml has 2 faults","at":"churn.yaml:3:5","remedy":"mend","faults":[]}'
HOUR_S = 3600.0


def ends(project: Project) -> list[tuple[int, str, int | None]]:
    return [(fact.firing, fact.outcome, fact.run) for fact in project.facts("FiringEnded")]


def test_an_event_starts_one_run_and_is_told(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.see("a")
    project.live(project.daemon(), 100.0)
    assert ends(project) == [(1, "passed", 1)]
    assert project.n_processes == 1
    assert [(told.kind, told.about, told.says) for told in project.told] == [
        ("firing", "churn", "firing 1: data: day.csv has a"),
        ("run", "churn", "run 1 began"),
        ("run", "churn", "run 1 passed"),
    ]


def test_what_comes_while_a_run_is_at_work_has_the_next_one(tmp_path: Path) -> None:
    project = Project(tmp_path)
    daemon = project.daemon()
    for key in "abc":
        project.see(key)
        project.live(daemon, 20.0)
    project.live(daemon, 200.0)
    assert [fact.why for fact in project.facts("TriggerFired")] == ["data: day.csv has a", "data: day.csv has c"]
    assert ends(project) == [(1, "passed", 1), (2, "passed", 2)]


def test_pipelines_of_one_folder_take_turns(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.see("a", "churn")
    project.see("a", "fares")
    project.live(project.daemon(pipeline("churn"), pipeline("fares")), 200.0)
    assert ends(project) == [(1, "passed", 1), (1, "passed", 2)]
    assert project.lines("run").count("waits: a run is at work in this folder (firing/churn/1)") == 1


def test_a_run_by_hand_is_waited_for(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.leases.acquire(LEASE, holder="ann", ttl_s=1e9, now=BEGAN)
    project.see("a")
    daemon = project.daemon()
    project.live(daemon, HOUR_S)
    assert project.n_processes == 0
    project.leases.release(LEASE, holder="ann")
    project.live(daemon, 2.0)
    assert project.n_processes == 1


def test_a_run_whose_process_dies_is_gone_on_with_and_given_up_in_the_end(tmp_path: Path) -> None:
    project = Project(tmp_path, ends=[137])
    project.see("a")
    project.live(project.daemon(), HOUR_S)
    assert (project.n_processes, len(project.facts("RunStarted"))) == (MOST_STARTS, 1)
    assert ends(project) == [(1, "failed", 1)]
    assert project.facts("FiringEnded")[0].why == "its process was killed by signal 9, 5 times"
    pauses = [line for line in project.lines("process") if "started again" in line]
    assert [line.rsplit(" ", 2)[1] for line in pauses] == ["1", "2", "4", "8"]


def test_a_file_that_cannot_be_read_ends_the_firing_at_once(tmp_path: Path) -> None:
    project = Project(tmp_path, ends=[FAULTY])
    project.see("a")
    project.live(project.daemon(), HOUR_S)
    assert project.n_processes == 1
    assert project.facts("FiringEnded")[0].why == "churn.yaml has 2 faults (churn.yaml:3:5)"
    assert project.lines("run") == ["no run could be started: churn.yaml has 2 faults (churn.yaml:3:5)"]


def test_a_run_that_somebody_interrupts_stays_so(tmp_path: Path) -> None:
    project = Project(tmp_path, ends=["interrupted"])
    project.see("a")
    project.live(project.daemon(), HOUR_S)
    assert ends(project) == [(1, "interrupted", 1)]


def test_a_run_that_was_interrupted_with_its_daemon_goes_on(tmp_path: Path) -> None:
    project = Project(tmp_path, ends=["interrupted", "passed"])
    project.see("a")
    project.live(project.daemon(), 30.0)
    daemon = project.daemon()
    project.pause(60.0)
    project.live(daemon, 100.0)
    assert ends(project) == [(1, "passed", 1)]
    assert project.lines("run") == ["run 1 began", "goes on with run 1", "run 1 passed"]


def test_what_holds_a_run_back_is_told_once_with_its_time(tmp_path: Path) -> None:
    project = Project(tmp_path)
    daemon = project.daemon(pipeline(limits={"cooldown": "6h"}))
    project.see("a")
    project.live(daemon, 100.0)
    project.see("b")
    project.live(daemon, 600.0)
    assert project.lines("firing") == [
        "firing 1: data: day.csv has a",
        "the next run waits until 2023-11-15 04:13:20 UTC: the cooldown after the last run",
    ]
    project.tick_s = 60.0
    project.live(daemon, 6 * HOUR_S)
    assert ends(project) == [(1, "passed", 1), (2, "passed", 2)]


def test_failing_runs_do_not_come_in_storms(tmp_path: Path) -> None:
    project = Project(tmp_path, ends=["failed"], takes_s=10.0)
    project.tick_s = 60.0
    daemon = project.daemon()
    for hour in range(72):
        project.see(str(hour))
        project.live(daemon, HOUR_S)
    assert len(project.facts("RunStarted")) <= 12


# --- killed -----------------------------------------------------------------------------------------------------


def story(project: Project, fatal: Fatal) -> None:
    """Two pipelines, three events, one run that dies: a daemon that may be killed, then one that is not."""
    daemon = project.daemon(pipeline("churn"), pipeline("fares"), fatal=fatal)
    project.see("a", "churn")
    project.see("a", "fares")
    project.live(daemon, 70.0)
    project.see("b", "churn")
    project.live(daemon, 400.0)


def all_is_well(project: Project) -> None:
    runs = project.facts("RunStarted")
    assert sorted(run.options.firing for run in runs) == ["churn/1", "churn/2", "fares/1"]
    assert sorted((fact.firing, fact.outcome) for fact in project.facts("FiringEnded")) == [
        (1, "passed"), (1, "passed"), (2, "passed"),
    ]  # fmt: skip
    assert len(project.facts("RunFinished")) == 3


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_act_nothing_is_lost_and_nothing_done_twice(tmp_path: Path, after: bool) -> None:
    kinds: list[str | int] = ["passed", 137, "passed"]
    whole, never = Project(tmp_path / "whole", ends=kinds), Fatal()
    story(whole, never)
    all_is_well(whole)
    assert never.n_acts > 8
    for kill_at in range(1, never.n_acts + 1):
        project = Project(tmp_path / str(kill_at), ends=kinds)
        try:
            story(project, Fatal(kill_at, after=after))
        except Killed:
            # The lease of a daemon that cannot be seen to die lasts for some seconds more.
            project.pause(d.TTL_S)
        daemon = project.daemon(pipeline("churn"), pipeline("fares"))
        project.live(daemon, 200.0)
        if "b" not in [fact.key for fact in project.facts("EventSeen")]:
            project.see("b", "churn")
        project.live(daemon, 1000.0)
        all_is_well(project)


def test_a_process_that_did_not_begin_its_run_yet_is_not_started_beside(tmp_path: Path) -> None:
    project = Project(tmp_path, before_s=30.0)
    project.see("a")
    project.live(project.daemon(fatal=Fatal()), 1.0)
    assert (project.n_processes, project.facts("RunStarted")) == (1, [])
    # The first daemon is gone between the spawn and the run's first fact.
    project.live(project.daemon(), 300.0)
    assert (ends(project), project.n_processes) == ([(1, "passed", 1)], 1)


def test_of_two_one_leads_and_the_other_takes_over(tmp_path: Path) -> None:
    project = Project(tmp_path)
    first = project.daemon(holder="first")
    project.see("a")
    project.live(first, 10.0)
    second = project.daemon(holder="second")
    with pytest.raises(LeaseHeld):
        second.round()
    # The first is gone; its run is not.
    project.pause(d.TTL_S)
    project.live(second, 100.0)
    assert (ends(project), project.n_processes) == ([(1, "passed", 1)], 1)
    with pytest.raises(LeaseHeld):
        project.live(first, 100.0)


def test_one_that_slept_over_its_lease_claims_nothing_that_another_claimed(tmp_path: Path) -> None:
    project = Project(tmp_path)
    first, second = project.daemon(holder="first"), project.daemon(holder="second")
    first.round()
    project.leases.release(d.LEASE, holder="first")
    project.see("a")
    second.round()
    # Within the five seconds until the first asks for its lease again both act.
    first.round()
    assert (len(project.facts("TriggerFired")), project.n_processes) == (1, 1)


class Racing:
    """A log to which somebody else appends just before the daemon's first claim."""

    def __init__(self, inner: Any, before: Any) -> None:
        self._inner = inner
        self._before = before

    def append(self, stream: str, facts: Any, **kwargs: Any) -> Any:
        before, self._before = self._before, None
        if before is not None and isinstance(facts[0], f.TriggerFired):
            before()
        return self._inner.append(stream, facts, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_what_is_told_between_looking_and_claiming_is_part_of_the_firing(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.see("a")
    racing: Any = Racing(project.log, lambda: project.see("main@1", source="push"))
    project.log = racing
    project.live(project.daemon(), 100.0)
    (fired,) = project.facts("TriggerFired")
    assert fired.sources == ("data: day.csv", "push")


def test_what_another_claims_between_looking_and_claiming_is_not_claimed_again(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.see("a")
    claim = f.TriggerFired(firing=1, sources=("data: day.csv",), why="theirs")
    inner = project.log
    racing: Any = Racing(inner, lambda: inner.append("trigger/churn", [claim], expect=1, at=BEGAN))
    project.log = racing
    project.live(project.daemon(), 100.0)
    assert [fact.why for fact in project.facts("TriggerFired")] == ["theirs"]
    assert ends(project) == [(1, "passed", 1)]


# --- trouble ----------------------------------------------------------------------------------------------------


class Full:
    """A log on a disk that is full for a while."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.is_full = True

    def append(self, *args: Any, **kwargs: Any) -> Any:
        if self.is_full:
            raise DiskFull("no space is left for the log", at="log.sqlite", remedy="free some")
        return self._inner.append(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_a_full_disk_is_told_once_and_nothing_is_lost(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.see("a")
    full: Any = Full(project.log)
    project.log = full
    daemon = project.daemon()
    project.live(daemon, HOUR_S)
    assert project.lines("trouble") == ["no space is left for the log (log.sqlite); it is tried again. free some"]
    full.is_full = False
    project.live(daemon, 600.0)
    assert ends(project) == [(1, "passed", 1)]


class Breaking:
    """A duty that fails for a while, as one whose remote is down."""

    name = "far away"

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        self.at: list[float] = []

    def do(self, now: float) -> float:
        self.at.append(now)
        if self.error is not None:
            raise self.error
        return now + 10.0

    def after(self, entry: f.Entry) -> bool:
        return False

    def ended(self, exit_: object, now: float) -> bool:
        return False


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "/somewhere"), "no space left on device (/somewhere); it is tried"),
        (ZeroDivisionError("division by zero"), "this is a fault in headway itself: ZeroDivisionError: division by"),
    ],
    ids=["of the system", "of ours"],
)
def test_trouble_of_one_duty_stops_no_other_and_is_tried_ever_more_seldom(
    tmp_path: Path, error: Exception, said: str
) -> None:
    project = Project(tmp_path)
    breaking = Breaking(error)
    daemon = project.daemon(duties=lambda _: [breaking])
    project.see("a")
    project.live(daemon, HOUR_S)
    assert ends(project) == [(1, "passed", 1)]
    assert len(breaking.at) < 30
    (line,) = project.lines("trouble")
    assert line.startswith(said)
    breaking.error = None
    project.live(daemon, 310.0)
    gaps = [b - a for a, b in zip(breaking.at, breaking.at[1:], strict=False)]
    assert gaps[-1] == pytest.approx(10.0, abs=1.0)


def test_a_clock_that_is_set_back_makes_nobody_wait(tmp_path: Path) -> None:
    project = Project(tmp_path, ends=[137, "passed"])
    daemon = project.daemon()
    project.see("a")
    project.live(daemon, 60.2)
    project.machine.now -= 10 * HOUR_S
    project.see("b")
    project.live(daemon, 200.0)
    assert [end[:2] for end in ends(project)] == [(1, "passed"), (2, "passed")]
