"""A real model in a real worker: over HTTP it says what it says in process."""

import contextlib
import http.client
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from headway.core.recording import Recording
from headway.ports import Serving
from headway.tables import prediction_log as files

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


def post(url: str, body: bytes, path: str = "/predict") -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.request("POST", path, body)
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
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        connection.connect()
        assert connection.sock is not None
        connection.sock.sendall(junk)
        connection.close()
    assert post(url, b"[]")[0] == 400


@pytest.mark.parametrize("victim", ["worker", "log_writer"])
def test_after_a_kill_at_any_moment_all_but_the_last_answers_are_in_the_log(
    model: object, data: pl.DataFrame, tmp_path: Path, victim: str
) -> None:
    target, serving = at_home(model, tmp_path, "cancer")
    target.start(serving, port=0, timeout_s=100)
    url = target.switch("cancer", 1)
    folder = tmp_path / ".headway/endpoints/cancer/predictions"
    rng = random.Random(victim)
    body = json.dumps(data.to_dicts()[0]).encode()
    answered: dict[str, float] = {}
    killed_at: list[float] = []
    for n_kills in range(3):
        end = time.time() + rng.uniform(0.3, 0.9)
        # However busy the machine is: enough of them before each kill.
        while time.time() < end or len(answered) <= 11 * n_kills + 10:
            status, told = post(url, body)
            assert status == 200, told
            answered[str(told["request_id"])] = time.time()
        pid = process(tmp_path, f"headway.serving.{victim}")
        killed_at.append(time.time())
        os.kill(pid, signal.SIGKILL)
        # Everything that is there can be read while nobody writes, too.
        files.read(str(folder))
    target.stop("cancer", None)
    kept = set(files.read(str(folder))["request_id"].to_list())
    lost = [at for name, at in answered.items() if name not in kept]
    # An entry waits for 0.1 s until it is sent; on a machine that does other work the sending waits, too.
    allowed = 0.0 if victim == "log_writer" else 1.0
    assert all(any(0 <= death - at < allowed for death in killed_at) for at in lost)
    assert len(answered) > 30


def at_home(model: object, folder: Path, endpoint: str, **more: Any) -> tuple[LocalTarget, Serving]:
    """A target in `folder`, and what serves there."""
    path = folder / "model.joblib"
    joblib.dump(model, path)
    digest = Digest(blake3(path.read_bytes()).hexdigest())
    serving = Serving(
        endpoint=endpoint, model="cancer", version=1, path=str(path), format="sklearn", digest=digest, **more
    )
    return LocalTarget(os.path.join(os.path.realpath(folder), ".headway/endpoints")), serving


def process(folder: Path, module: str) -> int:
    """The process of a module that works in this folder, once it is there: after a kill it is started again."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if module.encode() in words and os.readlink(f"/proc/{pid}/cwd") == os.path.realpath(folder):
                    return int(pid)
        time.sleep(0.05)
    raise AssertionError(f"no {module} within a minute")


def test_an_endpoint_logs_what_it_answers_and_takes_labels(model: object, data: pl.DataFrame, tmp_path: Path) -> None:
    recording = Recording(leave_out=("mean_area",), hashed=("mean_radius",))
    target, serving = at_home(model, tmp_path, "cancer", recording=recording)
    target.start(serving, port=0, timeout_s=100)
    url = target.switch("cancer", 1)
    rows = data.to_dicts()[:3]
    _, told = post(url, json.dumps(rows).encode())
    label = {"request_id": told["request_id"], "row": 2, "label": 1}
    assert post(url, json.dumps(label).encode(), "/labels") == (200, {"accepted": 1})
    target.stop("cancer", None)
    joined = files.joined(str(tmp_path / ".headway/endpoints/cancer/predictions")).frame
    assert joined["prediction"].to_list() == told["predictions"]
    assert joined["label"].to_list() == [None, None, 1]
    assert joined["feature.mean_texture"].to_list() == [row["mean_texture"] for row in rows]
    assert "feature.mean_area" not in joined.columns
    assert [len(name) for name in joined["feature.mean_radius"]] == [32] * 3
