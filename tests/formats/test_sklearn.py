"""Pickled estimators: asked with the columns and the gaps they were taught with, whatever frame that was."""

import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler

from headway.core.prediction import LoadedModel, TakesArrays
from headway.core.signature import Field, outputs_of
from headway.errors import DataUnreadable, ExtraMissing, ModelUnreadable
from headway.formats import sklearn
from headway.tables import model_estimator, model_rows

Frame = Callable[[dict[str, list[Any]]], Any]

GAPS: dict[str, list[Any]] = {
    "colour": ["red", None, "blue", "red", None, "blue", "red", None],
    "size": [1.0, 2.0, None, 4.0, 5.0, 6.0, 7.0, 8.0],
}
WHOLE: dict[str, list[Any]] = {"colour": ["red", "green", "blue", "red"] * 2, "size": [float(i) for i in range(8)]}
LATE = [0, 1, 0, 0, 1, 1, 0, 1]


def as_polars(columns: dict[str, list[Any]]) -> pl.DataFrame:
    return pl.DataFrame(columns)


def as_pandas(columns: dict[str, list[Any]]) -> pd.DataFrame:
    return pd.DataFrame({k: [np.nan if v is None else v for v in values] for k, values in columns.items()})


def rows_of(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def saved(folder: Path, model: object) -> LoadedModel:
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    return sklearn.load(str(path))


def pipeline() -> Any:
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["colour"]), (SimpleImputer(), ["size"]))
    return make_pipeline(columns, LogisticRegression())


@pytest.mark.parametrize("frame", [as_polars, as_pandas], ids=["taught-by-polars", "taught-by-pandas"])
@pytest.mark.parametrize("columns", [WHOLE, GAPS], ids=["whole", "gaps"])
def test_answers_are_those_the_estimator_gives_to_its_own_kind_of_frame(
    tmp_path: Path, frame: Frame, columns: dict[str, list[Any]]
) -> None:
    estimator = pipeline().fit(frame(columns), LATE)
    expected = estimator.predict_proba(frame(columns))
    model = saved(tmp_path, estimator)
    rows = rows_of(columns)
    for asked in (rows, as_polars(columns)):
        told = model.predict(asked)
        assert told.probabilities is not None
        np.testing.assert_allclose(told.probabilities, expected)
        assert told.labels.tolist() == estimator.predict(frame(columns)).tolist()
        assert told.classes == (0, 1)
    # One row at a time, where a gap is the column's only value and its type must come from the model.
    alone = [model.predict([row]).probabilities for row in rows]
    np.testing.assert_allclose(np.concatenate([p for p in alone if p is not None]), expected)


def test_without_pandas_a_model_taught_by_polars_is_asked_with_polars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_estimator, "_has_pandas", lambda: False)
    estimator = pipeline().fit(as_polars(WHOLE), LATE)
    model = saved(tmp_path, estimator)
    monkeypatch.setattr(model_estimator, "_to_pandas", None)
    told = model.predict([{"colour": None, "size": None}, {"colour": "red", "size": 3}])
    assert told.probabilities is not None
    np.testing.assert_allclose(
        told.probabilities, estimator.predict_proba(as_polars({"colour": [None, "red"], "size": [None, 3.0]}))
    )


def test_columns_may_come_in_any_order_and_with_others(tmp_path: Path) -> None:
    model = saved(tmp_path, pipeline().fit(as_polars(WHOLE), LATE))
    assert model.columns == ("colour", "size")
    straight = model.predict([{"colour": "red", "size": 2.0}])
    mixed = model.predict([{"id": "x", "size": 2.0, "colour": "red"}])
    assert straight.probabilities is not None
    assert mixed.probabilities is not None
    assert straight.probabilities.tolist() == mixed.probabilities.tolist()


