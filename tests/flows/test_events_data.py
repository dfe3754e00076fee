"""Data as sources: what arrives is told once and whole, whatever is told, missed, put back or counted."""

import os
import resource
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from threading import Event as Flag

import pytest

from events_world import Looking
from headway.backends.log_memory import MemoryLog
from headway.core.facts import DatasetVersioned, EventSeen
from headway.core.ids import Artifact, Digest
from headway.core.source_state import SourceState
from headway.errors import SourceUnreachable
from headway.flows import event_files, events_data

FILE = {"data": {"dataset": "data/a.csv"}}
FOLDER = {"data": {"dataset": "data/in"}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "data" / "in").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system on which nobody can tell whether a file is open."""
    monkeypatch.setattr(event_files, "_is_open", lambda path: None)


def write(path: Path, text: str) -> None:
    """As a program would that puts a file in its place when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.rename(path)


def now() -> float:
    """The time of the files, since theirs is compared with it."""
    return time.time()


def test_what_was_there_before_is_no_news_and_what_changes_is(project: Path) -> None:
    write(project / "data" / "a.csv", "id\n1\n")
    looking = Looking(project, FILE, now=now())
    assert looking.told() == []
    write(project / "data" / "a.csv", "id\n1\n2\n")
    (event,) = looking.told(after_s=1)
    assert (event.source, event.why) == ("data: data/a.csv", "data/a.csv changed")
    assert looking.told(after_s=1) == []
    os.utime(project / "data" / "a.csv")
    assert looking.told(after_s=1) == []
    write(project / "data" / "a.csv", "id\n1\n")
    assert len(looking.told(after_s=1)) == 1


def test_what_changed_while_nobody_looked_is_news(project: Path) -> None:
    write(project / "data" / "a.csv", "id\n1\n")
    looking = Looking(project, FILE, now=now())
    looking.told()
    write(project / "data" / "a.csv", "id\n2\n")
    assert [one.why for one in Looking(project, FILE, now=now(), log=looking.log).told()] == ["data/a.csv changed"]
    assert Looking(project, FILE, now=now(), log=looking.log).told() == []


def test_what_nobody_appended_is_told_again(project: Path) -> None:
    looking = Looking(project, FILE, now=now())
    looking.told()
    write(project / "data" / "a.csv", "id\n1\n")
    first = looking.source.look(now())
    assert first == looking.source.look(now() + 1) != []
    assert len(looking.told(at=now() + 2)) == 1


def test_data_that_arrive_for_the_first_time_go_and_come_back(project: Path) -> None:
    looking = Looking(project, FILE, now=now())
    assert looking.told() == []
    assert looking.source.pace.said == "waits for it to arrive"
    write(project / "data" / "a.csv", "id\n1\n")
    assert [one.why for one in looking.told(at=now())] == ["data/a.csv arrived"]
    (project / "data" / "a.csv").unlink()
    assert looking.told(at=now()) == []
    write(project / "data" / "a.csv", "id\n1\n")
    assert looking.told(at=now()) == []


def test_a_file_that_somebody_writes_to_is_no_event_yet(project: Path) -> None:
    looking = Looking(project, FILE, now=now())
    looking.told()
    with (project / "data" / "a.csv").open("w") as file:
        file.write("id\n1\n")
        file.flush()
        assert looking.told(at=now()) == []
        assert looking.source.pace.said == "is being written"
        assert looking.now < looking.source.due_at(looking.now) <= looking.now + events_data.WRITING_S
        file.write("2\n")
    assert len(looking.told(at=now())) == 1


def test_where_nobody_can_tell_stillness_is_waited_for(project: Path, blind: None) -> None:
    looking = Looking(project, FILE, now=now())
    looking.told()
    write(project / "data" / "a.csv", "id\n1\n")
    os.utime(project / "data" / "a.csv", (looking.now + 100, looking.now + 100))
    assert looking.told(after_s=1) == []
    assert looking.told(after_s=0.5) == []
    assert len(looking.told(after_s=0.6)) == 1


