"""A line of the prediction log, and what a request and its answer say: rows with names, an answer for each.

A plain line holds the JSON of both as it came and went (docs/formats/predictions.md): whoever writes it only joins
bytes, whoever reads it makes rows of them, here. Does not know files, nor what must not be written down.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from headway.core.prediction_log import OK, Line
from headway.core.signature import LABEL, PROBABILITIES

# Any: values of rows, labels and classes are whatever the model was trained on.
Row = dict[str, Any]

# Any: as in `Row`.
Values = tuple[str, Sequence[int], list[Any]]
"""A tensor: its name, its shape, its values one after the other."""


# Any: as in `Row`.
class Answer(Struct, gc=False):
    """What is read of a plain answer."""

    predictions: list[Any]
    classes: list[Any] = []
    probabilities: list[list[float | None]] = []


class Tensor(Struct, gc=False):
    """A tensor of the Open Inference Protocol, in JSON; without `data` its values are in the binary form."""

    name: str
    shape: list[int]
    datatype: str
    # Any: flat or nested values of any type.
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


class Tensors(Struct, gc=False):
    """What is read of a request or an answer of that protocol."""

    inputs: list[Tensor] = []
    outputs: list[Tensor] = []


# Any: as in `Row`; `request` is a JSON object or a list of some, as the client sent it.
class Written(Struct, gc=False):
    """A line of any form as it stands there; `opened` puts the rows and answers of a plain one in their places."""

    request_id: str
    at: float
    ms: float
    model: str
    version: int
    rows: list[Row] = []
    predictions: list[Any] = []
    classes: list[Any] = []
    probabilities: list[list[float | None]] = []
    outputs: dict[str, list[Any]] = {}
    is_shadow: bool = False
    status: int = OK
    instead_of: int = 0
    request: Any = UNSET
    answer: Answer | UnsetType = UNSET
    v2_request: Tensors | UnsetType = UNSET
    v2_answer: Tensors | UnsetType = UNSET

    @property
    def n_rows(self) -> int:
        """As `Line.n_rows`."""
        return max(len(self.rows), len(self.predictions), int(self.status != OK))


decode = msgspec.json.Decoder(Written).decode
encoder = msgspec.json.Encoder(enc_hook=str)


# Any: as in `Row`.
class PlainLine(Struct, omit_defaults=True, gc=False):
    """A line of a request and its answer as they came and went; both must be JSON on one line (`on_one_line`)."""

    request_id: str
    at: float
    ms: float
    model: str
    version: int
    request: Raw
    answer: Raw
    is_shadow: bool = False
    instead_of: int = 0


# Any: as in `Row`.
class PlainV2Line(Struct, omit_defaults=True, gc=False):
    """The same of the Open Inference Protocol; `classes` are those of the model."""

    request_id: str
    at: float
    ms: float
    model: str
    version: int
    v2_request: Raw
    v2_answer: Raw
    is_shadow: bool = False
    instead_of: int = 0
    classes: Sequence[Any] = ()


def on_one_line(text: bytes) -> Raw:
    """JSON as it may stand in a line: newlines in it are between values only."""
    return Raw(text.replace(b"\n", b" ") if b"\n" in text else text)


def read(line: bytes) -> Line:
    """A line of predictions, of any form. Raises MsgspecError, ValueError, TypeError or LookupError for what is none.

    >>> about = b'"request_id":"a","at":1,"ms":1,"model":"m","version":2'
    >>> read(b'{%b,"request":{"x":5},"answer":{"predictions":[0]}}' % about).rows
    [{'x': 5}]
    """
    w = opened(decode(line))
    return Line(
        request_id=w.request_id,
        at=w.at,
        ms=w.ms,
        model=w.model,
        version=w.version,
        rows=w.rows,
        predictions=w.predictions,
        classes=w.classes,
        probabilities=w.probabilities,
        outputs=w.outputs,
        is_shadow=w.is_shadow,
        status=w.status,
        instead_of=w.instead_of,
    )


def opened(w: Written) -> Written:
    """The line with its rows and answers in place. Raises ValueError, TypeError or LookupError where there are none."""
    if w.answer is not UNSET:
        w.rows = rows_asked(w.request)
        if set(map(type, w.rows)) != {dict}:
            raise ValueError("a row is no object")
        w.predictions, w.classes, w.probabilities = w.answer.predictions, w.answer.classes, w.answer.probabilities
    elif w.v2_answer is not UNSET:
        w.rows = rows_of([] if w.v2_request is UNSET else values_of(w.v2_request.inputs))
        told = answers_of(values_of(w.v2_answer.outputs), w.classes)
        w.predictions, w.classes, w.probabilities, w.outputs = told
    return w


class Alike(Struct):
    """Many requests of the Open Inference Protocol at once: columns instead of rows, one behind the other."""

    n_rows: list[int]
    features: dict[str, list[Any]]
    predictions: list[Any]
    chances: dict[str, list[Any]]


def alike(lines: Sequence[Written]) -> Alike | None:
    """What `opened` would make of them, for a fraction of the time; None where they are not all of one simple form.

    That is one tensor of one width with all columns, a label for each row, and probabilities or not.
    """
    asked = [w.v2_request.inputs for w in lines if w.v2_request is not UNSET]
    told = [w.v2_answer.outputs for w in lines if w.v2_answer is not UNSET]
    if not len(asked) == len(told) == len(lines) or {w.status for w in lines} != {OK} or set(map(len, asked)) != {1}:
        return None
    inputs = _side_by_side([one[0] for one in asked])
    names = {tuple(one.name for one in outputs) for outputs in told}
    if inputs is None or names not in ({(LABEL,)}, {(LABEL, PROBABILITIES)}):
        return None
    name, n_rows, features = inputs
    labels = _side_by_side([outputs[0] for outputs in told])
    if labels is None or labels[1] != n_rows or len(labels[2]) != 1:
        return None
    chances: dict[str, list[Any]] = {}
    if names == {(LABEL, PROBABILITIES)}:
        found = _side_by_side([outputs[1] for outputs in told])
        classes = {tuple(w.classes) for w in lines}
        if found is None or found[1] != n_rows or len(classes) != 1:
            return None
        of = classes.pop() or tuple(range(len(found[2])))
        if len(of) != len(found[2]) or len(set(map(str, of))) != len(of):
            return None
        chances = dict(zip(map(str, of), found[2], strict=True))
    by_name = dict(zip(columns(name, len(features)), features, strict=True))
    return Alike(n_rows=n_rows, features=by_name, predictions=labels[2][0], chances=chances)


# Any: as in `Row`.
def _side_by_side(tensors: list[Tensor]) -> tuple[str, list[int], list[list[Any]]] | None:
    """The name, the rows of each and the columns of tensors that only differ in rows; None when they do not."""
    shapes = {tuple(one.shape[1:]) for one in tensors}
    data = [one.data for one in tensors]
    if len({one.name for one in tensors}) != 1 or len(shapes) != 1:
        return None
    size = width((0, *shapes.pop()))
    if size < 1 or any(not values or values[0].__class__ is list for values in data):
        return None
    sizes = [len(values) for values in data if values is not None]
    if any(n % size for n in sizes):
        return None
    joined = list(chain.from_iterable(values for values in data if values is not None))
    return tensors[0].name, [n // size for n in sizes], [joined[i::size] for i in range(size)]


# Any: JSON.
def rows_asked(value: Any) -> list[Any]:  # noqa: ANN401 (as above)
    """The rows of a plain request, as the server unwraps it."""
    if isinstance(value, dict) and len(value) == 1 and isinstance(value.get("inputs"), dict | list):
        value = value["inputs"]
    return value if isinstance(value, list) else [value]


def values_of(tensors: Sequence[Tensor]) -> list[Values]:
    """Tensors of which all values are in JSON. Raises ValueError for others."""
    found: list[Values] = []
    for tensor in tensors:
        data = tensor.data
        if data is None:
            raise ValueError(f"tensor {tensor.name!r} has no data")
        found.append((tensor.name, tensor.shape, flat(data) if data and data[0].__class__ is list else data))
    return found


# Any: the fields of a `Line`.
def answers_of(
    tensors: Sequence[Values], classes: Sequence[Any]
) -> tuple[list[Any], list[Any], list[Any], dict[str, Any]]:
    """Predictions, classes, probabilities and other outputs of an answer; `classes` are those of the model."""
    told: list[Any] = []
    chances: list[Any] = []
    outputs: dict[str, list[Any]] = {}
    for name, shape, values in tensors:
        size = 1 if len(shape) == 1 else width(shape)
        if name == PROBABILITIES:
            chances = [values] if len(values) == size else _cut(values, size)
        elif name == LABEL:
            told = values if size == 1 else _cut(values, size)
        else:
            outputs |= by_column(name, shape, values)
    return told, list(classes) if chances else [], chances, outputs


# Any: as above.
def _cut(values: list[Any], size: int) -> list[Any]:
    return [values[at : at + size] for at in range(0, len(values), size)]


def flat(data: list[Any]) -> list[Any]:
    """Values of a tensor one after the other, however they were nested."""
    while data and isinstance(data[0], list):
        data = [value for part in data for value in part]
    return data


def width(shape: Sequence[int]) -> int:
    """Values of one row."""
    n = 1
    for size in shape[1:]:
        n *= size
    return n


def rows_of(tensors: Sequence[Values]) -> list[Row]:
    """The rows that tensors hold side by side."""
    if len(tensors) == 1:
        # By far the most requests: no list for each column.
        name, shape, values = tensors[0]
        names = columns(name, width(shape))
        size = len(names)
        if len(values) == size:
            return [dict(zip(names, values, strict=True))]
        return [dict(zip(names, values[at : at + size], strict=True)) for at in range(0, len(values), size)]
    named: dict[str, list[Any]] = {}
    for tensor in tensors:
        named |= by_column(*tensor)
    n_rows = max(map(len, named.values()), default=0)
    return [{name: values[i] for name, values in named.items()} for i in range(n_rows)]


@lru_cache(64)
def columns(name: str, size: int) -> tuple[str, ...]:
    """What a tensor's columns are called: as itself when it has one value a row, else `name.0`, `name.1` and so on."""
    return (name,) if size == 1 else tuple(f"{name}.{i}" for i in range(size))


def by_column(name: str, shape: Sequence[int], values: list[Any]) -> dict[str, list[Any]]:
    """A tensor's columns."""
    names = columns(name, width(shape))
    return {column: values[i :: len(names)] for i, column in enumerate(names)}