def test_a_missing_column_is_named_with_the_row_and_the_nearest(tmp_path: Path) -> None:
    model = saved(tmp_path, pipeline().fit(as_polars(WHOLE), LATE))
    with pytest.raises(DataUnreadable, match="row 1 lacks 1 column of the model: colour") as raised:
        model.predict([{"colour": "red", "size": 1}, {"color": "red", "size": 1}])
    assert "'color'" in raised.value.remedy
    with pytest.raises(DataUnreadable, match="the data lacks"):
        model.predict(pl.DataFrame({"size": [1.0]}))


def test_no_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataUnreadable, match="no rows"):
        saved(tmp_path, pipeline().fit(as_polars(WHOLE), LATE)).predict([])


@pytest.mark.parametrize("value", ["many", [1], {"a": 1}], ids=["text", "list", "object"])
def test_a_value_of_the_wrong_kind_is_refused_in_words(tmp_path: Path, value: object) -> None:
    columns = make_column_transformer(("passthrough", ["size"]))
    model = saved(tmp_path, make_pipeline(columns, LogisticRegression()).fit(as_polars(WHOLE), LATE))
    with pytest.raises(DataUnreadable, match="cannot use these rows"):
        model.predict([{"colour": "red", "size": value}, {"colour": "red", "size": 1}])


def test_a_model_taught_without_names_takes_columns_in_order(tmp_path: Path) -> None:
    estimator = KNeighborsClassifier(1).fit(np.array([[0.0, 1.0], [1.0, 0.0]]), ["a", "b"])
    model = saved(tmp_path, estimator)
    assert model.columns == ()
    assert model.predict([{"p": 0.9, "q": 0.1}]).labels.tolist() == ["b"]
    with pytest.raises(DataUnreadable, match="trained on 2 columns"):
        model.predict([{"p": 0.9}])


def test_a_regressor_has_no_probabilities_and_no_classes(tmp_path: Path) -> None:
    estimator = LinearRegression().fit(as_polars({"x": [0.0, 1.0]}), [1.0, 3.0])
    told = saved(tmp_path, estimator).predict([{"x": 2}])
    assert told.labels.tolist() == pytest.approx([5.0])
    assert (told.probabilities, told.classes) == (None, ())


class Strict(LogisticRegression):  # type: ignore[misc] # scikit-learn ships no types
    """Says 1 only when it is all but certain."""

    def predict(self, X: Any) -> Any:  # noqa: N803 (scikit-learn's name)
        return (self.predict_proba(X)[:, 1] > 0.99).astype(int)


def test_a_label_is_the_models_own_and_not_the_likeliest_class(tmp_path: Path) -> None:
    estimator = Strict().fit(as_polars({"size": WHOLE["size"]}), [0, 0, 0, 0, 1, 1, 1, 1])
    told = saved(tmp_path, estimator).predict([{"colour": "red", "size": 5.0}])
    assert told.probabilities is not None
    assert told.probabilities[0, 1] > 0.6
    assert told.labels.tolist() == [0]


@pytest.mark.parametrize("compress", [0, 3], ids=["plain", "compressed"])
def test_a_file_of_joblib_is_read(tmp_path: Path, compress: int) -> None:
    path = str(tmp_path / "model.joblib")
    joblib.dump(pipeline().fit(as_polars(WHOLE), LATE), path, compress=compress)
    assert sklearn.fits(path, Path(path).read_bytes()[:64])
    assert sklearn.load(path).predict([{"colour": "red", "size": 1}]).labels.shape == (1,)


def test_another_version_of_the_library_is_noted_in_one_sentence(tmp_path: Path) -> None:
    estimator = pipeline().fit(as_polars(WHOLE), LATE)
    import sklearn as library

    data = pickle.dumps(estimator).replace(library.__version__.encode(), b"0" * len(library.__version__))
    path = tmp_path / "model.pkl"
    path.write_bytes(data)
    notes = sklearn.load(str(path)).notes
    assert len(notes) == 1
    assert f"is loaded with {library.__version__}" in notes[0]


def test_what_cannot_predict_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match="holds a dict"):
        saved(tmp_path, {"model": 1})