def test_a_folder_is_told_when_nothing_comes_any_more(project: Path) -> None:
    looking = Looking(project, FOLDER, now=now())
    looking.told()
    write(project / "data" / "in" / "1.csv", "id\n1\n")
    at = now()
    assert looking.told(at=at) == []
    write(project / "data" / "in" / "2.csv", "id\n2\n")
    assert looking.told(at=at + 0.3) == []
    assert [one.why for one in looking.told(at=at + 60)] == ["data/in changed"]
    (project / "data" / "in" / "2.csv").unlink()
    looking.told(at=at + 90)
    assert len(looking.told(at=at + 100)) <= 1
    assert len(list(looking.log.read("trigger/churn"))) == 3


def test_links_and_empty_folders_count(project: Path) -> None:
    (project / "data" / "in" / "empty").mkdir()
    looking = Looking(project, FOLDER, now=now())
    looking.told()
    (project / "data" / "in" / "link").symlink_to("nowhere")
    looking.told(at=now() + 60)
    assert len(looking.told(at=now() + 120)) <= 1
    assert len(list(looking.log.read("trigger/churn"))) == 2


def test_what_cannot_be_read_is_told_and_looked_at_later(project: Path) -> None:
    looking = Looking(project, {"data": {"dataset": "data/in"}}, now=now())
    looking.told()
    os.mkfifo(project / "data" / "in" / "pipe")
    assert looking.told(at=now() + 60) == []
    assert looking.told(at=now() + 61) == []
    assert "pipe" in looking.source.pace.trouble
    assert looking.source.due_at(looking.now) >= looking.now + 5
    (project / "data" / "in" / "pipe").unlink()
    write(project / "data" / "in" / "1.csv", "id\n1\n")
    looking.told(at=now() + 120)
    looking.told(at=now() + 180)
    assert looking.source.pace.trouble == ""
    assert len(list(looking.log.read("trigger/churn"))) == 2


def test_a_touch_makes_it_due(project: Path) -> None:
    looking = Looking(project, FOLDER, now=now())
    looking.told()
    assert looking.source.paths == [str(project / "data" / "in")]
    looking.source.pace.is_watched = True
    looking.told(after_s=1)
    assert looking.source.due_at(looking.now) > looking.now
    looking.source.pace.touched = True
    assert looking.source.due_at(looking.now) == looking.now
    looking.told()
    assert looking.source.due_at(looking.now) > looking.now


def test_a_folder_that_holds_what_headway_writes_is_not_watched(project: Path) -> None:
    for triggers in (FILE, {"data": {"dataset": "."}}):
        looking = Looking(project, triggers, now=now())
        looking.told()
        assert looking.source.paths == []


def test_an_event_waits_until_there_are_enough_new_rows(project: Path) -> None:
    def rows(n: int) -> None:
        write(project / "data" / "a.csv", "id\n" + "".join(f"{i}\n" for i in range(n)))

    rows(10)
    looking = Looking(project, {"data": {"dataset": "data/a.csv", "new-rows": 5}}, now=now())
    looking.told()
    rows(13)
    assert looking.told(at=now()) == []
    assert looking.source.pace.said == "3 of 5 new rows"
    rows(15)
    (event,) = looking.told(at=now())
    assert (event.why, event.n_rows) == ("data/a.csv has 5 new rows", 15)
    rows(6)
    assert [one.why for one in looking.told(at=now())] == ["data/a.csv has 6 new rows"]


def test_rows_of_what_is_no_table_are_told(project: Path) -> None:
    looking = Looking(project, {"data": {"dataset": "data/a.csv", "new-rows": 5}}, now=now())
    looking.told()
    (project / "data" / "a.csv").write_bytes(b'id,x\n1,"a"b\n')
    assert looking.told(at=now()) == []
    assert "its rows cannot be counted" in looking.source.pace.trouble


