"""The reference of a real model, and its live predictions counted, while the process that logs them is killed."""

import http.client
import json
import os
import pickle
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import polars as pl
import pytest

from headway import wiring
from headway.config import load
from headway.core.ids import Artifact
from headway.core.prediction_log import sketch_name
from headway.core.reference import OTHER
from headway.core.registry import Registration
from headway.core.rollout import Order
from headway.core.signature import Field, Signature, outputs_of
from headway.core.sketch import Sketch, merge
from headway.flows import reference, registry
from headway.flows.delivery import Delivery
from headway.flows.predictions import folder_of
from headway.flows.release import release, stop
from headway.flows.rollout import read
from headway.tables import sketches
from headway.tables.sketches.files import write_layout

pytestmark = pytest.mark.slow

WAIT_S = 120.0


def data(n: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    age, income = rng.normal(50, 10, n), rng.integers(0, 40, n)
    left = rng.random(n) < 1 / (1 + np.exp((50 - age) / 5))
    return pl.DataFrame({"age": age, "income": income, "left": np.where(left, "yes", "no")})


class Served:
    """A logistic regression behind an endpoint `e` on this machine, made of `data/training.csv`."""

    def __init__(self, world: Delivery) -> None:
        from sklearn.linear_model import LogisticRegression

        self.world = world
        frame = data(3_000, seed=1)
        model = LogisticRegression().fit(frame.select("age", "income").to_pandas(), frame["left"].to_list())
        content, training = pickle.dumps(model), frame.write_csv().encode()
        asked = Registration(
            model="m",
            artifact=Artifact(path="model.pkl", digest=world.blobs.put(content), size_bytes=len(content)),
            key="r/1",
            format="sklearn",
            data=(Artifact(path="data/training.csv", digest=world.blobs.put(training), size_bytes=len(training)),),
            signature=Signature(
                inputs=(Field(name="age", kind="FP64"), Field(name="income", kind="INT64")),
                outputs=outputs_of(label="BYTES", n_classes=2),
                classes=("no", "yes"),
            ),
        )
        registry.register(world.log, asked, now=0.0)
        release(world, Order(endpoint="e", model="m", version=1, key="run/1", override="a test"))
        self.folder = folder_of(world.home, "e")
        url = urlsplit(read(world.log, "e").url or "")
        assert url.hostname is not None
        self.connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)

    def ask(self, path: str, body: Any) -> int:
        self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        answer.read()
        return answer.status

    def writers(self) -> list[int]:
        """The processes that write this endpoint's log."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
                is_ours = b"headway.serving.log_writer" in words and any(
                    os.readlink(fd).startswith(self.folder) for fd in (entry / "fd").iterdir()
                )
            except OSError:
                continue
            found += [int(entry.name)] if is_ours else []
        return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with wiring.open(load(folder=str(tmp_path))) as parts:
        made = Served(parts.delivery(by="ann"))
        try:
            yield made
        finally:
            made.connection.close()
            stop(made.world, "e")


def test_live_predictions_are_counted_as_the_reference_is_whoever_is_killed(served: Served) -> None:
    found = reference.made(served.world, "e", 1, "training", "")
    assert (found.n_rows, found.label) == (3_000, "left")
    assert (found.layout.yes, found.layout.score) == ("yes", "probability.yes")
    assert found.layout.calibration is not None
    assert found.realised["accuracy"].value > 0.7
    # Nobody's predictions: they are not logged.
    assert not os.path.isdir(served.folder) or os.listdir(served.folder) == []
    write_layout(served.folder, found.layout)

    rows = data(600, seed=2).drop("left").to_dicts()
    answered = 0
    for at in range(0, 600, 3):
        one, two, three = rows[at : at + 3]
        assert served.ask("/predict", one) == 200
        # As the Open Inference Protocol has it.
        inputs = [{"name": name, "shape": [2], "datatype": kind, "data": [two[name], three[name]]}
                  for name, kind in (("age", "FP64"), ("income", "INT64"))]  # fmt: skip
        assert served.ask("/v2/models/m/infer", {"inputs": inputs}) == 200
        answered += 2
        if at % 150 == 75:
            # At once, and so mostly before it has said what it wrote.
            for writer in served.writers():
                os.kill(writer, signal.SIGKILL)
    n_refused = sum(served.ask("/predict", {"age": "old"}) == 400 for _ in range(5))
    assert n_refused == 5

    known = sketches.read(served.folder, found.layout)
    until = time.monotonic() + WAIT_S
    while sum(cell.n_requests for cell in known.cells) < answered + n_refused and time.monotonic() < until:
        time.sleep(0.2)
        known = sketches.read(served.folder, found.layout, known)
    check(merge(known.cells), answered, n_refused, rows)
    stop(served.world, "e")
    while list(Path(served.folder).glob("predictions-*.jsonl")) and time.monotonic() < until:
        time.sleep(0.2)
    for again in (sketches.read(served.folder, found.layout, known), sketches.read(served.folder, found.layout)):
        check(merge(again.cells), answered, n_refused, rows)
    for segment in Path(served.folder).glob("predictions-*.parquet"):
        assert (segment.parent / sketch_name(segment.name)).exists()


def check(whole: Sketch, answered: int, n_refused: int, rows: list[dict[str, Any]]) -> None:
    assert (whole.n_requests, whole.n_rows) == (answered + n_refused, len(rows))
    assert whole.failures == {400: n_refused}
    assert whole.table.sum(axis=1).tolist() == [len(rows)] * 4
    assert whole.table[:, : OTHER + 1].sum() == 0
    assert whole.sums[0] + whole.sums[3] == len(rows)
