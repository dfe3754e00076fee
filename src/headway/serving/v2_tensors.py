"""Tensors of the Open Inference Protocol to arrays and back: as JSON, flat or nested, and as little-endian bytes.

Whatever a client sends is checked before memory is taken for it: a shape is believed once there are as many values.
Texts (`BYTES`) are UTF-8. Does not know models.
"""

from collections.abc import Sequence
from struct import calcsize
from typing import TYPE_CHECKING, Any

import msgspec

from headway.core.signature import DTYPES, SIZES, kind_of
from headway.serving.protocol import UNREADABLE, Refusal

if TYPE_CHECKING:
    import numpy as np

    # Any: arrays of whatever datatype was sent.
    Array = np.ndarray[Any, np.dtype[Any]]

BF16 = "BF16"
"""Half of the bits of FP32; there is no such number in JSON nor NumPy, so that it comes in bytes and becomes FP32."""

DATATYPES = (*DTYPES, BF16)

MAX_RANK = 8

BY_LETTER = {"?": "BOOL", "f": "FP32", "d": "FP64", "q": "INT64", "l": f"INT{8 * calcsize('l')}"}
"""What the protocol calls the values of the usual answers, by the letters that NumPy has for them."""

_floats = msgspec.json.Decoder(list[float])
_whole = msgspec.json.Decoder(list[int])
_truths = msgspec.json.Decoder(list[bool])
_texts = msgspec.json.Decoder(list[str | None])
_anything = msgspec.json.Decoder()


def n_values(name: str, shape: Sequence[int]) -> int | Refusal:
    """How many values a shape has."""
    n = 1
    for size in shape:
        if size < 0:
            n = -1
            break
        n *= size
    if n < 0 or len(shape) > MAX_RANK:
        return _refuse(name, f"the shape {_short(shape)} is none that can be sent")
    return n


def from_json(name: str, datatype: str, shape: Sequence[int], data: bytes | memoryview) -> "Array | Refusal":
    """The array of a JSON list. A missing number is `null`, which becomes NaN; a missing text stays None."""
    # Before memory is taken for it.
    n = n_values(name, shape)
    if isinstance(n, Refusal):
        return n
    if datatype == BF16:
        return _refuse(name, "BF16 has no form in JSON; send it in the binary form, or send FP32")
    try:
        values: list[Any] = _decoder(datatype).decode(data)
    except msgspec.ValidationError:
        other = _nested(name, datatype, shape, data)
        if isinstance(other, Refusal):
            return other
        values = other
    except UNREADABLE as e:
        return _refuse(name, f"its data is no list: {e}")
    return of_list(name, datatype, shape, values)


# Any: as in `_array`.
def of_list(name: str, datatype: str, shape: Sequence[int], values: list[Any]) -> "Array | Refusal":
    """The array of the values of a JSON list, which are of the datatype."""
    n = n_values(name, shape)
    if isinstance(n, Refusal):
        return n
    if len(values) != n:
        return _refuse(name, f"the shape {_short(shape)} holds {n} values, and {len(values)} were sent")
    # Most requests are of these; for them no other kind is asked about.
    return _doubles(name, shape, values) if datatype == "FP64" else _array(name, datatype, shape, values)


# Any: as in `_array`.
def _doubles(name: str, shape: Sequence[int], values: list[Any]) -> "Array | Refusal":
    import numpy as np

    try:
        return np.array(values, dtype=np.float64).reshape(shape)
    except OverflowError:
        return _refuse(name, "a number is too large for FP64")


# Any: a decoder of one of four lists.
def _decoder(datatype: str) -> "msgspec.json.Decoder[Any]":
    match datatype[0]:
        case "F":
            return _floats
        case "I" | "U":
            return _whole
        case _:
            return _truths if datatype == "BOOL" else _texts


# Any: values of JSON.
def _nested(name: str, datatype: str, shape: Sequence[int], data: bytes | memoryview) -> "list[Any] | Refusal":
    """The values of nested lists in row-major order, or of a flat one with gaps."""
    try:
        level = _anything.decode(data)
    except UNREADABLE as e:
        return _refuse(name, f"its data is no list: {e}")
    if not isinstance(level, list):
        return _refuse(name, "its data is no list")
    if level and isinstance(level[0], list):
        if list(shape[:1]) != [len(level)]:
            return _refuse(name, f"its data begins with {len(level)} lists, which the shape {_short(shape)} does not")
        for size in shape[1:]:
            if not all(isinstance(part, list) and len(part) == size for part in level):
                return _refuse(name, f"its lists do not lie in one another as the shape {_short(shape)} says")
            level = [value for part in level for value in part]
    for value in level:
        if not _is_of(datatype, value):
            return _refuse(name, f"{_shown(value)} is no {datatype}")
    return [float("nan") if value is None else value for value in level] if datatype[0] == "F" else level


