"""`headway profile` as it is typed: what it prints, writes and refuses."""

import json
from pathlib import Path

import pytest

from headway.cli import dispatch

TRIPS = "id,fare,city\n1,2.5,Oslo\n2,,Rome\n3,4,Rome\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trips.csv").write_text(TRIPS)
    return tmp_path


@pytest.mark.parametrize("words", [["profile"], ["data", "profile"]], ids=["by itself", "below data"])
def test_data_are_shown_column_by_column(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert dispatch([*words, "trips.csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "trips.csv: 3 rows, 3 columns"
    assert lines[3].split() == ["id", "integer", "-", "3", "1", "███", "3;", "all", "different;", "in", "order"]
    assert "\x1b" not in "".join(lines)
    assert sorted(path.name for path in folder.iterdir()) == ["trips.csv"]


def test_some_columns_are_shown_in_full(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["profile", "trips.csv", "--columns", "fare, city", "--correlations"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("fare: number, stored as text\n  3 rows, 1 (33.3 %) empty, 2 distinct\n")
    assert "id" not in out
    assert dispatch(["profile", "trips.csv", "--columns", "fare,fare"]) == 0
    assert capsys.readouterr().out.count("fare: number") == 1
    assert dispatch(["profile", "trips.csv", "--columns", "speed"]) == 2
    assert "no column 'speed'" in capsys.readouterr().err


def test_machines_and_browsers_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["profile", "trips.csv", "--json", "--html", "page.html", "--correlations"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n_rows"], told["sources"], [one["name"] for one in told["columns"]]) == (
        3,
        ["trips.csv"],
        ["id", "fare", "city"],
    )
    assert told["correlations"] == [{"one": "id", "other": "fare", "r": pytest.approx(1)}]
    assert 'id="column-city"' in (folder / "page.html").read_text()
    assert dispatch(["profile", "trips.csv", "--html", "page.html"]) == 0
    assert capsys.readouterr().out == "wrote page.html: 3 rows, 3 columns\n"
    assert dispatch(["profile", "trips.csv", "--html", "no/page.html"]) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["page.html", "trips.csv"]


def test_several_files_and_versions_are_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "more.csv").write_text("id,fare,city\n9,1,Oslo\n")
    assert dispatch(["profile", "trips.csv", "more.csv"]) == 0
    assert capsys.readouterr().out.startswith("trips.csv and 1 more: 4 rows, 3 columns\n")
    assert dispatch(["data", "add", "trips.csv"]) == 0
    (folder / "trips.csv").write_text("id,fare,city\n")
    capsys.readouterr()
    assert dispatch(["profile", "trips@1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n_rows"], told["sources"]) == (3, ["trips@1"])
    assert dispatch(["profile", "gone.csv"]) == 2
    assert "there is no gone.csv" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--columns", "city"], ["--json"], ["--html", "page.html"]], ids=repr)
def test_of_private_columns_no_value_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (folder / "headway.toml").write_text('[data]\nprivate = ["city"]\n')
    assert dispatch(["profile", "trips.csv", *words]) == 0
    out = capsys.readouterr().out
    told = (folder / "page.html").read_text() if "--html" in words else out
    assert "city" in told
    assert "Rome" not in told
    assert "Oslo" not in told
    assert ('"is_private":true' if "--json" in words else "its values are private: •••") in told.replace(
        ": true", ":true"
    )
