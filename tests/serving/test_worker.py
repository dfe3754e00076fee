"""A real model in a real worker: over HTTP it says what it says in process."""

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import polars as pl
import pytest
from blake3 import blake3
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from headway.backends.target_local import LocalTarget
from headway.core.ids import Digest
from headway.ports import Serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data() -> pl.DataFrame:
    loaded = load_breast_cancer()
    return pl.DataFrame(loaded.data, schema=[name.replace(" ", "_") for name in loaded.feature_names])


@pytest.fixture(scope="module")
def model(data: pl.DataFrame) -> object:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(data, load_breast_cancer().target)


@pytest.fixture(scope="module")
def url(model: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("project")
    path = folder / "model.joblib"
    joblib.dump(model, path)
    target = LocalTarget(os.path.join(os.path.realpath(folder), ".headway/endpoints"))
    digest = Digest(blake3(Path(path).read_bytes()).hexdigest())
    target.start(
        Serving(endpoint="cancer", model="cancer", version=1, path=str(path), format="sklearn", digest=digest),
        port=0,
        timeout_s=100,
    )
    yield target.switch("cancer", 1)
    target.stop("cancer", None)


def post(url: str, body: bytes) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.request("POST", "/predict", body)
    response = connection.getresponse()
    told = json.loads(response.read())
    connection.close()
    return response.status, dict(told)


def test_every_row_is_answered_as_in_process(url: str, model: LogisticRegression, data: pl.DataFrame) -> None:
    status, told = post(url, json.dumps({"inputs": data.to_dicts()}).encode())
    assert status == 200
    assert told["predictions"] == model.predict(data).tolist()
    assert told["classes"] == [0, 1]
    np.testing.assert_array_equal(np.array(told["probabilities"]), model.predict_proba(data))


def test_a_value_the_model_cannot_use_is_the_clients_fault(url: str, data: pl.DataFrame) -> None:
    row = data.to_dicts()[0]
    assert post(url, json.dumps({**row, "mean_area": "large"}).encode())[0] == 400
    assert post(url, json.dumps({**row, "mean_area": None}).encode())[0] == 400
    status, told = post(url, json.dumps({k: v for k, v in row.items() if k != "mean_area"}).encode())
    assert (status, told["error"]) == (400, "mean_area: missing")


def test_what_is_no_http_breaks_nothing(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    for junk in (b"\0" * 100, b"POST /predict HTTP/1.1\r\ncontent-length: -1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.connect()
        assert connection.sock is not None
        connection.sock.sendall(junk)
        connection.close()
    assert post(url, b"[]")[0] == 400
