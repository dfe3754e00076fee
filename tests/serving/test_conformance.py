"""Each point of the Open Inference Protocol over REST, asked of real versions in processes of their own.

The points are in `bench/v2_points.py`, which knows no headway: the same walk counts what other servers hold. The
corners of each point are in `test_v2.py`, those of clients in `test_foreign_clients.py`.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from blake3 import blake3

import v2_points
from headway.backends.target_local import LocalTarget
from headway.core.ids import Digest
from headway.ports import Serving
from served import served, sums
from v2_schemas import schema_of
from v2_subject import Subject

WIDTH = 4


def pickled(path: Path) -> str:
    """A classifier of a plain matrix, as scikit-learn's users dump it."""
    import joblib
    from sklearn.linear_model import LogisticRegression

    x = np.random.default_rng(1).normal(size=(100, WIDTH))
    joblib.dump(LogisticRegression().fit(x, x[:, 0] > 0), path)
    return "sklearn"


def graph(path: Path) -> str:
    """The same as a graph of ONNX."""
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression

    x = np.random.default_rng(1).normal(size=(100, WIDTH))
    model = LogisticRegression().fit(x, x[:, 0] > 0)
    path.write_bytes(to_onnx(model, x[:1], options={"zipmap": False}).SerializeToString())
    return "onnx"


@pytest.fixture(scope="module", params=[pickled, graph], ids=["pickle", "onnx"])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    folder = Path(os.path.realpath(tmp_path_factory.mktemp("project")))
    path = folder / "model"
    kind = request.param(path)
    target = LocalTarget(str(folder / ".headway" / "endpoints"))
    digest = Digest(blake3(path.read_bytes()).hexdigest())
    serving = Serving(endpoint="e", model="m", version=3, path=str(path), format=kind, digest=digest)
    target.start(serving, port=0, timeout_s=100)
    try:
        port = int(target.switch("e", 3).rsplit(":", 1)[1])
        made = Subject(port=port, model="m", version="3", width=WIDTH, timeout_s=20)
        told = made.ask("GET", made.base).told
        made.outputs = tuple(one["name"] for one in told["outputs"])
        made.input = told["inputs"][0]["name"]
        yield made
    finally:
        target.stop("e", None)


@pytest.mark.parametrize("point", v2_points.POINTS)
def test_each_point_holds(subject: Subject, point: str) -> None:
    subject.exchanges.clear()
    v2_points.POINTS[point](subject)
    assert subject.exchanges
    for method, path, reply in subject.exchanges:
        assert reply.told is not None or reply.headers.get("content-encoding") == "gzip", (path, reply)
        if reply.told is not None:
            jsonschema.validate(reply.told, schema_of(method, path, reply.status))


def test_all_points_of_the_list_are_walked() -> None:
    assert list(v2_points.POINTS) == [f"R{n}" for n in range(1, 24)]


# The walk would be worth nothing if it let everything pass.
def test_a_server_that_knows_no_such_model_fails_the_points_of_the_model() -> None:
    with served(sums(WIDTH)) as running:
        wrong = Subject(port=running.port, model="other", version="1", width=WIDTH)
        held = [name for name, said in v2_points.walk(wrong) if not said]
    assert held == ["R1", "R2"]
