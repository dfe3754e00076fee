import json
from pathlib import Path

import polars as pl
import pytest

from headway.cli import dispatch

SCHEMA = "rows: 2..\ncolumns:\n  id: {type: integer, unique: true}\n  temp: {type: number, min: -40}\n"
GOOD, BAD = "id,temp\n1,20\n2,-3\n", "id,temp\n1,20\n2,-999\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schema.yaml").write_text(SCHEMA)
    (tmp_path / "good.csv").write_text(GOOD)
    (tmp_path / "bad.csv").write_text(BAD)
    return tmp_path


@pytest.mark.parametrize("words", [["validate"], ["data", "validate"]], ids=["by itself", "below data"])
def test_good_data_pass_and_bad_ones_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert dispatch([*words, "good.csv", "--schema", "schema.yaml"]) == 0
    assert capsys.readouterr().out.startswith("pass: good.csv, 2 rows: ")
    assert dispatch([*words, "bad.csv", "--schema", "schema.yaml"]) == 4
    out = capsys.readouterr().out
    assert "FAIL  temp must be at least -40" in out
    assert "  line  temp\n  3     -999\n  do: " in out
    assert not (folder / ".headway").exists()


def test_a_machine_is_told_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["validate", "bad.csv", "--schema", "schema.yaml", "--bad-rows", "bad.parquet", "--json"]
    assert dispatch(words) == 4
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"]["outcome"], told["n_bad_rows"]) == ("fail", 1)
    (broken,) = [one for one in told["verdict"]["findings"] if one["outcome"] == "fail"]
    assert broken["examples"] == [{"row": 2, "line": 3, "values": {"temp": "-999"}}]
    assert pl.read_parquet(folder / "bad.parquet")["row"].to_list() == [2]


def test_what_cannot_be_measured_is_no_pass(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "schema.yaml").write_text("columns: {id: integer}\nnot-in: [{data: gone.csv, columns: id}]\n")
    assert dispatch(["validate", "good.csv", "--schema", "schema.yaml"]) == 1
    assert "ERROR  no id may be in gone.csv too" in capsys.readouterr().out


def test_a_version_is_validated_against_another(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "train.csv").write_text(GOOD)
    assert dispatch(["data", "add", "train.csv"]) == 0
    (folder / "train.csv").write_text("id,temp\n1,20\n")
    assert dispatch(["data", "add", "train.csv"]) == 0
    (folder / "schema.yaml").write_text("row-change: 1..\ncolumns: {id: integer}\n")
    assert dispatch(["validate", "train@1", "--schema", "schema.yaml", "--reference", "train@2"]) == 0
    assert "against train@2" in capsys.readouterr().out
    assert dispatch(["validate", "train@2", "--schema", "schema.yaml", "--reference", "train@1"]) == 4
    assert dispatch(["validate", "train.csv", "--schema", "schema.yaml", "--reference", "last-released"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["good.csv", "--schema", "none.yaml"], "there is no schema none.yaml"),
        (["none.csv", "--schema", "schema.yaml"], "there is no none.csv"),
        (["good.csv", "--schema", "bad.csv"], "bad.csv has"),
        (["good.csv"], "--schema"),
        (["nobody@3", "--schema", "schema.yaml"], "nobody@3"),
    ],
    ids=["no schema", "no data", "no schema by its content", "none named", "no version"],
)
def test_a_slip_is_told(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert dispatch(["validate", *words]) == 2
    assert said in capsys.readouterr().err


def test_an_inferred_schema_holds_for_what_it_was_inferred_from(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "many.csv").write_text("id,temp\n" + "".join(f"{i},{i % 50}\n" for i in range(500)))
    assert dispatch(["data", "schema", "infer", "many.csv"]) == 0
    (folder / "inferred.yaml").write_text(capsys.readouterr().out)
    assert dispatch(["validate", "many.csv", "--schema", "inferred.yaml"]) == 0
    assert dispatch(["schema", "infer", "many.csv", "--json"]) == 0
    assert "id" in json.loads(capsys.readouterr().out.splitlines()[-1])["schema"]["columns"]


def test_schemas_are_compared_and_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "new.yaml").write_text(SCHEMA.replace("-40", "-50"))
    assert dispatch(["schema", "diff", "schema.yaml", "new.yaml"]) == 0
    assert capsys.readouterr().out.startswith("looser  error  columns.temp.min  temp must be at least -50; before,")
    assert dispatch(["schema", "diff", "schema.yaml", "schema.yaml"]) == 0
    assert capsys.readouterr().out == "both ask the same\n"
    assert dispatch(["schema", "checks", "schema.yaml"]) == 0
    assert "columns.temp.min" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["diff", "schema.yaml"], "headway schema diff BEFORE AFTER"),
        (["checks", "none.yaml"], "there is no schema none.yaml"),
        (["infer", "none.csv"], "there is no none.csv"),
    ],
)
def test_a_slip_in_a_schemas_command_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert dispatch(["schema", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("bad.csv", "the bad rows would lie among the data"),
        ("more/new.parquet", "the bad rows would lie among the data"),
        ("good.csv/x", "its folder cannot be made"),
        (".", "bad rows cannot be written there"),
    ],
)
def test_bad_rows_are_written_over_no_data(
    folder: Path, capsys: pytest.CaptureFixture[str], path: str, said: str
) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "bad.csv").write_text(BAD)
    data = "more" if path.startswith("more") else "bad.csv"
    assert dispatch(["validate", data, "--schema", "schema.yaml", "--bad-rows", path]) != 0
    assert f"headway: {said}" in capsys.readouterr().err
    assert (folder / "bad.csv").read_text() == BAD
    assert not (folder / "more" / "new.parquet").exists()


