"""Telling people: each notice once in the usual case, at least once in any, and nobody holds up anybody."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from headway.backends import connect
from headway.backends.log_memory import MemoryLog
from headway.backends.notifier_memory import MemoryNotifier
from headway.core import facts as f
from headway.core.courier import GIVE_UP_S, OLDEST_S, Receipt
from headway.core.facts import Fact
from headway.core.ids import Digest, RunId
from headway.core.notice import FEW, Notice
from headway.core.notifier import Notifying, Topic
from headway.errors import DiskFull, UsageMistaken
from headway.flows.notify import Courier, Member, Post, Standing, deliver
from headway.ports import Leases, Log, Notifier
from headway.testing.clock import Clock
from headway.testing.processes import eventually

DOWN = Receipt(why="nobody is there")


class Slow:
    """A notifier that says nothing until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.told: list[Notice] = []

    def send(self, notice: Notice) -> Receipt:
        self.go.wait(60)
        self.told.append(notice)
        return Receipt()


class Project:
    """A log, a clock, and who is told."""

    def __init__(self, log: Log, leases: Leases, **notifiers: Notifier) -> None:
        self.log, self.leases, self.clock = log, leases, Clock()
        self.members = [member(name, one) for name, one in notifiers.items()]
        self.n_runs = 0

    def post(self, holder: str = "us") -> Post:
        return Post(log=self.log, leases=self.leases, members=tuple(self.members), now=self.clock.now, holder=holder)

    def append(self, stream: str, *facts: Fact) -> None:
        self.log.append(stream, facts, expect=len(self.log.read(stream)), at=self.clock.now())

    def fail(self) -> None:
        """A run fails."""
        self.n_runs += 1
        run = RunId(self.n_runs)
        started = f.RunStarted(run=run, name="churn", file="p", pipeline=Digest("d" * 64), options=f.RunOptions())
        self.append(f"run/{run}", started, f.RunFinished(outcome="failed", exit_code=1, why="train: exit code 1"))

    def facts(self, kind: type[f.NoticeSent | f.NoticeFailed] = f.NoticeSent) -> list[str]:
        """The keys that facts of this kind name."""
        told = [entry.fact for entry in self.log.read("notices")]
        return [fact.key for fact in told if isinstance(fact, kind) and fact.key]


def member(name: str, notifier: Notifier, *about: Topic) -> Member:
    return Member(written=Notifying(kind="memory", name=name, to="x", about=about), connect=lambda: notifier)


def settled(courier: Courier) -> Standing:
    """Step until nobody is being told anything."""
    courier.step()
    while courier.standing.n_busy:
        courier.wait(20)
    return courier.standing


@pytest.fixture
def team() -> MemoryNotifier:
    return MemoryNotifier()


@pytest.fixture(params=["memory", "sqlite"])
def project(request: pytest.FixtureRequest, tmp_path: Path, team: MemoryNotifier) -> Iterator[Project]:
    log = connect("log", "memory:" if request.param == "memory" else f"sqlite:{tmp_path}/log.sqlite")
    made = Project(log, connect("leases", "memory:"), team=team)  # type: ignore[arg-type] # connect answers by name
    yield made
    made.log.close()


def test_what_happens_is_told_once_and_that_is_a_fact(project: Project, team: MemoryNotifier) -> None:
    courier = Courier(project.post())
    settled(courier)
    project.fail()
    standing = settled(courier)
    assert [one.title for one in team.told] == ["run 1 of churn failed"]
    assert project.facts() == ["run/1#2"]
    assert standing == Standing(n_sent=1)
    settled(courier)
    courier.close()
    settled(Courier(project.post()))
    assert len(team.told) == 1


def test_what_happened_before_somebody_was_named_is_not_told_to_them(project: Project, team: MemoryNotifier) -> None:
    project.fail()
    settled(Courier(project.post()))
    late = MemoryNotifier()
    project.members.append(member("late", late))
    project.fail()
    settled(Courier(project.post()))
    project.fail()
    settled(Courier(project.post()))
    assert [one.about for one in team.told] == ["run 2", "run 3"]
    assert [one.about for one in late.told] == ["run 3"]


