"""Predictions from files: joined by key in the holdout's order, refused by row where they do not fit."""

import os
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import DataUnreadable
from headway.tables import predictions

KEYS = pl.Series("id", [30, 10, 20])
SAID = pl.DataFrame({"id": [10, 20, 30], "prediction": [1, 0, 1], "probability": [0.9, 0.2, 0.6]})


def test_answers_come_in_the_order_of_the_holdout() -> None:
    found = predictions.answers_of(SAID, KEYS, "new.csv")
    assert found.labels.tolist() == [1, 1, 0]
    assert found.chances is not None
    assert found.chances.tolist() == [0.6, 0.9, 0.2]


@given(st.lists(st.text(min_size=1), unique=True, min_size=1), st.randoms())
def test_any_keys_in_any_order_find_their_own(keys: list[str], random: object) -> None:
    shuffled = keys.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis' own Random
    table = pl.DataFrame({"id": shuffled, "prediction": [f"of {key}" for key in shuffled]})
    found = predictions.answers_of(table, pl.Series("id", keys), "new.csv")
    assert found.labels.tolist() == [f"of {key}" for key in keys]


def test_probabilities_of_classes_and_quantiles_are_read() -> None:
    table = SAID.drop("probability").with_columns(
        probability_0=pl.Series([0.1, 0.8, 0.4]),
        probability_1=pl.Series([0.9, 0.2, 0.6]),
        **{"quantile_0.1": pl.Series([1.0, 2.0, 3.0])},
    )
    found = predictions.answers_of(table, KEYS, "new.csv")
    assert found.classes == (0, 1)
    assert found.chances is not None
    assert found.chances.tolist() == [0.6, 0.9, 0.2]
    assert found.probabilities is not None
    assert found.probabilities.shape == (3, 2)
    assert found.quantiles is not None
    assert found.quantiles[0.1].tolist() == [3.0, 1.0, 2.0]
    texts = table.with_columns(prediction=pl.Series(["a", "b", "a"])).rename({"probability_0": "probability_a"})
    assert predictions.answers_of(texts, KEYS, "new.csv").classes == ("a", "1")


@pytest.mark.parametrize(
    ("table", "keys", "said"),
    [
        (SAID.head(2), KEYS, r"new.csv has no prediction for 1 row of the holdout: row 1 \(id 30\)"),
        (SAID, KEYS.head(2), r"new.csv has 1 row whose id is not in the holdout: row 2 \(id 20\)"),
        (pl.concat([SAID, SAID.head(1)]), KEYS, r"2 rows of new.csv share their id with another: row 1 \(id 10\) and"),
        (SAID, pl.Series("id", [10, 10, 20]), "2 rows of the holdout share their id"),
        (SAID, pl.Series("id", [10, None, 20]), r"1 row of the holdout have no id: row 2 \(id None\)"),
        (SAID.with_columns(pl.col("id").cast(pl.String)), KEYS, "is Int64 in the holdout and String in new.csv"),
        (SAID.drop("prediction"), KEYS, "no column 'prediction'"),
        (SAID.drop("id"), KEYS, "no column 'id'"),
        (SAID.with_columns(quantile_low=1.0), KEYS, "quantile_low of new.csv names no level"),
        (SAID.with_columns(**{"quantile_1.5": pl.lit(1.0)}), KEYS, "names no level"),
    ],
    ids=["missing", "extra", "repeated", "twice", "null", "kind", "no prediction", "no key", "word", "beyond"],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_row(table: pl.DataFrame, keys: pl.Series, said: str) -> None:
    with pytest.raises(DataUnreadable, match=said):
        predictions.answers_of(table, keys, "new.csv")


def test_many_rows_are_told_by_the_first_few() -> None:
    keys = pl.Series("id", np.arange(1000))
    with pytest.raises(DataUnreadable, match=r"for 990 rows .*: row 11 \(id 10\), row 12 .* and 987 more"):
        predictions.aligned(pl.DataFrame({"id": np.arange(10)}), keys, "new.csv")


def test_whole_numbers_of_any_size_are_the_same_keys() -> None:
    small = SAID.with_columns(pl.col("id").cast(pl.UInt8))
    assert predictions.aligned(small, KEYS, "new.csv")["id"].to_list() == [30, 10, 20]


@pytest.mark.parametrize("write", [pl.DataFrame.write_csv, pl.DataFrame.write_parquet], ids=["csv", "parquet"])
def test_files_are_read_by_their_ending(tmp_path: os.PathLike[str], write: Callable[[pl.DataFrame, str], None]) -> None:
    path = os.path.join(tmp_path, f"t.{write.__name__.removeprefix('write_')}")
    write(SAID, path)
    assert predictions.read(path, "t", at="data").equals(SAID)
    with pytest.raises(DataUnreadable, match="neither CSV nor Parquet"):
        predictions.read(os.path.join(tmp_path, "t.pkl"), "t.pkl", at="data")
    with pytest.raises(DataUnreadable, match="cannot be read"):
        predictions.read(os.path.join(tmp_path, "none.csv"), "none.csv", at="data")
