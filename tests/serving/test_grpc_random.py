"""A law: whatever tensors are sent, JSON, the binary form, gRPC contents and gRPC raw give the same bits."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core.prediction import Prediction
from headway.core.signature import Signature, outputs_of
from headway.serving.grpc_messages import messages
from headway.serving.grpc_tensors import CONTENTS
from http2_client import INFER, Caller, calling
from served import KINDS, Made, Served, served
from tries import tries

MESSAGES = messages("inference")
Array = np.ndarray[Any, np.dtype[Any]]
DTYPES = {"BOOL": "?", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"} | {
    kind: f"<{'u' if kind[0] == 'U' else 'i'}{int(kind.lstrip('UINT')) // 8}" for kind in KINDS if "INT" in kind
}


class Sent(NamedTuple):
    """Tensors by name, and the shape of all of them."""

    shape: tuple[int, ...]
    tensors: Mapping[str, tuple[str, Array]]


class Spelled(Made):
    """Answers each row with the bits of all its values, written out."""

    def predict_arrays(self, arrays: Mapping[str, Array]) -> Prediction:
        columns = [
            [f"{name} {array.dtype.name} {bits.hex()}" for bits in spelled(array)] for name, array in arrays.items()
        ]
        return Prediction(labels=np.array([";".join(row) for row in zip(*columns, strict=True)], dtype=object))


def spelled(array: Array) -> list[bytes]:
    if array.dtype == object:
        return [str(text).encode() for text in array.ravel().tolist()]
    return [value.tobytes() for value in array.reshape(len(array), -1)]


def nobody(rows: Sequence[Mapping[str, Any]]) -> Prediction:
    raise AssertionError("asked with rows")


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    # It knows no inputs of its own: whatever comes is taken as it is.
    with served(Spelled(nobody, Signature(outputs=outputs_of(label="BYTES")))) as running:
        yield running


@pytest.fixture(scope="module")
def caller(server: Served) -> Iterator[Caller]:
    with calling(server.port) as made:
        yield made


@st.composite
def sent(draw: st.DrawFn) -> Sent:
    n = draw(st.integers(1, 5))
    shape = (n, *draw(st.sampled_from([(), (1,), (1, 1)])))
    names = draw(st.lists(st.text("abcü ", min_size=1, max_size=4), min_size=1, max_size=4, unique=True))
    tensors = {}
    for name in names:
        kind = draw(st.sampled_from([*KINDS, "BYTES"]))
        if kind == "BYTES":
            texts = draw(st.lists(st.text(st.characters(codec="utf-8"), max_size=6), min_size=n, max_size=n))
            array = np.empty(n, dtype=object)
            array[:] = texts
        else:
            array = draw(numbers(kind, n))
        tensors[name] = (kind, array.reshape(shape))
    return Sent(shape, tensors)


def numbers(kind: str, n: int) -> st.SearchStrategy[Array]:
    if kind == "BOOL":
        each: st.SearchStrategy[Any] = st.booleans()
    elif kind[0] == "F":
        # JSON has no infinity, and one NaN.
        each = st.floats(width=int(kind[2:]), allow_infinity=False, allow_nan=False) | st.just(float("nan"))  # type: ignore[arg-type] # 16, 32 or 64
    else:
        bounds = np.iinfo(DTYPES[kind])
        each = st.integers(int(bounds.min), int(bounds.max))
    return st.lists(each, min_size=n, max_size=n).map(lambda values: np.array(values, dtype=DTYPES[kind]))


def raw(kind: str, array: Array) -> bytes:
    if kind != "BYTES":
        return array.tobytes()
    texts = [text.encode() for text in array.ravel().tolist()]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def by_json(server: Served, asked: Sent) -> list[str]:
    inputs = []
    for name, (kind, array) in asked.tensors.items():
        values = [None if str(value) == "nan" and kind != "BYTES" else value for value in array.ravel().tolist()]
        inputs.append({"name": name, "datatype": kind, "shape": list(asked.shape), "data": values})
    reply = server.post("/v2/models/m/infer", {"inputs": inputs})
    assert reply.status == 200, reply.json
    return list(reply.json["outputs"][0]["data"])


def by_binary(server: Served, asked: Sent) -> list[str]:
    inputs, tail = [], b""
    for name, (kind, array) in asked.tensors.items():
        data = raw(kind, array)
        size = {"binary_data_size": len(data)}
        inputs.append({"name": name, "datatype": kind, "shape": list(asked.shape), "parameters": size})
        tail += data
    head = json.dumps({"inputs": inputs}).encode()
    reply = server.ask("POST", "/v2/models/m/infer", head + tail, {"Inference-Header-Content-Length": str(len(head))})
    assert reply.status == 200, reply.json
    return list(reply.json["outputs"][0]["data"])


def by_grpc(caller: Caller, asked: Sent, *, is_raw: bool) -> list[str]:
    message = MESSAGES.of["ModelInferRequest"](model_name="m")
    for name, (kind, array) in asked.tensors.items():
        one = message.inputs.add(name=name, datatype=kind, shape=asked.shape)
        if is_raw:
            message.raw_input_contents.append(raw(kind, array))
        else:
            values = array.ravel().tolist()
            getattr(one.contents, CONTENTS[kind]).extend(map(str.encode, values) if kind == "BYTES" else values)
    number = caller.call(INFER, message.SerializeToString())
    caller.flush()
    told = caller.told(number)
    assert told.status == 0, told
    caller.events.clear()
    answer = MESSAGES.of["ModelInferResponse"].FromString(told.messages[0])
    if not is_raw:
        return [text.decode() for text in answer.outputs[0].contents.bytes_contents]
    texts, body = [], answer.raw_output_contents[0]
    while body:
        end = 4 + int.from_bytes(body[:4], "little")
        texts.append(body[4:end].decode())
        body = body[end:]
    return texts


def check(server: Served, caller: Caller, asked: Sent) -> None:
    told = by_binary(server, asked)
    for at, row in enumerate(told):
        for part, (name, (kind, array)) in zip(split(row, len(asked.tensors)), asked.tensors.items(), strict=True):
            bits = spelled(array)[at].hex()
            assert part.endswith(f" {bits}" if bits else " "), (name, kind, array, row)
    assert by_grpc(caller, asked, is_raw=True) == told
    assert by_json(server, asked) == told
    if all(kind in CONTENTS for kind, _ in asked.tensors.values()):
        assert by_grpc(caller, asked, is_raw=False) == told


def split(row: str, n: int) -> list[str]:
    parts = row.split(";")
    assert len(parts) == n
    return parts


@given(asked=sent())
@settings(max_examples=tries(60), deadline=None)
def test_four_ways_to_send_tensors_give_the_same_bits(server: Served, caller: Caller, asked: Sent) -> None:
    check(server, caller, asked)


@pytest.mark.slow
@given(asked=sent())
@settings(max_examples=tries(3000), deadline=None)
def test_four_ways_to_send_tensors_give_the_same_bits_often(server: Served, caller: Caller, asked: Sent) -> None:
    check(server, caller, asked)
