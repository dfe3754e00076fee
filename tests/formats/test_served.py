"""Each format from training to an answer over HTTP: trained, registered by a run, served, and equal to the process."""

import http.client
import importlib.util
import json
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

NUMBERS = np.random.default_rng(11).normal(size=(40, 3)).round(4)
TRUTH = (NUMBERS.sum(axis=1) > 0).astype(int)
FRAME = pl.DataFrame(NUMBERS, schema=["a", "b", "c"])

Answers = tuple[list[Any], Any]
"""Labels, and probabilities or None, that the model gives in this process."""


def needs(*names: str) -> None:
    for name in names:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: a format that needs it is not tested")


def estimator() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(FRAME, TRUTH)


def of(model: Any, table: Any = FRAME) -> Answers:
    return model.predict(table).tolist(), model.predict_proba(table)


def sklearn_pickle(to: Path) -> Answers:
    to.write_bytes(pickle.dumps(estimator()))
    return of(estimator())


def sklearn_joblib(to: Path) -> Answers:
    import joblib

    joblib.dump(estimator(), to, compress=3)
    return of(estimator())


def skops(to: Path) -> Answers:
    needs("skops")
    import skops.io

    skops.io.dump(estimator(), to)
    return of(estimator())


def onnx(to: Path) -> Answers:
    needs("onnxruntime", "skl2onnx")
    import skl2onnx

    model = estimator()
    graph = skl2onnx.to_onnx(model, NUMBERS[:1].astype(np.float32), options={"zipmap": False})
    to.write_bytes(graph.SerializeToString())
    return of(model)


def xgboost(to: Path) -> Answers:
    needs("xgboost")
    import xgboost as library

    model = library.XGBClassifier(n_estimators=5, n_jobs=1).fit(NUMBERS, TRUTH)
    model.save_model(to)
    return of(model, NUMBERS)


def lightgbm(to: Path) -> Answers:
    needs("lightgbm")
    import lightgbm as library

    model = library.LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1).fit(NUMBERS, TRUTH)
    model.booster_.save_model(to)
    return of(model, NUMBERS)


def _network() -> tuple[Any, Answers]:
    import torch

    torch.manual_seed(2)
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Softmax(dim=1)).eval()
    with torch.no_grad():
        chances = module(torch.from_numpy(NUMBERS.astype(np.float32))).numpy()
    return module, (chances.argmax(axis=1).tolist(), chances)


