"""Is the model good enough to be considered at all? Whether it beats the one in production is the gate's question.

    pytest tests/test_model_quality.py
    MODEL=models/other.pkl pytest tests/test_model_quality.py
"""

import os
import pickle
from pathlib import Path

import polars as pl
import pytest
from sklearn.metrics import log_loss, roc_auc_score


@pytest.fixture(scope="module")
def model():
    return pickle.loads(Path(os.environ.get("MODEL", "models/model_v1.pkl")).read_bytes())


@pytest.fixture(scope="module")
def holdout():
    return pl.read_csv("data/holdout.csv", infer_schema_length=None)


def risk_of(model, flights):
    return model.predict_proba(flights)[:, 1]


def test_late_flights_get_higher_risk_than_punctual_ones(model, holdout):
    assert roc_auc_score(holdout["late"], risk_of(model, holdout)) >= 0.60


def test_model_beats_quoting_the_usual_share_of_late_flights(model, holdout):
    usual_share = pl.read_csv("data/training.csv")["late"].mean()
    quoted = log_loss(holdout["late"], [usual_share] * len(holdout))
    assert log_loss(holdout["late"], risk_of(model, holdout)) < quoted


def test_the_same_flight_is_riskier_in_the_evening(model, holdout):
    """Delays pile up over the day. A model that does not know it has learned something else."""
    morning = risk_of(model, holdout.with_columns(hour=pl.lit(7.0)))
    evening = risk_of(model, holdout.with_columns(hour=pl.lit(19.0)))
    assert (evening > morning).mean() >= 0.8
