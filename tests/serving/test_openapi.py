"""The OpenAPI document tells of every path, and is kept, whatever is sent by its rules or against them."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import polars as pl
import pytest

import serving_peers
from foreign import environment
from headway.core.prediction import LoadedModel, Prediction
from headway.core.signature import Field, Kind, Signature, outputs_of
from headway.errors import DataUnreadable
from headway.formats import onnx, sklearn
from served import KINDS, Made, Served, mixed, served, sums


def pickled(folder: Path, model: object) -> LoadedModel:
    import joblib

    joblib.dump(model, folder / "model.joblib")
    return sklearn.load(str(folder / "model.joblib"))


def of_matrix(folder: Path) -> LoadedModel:
    from sklearn.linear_model import LogisticRegression

    x = np.random.default_rng(1).normal(size=(50, 3))
    return pickled(folder, LogisticRegression().fit(x, x[:, 0] > 0))


def of_texts(folder: Path) -> LoadedModel:
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    # pandas, since scikit-learn 1.4 transforms no columns of Polars.
    frame = pd.DataFrame({"colour": ["red", "blue"] * 10, "size": np.arange(20) / 7})
    parts = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["colour"]), ("passthrough", ["size"]))
    return pickled(folder, make_pipeline(parts, LogisticRegression()).fit(frame, [0, 1] * 10))


def regressor(folder: Path) -> LoadedModel:
    from sklearn.ensemble import RandomForestRegressor

    frame = pl.DataFrame({"a": np.arange(20), "b": np.arange(20) % 3 > 0})
    return pickled(folder, RandomForestRegressor(5, random_state=1).fit(frame, np.arange(20) / 3))


def graph(folder: Path) -> LoadedModel:
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression

    x = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    made = to_onnx(LogisticRegression().fit(x, x[:, 0] > 0), x[:1], options={"zipmap": False})
    (folder / "model.onnx").write_bytes(made.SerializeToString())
    return onnx.load(str(folder / "model.onnx"))


def of_every_kind(_folder: Path) -> LoadedModel:
    """One column of each kind there is, and one whose kind is not told."""
    kinds: tuple[Kind, ...] = (*KINDS, "BYTES")
    inputs = (*(Field(name=kind, kind=kind) for kind in kinds), Field(name="any"))
    told = Signature(inputs=inputs, outputs=outputs_of(label="FP64"))
    return Made(lambda rows: Prediction(labels=np.zeros(len(rows))), told)


def patient(_folder: Path) -> LoadedModel:
    """A model that tells of a gap it cannot use, as the formats do."""
    model = mixed()
    answer = model.answer

    def asked(rows: object) -> Prediction:
        try:
            return answer(rows)  # type: ignore[arg-type] # handed on as it came
        except TypeError as e:
            raise DataUnreadable(str(e), at="rows", remedy="send others") from e

    model.answer = asked
    return model


MODELS: list[Callable[[Path], LoadedModel]] = [of_matrix, of_texts, regressor, graph, of_every_kind, patient]


@pytest.fixture(scope="module", params=MODELS, ids=lambda made: made.__name__)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(request.param(tmp_path_factory.mktemp("model"))) as running:
        yield running


def test_every_path_is_told_and_every_page_is_as_told(server: Served) -> None:
    document = server.get("/openapi.json").json
    paths = document["paths"]
    assert {*paths} == {*server.app._routes} - {"/v2/"}
    for path, told in paths.items():
        methods = {word.lower() for word in server.app._routes[path].methods} - {"head"}
        assert {*told} == methods
        if methods != {"get"}:
            continue
        reply = server.get(path)
        content = told["get"]["responses"][str(reply.status)]["content"]
        (kind,) = content
        assert reply.headers["content-type"].startswith(kind)
        if kind == "application/json":
            jsonschema.validate(reply.json, {**content[kind]["schema"], "components": document["components"]})


def test_the_example_of_a_row_is_answered_as_told(server: Served) -> None:
    document = server.get("/openapi.json").json
    parts = document["components"]
    row = parts["schemas"]["Row"]
    jsonschema.validate(row["example"], row)
    for asked in (row["example"], [row["example"]] * 2):
        reply = server.post("/predict", asked)
        assert reply.status == 200
        jsonschema.validate(reply.json, {"$ref": "#/components/schemas/Predicted", "components": parts})


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"a": 2**63, "b": "x"}, "is no INT64: it goes from -9223372036854775808 to 9223372036854775807"),
        ({"a": 1e300, "b": "x"}, "is no INT64"),
        ({"a": 10**400, "b": "x"}, "is too large a number"),
    ],
)
def test_a_number_that_its_column_cannot_hold_is_refused(value: object, says: str) -> None:
    with served(mixed()) as running:
        reply = running.post("/predict", value)
    assert (reply.status, reply.json["fields"][0]["problem"].startswith(says)) == (400, True)


def test_a_truth_value_is_zero_or_one() -> None:
    model = Made(lambda rows: Prediction(labels=np.zeros(len(rows))), Signature(inputs=(Field(name="x", kind="BOOL"),)))
    with served(model) as running:
        statuses = [running.post("/predict", {"x": value}).status for value in (True, 0, 1.0, None, 2, -1, 0.5, "yes")]
    assert statuses == [200] * 4 + [400] * 4


def test_a_matrix_has_as_many_values_as_it_is_wide() -> None:
    with served(sums()) as running:
        row = running.get("/openapi.json").json["components"]["schemas"]["Row"]
    assert (row["minProperties"], row["maxProperties"]) == (3, 3)


@pytest.mark.parametrize(
    "label", [{"at": 10**400}, {"at": -1e12}, {"row": 2**31}, {"row": 10**400}, {"row": -1}, {"row": 0.5}]
)
def test_a_label_that_cannot_be_kept_is_refused(label: dict[str, object]) -> None:
    from headway.serving.labels import read_labels
    from headway.serving.protocol import Refusal, write

    refused = read_labels(write({"request_id": "a", "label": 1, **label}), now=1.0)
    assert isinstance(refused, Refusal)
    assert refused.fields[0].field == next(iter(label))


# In these tests a warning is an error; a server prints what a model warns of, and answers.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_schemathesis_finds_nothing(server: Served, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = [str(environment(serving_peers.SCHEMATHESIS) / "schemathesis"), "run"]
    command += [f"http://127.0.0.1:{server.port}/openapi.json", "--seed", "1", "--max-examples", "25"]
    # Whether a value of the right kind suits a model, and a shape its data, no schema can say.
    command += ["--checks", "all", "--exclude-checks", "positive_data_acceptance", "--continue-on-failure"]
    command += ["--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
    assert re.search(r"Tested: +(\d+)", done.stdout)
    assert "Traceback" not in capfd.readouterr().err
    assert server.get("/v2/health/ready").status == 200
