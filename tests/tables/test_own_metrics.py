"""The user's own metrics, loaded from their file and told as theirs where they fail."""

import os
from pathlib import Path

import numpy as np
import pytest

from headway.errors import FileMissing, Unmeasurable
from headway.stats.answers import Answers, Rows
from headway.stats.metrics import measure
from headway.tables.own_metrics import own_metrics

FILE = """
import numpy as np

def profit(truth, labels):
    return np.where(labels == 1, np.where(truth == 1, 10.0, -1.0), 0.0)

def sharp(truth, labels, probabilities):
    return np.abs(np.asarray(probabilities) - 0.5).reshape(len(truth), -1).mean(axis=1)

def broken(truth, labels):
    return truth / missing

def leaves(truth, labels):
    raise SystemExit(0)
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "metrics.py").write_text(FILE)
    return os.fspath(tmp_path / "metrics.py")


def measured(path: str, name: str) -> float:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    answers = Answers(labels=truth, chances=rng.random(200))
    return measure(name, Rows(truth=truth), answers, None, 0.95, own=own_metrics({name: f"{path}:{name}"})).value


def test_a_function_of_truth_and_labels_is_a_metric(path: str) -> None:
    truth = np.random.default_rng(0).integers(0, 2, 200)
    assert measured(path, "profit") == pytest.approx(10 * truth.mean())


def test_a_function_that_wants_probabilities_gets_them(path: str) -> None:
    assert 0 < measured(path, "sharp") < 0.5


@pytest.mark.parametrize(
    ("name", "said"), [("broken", r"metrics.py:11: NameError"), ("leaves", r"metrics.py:14: SystemExit")]
)
def test_what_fails_is_told_with_the_users_line(path: str, name: str, said: str) -> None:
    with pytest.raises(Unmeasurable, match=said):
        measured(path, name)


def test_what_is_not_there_is_told(path: str) -> None:
    with pytest.raises(FileMissing):
        own_metrics({"profit": "/nowhere/metrics.py:profit"})
    with pytest.raises(Unmeasurable, match="no function 'proft'"):
        own_metrics({"profit": f"{path}:proft"})
    with pytest.raises(Unmeasurable, match="names no function"):
        own_metrics({"profit": path})
