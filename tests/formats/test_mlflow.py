"""Folders of MLflow: asked through our own formats where that is equal, else by MLflow, and never run without trust."""

import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pytest
import xgboost
from sklearn.linear_model import LogisticRegression

from headway import formats
from headway.core.ids import Digest
from headway.core.prediction import LoadedModel, TakesArrays
from headway.core.signature import Field, outputs_of
from headway.errors import DataUnreadable, ExtraMissing, ModelUnreadable, ModelUntrusted
from headway.flows.digest import digest_path
from headway.flows.statcache import StatCache
from headway.formats.mlflow import about

NUMBERS = np.random.default_rng(4).normal(size=(60, 2))
TABLE = pd.DataFrame(NUMBERS, columns=["a", "b"])
ROWS = [{"a": float(a), "b": float(b)} for a, b in NUMBERS]
TRUTH = (NUMBERS[:, 0] > 0).astype(int)

COLUMNS = '[{"type": "double", "name": "a", "required": true}, {"type": "double", "name": "b", "required": true}]'

MLMODEL = """flavors:
  python_function:
    loader_module: mlflow.{flavor}
    {key}: {file}
    predict_fn: predict
    python_version: 3.11.7
  {flavor}:
    code: null
    {key}: {file}
mlflow_version: 3.17.2
signature:
  inputs: '{inputs}'
  outputs: '[{{"type": "tensor", "tensor-spec": {{"dtype": "int64", "shape": [-1]}}}}]'
"""


def folder_of(path: Path, flavor: str, file: str, save: Callable[[str], object], inputs: str = COLUMNS) -> str:
    """A folder as MLflow writes it, so that MLflow itself is not needed."""
    path.mkdir(exist_ok=True)
    save(str(path / file))
    key = "pickled_model" if flavor == "sklearn" else "data"
    text = MLMODEL.format(flavor=flavor, key=key, file=file, inputs=inputs)
    (path / "MLmodel").write_text(text)
    return str(path)


def digest_of(path: str) -> Digest:
    return digest_path(str(Path(path).parent), Path(path).name, StatCache()).digest


def loaded(path: str, *, is_trusted: bool = True) -> LoadedModel:
    assert formats.detect(path) == "mlflow"
    digest = digest_of(path)
    return formats.load(path, format="mlflow", digest=digest, trusted={digest} if is_trusted else (), threads=1)


def pickled(estimator: Any) -> Callable[[str], object]:
    return lambda path: Path(path).write_bytes(pickle.dumps(estimator))


def boosted(kind: Any) -> Any:
    quiet = {"verbose": -1} if kind is lightgbm.LGBMClassifier else {}
    return kind(n_estimators=5, max_depth=3, n_jobs=1, **quiet).fit(TABLE, TRUTH)


def case_sklearn(path: Path) -> tuple[str, Any]:
    model = LogisticRegression().fit(TABLE, TRUTH)
    return folder_of(path, "sklearn", "model.pkl", pickled(model)), model


def case_nameless(path: Path) -> tuple[str, Any]:
    model = LogisticRegression().fit(NUMBERS, TRUTH)
    return folder_of(path, "sklearn", "model.pkl", pickled(model)), model


def case_skops(path: Path) -> tuple[str, Any]:
    sio = pytest.importorskip("skops.io", reason="skops is not installed: its flavour is not tested")
    model = LogisticRegression().fit(TABLE, TRUTH)
    return folder_of(path, "sklearn", "model.skops", lambda to: sio.dump(model, to)), model


def case_xgboost(path: Path) -> tuple[str, Any]:
    model = boosted(xgboost.XGBClassifier)
    return folder_of(path, "xgboost", "model.ubj", model.save_model), model


def case_lightgbm(path: Path) -> tuple[str, Any]:
    model = boosted(lightgbm.LGBMClassifier)
    return folder_of(path, "lightgbm", "model.lgb", model.booster_.save_model), model


def case_onnx(path: Path) -> tuple[str, Any]:
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed: the flavour onnx is not tested")
    model = LogisticRegression().fit(NUMBERS, TRUTH)
    graph = skl2onnx.to_onnx(model, NUMBERS.astype(np.float32), options={"zipmap": False})
    return folder_of(path, "onnx", "model.onnx", lambda to: Path(to).write_bytes(graph.SerializeToString())), model


CASES = [case_sklearn, case_nameless, case_skops, case_xgboost, case_lightgbm, case_onnx]
SAFE = [case_skops, case_xgboost, case_lightgbm, case_onnx]


def named(case: Any) -> str:
    return str(case.__name__).removeprefix("case_")


