"""What lies elsewhere becomes a version: put in place when whole, told without passwords, over nothing unsaved."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from headway import wiring
from headway.codec.source_state import state_of
from headway.config import load
from headway.core.source_state import SourceState
from headway.errors import ContentUnsaved, UsageMistaken
from headway.flows import dataset
from headway.flows.dataset import Project
from headway.flows.snapshot import Asked, take


class Shelf:
    """A source in memory: what it holds is written, then it may fail."""

    def __init__(self, files: dict[str, bytes], *, fails: bool = False) -> None:
        self.files = files
        self.fails = fails

    def snapshot(self, wanted: str, folder: str) -> list[str]:
        for name, content in self.files.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)
        if self.fails:
            raise ConnectionError(wanted)
        return sorted(self.files)

    def state(self, wanted: str) -> SourceState:
        return state_of(sorted(self.files.items()))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    folder = tmp_path / "project"
    folder.mkdir()
    with wiring.open(load(folder=str(folder))) as parts:
        yield Project(str(folder), str(folder / ".headway"), parts, by="ann", now=lambda: 1.0)


PATTERN = Asked(wanted="s3://key:s3cr3t@bucket/x/*.csv", url="s3://key:s3cr3t@bucket/x/*.csv", name="events")


def held(project: Project, path: str) -> dict[str, bytes]:
    folder = Path(project.folder, path)
    return {one.name: one.read_bytes() for one in folder.iterdir()}


def test_a_pattern_becomes_a_folder_and_taken_again_a_version_only_if_it_changed(project: Project) -> None:
    shelf = Shelf({"a.csv": b"1"})
    assert take(project, shelf, PATTERN).version.artifact.path == "data/events"
    assert held(project, "data/events") == {"a.csv": b"1"}
    assert not take(project, shelf, PATTERN).is_new
    shelf.files["b.csv"] = b"2"
    again = take(project, shelf, PATTERN)
    assert (again.is_new, again.version.version) == (True, 2)
    assert held(project, "data/events") == {"a.csv": b"1", "b.csv": b"2"}
    assert sorted(os.listdir(os.path.join(project.folder, "data"))) == [".gitignore", "events"]


def test_where_it_came_from_is_recorded_without_the_password(project: Project) -> None:
    take(project, Shelf({"a.csv": b"1"}), PATTERN)
    (version,) = dataset.read(project.log, "events").versions
    assert version.source == "s3://key:***@bucket/x/*.csv"
    text = Path(project.folder, "headway.lock").read_text()
    assert 'source: "s3://key:***@bucket/x/*.csv"' in text
    assert "s3cr3t" not in text
    assert not any(b"s3cr3t" in row.body for row in project.log.raw())


def test_one_url_becomes_a_file_with_its_endings(project: Project) -> None:
    url = "https://host/x/train.csv.gz?version=1"
    added = take(project, Shelf({"whatever": b"1"}), Asked(wanted=url, url=url, name="train"))
    assert added.version.artifact.path == "data/train.csv.gz"
    assert Path(project.folder, "data/train.csv.gz").read_bytes() == b"1"


def test_two_files_for_one_url_are_refused_and_nothing_is_left(project: Project) -> None:
    url = "s3://bucket/x.csv"
    with pytest.raises(UsageMistaken, match="2 files"):
        take(project, Shelf({"a": b"", "b": b""}), Asked(wanted=url, url=url, name="x"))
    assert os.listdir(os.path.join(project.folder, "data")) == []


def test_a_source_that_fails_half_way_leaves_what_was_there(project: Project) -> None:
    take(project, Shelf({"a.csv": b"1"}), PATTERN)
    with pytest.raises(ConnectionError):
        take(project, Shelf({"a.csv": b"half"}, fails=True), PATTERN)
    assert held(project, "data/events") == {"a.csv": b"1"}
    assert len(dataset.read(project.log, "events").versions) == 1


def test_what_no_version_holds_is_not_overwritten(project: Project) -> None:
    take(project, Shelf({"a.csv": b"1"}), PATTERN)
    Path(project.folder, "data/events/a.csv").write_bytes(b"my own")
    with pytest.raises(ContentUnsaved, match=r"data/events/a\.csv"):
        take(project, Shelf({"a.csv": b"2"}), PATTERN)
    assert held(project, "data/events") == {"a.csv": b"my own"}


def test_a_place_may_be_chosen_and_is_kept(project: Project) -> None:
    asked = Asked(wanted=PATTERN.wanted, url=PATTERN.url, name="events", to="raw/here")
    take(project, Shelf({"a.csv": b"1"}), asked)
    take(project, Shelf({"a.csv": b"2"}), PATTERN)
    assert held(project, "raw/here") == {"a.csv": b"2"}


def test_a_query_becomes_a_parquet_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from headway.cli import dispatch

    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as shop, shop:
        shop.execute("create table orders (id integer, total real)")
        shop.executemany("insert into orders values (?, ?)", [(1, 2.5), (2, 3.5)])
    folder = tmp_path / "project"
    folder.mkdir()
    words = ["data", "add", "--sql", "select * from orders order by id", "--from", f"sqlite:{tmp_path}/shop.sqlite"]
    assert dispatch([*words, "--name", "orders", "-C", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("added orders@1: data/orders.parquet")
    import polars as pl

    assert pl.read_parquet(folder / "data/orders.parquet").rows() == [(1, 2.5), (2, 3.5)]
    assert dispatch([*words, "--name", "orders", "-C", str(folder)]) == 0
    assert capsys.readouterr().out == "data/orders.parquet is orders@1 already: nothing changed\n"
