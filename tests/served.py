"""A really started server in a thread of this process, and models to put behind it."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import uvicorn
import uvloop

from headway.core.prediction import LoadedModel, Prediction
from headway.core.signature import Field, Kind, Signature, outputs_of
from headway.serving.about import About
from headway.serving.app import App
from headway.serving.direct import connections
from headway.serving.grpc_service import http2
from headway.serving.limits import Connection, Limits, watch
from headway.serving.record import Recorder

ABOUT = About(endpoint="e", model="m", version=2, digest="d" * 64, format="fake")

KINDS: tuple[Kind, ...] = (
    "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64",
)  # fmt: skip


class Made:
    """A model out of a function of rows."""

    format = "fake"
    notes = ()

    def __init__(self, answer: Callable[[Sequence[Mapping[str, Any]]], Prediction], signature: Signature) -> None:
        self.answer = answer
        self.signature = signature
        self.columns = signature.columns

    def predict(self, rows: Sequence[Mapping[str, Any]] | pl.DataFrame) -> Prediction:
        assert not isinstance(rows, pl.DataFrame)
        return self.answer(rows)


def echo(kind: Kind) -> Made:
    """Answers each row with the value of its one column `x`."""
    from headway.core.signature import DTYPES

    dtype = np.dtype(DTYPES[kind])
    return Made(
        lambda rows: Prediction(labels=np.array([row["x"] for row in rows], dtype=dtype)),
        Signature(inputs=(Field(name="x", kind=kind),), outputs=outputs_of(label=kind)),
    )


def sums(width: int = 3) -> Made:
    """One matrix in; the sum of each row, and as its chances the first value and the rest to one."""

    def answer(rows: Sequence[Mapping[str, Any]]) -> Prediction:
        values = np.array([list(row.values()) for row in rows], dtype=np.float64)
        chances = np.column_stack([values[:, 0], 1 - values[:, 0]])
        return Prediction(labels=values.sum(axis=1), probabilities=chances, classes=(0, 1))

    signature = Signature(
        inputs=(Field(name="input", kind="FP64", width=width),),
        outputs=outputs_of(label="FP64", n_classes=2),
        classes=(0, 1),
    )
    return Made(answer, signature)


class OfArrays(Made):
    """The same of a function of arrays, which must never be asked with rows for tensors."""

    def predict_arrays(self, arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]) -> Prediction:
        labels = np.sum([array.reshape(len(array), -1).sum(axis=1) for array in arrays.values()], axis=0)
        return Prediction(labels=labels)


def mixed() -> Made:
    """A number and a text in; the text so many times (less than 100)."""
    return Made(
        lambda rows: Prediction(labels=np.array([str(row["b"]) * (int(row["a"]) % 100) for row in rows], dtype=object)),
        Signature(
            inputs=(Field(name="a", kind="INT64"), Field(name="b", kind="BYTES")), outputs=outputs_of(label="BYTES")
        ),
    )


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        assert isinstance(self.json["error"], str)
        return str(self.json["error"])


class Served(NamedTuple):
    """A server that runs."""

    port: int
    app: App

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = {}) -> Reply:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, told, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Reply:
        return self.ask("GET", path)

    def post(self, path: str, value: object) -> Reply:
        return self.ask("POST", path, json.dumps(value).encode())


@contextmanager
def served(
    model: LoadedModel,
    *,
    about: About = ABOUT,
    limits: Limits | None = None,
    recorder: Recorder | None = None,
    kind: Callable[[App, Limits], type[Connection]] | None = None,
    keep_alive_s: int = 5,
) -> Iterator[Served]:
    """The model behind a port, as a worker has it, until the block ends; `kind` makes connections of another kind."""
    limits = limits or Limits()
    listener = socket.create_server(("127.0.0.1", 0))
    app = App(model, about, recorder=recorder, limits=limits)
    config = uvicorn.Config(
        app,
        http=kind(app, limits) if kind is not None else connections(app, limits, http2(app)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=keep_alive_s,
    )
    server = uvicorn.Server(config)

    async def run() -> None:
        watching = asyncio.create_task(watch(server.server_state.connections, limits))
        await server.serve(sockets=[listener])
        watching.cancel()

    def main() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())

    thread = threading.Thread(target=main)
    thread.start()
    try:
        yield Served(listener.getsockname()[1], app)
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
        listener.close()
