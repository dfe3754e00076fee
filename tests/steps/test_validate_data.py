import os
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from headway.core.facts import DatasetVersioned, ReleaseFinished, ReleaseStarted
from headway.core.ids import Digest
from headway.core.registry import Registration
from headway.errors import FileFaulty, FileMissing, NameUnknown, TableUnreadable, UsageMistaken
from headway.steps.validate_data import Record
from headway.testing.bench import Trial

SCHEMA = """
rows: 3..
key: id
columns:
  id: integer
  temp: {type: number, min: -40, nulls: 50%}
"""
GOOD = "id,temp\n1,20.5\n2,-3\n3,\n"
BAD = "id,temp\n1,20.5\n2,-999\n2,\n"


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    (tmp_path / "schema.yaml").write_text(SCHEMA)
    (tmp_path / "data.csv").write_text(GOOD)
    return Trial(str(tmp_path))


# Any: the step's fields.
def validate(trial: Trial, **fields: Any) -> int:
    return trial.run("validate-data", {"data": "data.csv", "schema": "schema.yaml", **fields})


def record(trial: Trial) -> Record:
    return msgspec.json.decode(trial.parts.blobs.get(Digest(trial.outputs["report"])), type=Record)


def write(trial: Trial, name: str, text: str) -> None:
    path = Path(trial.folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_good_data_let_the_run_go_on(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(trial) == 0
    assert (trial.outputs["outcome"], trial.outputs["rows"]) == ("pass", "3")
    assert (trial.metrics["rows"], trial.metrics["checks_broken"]) == (3, 0)
    assert capsys.readouterr().out.startswith("data: pass (data.csv: 3 rows): all ")


def test_bad_data_stop_it_and_are_told_with_what_to_do(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    write(trial, "data.csv", BAD)
    assert validate(trial) == 4
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("data: fail (data.csv: 3 rows): 2 of ")
    assert len(lines) == 5
    assert "-999" in lines[1]
    assert "line 3" in lines[1]
    assert lines[2].startswith("  do: ")
    assert trial.metrics["checks_broken"] == 2
    assert "- **fail** temp must be at least" in trial.summary
    assert "line 3: " in trial.summary
    found = record(trial)
    assert (found.exit_code, found.verdict.outcome, found.data.path) == (4, "fail", "data.csv")
    assert [one.n_bad for one in found.verdict.findings if one.outcome == "fail"] == [1, 1]


def test_more_broken_checks_than_are_told_are_counted(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    write(trial, "data.csv", "id,temp\n2,-999\n2,\n")
    assert validate(trial) == 4
    assert capsys.readouterr().out.splitlines()[-1] == "and 1 more in the run's summary"


def test_a_warning_is_told_and_stops_nothing(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    write(trial, "schema.yaml", "columns:\n  temp: {min: {is: 0, severity: warn}}\n")
    assert validate(trial) == 0
    assert trial.outputs["outcome"] == "warn"
    assert "WARN  temp must be at least 0" in capsys.readouterr().out


def test_what_cannot_be_measured_is_no_pass(trial: Trial) -> None:
    write(trial, "schema.yaml", "columns:\n  temp: {after: gone.csv}\n")
    assert validate(trial) == 1
    assert trial.outputs["outcome"] == "error"
    assert "gone.csv" in trial.summary


def test_all_schemas_of_a_list_must_hold(trial: Trial) -> None:
    write(trial, "more.yaml", "columns:\n  temp: {max: 10}\n")
    assert validate(trial, schema=["schema.yaml", "more.yaml"]) == 4


def test_another_table_is_a_path_or_a_version_of_a_dataset(trial: Trial) -> None:
    write(trial, "old.csv", "id\n3\n4\n")
    write(trial, "schema.yaml", "columns: {id: integer}\nnot-in: [{data: old.csv, columns: id}]\n")
    assert validate(trial) == 4
    keep_version(trial, "old.csv")
    os.unlink(os.path.join(trial.folder, "old.csv"))
    for name in ("old", "old@1"):
        write(trial, "schema.yaml", f"columns: {{id: integer}}\nnot-in: [{{data: {name}, columns: id}}]\n")
        assert validate(trial) == 4
        assert record(trial).verdict.findings[-1].n_bad == 1


def keep_version(trial: Trial, path: str) -> None:
    artifact = trial.bench().artifact(path)
    name = path.partition(".")[0]
    trial.parts.log.append(
        f"dataset/{name}", [DatasetVersioned(dataset=name, version=1, artifact=artifact)], expect=0, at=0.0
    )


CHANGE = "row-change: 1..\ncolumns: {id: integer}\n"


def test_the_reference_is_what_the_model_that_serves_was_made_of(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    write(trial, "schema.yaml", CHANGE)
    assert validate(trial, reference="last-released") == 0
    assert "nothing was released on it yet" in capsys.readouterr().out
    release(trial, outcome="released")
    write(trial, "data.csv", GOOD + "4,1\n")
    release(trial, outcome="failed")
    assert validate(trial, reference="last-released") == 0
    assert "against the data of late@1" in capsys.readouterr().out
    write(trial, "data.csv", "id,temp\n1,2\n")
    assert validate(trial, reference="last-released") == 4
    assert record(trial).reference == "the data of late@1"


def release(trial: Trial, *, outcome: str) -> None:
    """A version made of what lies there now, and what became of its release."""
    bench = trial.bench("register")
    data = bench.artifact("data.csv")
    n = len(trial.parts.log.read("model/late")) + 1
    registered = bench.register(Registration(model="late", artifact=data, key=str(n), data=(data,)))
    stream = "endpoint/late"
    before = len(trial.parts.log.read(stream))
    started = ReleaseStarted(endpoint="late", release=n, model="late", version=registered.version.version, key=str(n))
    finished = msgspec.convert({"kind": "ReleaseFinished", "release": n, "outcome": outcome}, ReleaseFinished)
    trial.parts.log.append(stream, [started, finished], expect=before, at=0.0)


def test_a_reference_may_be_a_path_or_a_version(trial: Trial) -> None:
    write(trial, "schema.yaml", CHANGE)
    write(trial, "before.csv", GOOD + "4,1\n")
    keep_version(trial, "before.csv")
    assert validate(trial, reference="before.csv") == 4
    assert validate(trial, reference="before@1") == 4
    assert validate(trial, reference="data.csv") == 0


def test_bad_rows_and_the_verdict_are_written_where_asked(trial: Trial) -> None:
    write(trial, "data.csv", BAD)
    assert validate(trial, **{"bad-rows": "out/bad.parquet", "report": "out/report.json"}) == 4
    bad = pl.read_parquet(os.path.join(trial.folder, "out/bad.parquet"))
    assert bad["row"].to_list() == [2, 3]
    assert Path(trial.folder, "out/report.json").read_bytes() == trial.parts.blobs.get(Digest(trial.outputs["report"]))


def test_a_line_of_several_files_is_told_with_its_file(trial: Trial) -> None:
    write(trial, "data/a.csv", GOOD)
    write(trial, "data/b.csv", "id,temp\n4,-999\n")
    assert validate(trial, data="data") == 4
    assert "b.csv line 2: temp = -999" in trial.summary


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"schema": "none.yaml"}, FileMissing),
        ({"schema": "data.csv"}, FileFaulty),
        ({"data": "none.csv"}, FileMissing),
        ({"reference": "none.csv"}, FileMissing),
        ({"reference": "nobody@3"}, NameUnknown),
        ({"bad-rows": "data.csv"}, UsageMistaken),
    ],
    ids=["no schema", "no schema by its content", "no data", "no reference", "no version", "bad rows over data"],
)
def test_what_is_not_there_is_told(trial: Trial, fields: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        validate(trial, **fields)


def test_a_table_that_cannot_be_read_is_told_with_its_line(trial: Trial) -> None:
    write(trial, "data.csv", "id,temp\n1,2\n1,2,3,4\n")
    with pytest.raises(TableUnreadable, match=r"data\.csv:3"):
        validate(trial)


def test_the_schema_missing_says_how_to_begin_one(trial: Trial) -> None:
    with pytest.raises(FileMissing) as caught:
        validate(trial, schema="none.yaml")
    assert "headway data schema infer data.csv > none.yaml" in str(caught.value.remedy)


def test_a_suite_of_another_tool_may_be_the_schema(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    suite = {"schema_type": "dataframe", "version": "0.35.0", "columns": {"temp": {"checks": {"ge": 0}}}, "index": None}
    write(trial, "suite.json", msgspec.json.encode({**suite, "ordered": True}).decode())
    assert validate(trial, schema="suite.json") == 4
    assert "suite.json: ordered at ordered is not asked: " in capsys.readouterr().out


def test_values_of_private_columns_are_kept_and_told_nowhere(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.parts.private = frozenset({"email"})
    write(trial, "schema.yaml", "columns:\n  id: integer\n  email: {matches: '[a-z]+@here', unique: true}\n")
    write(trial, "data.csv", "id,email\n1,ann@there\n2,bob@there\n3,ann@there\n")
    assert validate(trial) == 4
    told = [capsys.readouterr().out, trial.summary, trial.parts.blobs.get(Digest(trial.outputs["report"])).decode()]
    for one in told:
        assert "email" in one
        assert "there" not in one
    assert "•••" in told[1]
    assert sorted(one.n_bad or 0 for one in record(trial).verdict.broken) == [1, 3]
