"""The plain-JSON form of a prediction: what a request may hold, and how an answer is written.

One object, a list of objects, or `{"inputs": …}` with either. Does not know HTTP's transport nor any model.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from headway.core.prediction import Prediction
from headway.core.signature import ANY_WIDTH, SIZES, Field, Kind, Signature

MAX_FAULTS = 20
"""Faults of fields told in one answer: enough to see a pattern, little enough to read."""

MAX_TOLD = 10_000
"""Faults that are counted: a body of nothing else is not read to its end."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON: no UTF-8, and too many lists in lists, are told apart."""

MAX_ID = 128
"""Characters of a request id that are taken over from a client."""

LARGEST = sys.float_info.max
"""No number of a row may be larger: JSON has whole ones without end, and models reckon with FP64 at most."""

# Any: a row's values are whatever the model was trained on; the model checks them.
Row = dict[str, Any]


class FieldFault(Struct, frozen=True, kw_only=True):
    """One value of a request that cannot be used; `row` counts from 0."""

    row: int
    field: str
    problem: str


class Refusal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request is not answered: an HTTP status, a sentence, and the fields at fault."""

    status: int
    error: str
    fields: tuple[FieldFault, ...] = ()


# Any: labels and classes are whatever the model was trained on.
class Predicted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a good answer. A prediction that is no number (NaN) is `null`: JSON has no word for it.

    `probabilities` has a list for each row, in the order of `classes`.
    """

    predictions: list[Any]
    model: str
    request_id: str
    classes: list[Any] | None = None
    probabilities: list[list[float]] | None = None


_encoder = msgspec.json.Encoder(enc_hook=str)
_decoder = msgspec.json.Decoder()
_FLOATS = frozenset({float})
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+=")


class Rows:
    """The rows that one model takes. With `columns` (those that it names) each row must have these and no others.

    Values must be of the `kinds` that are known (see `kinds_of`). A gap, `null`, is for the model to judge.
    """

    __slots__ = ("_columns", "_kinds", "_takes_floats", "_wanted")

    def __init__(self, columns: Sequence[str], kinds: Mapping[str, Kind] = {}) -> None:
        self._columns = columns
        self._kinds = kinds
        self._wanted = frozenset(columns)
        self._takes_floats = all(kind[0] == "F" for kind in kinds.values())

    def read(self, body: bytes) -> list[Row] | Refusal:
        """The rows of a request, or why they are none."""
        try:
            value = _decoder.decode(body)
        except UNREADABLE as e:
            hint = "; write null for a value that is missing" if b"NaN" in body or b"Infinity" in body else ""
            return Refusal(status=400, error=f"the body is not JSON: {e}{hint}")
        # A model may have a column called `inputs`: only an object of that one key, which holds objects, is a wrapper.
        if isinstance(value, dict) and len(value) == 1 and isinstance(value.get("inputs"), dict | list):
            value = value["inputs"]
        rows = value if isinstance(value, list) else [value]
        if not rows:
            return Refusal(status=400, error="there is no row to predict: the list is empty")
        for at, row in enumerate(rows):
            if not isinstance(row, dict):
                return Refusal(status=400, error=f"row {at} is no object: send {{column: value}} for each row")
        faults = self._faults(rows)
        if faults:
            n_more = len(faults) - MAX_FAULTS
            error = (
                f"{faults[0].field}: {faults[0].problem}" if len(faults) == 1 else f"{len(faults)} values are at fault"
            )
            return Refusal(
                status=400,
                error=error + (f"; the first {MAX_FAULTS} are listed" if n_more > 0 else ""),
                fields=tuple(faults[:MAX_FAULTS]),
            )
        return rows

    def _faults(self, rows: list[Row]) -> list[FieldFault]:
        columns, kinds, wanted = self._columns, self._kinds, self._wanted
        found = []
        for at, row in enumerate(rows):
            is_named = not wanted or row.keys() == wanted
            # By far the most rows of models of numbers are as they should be: those are let through by one look.
            if is_named and self._takes_floats and is_of_floats(row):
                continue
            if not is_named:
                found += [FieldFault(row=at, field=name, problem="missing") for name in columns if name not in row]
                found += [
                    FieldFault(row=at, field=name, problem="unknown" + nearest(name, columns))
                    for name in row
                    if name not in wanted
                ]
            for name, value in row.items():
                # As most values of most other rows do, this one fits.
                if value.__class__ is float and kinds.get(name, "FP64")[0] == "F":
                    continue
                problem = _problem(value, kinds.get(name))
                if problem:
                    found.append(FieldFault(row=at, field=name, problem=problem))
            if len(found) > MAX_TOLD:
                break
        return found