def versioned(log: MemoryLog, *, source: str, path: str = "data/a.csv") -> None:
    fact = DatasetVersioned(
        dataset="orders", version=1, artifact=Artifact(path=path, digest=Digest("d" * 64)), source=source
    )
    log.append("dataset/orders", [fact], expect=len(log.read("dataset/orders")), at=1.0)


def test_a_dataset_means_its_path_or_the_place_it_was_taken_from(project: Path) -> None:
    log = MemoryLog()
    looking = Looking(project, {"data": {"dataset": "orders"}}, now=now(), log=log)
    assert looking.told() == []
    write(project / "data" / "a.csv", "id\n1\n")
    versioned(log, source="")
    assert [one.why for one in looking.told(after_s=20)] == ["orders arrived"]
    shop = project / "shop.db"
    with closing(sqlite3.connect(shop)) as db, db:
        db.execute("CREATE TABLE orders (id INTEGER)")
    versioned(MemoryLog(), source="")
    elsewhere = MemoryLog()
    versioned(elsewhere, source=f"sqlite:{shop}: SELECT count(*) FROM orders")
    looking = Looking(project, {"data": {"dataset": "orders", "new-rows": 2}}, now=now(), log=elsewhere)
    assert looking.told() == []
    for n in range(4):
        with closing(sqlite3.connect(shop)) as db, db:
            db.execute("INSERT INTO orders VALUES (?)", (n,))
        assert len(looking.told(after_s=300)) == n % 2
    elsewhere = MemoryLog()
    versioned(elsewhere, source="postgresql://app:***@db/shop: SELECT 1")
    looking = Looking(project, {"data": {"dataset": "orders"}}, now=now(), log=elsewhere)
    assert looking.told() == []
    assert "was not recorded" in looking.source.pace.trouble


class Place:
    """A place elsewhere that may be down, or slow."""

    def __init__(self) -> None:
        self.key, self.is_down, self.n_asked, self.n_things = "a", False, 0, 3
        self.go = Flag()
        self.go.set()

    def snapshot(self, wanted: str, folder: str) -> list[str]:
        raise AssertionError(wanted, folder)

    def state(self, wanted: str) -> SourceState:
        self.n_asked += 1
        self.go.wait(60)
        if self.is_down:
            raise SourceUnreachable("it does not answer", at=wanted, remedy="wait")
        return SourceState(key=self.key, n_things=self.n_things)


def test_a_place_that_is_down_for_an_hour_is_told_once_asked_with_pauses_and_loses_nothing(project: Path) -> None:
    place = Place()
    looking = Looking(project, {"data": {"dataset": "s3://bucket/in/**"}}, source=lambda url: place)
    looking.due()
    place.is_down, place.key = True, "b"
    troubles = []
    for _ in range(3600):
        looking.now += 1
        assert looking.due() == []
        troubles.append(looking.source.pace.trouble)
    assert set(troubles) == {"", "it does not answer (s3://bucket/in/**)"}
    assert troubles[300:] == [troubles[-1]] * 3300
    assert 8 <= place.n_asked <= 20
    place.is_down = False
    found = []
    for _ in range(600):
        looking.now += 1
        found += looking.due()
    assert [one.key for one in found] == ["b"]
    assert looking.source.pace.trouble == ""


def test_whoever_cannot_wait_asks_aside(project: Path) -> None:
    place = Place()
    place.n_things = 1
    looking = Looking(project, {"data": {"dataset": "s3://bucket/in/**"}}, source=lambda url: place, waits=False)
    place.go.clear()
    for _ in range(5):
        assert looking.told(after_s=1) == []
        assert looking.source.due_at(looking.now) == pytest.approx(looking.now + events_data.ASKING_S)
    assert place.n_asked == 1
    assert list(looking.log.read("trigger/churn")) == []
    place.go.set()
    until = time.monotonic() + 60
    while not looking.log.read("trigger/churn") and time.monotonic() < until:
        looking.told(after_s=0.2)
        time.sleep(0.01)
    place.key = "b"
    found: list[EventSeen] = []
    while not found and time.monotonic() < until:
        found = looking.told(after_s=400)
        time.sleep(0.01)
    assert [one.why for one in found] == ["s3://bucket/in/** changed"]