def test_a_damaged_pickle_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(pipeline())[:-20])
    with pytest.raises(ModelUnreadable, match="cannot be unpickled"):
        sklearn.load(str(path))


def shifted(values: Any) -> Any:
    return values


def test_code_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("my_features")
    monkeypatch.setitem(sys.modules, "my_features", module)
    function = types.FunctionType(shifted.__code__, globals(), "scaled")
    function.__module__, function.__qualname__ = "my_features", "scaled"
    module.scaled = function  # type: ignore[attr-defined] # a module made up for this test
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(FunctionTransformer(function)))
    del module.scaled
    with pytest.raises(ModelUnreadable, match="scaled") as raised:
        sklearn.load(str(path))
    assert "module of the project" in raised.value.remedy
    monkeypatch.delitem(sys.modules, "my_features")
    with pytest.raises(ModelUnreadable, match="needs the module my_features"):
        sklearn.load(str(path))


def test_without_the_library_the_extra_to_install_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(DummyClassifier()))
    monkeypatch.setitem(sys.modules, "joblib", None)
    monkeypatch.setitem(sys.modules, "sklearn.dummy", None)
    with pytest.raises(ExtraMissing) as raised:
        sklearn.load(str(path))
    assert raised.value.remedy == "pip install 'headway[sklearn]'"


def test_it_says_what_it_takes_and_gives_and_does_not_guess(tmp_path: Path) -> None:
    told = saved(tmp_path, pipeline().fit(as_polars(WHOLE), LATE)).signature
    assert told.inputs == (Field(name="colour", kind="BYTES"), Field(name="size"))
    assert told.outputs == outputs_of(label="INT64", n_classes=2)
    assert told.classes == (0, 1)
    nameless = saved(tmp_path, KNeighborsClassifier(1).fit(np.array([[0.0, 1.0], [1.0, 0.0]]), ["a", "b"])).signature
    assert nameless.matrix == Field(name="input", width=2)
    assert (nameless.outputs, nameless.classes) == (outputs_of(label="BYTES", n_classes=2), ("a", "b"))
    number = saved(tmp_path, LinearRegression().fit(as_polars({"x": [0.0, 1.0]}), [1.0, 3.0])).signature
    assert (number.outputs, number.classes) == (outputs_of(label="FP64"), ())
    several = KNeighborsClassifier(1).fit(np.array([[0.0], [1.0]]), [[0, 1], [1, 0]])
    model = saved(tmp_path, several)
    assert model.signature.outputs == outputs_of(label=None)
    answer = model.predict([{"x": 0.1}, {"x": 0.9}])
    assert (answer.labels.tolist(), answer.probabilities) == ([[0, 1], [1, 0]], None)


@pytest.mark.parametrize("has_pandas", [True, False], ids=["pandas", "polars-alone"])
def test_arrays_by_column_are_answered_as_rows_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_pandas: bool
) -> None:
    monkeypatch.setattr(model_estimator, "_has_pandas", lambda: has_pandas)
    model = saved(tmp_path, pipeline().fit(as_polars(WHOLE), LATE))
    assert isinstance(model, TakesArrays)
    rows: list[dict[str, Any]] = [{"colour": None, "size": None}, {"colour": "red", "size": 3.0}]
    arrays = {"size": np.array([[np.nan], [3.0]], dtype=np.float32), "colour": np.array([None, "red"], dtype=object)}
    told, wanted = model.predict_arrays(arrays), model.predict(rows)
    assert told.labels.tolist() == wanted.labels.tolist()
    assert told.probabilities is not None
    assert wanted.probabilities is not None
    np.testing.assert_array_equal(told.probabilities, wanted.probabilities)
    with pytest.raises(DataUnreadable, match="is not there"):
        model.predict_arrays({"size": arrays["size"]})