def read_rows(body: bytes, columns: Sequence[str], kinds: Mapping[str, Kind] = {}) -> list[Row] | Refusal:
    """The rows of one request; see `Rows`.

    >>> read_rows(b'{"a": 1}', ["a"])
    [{'a': 1}]
    >>> read_rows(b'{"a": 1}', ["a", "b"]).fields[0].problem
    'missing'
    >>> read_rows(b'{"a": "1"}', ["a"], {"a": "FP64"}).fields[0].problem
    'is a text; a number is wanted'
    """
    return Rows(columns, kinds).read(body)


def kinds_of(signature: Signature) -> dict[str, Kind]:
    """The kinds that the values of rows are checked against: those that the model tells, by column."""
    return {field.name: field.kind for field in signature.inputs if field.width is None and field.kind is not None}


def fit(rows: list[Row], matrix: Field | None) -> Refusal | None:
    """Why rows cannot be those of a model that takes one matrix; None when they can, or it takes columns by name.

    >>> fit([{"a": 1, "b": 2}], Field(name="input", width=3)).error
    'row 0 has 2 values, and the model takes 3'
    """
    if matrix is None:
        return None
    for at, row in enumerate(rows):
        if matrix.width not in (ANY_WIDTH, len(row)):
            return Refusal(status=400, error=f"row {at} has {len(row)} values, and the model takes {matrix.width}")
        if at and row.keys() != rows[0].keys():
            return Refusal(status=400, error=f"row {at} has other columns than row 0")
        if is_of_floats(row):
            continue
        for name, value in row.items():
            problem = "" if value.__class__ is float else _problem(value, matrix.kind)
            if problem:
                fault = FieldFault(row=at, field=name, problem=problem)
                return Refusal(status=400, error=f"{name}: {problem}", fields=(fault,))
    return None


def is_of_floats(row: Row) -> bool:
    """Whether all values are numbers with a fraction, which JSON has of a size that fits."""
    return _FLOATS.issuperset(map(type, row.values()))


def _problem(value: object, kind: Kind | None) -> str:
    """What is wrong with a value of this kind; empty when nothing is."""
    if isinstance(value, dict | list):
        return "is no single value"
    if isinstance(value, int) and not -LARGEST <= value <= LARGEST:
        return "is too large a number"
    if kind is None or value is None:
        return ""
    if kind == "BYTES":
        return "" if isinstance(value, str) else "is no text, which is wanted"
    if isinstance(value, str):
        return f"is a text; {'true or false' if kind == 'BOOL' else 'a number'} is wanted"
    return _problem_of_whole(value, kind) if isinstance(value, int | float) and kind[0] != "F" else ""


def _problem_of_whole(value: float, kind: Kind) -> str:
    """What is wrong with a number where a whole one, or a truth value, is wanted."""
    if value != int(value):
        return f"has a fraction; {'true or false' if kind == 'BOOL' else 'a whole number'} is wanted"
    least, most = bounds_of(kind)
    if least <= value <= most:
        return ""
    return "is neither true nor false" if kind == "BOOL" else f"is no {kind}: it goes from {least} to {most}"


@cache
def bounds_of(kind: Kind) -> tuple[int, int]:
    """The least and the most that a whole number of a kind may be.

    >>> bounds_of("INT8"), bounds_of("UINT16"), bounds_of("BOOL")
    ((-128, 127), (0, 65535), (0, 1))
    """
    if kind == "BOOL":
        return 0, 1
    n_bits = 8 * SIZES[kind]
    return (0, 2**n_bits - 1) if kind[0] == "U" else (-(2 ** (n_bits - 1)), 2 ** (n_bits - 1) - 1)


def nearest(name: str, columns: Sequence[str]) -> str:
    """What to add to the word `unknown`: the name that was probably meant, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(name, columns, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def write_prediction(prediction: Prediction, *, model: str, request_id: str) -> bytes:
    """The body of a good answer."""
    p = prediction.probabilities
    return _encoder.encode(
        Predicted(
            predictions=prediction.labels.tolist(),
            model=model,
            request_id=request_id,
            classes=None if p is None else list(prediction.classes),
            probabilities=None if p is None else p.tolist(),
        )
    )


def write_refusal(refusal: Refusal, *, request_id: str) -> bytes:
    """The body of any other answer: `error` is a sentence, `fields` there when a field is at fault."""
    told: dict[str, object] = {"error": refusal.error, "request_id": request_id}
    if refusal.fields:
        told["fields"] = refusal.fields
    return _encoder.encode(told)


def write(value: object) -> bytes:
    """Any other value as JSON."""
    return _encoder.encode(value)


def request_id_from(text: bytes | None) -> str | None:
    """A client's own request id, when it is one that can be logged and sent back as it stands.

    >>> request_id_from(b"order-17"), request_id_from(b"a b"), request_id_from(None)
    ('order-17', None, None)
    """
    if not text or len(text) > MAX_ID:
        return None
    name = text.decode("latin-1")
    return name if _LETTERS.issuperset(name) else None
