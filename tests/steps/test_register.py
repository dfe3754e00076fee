"""Registering a model from a run: numbered, with its lineage, and never twice."""

from pathlib import Path

import msgspec
import pytest

from headway.core.facts import Metric, ModelRegistered, Source
from headway.core.gate import Verdict
from headway.core.gate_kept import Asked, KeptGate
from headway.core.ids import Artifact, Digest, RunId
from headway.core.kept_answers import KeptAnswers
from headway.errors import FileFaulty, FileMissing, ModelUnreadable, UsageMistaken
from headway.flows import registry
from headway.testing.bench import Trial

RULE = "def predict(rows):\n    return [0 for _ in rows]\n"


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    (tmp_path / "model.py").write_text(RULE)
    return Trial(str(tmp_path), now=lambda: 5.0)


def registered(trial: Trial) -> list[ModelRegistered]:
    return [e.fact for e in trial.parts.log.read("model/churn") if isinstance(e.fact, ModelRegistered)]


def next_run(trial: Trial) -> None:
    trial.task = msgspec.structs.replace(trial.task, run_id=RunId(trial.task.run_id + 1))


def test_a_version_is_made_with_all_that_led_to_it(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    data = (Artifact(path="data/training.csv", digest=Digest("d" * 64)),)
    verdict = trial.parts.blobs.put(b"{}")
    trial.task = msgspec.structs.replace(
        trial.task,
        run_id=RunId(7),
        source=Source(commit="abc", diff=Digest("e" * 64)),
        params={"train.lr": 0.1},
        data=data,
        metrics=(Metric(name="auc", value=0.7),),
        values={"gate": {"outcome": "pass", "verdict": verdict}},
        by="ann",
    )
    assert trial.run("register", {"model": "model.py", "name": "churn"}) == 0
    (version,) = registered(trial)
    assert (version.version, version.format, version.run, version.step) == (1, "function", 7, "register")
    assert (version.source, version.data, version.by) == (trial.task.source, data, "ann")
    assert (version.params, version.metrics) == ({"train.lr": 0.1}, trial.task.metrics)
    assert version.verdict == verdict
    assert trial.parts.blobs.get(version.artifact.digest) == RULE.encode()
    assert trial.outputs == {"version": "churn@1", "number": "1"}
    assert capsys.readouterr().out.startswith("registered churn@1 (function, ")


def test_the_alias_is_challenger_unless_another_is_asked_for(trial: Trial) -> None:
    trial.run("register", {"model": "model.py", "name": "churn"})
    bench = trial.bench()
    assert (found := bench.resolve("churn@challenger")) is not None
    assert found.version == 1
    next_run(trial)
    (Path(trial.folder) / "model.py").write_text(RULE + "# new\n")
    trial.run("register", {"model": "model.py", "name": "churn", "alias": "candidate"})
    assert (found := bench.resolve("churn@candidate")) is not None
    assert found.version == 2
    assert (found := bench.resolve("churn@challenger")) is not None
    assert found.version == 1


def test_no_alias_moves_when_none_is_wanted(trial: Trial) -> None:
    trial.run("register", {"model": "model.py", "name": "churn", "alias": ""})
    assert len(trial.parts.log.read("model/churn")) == 1


def test_the_step_done_twice_in_a_run_makes_one_version(trial: Trial) -> None:
    for _ in range(2):
        assert trial.run("register", {"model": "model.py", "name": "churn"}) == 0
        assert trial.outputs["version"] == "churn@1"
    assert len(trial.parts.log.read("model/churn")) == 2


def test_the_same_bytes_from_a_later_run_are_the_same_version(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.run("register", {"model": "model.py", "name": "churn"})
    next_run(trial)
    trial.run("register", {"model": "model.py", "name": "churn"})
    assert len(registered(trial)) == 1
    assert trial.outputs == {"version": "churn@1", "number": "1"}
    assert "churn@1 stays: the newest version has this very content" in capsys.readouterr().out


def test_what_an_earlier_step_made_counts_and_not_what_lies_there_now(trial: Trial) -> None:
    bench = trial.bench()
    kept = bench.artifact("model.py")
    (Path(trial.folder) / "model.py").write_text("changed since")
    trial.task = msgspec.structs.replace(trial.task, outputs={"model.py": kept})
    trial.run("register", {"model": "./model.py", "name": "churn"})
    assert registered(trial)[0].artifact == kept


def test_a_verdict_that_is_a_file_is_kept(trial: Trial, tmp_path: Path) -> None:
    (tmp_path / "verdict.json").write_text("{}")
    trial.task = msgspec.structs.replace(trial.task, values={"gate": {"verdict": str(tmp_path / "verdict.json")}})
    trial.run("register", {"model": "model.py", "name": "churn"})
    verdict = registered(trial)[0].verdict
    assert verdict is not None
    assert trial.parts.blobs.get(verdict) == b"{}"


def test_a_model_that_is_not_there_is_said_to_be_missing(trial: Trial) -> None:
    with pytest.raises(FileMissing):
        trial.run("register", {"model": "models/none.pkl", "name": "churn"})


def test_what_is_no_model_is_refused_under_its_own_path_and_nothing_is_registered(trial: Trial) -> None:
    (Path(trial.folder) / "notes.txt").write_text("hello")
    with pytest.raises(ModelUnreadable) as raised:
        trial.run("register", {"model": "notes.txt", "name": "churn"})
    assert raised.value.at == "notes.txt"
    assert registered(trial) == []


@pytest.mark.parametrize("values", [{"name": "a/b"}, {"name": ""}, {"alias": "12"}, {"alias": "x y"}], ids=str)
def test_a_name_that_would_not_read_as_one_is_refused(trial: Trial, values: dict[str, str]) -> None:
    with pytest.raises(UsageMistaken):
        trial.run("register", {"model": "model.py", "name": "churn", **values})


def test_faults_of_with_are_told_at_once(trial: Trial) -> None:
    with pytest.raises(FileFaulty) as raised:
        trial.run("register", {"modle": "model.py"})
    told = " ".join(f"{fault.problem} {fault.remedy}" for fault in raised.value.faults)
    assert all(word in told for word in ("modle", "`model`", "`name` is missing"))


def test_a_target_without_rows_is_a_mistake(trial: Trial) -> None:
    with pytest.raises(UsageMistaken, match="there is no `data`") as raised:
        trial.run("register", {"model": "model.py", "name": "churn", "target": "churned"})
    assert "give `data`" in raised.value.remedy
    assert registered(trial) == []


# --- verdicts, and what the model answered -----------------------------------------------------------------------


def judged(trial: Trial, content: str, *, file: str = "model.py", **kept: object) -> Digest:
    """A gate's record on some content, as its step keeps it."""
    challenger = Artifact(path=file, digest=trial.parts.blobs.put(content.encode()))
    record = KeptGate(verdict=VERDICT, step=Asked(challenger=file), challenger=challenger)
    record = msgspec.structs.replace(record, **kept)
    return trial.parts.blobs.put(msgspec.json.encode(record))


VERDICT = Verdict(outcome="pass", why="1 of 1 check holds", checks=())


def test_of_several_verdicts_that_on_this_model_is_taken_with_its_answers(trial: Trial) -> None:
    answers = trial.parts.blobs.put(b"answers")
    mine = judged(trial, RULE, answers=answers)
    values = {"gate": {"verdict": mine}, "other-gate": {"verdict": judged(trial, "another model")}}
    trial.task = msgspec.structs.replace(trial.task, values=values)
    trial.run("register", {"model": "model.py", "name": "churn"})
    assert (registered(trial)[0].verdict, registered(trial)[0].answers) == (mine, answers)


def test_a_verdict_on_another_model_is_recorded_for_what_it_is_worth_without_its_answers(trial: Trial) -> None:
    other = judged(trial, "another model", answers=trial.parts.blobs.put(b"answers"))
    trial.task = msgspec.structs.replace(trial.task, values={"gate": {"verdict": other}})
    trial.run("register", {"model": "model.py", "name": "churn"})
    assert (registered(trial)[0].verdict, registered(trial)[0].answers) == (other, None)


def test_a_gate_that_passes_the_same_model_later_is_recorded_with_its_version(trial: Trial) -> None:
    trial.run("register", {"model": "model.py", "name": "churn"})
    assert registry.read(trial.parts.log, "churn").judged(1).verdict is None
    next_run(trial)
    mine = judged(trial, RULE)
    trial.task = msgspec.structs.replace(trial.task, values={"gate": {"verdict": mine}})
    trial.run("register", {"model": "model.py", "name": "churn"})
    assert len(registered(trial)) == 1
    assert registry.read(trial.parts.log, "churn").judged(1).verdict == mine


def test_without_a_gate_what_it_answers_to_its_data_is_kept(trial: Trial) -> None:
    (Path(trial.folder) / "model.py").write_text("def predict(rows):\n    return [row['a'] * 0.5 for row in rows]\n")
    (Path(trial.folder) / "rows.csv").write_text("a,y\n1,0\n2,1\n3,1\n")
    trial.task = msgspec.structs.replace(trial.task, outputs={"model.py": trial.bench().artifact("model.py")})
    trial.run("register", {"model": "model.py", "name": "churn", "data": "rows.csv", "target": "y"})
    digest = registered(trial)[0].answers
    assert digest is not None
    assert msgspec.json.decode(trial.parts.blobs.get(digest), type=KeptAnswers) == KeptAnswers(
        by="register", rows=[{"a": 1}, {"a": 2}, {"a": 3}], predictions=[0.5, 1.0, 1.5]
    )