def test_a_courier_tells_what_happened_while_there_was_none(project: Project, team: MemoryNotifier) -> None:
    deliver(project.post())
    project.fail()
    project.clock.jump(OLDEST_S)
    project.fail()
    deliver(project.post())
    assert [one.about for one in team.told] == ["run 1", "run 2"]
    project.fail()
    project.clock.jump(OLDEST_S + 1)
    assert deliver(project.post()) == Standing()


def test_each_is_told_of_what_it_wants(project: Project) -> None:
    alarms = MemoryNotifier()
    project.members.append(member("alarms", alarms, "alarm"))
    courier = Courier(project.post())
    settled(courier)
    project.fail()
    project.append(
        "monitor/live", f.AlarmRaised(monitor="live", alarm=1, about="drift", says="look", since_window=1, why="w")
    )
    settled(courier)
    assert [one.about for one in alarms.told] == ["monitor live"]


def test_a_release_is_told_with_its_version(project: Project, team: MemoryNotifier) -> None:
    deliver(project.post())
    started = f.ReleaseStarted(endpoint="churn", release=1, model="churn", version=3, key="k")
    looks = [f.StageLooked(release=1, stage=0) for _ in range(3)]
    project.append("endpoint/other", f.ReleaseStarted(endpoint="other", release=1, model="x", version=1, key="x"))
    project.append("endpoint/churn", started, *looks, f.ReleaseHeld(release=1, stage=0, cause="approval"))
    project.append("endpoint/churn", f.ReleaseFinished(release=1, outcome="rolled-back", why="more errors"))
    project.append("endpoint/none", f.ReleaseFinished(release=1, outcome="failed"))
    deliver(project.post())
    assert [one.title for one in team.told] == [
        "churn: churn@3 waits for an approval",
        "churn: churn@3 was rolled back",
    ]


def test_an_hour_without_a_server_loses_nothing(project: Project, team: MemoryNotifier) -> None:
    courier = Courier(project.post())
    settled(courier)
    team.trouble = DOWN
    for _ in range(FEW):
        project.fail()
    for _ in range(360):
        courier.step()
        courier.wait(20)
        project.clock.jump(10)
    assert courier.standing.trouble == {"team": "nobody is there"}
    assert courier.standing.n_waiting == FEW
    # It is asked seven times in that hour and not 360 times: after 30 s, 60 s, 120 s and so on.
    assert team.n_asked == 7
    team.trouble = None
    project.clock.jump(3600)
    settled(courier)
    assert [one.about for one in team.told] == [f"run {n}" for n in range(1, FEW + 1)]
    assert courier.standing == Standing(n_sent=FEW)


def test_what_is_not_taken_for_a_day_is_given_up_as_a_fact(project: Project, team: MemoryNotifier) -> None:
    courier = Courier(project.post())
    settled(courier)
    team.trouble = DOWN
    project.fail()
    settled(courier)
    project.clock.jump(GIVE_UP_S + 1)
    assert settled(courier).n_failed == 1
    assert project.facts(f.NoticeFailed) == ["run/1#2"]
    team.trouble = None
    courier.close()
    settled(Courier(project.post()))
    assert team.told == []


def test_one_that_hangs_holds_up_nobody_else(project: Project, team: MemoryNotifier) -> None:
    slow = Slow()
    project.members.append(member("slow", slow))
    courier = Courier(project.post())
    courier.step()
    for n in range(1, 4):
        project.fail()
        courier.step()
        eventually(lambda n=n: len(team.told) == n)  # type: ignore[misc] # mypy knows no default of a lambda
        eventually(lambda: courier.step().n_busy == 1)
    assert [one.about for one in team.told] == ["run 1", "run 2", "run 3"]
    slow.go.set()
    eventually(lambda: len(slow.told) == 1)
    settled(courier)
    settled(courier)
    assert [one.about for one in slow.told] == ["run 1", "run 2", "run 3"]


def test_who_was_killed_between_sending_and_writing_tells_it_again(project: Project, team: MemoryNotifier) -> None:
    deliver(project.post())
    project.fail()
    killed = Courier(project.post())
    killed.step()
    eventually(lambda: len(team.told) == 1)
    # It never steps again; its lease ends with it.
    project.leases.release("notices", holder="us")
    settled(Courier(project.post("the next")))
    assert [one.key for one in team.told] == ["run/1#2", "run/1#2"]
    assert project.facts() == ["run/1#2"]


