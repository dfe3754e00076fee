"""Inference over gRPC as the same over REST in the binary form, and back: nothing else here knows tensors.

So whatever holds for a request over REST holds over gRPC: what is checked, how it is told, where it is routed and what
is logged. Values are the same bit for bit. Does not know how a message comes.
"""

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from headway.core.signature import DTYPES
from headway.serving.grpc_messages import Message
from headway.serving.protocol import Refusal
from headway.serving.v2_tensors import DATATYPES, n_values, to_bytes

if TYPE_CHECKING:
    from collections.abc import ItemsView, Sequence

# Where the protocol keeps the values of which datatype; FP16 and BF16 go as bytes only.
CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
    "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip


class Size(Struct, frozen=True, kw_only=True):
    """The parameters of an output in the binary form."""

    binary_data_size: int


class Output(Struct, frozen=True, kw_only=True):
    """One tensor of an answer in the binary form."""

    name: str
    datatype: str
    shape: list[int]
    parameters: Size


class Answer(Struct, frozen=True, kw_only=True):
    """The JSON before the tensors of an answer."""

    model_name: str
    model_version: str
    id: str
    outputs: list[Output]


_decoder = msgspec.json.Decoder(Answer)


def to_body(request: Message, max_bytes: int) -> tuple[bytes, int] | Refusal:
    """The body of the same request over REST, and how much of it is JSON."""
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        return Refusal(status=400, error=f"raw_input_contents has {len(raw)} parts for {len(request.inputs)} inputs")
    inputs, tail = [], []
    for at, one in enumerate(request.inputs):
        data: bytes | Refusal
        if not raw:
            data = _bytes_of(one, max_bytes)
        elif one.HasField("contents"):
            data = _refuse(one.name, "it has contents, and raw_input_contents is there as well; send one of them")
        else:
            data = raw[at]
        if isinstance(data, Refusal):
            return data
        parameters = {"binary_data_size": len(data), **_shared(one)}
        inputs.append({"name": one.name, "shape": list(one.shape), "datatype": one.datatype, "parameters": parameters})
        tail.append(data)
    # Those of the request may be what it is routed by.
    given = {name: getattr(value, value.WhichOneof("parameter_choice") or "bool_param") for name, value in _of(request)}
    told: dict[str, object] = {"inputs": inputs, "parameters": {**given, "binary_data_output": True}}
    if request.id:
        told["id"] = request.id
    if request.outputs:
        told["outputs"] = [{"name": one.name, "parameters": _shared(one)} for one in request.outputs]
    head = msgspec.json.encode(told)
    return b"".join((head, *tail)), len(head)


def _of(request: Message) -> "ItemsView[str, Message]":
    items: ItemsView[str, Message] = request.parameters.items()
    return items


# Any: what a client wrote.
def _shared(one: Message) -> dict[str, Any]:
    """The parameters that ask for what is refused over REST, too."""
    found: dict[str, Any] = {}
    for name in ("shared_memory_region", "classification"):
        if name in one.parameters:
            value = one.parameters[name]
            found[name] = value.string_param if name == "shared_memory_region" else value.int64_param
    return found


def _bytes_of(one: Message, max_bytes: int) -> bytes | Refusal:
    """The values of an input in the binary form."""
    field = CONTENTS.get(one.datatype)
    if field is None:
        is_half = one.datatype in DATATYPES
        told = "goes in raw_input_contents only" if is_half else f"is none; use one of {', '.join(DATATYPES)}"
        return _refuse(one.name, f"the datatype {one.datatype!r} {told}")
    others = [found.name for found, _ in one.contents.ListFields() if found.name != field]
    if others:
        return _refuse(one.name, f"values of {one.datatype} go in {field}, and {others[0]} was sent")
    values = getattr(one.contents, field)
    n = n_values(one.name, one.shape)
    if isinstance(n, Refusal):
        return n
    if len(values) != n:
        return _refuse(one.name, f"the shape {list(one.shape)} holds {n} values, and {len(values)} were sent")
    if n * 8 > 4 * max_bytes:
        told = f"input {one.name!r} has too many values; send fewer rows at a time"
        return Refusal(status=413, error=told)
    return _texts(values) if one.datatype == "BYTES" else _numbers(one.name, one.datatype, values)


def _texts(values: "Sequence[bytes]") -> bytes:
    return b"".join(part for text in values for part in (len(text).to_bytes(4, "little"), text))


# Any: numbers or truth values.
def _numbers(name: str, datatype: str, values: "Sequence[Any]") -> bytes | Refusal:
    import numpy as np

    dtype = np.dtype(DTYPES[datatype])  # type: ignore[index] # one of `CONTENTS`
    # Small ones come as 32 bits.
    wide = dtype if dtype.itemsize > 2 or dtype.kind == "b" else np.dtype("int32" if dtype.kind == "i" else "uint32")
    array = np.fromiter(values, dtype=wide, count=len(values))
    if wide != dtype:
        bounds = np.iinfo(dtype)
        wrong = array[(array < bounds.min) | (array > bounds.max)]
        if len(wrong):
            return _refuse(name, f"{wrong[0]} is no {datatype}: it goes from {bounds.min} to {bounds.max}")
    return to_bytes(array.astype(dtype, copy=False), datatype)


def from_body(body: bytes, head_bytes: int, asked: Message, into: Message) -> None:
    """Fill `into` with an answer over REST in the binary form: as bytes if `asked` had bytes, else by datatype.

    Parameters of the request are those of the answer.
    """
    answer = _decoder.decode(body[:head_bytes])
    into.model_name = answer.model_name
    into.model_version = answer.model_version
    into.id = answer.id
    for name, value in asked.parameters.items():
        into.parameters[name].CopyFrom(value)
    is_raw = bool(asked.raw_input_contents) or any(one.datatype not in CONTENTS for one in answer.outputs)
    at = head_bytes
    for one in answer.outputs:
        data = body[at : at + one.parameters.binary_data_size]
        at += len(data)
        output = into.outputs.add(name=one.name, datatype=one.datatype, shape=one.shape)
        if is_raw:
            into.raw_output_contents.append(data)
        else:
            getattr(output.contents, CONTENTS[one.datatype]).extend(_values(one.datatype, data))


# Any: numbers, truth values or bytes.
def _values(datatype: str, data: bytes) -> "Sequence[Any]":
    if datatype != "BYTES":
        import numpy as np

        array = np.frombuffer(data, dtype=np.dtype(DTYPES[datatype]).newbyteorder("<"))  # type: ignore[index] # one of `CONTENTS`
        values: list[Any] = array.tolist()
        return values
    texts = []
    at = 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        texts.append(data[at + 4 : end])
        at = end
    return texts


def _refuse(name: str, problem: str) -> Refusal:
    return Refusal(status=400, error=f"input {name!r}: {problem}")
