"""The gate's keys one by one: predictions, slices, units, own metrics, costs, and the budget of the holdout."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from headway.core.ids import Digest
from headway.errors import DataUnreadable, FileFaulty, HoldoutSpent, UsageMistaken
from headway.flows import holdouts
from headway.steps import find, problems_of
from headway.steps.gate import Record
from headway.testing.bench import Trial

BETTER = "new.accuracy - old.accuracy > 0"
PROFIT = "def profit(truth, labels):\n    return 10.0 * ((labels == 1) & (truth == 1)) - 1.0 * (labels == 1)\n"


class Project:
    """A holdout and what several models answered to it, as files; `new` is better than `old`, `poor` is worse."""

    def __init__(self, folder: Path, n_rows: int = 1200) -> None:
        self.folder, self.trial = folder, Trial(os.fspath(folder))
        rng = np.random.default_rng(3)
        truth = rng.integers(0, 2, n_rows)
        region = pl.Series(["south", "north", "east"]).gather(np.arange(n_rows) % 3)
        self.holdout = pl.DataFrame(
            {"id": np.arange(n_rows), "region": region, "customer": np.arange(n_rows) // 10, "target": truth}
        )
        self.write("holdout", self.holdout)
        wrong = {"new": 0.08, "old": 0.14, "poor": 0.25, "other": 0.0801}
        for name, share in wrong.items():
            labels = np.where(rng.random(n_rows) < share, 1 - truth, truth)
            self.write(name, pl.DataFrame({"id": np.arange(n_rows)[::-1], "prediction": labels[::-1]}))
        (folder / "metrics.py").write_text(PROFIT)

    def write(self, name: str, table: pl.DataFrame) -> None:
        table.write_csv(self.folder / f"{name}.csv")

    # Any: the step's fields.
    def gate(self, new: Any = "new", old: Any = "old", checks: Any = BETTER, **fields: Any) -> int:
        said = {"new": f"{new}.csv", "key": "id"} | ({"old": f"{old}.csv"} if old else {})
        values = {"data": "holdout.csv", "target": "target", "predictions": said, **fields}
        return self.trial.run("gate", {**values, "checks": [checks] if isinstance(checks, str) else checks})

    @property
    def record(self) -> Record:
        kept = self.trial.parts.blobs.get(Digest(self.trial.outputs["verdict"]))
        return msgspec.json.decode(kept, type=Record)

    @property
    def kinds(self) -> list[str]:
        """The facts of the holdout's ledger."""
        holdout = self.trial.bench().artifact("holdout.csv").digest
        return [type(entry.fact).__name__ for entry in self.trial.parts.log.read(f"holdout/{holdout}")]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# --- predictions -------------------------------------------------------------------------------------------------


