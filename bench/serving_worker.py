"""One server under load: `serving_worker.py SERVER` starts it in this folder, asks it, prints a line of JSON.

`make` writes model.joblib and model.onnx here instead: a scaler and a logistic regression on 30 numbers. What the line
holds: for 1 and 64 connections requests per second, microseconds of processor of the server a request, and the median
latency; `label` is what it answered, `peak_bytes` the server's largest process. Each server runs in an environment of
its own and is imported only there.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROW = [round(10.1234 + at, 4) for at in range(30)]
LOAD_S = 2.0
LONG_S = 60.0


def make() -> None:
    """The model, as a pickle and as a graph."""
    import joblib
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(20130101)
    x = rng.normal(ROW, 1.0, size=(2000, 30))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, x[:, 0] > ROW[0])
    joblib.dump(model, "model.joblib")
    Path("model.onnx").write_bytes(to_onnx(model, x[:1], options={"zipmap": False}).SerializeToString())


@contextmanager
def headway(path: str, kind: str) -> Iterator[int]:
    """A version behind the port of an endpoint, its predictions logged."""
    from blake3 import blake3

    from headway.backends.target_local import LocalTarget
    from headway.core.ids import Digest
    from headway.ports import Serving

    folder = os.path.realpath(".")
    target = LocalTarget(os.path.join(folder, ".headway/endpoints"))
    digest = Digest(blake3(Path(path).read_bytes()).hexdigest())
    serving = Serving(endpoint="e", model="m", version=1, path=os.path.join(folder, path), format=kind, digest=digest)
    target.start(serving, port=0, timeout_s=LONG_S)
    try:
        yield int(target.switch("e", 1).rsplit(":", 1)[1])
    finally:
        target.stop("e", None)


NAIVE = """
import joblib, numpy
from fastapi import FastAPI
from pydantic import BaseModel

app, model = FastAPI(), joblib.load("model.joblib")

class Asked(BaseModel):
    inputs: list[list[float]]

@app.post("/predict")
def predict(asked: Asked):
    x = numpy.array(asked.inputs)
    return {"predictions": model.predict(x).tolist(), "probabilities": model.predict_proba(x).tolist()}
"""


@contextmanager
def fastapi() -> Iterator[int]:
    """What one writes by hand: a model in a function of FastAPI, one uvicorn worker."""
    Path("naive.py").write_text(NAIVE)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    words = ["-m", "uvicorn", "naive:app", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    process = subprocess.Popen([sys.executable, *words])
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def of_server(word: str, file: str) -> Iterator[str]:
    """That file of /proc for all processes in this folder whose command has the word."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if word in (process / "cmdline").read_text() and os.readlink(process / "cwd") == os.path.realpath("."):
                yield (process / file).read_text()
        except OSError:
            continue


def cpu_s(word: str) -> float:
    """Seconds of processor that the server took so far."""
    fields = [text.rsplit(") ", 1)[1].split() for text in of_server(word, "stat")]
    return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


def peak_bytes(word: str) -> int:
    """The peak of the server's largest process."""
    return max(int(text.split("VmHWM:")[1].split()[0]) * 1024 for text in of_server(word, "status"))


async def asked(port: int, request: bytes) -> bytes:
    """One request; waits until somebody answers at the port."""
    deadline = time.monotonic() + LONG_S
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
            continue
        writer.write(request)
        body = await answer(reader)
        writer.close()
        return body


async def answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"answered {head[:40]!r}")
    length = head.lower().split(b"content-length: ", 1)[1].split(b"\r", 1)[0]
    return await reader.readexactly(int(length))


async def load(port: int, request: bytes, n_connections: int) -> list[float]:
    """The latencies of LOAD_S seconds: each connection asks again as soon as it was answered."""
    took: list[float] = []
    end = time.monotonic() + LOAD_S

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (began := time.monotonic()) < end:
            writer.write(request)
            await answer(reader)
            took.append(time.monotonic() - began)
        writer.close()

    await asyncio.gather(*(ask() for _ in range(n_connections)))
    return took


# Any: what is told of one server.
def measure(port: int, word: str, path: str, body: object) -> dict[str, Any]:
    sent = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(sent)}"
    request = head.encode() + b"\r\n\r\n" + sent
    told = json.loads(asyncio.run(asked(port, request)))
    label = told["outputs"][0]["data"][0] if "outputs" in told else told["predictions"][0]
    found: dict[str, Any] = {"label": label}
    asyncio.run(load(port, request, 4))
    for n_connections in (1, 64):
        before = cpu_s(word)
        took = asyncio.run(load(port, request, n_connections))
        found[str(n_connections)] = {
            "per_second": len(took) / LOAD_S,
            "cpu_us": (cpu_s(word) - before) / len(took) * 1e6,
            "median_ms": statistics.median(took) * 1000,
        }
    found["peak_bytes"] = peak_bytes(word)
    return found


INFER = {"inputs": [{"name": "X", "shape": [1, 30], "datatype": "FP64", "data": ROW}]}
SERVERS: dict[str, tuple[Callable[[], Any], str, str, object]] = {
    "onnx": (lambda: headway("model.onnx", "onnx"), "headway.serving", "/v2/models/m/infer", INFER),
    "pickle": (lambda: headway("model.joblib", "sklearn"), "headway.serving", "/v2/models/m/infer", INFER),
    "fastapi": (fastapi, "uvicorn", "/predict", {"inputs": [ROW]}),
}


def main(task: str) -> None:
    if task == "make":
        make()
        print("{}")
        return
    start, word, path, body = SERVERS[task]
    with start() as port:
        print(json.dumps(measure(port, word, path, body)))


if __name__ == "__main__":
    main(*sys.argv[1:])