def torch_exported(to: Path) -> Answers:
    needs("torch")
    import torch

    module, answers = _network()
    program = torch.export.export(module, (torch.zeros(4, 3),), dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(program, to, extra_files={"headway.classes": "[0, 1]", "headway.columns": '["a", "b", "c"]'})
    return answers


def torchscript(to: Path) -> Answers:
    needs("torch")
    import torch

    module, answers = _network()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = torch.jit.trace(module, torch.zeros(4, 3))
        said = {"headway.classes": "[0, 1]", "headway.columns": '["a", "b", "c"]'}
        torch.jit.save(script, str(to), _extra_files=said)
    return answers


def mlflow_file(to: Path) -> Answers:
    to.mkdir()
    (to / "model.pkl").write_bytes(pickle.dumps(estimator()))
    (to / "MLmodel").write_text("flavors:\n  sklearn: {pickled_model: model.pkl}\n")
    return of(estimator())


def mlflow_python(to: Path) -> Answers:
    needs("mlflow", "pandas")
    rule = to.parent / "rule_of_mlflow.py"
    rule.write_text(
        "import mlflow\n"
        "class Rule(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        return model_input['a'] * 2\n"
        "mlflow.models.set_model(Rule())\n"
    )
    import mlflow

    mlflow.pyfunc.save_model(str(to), python_model=str(rule), pip_requirements=[])
    return (NUMBERS[:, 0] * 2).tolist(), None


def function(to: Path) -> Answers:
    to.write_text("COLUMNS = ('a', 'b', 'c')\ndef predict(rows):\n    return [row['a'] > row['b'] for row in rows]\n")
    return (NUMBERS[:, 0] > NUMBERS[:, 1]).tolist(), None


def function_folder(to: Path) -> Answers:
    to.mkdir()
    (to / "limit.txt").write_text("0.5")
    (to / "model.py").write_text(
        "import os\nLIMIT = float(open(os.path.join(os.path.dirname(__file__), 'limit.txt')).read())\n"
        "def predict(rows):\n    return [row['a'] > LIMIT for row in rows]\n"
    )
    return (NUMBERS[:, 0] > 0.5).tolist(), None


CASES: list[tuple[str, str, Callable[[Path], Answers]]] = [
    ("model.pkl", "sklearn", sklearn_pickle),
    ("model.joblib", "sklearn", sklearn_joblib),
    ("model.skops", "skops", skops),
    ("model.onnx", "onnx", onnx),
    ("model.ubj", "xgboost", xgboost),
    ("model.txt", "lightgbm", lightgbm),
    ("model.pt2", "torch", torch_exported),
    ("model.pt", "torch", torchscript),
    ("folder", "mlflow", mlflow_file),
    ("folder", "mlflow", mlflow_python),
    ("model.py", "function", function),
    ("folder", "function", function_folder),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


def headway(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    words = (sys.executable, "-m", "headway", *words)
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def served(folder: Path, what: str) -> Iterator[tuple[dict[str, Any], int]]:
    words = [sys.executable, "-m", "headway", "serve", what, "--port", "0", "--json"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            text += line
        told = json.loads(text)
        yield told, int(told["url"].rpartition(":")[2])
        process.kill()


def post(port: int, path: str, value: object) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=100)
    connection.request("POST", path, json.dumps(value).encode())
    response = connection.getresponse()
    body = response.read()
    connection.close()
    assert response.status == 200, body
    return dict(json.loads(body))


@pytest.mark.parametrize(("file", "kind", "train"), CASES, ids=[case[2].__name__ for case in CASES])
def test_a_model_is_trained_registered_served_and_answers_as_in_the_process(
    project: Path, file: str, kind: str, train: Callable[[Path], Answers]
) -> None:
    name = train.__name__
    made = project / "trained" / name
    made.mkdir(parents=True)
    labels, chances = train(made / file)
    model = "${{ steps.train.out.model }}"
    (project / "pipeline.yaml").write_text(
        f"steps:\n  - name: Train\n    run: mkdir -p models && cp -r trained/{name}/{file} models/{name}-{file}\n"
        f"    in: trained/{name}/{file}\n    out: {{model: models/{name}-{file}}}\n"
        f'  - name: Register\n    uses: register\n    with: {{model: "{model}", name: {name}}}\n'
    )
    done = headway(project, "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"({kind}, " in done.stdout + done.stderr
    for told, port in served(project, f"{name}@challenger"):
        assert (told["model"], told["version"]) == (name, 1)
        answer = post(port, "/predict", FRAME.to_dicts())
        if isinstance(labels[0], float):
            np.testing.assert_allclose(answer["predictions"], labels)
        else:
            assert answer["predictions"] == labels
        if chances is not None:
            np.testing.assert_allclose(answer["probabilities"], chances, atol=1e-6)
        # The same by the Open Inference Protocol, as columns.
        inputs = [{"name": n, "shape": [40], "datatype": "FP64", "data": FRAME[n].to_list()} for n in "abc"]
        if kind in ("onnx", "xgboost", "lightgbm", "torch"):
            flat = {"shape": [40, 3], "datatype": "FP32" if kind in ("onnx", "torch") else "FP64"}
            given = http_metadata(port, name)["inputs"][0]["name"]
            inputs = [{"name": given, **flat, "data": NUMBERS.ravel().tolist()}]
        outputs = post(port, f"/v2/models/{name}/infer", {"inputs": inputs})["outputs"]
        if isinstance(labels[0], float):
            np.testing.assert_allclose(outputs[0]["data"], labels)
        else:
            assert outputs[0]["data"] == labels


def http_metadata(port: int, name: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=100)
    connection.request("GET", f"/v2/models/{name}")
    body = connection.getresponse().read()
    connection.close()
    return dict(json.loads(body))
