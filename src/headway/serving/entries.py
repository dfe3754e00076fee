"""From the bytes of a request and its answer to a line of the prediction log: rows with names, redacted as asked.

Runs in the process that writes the log, so that nothing reaches a disk before it is redacted. Does not check what the
server checked already: bytes that cannot be read are counted, not mended.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from headway.core.prediction_log import Label, LabelLine, Line
from headway.core.recording import Recording
from headway.core.signature import LABEL, PROBABILITIES, Field, Signature
from headway.serving.record import Answered

# Any: values of rows, labels and classes are whatever the model was trained on.
Row = dict[str, Any]


# Any: as in `Row`.
class _Predicted(Struct):
    predictions: list[Any]
    classes: list[Any] = []
    probabilities: list[list[float | None]] = []


class _Tensor(Struct):
    name: str
    shape: list[int]
    datatype: str
    # Any: flat or nested values of any type; missing when they are in the binary part.
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


class _Tensors(Struct):
    inputs: list[_Tensor] = []
    outputs: list[_Tensor] = []


_answers = msgspec.json.Decoder(_Predicted)
_tensors = msgspec.json.Decoder(_Tensors)
_encoder = msgspec.json.Encoder(enc_hook=str)

_CODES = {
    "BOOL": "?", "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q",
    "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q", "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip


class Scribe:
    """Writes lines for one model version. `key` is what hashes are made with: without it they tell nothing."""

    __slots__ = ("_key", "_model", "_recording", "_signature", "_version")

    def __init__(self, model: str, version: int, signature: Signature, recording: Recording, key: bytes) -> None:
        self._model = model
        self._version = version
        self._signature = signature
        self._recording = recording
        self._key = key

    def line(self, entry: Answered) -> bytes:
        """One prediction as a line. Raises ValueError when its bytes are not what `form` says."""
        try:
            rows, told = self._predicted(entry) if entry.form == "predict" else self._inferred(entry)
            if self._recording.redacts:
                rows = [self._redacted(row) for row in rows]
            line = Line(
                request_id=entry.request_id,
                at=entry.at,
                ms=round(entry.ms, 4),
                model=self._model,
                version=self._version,
                rows=rows,
                is_shadow=entry.is_shadow,
                **told,
            )
            return _encoder.encode(line) + b"\n"
        except (msgspec.MsgspecError, struct.error, KeyError, IndexError, TypeError, OverflowError) as e:
            raise ValueError(f"{type(e).__name__}: {e}") from e

    def label(self, label: Label, *, now: float) -> bytes:
        """One label as a line."""
        line = LabelLine(request_id=label.request_id, row=label.row, label=label.label, at=label.at, received_at=now)
        return _encoder.encode(line) + b"\n"

    # Any: the fields of a `Line`.
    def _predicted(self, entry: Answered) -> tuple[list[Row], dict[str, Any]]:
        value = msgspec.json.decode(entry.request)
        # As `protocol.read_rows` unwraps it.
        if isinstance(value, dict) and len(value) == 1 and isinstance(value.get("inputs"), dict | list):
            value = value["inputs"]
        told = _answers.decode(entry.answer)
        rows: list[Row] = value if isinstance(value, list) else [value]
        return rows, {
            "predictions": told.predictions,
            "classes": told.classes,
            "probabilities": told.probabilities,
        }

    # Any: as above.
    def _inferred(self, entry: Answered) -> tuple[list[Row], dict[str, Any]]:
        if entry.request_head == 0:
            inputs = [_raw(entry.request, self._signature.inputs[0])]
        else:
            inputs = _read(entry.request, entry.request_head, "inputs")
        rows = _rows(inputs)
        told: dict[str, Any] = {"predictions": [], "outputs": {}}
        for name, shape, flat in _read(entry.answer, entry.answer_head, "outputs"):
            width = _width(shape)
            if name == PROBABILITIES:
                told["probabilities"] = [flat[at : at + width] for at in range(0, len(flat), width)]
                told["classes"] = list(self._signature.classes)
            elif name == LABEL:
                told["predictions"] = (
                    flat if width == 1 else [flat[at : at + width] for at in range(0, len(flat), width)]
                )
            else:
                told["outputs"] |= _by_column(name, shape, flat)
        return rows, told

    def _redacted(self, row: Row) -> Row:
        kept = {name: value for name, value in row.items() if name not in self._recording.leave_out}
        for name in self._recording.hashed:
            if kept.get(name) is not None:
                text = msgspec.json.encode(kept[name])
                kept[name] = blake2b(text, digest_size=16, key=self._key).hexdigest()
        return kept


def _read(body: bytes, head: int, which: str) -> list[tuple[str, list[int], list[Any]]]:
    """Name, shape and flat values of each tensor, from JSON and the binary part behind it."""
    at = len(body) if head < 0 else head
    found = []
    for tensor in getattr(_tensors.decode(body[:at]), which):
        if tensor.data is None:
            size = int(tensor.parameters["binary_data_size"])
            flat = _unpacked(body[at : at + size], tensor.datatype)
            at += size
        else:
            flat = _flat(tensor.data)
        found.append((tensor.name, tensor.shape, flat))
    return found


def _raw(body: bytes, field: Field) -> tuple[str, list[int], list[Any]]:
    """A body that is nothing but the values of a model's one input."""
    flat = _unpacked(body, field.kind or "")
    width = field.width or 1
    return field.name, [len(flat) // width, width], flat


def _unpacked(raw: bytes, datatype: str) -> list[Any]:
    if datatype in _CODES:
        code = _CODES[datatype]
        return list(struct.unpack(f"<{len(raw) // struct.calcsize('<' + code)}{code}", raw))
    if datatype != "BYTES":
        raise ValueError(f"values of {datatype} are not logged")
    texts = []
    at = 0
    while at < len(raw):
        (size,) = struct.unpack_from("<I", raw, at)
        texts.append(raw[at + 4 : at + 4 + size].decode("utf-8", "replace"))
        at += 4 + size
    return texts


def _flat(data: list[Any]) -> list[Any]:
    while data and isinstance(data[0], list):
        data = [value for part in data for value in part]
    return data


def _width(shape: Sequence[int]) -> int:
    """Values of one row."""
    width = 1
    for size in shape[1:]:
        width *= size
    return width


def _rows(tensors: Sequence[tuple[str, list[int], list[Any]]]) -> list[Row]:
    """The rows that tensors hold side by side."""
    if len(tensors) == 1:
        # By far the most requests: no list for each column.
        name, shape, flat = tensors[0]
        names = _columns(name, _width(shape))
        width = len(names)
        return [dict(zip(names, flat[at : at + width], strict=True)) for at in range(0, len(flat), width)]
    named: dict[str, list[Any]] = {}
    for tensor in tensors:
        named |= _by_column(*tensor)
    n_rows = max(map(len, named.values()), default=0)
    return [{name: values[i] for name, values in named.items()} for i in range(n_rows)]


@lru_cache(64)
def _columns(name: str, width: int) -> tuple[str, ...]:
    """What a tensor's columns are called: as itself when it has one value a row, else `name.0`, `name.1` and so on."""
    return (name,) if width == 1 else tuple(f"{name}.{i}" for i in range(width))


def _by_column(name: str, shape: list[int], flat: list[Any]) -> dict[str, list[Any]]:
    """A tensor's columns."""
    names = _columns(name, _width(shape))
    return {column: flat[i :: len(names)] for i, column in enumerate(names)}