@pytest.fixture(autouse=True)
def without_traces() -> Iterator[None]:
    """What a folder with code of its own leaves in the process is no business of other tests."""
    path, writes = list(sys.path), sys.dont_write_bytecode
    yield
    sys.path[:], sys.dont_write_bytecode = path, writes


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_file_of_ours_in_a_folder_is_asked_as_in_the_process(tmp_path: Path, case: Any) -> None:
    path, estimator = case(tmp_path / "m")
    model = loaded(path)
    given = TABLE if hasattr(estimator, "feature_names_in_") or named(case) in ("lightgbm", "xgboost") else NUMBERS
    wanted = estimator.predict_proba(given)
    mixed = [{"b": row["b"], "z": 1.0, "a": row["a"]} for row in ROWS]
    for told in (model.predict(ROWS), model.predict(mixed), model.predict(pl.DataFrame(ROWS))):
        assert told.probabilities is not None
        np.testing.assert_allclose(told.probabilities, wanted, atol=1e-5)
        assert told.labels.tolist() == estimator.predict(given).tolist()
    assert (model.format, model.columns, model.notes) == ("mlflow", ("a", "b"), ())
    assert model.signature.inputs == (Field(name="a", kind="FP64"), Field(name="b", kind="FP64"))
    assert model.signature.outputs == outputs_of(label="INT64", n_classes=2)
    assert (getattr(model, "estimator", None) is not None) == (named(case) in ("sklearn", "nameless", "skops"))
    assert isinstance(model, TakesArrays)
    arrays = {"a": NUMBERS[:, 0], "b": NUMBERS[:, 1]}
    assert model.predict_arrays(arrays).labels.tolist() == told.labels.tolist()
    with pytest.raises(DataUnreadable):
        model.predict([{"a": 1.0}])


@pytest.mark.parametrize("case", CASES, ids=named)
def test_only_what_runs_code_needs_trust(tmp_path: Path, case: Any) -> None:
    path, _ = case(tmp_path / "m")
    assert formats.runs_code("mlflow", path) == (case not in SAFE)
    if case in SAFE:
        assert loaded(path, is_trusted=False).predict(ROWS[:1]).labels.shape == (1,)
        return
    with pytest.raises(ModelUntrusted, match=r"it names model\.pkl"):
        loaded(path, is_trusted=False)


@pytest.mark.parametrize(
    "change",
    [
        lambda at: (at / "model.pkl").write_bytes(b"x"),
        lambda at: (at / "more.txt").touch(),
        lambda at: (at / "MLmodel").chmod(0o755),
        lambda at: (at / "empty").mkdir(),
    ],
    ids=["file", "one-more", "right", "empty-folder"],
)
def test_a_folder_that_is_not_the_one_vouched_for_is_not_run(tmp_path: Path, change: Callable[[Path], object]) -> None:
    path, _ = case_sklearn(tmp_path / "m")
    digest = digest_of(path)
    formats.load(path, format="mlflow", digest=digest, trusted={digest})
    change(Path(path))
    with pytest.raises(ModelUntrusted, match="content is another"):
        formats.load(path, format="mlflow", digest=digest, trusted={digest})


def test_links_and_compiled_files_are_refused_where_code_runs(tmp_path: Path) -> None:
    path, _ = case_sklearn(tmp_path / "m")
    (tmp_path / "m" / "code" / "__pycache__").mkdir(parents=True)
    with pytest.raises(ModelUntrusted, match=r"code/__pycache__ .* compiled code"):
        loaded(path)
    (tmp_path / "m" / "code" / "__pycache__").rmdir()
    (tmp_path / "m" / "code" / "helpers.py").symlink_to(tmp_path / "elsewhere.py")
    with pytest.raises(ModelUntrusted, match=r"helpers\.py .* a link"):
        loaded(path)


def test_code_of_the_folder_is_found_by_its_pickle_and_told_as_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = tmp_path / "m"
    (at / "code").mkdir(parents=True)
    (at / "code" / "rules_of_the_folder.py").write_text(
        "class Rule:\n    n_features_in_ = 2\n    def predict(self, table):\n        return table[:, 0] > table[:, 1]\n"
    )
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(at / "code"))
        patch.setattr(sys, "dont_write_bytecode", True)
        import rules_of_the_folder  # type: ignore[import-not-found] # it was written just now

        folder_of(at, "sklearn", "model.pkl", pickled(rules_of_the_folder.Rule()))
    del sys.modules["rules_of_the_folder"]
    text = (at / "MLmodel").read_text().replace("code: null", "code: code")
    (at / "MLmodel").write_text(text)
    with pytest.raises(ModelUntrusted, match=r"it names code, model\.pkl"):
        loaded(str(at), is_trusted=False)
    model = loaded(str(at))
    assert model.predict(ROWS).labels.tolist() == (NUMBERS[:, 0] > NUMBERS[:, 1]).tolist()
    assert not (at / "code" / "__pycache__").exists()
    loaded(str(at))


