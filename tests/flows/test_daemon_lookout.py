"""Sources are looked at when they are due or something they ask about happened; what they tell is appended once."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from headway.core import facts as f
from headway.errors import SourceUnreachable
from headway.flows.daemon import Daemon, Duty, World
from headway.flows.daemon_lookout import Lookout
from headway.flows.event_pace import Pace
from headway.flows.events import Event
from simulated_daemon import Project, pipeline


class Scripted:
    """A source that tells what it is given, every ten seconds."""

    paths: Sequence[str] = ()

    def __init__(self, name: str) -> None:
        self.name = name
        self.pace = Pace()
        self.news: list[Event] = []
        self.at: list[float] = []
        self.error: SourceUnreachable | None = None

    def look(self, now: float) -> list[Event]:
        self.at.append(now)
        self.pace.begin()
        if self.error is not None:
            self.pace.failed(now, self.error)
            return []
        self.pace.well(now, 10.0, "")
        return self.news

    def due_at(self, now: float) -> float:
        return self.pace.due_at(now)


class Place:
    def __init__(self, folder: Path, *sources: Scripted) -> None:
        self.project = Project(folder)
        self.daemon: Daemon = self.project.daemon(pipeline("churn"), duties=self.duties)
        self.sources = sources

    def duties(self, world: World) -> Sequence[Duty]:
        # Made before the sources are known: asked for at the first round.
        place = self

        class Late:
            name = "churn"
            inner: Lookout | None = None

            def do(self, now: float) -> float:
                self.inner = self.inner or Lookout("churn", place.sources, log=world.log, tell=world.tell)
                return self.inner.do(now)

            def after(self, entry: f.Entry) -> bool:
                return self.inner is not None and self.inner.after(entry)

            def ended(self, exit_: object, now: float) -> bool:
                return False

        return [Late()]


def event(source: str, key: str) -> f.EventSeen:
    return f.EventSeen(source=source, key=key, why=f"{source}: {key}")


def test_what_a_source_tells_is_appended_once_and_starts_one_run(tmp_path: Path) -> None:
    source = Scripted("http: a")
    place = Place(tmp_path, source)
    source.news = [event("http: a", "1"), event("http: a", "2")]
    place.project.live(place.daemon, 300.0)
    assert [fact.key for fact in place.project.facts("EventSeen")] == ["1", "2"]
    assert len(place.project.facts("RunStarted")) == 1
    assert 28 <= len(source.at) <= 31


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("drift: live", f.AlarmRaised(monitor="live", alarm=1, about="drift", says="retrain", since_window=1, why="w")),
        ("pipeline: features", f.RunFinished(outcome="passed", exit_code=0)),
        ("model-age: churn", f.AliasMoved(model="churn", alias="champion", version=2)),
        ("push", event("push", "main@abc")),
    ],
    ids=["an alarm", "a run's end", "another champion", "a push that somebody told of"],
)
def test_what_the_log_tells_is_looked_at_at_once(tmp_path: Path, name: str, fact: f.Fact) -> None:
    asked, other = Scripted(name), Scripted("data: other.csv")
    place = Place(tmp_path, asked, other)
    place.project.live(place.daemon, 2.0)
    place.project.log.append("trigger/churn" if isinstance(fact, f.EventSeen) else "x", [fact], expect=0, at=1.0)
    place.project.live(place.daemon, 1.0)
    assert (len(asked.at), len(other.at)) == (2, 1)


def test_trouble_of_a_source_is_told_once_and_so_is_its_end(tmp_path: Path) -> None:
    source = Scripted("data: far.csv")
    place = Place(tmp_path, source)
    source.error = SourceUnreachable("nobody answers", at="s3://far", remedy="wait")
    place.project.live(place.daemon, 3600.0)
    assert len(source.at) < 20
    source.error = None
    place.project.live(place.daemon, 700.0)
    assert place.project.lines("trouble") == [
        "data: far.csv: nobody answers (s3://far); it is tried again",
        "data: far.csv: can be looked at again",
    ]
