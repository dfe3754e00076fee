"""Late labels from files: added once whatever is done twice, swept from folders, killed anywhere."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from headway.backends import connect
from headway.core import facts as f
from headway.core.monitor_grammar import Plan
from headway.errors import Conflict, DataUnreadable, FileMissing, NameUnknown, UsageMistaken
from headway.flows import labels
from headway.flows.predictions import folder_of
from headway.ports import Leases, Log
from headway.tables import prediction_log
from headway.tables.labels import Columns
from headway.testing.clock import Clock

PLAN = Plan(name="live", endpoint="churn", labels="data/labels")
COLUMNS = Columns()


class World(Struct, kw_only=True):
    """A project with one endpoint."""

    log: Log
    leases: Leases
    home: str
    now: Callable[[], float]
    by: str = "ann"

    def known(self) -> dict[str, Any]:
        found = prediction_log.read(folder_of(self.home, "churn"), "labels")
        if not found.height:
            return {}
        last = found.unique(subset=["request_id", "row"], keep="last", maintain_order=True)
        return dict(last.select("request_id", "label").rows())

    def facts(self) -> list[f.LabelsAdded]:
        return [one.fact for one in self.log.read("labels/churn") if isinstance(one.fact, f.LabelsAdded)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(tmp_path: Path, clock: Clock) -> World:
    (tmp_path / ".headway").mkdir()
    (tmp_path / "data" / "labels").mkdir(parents=True)
    log: Any = connect("log", "memory:")
    leases: Any = connect("leases", "memory:")
    log.append(
        "endpoint/churn",
        [f.ReleaseStarted(endpoint="churn", release=1, model="churn", version=3, key="k")],
        expect=0,
        at=clock.now(),
    )
    return World(log=log, leases=leases, home=str(tmp_path / ".headway"), now=clock.now)


def write(world: World, name: str, *, age_s: float = 60.0, **said: int) -> str:
    """A file of labels that was written a while ago."""
    path = os.path.join(os.path.dirname(world.home), "data", "labels", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write("request_id,label\n" + "".join(f"{key},{label}\n" for key, label in said.items()))
    os.utime(path, (world.now() - age_s, world.now() - age_s))
    return path


# --- one file ---------------------------------------------------------------------------------------------------


def test_a_file_that_was_added_is_a_fact_and_is_not_added_again(world: World) -> None:
    path = write(world, "may.csv", a=1, b=0)
    first = labels.add(world, "churn", path, COLUMNS, source="may.csv", is_counted=True)
    again = labels.add(world, "churn", path, COLUMNS, source="copy.csv")
    assert (first.fact.n_new, first.n_unasked, first.was_before) == (2, 2, False)
    assert again.was_before
    assert again.fact == first.fact
    assert world.facts() == [first.fact]
    assert (first.fact.source, first.fact.by) == ("may.csv", "ann")
    assert world.known() == {"a": 1, "b": 0}


def test_the_same_file_by_other_columns_is_another(world: World, tmp_path: Path) -> None:
    path = tmp_path / "may.csv"
    path.write_text("request_id,first,last\na,1,0\n")
    for column in ("first", "last"):
        labels.add(world, "churn", str(path), Columns(label=column))
    assert len(world.facts()) == 2


def test_an_old_file_that_is_added_again_after_its_correction_changes_nothing(world: World) -> None:
    old = write(world, "may.csv", a=1, b=0)
    labels.add(world, "churn", old, COLUMNS)
    labels.add(world, "churn", write(world, "mended.csv", age_s=30, a=0), COLUMNS)
    labels.add(world, "churn", old, COLUMNS)
    assert world.known() == {"a": 0, "b": 0}


def test_a_fault_takes_nothing_and_leaves_no_fact(world: World) -> None:
    path = write(world, "may.csv", a=1)
    with open(path, "a") as file:
        file.write(",0\n")
    with pytest.raises(DataUnreadable):
        labels.add(world, "churn", path, COLUMNS)
    assert world.facts() == []
    assert world.known() == {}
    write(world, "may.csv", a=1)
    assert labels.add(world, "churn", path, COLUMNS).fact.n_new == 1


def test_killed_between_writing_and_telling_it_is_done_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(world, "may.csv", a=1, b=0)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(labels, "_append", killed)
        with pytest.raises(KeyboardInterrupt):
            labels.add(world, "churn", path, COLUMNS)
    assert world.facts() == []
    added = labels.add(world, "churn", path, COLUMNS)
    assert (added.fact.n_new, added.fact.n_known) == (0, 2)
    assert prediction_log.read(folder_of(world.home, "churn"), "labels").height == 2


def test_somebody_else_who_adds_just_now_is_named(world: World) -> None:
    world.leases.acquire("labels/churn", holder="bob", ttl_s=60, now=world.now())
    with pytest.raises(Conflict, match="bob"):
        labels.add(world, "churn", write(world, "may.csv", a=1), COLUMNS)


def test_what_is_not_there_is_told(world: World, tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        labels.add(world, "churn", str(tmp_path / "gone.csv"), COLUMNS)
    with pytest.raises(UsageMistaken, match="no file"):
        labels.add(world, "churn", str(tmp_path), COLUMNS)


def test_the_only_endpoint_need_not_be_named(world: World) -> None:
    assert labels.endpoint_of(world, None) == labels.endpoint_of(world, "churn") == "churn"
    with pytest.raises(NameUnknown) as unknown:
        labels.endpoint_of(world, "chrun")
    assert "did you mean `churn`?" in unknown.value.remedy
    started = f.ReleaseStarted(endpoint="fares", release=1, model="fares", version=1, key="k2")
    world.log.append("endpoint/fares", [started], expect=0, at=0.0)
    with pytest.raises(UsageMistaken) as several:
        labels.endpoint_of(world, None)
    assert "churn or fares" in several.value.remedy


# --- a folder that is watched -----------------------------------------------------------------------------------


def test_a_folder_is_swept_and_what_was_added_is_not_read_again(world: World) -> None:
    write(world, "may.csv", a=1)
    write(world, "2026/june.csv", b=0)
    write(world, ".hidden.csv", c=1)
    write(world, "july.csv.part", d=1)
    sweep = labels.Sweep(world, PLAN)
    swept = sweep.look()
    assert [one.fact.source for one in swept.added] == ["data/labels/2026/june.csv", "data/labels/may.csv"]
    assert sweep.look() == labels.sweep(world, PLAN) == labels.Swept()
    write(world, "august.csv", e=1)
    assert [one.fact.source for one in labels.sweep(world, PLAN).added] == ["data/labels/august.csv"]
    assert world.known() == {"a": 1, "b": 0, "e": 1}


def test_a_file_that_grew_is_read_again_and_its_old_rows_are_known(world: World) -> None:
    sweep = labels.Sweep(world, PLAN)
    write(world, "may.csv", a=1)
    sweep.look()
    write(world, "may.csv", age_s=30, a=1, b=0)
    (added,) = sweep.look().added
    assert (added.fact.n_new, added.fact.n_known) == (1, 1)


def test_a_file_that_is_being_written_is_left_alone_until_it_is_quiet(world: World, clock: Clock) -> None:
    write(world, "may.csv", age_s=0, a=1)
    sweep = labels.Sweep(world, PLAN)
    assert sweep.look() == labels.Swept(n_settling=1)
    clock.jump(labels.SETTLE_S)
    assert len(sweep.look().added) == 1


def test_a_file_of_a_clock_that_is_ahead_is_taken_and_can_be_corrected(world: World, clock: Clock) -> None:
    write(world, "may.csv", age_s=-86400, a=1)
    assert len(labels.sweep(world, PLAN).added) == 1
    clock.jump(60)
    write(world, "mended.csv", age_s=10, a=0)
    labels.sweep(world, PLAN)
    assert world.known() == {"a": 0}


def test_a_file_that_cannot_be_read_holds_up_no_other_and_is_read_when_it_was_mended(world: World) -> None:
    path = write(world, "april.csv")
    with open(path, "w") as file:
        file.write("id,label\na,1\n")
    os.utime(path, (world.now() - 60, world.now() - 60))
    write(world, "may.csv", b=1)
    sweep = labels.Sweep(world, PLAN)
    for _ in range(2):
        swept = sweep.look()
        assert list(swept.trouble) == ["data/labels/april.csv"]
        assert "'request_id'" in swept.trouble["data/labels/april.csv"]
    assert world.known() == {"b": 1}
    write(world, "april.csv", age_s=30, a=1)
    assert sweep.look().trouble == {}
    assert world.known() == {"a": 1, "b": 1}


def test_what_somebody_else_adds_just_now_is_left_for_the_next_look(world: World) -> None:
    world.leases.acquire("labels/churn", holder="bob", ttl_s=60, now=world.now())
    write(world, "may.csv", a=1)
    sweep = labels.Sweep(world, PLAN)
    assert sweep.look() == labels.Swept(is_whole=False)
    world.leases.release("labels/churn", holder="bob")
    assert len(sweep.look().added) == 1


def test_many_files_are_taken_together_a_part_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "FILES", 7)
    for n in range(20):
        write(world, f"{n:02}.csv", **{f"r{n}": 1})
    write(world, "broken.csv")
    os.truncate(write(world, "empty.csv"), 0)
    swept = labels.sweep(world, PLAN)
    assert len(swept.added) == 21
    assert list(swept.trouble) == ["data/labels/empty.csv"]
    assert len(world.known()) == 20
    segments = [name for name in os.listdir(folder_of(world.home, "churn")) if name.startswith("labels-")]
    assert len(segments) == 3


def test_a_disk_that_is_full_takes_nothing_and_everything_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    write(world, "may.csv", a=1)
    sweep = labels.Sweep(world, PLAN)
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        swept = sweep.look()
    assert swept.added == ()
    assert "no space" in swept.trouble["data/labels"]
    assert (world.facts(), world.known()) == ([], {})
    assert len(sweep.look().added) == 1
    assert world.known() == {"a": 1}


def test_the_same_content_under_two_names_is_added_once(world: World) -> None:
    write(world, "may.csv", a=1)
    write(world, "copy.csv", a=1)
    sweep = labels.Sweep(world, PLAN)
    sweep.look()
    assert sweep.look() == labels.Swept()
    assert prediction_log.read(folder_of(world.home, "churn"), "labels").height == 1


def test_a_monitor_may_name_one_file_or_none_or_what_is_not_there_yet(world: World) -> None:
    assert labels.sweep(world, Plan(name="live", endpoint="churn")) == labels.Swept()
    one = Plan(name="live", endpoint="churn", labels="data/labels/may.jsonl", labels_key="order")
    assert labels.sweep(world, one) == labels.Swept()
    path = os.path.join(os.path.dirname(world.home), one.labels)
    with open(path, "w") as file:
        file.write(json.dumps({"order": "a", "label": 1}) + "\n")
    assert [added.fact.source for added in labels.sweep(world, one).added] == ["data/labels/may.jsonl"]


def test_looking_where_nothing_is_new_reads_no_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(20):
        write(world, f"{n}.csv", **{f"r{n}": 1})
    labels.sweep(world, PLAN)
    sweep = labels.Sweep(world, PLAN)

    def read(*_: object) -> None:
        raise AssertionError("a file was read")

    monkeypatch.setattr(labels, "_digest", read)
    assert sweep.look() == sweep.look() == labels.Swept()