def _is_of(datatype: str, value: object) -> bool:
    if datatype == "BYTES":
        return value is None or isinstance(value, str)
    if datatype == "BOOL":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (datatype[0] == "F" and (value is None or isinstance(value, float)))


# Any: checked values of JSON.
def _array(name: str, datatype: str, shape: Sequence[int], values: list[Any]) -> "Array | Refusal":
    import numpy as np

    dtype = np.dtype(DTYPES[datatype])  # type: ignore[index] # `v2_request` has checked that it is one
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        if values and (min(values) < bounds.min or max(values) > bounds.max):
            worst = min(values) if min(values) < bounds.min else max(values)
            return _refuse(name, f"{_shown(worst)} is no {datatype}: it goes from {bounds.min} to {bounds.max}")
    if dtype.kind != "f":
        return np.array(values, dtype=dtype).reshape(shape)
    exact = _doubles(name, [len(values)], values)
    if isinstance(exact, Refusal):
        return exact
    with np.errstate(over="ignore"):
        rounded = exact.astype(dtype)
    if np.isinf(rounded).any():
        return _refuse(name, f"{exact[np.isinf(rounded)][0]} is too large for {datatype}")
    return rounded.reshape(shape)


def from_bytes(name: str, datatype: str, shape: Sequence[int], data: bytes) -> "Array | Refusal":
    """The array of a tensor in the binary form: little-endian values one after the other; texts with their length."""
    import numpy as np

    n = n_values(name, shape)
    if isinstance(n, Refusal):
        return n
    if datatype == "BYTES":
        return _read_texts(name, shape, n, data)
    size = 2 if datatype == BF16 else SIZES[datatype]  # type: ignore[index] # as above
    if len(data) != n * size:
        return _refuse(
            name, f"the shape {_short(shape)} of {datatype} takes {n * size} bytes, and {len(data)} were sent"
        )
    if datatype == BF16:
        wide: Array = np.frombuffer(data, dtype="<u2").astype("<u4") << 16
        return wide.view("<f4").reshape(shape)
    if datatype == "BOOL":
        truths: Array = np.frombuffer(data, dtype=np.uint8) != 0
        return truths.reshape(shape)
    array: Array = np.frombuffer(data, dtype=np.dtype(DTYPES[datatype]).newbyteorder("<"))  # type: ignore[index] # as above
    return array.reshape(shape)


def _read_texts(name: str, shape: Sequence[int], n: int, data: bytes) -> "Array | Refusal":
    import numpy as np

    # Each text takes four bytes at least: a shape that promises more is not given memory.
    if n * 4 > len(data):
        return _refuse(name, f"the shape {_short(shape)} holds {n} texts; {len(data)} bytes are too few for them")
    texts = np.empty(n, dtype=object)
    at = 0
    for i in range(n):
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        if at + 4 > len(data) or end > len(data):
            return _refuse(name, f"its bytes end within text {i} of {n}")
        try:
            texts[i] = data[at + 4 : end].decode()
        except UnicodeDecodeError:
            return _refuse(name, f"text {i} is not UTF-8")
        at = end
    if at != len(data):
        return _refuse(name, f"{len(data) - at} bytes are left after its {n} texts")
    return texts.reshape(shape)


def datatype_of(array: "Array") -> str:
    """What the protocol calls the values of a model's answer; what it has no word for is told as text."""
    # By the letter of a dtype: NumPy makes up its name, and its hash, anew each time.
    return BY_LETTER.get(array.dtype.char) or _datatype(array.dtype)


def _datatype(dtype: "np.dtype[Any]") -> str:
    kind = kind_of(dtype.name)
    return "BYTES" if kind is None or dtype.kind in "OUST" else kind


# Any: numbers, truth values or texts.
def to_values(array: "Array", datatype: str) -> list[Any]:
    """The values for JSON, flat; no number (NaN, infinite) is `null` there."""
    values: list[Any] = array.tolist() if array.ndim == 1 else array.ravel().tolist()
    if datatype == "BYTES":
        return [value if isinstance(value, str) else str(value) for value in values]
    return values


def to_bytes(array: "Array", datatype: str) -> bytes:
    """The values in the binary form."""
    if datatype != "BYTES":
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    texts = [text.encode() for text in to_values(array, datatype)]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def _refuse(name: str, problem: str) -> Refusal:
    return Refusal(status=400, error=f"input {name!r}: {problem}")


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str | int | float) else msgspec.json.encode(value).decode()
    return text if len(text) <= 40 else text[:37] + "…"


def _short(shape: Sequence[int]) -> str:
    text = str(list(shape))
    return text if len(text) <= 60 else text[:57] + "…"
