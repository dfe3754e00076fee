"""What a plain-JSON request may hold, and how answers are written."""

import json

import numpy as np
import pytest

from headway.core.prediction import Prediction
from headway.serving.protocol import (
    MAX_FAULTS,
    FieldFault,
    Refusal,
    read_rows,
    request_id_from,
    write_prediction,
    write_refusal,
)

COLUMNS = ("carrier", "distance")
ROW = {"carrier": "UA", "distance": 3.5}


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (ROW, [ROW]),
        ([ROW, ROW], [ROW, ROW]),
        ({"inputs": ROW}, [ROW]),
        ({"inputs": [ROW]}, [ROW]),
        ({"carrier": None, "distance": None}, [{"carrier": None, "distance": None}]),
    ],
    ids=["object", "list", "wrapped-object", "wrapped-list", "nulls"],
)
def test_a_row_a_list_and_a_wrapper_are_read(body: object, rows: object) -> None:
    assert read_rows(json.dumps(body).encode(), COLUMNS) == rows


def test_without_known_columns_any_names_will_do() -> None:
    assert read_rows(b'{"inputs": 1}', ()) == [{"inputs": 1}]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b'{"distance": NaN}', "write null for a value that is missing"),
        (b"[]", "the list is empty"),
        (b"1", "row 0 is no object"),
        (b'[{"carrier": "UA", "distance": 1}, 2]', "row 1 is no object"),
        (b'{"carrier": "UA"}', "distance: missing"),
        (b'{"carrier": "UA", "distance": 1, "x": 1}', "x: unknown"),
        (b'{"carrier": ["UA"], "distance": 1}', "carrier: is no single value"),
        (b'{"inputs": {"carier": "UA"}}', "3 values are at fault"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(body: bytes, error: str) -> None:
    refused = read_rows(body, COLUMNS)
    assert isinstance(refused, Refusal)
    assert refused.status == 400
    assert error in refused.error


def test_each_field_at_fault_is_named_with_its_row_and_the_nearest_name() -> None:
    refused = read_rows(b'[{"carrier": "UA", "distance": 1}, {"carier": "UA", "distance": 1}]', COLUMNS)
    assert isinstance(refused, Refusal)
    assert refused.fields == (
        FieldFault(row=1, field="carrier", problem="missing"),
        FieldFault(row=1, field="carier", problem="unknown; did you mean carrier?"),
    )
    assert json.loads(write_refusal(refused, request_id="r"))["fields"][0] == {
        "row": 1,
        "field": "carrier",
        "problem": "missing",
    }


def test_a_flood_of_faults_is_cut() -> None:
    refused = read_rows(json.dumps([{}] * 1000).encode(), COLUMNS)
    assert isinstance(refused, Refusal)
    assert len(refused.fields) == MAX_FAULTS
    assert "2000 values are at fault; the first 20 are listed" in refused.error


def test_predictions_are_plain_json_and_not_a_number_is_null() -> None:
    answer = Prediction(
        labels=np.array([1.5, np.nan]), probabilities=np.array([[0.25, 0.75], [1, 0]]), classes=("no", "yes")
    )
    assert json.loads(write_prediction(answer, model="m@1", request_id="r")) == {
        "predictions": [1.5, None],
        "model": "m@1",
        "request_id": "r",
        "classes": ["no", "yes"],
        "probabilities": [[0.25, 0.75], [1.0, 0.0]],
    }
    plain = Prediction(labels=np.array(["a", True], dtype=object))
    assert json.loads(write_prediction(plain, model="m@1", request_id="r"))["predictions"] == ["a", True]


@pytest.mark.parametrize("text", [b"", b"a b", b"a\nb", b"x" * 129, "é".encode(), b'"'])
def test_a_request_id_that_could_do_harm_in_a_log_is_not_taken_over(text: bytes) -> None:
    assert request_id_from(text) is None
