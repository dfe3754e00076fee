import os
import pickle
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from headway.core.check_grammar import parse_checks
from headway.core.gate_evidence import Material, decide
from headway.core.ids import Digest
from headway.core.kept_answers import KeptAnswers
from headway.core.registry import Registration
from headway.errors import CheckUnreadable, DataUnreadable, FileMissing, ModelUnreadable, NameUnknown
from headway.stats.answers import Answers, Rows
from headway.steps.gate import Record, Step
from headway.tables.predictions import split
from headway.testing.bench import Trial

CHECKS = ("new.accuracy >= 0.6", "new.auc - old.auc > -0.02")


def table(n_rows: int = 1500, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    signal, noise = rng.standard_normal(n_rows), rng.standard_normal(n_rows)
    late = (signal + rng.standard_normal(n_rows) > 0).astype(int)
    return pl.DataFrame({"signal": signal, "noise": noise, "late": late})


class Project:
    """A trial with a holdout and models: a good one, which knows both columns, its twin, one that sees noise only."""

    def __init__(self, folder: str) -> None:
        self.trial = Trial(folder)
        self.save("good.pkl", ["signal", "noise"])
        self.save("twin.pkl", ["noise", "signal"])
        self.save("poor.pkl", ["noise"])
        table(seed=1).write_csv(os.path.join(folder, "holdout.csv"))
        table(seed=1).write_parquet(os.path.join(folder, "holdout.parquet"))

    def save(self, name: str, columns: list[str]) -> None:
        rows = table()
        model = LogisticRegression().fit(rows.select(columns), rows["late"])
        with open(os.path.join(self.trial.folder, name), "wb") as f:
            pickle.dump(model, f)
        self.made(name)

    def made(self, name: str) -> None:
        # As if an earlier step of the run had made it: only then is a pickle trusted.
        made = {**self.trial.task.outputs, name: self.trial.bench().artifact(name)}
        self.trial.task = msgspec.structs.replace(self.trial.task, outputs=made)

    def crown(self, path: str) -> None:
        """Register a model and make it the champion."""
        bench = self.trial.bench("register")
        artifact = bench.artifact(path)
        asked = Registration(model="late", artifact=artifact, key=path, format=bench.detect(artifact))
        bench.move_alias("late", "champion", bench.register(asked).version.version)

    # Any: the step's fields.
    def gate(self, **fields: Any) -> int:
        values = {"challenger": "good.pkl", "champion": "late@champion", "data": "holdout.csv", "target": "late"}
        return self.trial.run("gate", {**values, "checks": list(CHECKS), **fields})

    def record(self) -> Record:
        """What the newest gate kept, found by the digest it reported."""
        kept = self.trial.parts.blobs.get(Digest(self.trial.outputs["verdict"]))
        return msgspec.json.decode(kept, type=Record)


@pytest.fixture
def project(tmp_path: os.PathLike[str]) -> Project:
    return Project(os.fspath(tmp_path))


def test_a_challenger_as_good_as_the_champion_is_let_through(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.crown("twin.pkl")
    assert project.gate() == 0
    assert project.trial.outputs["outcome"] == "pass"
    assert set(project.trial.metrics) == {"new.accuracy", "new.auc", "old.auc"}
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "gate: pass, let through (against late@1): 2 of 2 checks hold"
    assert len(lines) == 4
    assert lines[-1].startswith("holdout holdout.csv: ask 1 of 32, 31 left. Decided at 99.844 %")
    record = project.record()
    assert (record.champion, record.exit_code, record.verdict.outcome) == ("late@1", 0, "pass")
    assert record.step.checks == CHECKS
    # 5 in 100 for all 32 asks: each has its part of it.
    found = [judged.evidence for judged in record.verdict.checks]
    assert [one and one.confidence for one in found] == [1 - 0.05 / 32] * 2
    assert (record.challenger.path, record.data.path) == ("good.pkl", "holdout.csv")


def test_a_worse_challenger_is_refused(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.crown("good.pkl")
    assert project.gate(challenger="poor.pkl") == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "gate: fail, refused (against late@1): 2 of 2 checks failed"
    assert lines[1].startswith("FAIL  accuracy must be at least 60 %: it is")
    assert "| `new.accuracy >= 0.6` | **fail** |" in project.trial.summary


def test_a_model_that_raises_is_named_and_what_it_raised(project: Project) -> None:
    project.crown("good.pkl")
    with open(os.path.join(project.trial.folder, "raises.py"), "w") as file:
        file.write("def predict(rows):\n    return [1 / 0 for _ in rows]\n")
    project.made("raises.py")
    with pytest.raises(ModelUnreadable, match=r"the challenger fails on these [\d,]+ rows: ZeroDivisionError"):
        project.gate(challenger="raises.py")


def test_the_champion_itself_is_no_challenger(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.crown("good.pkl")
    assert project.gate() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "gate: pass, let through (against late@1): 1 of 1 check holds; 1 not applicable, this is the champion already"
    )
    assert [verdict.outcome for verdict in project.record().verdict.checks] == ["pass", "not-applicable"]


def test_the_champion_is_asked_what_is_asked_of_any_model_alone(project: Project) -> None:
    project.crown("poor.pkl")
    assert project.gate(challenger="poor.pkl") == 3


def test_of_the_champion_itself_nothing_to_measure_is_a_pass(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.crown("good.pkl")
    assert project.gate(checks=["new.log_loss - old.log_loss < 0"], unsure="fail") == 0
    assert "this is the champion already, and nothing is asked of it alone" in capsys.readouterr().out


@pytest.mark.parametrize(("unsure", "code", "said"), [("hold", 6, "held"), ("fail", 3, "refused"), ("pass", 0, "let")])
def test_what_cannot_be_told_does_what_the_file_says(
    project: Project, capsys: pytest.CaptureFixture[str], unsure: str, code: int, said: str
) -> None:
    project.crown("twin.pkl")
    assert project.gate(checks=["new.accuracy - old.accuracy > 0"], unsure=unsure) == code
    assert f"gate: unsure, {said}" in capsys.readouterr().out
    assert project.trial.outputs["outcome"] == "unsure"


def test_without_a_champion_only_absolute_checks_count(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert project.gate() == 0
    told = capsys.readouterr().out
    assert "(late@champion is no version yet): 1 of 1 check holds; 1 not applicable, no champion yet" in told
    assert project.record().champion is None
    assert project.gate(champion=None) == 0
    assert "(no champion named)" in capsys.readouterr().out


def test_without_a_champion_nothing_but_comparisons_is_held(project: Project) -> None:
    assert project.gate(checks=["new.auc - old.auc > -0.02"]) == 6


def test_parquet_gives_the_verdict_that_csv_gives(project: Project) -> None:
    project.crown("good.pkl")
    project.gate()
    of_csv = project.record().verdict.checks
    project.gate(data="holdout.parquet")
    assert project.record().verdict.checks == of_csv


def test_a_version_that_does_not_exist_is_not_taken_for_no_champion_yet(project: Project) -> None:
    with pytest.raises(NameUnknown, match="late has no version 7"):
        project.gate(champion="late@7")


def test_faults_of_the_data_are_told(project: Project) -> None:
    with pytest.raises(DataUnreadable, match="did you mean `late`"):
        project.gate(target="latee")
    with pytest.raises(FileMissing):
        project.gate(data="missing.csv")
    with pytest.raises(DataUnreadable, match="neither CSV nor Parquet"):
        project.gate(data="good.pkl")
    with open(os.path.join(project.trial.folder, "holdout.parquet"), "wb") as f:
        f.write(b"not parquet")
    with pytest.raises(DataUnreadable, match="cannot be read"):
        project.gate(data="holdout.parquet")
    with pytest.raises(FileMissing):
        project.gate(challenger="missing.pkl")


def test_missing_true_values_are_an_error_and_never_a_pass(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    holey = table(seed=1).with_columns(pl.when(pl.col("noise") > 2).then(None).otherwise(pl.col("late")).alias("late"))
    holey.write_csv(os.path.join(project.trial.folder, "holdout.csv"))
    for unsure in ("hold", "pass"):
        assert project.gate(unsure=unsure) == 1
        assert "true values are missing" in capsys.readouterr().out


def test_the_models_do_not_see_the_true_values() -> None:
    truth, rows = split(table(), "late", "holdout.csv")
    assert set(truth.tolist()) == {0, 1}
    assert rows.columns == ["signal", "noise"]


def test_a_check_that_cannot_be_read_stops_the_step_before_any_model_is_loaded() -> None:
    with pytest.raises(CheckUnreadable, match="'acuracy' is not a metric"):
        Step(challenger="", data="", target="", checks=("new.acuracy > 0.5",)).run(Trial(".").bench("gate"))


def test_many_checks_are_told_worst_first_in_a_few_lines(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    easy = [f"new.accuracy >= 0.{n}" for n in range(11, 20)]
    assert project.gate(checks=[*easy, "new.accuracy >= 0.95"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[1].startswith("FAIL  ")
    assert lines[-2] == "and 7 more in the run's summary"
    assert all(check in project.trial.summary for check in easy)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_an_error(broken: float) -> None:
    truth = np.array([0.0, 1.0] * 50)
    answers = truth.copy()
    answers[7] = broken
    material = Material(rows=Rows(truth=truth), new=Answers(labels=answers))
    verdict = decide(parse_checks(["new.accuracy > 0.5"]), material, 0.95)
    assert verdict.outcome == "error"
    assert "1 of 100 answers of the new model are missing" in verdict.checks[0].why


def test_a_champion_that_answers_nonsense_is_an_error_too() -> None:
    truth = np.array([0.0, 1.0] * 50)
    nonsense = Answers(labels=np.full(100, np.nan))
    checks = parse_checks(["new.accuracy > 0.5", "new.accuracy - old.accuracy > -0.5"])
    verdict = decide(checks, Material(rows=Rows(truth=truth), new=Answers(labels=truth), old=nonsense), 0.95)
    assert [judged.outcome for judged in verdict.checks] == ["pass", "error"]
    assert verdict.outcome == "error"


# --- what the challenger answered, for whoever serves it ---------------------------------------------------------


def answers(project: Project) -> KeptAnswers:
    digest = project.record().answers
    assert digest is not None
    return msgspec.json.decode(project.trial.parts.blobs.get(digest), type=KeptAnswers)


def test_what_the_challenger_answered_is_kept_without_the_true_values(project: Project) -> None:
    assert project.gate(checks=[CHECKS[0]]) == 0
    kept = answers(project)
    assert (len(kept.rows), kept.by, kept.classes) == (256, "gate", [0, 1])
    assert set(kept.rows[0]) == {"signal", "noise"}
    model = project.trial.bench().load_model("good.pkl")
    said = model.predict(kept.rows)
    assert said.probabilities is not None
    assert kept.predictions == said.labels.tolist()
    assert kept.probabilities == pytest.approx(said.probabilities, rel=0, abs=1e-12)


def test_the_same_question_asked_again_has_the_same_answers(project: Project) -> None:
    project.gate(checks=[CHECKS[0]])
    first = answers(project)
    assert project.gate(checks=[CHECKS[0]]) == 0
    assert answers(project) == first


def test_answers_from_a_file_are_kept_as_such(project: Project) -> None:
    holdout = table(seed=1).with_row_index("id")
    holdout.write_csv(os.path.join(project.trial.folder, "holdout.csv"))
    holdout.select("id", prediction="late", probability=pl.col("late") * 0.8 + 0.1).write_csv(
        os.path.join(project.trial.folder, "said.csv")
    )
    said = {"new": "said.csv", "key": "id"}
    values = {"data": "holdout.csv", "target": "late", "checks": [CHECKS[0]], "predictions": said}
    assert project.trial.run("gate", values) == 0
    kept = answers(project)
    assert (kept.by, kept.classes, len(kept.rows), set(kept.rows[0])) == ("file", [1], 256, {"id", "signal", "noise"})
    assert [chances[0] for chances in kept.probabilities] == pytest.approx(
        [0.8 * one + 0.1 for one in kept.predictions]
    )


def test_a_gate_that_measured_nothing_keeps_nothing(project: Project) -> None:
    holdout = table(seed=1).with_columns(late=pl.lit(None, dtype=pl.Int64))
    holdout.write_csv(os.path.join(project.trial.folder, "holdout.csv"))
    assert project.gate() == 1
    assert project.record().answers is None