def settled(looking: Looking, after_s: float) -> list[EventSeen]:
    """What is told when an answer that was asked for aside is there."""
    looking.now += after_s
    end, found = time.monotonic() + 60, list[EventSeen]()
    while not found and time.monotonic() < end:
        found = looking.told()
        if not looking.source._ask.is_asking:  # type: ignore[attr-defined] # data have one
            break
        time.sleep(0.005)
    return found


def test_many_objects_that_are_still_coming_are_no_event_yet(project: Path) -> None:
    place = Place()
    looking = Looking(project, {"data": {"dataset": "s3://bucket/in/**"}}, source=lambda url: place, waits=False)
    settled(looking, 0)
    for place.key in "bcd":
        assert settled(looking, 10) == []
        assert looking.source.pace.said == "3 objects, and more may be coming"
        assert looking.source.due_at(looking.now) == looking.now + events_data.SETTLE_S
    assert [one.key for one in settled(looking, 10)] == ["d"]
    assert settled(looking, 300) == []
    found = []
    for n in range(40):
        place.key = f"never still {n}"
        found += settled(looking, 10)
    assert len(found) >= 1


def test_a_database_of_the_project_is_found_from_its_folder(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with closing(sqlite3.connect(project / "shop.db")) as db, db:
        db.execute("CREATE TABLE orders (id INTEGER)")
    triggers = {"data": {"dataset": "sqlite:shop.db", "watermark": "SELECT count(*) FROM orders"}}
    looking = Looking(project, triggers, now=now())
    looking.told()
    assert (looking.source.pace.trouble, looking.source.pace.said) == ("", "at 0")


def test_a_url_takes_its_password_from_the_environment_and_shows_it_nowhere(project: Path) -> None:
    asked = []
    place = Place()

    def opened(url: str) -> Place:
        asked.append(url)
        return place

    triggers = {"data": {"dataset": "postgresql://app:${{ env.PW }}@db/shop", "watermark": "select 1"}}
    looking = Looking(project, triggers, source=opened, environ={"PW": "s3cret"})
    looking.told()
    place.key = "b"
    (event,) = looking.told(after_s=300)
    assert asked[0] == "postgresql://app:s3cret@db/shop"
    assert "s3cret" not in repr(event) + looking.source.name + looking.source.pace.said


@pytest.mark.slow
def test_a_hundred_thousand_files_that_arrive_at_once_are_one_event_and_cost_little(project: Path) -> None:
    looking = Looking(project, FOLDER, now=now())
    looking.told()
    folder = project / "data" / "in"
    spent_s, peak = 0.0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    n_looks, found = 0, []
    for n in range(100_000):
        (folder / f"{n}.txt").write_bytes(b"%d" % n)
        if n % 25_000 == 5000:
            began = time.process_time()
            found += looking.told(at=now())
            spent_s += time.process_time() - began
            n_looks += 1
    assert found == []
    assert looking.source.pace.said == "is being written"
    at = now()
    for _ in range(8):
        began = time.process_time()
        found += looking.told(at=max(at, looking.source.due_at(looking.now)))
        spent_s += time.process_time() - began
        n_looks += 1
    assert [one.why for one in found] == ["data/in changed"]
    assert looking.source.pace.said == "100,000 files"
    # Kilobytes, on Linux.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 150_000
    # Each look lists the folder once and reads none of its files: some 10 microseconds for each on a slow machine.
    assert spent_s / n_looks < 5.0
    # When nothing changes any more it takes one part in two hundred of the time.
    assert looking.source.due_at(looking.now) - looking.now > 20 * spent_s / n_looks
