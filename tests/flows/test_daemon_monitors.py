"""The monitors' process is kept alive, begins anew when there is something else to watch, and none is left over."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from headway.backends.runner_memory import Play
from headway.core import facts as f
from headway.core.pipeline import Pipeline
from headway.flows.daemon import Daemon, Duty, World
from headway.flows.daemon_files import Watched
from headway.flows.daemon_monitors import Monitors
from simulated_daemon import Project, pipeline

RUN = "monitor run ./churn.yaml"


def monitored(*names: str) -> Pipeline:
    return msgspec.structs.replace(pipeline(), monitors={name: {"endpoint": name} for name in names})


class Place:
    """A project with a daemon whose only other duty are its monitors."""

    def __init__(self, folder: Path) -> None:
        self.project = Project(folder)
        self.monitors: Monitors | None = None

    def daemon(self, *pipelines: Pipeline, once: bool = False) -> Daemon:
        def duties(world: World) -> Sequence[Duty]:
            self.monitors = Monitors(children=world.children, tell=world.tell, once=once)
            self.watch(*pipelines)
            return [self.monitors]

        return self.project.daemon(duties=duties)

    def watch(self, *pipelines: Pipeline) -> None:
        assert self.monitors is not None
        self.monitors.watch([Watched(file=f"{one.name}.yaml", pipeline=one) for one in pipelines])

    @property
    def commands(self) -> list[str]:
        return [words for _, words in self.project.commands]


def test_one_process_looks_for_all_that_have_monitors(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.project.live(place.daemon(monitored("live"), pipeline("fares")), 600.0)
    assert place.commands == [RUN]


def test_nothing_is_started_where_nothing_is_to_be_watched(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.project.live(place.daemon(pipeline()), 600.0)
    assert place.commands == []


def test_one_that_dies_is_started_again_ever_more_seldom_and_told(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.project.plays = lambda _: Play(code=1, seconds=2.0, says=b"headway: the log is damaged\n  at: log\n")
    place.project.live(place.daemon(monitored("live")), 3600.0)
    assert 10 < len(place.commands) < 24
    first = "nobody watches: the log is damaged; it is started again in 1 s"
    assert place.project.lines("process")[0] == first


def test_one_that_lived_long_is_started_again_at_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.project.plays = lambda _: Play(code=137, seconds=100.0)
    place.project.live(place.daemon(monitored("live")), 1000.0)
    assert len(place.commands) == 10


def test_it_begins_anew_when_there_is_something_else_to_watch(tmp_path: Path) -> None:
    place = Place(tmp_path)
    daemon = place.daemon(monitored("live"))
    place.project.live(daemon, 60.0)
    place.watch(monitored("live"))
    place.project.live(daemon, 60.0)
    assert place.commands == [RUN]
    place.watch(monitored("live", "eu"))
    place.project.live(daemon, 60.0)
    assert place.commands == [RUN, RUN]
    place.watch(pipeline())
    place.project.live(daemon, 60.0)
    assert place.commands == [RUN, RUN]
    assert not place.project.machine.at_work


def test_one_that_a_killed_daemon_left_is_ended_first(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.project.live(place.daemon(monitored("live")), 60.0)
    place.project.live(place.daemon(monitored("eu")), 60.0)
    assert place.commands == [RUN, RUN]
    assert list(place.project.machine.at_work) == ["monitors"]


def test_once_each_file_is_looked_at_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.project.plays = lambda _: Play(seconds=5.0)
    place.project.live(place.daemon(monitored("live"), once=True), 600.0)
    assert place.commands == ["monitor --look --file churn.yaml"]


def alarm() -> f.AlarmRaised:
    return f.AlarmRaised(
        monitor="live", alarm=2, about="drift", says="retrain", since_window=7, why="tenure moved\nmost of it"
    )


def test_alarms_are_told_whoever_looked(tmp_path: Path) -> None:
    place = Place(tmp_path)
    daemon = place.daemon(monitored("live"))
    place.project.live(daemon, 10.0)
    facts: list[Callable[[], f.Fact]] = [alarm, lambda: f.AlarmEnded(monitor="live", alarm=2, why="all is as it was")]
    for n, fact in enumerate(facts):
        place.project.log.append("monitor/live", [fact()], expect=n, at=place.project.now())
    place.project.live(daemon, 10.0)
    assert [(told.about, told.says) for told in place.project.told if told.kind == "alarm"] == [
        ("live", "alarm 2, drift: retrain: tenure moved"),
        ("live", "alarm 2 is over: all is as it was"),
    ]
