"""From the bytes of a request and its answer to a line of the log: each form gives its rows, redacted as asked."""

import json
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.codec import prediction_line
from headway.core.prediction_log import Label, LabelLine
from headway.core.recording import Recording
from headway.core.signature import Field, Signature
from headway.serving import protocol, v2_request
from headway.serving.entries import Scribe
from headway.serving.record import Answered
from tries import tries

ALL = Recording()
# What is left out is read before it is written, even if there is none of it.
READ = Recording(leave_out=("nothing-of-that-name",))
ANY = Signature()


def scribe(recording: Recording = ALL, signature: Signature = ANY, key: bytes = b"k") -> Scribe:
    return Scribe("m", 3, signature, recording, key)


def written(entry: Answered, of: Scribe) -> bytes:
    def refuse(_: Answered, why: ValueError) -> None:
        raise why

    (line,) = of.lines([entry], refuse)
    return prediction_line.encoder.encode(line)


def told(entry: Answered, of: Scribe | None = None) -> dict[str, Any]:
    """The line as whoever reads the log sees it."""
    line = written(entry, of or scribe())
    assert b"\n" not in line
    json.loads(line)
    return dict(msgspec.to_builtins(prediction_line.read(line)))


def predicted(request: bytes, answer: bytes = b'{"predictions": [1]}') -> Answered:
    return Answered("r", 5.0, 1.23456, "predict", request, answer)


@pytest.mark.parametrize(
    "request_",
    [b'{"x": 1,\n "y": "a"}', b'[{"x": 1, "y": "a"}]',
     b'{"inputs": {"x": 1, "y": "a"}}', b'{"inputs": [{"x":1,"y":"a"}]}'],
    ids=["row", "rows", "inputs-row", "inputs-rows"],
)  # fmt: skip
@pytest.mark.parametrize("recording", [ALL, READ], ids=["as-it-came", "read"])
def test_each_form_of_a_plain_request_gives_its_rows(request_: bytes, recording: Recording) -> None:
    answer = b'{"predictions": ["b"], "classes": ["a", "b"], "probabilities": [[0.2, 0.8]], "model": "m@3"}'
    assert told(predicted(request_, answer), scribe(recording)) == {
        "request_id": "r", "at": 5.0, "ms": 1.2346, "model": "m", "version": 3, "rows": [{"x": 1, "y": "a"}],
        "predictions": ["b"], "classes": ["a", "b"], "probabilities": [[0.2, 0.8]],
    }  # fmt: skip


@pytest.mark.parametrize("recording", [ALL, READ], ids=["as-it-came", "read"])
def test_a_column_called_inputs_is_a_column(recording: Recording) -> None:
    assert told(predicted(b'{"inputs": 4}'), scribe(recording))["rows"] == [{"inputs": 4}]


@pytest.mark.parametrize("recording", [ALL, READ], ids=["as-it-came", "read"])
def test_tensors_of_json_are_rows_by_column(recording: Recording) -> None:
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
    line = told(entry, scribe(recording, Signature(classes=("no", "yes"))))
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
    refused: list[str] = []
    good = predicted(b'{"x": 1}')
    (line,) = scribe(READ).lines([entry, good], lambda one, why: refused.append(f"{one.request_id}: {why}"))
    assert line.request_id == good.request_id
    assert len(refused) == 1
    assert "Error" in refused[0]