def test_files_of_predictions_are_judged_like_models(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert project.gate() == 0
    assert "gate: pass, let through (against old.csv)" in capsys.readouterr().out
    assert project.gate("old", "new") == 3
    assert project.gate("new", "other") == 6


def test_without_a_file_of_the_old_ones_only_absolute_checks_count(project: Project) -> None:
    assert project.gate(old="", checks=["new.accuracy > 0.8", BETTER]) == 0
    assert [one.outcome for one in project.record.verdict.checks] == ["pass", "not-applicable"]


def test_the_same_file_twice_is_the_champion_itself(project: Project) -> None:
    assert project.gate("new", "new", checks=["new.accuracy > 0.8", BETTER]) == 0
    assert [one.outcome for one in project.record.verdict.checks] == ["pass", "not-applicable"]


def test_predictions_that_do_not_fit_cost_no_ask(project: Project) -> None:
    project.write("short", pl.read_csv(project.folder / "new.csv").head(1000))
    with pytest.raises(DataUnreadable, match=r"short\.csv has no prediction for 200 rows"):
        project.gate("short")
    holey = pl.read_csv(project.folder / "new.csv").with_columns(
        prediction=pl.when(pl.col("id") == 7).then(None).otherwise(pl.col("prediction"))
    )
    project.write("holey", holey)
    assert project.gate("holey") == 1
    assert "1 of 1,200 answers of the new model are missing or no finite number: row 8" in project.trial.summary
    assert project.kinds == []


def test_models_that_are_named_nowhere_are_refused(project: Project) -> None:
    with pytest.raises(UsageMistaken, match="`challenger` is missing"):
        project.trial.run("gate", {"data": "holdout.csv", "target": "target", "checks": [BETTER]})


# --- slices, groups, units, own metrics, costs -------------------------------------------------------------------


def test_slices_are_judged_as_the_file_says(project: Project) -> None:
    each = f"{BETTER[:-1]}-0.2 for each region"
    assert project.gate(checks=each) == 0
    (check,) = project.record.verdict.checks
    assert {one.name for one in check.slices} == {"region=south", "region=north", "region=east"}
    tight = f"{BETTER[:-1]}0 for each region"
    assert project.gate("new", "other", checks=tight) == 0
    assert project.gate("new", "other", checks=tight, slices="prove") == 6
    assert project.gate(checks=each, **{"min-slice": 401}) == 6
    assert {one.outcome for one in project.record.verdict.checks[0].slices} == {"small"}
    assert project.gate("poor", "new", checks=f"{BETTER[:-1]}-0.02 for each region", multiplicity="none") == 3


def test_units_widen_the_range(project: Project) -> None:
    project.gate(checks="new.accuracy > 0.5")
    alone = project.record.verdict.checks[0].evidence
    project.gate(checks="new.accuracy > 0.5", unit="customer")
    by_unit = project.record.verdict.checks[0].evidence
    assert alone is not None
    assert by_unit is not None
    assert alone.method != by_unit.method
    assert "unit" in by_unit.method


def test_a_column_that_is_not_there_is_told_with_the_nearest(project: Project) -> None:
    for fields in ({"unit": "custmer"}, {"query": "regin"}, {"checks": "new.accuracy > 0.5 for each reigon"}):
        with pytest.raises(DataUnreadable, match="did you mean"):
            project.gate(**fields)
    assert project.kinds == []


def test_a_metric_of_ones_own_is_gated_by_its_name(project: Project) -> None:
    metrics = {"profit": "metrics.py:profit"}
    assert project.gate(checks="new.profit - old.profit > 0", metrics=metrics) == 0
    assert project.trial.metrics["new.profit"] > project.trial.metrics["old.profit"]
    n_asks = len(project.kinds)
    project.gate(checks="new.profit - old.profit > 0", metrics=metrics)
    assert len(project.kinds) == n_asks
    # Another function is another question.
    (project.folder / "metrics.py").write_text(PROFIT.replace("10.0", "20.0"))
    project.gate(checks="new.profit - old.profit > 0", metrics=metrics)
    assert len(project.kinds) == n_asks + 2


def test_a_metric_of_ones_own_that_fails_is_an_error_with_its_line(project: Project) -> None:
    (project.folder / "metrics.py").write_text("def profit(truth, labels):\n    return nothing\n")
    assert project.gate(checks="new.profit > 0", metrics={"profit": "metrics.py:profit"}) == 1
    assert "metrics.py:2: NameError" in project.trial.summary


MODEL = """
def predict(rows):
    return [row["id"] % 2 for row in rows]
"""


def test_latency_and_size_are_measured_on_models_and_ask_nothing_of_the_holdout(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.folder / "model.py").write_text(MODEL)
    made = {"model.py": project.trial.bench().artifact("model.py")}
    project.trial.task = msgspec.structs.replace(project.trial.task, outputs=made)
    monkeypatch.setattr("headway.tables.asked.TIMED", 400)
    checks = ["new.latency_p50_ms < 1000", "new.size_mb < 1"]
    values = {"challenger": "model.py", "data": "holdout.csv", "target": "target", "checks": checks}
    assert project.trial.run("gate", values) == 0
    assert project.trial.metrics["new.size_mb"] == len(MODEL) / 1e6
    assert project.kinds == []
    with pytest.raises(UsageMistaken, match="nothing can be timed"):
        project.gate(checks=[BETTER, "new.latency_p50_ms < 1000"])
    assert project.kinds == []


# --- the budget --------------------------------------------------------------------------------------------------


def test_the_same_question_costs_nothing_and_gives_the_same_bytes(project: Project) -> None:
    project.gate()
    first = msgspec.json.encode(project.record.verdict.checks)
    assert project.kinds == ["HoldoutAsked", "HoldoutAnswered"]
    project.gate()
    assert project.kinds == ["HoldoutAsked", "HoldoutAnswered"]
    assert msgspec.json.encode(project.record.verdict.checks) == first
    assert "whose answer stands and costs nothing; 31 of 32 asks are left" in project.record.verdict.promise
    # What happens to an unsure answer is no part of the question.
    project.gate("new", "other")
    assert project.gate("new", "other", unsure="pass") == 0
    assert len(project.kinds) == 4


def test_an_answer_whose_content_is_gone_is_measured_again_and_costs_nothing(project: Project) -> None:
    project.gate()
    holdout = project.trial.bench().artifact("holdout.csv").digest
    (ask,) = holdouts.read(project.trial.parts.log, holdout).asks
    assert ask.answer is not None
    project.trial.parts.blobs.delete([ask.answer.verdict], before=float("inf"))
    assert project.gate() == 0
    assert project.kinds == ["HoldoutAsked", "HoldoutAnswered"]


@pytest.mark.parametrize(
    "other",
    [
        {"confidence": 0.9},
        {"checks": [BETTER, "new.accuracy > 0.5"]},
        {"new": "poor"},
        {"old": "poor"},
        {"unit": "customer"},
        {"min-slice": 31},
        {"slices": "prove"},
        {"multiplicity": "bh"},
        {"reuse": {"reveal": "rounded"}},
    ],
    ids=", ".join,
)
def test_whatever_changes_the_answer_is_another_question(project: Project, other: Mapping[str, Any]) -> None:
    project.gate()
    project.gate(**other)
    assert len(project.kinds) == 4


def test_each_ask_is_decided_at_its_share_and_a_spent_budget_is_an_error(project: Project) -> None:
    budget = {"reuse": {"budget": 2}}
    project.gate(checks="new.accuracy > 0.5", **budget)
    found = project.record.verdict.checks[0].evidence
    assert found is not None
    assert found.confidence == 1 - 0.05 / 2
    project.gate(checks="new.accuracy > 0.6", **budget)
    assert "now it is spent" in project.record.verdict.promise
    with pytest.raises(HoldoutSpent, match=r"holdout.csv was asked 2 of 2 times") as raised:
        project.gate(checks="new.accuracy > 0.7", **budget)
    assert raised.value.exit_code == 1
    assert len(project.kinds) == 4
    # The old answers are still there.
    assert project.gate(checks="new.accuracy > 0.6", **budget) == 0


def test_without_a_budget_nothing_is_divided_and_the_promise_says_so(project: Project) -> None:
    project.gate(checks="new.accuracy > 0.5", reuse="none")
    found = project.record.verdict.checks[0].evidence
    assert found is not None
    assert found.confidence == 0.95
    assert "keeps no budget (reuse: none)" in project.record.verdict.promise
    assert project.kinds == ["HoldoutAsked", "HoldoutAnswered"]


def test_a_pass_beyond_the_passes_says_which_guarantee_is_left(project: Project) -> None:
    strict = {"reuse": {"reveal": "verdict"}}
    assert project.gate(**strict) == 0
    assert "even if it was tuned on its answers" in project.record.verdict.promise
    project.gate(checks="new.accuracy > 0.8", **strict)
    assert "if none was tuned on its answers, for its passes are used up" in project.record.verdict.promise


def test_of_what_did_not_pass_nothing_is_shown_if_the_file_says_so(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    told = set()
    for new in ("poor", "other"):
        assert project.gate(new, "new", reuse={"reveal": "verdict"}) == 3
        told.add(capsys.readouterr().out.split("holdout")[0])
        assert project.trial.metrics == {}
    (only,) = told
    assert "not every check is shown to hold" in only


def test_what_could_never_pass_spends_no_ask_unless_unsure_may_pass(project: Project) -> None:
    small = project.holdout.head(40)
    project.write("holdout", small)
    for name in ("new", "old"):
        table = pl.read_csv(project.folder / f"{name}.csv")
        project.write(name, table.filter(pl.col("id") < 40))
    assert project.gate(checks="new.accuracy >= 0.9") == 6
    assert project.kinds == []
    assert "40 rows could not show it even if all were right" in project.record.verdict.checks[0].why
    # Where unsure may pass, a model that is shown to be bad must not.
    project.gate(checks="new.accuracy >= 0.9", unsure="pass")
    assert project.kinds == ["HoldoutAsked", "HoldoutAnswered"]


# --- the file ----------------------------------------------------------------------------------------------------


# Any: the keys of `with:`.
def faults(**fields: Any) -> list[str]:
    values = {"data": "d.csv", "target": "t", "challenger": "m.pkl", "checks": ["new.auc > 0.5"], **fields}
    return [problem.problem for problem in problems_of(find("gate"), values)]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"metrics": {"auc": "m.py:auc"}}, "'auc' cannot be a metric of your own"),
        ({"metrics": {"latency_p99_ms": "m.py:l"}}, "cannot be a metric of your own"),
        ({"metrics": {"two words": "m.py:l"}}, "cannot be a metric of your own"),
        ({"checks": ["new.profit > 1"]}, "'profit' is not a metric"),
        ({"reuse": {"reveal": "verdict"}, "unsure": "pass"}, "what is unsure is told like a fail"),
        ({"reuse": {"budget": 0}}, "`budget` must be at least 1"),
        ({"reuse": {"bugdet": 1}}, "the key `bugdet` is not known"),
        ({"reuse": "never"}, "`reuse`"),
        ({"predictions": {"new": "n.csv"}}, "`key` is missing"),
        (
            {"predictions": {"new": "n.csv", "key": "id"}, "checks": ["new.auc > 0.5", "new.latency_p99_ms < 20"]},
            "no model is run where `predictions` are given",
        ),
        ({"min-slice": 0}, "`min-slice` must be at least 1"),
        ({"slices": "show"}, "`slices` must be"),
        ({"multiplicity": "bonferroni"}, "`multiplicity` must be"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_faults_of_the_keys_are_seen_before_the_run(fields: Mapping[str, Any], said: str) -> None:
    assert any(said in problem for problem in faults(**fields)), faults(**fields)


def test_a_metric_of_ones_own_is_known_to_the_checks() -> None:
    assert faults(metrics={"profit": "m.py:profit"}, checks=["new.profit > 1"]) == []
    assert faults(reuse="none") == []
    assert faults(challenger="", predictions={"new": "n.csv", "key": "id"}) == []


def test_several_checks_that_cannot_be_read_are_told_at_once(project: Project) -> None:
    with pytest.raises(FileFaulty, match="2 checks cannot be read"):
        project.gate(checks=["new.acuracy > 0.5", "new.auc"])
