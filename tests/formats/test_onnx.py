"""ONNX graphs: answers equal to those of the model they were converted from, however their inputs and outputs look."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from headway import formats
from headway.codec.wire import digest_of
from headway.core.prediction import LoadedModel, TakesArrays
from headway.core.signature import Field, outputs_of
from headway.errors import DataUnreadable, ExtraMissing, ModelUnreadable

NUMBERS = np.random.default_rng(7).normal(size=(60, 4)).astype(np.float32)
TWO = np.where(NUMBERS[:, 0] > 0, "yes", "no")
THREE = np.digitize(NUMBERS[:, 1], [-0.4, 0.4]) + 5
ROWS = [dict(zip("abcd", map(float, row), strict=True)) for row in NUMBERS]
FRAME = pl.DataFrame(ROWS)


def saved(folder: Path, graph: Any) -> LoadedModel:
    path = folder / "model.onnx"
    path.write_bytes(graph if isinstance(graph, bytes) else graph.SerializeToString())
    assert formats.detect(str(path)) == "onnx"
    return formats.load(str(path), format="onnx", digest=digest_of(path.read_bytes()), trusted=(), threads=1)


@pytest.mark.parametrize("zipmap", [True, False], ids=["list-of-maps", "tensor"])
@pytest.mark.parametrize("truth", [TWO, THREE, TWO == "yes"], ids=["two-texts", "three-numbers", "two-truths"])
@pytest.mark.parametrize("rows", [ROWS, FRAME], ids=["rows", "frame"])
def test_labels_probabilities_and_classes_are_those_of_the_model(
    tmp_path: Path, zipmap: bool, truth: Any, rows: Any
) -> None:
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(NUMBERS, truth)
    graph = to_onnx(estimator, NUMBERS[:1], options={"zipmap": zipmap})
    model = saved(tmp_path, graph)
    told = model.predict(rows)
    assert told.labels.tolist() == estimator.predict(NUMBERS).tolist()
    assert told.probabilities is not None
    np.testing.assert_allclose(told.probabilities, estimator.predict_proba(NUMBERS), atol=1e-5)
    assert told.classes == tuple(estimator.classes_.tolist())
    assert model.signature.matrix == Field(name="X", kind="FP32", width=4)
    assert model.signature.classes == told.classes
    assert (model.columns, model.notes, model.format) == ((), (), "onnx")


def test_arrays_are_answered_as_rows_are(tmp_path: Path) -> None:
    estimator = RandomForestClassifier(5, random_state=0).fit(NUMBERS, THREE)
    model = saved(tmp_path, to_onnx(estimator, NUMBERS[:1], options={"zipmap": False}))
    assert isinstance(model, TakesArrays)
    for kind in (np.float32, np.float64):
        told = model.predict_arrays({"X": NUMBERS.astype(kind)})
        assert told.labels.tolist() == estimator.predict(NUMBERS).tolist()
    with pytest.raises(DataUnreadable, match="'X' is not there"):
        model.predict_arrays({"Y": NUMBERS})
    with pytest.raises(DataUnreadable, match="cannot use these rows"):
        model.predict_arrays({"X": NUMBERS[:, :3]})


def test_a_regression_foretells_numbers(tmp_path: Path) -> None:
    estimator = LinearRegression().fit(NUMBERS, NUMBERS[:, 0] * 3)
    model = saved(tmp_path, to_onnx(estimator, NUMBERS[:1]))
    told = model.predict(ROWS)
    np.testing.assert_allclose(told.labels, estimator.predict(NUMBERS), atol=1e-4)
    assert (told.labels.shape, told.probabilities, told.classes) == ((60,), None, ())
    assert model.signature.outputs == outputs_of(label="FP32")


COLOURS = ["red", "blue", None, "red", "green", "blue"]
SIZES = [1.0, None, 3.0, 4.0, 5.0, 6.0]


def by_columns() -> tuple[Any, Any]:
    """A model that takes an input for each column, of texts, fractions and whole numbers, and its graph."""
    frame = pl.DataFrame({"colour": ["red", "blue", "green"] * 4, "size": np.arange(12.0), "n": range(12)})
    encoded = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["colour"]), (StandardScaler(), ["size", "n"])
    )
    estimator = make_pipeline(encoded, LogisticRegression()).fit(frame, [0, 1, 0, 1] * 3)
    kinds = [
        ("colour", StringTensorType([None, 1])),
        ("size", FloatTensorType([None, 1])),
        ("n", Int64TensorType([None, 1])),
    ]
    return estimator, to_onnx(estimator, initial_types=kinds, options={"zipmap": False})


def test_an_input_for_each_column_is_asked_by_name(tmp_path: Path) -> None:
    estimator, graph = by_columns()
    model = saved(tmp_path, graph)
    assert model.columns == ("colour", "size", "n")
    assert [f.kind for f in model.signature.inputs] == ["BYTES", "FP32", "INT64"]
    rows = [{"n": 2, "extra": 1, "size": 2.5, "colour": "blue"}, {"n": 3, "extra": 1, "size": 4, "colour": "violet"}]
    numpys = [{n: np.int64(v) if isinstance(v, int) else v for n, v in row.items()} for row in rows]
    for asked in (rows, pl.DataFrame(rows), numpys):
        told = model.predict(asked)
        assert told.probabilities is not None
        np.testing.assert_allclose(
            told.probabilities, estimator.predict_proba(pl.DataFrame(rows, strict=False)), atol=1e-5
        )
    with pytest.raises(DataUnreadable, match="lacks 1 column of the model: colour"):
        model.predict([{"color": "red", "size": 1.0, "n": 1}])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": "much"}, "size holds 'much'"),
        ({"size": "2.5"}, "size holds '2.5'"),
        ({"colour": 3}, "colour holds 3"),
        ({"n": 2.5}, "n holds fractions"),
        ({"n": None}, "n has a gap"),
        ({"n": 2**70}, "too large"),
        ({"size": 10**400}, "too large"),
    ],
    ids=["text", "number-as-text", "number", "fraction", "gap", "too-large", "far-too-large"],
)
def test_a_value_the_graph_cannot_take_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    model = saved(tmp_path, by_columns()[1])
    with pytest.raises(DataUnreadable, match=said):
        model.predict([{"colour": "red", "size": 1.0, "n": 1} | change])


def test_a_gap_is_nan_among_numbers(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    given = [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 2])]
    back = [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 2])]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_model(
        onnx.helper.make_graph([node], "same", given, back),
        opset_imports=[onnx.helper.make_opsetid("", 15)],
        ir_version=8,
    )
    model = saved(tmp_path, graph)
    np.testing.assert_array_equal(model.predict([{"p": None, "q": 2}]).labels, [[np.nan, 2]])
    np.testing.assert_array_equal(model.predict(pl.DataFrame({"p": [None], "q": [2]})).labels, [[np.nan, 2]])
    assert path.exists()


def test_scores_that_do_not_add_up_are_not_called_probabilities(tmp_path: Path) -> None:
    estimator = LinearSVC(dual="auto").fit(NUMBERS, THREE)
    model = saved(tmp_path, to_onnx(estimator, NUMBERS[:1]))
    told = model.predict(ROWS)
    assert told.labels.tolist() == estimator.predict(NUMBERS).tolist()
    assert (told.probabilities, told.classes, model.signature.classes) == (None, (), ())
    assert "does not add up to 1" in model.notes[0]


def test_one_column_of_scores_is_no_table_of_probabilities(tmp_path: Path) -> None:
    estimator = IsolationForest(n_estimators=5, random_state=0).fit(NUMBERS)
    graph = to_onnx(estimator, NUMBERS[:1], target_opset={"": 17, "ai.onnx.ml": 3})
    told = saved(tmp_path, graph).predict(ROWS)
    assert told.labels.tolist() == estimator.predict(NUMBERS).tolist()
    assert told.probabilities is None


def test_classes_that_are_nowhere_told_leave_probabilities_out_with_a_note(tmp_path: Path) -> None:
    graph = softmax_graph()
    model = saved(tmp_path, graph)
    assert model.predict(ROWS).probabilities is None
    assert "headway.classes" in model.notes[0]
    said = graph.metadata_props.add()
    said.key, said.value = "headway.classes", '["low", "mid", "high", "top"]'
    model = saved(tmp_path, graph)
    assert (model.predict(ROWS).classes, model.notes) == (("low", "mid", "high", "top"), ())
    said.value = "{"
    with pytest.raises(ModelUnreadable, match=r"headway\.classes"):
        saved(tmp_path, graph)


def softmax_graph() -> Any:
    """A graph as other tools export classifiers: positions of classes, and their chances."""
    make = onnx.helper
    given = [make.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 4])]
    back = [
        make.make_tensor_value_info("label", onnx.TensorProto.INT64, [None]),
        make.make_tensor_value_info("chances", onnx.TensorProto.FLOAT, [None, 4]),
    ]
    nodes = [
        make.make_node("Softmax", ["x"], ["chances"], axis=1),
        make.make_node("ArgMax", ["x"], ["label"], axis=1, keepdims=0),
    ]
    return make.make_model(
        make.make_graph(nodes, "softmax", given, back), opset_imports=[make.make_opsetid("", 15)], ir_version=8
    )


@pytest.mark.parametrize("cut", [1, 40, -20], ids=["first-byte", "beginning", "nearly-whole"])
def test_a_damaged_file_is_refused_with_a_remedy(tmp_path: Path, cut: int) -> None:
    whole = to_onnx(LogisticRegression().fit(NUMBERS, TWO), NUMBERS[:1]).SerializeToString()
    with pytest.raises(ModelUnreadable, match="cannot load the model") as raised:
        saved(tmp_path, whole[:cut])
    assert "save it whole" in raised.value.remedy


def test_other_bytes_with_its_name_are_refused_and_an_empty_file_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match="cannot load"):
        saved(tmp_path, pickle.dumps({}) + b"junk")
    with pytest.raises(ModelUnreadable, match="no known model format"):
        saved(tmp_path, b"")


def test_a_graph_that_takes_pictures_is_refused_in_words(tmp_path: Path) -> None:
    make = onnx.helper
    given = [make.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 3, 8, 8])]
    back = [make.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 3, 8, 8])]
    graph = make.make_graph([make.make_node("Identity", ["x"], ["y"])], "same", given, back)
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 15)], ir_version=8)
    with pytest.raises(ModelUnreadable, match="not rows of a table"):
        saved(tmp_path, model)


def test_without_the_library_the_extra_to_install_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(ExtraMissing) as raised:
        saved(tmp_path, b"x")
    assert raised.value.remedy == "pip install 'headway[onnx]'"