def test_a_matrix_is_answered_as_rows_are_and_one_of_another_width_is_refused(tmp_path: Path) -> None:
    model = saved(tmp_path, LogisticRegression().fit(np.array([[0.0, 1.0], [1.0, 0.0]]), [0, 1]))
    assert isinstance(model, TakesArrays)
    told = model.predict_arrays({"input": np.array([[0.25, 0.75], [0.75, 0.25]], dtype=np.float32)})
    wanted = model.predict([{"a": 0.25, "b": 0.75}, {"a": 0.75, "b": 0.25}])
    assert told.probabilities is not None
    assert wanted.probabilities is not None
    assert told.probabilities.tolist() == wanted.probabilities.tolist()
    with pytest.raises(DataUnreadable, match="trained on 2 columns"):
        model.predict_arrays({"input": np.zeros((2, 3))})


@pytest.mark.parametrize("n_rows", [1, 2, 65])
def test_rows_of_fractions_become_the_array_that_a_frame_of_them_is(n_rows: int) -> None:
    values = np.random.default_rng(1).normal(size=(n_rows, 5))
    rows = [dict(zip("edcba", row, strict=True)) for row in values.tolist()]
    # In whatever order a row has its columns, and with more of them than the first.
    rows[-1] = {**dict(sorted(rows[-1].items())), **({"f": 1.0} if n_rows > 1 else {})}
    found, wanted = model_rows.fractions_of(rows), model_rows.frame_of(rows, (), frozenset()).to_numpy()
    assert found is not None
    assert (found.dtype, found.strides, found.tobytes()) == (wanted.dtype, wanted.strides, wanted.tobytes())


@pytest.mark.parametrize(
    "rows",
    [[{"a": 1}], [{"a": 1.0}, {"a": None}], [{"a": "1"}], [{"a": True}], [{}], [{"a": 1.0}, {"b": 1.0}]],
    ids=["whole", "gap", "text", "truth", "nothing", "others"],
)
def test_other_rows_become_a_frame_as_before(rows: list[dict[str, Any]]) -> None:
    assert model_rows.fractions_of(rows) is None


@pytest.mark.parametrize(
    "rows",
    [
        [{"a": 1.5, "b": -0.0}],
        [{"a": 0.1, "b": 1e300}, {"b": 2.5, "a": 5e-324}],
        [{"a": 1.5, "b": None}],
        [{"a": 1, "b": True}],
    ],
    ids=["one", "two", "gap", "whole"],
)
def test_rows_of_numbers_become_the_matrix_that_numpy_makes_of_them(rows: list[dict[str, Any]]) -> None:
    wanted = np.array([[row["a"], row["b"]] for row in rows], dtype=np.float64)
    for columns in (("a", "b"), ()):
        found = model_rows.matrix_of(rows, columns)
        assert (found.dtype, found.strides, found.tobytes()) == (wanted.dtype, wanted.strides, wanted.tobytes())
        assert found.flags.writeable
    assert model_rows.matrix_of([{}], ()).shape == (1, 0)


def test_a_pipeline_is_asked_step_by_step_and_answers_as_it_does_itself(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, 4))
    steps: list[Any] = [StandardScaler(), "passthrough", make_pipeline(MinMaxScaler()), None, LogisticRegression()]
    made = make_pipeline(*steps).fit(x, x[:, 0] > 0)
    loaded = saved(tmp_path, made)
    rows = [dict(zip("abcd", row, strict=True)) for row in x[:64].tolist()]
    for n in (1, 64):
        told = loaded.predict(rows[:n])
        array = np.asfortranarray(x[:n])
        assert told.labels.tolist() == made.predict(array).tolist()
        assert told.probabilities is not None
        assert told.probabilities.tolist() == made.predict_proba(array).tolist()
    assert isinstance(loaded, TakesArrays)
    with pytest.raises(ValueError, match="contains NaN") as own:
        made.predict(np.full((1, 4), np.nan))
    with pytest.raises(DataUnreadable, match="contains NaN") as ours:
        loaded.predict_arrays({"input": np.full((1, 4), np.nan)})
    assert str(own.value).splitlines()[0] in ours.value.problem
