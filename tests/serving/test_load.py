"""What a server answers with: the proven conversion under the registered signature, else the version itself."""

import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from headway.codec.wire import digest_of
from headway.core.ids import Digest
from headway.core.prediction import Prediction, TakesArrays
from headway.core.signature import Field, Signature, outputs_of
from headway.ports import Serving
from headway.serving.load import load, told
from headway.tables.onnx_convert import Refusals, convert

SIGNATURE = Signature(
    inputs=(Field(name="a", kind="FP64"), Field(name="b", kind="INT64")),
    outputs=outputs_of(label="INT64", n_classes=2),
    classes=(0, 1),
)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Serving:
    import polars as pl

    folder = tmp_path_factory.mktemp("served")
    chance = np.random.default_rng(0)
    frame = pl.DataFrame({"a": chance.normal(size=200), "b": chance.integers(0, 9, 200)})
    estimator = LogisticRegression().fit(frame, (frame["a"] > 0).to_numpy().astype(int))
    (folder / "m.pkl").write_bytes(pickle.dumps(estimator))
    (folder / "m.onnx").write_bytes(convert(estimator, SIGNATURE, "double", Refusals(gaps=("a", "b"))).data)
    return Serving(
        endpoint="e",
        model="m",
        version=1,
        path=str(folder / "m.pkl"),
        format="sklearn",
        digest=digest_of((folder / "m.pkl").read_bytes()),
        signature=SIGNATURE,
        onnx=str(folder / "m.onnx"),
        onnx_digest=digest_of((folder / "m.onnx").read_bytes()),
    )


ROW = {"a": 0.3, "b": 4}


def test_the_conversion_answers_under_the_registered_signature(serving: Serving) -> None:
    model = load(serving, is_trusted=True)
    own = load(msgspec.structs.replace(serving, onnx=""), is_trusted=True)
    assert (model.format, own.format) == ("onnx", "sklearn")
    assert model.signature == own.signature == SIGNATURE
    one, other = model.predict([ROW]), own.predict([ROW])
    assert (one.labels.tolist(), one.classes) == (other.labels.tolist(), other.classes)
    assert one.probabilities is not None
    assert other.probabilities is not None
    assert float(np.abs(one.probabilities - other.probabilities).max()) < 1e-12
    assert isinstance(model, TakesArrays)


@pytest.mark.parametrize("change", [{"onnx_digest": Digest("0" * 64)}, {"onnx": "/none/m.onnx"}], ids=["other", "gone"])
def test_without_its_conversion_the_version_itself_answers_and_that_is_said(
    serving: Serving, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    model = load(msgspec.structs.replace(serving, **change), is_trusted=True)
    assert model.format == "sklearn"
    assert "the version itself answers, not its conversion to ONNX" in capsys.readouterr().err


def test_a_server_of_a_conversion_imports_nothing_that_trained_it(serving: Serving) -> None:
    """Until it has answered a row: that is what a client waits for."""
    script = (
        "import sys, msgspec\n"
        "from headway.serving import worker\n"
        "from headway.ports import Serving\n"
        "from headway.serving.load import load\n"
        "from headway.serving.app import App\n"
        "from headway.serving.about import About\n"
        "from headway.serving.record import log_of\n"
        "s = msgspec.json.decode(sys.argv[1], type=Serving)\n"
        "m = load(s, is_trusted=True)\n"
        "App(m, About(endpoint='e', model='m', version=1, digest='d', format='sklearn', columns=m.columns))\n"
        "m.predict([{'a': 0.3, 'b': 4}])\n"
        "print(*sys.modules)\n"
    )
    argv = [sys.executable, "-c", script, msgspec.json.encode(serving).decode()]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "onnxruntime" in loaded
    assert not loaded & {"sklearn", "scipy", "polars", "pyarrow", "pandas", "skl2onnx", "duckdb", "onnx", "joblib"}


class Loose:
    """A model that says nothing of itself."""

    format, columns, notes, signature = "function", (), (), Signature()

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> Prediction:
        """Zeros."""
        return Prediction(labels=np.zeros(len(rows)))


def test_a_model_that_says_nothing_is_held_to_what_was_registered() -> None:
    model = told(Loose(), SIGNATURE)  # type: ignore[arg-type] # of rows alone
    assert (model.signature, model.columns) == (SIGNATURE, ("a", "b"))
    assert not isinstance(model, TakesArrays)
    assert told(Loose(), Signature()).columns == ()  # type: ignore[arg-type] # as above


def test_clients_are_refused_what_the_registered_signature_does_not_have() -> None:
    from headway.serving import protocol

    kinds = protocol.kinds_of(SIGNATURE)
    refused = protocol.read_rows(b'{"a": "x", "b": 1.5, "c": 2}', SIGNATURE.columns, kinds)
    assert isinstance(refused, protocol.Refusal)
    assert [(fault.field, fault.problem) for fault in refused.fields] == [
        ("c", "unknown"),
        ("a", "is a text; a number is wanted"),
        ("b", "has a fraction; a whole number is wanted"),
    ]
