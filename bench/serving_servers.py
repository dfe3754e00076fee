"""The servers that are measured, each started in this folder in an environment of its own, and what each is asked.

All hold the same pickle of scikit-learn, `light` or `forest`, headway its graph as well. FastAPI's is what one writes
by hand. MLServer runs in its own process (`parallel_workers` 0) or in a worker of it (1), with its batching (at most
64 requests in 2 ms) or without; it is asked for labels only, which is what it answers unless told, the others tell
chances, too. Access logs are off.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from serving_load import LONG_S, Request

WIDTH = 30
ROW = [round(10.1234 + at, 4) for at in range(WIDTH)]
#: As many columns and rows as a batch of the benchmark has.
N_ROWS = 100
ENDPOINT, MODEL = "e", "m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server: where it is, when its start began, and the paths and names that a request needs."""

    port: int
    began: float
    path: str = f"/v2/models/{MODEL}/infer"
    input: str = "input"

    def request(self, n_rows: int = 1, *, is_binary: bool = False) -> Request:
        """A request for rows, all alike."""
        if self.path == "/predict":
            return _json(self.path, {"inputs": [ROW] * n_rows})
        tensor: dict[str, object] = {"name": self.input, "shape": [n_rows, WIDTH], "datatype": "FP64"}
        if not is_binary:
            return _json(self.path, {"inputs": [{**tensor, "data": ROW * n_rows}]})
        raw = struct.pack(f"<{n_rows * WIDTH}d", *ROW * n_rows)
        tensor["parameters"] = {"binary_data_size": len(raw)}
        head = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
        sent = json.dumps(head).encode()
        headers = {"Inference-Header-Content-Length": str(len(sent)), "Content-Type": "application/octet-stream"}
        return Request(path=self.path, body=sent + raw, headers=headers)


def _json(path: str, value: object) -> Request:
    return Request(path=path, body=json.dumps(value).encode(), headers={"Content-Type": "application/json"})


def label(body: bytes) -> float:
    """The label that an answer has for its first row."""
    told = json.loads(body)
    return float(told["outputs"][0]["data"][0] if "outputs" in told else told["predictions"][0])


def make() -> None:
    """light.joblib, light.onnx: a scaler and a logistic regression; forest.*: 100 trees of depth 10."""
    import joblib
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(20130101)
    x = rng.normal(ROW, 1.0, size=(2000, WIDTH))
    y = x[:, 0] + 0.3 * rng.normal(size=2000) > ROW[0]
    models = {
        "light": make_pipeline(StandardScaler(), LogisticRegression()),
        "forest": RandomForestClassifier(100, max_depth=10, random_state=1),
    }
    for name, model in models.items():
        model.fit(x, y)
        joblib.dump(model, f"{name}.joblib")
        graph = to_onnx(model, x[:1].astype(np.float32), options={"zipmap": False})
        Path(f"{name}.onnx").write_bytes(graph.SerializeToString())


class Endpoint:
    """headway's: a local endpoint in this folder, whose versions are the same file."""

    def __init__(self, file: str, kind: str, name: str = ENDPOINT, *, is_logged: bool = True) -> None:
        from blake3 import blake3

        from headway.backends.target_local import LocalTarget
        from headway.core.ids import Digest

        self._path, self._kind, self._name, self._is_logged = os.path.realpath(file), kind, name, is_logged
        self._digest = Digest(blake3(Path(file).read_bytes()).hexdigest())
        self._target = LocalTarget(os.path.realpath(".headway/endpoints"))

    def start(self, version: int) -> None:
        """Start a version beside what serves."""
        from headway.core.recording import Recording
        from headway.ports import Serving

        serving = Serving(
            endpoint=self._name, model=MODEL, version=version, path=self._path, format=self._kind,
            digest=self._digest, recording=Recording(is_on=self._is_logged),
        )  # fmt: skip
        self._target.start(serving, port=0, timeout_s=LONG_S)

    def switch(self, version: int) -> int:
        """Let a version serve; the port."""
        return int(self._target.switch(self._name, version).rsplit(":", 1)[1])

    def stop(self, version: int | None = None) -> None:
        """End a version, or all."""
        self._target.stop(self._name, version)


@contextmanager
def headway(file: str, kind: str, *, is_logged: bool = True, name: str = ENDPOINT) -> Iterator[Running]:
    """A version behind the port of an endpoint, its predictions logged."""
    began = time.monotonic()
    endpoint = Endpoint(file, kind, name, is_logged=is_logged)
    endpoint.start(1)
    try:
        yield Running(port=endpoint.switch(1), began=began, input="X" if kind == "onnx" else "input")
    finally:
        endpoint.stop()


NAIVE = """
import joblib, numpy
from fastapi import FastAPI
from pydantic import BaseModel

app, model = FastAPI(), joblib.load("%s.joblib")

class Asked(BaseModel):
    inputs: list[list[float]]

@app.post("/predict")
def predict(asked: Asked):
    x = numpy.array(asked.inputs)
    return {"predictions": model.predict(x).tolist(), "probabilities": model.predict_proba(x).tolist()}
"""
HELLO = """
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"17")]}
BODY = {"type": "http.response.body", "body": b'{"outputs": null}'}

async def app(scope, receive, send):
    await receive()
    await send(START)
    await send(BODY)
"""


@contextmanager
def uvicorn(source: str, path: str) -> Iterator[Running]:
    """An application of ASGI in one uvicorn worker."""
    Path("naive.py").write_text(source)
    port = _free()
    words = ["-m", "uvicorn", "naive:app", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    words += ["--loop", "uvloop", "--http", "httptools"]
    began = time.monotonic()
    with _started([sys.executable, *words]):
        yield Running(port=port, began=began, path=path)


@contextmanager
def mlserver(model: str, *, n_workers: int, is_batching: bool) -> Iterator[Running]:
    """MLServer with its runtime for scikit-learn."""
    folder = Path("mlserver")
    folder.mkdir(exist_ok=True)
    port = _free()
    ports = {"http_port": port, "grpc_port": _free(), "metrics_port": _free()}
    settings = {"host": "127.0.0.1", **ports, "parallel_workers": n_workers, "debug": False}
    (folder / "settings.json").write_text(json.dumps(settings))
    one: dict[str, object] = {
        "name": MODEL,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": os.path.realpath(f"{model}.joblib"), "version": "1"},
    }
    if is_batching:
        one |= {"max_batch_size": 64, "max_batch_time": 0.002}
    (folder / "model-settings.json").write_text(json.dumps(one))
    began = time.monotonic()
    with _started([str(Path(sys.executable).parent / "mlserver"), "start", str(folder)]):
        yield Running(port=port, began=began)


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def _started(words: Sequence[str]) -> Iterator[None]:
    """The process, and in the end neither it nor its children."""
    with Path("server.log").open("w") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def server(name: str, model: str) -> AbstractContextManager[Running]:
    """The server of that name with that model."""
    match name:
        case "onnx":
            return headway(f"{model}.onnx", "onnx")
        case "pickle":
            return headway(f"{model}.joblib", "sklearn")
        case "fastapi":
            return uvicorn(NAIVE % model, "/predict")
        case "hello":
            return uvicorn(HELLO, "/predict")
        case _:
            # mlserver-0, mlserver-1-batching
            _, n_workers, *more = name.split("-")
            return mlserver(model, n_workers=int(n_workers), is_batching=bool(more))
