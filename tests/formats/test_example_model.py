"""The model of the flights example, trained by its own script, asked as the server asks it."""

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import headway
from headway import formats
from headway.codec.wire import digest_of

EXAMPLE = Path(headway.__file__).parent / "examples" / "flights"


@pytest.mark.slow
def test_the_models_answers_are_its_own_for_frames_and_for_json_rows(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    train = ["train_model.py", "--data", "data/training.csv", "--output", "models/model.pkl"]
    for words in (["fetch_data.py"], train):
        subprocess.run([sys.executable, *words], cwd=tmp_path, check=True, capture_output=True)
    path = tmp_path / "models" / "model.pkl"
    digest = digest_of(path.read_bytes())
    model = formats.load(str(path), format=formats.detect(str(path)), digest=digest, trusted={digest})
    flights = pl.read_csv(tmp_path / "data" / "holdout.csv")
    expected = pickle.loads(path.read_bytes()).predict_proba(flights.select(model.columns))
    for rows in (flights, flights.to_dicts()):
        told = model.predict(rows)
        assert told.probabilities is not None
        np.testing.assert_allclose(told.probabilities, expected)
        assert told.classes == (0, 1)
    assert model.notes == ()
