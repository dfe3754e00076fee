"""What was told of a pipeline's sources: told twice it is once, whoever tells it; a state that comes back is news."""

from headway.backends.leases_memory import MemoryLeases
from headway.backends.log_memory import MemoryLog
from headway.core import facts as f
from headway.core.facts import Entry, Fact
from headway.core.pipeline import Pipeline
from headway.core.trigger import push_key
from headway.flows import firing
from headway.flows.events import Told, World, see, sources
from headway.ports import Source


def no_source(url: str) -> Source:
    raise AssertionError(url)


def event(key: str, source: str = "data: a.csv") -> f.EventSeen:
    return f.EventSeen(source=source, key=key, why=f"{source} is {key}")


def stream(log: MemoryLog) -> list[Entry]:
    return log.read(firing.stream("churn"))


class Racing:
    """A log in which somebody else tells the same first."""

    def __init__(self, log: MemoryLog, first: f.EventSeen) -> None:
        self.log, self.first = log, [first]

    def __getattr__(self, name: str) -> object:
        return getattr(self.log, name)

    def append(self, stream: str, facts: list[Fact], *, expect: int, at: float) -> int:
        if self.first:
            self.log.append(stream, [self.first.pop()], expect=expect, at=at)
        return self.log.append(stream, facts, expect=expect, at=at)


def test_what_is_told_twice_is_there_once() -> None:
    log = MemoryLog()
    assert see(log, "churn", [event("1"), event("1")], now=1.0) == [event("1")]
    assert see(log, "churn", [event("1")], now=2.0) == []
    assert [(entry.fact, entry.at) for entry in stream(log)] == [(event("1"), 1.0)]


def test_whoever_is_second_to_tell_the_same_tells_nothing() -> None:
    log = MemoryLog()
    racing = Racing(log, event("1"))
    assert see(racing, "churn", [event("1")], now=1.0) == []  # type: ignore[arg-type] # the rest is the log's own
    racing.first.append(event("2"))
    assert see(racing, "churn", [event("3")], now=1.0) == [event("3")]  # type: ignore[arg-type] # as above
    assert [entry.fact for entry in stream(log)] == [event("1"), event("2"), event("3")]


def test_how_a_source_was_when_it_was_first_watched_starts_nothing() -> None:
    log = MemoryLog()
    began = f.SourceWatched(source="data: a.csv", key="1", n_rows=10)
    assert see(log, "churn", [began], now=1.0) == []
    assert see(log, "churn", [event("1")], now=2.0) == []
    assert see(log, "churn", [event("2")], now=3.0) == [event("2")]
    newest = Told(log, "churn").newest("data: a.csv")
    assert newest is not None
    assert (newest.key, newest.at, newest.n_rows) == ("2", 3.0, None)


def test_a_branch_that_is_pushed_back_is_news_and_a_delivery_that_comes_again_is_not() -> None:
    log = MemoryLog()
    told = [push_key("main", "a"), push_key("dev", "a"), push_key("main", "b"), push_key("dev", "a"), "delivery 7"]
    again = [push_key("main", "a"), "delivery 8", "delivery 7", push_key("main", "a")]
    seen = [event(key, "push") for key in [*told, *again]]
    assert [one.key for one in see(log, "churn", seen, now=1.0)] == [
        "main@a",
        "dev@a",
        "main@b",
        "delivery 7",
        "main@a",
        "delivery 8",
    ]
    newest = Told(log, "churn").newest("push", "dev@")
    assert newest is not None
    assert newest.key == "dev@a"


def test_a_pipeline_without_triggers_has_no_sources() -> None:
    world = World(
        log=MemoryLog(), leases=MemoryLeases(), folder="/nowhere", home="/nowhere", environ={}, source=no_source
    )
    assert sources(Pipeline(name="churn", steps=()), world) == []
    limited = Pipeline(name="churn", steps=(), triggers={"limits": {"per-day": 2}, "http": False})
    assert sources(limited, world) == []


def test_calls_of_an_address_are_listed_and_never_looked_for() -> None:
    world = World(
        log=MemoryLog(), leases=MemoryLeases(), folder="/nowhere", home="/nowhere", environ={}, source=no_source
    )
    (called,) = sources(Pipeline(name="churn", steps=(), triggers={"http": {"path": "retrain"}}), world)
    assert (called.name, called.due_at(5.0), called.look(5.0)) == ("http: retrain", float("inf"), [])
