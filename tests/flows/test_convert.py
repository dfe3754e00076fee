"""Conversion to ONNX: proven or not used, whatever the model, and never in the way of a registration."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import polars as pl
import pytest
from onnx import helper, numpy_helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from headway import formats
from headway.codec.wire import digest_of
from headway.core.facts import Conversion, Latency, ModelRegistered
from headway.core.ids import Artifact, Digest
from headway.core.prediction import LoadedModel, TakesArrays
from headway.core.signature import Signature
from headway.core.signing import Trust
from headway.errors import DataUnreadable, ExtraMissing, FileMissing, HeadwayError, ModelUnreadable, UsageMistaken
from headway.flows import convert, quicker, registry
from headway.flows.convert import Bounds, Subject, examine
from headway.flows.convert_worker import Proof, signature_of
from headway.flows.digest import digest_path
from headway.flows.statcache import StatCache
from headway.ports import Serving
from headway.tables.edge_rows import UNSEEN
from headway.tables.onnx_convert import FORMS
from headway.tables.onnx_convert import convert as to_graph
from headway.testing.bench import Trial

N = 240
_chance = np.random.default_rng(5)
NUMBERS = pl.DataFrame({name: _chance.normal(size=N).round(2) for name in "abcd"})
ARRAY = NUMBERS.to_numpy()
TWO = (ARRAY[:, 0] + ARRAY[:, 1] * ARRAY[:, 2] > 0).astype(int)
THREE = np.array(["early", "late", "never"])[np.digitize(ARRAY[:, 0], [-0.5, 0.5])]
VALUE = ARRAY[:, 0] * 300 + ARRAY[:, 1]
MIXED = NUMBERS.select("a", "b").with_columns(town=pl.Series(_chance.choice(["x", "y", "z"], N)))


def by_town(handle_unknown: str) -> Any:
    encoded = OneHotEncoder(handle_unknown=handle_unknown, sparse_output=False)
    return make_column_transformer((encoded, ["town"]), ("passthrough", ["a", "b"]))


MODELS: dict[str, tuple[Any, Any, Any, pl.DataFrame]] = {
    "logistic": (LogisticRegression(), NUMBERS, TWO, NUMBERS),
    "logistic of an array, three texts": (make_pipeline(StandardScaler(), LogisticRegression()), ARRAY, THREE, NUMBERS),
    "logistic of truths": (LogisticRegression(), NUMBERS, TWO.astype(bool), NUMBERS),
    "linear": (LinearRegression(), NUMBERS, VALUE, NUMBERS),
    "ridge behind a scaler": (make_pipeline(StandardScaler(), Ridge()), NUMBERS, VALUE, NUMBERS),
    "tree": (DecisionTreeClassifier(random_state=0), NUMBERS, THREE, NUMBERS),
    # An even number of trees: half against half is the label's tie.
    "forest": (RandomForestClassifier(8, random_state=0), NUMBERS, TWO, NUMBERS),
    "forest of an array, three texts": (RandomForestClassifier(8, random_state=0), ARRAY, THREE, NUMBERS),
    "forest behind a scaler": (
        make_pipeline(StandardScaler(), RandomForestClassifier(8, random_state=0)),
        NUMBERS,
        TWO,
        NUMBERS,
    ),
    "forest of numbers": (RandomForestRegressor(8, random_state=0), NUMBERS, VALUE, NUMBERS),
    "extra trees": (ExtraTreesClassifier(8, random_state=0), NUMBERS, TWO, NUMBERS),
    "boosting": (GradientBoostingClassifier(n_estimators=8, random_state=0), NUMBERS, THREE, NUMBERS),
    "boosting of numbers": (GradientBoostingRegressor(n_estimators=8, random_state=0), NUMBERS, VALUE, NUMBERS),
    "histograms": (HistGradientBoostingClassifier(max_iter=5, random_state=0), NUMBERS, TWO, NUMBERS),
    "histograms of numbers": (HistGradientBoostingRegressor(max_iter=5, random_state=0), NUMBERS, VALUE, NUMBERS),
    "network": (MLPClassifier((4,), max_iter=20, random_state=0), NUMBERS, TWO, NUMBERS),
    "texts, unknown ones ignored": (
        make_pipeline(by_town("ignore"), RandomForestClassifier(8, random_state=0)),
        MIXED,
        TWO,
        MIXED,
    ),
    "texts, unknown ones refused": (
        make_pipeline(by_town("error"), RandomForestClassifier(8, random_state=0)),
        MIXED,
        TWO,
        MIXED,
    ),
}


def loaded(folder: Path, estimator: Any) -> LoadedModel:
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(estimator))
    digest = digest_of(path.read_bytes())
    return formats.load(str(path), format="sklearn", digest=digest, trusted=(digest,), threads=1)


def graph_of(folder: Path, data: bytes) -> LoadedModel:
    (folder / "model.onnx").write_bytes(data)
    return formats.load(str(folder / "model.onnx"), format="onnx", digest=Digest(""), trusted=(), threads=1)


class Tried:
    """A model, its proof, and the first form of its conversion that passes it."""

    def __init__(self, folder: Path, name: str) -> None:
        estimator, given, truth, frame = MODELS[name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model = loaded(folder, estimator.fit(given, truth))
            self.signature = signature_of(self.model, frame, "")
            self.rows = frame.to_dicts()
            self.proof = Proof(self.model, self.signature, self.rows, 1e-5)
            for form in FORMS:
                self.data = to_graph(estimator, self.signature, form, self.proof.refusals).data
                try:
                    self.graph = graph_of(folder, self.data)
                except ModelUnreadable:
                    continue
                self.found = self.proof.of(self.graph)
                if not self.found.wrong:
                    return


Try = Callable[[str], Tried]


@pytest.fixture(scope="module")
def tried_once(tmp_path_factory: pytest.TempPathFactory) -> Try:
    """Each model is trained and proven once."""
    found: dict[str, Tried] = {}

    def of(name: str) -> Tried:
        if name not in found:
            found[name] = Tried(tmp_path_factory.mktemp("tried"), name)
        return found[name]

    return of


@pytest.fixture(autouse=True)
def _other_peoples_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


QUICK = ("logistic", "forest", "tree", "texts, unknown ones refused")
"""Those that every change is held to; the others are tried when there is time."""


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in MODELS])
def test_a_model_is_proven_and_answers_alike_on_rows_that_were_no_part_of_it(tried_once: Try, name: str) -> None:
    tried = tried_once(name)
    assert tried.found.wrong == ""
    assert tried.found.n_rows > len(tried.rows)
    model, graph = tried.model, tried.graph
    assert (graph.signature, graph.columns) == (tried.signature, model.columns)
    fresh = np.random.default_rng(11).normal(size=(500, 4)).round(3)
    rows = [dict(zip("abcd", map(float, row), strict=True)) for row in fresh]
    if "town" in tried.rows[0]:
        rows = [{"a": row["a"], "b": row["b"], "town": "xyz"[i % 3]} for i, row in enumerate(rows)]  # type: ignore[dict-item]
    one, other = model.predict(rows), graph.predict(rows)
    assert one.classes == other.classes
    assert one.labels.dtype.kind == other.labels.dtype.kind or {one.labels.dtype.kind, other.labels.dtype.kind} <= {
        "O",
        "U",
    }
    if one.labels.dtype.kind == "f":
        np.testing.assert_allclose(other.labels, one.labels, rtol=1e-5, atol=1e-5)
        assert other.labels.dtype == one.labels.dtype
    else:
        assert other.labels.tolist() == one.labels.tolist()
    if one.probabilities is not None:
        assert other.probabilities is not None
        np.testing.assert_allclose(other.probabilities, one.probabilities, atol=1e-5)


@pytest.mark.parametrize("name", ["forest", "texts, unknown ones refused", "forest of an array, three texts"])
def test_arrays_are_answered_as_rows_are(tried_once: Try, name: str) -> None:
    tried = tried_once(name)
    assert isinstance(tried.graph, TakesArrays)
    arrays = {n: np.array([row[n] for row in tried.rows]) for n in tried.rows[0]}
    arrays = {n: a.astype(object) if a.dtype.kind == "U" else a for n, a in arrays.items()}
    if tried.signature.matrix is not None:
        arrays = {tried.signature.matrix.name: ARRAY}
    told, by_rows = tried.graph.predict_arrays(arrays), tried.graph.predict(tried.rows)
    assert told.labels.tolist() == by_rows.labels.tolist()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("logistic", {"a": None}),
        ("logistic", {"a": float("inf")}),
        ("forest of an array, three texts", {"b": 1e39}),
        ("texts, unknown ones refused", {"town": UNSEEN}),
        ("texts, unknown ones refused", {"a": None, "b": None}),
    ],
    ids=str,
)
def test_what_the_model_refuses_its_conversion_refuses(tried_once: Try, name: str, change: dict[str, Any]) -> None:
    tried = tried_once(name)
    row = [{**tried.rows[0], **change}]
    refuses = []
    for one in (tried.model, tried.graph):
        try:
            one.predict(row)
            refuses.append(False)
        except DataUnreadable:
            refuses.append(True)
    assert refuses[0] == refuses[1]
    if change.get("town") or change.get("b"):
        assert refuses == [True, True]


def changed(data: bytes, attribute: str, change: float, *, at: int) -> bytes:
    """The graph with one number of its trees changed."""
    model = onnx.load_from_string(data)
    for node in model.graph.node:
        for one in node.attribute:
            if one.name == attribute:
                one.floats[at] += change
            elif one.name == f"{attribute}_as_tensor":
                values = numpy_helper.to_array(one.t).copy()
                values[at] += change
                one.t.CopyFrom(numpy_helper.from_array(values))
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("tree", "nodes_values"),
        pytest.param("boosting of numbers", "target_weights", marks=pytest.mark.slow),
        pytest.param("forest", "nodes_values", marks=pytest.mark.slow),
        pytest.param("histograms", "nodes_values", marks=pytest.mark.slow),
        pytest.param("boosting", "class_weights", marks=pytest.mark.slow),
    ],
)
def test_one_wrong_number_among_all_of_a_graph_is_found(
    tried_once: Try, tmp_path: Path, name: str, attribute: str
) -> None:
    tried = tried_once(name)
    # The first node is a split for certain, and the first two weights are those of leaves.
    for at in (0,) if attribute == "nodes_values" else (0, 1):
        wrong = graph_of(tmp_path, changed(tried.data, attribute, 0.05, at=at))
        assert tried.proof.of(wrong).wrong


def test_a_split_that_is_off_by_one_bit_of_32_is_found(tried_once: Try, tmp_path: Path) -> None:
    """No real row lies so near: those that are made at the splits show it."""
    tried = tried_once("tree")
    model = onnx.load_from_string(tried.data)
    trees = next(node for node in model.graph.node if node.op_type.startswith("Tree"))
    values = {one.name: helper.get_attribute_value(one) for one in trees.attribute}["nodes_values"]
    above = float(np.nextafter(np.float32(values[0]), np.float32(np.inf)))
    data = changed(tried.data, "nodes_values", above - values[0], at=0)
    assert tried.proof.of(graph_of(tmp_path, data)).wrong
    real = Proof.__new__(Proof)
    real._model, real._tolerance, real._groups = tried.model, 1e-5, [tried.rows]
    assert real.of(graph_of(tmp_path, data)).wrong == ""


# --- in a process of its own --------------------------------------------------------------------------------------


def subject(folder: Path, estimator: Any, frame: pl.DataFrame, *, target: str = "") -> Subject:
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(estimator))
    frame.write_parquet(folder / "rows.parquet")
    return Subject(
        model=str(path),
        format="sklearn",
        digest=digest_of(path.read_bytes()),
        rows=str(folder / "rows.parquet"),
        rows_digest=Digest("r" * 64),
        folder=str(folder),
        target=target,
    )


def small() -> Any:
    return LogisticRegression().fit(NUMBERS, TWO)


@pytest.mark.slow
def test_a_proven_graph_is_in_the_store_with_what_proved_it(tmp_path: Path) -> None:
    blobs = Trial(str(tmp_path)).parts.blobs
    found = examine(blobs, subject(tmp_path, small(), NUMBERS.with_columns(y=TWO), target="y"), wants_onnx=True)
    assert (found.trouble, found.is_proven) == ("", True)
    assert found.onnx is not None
    assert found.onnx.digest is not None
    assert len(blobs.get(found.onnx.digest)) == found.onnx.size_bytes
    assert (found.onnx.n_rows, found.onnx.tolerance, found.onnx.data) == (N, 1e-5, "r" * 64)
    assert found.onnx.n_edge_rows > 100
    assert found.onnx.max_difference < 1e-12
    assert [text.split()[0] for text in found.onnx.made_with] == ["skl2onnx", "scikit-learn", "onnx", "onnxruntime"]
    assert [one.format for one in found.latency] == ["sklearn", "onnx"]
    assert [(f.name, f.kind) for f in found.signature.inputs] == [(n, "FP64") for n in "abcd"]


@pytest.mark.slow
def test_too_few_rows_prove_nothing_and_the_signature_stands(tmp_path: Path) -> None:
    found = examine(Trial(str(tmp_path)).parts.blobs, subject(tmp_path, small(), NUMBERS[:99]), wants_onnx=True)
    assert found.signature.columns == ("a", "b", "c", "d")
    assert found.onnx is not None
    assert found.onnx.why == "nothing can be proven on these rows: 99 rows are there, and 100 are needed"


MLMODEL = """flavors: {python_function: {predict_fn: predict}, sklearn: {pickled_model: model.pkl}}
signature: {inputs: '[{"type": "double", "name": "a"}, {"type": "double", "name": "b"}]'}
"""


@pytest.mark.slow
def test_an_estimator_in_a_folder_of_mlflow_is_converted_under_the_names_of_its_folder(tmp_path: Path) -> None:
    inside = tmp_path / "saved"
    inside.mkdir()
    (inside / "MLmodel").write_text(MLMODEL)
    (inside / "model.pkl").write_bytes(pickle.dumps(LogisticRegression().fit(ARRAY[:, :2], TWO)))
    one = msgspec.structs.replace(
        subject(tmp_path, None, NUMBERS.select("b", "a")),
        model=str(inside),
        format="mlflow",
        digest=digest_path(str(tmp_path), "saved", StatCache()).digest,
    )
    found = examine(Trial(str(tmp_path)).parts.blobs, one, wants_onnx=True)
    assert (found.trouble, found.is_proven, found.signature.columns) == ("", True, ("a", "b"))
    assert [one.format for one in found.latency] == ["mlflow", "onnx"]


TEXTS = pl.DataFrame({name: ["foo"] * N for name in "abcd"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "frame", "target", "why"),
    [
        (NUMBERS, NUMBERS.drop("b", "d"), "", "they lack b and d, which the model takes"),
        (NUMBERS, NUMBERS[:0], "", "there are none"),
        (
            ARRAY,
            NUMBERS.with_columns(late=TWO),
            "lat",
            "the model takes 4 columns, and they have 5; did you mean `late`?",
        ),
        (ARRAY, NUMBERS.with_columns(late=TWO), "", "they have 5; `target` names the one that is no input"),
        (NUMBERS, TEXTS, "", "the model answers 0 of 240, and 100 are needed; the model cannot use these rows: could"),
        (ARRAY, TEXTS, "", "the model answers 0 of 240, and 100 are needed; the model cannot use these rows: could"),
    ],
    ids=["columns", "empty", "target", "no-target", "texts", "texts-of-an-array"],
)
def test_what_is_amiss_with_the_rows_is_told_and_nothing_is_timed_by_it(
    tmp_path: Path, given: Any, frame: pl.DataFrame, target: str, why: str
) -> None:
    model = LogisticRegression().fit(given, TWO)
    found = examine(Trial(str(tmp_path)).parts.blobs, subject(tmp_path, model, frame, target=target), wants_onnx=True)
    assert found.onnx is not None
    assert found.onnx.why.startswith("nothing can be proven on these rows: ")
    assert why in found.onnx.why
    assert (found.trouble, found.latency) == ("", ())


@pytest.mark.slow
@pytest.mark.parametrize("word", ["while True: pass", "import os; os.kill(os.getpid(), 9)", "x = bytes(10**12)"])
def test_whatever_becomes_of_the_process_is_told_and_raises_nothing(tmp_path: Path, word: str) -> None:
    (tmp_path / "mine.py").write_text(f"class M:\n    def predict(self, rows):\n        {word}\n")
    code = "import pickle, mine; pickle.dump(mine.M(), open('model.pkl', 'wb'))"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    one = subject(tmp_path, None, NUMBERS)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    one = msgspec.structs.replace(one, digest=digest_of((tmp_path / "model.pkl").read_bytes()))
    found = examine(Trial(str(tmp_path)).parts.blobs, one, wants_onnx=True, bounds=Bounds(time_s=6))
    assert not found.is_proven
    assert "longer than 6 s" in found.trouble or "SIGKILL" in found.trouble or "memory" in found.trouble


# --- registering --------------------------------------------------------------------------------------------------


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    trial = Trial(str(tmp_path), now=lambda: 5.0)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(small()))
    NUMBERS.with_columns(y=TWO).write_parquet(tmp_path / "rows.parquet")
    made = trial.bench().artifact("model.pkl")
    trial.task = msgspec.structs.replace(trial.task, outputs={"model.pkl": made})
    return trial


WITH = {"model": "model.pkl", "name": "churn", "data": "rows.parquet", "target": "y"}


def test_a_step_registers_signature_and_conversion_and_what_serves_is_that(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trial.run("register", WITH) == 0
    assert "answers as ONNX: equal labels on 240 rows of the data" in capsys.readouterr().out
    model = registry.read(trial.parts.log, "churn")
    made = model.version(1)
    assert made.onnx is not None
    assert made.onnx == model.conversion(1) == quicker.conversion(trial.parts.log, made, Trust())
    serving = Serving(endpoint="e", model="churn", version=1, path="p", format="sklearn", digest=made.artifact.digest)
    models = str(Path(trial.folder) / "served")
    for _ in range(2):
        found = quicker.as_served(serving, trial.parts.log, trial.parts.blobs, models, made, Trust())
        assert (found.signature, found.onnx_digest) == (made.signature, made.onnx.digest)
        assert digest_of(Path(found.onnx).read_bytes()) == made.onnx.digest


def test_a_model_that_no_run_made_is_not_loaded_to_be_looked_at(trial: Trial) -> None:
    trial.task = msgspec.structs.replace(trial.task, outputs={})
    trial.run("register", WITH)
    made = registry.read(trial.parts.log, "churn").version(1)
    assert (made.signature, made.onnx, made.latency) == (Signature(), None, ())


@pytest.mark.parametrize(
    "values",
    [pytest.param({"onnx": "never"}, marks=pytest.mark.slow), {"data": "", "target": ""}],
    ids=["never", "no-data"],
)
def test_no_conversion_is_made_that_was_not_asked_for(trial: Trial, values: dict[str, str]) -> None:
    trial.run("register", WITH | values)
    made = registry.read(trial.parts.log, "churn").version(1)
    assert made.onnx is None
    assert bool(made.signature.inputs) == ("data" not in values)


@pytest.mark.slow
def test_always_fails_the_step_that_has_no_proof(trial: Trial) -> None:
    NUMBERS[:50].write_parquet(Path(trial.folder) / "rows.parquet")
    with pytest.raises(ModelUnreadable, match="50 rows are there, and 100 are needed"):
        trial.run("register", WITH | {"onnx": "always"})
    with pytest.raises(HeadwayError, match="without rows"):
        trial.run("register", {**WITH, "onnx": "always", "data": ""})
    assert registry.read(trial.parts.log, "churn").newest is None


@pytest.mark.slow
def test_registering_again_asks_nothing_again(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    trial.run("register", WITH)
    monkeypatch.setattr(convert, "examine", lambda *_, **__: pytest.fail("it was looked at twice"))
    assert trial.run("register", WITH) == 0


@pytest.mark.slow
def test_a_conversion_that_is_killed_leaves_the_registration_whole(trial: Trial) -> None:
    killed = []

    def kill() -> None:
        for _ in range(400):
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    words = Path(f"/proc/{pid}/cmdline").read_bytes()
                    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
                except (OSError, IndexError):
                    continue
                if b"headway.flows.convert_worker" in words and parent == os.getpid():
                    os.kill(int(pid), signal.SIGKILL)
                    killed.append(pid)
                    return
            time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    assert trial.run("register", WITH) == 0
    killer.join()
    assert killed
    made = registry.read(trial.parts.log, "churn").version(1)
    assert made.onnx is None or "SIGKILL" in made.onnx.why
    assert quicker.conversion(trial.parts.log, made, Trust()) is None


# --- afterwards ---------------------------------------------------------------------------------------------------


def afterwards(trial: Trial, data: str = "rows.parquet", **more: Any) -> Conversion:
    rows = str(Path(trial.folder) / data)
    parts = trial.parts
    done = convert.convert(
        parts.log, parts.blobs, "churn@1", rows, trust=Trust(), folder=trial.folder, now=6.0, by="ann", **more
    )
    return done.onnx


@pytest.mark.slow
def test_a_version_is_converted_afterwards_by_a_recorded_act(trial: Trial) -> None:
    trial.run("register", WITH | {"onnx": "never"})
    onnx = afterwards(trial, target="y")
    assert onnx.digest is not None
    model = registry.read(trial.parts.log, "churn")
    assert model.conversion(1) == onnx
    # A later try that fails takes nothing away.
    NUMBERS[:5].write_parquet(Path(trial.folder) / "few.parquet")
    assert afterwards(trial, "few.parquet").why
    assert registry.read(trial.parts.log, "churn").conversion(1) == onnx
    # Where signatures are asked for, only what the signature is of is served.
    made = model.version(1)
    assert quicker.conversion(trial.parts.log, made, Trust()) == onnx
    assert quicker.conversion(trial.parts.log, made, Trust(is_required=True)) is None


def test_what_cannot_be_converted_is_told_with_a_remedy(trial: Trial) -> None:
    (Path(trial.folder) / "rule.py").write_text("def predict(rows):\n    return [0 for _ in rows]\n")
    trial.run("register", {"model": "rule.py", "name": "churn"})
    with pytest.raises(UsageMistaken, match="which is not converted"):
        afterwards(trial)


@pytest.mark.slow
def test_what_is_not_installed_is_named_by_its_extra(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    trial.run("register", {"model": "model.pkl", "name": "churn"})
    monkeypatch.setattr("headway.tables.onnx_convert.is_there", lambda: False)
    with pytest.raises(ExtraMissing) as told:
        afterwards(trial)
    assert told.value.remedy == "pip install 'headway[onnx]'"


def test_rows_that_are_not_there_are_missed(trial: Trial) -> None:
    trial.run("register", WITH | {"onnx": "never"})
    with pytest.raises(FileMissing):
        afterwards(trial, "none.csv")


def test_a_slower_conversion_is_not_served() -> None:
    times = tuple(
        msgspec.convert({"format": f, "median_ms": ms, "n_rows": 9}, type=Latency)
        for f, ms in (("sklearn", 1.0), ("onnx", 2.0))
    )
    found = convert._judged(Conversion(digest=Digest("d" * 64)), times)
    assert (found.digest, "takes 2 ms" in found.why) == (None, True)


def test_a_version_of_before_has_neither(trial: Trial) -> None:
    old = b'{"kind":"ModelRegistered","model":"m","version":1,"artifact":{"path":"p","digest":"d"},"key":"k"}'
    made = msgspec.json.decode(old, type=ModelRegistered)
    assert (made.signature, made.onnx, made.latency) == (Signature(), None, ())
    assert made.artifact == Artifact(path="p", digest=Digest("d"))
