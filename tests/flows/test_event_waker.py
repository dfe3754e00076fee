"""File events bring a look forward; where there are none, looking goes on by itself."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event as Flag

import pytest

from events_world import Looking
from headway.flows import event_waker
from headway.flows.event_waker import Waker

FOLDERS = {"data": [{"dataset": "data/in"}, {"dataset": "data/other"}]}


@pytest.fixture
def looking(tmp_path: Path) -> Looking:
    for name in ("in/below", "other"):
        (tmp_path / "data" / name).mkdir(parents=True)
    looking = Looking(tmp_path, FOLDERS, now=time.time())
    looking.told()
    return looking


@pytest.fixture
def rung() -> Flag:
    return Flag()


@pytest.fixture
def waker(looking: Looking, rung: Flag) -> Iterator[Waker]:
    waker = Waker(looking.sources, rung.set)
    waker.begin()
    yield waker
    waker.close()
    assert not any(source.pace.is_watched for source in looking.sources)
    waker.close()


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_file_that_arrives_makes_its_source_due_and_no_other(looking: Looking, waker: Waker, rung: Flag) -> None:
    one, other = looking.sources
    until(lambda: one.pace.is_watched and other.pace.is_watched and rung.is_set())
    looking.told(at=time.time())
    rung.clear()
    # It may arrive before the kernel has said all of what was there.
    while not rung.wait(0.5):
        (Path(looking.world.folder) / "data" / "in" / "below" / "a.csv").write_text(str(time.monotonic()))
    assert (one.pace.touched, other.pace.touched) == (True, False)


def test_a_folder_that_comes_later_or_is_made_anew_is_watched(
    tmp_path: Path, rung: Flag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_waker, "AGAIN_MS", 50)
    looking = Looking(tmp_path, {"data": {"dataset": "data/in"}}, now=time.time())
    looking.told()
    waker = Waker(looking.sources, rung.set)
    waker.begin()
    for _ in range(2):
        (tmp_path / "data" / "in").mkdir(parents=True)
        looking.told(at=time.time())
        until(lambda: looking.source.pace.is_watched)
        (tmp_path / "data" / "in").rmdir()
        until(lambda: not looking.source.pace.is_watched)
    waker.close()


def test_where_nobody_can_watch_sources_are_looked_at_more_often(
    looking: Looking, rung: Flag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_waker, "_notify", lambda paths: None)
    waker = Waker(looking.sources, rung.set)
    waker.begin()
    looking.told(after_s=100)
    assert all(source.due_at(looking.now) < looking.now + 25 for source in looking.sources)
    for source in looking.sources:
        source.pace.is_watched = True
    looking.told(after_s=100)
    assert all(source.due_at(looking.now) >= looking.now + 30 for source in looking.sources)
    waker.close()
    assert not rung.is_set()