def test_code_beside_a_file_that_runs_none_cannot_be_imported(tmp_path: Path) -> None:
    path, _ = case_xgboost(tmp_path / "m")
    (tmp_path / "m" / "code").mkdir()
    text = (tmp_path / "m" / "MLmodel").read_text().replace("code: null", "code: code")
    (tmp_path / "m" / "MLmodel").write_text(text)
    loaded(path, is_trusted=False)
    assert not any(str(tmp_path) in one for one in sys.path)


def test_what_it_was_made_with_is_noted_where_it_is_another_here(tmp_path: Path) -> None:
    path, _ = case_xgboost(tmp_path / "m")
    (tmp_path / "m" / "requirements.txt").write_text(
        f"mlflow==3.1\nnumpy=={np.__version__}\nxgboost==1.0.0 ; x\nno-such-package-here==2.0\n-r more.txt\nscipy\n"
    )
    text = (tmp_path / "m" / "MLmodel").read_text().replace("3.11.7", "3.9.1")
    (tmp_path / "m" / "MLmodel").write_text(text)
    (note,) = loaded(path).notes
    for part in ("Python 3.9.1 (here 3.", "xgboost 1.0.0 (here ", "no-such-package-here 2.0 (here absent)"):
        assert part in note
    assert "mlflow" not in note
    assert "numpy" not in note


def test_without_requirements_conda_says_what_it_was_made_with(tmp_path: Path) -> None:
    path, _ = case_xgboost(tmp_path / "m")
    conda = tmp_path / "m" / "conda.yaml"
    conda.write_text(
        "dependencies:\n- python=3.9.1\n- pip<=24\n- numpy=1.0.1\n- pip:\n  - mlflow\n  - xgboost==1.0.0\n"
    )
    (note,) = loaded(path).notes
    assert "numpy 1.0.1 (here " in note
    assert "xgboost 1.0.0 (here " in note
    conda.write_text("dependencies: [")
    assert loaded(path).notes == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "names no flavors"),
        ("flavors: [a]", "names no flavors"),
        ("flavors: {sklearn: 3}", "names no flavors"),
        ("flavors: {a: {}\n", "cannot be used"),
        ("\x00\x01", "cannot be used"),
        ("flavors: {sklearn: {pickled_model: ../m.pkl}}", "not in the folder"),
        ("flavors: {onnx: {data: /m.onnx}}", "not in the folder"),
        ("flavors: {python_function: {code: ../code}}", "not in the folder"),
        ("flavors: {xgboost: {data: no.ubj}}", "lacks the file"),
        ("flavors: {a: {}}\nsignature: {inputs: '[1'}", "no list of columns"),
        ("flavors: {a: {}}\nsignature: {inputs: '[{\"type\": 3}]'}", "no list of columns"),
        (
            """flavors: {a: {}}
signature: {inputs: '[{"type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": [-1, 8, 8]}}]'}""",
            "no row of a table",
        ),
    ],
)
def test_a_folder_that_says_what_cannot_be_is_refused_at_its_fault(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "MLmodel").write_text(text)
    with pytest.raises(ModelUnreadable, match=why) as raised:
        loaded(str(tmp_path / "m"))
    assert raised.value.remedy
    assert formats.runs_code("mlflow", str(tmp_path / "m"))


def test_damaged_bytes_never_crash(tmp_path: Path) -> None:
    path, _ = case_lightgbm(tmp_path / "m")
    whole = {name: (tmp_path / "m" / name).read_bytes() for name in ("MLmodel", "model.lgb")}
    rng = np.random.default_rng(6)
    n_refused = 0
    for n in range(60):
        name = "MLmodel"
        data = bytearray(whole[name])
        for at in rng.integers(0, len(data), 1 + n % 4):
            data[at] = int(rng.integers(256))
        (tmp_path / "m" / name).write_bytes(data)
        try:
            loaded(path, is_trusted=False).predict(ROWS)
        except (ModelUnreadable, ModelUntrusted, DataUnreadable):
            n_refused += 1
    assert n_refused
    (tmp_path / "m" / "MLmodel").write_bytes(whole["MLmodel"])
    (tmp_path / "m" / "model.lgb").write_bytes(whole["model.lgb"][:300])
    with pytest.raises(ModelUnreadable, match="not whole"):
        loaded(path)


def test_kinds_of_columns_are_those_of_the_protocol(tmp_path: Path) -> None:
    kinds = ["boolean", "integer", "long", "float", "double", "string", "binary", "datetime", "object"]
    columns = ", ".join(f'{{"type": "{kind}", "name": "{kind}", "required": false}}' for kind in kinds)
    (tmp_path / "MLmodel").write_text(f"flavors: {{a: {{}}}}\nsignature: {{inputs: '[{columns}]'}}\n")
    said = about.read(str(tmp_path))
    told = [field.kind for field in said.signature.inputs]
    assert told == ["BOOL", "INT32", "INT64", "FP32", "FP64", "BYTES", None, None, None]
    assert (said.dates, said.optional) == (frozenset({"datetime"}), frozenset(kinds))


