"""From the bytes of a request and its answer to a line of the log: each form gives its rows, redacted as asked."""

import json
import struct
from typing import Any

import pytest

from headway.core.prediction_log import Label
from headway.core.recording import Recording
from headway.core.signature import Field, Signature
from headway.serving.entries import Scribe
from headway.serving.record import Answered

ALL = Recording()
ANY = Signature()


def scribe(recording: Recording = ALL, signature: Signature = ANY, key: bytes = b"k") -> Scribe:
    return Scribe("m", 3, signature, recording, key)


def told(entry: Answered, of: Scribe | None = None) -> dict[str, Any]:
    line = (of or scribe()).line(entry)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return dict(json.loads(line))


def predicted(request: bytes, answer: bytes = b'{"predictions": [1]}') -> Answered:
    return Answered("r", 5.0, 1.23456, "predict", request, answer)


@pytest.mark.parametrize(
    "request_",
    [b'{"x": 1,\n "y": "a"}', b'[{"x": 1, "y": "a"}]',
     b'{"inputs": {"x": 1, "y": "a"}}', b'{"inputs": [{"x":1,"y":"a"}]}'],
    ids=["row", "rows", "inputs-row", "inputs-rows"],
)  # fmt: skip
def test_each_form_of_a_plain_request_gives_its_rows(request_: bytes) -> None:
    answer = b'{"predictions": ["b"], "classes": ["a", "b"], "probabilities": [[0.2, 0.8]], "model": "m@3"}'
    assert told(predicted(request_, answer)) == {
        "request_id": "r", "at": 5.0, "ms": 1.2346, "model": "m", "version": 3, "rows": [{"x": 1, "y": "a"}],
        "predictions": ["b"], "classes": ["a", "b"], "probabilities": [[0.2, 0.8]],
    }  # fmt: skip


def test_a_column_called_inputs_is_a_column() -> None:
    assert told(predicted(b'{"inputs": 4}'))["rows"] == [{"inputs": 4}]


def test_tensors_of_json_are_rows_by_column() -> None:
    request = {
        "inputs": [
            {"name": "x", "shape": [2], "datatype": "FP64", "data": [1.5, 2.5]},
            {"name": "y", "shape": [2, 1], "datatype": "BYTES", "data": [["a"], ["b"]]},
        ]
    }
    answer = {
        "outputs": [
            {"name": "label", "shape": [2], "datatype": "INT64", "data": [0, 1]},
            {"name": "probabilities", "shape": [2, 2], "datatype": "FP64", "data": [0.9, 0.1, 0.2, 0.8]},
            {"name": "score", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, 3, 4]},
        ]
    }
    entry = Answered("r", 5.0, 1.0, "infer", json.dumps(request).encode(), json.dumps(answer).encode())
    line = told(entry, scribe(signature=Signature(classes=("no", "yes"))))
    assert line["rows"] == [{"x": 1.5, "y": "a"}, {"x": 2.5, "y": "b"}]
    assert (line["predictions"], line["classes"]) == ([0, 1], ["no", "yes"])
    assert line["probabilities"] == [[0.9, 0.1], [0.2, 0.8]]
    assert line["outputs"] == {"score.0": [1, 3], "score.1": [2, 4]}


def test_binary_tensors_are_read_in_their_order() -> None:
    texts = b"".join(struct.pack("<I", len(t)) + t for t in (b"a", "ü".encode()))
    parts = [struct.pack("<4f", 1, 2, 3, 4), texts, struct.pack("<2?", True, False)]
    head = json.dumps(
        {
            "inputs": [
                {"name": name, "shape": shape, "datatype": kind, "parameters": {"binary_data_size": len(part)}}
                for name, shape, kind, part in zip(
                    "xyz", [[2, 2], [2], [2]], ["FP32", "BYTES", "BOOL"], parts, strict=True
                )
            ]
        }
    ).encode()
    back = json.dumps(
        {"outputs": [{"name": "label", "shape": [2], "datatype": "INT64", "parameters": {"binary_data_size": 16}}]}
    ).encode()
    entry = Answered(
        "r", 5.0, 1.0, "infer", head + b"".join(parts), back + struct.pack("<2q", 7, -8), len(head), len(back)
    )
    line = told(entry)
    assert line["rows"] == [{"x.0": 1, "x.1": 2, "y": "a", "z": True}, {"x.0": 3, "x.1": 4, "y": "ü", "z": False}]
    assert line["predictions"] == [7, -8]


def test_a_body_of_nothing_but_values_is_the_models_one_input() -> None:
    signature = Signature(inputs=(Field(name="input", kind="FP64", width=2),))
    answer = b'{"outputs": [{"name": "label", "shape": [1], "datatype": "FP64", "data": [3]}]}'
    entry = Answered("r", 5.0, 1.0, "infer", struct.pack("<2d", 1, 2), answer, 0)
    assert told(entry, scribe(signature=signature))["rows"] == [{"input.0": 1, "input.1": 2}]


def test_what_is_left_out_or_hashed_is_not_in_the_line() -> None:
    of = scribe(Recording(leave_out=("email",), hashed=("id", "none")))
    one = told(predicted(b'{"x": 1, "email": "a@b.c", "id": "secret-17", "none": null}'), of)["rows"][0]
    assert set(one) == {"x", "id", "none"}
    assert (one["x"], one["none"], len(one["id"])) == (1, None, 32)
    same = told(predicted(b'{"id": "secret-17"}'), of)["rows"][0]["id"]
    other = told(predicted(b'{"id": "secret-17"}'), scribe(Recording(hashed=("id",)), key=b"another"))["rows"][0]["id"]
    assert same == one["id"] != other


@pytest.mark.parametrize(
    "entry",
    [
        predicted(b"{"),
        predicted(b'{"x": 1}', b"[]"),
        Answered("r", 5.0, 1.0, "infer", b'{"inputs": [{"name": "x"}]}', b"{}"),
        Answered("r", 5.0, 1.0, "infer", b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP64"}]}', b"{}"),
    ],
    ids=["no-json", "no-answer", "no-tensor", "no-data"],
)
def test_bytes_that_are_not_what_they_should_be_are_told_of(entry: Answered) -> None:
    with pytest.raises(ValueError, match="Error"):
        scribe().line(entry)


def test_a_label_says_when_it_came() -> None:
    line = json.loads(scribe().label(Label("r", "late", 4.0, 1), now=9.0))
    assert line == {"request_id": "r", "row": 1, "label": "late", "at": 4.0, "received_at": 9.0}
