"""Models that are Python files."""

import sys
from pathlib import Path

import polars as pl
import pytest

from headway import formats
from headway.core.prediction import LoadedModel
from headway.errors import DataUnreadable, ModelUnreadable, ModelUntrusted
from headway.flows.digest import digest_path
from headway.flows.statcache import StatCache
from headway.formats import function

WHOLE = """
COLUMNS = ("x",)
CLASSES = ("no", "yes")

def predict_proba(rows):
    return [[1 - row["x"], row["x"]] for row in rows]

def predict(rows):
    return [CLASSES[p > 0.5] for _, p in predict_proba(rows)]
"""


def loaded(folder: Path, text: str) -> LoadedModel:
    path = folder / "model.py"
    path.write_text(text)
    return function.load(str(path))


def test_labels_probabilities_and_classes_are_the_files_own(tmp_path: Path) -> None:
    model = loaded(tmp_path, WHOLE)
    told = model.predict([{"x": 0.25}, {"x": 0.75}])
    assert told.labels.tolist() == ["no", "yes"]
    assert told.probabilities is not None
    assert told.probabilities.tolist() == [[0.75, 0.25], [0.25, 0.75]]
    assert told.classes == ("no", "yes")
    assert (model.format, model.columns, model.notes) == ("function", ("x",), ())


def test_a_frame_is_answered_as_its_rows(tmp_path: Path) -> None:
    model = loaded(tmp_path, WHOLE)
    assert model.predict(pl.DataFrame({"x": [0.25, 0.75]})).labels.tolist() == ["no", "yes"]


def test_without_probabilities_there_are_no_classes(tmp_path: Path) -> None:
    told = loaded(tmp_path, "def predict(rows): return [1.5 for _ in rows]").predict([{}])
    assert (told.probabilities, told.classes) == (None, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [("x = 1", "no function `predict`"), ("1 / 0", "ZeroDivisionError"), ("def (", "SyntaxError")],
    ids=["no-predict", "raises", "no-python"],
)
def test_a_file_that_is_no_model_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ModelUnreadable, match=said):
        loaded(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("def predict(rows): return [row['y'] for row in rows]", DataUnreadable),
        ("def predict(rows): return [float(row['x']) for row in rows]", DataUnreadable),
        ("def predict(rows): return []", ModelUnreadable),
    ],
    ids=["column-missing", "value-wrong", "too-few-answers"],
)
def test_rows_it_cannot_use_are_refused_in_words(tmp_path: Path, text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        loaded(tmp_path, text).predict([{"x": "a"}])


FOLDER = """import json
import os
from rates_beside_the_model import RATE
with open(os.path.join(os.path.dirname(__file__), "limits.json")) as f:
    LIMIT = json.load(f)["limit"]
COLUMNS = ("x",)
def predict(rows):
    return [row["x"] * RATE > LIMIT for row in rows]
"""


def test_a_function_with_files_of_its_own_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    at = tmp_path / "rule"
    at.mkdir()
    (at / "model.py").write_text(FOLDER)
    (at / "rates_beside_the_model.py").write_text("RATE = 2\n")
    (at / "limits.json").write_text('{"limit": 3}')
    digest = digest_path(str(tmp_path), "rule", StatCache()).digest
    assert formats.detect(str(at)) == "function"
    with pytest.raises(ModelUntrusted):
        formats.load(str(at), format="function", digest=digest, trusted=())
    for _ in range(2):
        # What importing left would be in no digest, and refused the second time.
        model = formats.load(str(at), format="function", digest=digest, trusted={digest})
        assert model.predict([{"x": 1}, {"x": 2}]).labels.tolist() == [False, True]
    monkeypatch.delitem(sys.modules, "rates_beside_the_model")
    (at / "limits.json").write_text('{"limit": 1}')
    with pytest.raises(ModelUntrusted, match="content is another"):
        formats.load(str(at), format="function", digest=digest, trusted={digest})
    (at / "MLmodel").touch()
    assert formats.detect(str(at)) == "mlflow"
