"""Pipelines' files are read again when they change, and what cannot be read counts as it was before."""

import os
from pathlib import Path

import pytest

from headway.core.daemon import Told
from headway.core.pipeline import Pipeline
from headway.errors import FileMissing, UsageMistaken
from headway.flows.daemon_files import LOOK_S, Files

NOW = 1_700_000_000.0


class Place:
    """Files whose whole content is the name of their pipeline; an empty one cannot be read."""

    def __init__(self, folder: Path, **names: str) -> None:
        self.folder = folder
        self.told: list[Told] = []
        self.n_read = 0
        for file, name in names.items():
            self.write(file, name)
        self.files = Files(list(names), folder=str(folder), read=self.read, tell=self.told.append)

    def write(self, file: str, name: str) -> None:
        """Replaced, as an editor or Git does it: another inode each time, whatever the clock of the disk says."""
        fresh = self.folder / f"{file}.new"
        fresh.write_text(name)
        os.replace(fresh, self.folder / file)

    def read(self, file: str) -> Pipeline:
        self.n_read += 1
        path = self.folder / file
        if not path.exists() or not path.read_text():
            raise FileMissing(f"there is no {file}", at=file, remedy="write one")
        return Pipeline(name=path.read_text(), steps=())

    @property
    def names(self) -> list[str]:
        return [one.pipeline.name for one in self.files.watched]


def test_a_file_is_read_again_when_it_changed_and_only_then(tmp_path: Path) -> None:
    place = Place(tmp_path, a="churn", b="fares")
    assert (place.names, place.n_read) == (["churn", "fares"], 2)
    assert not place.files.look(NOW)
    place.write("b", "flights")
    assert not place.files.look(NOW + LOOK_S / 2)
    assert place.files.look(NOW + LOOK_S)
    assert (place.names, place.n_read) == (["churn", "flights"], 3)
    assert [told.says for told in place.told] == ["b was changed, and is read again"]


def test_a_change_that_means_nothing_is_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path, a="churn")
    place.files.look(NOW)
    place.write("a", "churn")
    assert not place.files.look(NOW + LOOK_S)
    assert place.told == []


def test_a_file_that_is_gone_or_faulty_counts_as_it_was_and_comes_back(tmp_path: Path) -> None:
    place = Place(tmp_path, a="churn")
    place.files.look(NOW)
    os.unlink(tmp_path / "a")
    assert not place.files.look(NOW + 10)
    assert place.names == ["churn"]
    assert [told.kind for told in place.told] == ["trouble"]
    assert not place.files.look(NOW + 20)
    assert len(place.told) == 1
    place.write("a", "fares")
    assert place.files.look(NOW + 30)
    assert place.names == ["fares"]


def test_two_of_one_name_are_refused_at_the_start_and_later(tmp_path: Path) -> None:
    with pytest.raises(UsageMistaken, match="a and b are both the pipeline churn"):
        Place(tmp_path, a="churn", b="churn")
    place = Place(tmp_path, a="churn", b="fares")
    place.files.look(NOW)
    place.write("b", "churn")
    assert not place.files.look(NOW + 10)
    assert place.names == ["churn", "fares"]


def test_a_clock_that_is_set_back_keeps_nobody_from_looking(tmp_path: Path) -> None:
    place = Place(tmp_path, a="churn")
    place.files.look(NOW)
    place.write("a", "fares")
    assert place.files.look(NOW - 3600)
