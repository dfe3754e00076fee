"""A request that is read in one go is understood as one whose parts are looked at one by one, faults and all."""

import random
from typing import Any

import msgspec
import numpy as np
import pytest

from headway.core.signature import Field, Signature, outputs_of
from headway.serving import v2_request
from headway.serving.protocol import Refusal
from headway.serving.v2_request import Reader

MATRIX = Signature(inputs=(Field(name="x", kind="FP32", width=3),), outputs=outputs_of(label="FP64", n_classes=2))
ANY = Signature(inputs=(Field(name="x", width=-1),))
WHOLE = Signature(inputs=(Field(name="x", kind="INT64", width=2),), outputs=outputs_of(label="INT64"))
COLUMNS = Signature(inputs=(Field(name="a", kind="FP64"), Field(name="b", kind="FP32")))
MIXED = Signature(inputs=(Field(name="a"), Field(name="b", kind="BYTES")))


def body(rng: random.Random) -> bytes:
    """A request, right or nearly so."""
    names = rng.choice([["x"], ["x"], ["a", "b"], ["a", "b"], ["b", "a"], ["a"], ["a", "a"], ["a", "b", "c"], []])
    n_rows = rng.choice([0, 1, 1, 1, 2])
    tensors = [tensor(rng, name, n_rows) for name in names]
    told: dict[str, Any] = {"inputs": tensors}
    for name, values in OTHER.items():
        if rng.random() < 0.08:
            told[name] = rng.choice(values)
    raw = msgspec.json.encode(told)
    if rng.random() < 0.1:
        at = rng.randrange(len(raw))
        raw = raw[:at] + rng.choice([b"", b"\xff", b"NaN", b"0", b'"', b"1e400"]) + raw[at + 1 :]
    return raw


OTHER: dict[str, list[Any]] = {
    "id": ["own", None, 3],
    "parameters": [None, {}, {"binary_data_output": True}, {"binary_data_output": 1}],
    "outputs": [None, [], [{"name": "label"}], [{"name": "nowhere"}], 4],
    "unknown": [1],
}


def tensor(rng: random.Random, name: str, n_rows: int) -> dict[str, Any]:
    width = rng.choice([2, 3, 3]) if name == "x" else rng.choice([1, 1, 1, 1, 2])
    values: list[Any] = [rng.choice([1.5, -2, 0, 1.25, 7, 2**53 + 1] * 6 + [1e39]) for _ in range(n_rows * width)]
    if rng.random() < 0.1:
        values = [rng.choice([None, "1", True, 1.5]) for _ in values]
    nested = [values[at : at + width] for at in range(0, len(values), width)]
    found: dict[str, Any] = {
        "name": name,
        "shape": rng.choice([[n_rows, width]] * 7 + [[n_rows * width], [n_rows, width, 1], [-1], [9, 9], []]),
        "datatype": rng.choice(["FP64", "FP32"] * 4 + ["INT64", "BOOL", "BYTES", "FP16", "FP128"]),
        "data": rng.choice([values, values, values, nested]),
    }
    if rng.random() < 0.1:
        found["parameters"] = rng.choice([None, {}, {"binary_data_size": 8}])
    if rng.random() < 0.05:
        del found[rng.choice(list(found))]
    return found


@pytest.mark.parametrize(
    ("signature", "n_least"),
    [(MATRIX, 40), (ANY, 80), (COLUMNS, 60), (WHOLE, 0), (MIXED, 0)],
    ids=["three numbers", "any numbers", "columns", "whole numbers", "texts among them"],
)
def test_both_ways_of_reading_understand_the_same(signature: Signature, n_least: int) -> None:
    rng = random.Random(7)
    reader = Reader(signature)
    n_good = 0
    for _ in range(2000):
        raw = body(rng)
        quick, whole = reader.read(raw), v2_request._read(raw, signature)
        if isinstance(whole, Refusal):
            assert quick == whole, raw
            continue
        n_good += 1
        assert not isinstance(quick, Refusal), raw
        assert (quick.id, quick.outputs, list(quick.arrays)) == (whole.id, whole.outputs, list(whole.arrays))
        for name, array in quick.arrays.items():
            assert array.dtype == whole.arrays[name].dtype
            np.testing.assert_array_equal(array, whole.arrays[name])
    assert n_good >= n_least
