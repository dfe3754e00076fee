"""Models in skops' files: answers equal to those in the process, and types that nobody vouched for are not loaded."""

import importlib
import json
import sys
import zipfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from headway import formats
from headway.codec.wire import digest_of
from headway.core.prediction import LoadedModel, TakesArrays
from headway.errors import ExtraMissing, ModelUnreadable, ModelUntrusted

# Not `importorskip`: each worker collects this file, and it is seconds until skops is there.
pytestmark = pytest.mark.skipif(find_spec("skops") is None, reason="skops is not installed: its format is not tested")

NUMBERS = np.random.default_rng(3).normal(size=(60, 3))
TRUTH = np.where(NUMBERS[:, 0] > 0, "late", "early")
FRAME = pl.DataFrame(NUMBERS, schema=list("abc"))


def saved(folder: Path, estimator: Any, name: str = "model.skops") -> str:
    path = str(folder / name)
    from skops import io as sio

    sio.dump(estimator, path)
    return path


def loaded(path: str, *, is_trusted: bool = False, threads: int | None = None) -> LoadedModel:
    digest = digest_of(Path(path).read_bytes())
    trusted = {digest} if is_trusted else set()
    return formats.load(path, format="skops", digest=digest, trusted=trusted, threads=threads)


def test_an_ordinary_model_is_loaded_without_trust_and_answers_as_in_the_process(tmp_path: Path) -> None:
    estimator = LogisticRegression().fit(FRAME, TRUTH)
    path = saved(tmp_path, estimator)
    assert formats.detect(path) == "skops"
    assert formats.runs_code("skops", path) is False
    model = loaded(path)
    told = model.predict(FRAME.to_dicts())
    assert told.labels.tolist() == estimator.predict(FRAME).tolist()
    assert told.probabilities is not None
    np.testing.assert_allclose(told.probabilities, estimator.predict_proba(FRAME))
    assert (model.format, model.columns, told.classes) == ("skops", ("a", "b", "c"), ("early", "late"))
    assert isinstance(model, TakesArrays)
    assert model.predict_arrays({n: FRAME[n].to_numpy() for n in "abc"}).labels.tolist() == told.labels.tolist()


def test_numbers_are_foretold_from_a_file_without_its_name(tmp_path: Path) -> None:
    estimator = LinearRegression().fit(NUMBERS, NUMBERS.sum(axis=1))
    path = saved(tmp_path, estimator, "blob")
    assert formats.detect(path) == "skops"
    np.testing.assert_allclose(loaded(path).predict(FRAME).labels, NUMBERS.sum(axis=1))


def test_threads_are_told(tmp_path: Path) -> None:
    path = saved(tmp_path, RandomForestClassifier(3, n_jobs=2).fit(NUMBERS, TRUTH))
    model = loaded(path, is_trusted=True, threads=1)
    assert model._estimator.n_jobs == 1  # type: ignore[attr-defined] # the class behind the protocol


def test_types_that_skops_does_not_know_need_trust_and_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "ran"
    (tmp_path / "my_models_of_skops.py").write_text(
        "from pathlib import Path\n"
        "from sklearn.linear_model import LogisticRegression\n"
        f"Path({str(mark)!r}).touch()\n"
        "class Mine(LogisticRegression):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    estimator = importlib.import_module("my_models_of_skops").Mine().fit(NUMBERS, TRUTH)
    path = saved(tmp_path, estimator)
    mark.unlink()
    monkeypatch.delitem(sys.modules, "my_models_of_skops")
    assert formats.runs_code("skops", path)
    assert formats.runs_code("skops")
    with pytest.raises(ModelUntrusted, match=r"it names my_models_of_skops\.Mine"):
        loaded(path)
    assert not mark.exists()
    assert loaded(path, is_trusted=True).predict(FRAME).labels.tolist() == estimator.predict(NUMBERS).tolist()
    assert mark.exists()


def test_what_has_no_predict_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match="a dict, which has no `predict`"):
        loaded(saved(tmp_path, {"a": 1}))


def test_damaged_files_are_refused_in_words_and_never_crash(tmp_path: Path) -> None:
    estimator = LogisticRegression().fit(NUMBERS, TRUTH)
    answers = estimator.predict(NUMBERS).tolist()
    whole = Path(saved(tmp_path, estimator)).read_bytes()
    path = tmp_path / "damaged.skops"
    rng = np.random.default_rng(1)
    for n in range(60):
        data = bytearray(whole[: rng.integers(1, len(whole))] if n % 2 else whole)
        for at in rng.integers(0, len(data), 3):
            data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        # Bits that flipped where an archive has what nobody reads leave a model that answers as it did.
        with suppress(ModelUnreadable, ModelUntrusted):
            assert formats.detect(str(path)) in ("skops", "sklearn")
            assert loaded(str(path)).predict(FRAME).labels.tolist() == answers
    path.write_bytes(b"PK")
    with pytest.raises(ModelUnreadable, match="skops cannot load"):
        loaded(str(path))


@pytest.mark.parametrize("value", [[], {}, {"__class__": 1}, {"__loader__": "Nothing", "__class__": "x"}], ids=str)
def test_a_list_of_types_that_is_none_is_refused(tmp_path: Path, value: object) -> None:
    path = tmp_path / "model.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", json.dumps(value))
    with pytest.raises(ModelUnreadable, match="skops cannot load"):
        loaded(str(path))


def test_without_the_library_the_extra_to_install_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, LogisticRegression().fit(NUMBERS, TRUTH))
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(ExtraMissing) as raised:
        loaded(path)
    assert "headway[skops]" in raised.value.remedy
