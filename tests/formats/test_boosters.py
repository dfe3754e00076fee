"""Models of XGBoost and LightGBM, in their own files and as pickled wrappers: answers equal to those in the process."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pytest
import xgboost

from headway import formats
from headway.codec.wire import digest_of
from headway.core.prediction import LoadedModel, TakesArrays
from headway.core.signature import Field, outputs_of
from headway.errors import DataUnreadable, ExtraMissing, ModelUnreadable

N = 200
NUMBERS = np.random.default_rng(5).normal(size=(N, 3))
NUMBERS[::7, 1] = np.nan
TWO = (NUMBERS[:, 0] > 0).astype(int)
THREE = np.digitize(NUMBERS[:, 2], [-0.5, 0.5])
COLOURS = ["red", "green", "blue", None] * (N // 4)
NAMED = pd.DataFrame(NUMBERS, columns=list("abc"))
FRAME = pl.DataFrame({n: [None if np.isnan(v) else v for v in NAMED[n]] for n in "abc"})
ROWS = FRAME.to_dicts()

Save = Callable[[Any, Path], str]


def xgboost_json(wrapper: Any, folder: Path) -> str:
    path = folder / "model.json"
    wrapper.save_model(path)
    return str(path)


def xgboost_ubj(wrapper: Any, folder: Path) -> str:
    """Under a name that does not say what it is, as in the store."""
    xgboost_json(wrapper, folder)
    path = folder / "blob"
    wrapper.save_model(folder / "model.ubj")
    (folder / "model.ubj").rename(path)
    return str(path)


def lightgbm_text(wrapper: Any, folder: Path) -> str:
    path = folder / "model.txt"
    wrapper.booster_.save_model(path)
    return str(path)


def pickled(wrapper: Any, folder: Path) -> str:
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(wrapper))
    return str(path)


def loaded(path: str) -> LoadedModel:
    digest = digest_of(Path(path).read_bytes())
    return formats.load(path, format=formats.detect(path), digest=digest, trusted={digest}, threads=1)


WAYS = [
    pytest.param(xgboost.XGBClassifier, xgboost.XGBRegressor, xgboost_json, id="xgboost-json"),
    pytest.param(xgboost.XGBClassifier, xgboost.XGBRegressor, xgboost_ubj, id="xgboost-ubj"),
    pytest.param(xgboost.XGBClassifier, xgboost.XGBRegressor, pickled, id="xgboost-pickle"),
    pytest.param(lightgbm.LGBMClassifier, lightgbm.LGBMRegressor, lightgbm_text, id="lightgbm-text"),
    pytest.param(lightgbm.LGBMClassifier, lightgbm.LGBMRegressor, pickled, id="lightgbm-pickle"),
]


def made(kind: Any, **how: Any) -> Any:
    quiet = {"verbose": -1} if kind.__module__.startswith("lightgbm") else {}
    return kind(n_estimators=8, max_depth=3, n_jobs=1, **quiet, **how)


@pytest.mark.parametrize(("classifier", "regressor", "save"), WAYS)
@pytest.mark.parametrize("truth", [TWO, THREE], ids=["two-classes", "three-classes"])
@pytest.mark.parametrize("rows", [ROWS, FRAME], ids=["rows", "frame"])
def test_classes_are_answered_as_in_the_process(
    tmp_path: Path, classifier: Any, regressor: Any, save: Save, truth: Any, rows: Any
) -> None:
    wrapper = made(classifier).fit(NAMED, truth)
    model = loaded(save(wrapper, tmp_path))
    told = model.predict(rows)
    assert told.labels.tolist() == wrapper.predict(NAMED).tolist()
    assert told.probabilities is not None
    np.testing.assert_allclose(told.probabilities, wrapper.predict_proba(NAMED), atol=1e-6)
    assert told.classes == tuple(range(truth.max() + 1))
    assert model.columns == ("a", "b", "c")
    assert model.signature.outputs == outputs_of(label="INT64", n_classes=len(told.classes))
    assert model.predict(ROWS[:1]).labels.tolist() == told.labels[:1].tolist()
    assert model.notes == ()


@pytest.mark.parametrize(("classifier", "regressor", "save"), WAYS)
def test_numbers_are_foretold_as_in_the_process(tmp_path: Path, classifier: Any, regressor: Any, save: Save) -> None:
    truth = np.nan_to_num(NUMBERS).sum(axis=1)
    wrapper = made(regressor).fit(NAMED, truth)
    model = loaded(save(wrapper, tmp_path))
    told = model.predict(ROWS)
    np.testing.assert_allclose(told.labels, wrapper.predict(NAMED), rtol=1e-6)
    assert (told.probabilities, told.classes) == (None, ())
    assert model.signature.outputs == outputs_of(label="FP64")


@pytest.mark.parametrize(("classifier", "regressor", "save"), WAYS)
def test_what_was_taught_without_names_takes_columns_in_order(
    tmp_path: Path, classifier: Any, regressor: Any, save: Save
) -> None:
    wrapper = made(classifier).fit(NUMBERS, TWO)
    model = loaded(save(wrapper, tmp_path))
    assert model.columns == ()
    assert model.signature.matrix is not None
    assert model.signature.matrix.width == 3
    assert model.predict([{"x": a, "y": b, "z": c} for a, b, c in NUMBERS]).labels.tolist() == TWO.tolist()
    with pytest.raises(DataUnreadable, match="trained on 3 columns"):
        model.predict([{"x": 1.0}])


def coloured(classifier: Any) -> tuple[Any, pd.DataFrame]:
    table = pd.DataFrame({"colour": pd.Categorical(COLOURS), "size": NUMBERS[:, 1]})
    truth = np.array([c == "red" for c in COLOURS]) ^ (np.arange(N) % 9 == 0)
    categories = {"enable_categorical": True} if classifier is xgboost.XGBClassifier else {"min_child_samples": 2}
    return made(classifier, **categories).fit(table, truth.astype(int)), table


@pytest.mark.parametrize(("classifier", "regressor", "save"), [w for w in WAYS if "pickle" not in str(w.id)])
def test_texts_that_were_categories_are_understood(tmp_path: Path, classifier: Any, regressor: Any, save: Save) -> None:
    wrapper, table = coloured(classifier)
    model = loaded(save(wrapper, tmp_path))
    rows = [{"size": None if np.isnan(s) else s, "colour": c} for s, c in zip(table["size"], COLOURS, strict=True)]
    for asked in (rows, pl.DataFrame(rows)):
        told = model.predict(asked)
        assert told.probabilities is not None
        np.testing.assert_allclose(told.probabilities, wrapper.predict_proba(table), atol=1e-6)
    assert model.signature.inputs == (Field(name="colour", kind="BYTES"), Field(name="size", kind="FP64"))
    assert isinstance(model, TakesArrays)
    arrays = {"colour": np.array(COLOURS, dtype=object), "size": np.array(table["size"])}
    assert model.predict_arrays(arrays).labels.tolist() == told.labels.tolist()
    with pytest.raises(DataUnreadable, match="colour holds 3"):
        model.predict([{"colour": 3, "size": 1.0}])


def test_a_text_that_was_never_seen_is_refused_by_xgboost_and_a_gap_to_lightgbm(tmp_path: Path) -> None:
    model = loaded(xgboost_json(coloured(xgboost.XGBClassifier)[0], tmp_path))
    with pytest.raises(DataUnreadable, match="never saw") as raised:
        model.predict([{"colour": "violet", "size": 1.0}])
    assert "red" in raised.value.remedy
    model = loaded(lightgbm_text(coloured(lightgbm.LGBMClassifier)[0], tmp_path))
    told = model.predict([{"colour": c, "size": 1.0} for c in ("violet", None)]).probabilities
    assert told is not None
    assert told[0].tolist() == told[1].tolist()


@pytest.mark.parametrize(("classifier", "regressor", "save"), [w for w in WAYS if "pickle" not in str(w.id)])
def test_arrays_are_answered_as_rows_are(tmp_path: Path, classifier: Any, regressor: Any, save: Save) -> None:
    named = loaded(save(made(classifier).fit(NAMED, THREE), tmp_path))
    assert isinstance(named, TakesArrays)
    told = named.predict_arrays({n: NUMBERS[:, i] for i, n in enumerate("abc")})
    assert told.labels.tolist() == named.predict(ROWS).labels.tolist()
    with pytest.raises(DataUnreadable, match="is not there"):
        named.predict_arrays({"a": NUMBERS[:, 0]})
    nameless = loaded(save(made(classifier).fit(NUMBERS, THREE), tmp_path))
    assert isinstance(nameless, TakesArrays)
    assert nameless.predict_arrays({"input": NUMBERS}).labels.tolist() == told.labels.tolist()
    with pytest.raises(DataUnreadable, match="cannot use these rows"):
        nameless.predict_arrays({"input": NUMBERS[:, :2]})


@pytest.mark.parametrize(
    ("objective", "chances"),
    [("multi:softmax", True), ("binary:logitraw", True), ("binary:hinge", False)],
    ids=["softmax", "logit", "hinge"],
)
def test_objectives_of_xgboost_that_answer_otherwise_are_read_right(
    tmp_path: Path, objective: str, chances: bool
) -> None:
    is_multi = objective.startswith("multi")
    how = {"objective": objective, "max_depth": 3} | ({"num_class": 3} if is_multi else {})
    given = xgboost.DMatrix(NAMED, label=THREE if is_multi else TWO)
    booster = xgboost.train(how, given, num_boost_round=8)
    path = tmp_path / "model.ubj"
    booster.save_model(path)
    told = loaded(str(path)).predict(ROWS)
    raw = booster.predict(given)
    assert told.labels.tolist() == (raw > 0 if objective == "binary:logitraw" else raw).astype(int).tolist()
    assert (told.probabilities is not None) == chances
    if told.probabilities is not None:
        np.testing.assert_allclose(told.probabilities.sum(axis=1), 1, atol=1e-6)


def test_a_wrapper_that_stopped_early_answers_with_its_best_trees(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 2, N)
    wrapper = xgboost.XGBClassifier(n_estimators=40, early_stopping_rounds=3, n_jobs=1)
    wrapper.fit(NAMED[:100], noise[:100], eval_set=[(NAMED[100:], noise[100:])], verbose=False)
    assert wrapper.best_iteration + 1 < wrapper.get_booster().num_boosted_rounds()
    told = loaded(xgboost_json(wrapper, tmp_path)).predict(ROWS).probabilities
    assert told is not None
    np.testing.assert_allclose(told, wrapper.predict_proba(NAMED), atol=1e-6)


@pytest.mark.parametrize(("classifier", "regressor", "save"), [w for w in WAYS if "pickle" not in str(w.id)])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9], ids=["beginning", "half", "nearly-whole"])
def test_a_file_that_was_cut_is_refused_with_a_remedy(
    tmp_path: Path, classifier: Any, regressor: Any, save: Save, share: float
) -> None:
    path = Path(save(made(classifier).fit(NAMED, TWO), tmp_path))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelUnreadable, match=r"cannot load the model: \w") as raised:
        loaded(str(path))
    assert "save_model" in raised.value.remedy
    path.write_bytes(b"")
    with pytest.raises(ModelUnreadable, match="no known model format"):
        loaded(str(path))


@pytest.mark.parametrize("value", ["much", "2.5", [1]], ids=["text", "number-as-text", "list"])
@pytest.mark.parametrize(("classifier", "regressor", "save"), [w for w in WAYS if "pickle" not in str(w.id)])
def test_a_value_that_is_no_number_is_named(
    tmp_path: Path, classifier: Any, regressor: Any, save: Save, value: object
) -> None:
    model = loaded(save(made(classifier).fit(NAMED, TWO), tmp_path))
    with pytest.raises(DataUnreadable, match="column b holds"):
        model.predict([{"a": 1, "b": value, "c": 2}])
    with pytest.raises(DataUnreadable, match="lacks 1 column"):
        model.predict([{"a": 1, "c": 2}])


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_without_the_library_the_extra_to_install_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    path = tmp_path / "model"
    path.write_bytes(b'{"learner":{' if library == "xgboost" else b"tree\nversion=v4\n")
    monkeypatch.setitem(__import__("sys").modules, library, None)
    with pytest.raises(ExtraMissing) as raised:
        loaded(str(path))
    assert f"headway[{library}]" in raised.value.remedy
