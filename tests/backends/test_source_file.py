"""What files elsewhere on this machine become."""

import os
import shutil
from pathlib import Path
from typing import cast

import pytest

from headway.backends import connect, source_file
from headway.errors import NothingMatches, SourceRefused, SourceUnreachable, UsageMistaken
from headway.ports import Source

CONTENT = {"a.csv": b"1", "b[1].csv": b"2", "in/c.csv": b"3", "in/deep/d.csv": b"", "in/notes.txt": b"no"}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    base = tmp_path / "share"
    for name, data in CONTENT.items():
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_bytes(data)
    return base


def take(wanted: str, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    names = cast("Source", connect("source", wanted)).snapshot(wanted, str(folder))
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == set(names)
    return {name: (folder / name).read_bytes() for name in names}


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("a.csv", ["a.csv"]),
        ("*.csv", ["a.csv", "b[1].csv"]),
        ("b[1].*", ["b[1].csv"]),
        ("**/*.csv", ["a.csv", "b[1].csv", "in/c.csv", "in/deep/d.csv"]),
        ("in/**", ["c.csv", "deep/d.csv", "notes.txt"]),
        ("*/c.csv", ["in/c.csv"]),
    ],
)
def test_a_pattern_finds_its_files(files: Path, tmp_path: Path, pattern: str, wanted: list[str]) -> None:
    assert list(take(f"file:{files}/{pattern}", tmp_path / "out")) == wanted


def test_content_is_what_was_there(files: Path, tmp_path: Path) -> None:
    assert take(f"file://{files}/**", tmp_path / "out") == CONTENT


@pytest.mark.parametrize("pattern", ["*.parquet", "in", "no.csv", "no/*.csv"])
def test_nothing_that_matches_is_told(files: Path, tmp_path: Path, pattern: str) -> None:
    with pytest.raises(NothingMatches):
        take(f"file:{files}/{pattern}", tmp_path / "out")


def test_a_url_without_a_path_is_told() -> None:
    with pytest.raises(UsageMistaken):
        connect("source", "file:")


def test_a_file_that_changes_while_it_is_copied_is_not_taken_for_whole(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, calls = shutil.copyfile, 0
    last = 1

    def changing(source: str, target: str) -> None:
        nonlocal calls
        calls += 1
        copy(source, target)
        if calls <= last:
            with open(source, "ab") as f:
                f.write(b"!")
            os.utime(source, ns=(calls, calls))

    monkeypatch.setattr(shutil, "copyfile", changing)
    assert take(f"file:{files}/a.csv", tmp_path / "out") == {"a.csv": b"1!"}
    calls, last = 0, 99
    with pytest.raises(SourceUnreachable, match="again and again"):
        take(f"file:{files}/a.csv", tmp_path / "never")
    assert calls == source_file.ATTEMPTS


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(files: Path, tmp_path: Path) -> None:
    (files / "a.csv").chmod(0)
    with pytest.raises(SourceRefused):
        take(f"file:{files}/a.csv", tmp_path / "out")


def test_the_state_of_files_changes_with_them_and_with_nothing_else(files: Path) -> None:
    source = cast("Source", connect("source", f"file:{files}"))
    before = source.state(f"file:{files}/**/*.csv")
    assert before.n_things == 4
    (files / "in" / "more.txt").write_bytes(b"no table")
    assert source.state(f"file:{files}/**/*.csv") == before
    (files / "in" / "c.csv").write_bytes(b"33")
    assert source.state(f"file:{files}/**/*.csv").key != before.key
    (files / "in" / "c.csv").unlink()
    assert source.state(f"file:{files}/**/*.csv").n_things == 3
    assert source.state(f"file:{files}/in/c.csv").n_things == 0
    assert source.state(f"file:{files}/a.csv").n_things == 1
