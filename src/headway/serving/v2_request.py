"""An inference request of the Open Inference Protocol: read, checked against the model's signature, made a table.

A model is asked by one tensor for each column, or by one matrix with all of them side by side, whichever the client
prefers; texts come by column. Neighbour: `v2_tensors` has the values, `v2` the addresses. Does not know HTTP.
"""

from array import array as packed
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from headway.core.signature import ANY_WIDTH, LABEL, SIZES, Field, Kind, Signature
from headway.serving.protocol import UNREADABLE, Refusal, Row, nearest
from headway.serving.v2_tensors import DATATYPES, from_bytes, from_json, of_list

if TYPE_CHECKING:
    from headway.serving.v2_tensors import Array


UNTOLD: Kind = "FP64"
"""What numbers are called whose kind a model does not tell: any number may be sent as it."""


class InputParameters(Struct, frozen=True, kw_only=True):
    """Those of an input that mean something here."""

    binary_data_size: int | None = None
    shared_memory_region: str | None = None


class Input(Struct, frozen=True, kw_only=True):
    """One tensor of a request; `data` is not looked at before it is known what it should hold. Empty: not sent."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = msgspec.Raw()
    parameters: InputParameters | None = None


class OutputParameters(Struct, frozen=True, kw_only=True):
    """Those of an output that mean something here."""

    binary_data: bool | None = None
    classification: int | None = None
    shared_memory_region: str | None = None


class Wanted(Struct, frozen=True, kw_only=True):
    """An output that is asked for."""

    name: str
    parameters: OutputParameters | None = None


class RequestParameters(Struct, frozen=True, kw_only=True):
    """Those of a request that mean something here."""

    binary_data_output: bool = False


class Request(Struct, frozen=True, kw_only=True):
    """The JSON of an inference request. Members that the protocol does not know are let be."""

    inputs: list[Input]
    id: str | None = None
    parameters: RequestParameters | None = None
    outputs: list[Wanted] | None = None


class Asked(Struct, frozen=True, kw_only=True):
    """A request that was understood: `outputs` pairs each name with whether it goes back in the binary form.

    `arrays` has one for each input of the signature, as `TakesArrays.predict_arrays` wants them.
    """

    arrays: "dict[str, Array]"
    id: str | None
    outputs: tuple[tuple[str, bool], ...]


class Numbers(Struct, frozen=True, kw_only=True):
    """An input of numbers with a fraction in JSON, flat, without parameters: what most clients send."""

    name: str
    shape: list[int]
    datatype: Literal["FP64", "FP32"]
    data: list[float]
    parameters: None = None


class OfNumbers(Struct, frozen=True, kw_only=True):
    """A request of nothing but such inputs, which asks for all outputs in JSON."""

    inputs: list[Numbers]
    id: str | None = None
    parameters: None = None
    outputs: None = None


_decoder = msgspec.json.Decoder(Request)
_numbers = msgspec.json.Decoder(OfNumbers)


class Reader:
    """Reads the requests to one model, whose signature it is."""

    __slots__ = ("_array", "_fitting", "_matrix", "_outputs", "_signature", "_width")

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        matrix = signature.matrix
        self._matrix = None if matrix is None else (matrix.name, matrix.width)
        self._width = 0 if matrix is None or _mismatch(matrix, "FP64") else matrix.width or 0
        self._array: Callable[[packed[float], str], Array] | None = None
        # Which datatypes can be those of a matrix: most requests send it, and need no look at the signature then.
        self._fitting = frozenset(d for d in DATATYPES if matrix is not None and not _mismatch(matrix, d))
        self._outputs = tuple((field.name, False) for field in signature.outputs) or ((LABEL, False),)

    def read(self, body: bytes, *, head_bytes: int | None = None) -> Asked | Refusal:
        """What is asked for. `head_bytes`: how much of the body is JSON, if tensors follow it in binary form."""
        if head_bytes is not None:
            return _read(body, self._signature, head_bytes=head_bytes)
        # Nearly all requests in JSON are of this form, and read in one go; any other is read to tell what is wrong.
        try:
            numbers = _numbers.decode(body)
        except UNREADABLE:
            return _read(body, self._signature)
        if len(numbers.inputs) == 1:
            one = numbers.inputs[0]
            if one.datatype == "FP64" and len(one.shape) == 2 and self._width == one.shape[1]:
                found = self._rows_of(one)
                if found is not None:
                    return Asked(arrays=found, id=numbers.id, outputs=self._outputs)
        tensors: list[Tensor] = []
        for one in numbers.inputs:
            values = of_list(one.name, one.datatype, one.shape, one.data)
            if isinstance(values, Refusal):
                return values
            tensors.append((one.name, one.datatype, values))
        arrays = self._of_matrix(tensors) or to_arrays(tensors, self._signature)
        return arrays if isinstance(arrays, Refusal) else Asked(arrays=arrays, id=numbers.id, outputs=self._outputs)

    def _rows_of(self, one: Numbers) -> "dict[str, Array] | None":
        """Rows of the matrix that the model takes, of as many values as it wants; None when there are not as many."""
        n_rows, width = one.shape
        if n_rows <= 0 or n_rows * width != len(one.data):
            return None
        if self._array is None:
            import numpy as np

            self._array = np.frombuffer
        assert self._matrix is not None
        # By way of a plain array: NumPy would look at each value to find out what they are.
        return {self._matrix[0]: self._array(packed("d", one.data), "d").reshape(n_rows, width)}

    def _of_matrix(self, tensors: "list[Tensor]") -> "dict[str, Array] | None":
        """What `to_arrays` gives, where it is the matrix that the model takes; None for anything else."""
        if self._matrix is None or len(tensors) != 1:
            return None
        (_, datatype, values), (name, width) = tensors[0], self._matrix
        if datatype not in self._fitting or values.ndim != 2 or not values.shape[0]:
            return None
        return {name: values} if width in (ANY_WIDTH, values.shape[1]) else None


def read(body: bytes, signature: Signature, *, head_bytes: int | None = None) -> Asked | Refusal:
    """What one request asks for; see `Reader`."""
    return Reader(signature).read(body, head_bytes=head_bytes)


def _read(body: bytes, signature: Signature, *, head_bytes: int | None = None) -> Asked | Refusal:
    if head_bytes == 0:
        return _read_raw(body, signature)
    if head_bytes is not None and head_bytes > len(body):
        return Refusal(
            status=400, error=f"Inference-Header-Content-Length is {head_bytes}, and the body has {len(body)} bytes"
        )
    request = _decoded(body if head_bytes is None else body[:head_bytes])
    if isinstance(request, Refusal):
        return request
    outputs = _outputs(request, signature)
    if isinstance(outputs, Refusal):
        return outputs
    tensors = _tensors(request, b"" if head_bytes is None else body[head_bytes:])
    arrays = tensors if isinstance(tensors, Refusal) else to_arrays(tensors, signature)
    return arrays if isinstance(arrays, Refusal) else Asked(arrays=arrays, id=request.id, outputs=outputs)


def _decoded(head: bytes) -> Request | Refusal:
    try:
        return _decoder.decode(head)
    except msgspec.ValidationError as e:
        return Refusal(status=400, error=f"the request is none of the Open Inference Protocol: {e}")
    except UNREADABLE as e:
        hint = "; send NaN in the binary form, or null" if b"NaN" in head or b"Infinity" in head else ""
        return Refusal(status=400, error=f"the body is not JSON: {e}{hint}")


def _read_raw(body: bytes, signature: Signature) -> Asked | Refusal:
    """A body that is nothing but the values of the one input (`Inference-Header-Content-Length: 0`)."""
    one = signature.inputs[0] if len(signature.inputs) == 1 else None
    if one is None or one.kind == "BYTES" or one.width == ANY_WIDTH:
        return Refusal(
            status=400, error="a body without JSON is for models of one input of numbers whose width is known"
        )
    kind, width = one.kind or UNTOLD, one.width or 1
    array = from_bytes(one.name, kind, [len(body) // (SIZES[kind] * width), width], body)
    if isinstance(array, Refusal):
        return array
    arrays = to_arrays([(one.name, kind, array)], signature)
    outputs = tuple((field.name, True) for field in signature.outputs or (Field(name=LABEL),))
    return arrays if isinstance(arrays, Refusal) else Asked(arrays=arrays, id=None, outputs=outputs)


def _outputs(request: Request, signature: Signature) -> tuple[tuple[str, bool], ...] | Refusal:
    binary = request.parameters is not None and request.parameters.binary_data_output
    names = [field.name for field in signature.outputs] or [LABEL]
    if not request.outputs:
        return tuple((name, binary) for name in names)
    found = []
    for wanted in request.outputs:
        if wanted.name not in names:
            told = f"output {wanted.name!r}: unknown{nearest(wanted.name, names)}; there are {', '.join(names)}"
            return Refusal(status=400, error=told)
        p = wanted.parameters
        if p is not None and (p.classification or p.shared_memory_region):
            return Refusal(
                status=400, error=f"output {wanted.name!r}: classification and shared memory are not offered here"
            )
        found.append((wanted.name, binary if p is None or p.binary_data is None else p.binary_data))
    if len({name for name, _ in found}) < len(found):
        return Refusal(status=400, error="an output is asked for twice")
    return tuple(found)


Tensor = tuple[str, str, "Array"]
"""Name, datatype, values."""


def _tensors(request: Request, tail: bytes) -> list[Tensor] | Refusal:
    found: list[Tensor] = []
    at = 0
    for one in request.inputs:
        size = None if one.parameters is None else one.parameters.binary_data_size
        refused = _unusable(one, size)
        if refused is not None:
            return refused
        if size is None:
            array = from_json(one.name, one.datatype, one.shape, one.data)
        elif at + size > len(tail):
            left = len(tail) - at
            told = f"input {one.name!r}: binary_data_size is {size}, and {left} bytes are left of the body"
            return Refusal(status=400, error=told)
        else:
            array = from_bytes(one.name, one.datatype, one.shape, tail[at : at + size])
            at += size
        if isinstance(array, Refusal):
            return array
        found.append((one.name, one.datatype, array))
    if at != len(tail):
        return Refusal(status=400, error=f"{len(tail) - at} bytes of the body belong to no input")
    return found


def _unusable(one: Input, size: int | None) -> Refusal | None:
    """Why a tensor cannot be read at all, whatever the model."""
    problem = ""
    if one.datatype not in DATATYPES:
        problem = f"there is no datatype {one.datatype!r}; use one of {', '.join(DATATYPES)}"
    elif one.parameters is not None and one.parameters.shared_memory_region is not None:
        problem = "shared memory is not offered here; send its values"
    elif size is None and not len(one.data):
        problem = "it has neither `data` nor `binary_data_size`"
    elif size is not None and len(one.data):
        problem = "it has both `data` and `binary_data_size`"
    elif size is not None and size < 0:
        problem = "its binary_data_size is negative"
    return Refusal(status=400, error=f"input {one.name!r}: {problem}") if problem else None


def rows_of(arrays: "dict[str, Array]", signature: Signature) -> list[Row]:
    """The same as rows, for a model that does not take arrays; the columns of a matrix are named by their number."""
    if signature.matrix is not None:
        matrix = arrays[signature.matrix.name]
        names = [str(at) for at in range(matrix.shape[1])]
        return [dict(zip(names, values, strict=True)) for values in matrix.tolist()]
    columns = [array.tolist() for array in arrays.values()]
    return [dict(zip(arrays, row, strict=True)) for row in zip(*columns, strict=True)]


def to_arrays(tensors: Sequence[Tensor], signature: Signature) -> "dict[str, Array] | Refusal":
    """What tensors hold, under the names that the model knows and in its order."""
    if not tensors:
        return Refusal(status=400, error=f"there is no input; the model takes {_wanted(signature)}")
    matrix = signature.matrix
    if len(tensors) == 1 and tensors[0][2].ndim >= 2 and signature.inputs:
        columns = () if matrix is not None else signature.columns
        if tensors[0][0] not in columns:
            return _from_matrix(tensors[0], signature, matrix, columns)
    if matrix is not None:
        name, _, array = tensors[0]
        told = f"input {name!r}: the model takes one matrix, {_wanted(signature)}"
        return Refusal(
            status=400, error=told + (f"; got {list(array.shape)}" if len(tensors) == 1 else f"; got {len(tensors)}")
        )
    return _from_columns(tensors, signature)


def _from_matrix(
    tensor: Tensor, signature: Signature, matrix: Field | None, columns: tuple[str, ...]
) -> "dict[str, Array] | Refusal":
    name, datatype, array = tensor
    width = len(columns) if matrix is None else matrix.width
    if array.ndim != 2 or (width not in (ANY_WIDTH, array.shape[1])):
        wanted = f"[-1, {width}]" if matrix is None else _wanted(signature)
        return Refusal(status=400, error=f"input {name!r}: expected {wanted}, got {list(array.shape)}")
    for field in signature.inputs:
        problem = _mismatch(field, datatype)
        if problem:
            by_column = f"; send {field.name!r} in an input of its own" if matrix is None else ""
            return Refusal(status=400, error=f"input {name!r}: {problem}{by_column}")
    if not array.shape[0]:
        return Refusal(status=400, error=f"input {name!r}: there is no row to predict")
    if matrix is not None:
        return {matrix.name: array}
    return {column: array[:, at] for at, column in enumerate(columns)}


def _from_columns(tensors: Sequence[Tensor], signature: Signature) -> "dict[str, Array] | Refusal":
    fields = {field.name: field for field in signature.inputs}
    names = [name for name, _, _ in tensors]
    missing = [name for name in fields if name not in names]
    if missing:
        return Refusal(status=400, error=f"input {missing[0]!r}: missing; the model takes {_wanted(signature)}")
    values: dict[str, Array] = {}
    for name, datatype, array in tensors:
        problem = ""
        if name in values:
            problem = "sent twice"
        elif fields and name not in fields:
            problem = f"unknown{nearest(name, list(fields))}; the model takes {_wanted(signature)}"
        elif array.ndim == 0 or array.size != array.shape[0]:
            problem = f"expected [-1], one value a row, got {list(array.shape)}"
        elif len(array) != len(tensors[0][2]):
            problem = f"has {len(array)} rows, and {names[0]!r} has {len(tensors[0][2])}"
        elif name in fields:
            problem = _mismatch(fields[name], datatype)
        if problem:
            return Refusal(status=400, error=f"input {name!r}: {problem}")
        values[name] = array.ravel()
    if not len(tensors[0][2]):
        return Refusal(status=400, error="there is no row to predict: the inputs are empty")
    return {name: values[name] for name in list(fields) or names}


def _mismatch(field: Field, datatype: str) -> str:
    """Why values of `datatype` cannot be those of `field`; empty when they can."""
    kind = field.kind
    if kind is None or kind == datatype:
        return ""
    told = f"{field.name!r} is {kind}, and {datatype} was sent"
    if "BYTES" in (kind, datatype):
        return told
    # A number with a fraction where whole ones are wanted would be cut off in silence.
    if kind[0] != "F" and datatype[0] in "FB" and datatype != "BOOL":
        return told
    return ""


def _wanted(signature: Signature) -> str:
    if not signature.inputs:
        return "one tensor for each column"
    shown = [f"{field.name} {field.kind or ''} {field.shape}".replace("  ", " ") for field in signature.inputs[:6]]
    more = len(signature.inputs) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