def test_the_folder_of_bad_rows_is_made(folder: Path) -> None:
    assert dispatch(["validate", "bad.csv", "--schema", "schema.yaml", "--bad-rows", "new/bad.parquet"]) == 4
    assert pl.read_parquet(folder / "new" / "bad.parquet")["row"].to_list() == [2]


def test_a_line_of_several_files_is_told_with_its_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "more").mkdir()
    for name in ("a.csv", "b.csv"):
        (folder / "more" / name).write_text(BAD)
    assert dispatch(["validate", "more", "--schema", "schema.yaml"]) == 4
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    at = lines.index(["file", "line", "temp"])
    assert lines[at + 1 : at + 3] == [[str(folder / "more" / name), "3", "-999"] for name in ("a.csv", "b.csv")]


SUITE = """{"expectation_suite_name": "x", "expectations": [
 {"expectation_type": "expect_column_values_to_not_be_null", "kwargs": {"column": "temp"}},
 {"expectation_type": "expect_column_values_to_be_between", "kwargs": {"column": "temp", "min_value": -40}},
 {"expectation_type": "expect_column_kl_divergence_to_be_less_than", "kwargs": {"column": "temp"}}]}"""


def test_a_suite_of_another_tool_is_read_and_what_it_cannot_ask_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "suite.json").write_text(SUITE)
    assert dispatch(["validate", "bad.csv", "--schema", "suite.json"]) == 4
    told = capsys.readouterr()
    assert "FAIL  temp must be at least -40" in told.out
    assert "suite.json: expect_column_kl_divergence_to_be_less_than at expectations[2]" in told.err
    assert dispatch(["schema", "import", "suite.json"]) == 0
    text = capsys.readouterr().out
    assert "# expect_column_kl_divergence_to_be_less_than at expectations[2] temp is not asked: " in text
    (folder / "imported.yaml").write_text(text)
    assert dispatch(["validate", "bad.csv", "--schema", "imported.yaml"]) == 4
    assert capsys.readouterr().err == ""
    assert dispatch(["schema", "diff", "suite.json", "imported.yaml"]) == 0
    told = capsys.readouterr()
    assert told.out == "both ask the same\n"
    assert "suite.json: expect_column_kl_divergence_to_be_less_than at expectations[2] temp is not asked" in told.err
    assert dispatch(["schema", "import", "suite.json", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["unmapped"]) == 1


@pytest.mark.parametrize("words", [[], ["--json"]], ids=repr)
def test_of_private_columns_no_value_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (folder / "headway.toml").write_text('[data]\nprivate = ["temp"]\n')
    assert dispatch(["validate", "bad.csv", "--schema", "schema.yaml", *words]) == 4
    told = capsys.readouterr().out
    assert "999" not in told
    assert "•••" in told
