"""A built-in step's own process: its task read, its bench laid out, its reports written."""

import os
import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headway.codec import reports, wire
from headway.core.ids import Artifact, Digest, RunId
from headway.core.registry import Registration
from headway.core.rollout import Order
from headway.errors import FileFaulty, FileMissing, ModelUntrusted, NameUnknown, OutputUnreadable
from headway.flows.step import perform, read_task
from headway.steps import StepTask
from headway.testing.bench import MemoryParts, Trial
from headway.testing.verdicts import kept_verdict

RULE = "def predict(rows):\n    return [row['x'] for row in rows]\n"


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def task_file(folder: Path, **changes: object) -> str:
    task = StepTask(folder=str(folder), run_id=RunId(3), step_id="register", uses="register", scratch=str(folder / "s"))
    path = folder / "task.json"
    path.write_bytes(wire.encode(msgspec.structs.replace(task, **changes)))
    return str(path)


def test_a_task_is_carried_out_and_reports_into_its_files(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(RULE)
    task = task_file(tmp_path, with_values={"model": "model.py", "name": "churn"})
    environ = {"HEADWAY_OUTPUT": str(tmp_path / "output")}
    parts = MemoryParts(str(tmp_path))
    assert perform(task, parts, environ=environ) == 0
    values = reports.read_values((tmp_path / "output").read_bytes(), step="register")
    assert values["version"] == "churn@1"
    assert not (tmp_path / "s" / "models").exists()
    assert parts.log.find("ModelRegistered", ["run/3/register"]).keys() == {"run/3/register"}


def test_without_report_files_a_step_runs_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(RULE)
    task = task_file(tmp_path, with_values={"model": "model.py", "name": "churn"})
    assert perform(task, MemoryParts(str(tmp_path)), environ={}) == 0


def test_faults_of_with_name_the_step(tmp_path: Path) -> None:
    with pytest.raises(FileFaulty) as raised:
        perform(task_file(tmp_path, with_values={"modle": "m"}), MemoryParts(str(tmp_path)), environ={})
    assert raised.value.at == "pipeline.yaml: step register"


def test_an_unknown_step_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NameUnknown):
        perform(task_file(tmp_path, uses="nothing"), MemoryParts(str(tmp_path)), environ={})


def test_a_task_file_that_is_missing_or_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        read_task(str(tmp_path / "none"))
    (tmp_path / "task.json").write_text('{"folder": 1}')
    with pytest.raises(OutputUnreadable):
        read_task(str(tmp_path / "task.json"))


def test_what_is_reported_reads_back_as_it_was(tmp_path: Path) -> None:
    trial = Trial(str(tmp_path))
    bench = trial.bench(files=(files := trial._files()))
    bench.output("plain", "a=b")
    bench.output("long", "one\nEND\ntwo")
    bench.metric("auc", 0.75)
    bench.summary("# Title")
    bench.summary("text\n")
    trial._read(files)
    assert trial.outputs == {"plain": "a=b", "long": "one\nEND\ntwo"}
    assert trial.metrics == {"auc": 0.75}
    assert trial.summary == "# Title\ntext\n"


def test_scratch_files_lie_in_the_steps_own_folder(tmp_path: Path) -> None:
    trial = Trial(str(tmp_path))
    trial.task = msgspec.structs.replace(trial.task, scratch=str(tmp_path / "own"))
    path = trial.bench().scratch("a/b.txt")
    assert path == str(tmp_path / "own/a/b.txt")
    assert os.path.isdir(tmp_path / "own/a")


@pytest.mark.parametrize("written", ["models/m.py", "./models/m.py", "models//m.py"])
def test_an_artifact_is_named_by_its_path_in_the_project(tmp_path: Path, written: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/m.py").write_text(RULE)
    artifact = Trial(str(tmp_path)).bench().artifact(written)
    assert (artifact.path, artifact.size_bytes) == ("models/m.py", len(RULE))


def test_a_folder_is_laid_out_again_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/deep/a.txt").write_text("a")
    bench = Trial(str(tmp_path)).bench()
    bench.materialize(bench.artifact("in"), str(tmp_path / "elsewhere/out"))
    assert (tmp_path / "elsewhere/out/deep/a.txt").read_text() == "a"


def test_a_model_of_this_run_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(RULE)
    trial = Trial(str(tmp_path))
    made = trial.bench().artifact("m.py")
    trial.task = msgspec.structs.replace(trial.task, outputs={"m.py": made})
    assert trial.bench().load_model("m.py").predict([{"x": 4}]).labels.tolist() == [4]


def test_a_registered_version_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(RULE)
    bench = Trial(str(tmp_path)).bench()
    asked = Registration(model="churn", artifact=bench.artifact("m.py"), key="k", format="function")
    version = bench.register(asked).version
    assert bench.load_model(version).predict([{"x": 4}]).labels.tolist() == [4]
    assert bench.load_model(version.artifact).format == "function"


def test_a_model_that_nobody_vouched_for_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(ModelUntrusted) as raised:
        Trial(str(tmp_path)).bench().load_model("m.pkl")
    assert raised.value.at == "m.pkl"
    assert not mark.exists()


def test_a_reference_that_means_nothing_yet_is_none(tmp_path: Path) -> None:
    assert Trial(str(tmp_path)).bench().resolve("churn@champion") is None


def test_an_alias_is_moved_under_the_name_of_who_runs(tmp_path: Path) -> None:
    trial = Trial(str(tmp_path))
    trial.task = msgspec.structs.replace(trial.task, by="ann")
    bench = trial.bench()
    artifact = Artifact(path="m.py", digest=Digest("a" * 64))
    bench.register(Registration(model="churn", artifact=artifact, key="k"))
    bench.move_alias("churn", "champion", 1, why="by hand")
    assert (found := bench.resolve("churn@champion")) is not None
    assert found.version == 1


def test_a_release_reaches_the_target(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(RULE)
    trial = Trial(str(tmp_path))
    verdict = kept_verdict(trial.parts.blobs, trial.bench().artifact("m.py"))
    trial.task = msgspec.structs.replace(trial.task, values={"gate": {"verdict": verdict}})
    trial.run("register", {"model": "m.py", "name": "churn"})
    bench = trial.bench("deploy")
    done = bench.release(Order(endpoint="live", model="churn", version=1, key=bench.key, target="memory"))
    assert done.version == 1
    state = bench.target("memory").state("live")
    assert state is not None
    assert state.serving == 1
