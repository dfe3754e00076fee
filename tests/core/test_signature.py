"""What models take and give, in the words of the Open Inference Protocol."""

import msgspec
import numpy as np
import pytest

from headway.core.signature import (
    ANY_WIDTH,
    DTYPES,
    SIZES,
    Field,
    Kind,
    Signature,
    completed,
    kind_of,
    outputs_of,
)

AGE = Field(name="age", kind="INT64")
CITY = Field(name="city", kind="BYTES")


@pytest.mark.parametrize("kind", sorted(DTYPES))
def test_every_kind_is_one_of_numpys_and_back(kind: Kind) -> None:
    dtype = np.dtype(DTYPES[kind])
    assert kind_of(str(dtype)) == kind
    if kind != "BYTES":
        assert SIZES[kind] == dtype.itemsize


@pytest.mark.parametrize("dtype", ["datetime64[us]", "complex128", "timedelta64[ns]", "longdouble"])
def test_what_the_protocol_has_no_word_for_is_unknown(dtype: str) -> None:
    assert kind_of(dtype) is None


def test_columns_go_by_name_and_a_matrix_does_not() -> None:
    by_name = Signature(inputs=(AGE, CITY))
    assert (by_name.columns, by_name.matrix) == (("age", "city"), None)
    matrix = Field(name="input", kind="FP32", width=3)
    assert (Signature(inputs=(matrix,)).columns, Signature(inputs=(matrix,)).matrix) == ((), matrix)
    assert (Signature().columns, Signature().matrix) == ((), None)
    assert Field(name="x", width=ANY_WIDTH).shape == [-1, -1]


def test_what_the_model_says_stands_and_gaps_are_filled_from_what_was_seen() -> None:
    said = Signature(inputs=(Field(name="city"), Field(name="age", kind="FP64")), outputs=outputs_of(label=None))
    seen = Signature(inputs=(AGE, CITY), outputs=outputs_of(label="BOOL"), classes=(False, True))
    whole = completed(said, seen)
    assert whole.inputs == (CITY, Field(name="age", kind="FP64"))
    assert whole.outputs == (Field(name="label", kind="BOOL"),)
    assert whole.classes == (False, True)


def test_a_model_that_says_nothing_takes_the_columns_that_were_seen() -> None:
    assert completed(Signature(), Signature(inputs=(AGE, CITY))).inputs == (AGE, CITY)


def test_a_column_that_was_not_seen_stays_unknown() -> None:
    assert completed(Signature(inputs=(Field(name="x"),)), Signature(inputs=(AGE,))).inputs == (Field(name="x"),)


def test_a_signature_survives_being_written() -> None:
    whole = Signature(inputs=(AGE, CITY), outputs=outputs_of(label="BYTES", n_classes=2), classes=("no", "yes"))
    assert msgspec.json.decode(msgspec.json.encode(whole), type=Signature) == whole
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(whole), type=Signature) == whole