class FullLog(MemoryLog):
    """A log on a disk that may be full."""

    __slots__ = ("is_full",)

    def __init__(self) -> None:
        super().__init__()
        self.is_full = False

    def append(self, stream: str, facts: Sequence[Fact], *, expect: int, at: float) -> int:
        if self.is_full:
            raise DiskFull("no space is left", at="log", remedy="free some")
        return super().append(stream, facts, expect=expect, at=at)


def test_while_the_disk_is_full_nobody_is_told_the_same_again_and_again(team: MemoryNotifier) -> None:
    log = FullLog()
    project = Project(log, connect("leases", "memory:"), team=team)  # type: ignore[arg-type] # connect answers by name
    courier = Courier(project.post())
    settled(courier)
    project.fail()
    courier.step()
    eventually(lambda: len(team.told) == 1)
    log.is_full = True
    for _ in range(50):
        project.clock.jump(60)
        with pytest.raises(DiskFull):
            courier.step()
    log.is_full = False
    project.fail()
    settled(courier)
    assert [one.about for one in team.told] == ["run 1", "run 2"]
    assert project.facts() == ["run/1#2", "run/2#2"]


def test_a_courier_that_cannot_write_that_it_begins_tells_nobody(team: MemoryNotifier) -> None:
    log = FullLog()
    project = Project(log, connect("leases", "memory:"), team=team)  # type: ignore[arg-type] # connect answers by name
    project.fail()
    log.is_full = True
    courier = Courier(project.post())
    for _ in range(3):
        with pytest.raises(DiskFull):
            courier.step()
    log.is_full = False
    project.fail()
    settled(courier)
    project.fail()
    settled(courier)
    assert [one.about for one in team.told] == ["run 3"]
    assert len(log.read("notices")) == 2


def test_of_two_couriers_one_tells_and_the_other_takes_over(project: Project, team: MemoryNotifier) -> None:
    ours, theirs = Courier(project.post("us")), Courier(project.post("them"))
    settled(ours)
    project.fail()
    assert settled(theirs).elsewhere == "us"
    settled(ours)
    project.fail()
    ours.close()
    assert settled(theirs) == Standing(n_sent=1)
    assert [one.about for one in team.told] == ["run 1", "run 2"]
    project.fail()
    assert settled(ours).elsewhere == "them"


def test_a_storm_becomes_one_notice(project: Project, team: MemoryNotifier) -> None:
    courier = Courier(project.post())
    settled(courier)
    for _ in range(100):
        project.fail()
    settled(courier)
    assert [one.title for one in team.told] == ["100 things happened"]
    assert len(project.facts()) == 100


def test_one_that_cannot_be_reached_by_its_settings_is_told_of(project: Project) -> None:
    def connect_() -> Notifier:
        raise UsageMistaken("the variable HOOK is empty", at="headway.toml: notify.team", remedy="set it")

    project.members = [Member(written=Notifying(kind="webhook", name="team", to_env="HOOK"), connect=connect_)]
    deliver(project.post())
    project.fail()
    standing = deliver(project.post())
    assert standing.trouble == {"team": "the variable HOOK is empty (headway.toml: notify.team)"}
    assert standing.n_waiting == 1


def test_one_that_breaks_does_not_end_the_courier(project: Project, team: MemoryNotifier) -> None:
    class Broken:
        def send(self, notice: Notice) -> Receipt:
            raise ZeroDivisionError(notice.title)

    project.members.append(member("broken", Broken()))
    deliver(project.post())
    project.fail()
    assert deliver(project.post()).trouble == {"broken": "the notifier failed: ZeroDivisionError"}
    assert len(team.told) == 1


def test_a_clock_that_jumps_loses_and_repeats_nothing(project: Project, team: MemoryNotifier) -> None:
    courier = Courier(project.post())
    settled(courier)
    for n, jump in enumerate((-86400.0, 3600.0, -7200.0, 10 * 86400.0), 1):
        team.trouble = DOWN
        project.fail()
        settled(courier)
        team.trouble = None
        project.clock.jump(jump)
        settled(courier)
        assert len(team.told) == n
    assert len(set(project.facts())) == 4


def test_with_nobody_to_tell_nothing_is_done(project: Project) -> None:
    project.members = []
    project.fail()
    assert deliver(project.post()) == Standing()
    assert project.log.read("notices") == []
