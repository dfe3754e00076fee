"""`headway gate label` as it is typed: two models or their predictions in, the rows worth labelling out."""

import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from headway.cli import dispatch

WORDS = ["gate", "label", "--new", "new.csv", "--old", "old.csv", "--data", "data.csv", "--key", "id"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """1,000 rows, on every tenth of which two models differ."""
    monkeypatch.chdir(tmp_path)
    rng = random.Random(7)
    rows = [(f"r{i:04}", round(rng.random(), 3)) for i in range(1000)]
    table("data.csv", [("id", "x"), *((key, f"{x:.3f}") for key, x in rows)])
    old = [(key, int(x > 0.5)) for key, x in rows]
    table("old.csv", [("id", "prediction"), *old])
    new = [(key, 1 - said if i % 10 == 0 else said) for i, (key, said) in enumerate(old)]
    rng.shuffle(new)
    table("new.csv", [("id", "prediction"), *new])
    return tmp_path


def table(name: str, rows: Sequence[Sequence[object]]) -> None:
    with open(name, "w", newline="") as f:
        csv.writer(f).writerows(rows)


def read(name: str) -> list[dict[str, str]]:
    with open(name, newline="") as f:
        return list(csv.DictReader(f))


def test_just_the_rows_that_differ_are_written_and_it_says_what_they_are_worth(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch([*WORDS, "--out", "rows.csv"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 6
    assert told[0].startswith("the models agree on 900 of 1,000 rows: those need no label")
    assert told[1] == "they differ on 100 (10 %)."
    assert told[2].startswith("wrote 100 rows to rows.csv: fill in the column label, from the top")
    assert told[3].endswith(": 635 for 1 point, 169 for 2 points, 76 for 3 points, 28 for 5 points")
    assert told[4] == "with 100 of them labelled, a gain of 2.6 points or more shows"
    assert told[5].endswith("a limit of 0.01 on all rows is one of 0.1 on these")
    rows = read("rows.csv")
    assert {row["id"] for row in rows} == {f"r{i:04}" for i in range(0, 1000, 10)}
    assert [row["id"] for row in rows] != sorted(row["id"] for row in rows)
    assert {row["label"] for row in rows} == {""}
    values = {row["id"]: row["x"] for row in read("data.csv")}
    assert all(values[row["id"]] == row["x"] for row in rows)


def test_labels_that_are_there_are_not_asked_for_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch([*WORDS, "--out", "first.csv", "--most", "30", "--target", "late"]) == 0
    first = read("first.csv")
    for i, row in enumerate(first):
        row["late"] = "" if i >= 20 else "1"
    table("first.csv", [tuple(first[0]), *(tuple(row.values()) for row in first)])
    capsys.readouterr()
    words = [*WORDS, "--target", "late", "--labels", "first.csv", "--out", "more.csv"]
    assert dispatch([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n_rows"], found["n_differ"], found["n_labelled"], found["n_written"]) == (1000, 100, 20, 80)
    assert found["needed"][0] == {"gain": 0.01, "labels": 635}
    more = [row["id"] for row in read("more.csv")]
    assert more[:10] == [row["id"] for row in first[20:]]


def test_a_file_with_labels_in_it_is_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "rows.csv").write_text("mine")
    assert dispatch([*WORDS, "--out", "rows.csv"]) == 2
    assert "there already" in capsys.readouterr().err
    assert (folder / "rows.csv").read_text() == "mine"
    assert dispatch([*WORDS, "--out", "rows.csv", "--force"]) == 0
    assert len(read("rows.csv")) == 100
    assert dispatch([*WORDS, "--out", "data.csv", "--force"]) == 2
    assert len(read("data.csv")) == 1000


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--out", "rows.txt"], "neither CSV nor Parquet"),
        (["--out", "no/rows.csv"], "no folder"),
        (["--out", "r.csv", "--most", "0"], "0 rows cannot be written"),
        (["--out", "r.csv", "--confidence", "95"], "95 is no confidence"),
        (["--out", "r.csv", "--target", "id"], "both key and label"),
        (["--out", "r.csv", "--key", "ids"], "did you mean `id`"),
        (["--out", "r.csv", "--new", "gone.csv"], "there is no gone.csv"),
        (["--out", "r.csv", "--labels", "gone.csv"], "there is no gone.csv"),
        (["--out", "r.csv", "--labels", "wrong.csv"], "has no column 'id'"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    (folder / "wrong.csv").write_text("ids,label\n1,1\n")
    before = sorted(path.name for path in folder.iterdir())
    assert dispatch([*WORDS, *more]) == 2
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == before


def test_models_that_agree_everywhere_need_no_label(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch([*WORDS, "--new", "old.csv", "--out", "rows.csv"]) == 0
    assert "they differ nowhere: no label tells which is better" in capsys.readouterr().out
    assert not (folder / "rows.csv").exists()


# --- models ------------------------------------------------------------------------------------------------------

MODEL = "COLUMNS = ['x']\ndef predict(rows): return [int(float(row['x']) > {}) for row in rows]\n"
PIPELINE = """
steps:
  - name: Train
    run: cp source.py model.py
    in: source.py
    out: model.py
  - name: Register
    uses: register
    with: {model: model.py, name: late}
"""


def test_models_are_asked_as_the_gate_asks_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "pipeline.yaml").write_text(PIPELINE)
    for limit in (0.5, 0.55):
        (folder / "source.py").write_text(MODEL.format(limit))
        assert dispatch(["run"]) == 0
    capsys.readouterr()
    words = ["gate", "label", "--data", "data.csv", "--key", "id", "--json"]
    assert dispatch([*words, "--new", "model.py", "--old", "late@1", "--out", "rows.csv"]) == 0
    found = json.loads(capsys.readouterr().out)
    wanted = {row["id"] for row in read("data.csv") if 0.5 < float(row["x"]) <= 0.55}
    assert found["n_differ"] == len(wanted) > 10
    assert {row["id"] for row in read("rows.csv")} == wanted
    # A file of predictions beside a model.
    assert dispatch([*words, "--new", "old.csv", "--old", "late@1", "--out", "none.csv"]) == 0
    assert json.loads(capsys.readouterr().out)["n_differ"] == 0
    # The label is not for them to see.
    (folder / "source.py").write_text("def predict(rows): return [int('late' in row) for row in rows]\n")
    assert dispatch(["run"]) == 0
    capsys.readouterr()
    table("data.csv", [("id", "x", "late"), *((row["id"], row["x"], "") for row in read("data.csv"))])
    table("zero.csv", [("id", "prediction"), *((row["id"], 0) for row in read("data.csv"))])
    sides = ["--new", "model.py", "--old", "zero.csv"]
    assert dispatch([*words, *sides, "--out", "none.csv", "--target", "late"]) == 0
    assert json.loads(capsys.readouterr().out)["n_differ"] == 0
    assert dispatch([*words, "--new", "late@7", "--old", "late@1", "--out", "none.csv"]) == 2
    assert "late@7 means no version" in capsys.readouterr().out


def test_a_model_that_nobody_vouches_for_is_not_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "model.py").write_text(MODEL.format(0.5) + "open('ran', 'w')\n")
    assert dispatch([*WORDS, "--new", "model.py", "--out", "rows.csv"]) == 1
    assert "would run code" in capsys.readouterr().err
    assert not (folder / "ran").exists()
