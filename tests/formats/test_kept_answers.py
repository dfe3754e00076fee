"""A sound model of any format answers what a server asks as it answered a gate: no release is stopped for nothing.

Asked once about a whole table, as a gate does, and then as a server is: rows that JSON brought, some at a time.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from formats.test_served import CASES, FRAME, Answers
from headway import formats
from headway.core.golden import GoldenReply
from headway.core.kept_answers import Compared, KeptAnswers, compare
from headway.core.prediction import LoadedModel
from headway.core.signature import Signature
from headway.flows.convert_worker import signature_of
from headway.flows.digest import digest_path
from headway.flows.statcache import StatCache
from headway.flows.vetting import AT_ONCE
from headway.serving.load import told
from headway.serving.protocol import Refusal, kinds_of, read_rows, write_prediction
from headway.tables import asked
from headway.tables.kept_answers import keep

pytestmark = [pytest.mark.filterwarnings("ignore")]

N = 700
_chance = np.random.default_rng(3)
A, B = _chance.integers(0, 9, N), _chance.normal(size=N).round(3)
MIXED = pl.DataFrame(
    {
        "visits": [None if at % 11 == 3 else int(a) for at, a in enumerate(A)],
        "spent": [None if at % 13 == 5 else float(b) for at, b in enumerate(B)],
        "town": [None if at % 17 == 7 else "abc"[a % 3] for at, a in enumerate(A)],
        "is_new": [bool(a % 2) for a in A],
        "large": [2**40 + int(a) for a in A],
    }
)
LATE = (A / 9 + B + (MIXED["town"] == "a").fill_null(value=False).to_numpy() > 0.5).astype(int)


def as_a_server(model: LoadedModel, signature: Signature, kept: KeptAnswers) -> Compared:
    """What the model answers to requests, by the form of requests and answers."""
    served = told(model, signature)
    found = Compared(n_rows=0)
    for first in range(0, len(kept.rows), AT_ONCE):
        part = kept.some(first, AT_ONCE)
        rows = read_rows(msgspec.json.encode({"inputs": part.rows}), served.columns, kinds_of(served.signature))
        assert not isinstance(rows, Refusal), rows
        body = write_prediction(served.predict(rows), model="m@1", request_id="r")
        found = found.with_(compare(part, msgspec.json.decode(body, type=GoldenReply), first=first))
    return found


def compared(model: LoadedModel, rows: pl.DataFrame, signature: Signature | None = None) -> Compared:
    data = keep(rows, asked.ask(model, rows), columns=model.columns, by="gate")
    kept = msgspec.json.decode(data, type=KeptAnswers)
    assert kept.rows, kept.why
    return as_a_server(model, signature or Signature(), kept)


def loaded(path: Path, kind: str) -> LoadedModel:
    digest = digest_path(str(path.parent), path.name, StatCache()).digest
    return formats.load(str(path), format=kind, digest=digest, trusted=(digest,), threads=1)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "kind", "train"), CASES, ids=[case[2].__name__ for case in CASES])
def test_a_model_of_any_format_is_served_as_it_was_asked(
    tmp_path: Path, file: str, kind: str, train: Callable[[Path], Answers]
) -> None:
    train(tmp_path / file)
    model = loaded(tmp_path / file, kind)
    found = compared(model, FRAME)
    assert (found.n_rows, found.unlike) == (40, ())
    found = compared(model, FRAME, signature_of(model, FRAME.with_columns(truth=pl.lit(1)), "truth"))
    assert (found.n_rows, found.unlike) == (40, ())


def forest() -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    numbers = SimpleImputer()
    columns = make_column_transformer((texts, ["town"]), (numbers, ["visits", "spent", "is_new", "large"]))
    return make_pipeline(columns, RandomForestClassifier(20, random_state=0))


def boosting() -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    texts = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((texts, ["town"]), ("passthrough", ["visits", "spent", "large"]))
    return make_pipeline(columns, HistGradientBoostingRegressor(max_iter=10, random_state=0))


@pytest.mark.parametrize("make", [forest, boosting])
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_gaps_texts_truths_and_large_numbers_are_served_as_they_were_asked(
    tmp_path: Path, make: Callable[[], Any], form: str
) -> None:
    table = MIXED
    if form == "csv":
        MIXED.write_csv(tmp_path / "rows.csv")
        table = pl.read_csv(tmp_path / "rows.csv")
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(make().fit(table, LATE)))
    model = loaded(tmp_path / "model.pkl", "sklearn")
    signature = signature_of(model, table.with_columns(late=LATE), "late")
    assert signature.columns
    for known in (Signature(), signature):
        found = compared(model, table, known)
        assert (found.n_rows, found.unlike) == (256, ())
        assert found.max_difference < 1e-12


def test_categories_of_a_frame_are_served_as_texts(tmp_path: Path) -> None:
    table = MIXED.with_columns(pl.col("town").cast(pl.Categorical))
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(forest().fit(MIXED, LATE)))
    found = compared(loaded(tmp_path / "model.pkl", "sklearn"), table)
    assert (found.n_rows, found.unlike) == (256, ())