# --- with MLflow itself ------------------------------------------------------------------------------------------


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path}/runs")
    with warnings.catch_warnings():
        # Its own imports warn of what is none of ours.
        warnings.simplefilter("ignore")
        return pytest.importorskip(
            "mlflow", reason="mlflow-skinny is not installed: what only MLflow loads is not tested"
        )


RULE = """
import mlflow

class Rule(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if "fail" in model_input.columns:
            raise ValueError("it is not to be asked so")
        return model_input["n"] * 2 + model_input["when"].dt.year

mlflow.models.set_model(Rule())
"""


@pytest.mark.filterwarnings("ignore")
def test_what_only_mlflow_loads_is_asked_by_it(mlflow: Any, tmp_path: Path) -> None:
    (tmp_path / "rule.py").write_text(RULE)
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs = [ColSpec("integer", "n"), ColSpec("datetime", "when"), ColSpec("string", "note", required=False)]
    signature = ModelSignature(Schema(inputs), Schema([ColSpec("long")]))
    path = str(tmp_path / "m")
    mlflow.pyfunc.save_model(path, python_model=str(tmp_path / "rule.py"), signature=signature, pip_requirements=[])
    assert formats.runs_code("mlflow", path)
    with pytest.raises(ModelUntrusted, match=r"it names mlflow\.pyfunc\.[a-z_.]*, rule\.py"):
        loaded(path, is_trusted=False)
    model = loaded(path)
    rows = [{"n": 3, "when": "2026-01-31T12:00:00"}, {"n": 4, "when": "2025-01-31"}]
    assert model.predict(rows).labels.tolist() == [2032, 2033]
    assert model.predict([{**row, "note": None} for row in rows]).labels.tolist() == [2032, 2033]
    assert (model.columns, model.signature.inputs[0]) == (("n", "when", "note"), Field(name="n", kind="INT32"))
    with pytest.raises(DataUnreadable, match="lacks 1 column"):
        model.predict([{"n": 3}])
    with pytest.raises(DataUnreadable, match="no time"):
        model.predict([{"n": 3, "when": "soon"}])
    with pytest.raises(DataUnreadable, match="fractions"):
        model.predict([{"n": 3.5, "when": "2026-01-31"}])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", ["cloudpickle", "skops"])
def test_folders_that_this_mlflow_writes_are_asked_without_it(mlflow: Any, tmp_path: Path, way: str) -> None:
    from mlflow import sklearn as by_mlflow
    from mlflow.models import infer_signature

    if way not in by_mlflow.SUPPORTED_SERIALIZATION_FORMATS:
        pytest.skip(f"this MLflow writes no {way}")
    estimator = LogisticRegression().fit(TABLE, TRUTH)
    path = str(tmp_path / "m")
    by_mlflow.save_model(
        estimator,
        path,
        serialization_format=way,
        signature=infer_signature(TABLE, estimator.predict(TABLE)),
        pip_requirements=[],
    )
    answers = mlflow.pyfunc.load_model(path).predict(TABLE)
    model = loaded(path)
    assert model.predict(ROWS).labels.tolist() == answers.tolist() == estimator.predict(TABLE).tolist()
    assert model.signature.inputs == (Field(name="a", kind="FP64"), Field(name="b", kind="FP64"))


@pytest.mark.filterwarnings("ignore")
def test_another_question_than_predict_is_put_by_mlflow(mlflow: Any, tmp_path: Path) -> None:
    path, estimator = case_sklearn(tmp_path / "m")
    text = (tmp_path / "m" / "MLmodel").read_text()
    text = text.replace("predict_fn: predict", "predict_fn: predict_proba\n    model_path: model.pkl")
    (tmp_path / "m" / "MLmodel").write_text(text.replace("  sklearn:\n", "  sklearn:\n    sklearn_version: 1.4.0\n"))
    told = loaded(path).predict(ROWS)
    np.testing.assert_allclose(told.labels, estimator.predict_proba(TABLE))


def test_without_mlflow_the_extra_to_install_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "MLmodel").write_text("flavors: {python_function: {loader_module: mlflow.catboost}}\n")
    monkeypatch.setitem(sys.modules, "mlflow.pyfunc", None)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ModelUntrusted, match=r"mlflow\.catboost"):
        loaded(str(tmp_path / "m"), is_trusted=False)
    with pytest.raises(ExtraMissing) as raised:
        loaded(str(tmp_path / "m"))
    assert "headway[mlflow]" in raised.value.remedy
