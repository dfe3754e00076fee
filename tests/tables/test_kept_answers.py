"""What is kept of a model's answers, to be asked again of its server."""

from datetime import date

import msgspec
import numpy as np
import polars as pl

from headway.core.kept_answers import KeptAnswers
from headway.stats.answers import Answers
from headway.tables.kept_answers import MOST_BYTES, MOST_ROWS, keep


def kept(rows: pl.DataFrame, answers: Answers, **given: object) -> KeptAnswers:
    data = keep(rows, answers, by="gate", **given)  # type: ignore[arg-type] # `columns` alone
    return msgspec.json.decode(data, type=KeptAnswers)


def test_rows_are_kept_with_their_answers_and_gaps_are_null() -> None:
    rows = pl.DataFrame({"a": [1.5, None, float("nan")], "b": ["x", None, "z"]})
    answers = Answers(
        labels=np.array(["no", "yes", "no"], dtype=object),
        classes=("no", "yes"),
        probabilities=np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]),
    )
    assert kept(rows, answers) == KeptAnswers(
        rows=[{"a": 1.5, "b": "x"}, {"a": None, "b": None}, {"a": None, "b": "z"}],
        predictions=["no", "yes", "no"],
        classes=["no", "yes"],
        probabilities=[[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]],
    )


def test_the_models_columns_alone_are_kept_and_one_that_is_not_there_is_told() -> None:
    rows = pl.DataFrame({"a": [1], "born": [date(2000, 1, 1)]})
    answers = Answers(labels=np.array([1]))
    assert kept(rows, answers, columns=["a"]).rows == [{"a": 1}]
    assert kept(rows, answers).why == "the column born is of type Date, which a request cannot carry"
    assert kept(rows, answers, columns=["c"]).why == "the rows lack c, which the model takes"


def test_rows_with_an_infinite_number_are_left_out() -> None:
    rows = pl.DataFrame({"a": [float("inf"), 2.0, 3.0]})
    found = kept(rows, Answers(labels=np.array([1.0, float("inf"), 2.5])))
    assert (found.rows, found.predictions, found.why) == ([{"a": 3.0}], [2.5], "")
    assert kept(rows[:1], Answers(labels=np.array([1.0]))).why == "no row of it can be told as JSON"
    assert kept(rows[:0], Answers(labels=np.array([]))).rows == []


def test_the_chance_of_one_alone_is_kept_as_that_of_its_class() -> None:
    found = kept(pl.DataFrame({"a": [1]}), Answers(labels=np.array([0]), chances=np.array([0.25])))
    assert (found.classes, found.probabilities) == ([1], [[0.25]])


def test_many_rows_are_thinned_evenly_and_wide_ones_more() -> None:
    n = 10_000
    rows = pl.DataFrame({"a": range(n)})
    found = kept(rows, Answers(labels=np.arange(n)))
    assert len(found.rows) == MOST_ROWS
    assert found.predictions == [row["a"] for row in found.rows]
    steps = np.diff(found.predictions)
    assert (steps.min(), steps.max(), found.predictions[0]) == (39, 40, 0)
    wide = pl.DataFrame({f"column_{at}": [0.123456789] * 300 for at in range(1000)})
    data = keep(wide, Answers(labels=np.arange(300)), by="gate")
    assert len(data) <= MOST_BYTES
    assert 5 < len(msgspec.json.decode(data, type=KeptAnswers).rows) < MOST_ROWS