NAMED = Signature(inputs=(Field(name="x", kind="FP64"), Field(name="who", kind="BYTES")))
TENSOR = {"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}


def failed(request: bytes | dict[str, Any], form: str = "predict", head: int = -1, **more: Any) -> Answered:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    return Answered("r", 5.0, 1.0, form, body, b"", head, status=400, **more)


@pytest.mark.parametrize(
    ("entry", "rows"),
    [
        (failed(b'{"x": 1, "who": "a"}'), [{"x": 1, "who": "a"}]),
        (failed(b'[{"x": "one"}, {"who": null}]'), [{"x": "one"}, {"who": None}]),
        (failed(b'{"x": 1, "hwo": "a", "more": 1}'), [{"x": 1}]),
        (failed(b'{"x": {"deep": 1}, "who": [1]}'), [{}]),
        (failed({"inputs": [TENSOR]}, "infer"), [{"x": 1}]),
        (failed(b'{"x": 1'), []),
        (failed(b"[" * 100_000), []),
        (failed(b"7"), []),
        (failed(b'{"x": "\xff"}'), []),
        (failed(b"", "infer"), []),
        (failed({"inputs": [TENSOR | {"shape": [2]}]}, "infer"), []),
        (failed({"inputs": [TENSOR | {"shape": [-1, -1]}]}, "infer"), []),
        (failed({"inputs": [TENSOR | {"shape": [1, 1_000_000_000]}]}, "infer"), []),
        (failed({"inputs": [TENSOR, TENSOR | {"name": "who", "shape": [2], "data": [1, 2]}]}, "infer"), []),
        (failed(b"1234567", "infer", 0), []),
        (failed({"inputs": [TENSOR]}, "infer", 10**6), [{"x": 1}]),
        (failed({"inputs": [{**TENSOR, "data": None, "parameters": {"binary_data_size": "-"}}]}, "infer"), []),
        (failed({"inputs": [{**TENSOR, "data": None, "parameters": {"binary_data_size": 1e400}}]}, "infer"), []),
    ],
    ids=[
        "row", "rows", "unknown-columns", "deep", "tensors", "no-json", "too-deep", "no-row", "no-text", "empty",
        "short", "negative", "huge", "uneven", "raw", "head-past-end", "no-size", "endless-size",
    ],
)  # fmt: skip
def test_of_a_failed_request_is_told_what_the_model_knows(entry: Answered, rows: list[dict[str, Any]]) -> None:
    line = told(entry, scribe(signature=NAMED))
    assert line.pop("rows") == rows
    assert line == {
        "request_id": "r", "at": 5.0, "ms": 1.0, "model": "m", "version": 3, "predictions": [], "status": 400,
    }  # fmt: skip


def test_a_failed_request_is_redacted_as_any_other() -> None:
    of = scribe(Recording(leave_out=("who",)), NAMED)
    assert told(failed(b'{"x": 1, "who": "a", "Who": "b"}'), of)["rows"] == [{"x": 1}]
    unnamed = scribe(Recording(leave_out=("who",)), ANY)
    assert told(failed(b'{"who": "a", "Who": "b"}'), unnamed)["rows"] == [{}]
    assert told(failed(b'{"a": 1}'), scribe())["rows"] == [{"a": 1}]
    assert told(failed({str(i): i for i in range(1001)}), scribe())["rows"] == [{}]


def test_who_was_to_answer_is_told() -> None:
    line = told(Answered("r", 5.0, 1.0, "predict", b'{"x": 1}', b'{"predictions": [1]}', instead_of=4))
    assert (line["instead_of"], line["predictions"], "status" in line) == (4, [1], False)
    line = told(failed(b'{"x": 1}', is_shadow=True, instead_of=4))
    assert (line["instead_of"], line["is_shadow"], line["status"]) == (4, True, 400)


PLAIN = {"inputs": [{**TENSOR, "shape": [1, 1]}]}
ANSWER = b'{"outputs": [{"name": "label", "shape": [1], "datatype": "INT64", "data": [3]}]}'


@pytest.mark.parametrize(
    ("entry", "is_plain"),
    [
        (predicted(b'{"x": 1}'), True),
        (predicted('{"x": "\u00fc"}'.encode()), True),
        (predicted(b'{"x": 1,\r\n "y":\t2}\n'), True),
        (Answered("r", 5.0, 1.0, "infer", json.dumps(PLAIN).encode(), ANSWER), True),
        (Answered("r", 5.0, 1.0, "infer", json.dumps(PLAIN).encode(), ANSWER, len(json.dumps(PLAIN))), True),
        (Answered("r", 5.0, 1.0, "infer", json.dumps({**PLAIN, "parameters": {"key": "k"}}).encode(), ANSWER), False),
        (Answered("r", 5.0, 1.0, "infer", b'{"of-client": "\xff",' + json.dumps(PLAIN).encode()[1:], ANSWER), False),
    ],
    ids=["predict", "letters", "white-space", "infer", "infer-head", "parameters", "no-text"],
)
@pytest.mark.parametrize("marks", [{}, {"is_shadow": True, "instead_of": 7}], ids=["usual", "marked"])
def test_what_stands_there_as_it_came_reads_as_what_was_read_before(
    entry: Answered, is_plain: bool, marks: dict[str, Any]
) -> None:
    one = msgspec.structs.replace(entry, **marks)
    signature = Signature(classes=("100%", 'a"b'))
    line = written(one, scribe(signature=signature))
    assert (b'request":' in line) == is_plain
    assert told(one, scribe(signature=signature)) == told(one, scribe(READ, signature))


BODIES = [
    ("predict", b'{"x": 1.5, "who": "a"}'),
    ("predict", b'[{"x": null, "who": "b"}, {"x": 2, "who": "\\u00fc"}]'),
    ("predict", b'{"inputs": [{"x": 1e3, "who": "c"}]}'),
    ("infer", json.dumps({"inputs": [TENSOR, {"name": "who", "shape": [1], "datatype": "BYTES", "data": ["a"]}],
                          "id": "i", "more": [1, "\n"]}).encode()),
]  # fmt: skip
BYTES = b'{}[],:"\\ \n\r\t\x00\xff\xc3\x9c019.-+eEnulltrefas xyw'
CHANGES = st.lists(
    st.tuples(st.integers(0, 999), st.sampled_from(["put", "cut", "set"]), st.sampled_from(sorted(set(BYTES)))),
    max_size=4,
)


@settings(max_examples=tries(200), deadline=None)
@given(st.sampled_from(BODIES), CHANGES)
def test_whatever_a_client_sends_its_line_can_be_read(
    asked: tuple[str, bytes], changes: list[tuple[int, str, int]]
) -> None:
    form, body = asked[0], bytearray(asked[1])
    for where, what, byte in changes:
        at = where * (len(body) + 1) // 1000
        body[at : at + (what != "put")] = bytes([byte]) if what != "cut" else b""
    request = bytes(body)
    if form == "predict":
        is_good = not isinstance(protocol.read_rows(request, ("x", "who"), protocol.kinds_of(NAMED)), protocol.Refusal)
        answer = b'{"predictions": [1, 2]}'
    else:
        is_good = not isinstance(v2_request.read(request, NAMED), protocol.Refusal)
        answer = b'{"outputs": [{"name": "label", "shape": [1], "datatype": "INT64", "data": [1]}]}'
    entry = Answered("r", 5.0, 1.0, form, request, answer, status=200 if is_good else 400)
    assert told(entry, scribe(signature=NAMED)) == told(entry, scribe(READ, NAMED))


def test_the_page_of_the_format_shows_lines_as_they_are_written() -> None:
    page = (Path(__file__).parents[2] / "docs/formats/predictions.md").read_text()
    shown = [text for text in page.splitlines() if text.startswith('{"request_id":"order-') and '"model":' in text]
    assert len(shown) == 4
    found = [prediction_line.read(text.encode()) for text in shown]
    assert [(one.request_id, one.predictions, one.status) for one in found] == [
        ("order-17", [1], 200), ("order-17", [1], 200), ("order-19", [1], 200), ("order-18", [], 400)
    ]  # fmt: skip
    assert found[0] == found[1]
    plain, v2 = json.loads(shown[1]), json.loads(shown[2])
    entry = Answered(plain["request_id"], plain["at"], plain["ms"], "predict", b'{"age": 44,\n"plan": "b"}', b"")
    entry = msgspec.structs.replace(entry, answer=json.dumps(plain["answer"], separators=(",", ":")).encode())
    of = Scribe("churn", 3, Signature(classes=(0, 1)), ALL, b"")
    assert written(entry, of).decode() == shown[1]
    asked, answer = (json.dumps(v2[name], separators=(",", ":")).encode() for name in ("v2_request", "v2_answer"))
    assert written(Answered(v2["request_id"], v2["at"], v2["ms"], "infer", asked, answer), of).decode() == shown[2]


def test_nothing_of_a_request_stands_there_as_it_came_when_columns_are_left_out() -> None:
    request = b'{"x": 1, "email": "a@b.c", "email": "d@e.f"}'
    for recording in (Recording(leave_out=("email",)), Recording(hashed=("email",))):
        line = written(predicted(request), scribe(recording))
        assert b"@" not in line
        assert b'request":' not in line


def test_a_label_says_when_it_came() -> None:
    line = scribe().label(Label("r", "late", 4.0, 1, 9.0), now=11.0)
    assert line == LabelLine(request_id="r", row=1, label="late", at=4.0, received_at=9.0)
    assert scribe().label(Label("r", "late", 4.0), now=11.0).received_at == 11.0
