"""From the bytes of a request and its answer to a line of the prediction log: rows with names, redacted as asked.

Runs in the process that writes the log, so that nothing reaches a disk before it is redacted. Does not check what the
server checked already: bytes that cannot be read are counted, not mended.
"""

import struct
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Raw, structs

from headway.codec import prediction_line as lines
from headway.codec.prediction_line import PlainLine, PlainV2Line, Row, Values, on_one_line
from headway.core.prediction_log import OK, Label, LabelLine, Line
from headway.core.recording import Recording
from headway.core.signature import Field, Signature
from headway.serving.record import Answered

_plain = msgspec.json.Decoder()
_answers = msgspec.json.Decoder(lines.Answer)
_tensors = msgspec.json.Decoder(lines.Tensors)

_CODES = {
    "BOOL": "?", "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q",
    "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q", "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip


Written = Line | PlainLine | PlainV2Line
"""A line, before it is bytes."""

MOST_COLUMNS = 1000
"""Those of a failed request to a model that does not name its columns; one with more is logged without its rows."""


class Scribe:
    """Writes lines for one model version. `key` is what hashes are made with: without it they tell nothing."""

    __slots__ = ("_classes", "_is_plain", "_key", "_known", "_model", "_recording", "_signature", "_version")

    def __init__(self, model: str, version: int, signature: Signature, recording: Recording, key: bytes) -> None:
        self._model = model
        self._version = version
        self._signature = signature
        self._known = frozenset(signature.columns)
        self._recording = recording
        self._key = key
        self._is_plain = not recording.redacts
        self._classes = signature.classes

    def lines(self, entries: Iterable[Answered], refuse: Callable[[Answered, ValueError], None]) -> list[Written]:
        """A line for each request; `refuse` is told of answered ones whose bytes are not what `form` says.

        An answered request of which all may be written down stands there as it came. The server read the JSON of it,
        but members that mean nothing to it only as such: their texts need not be UTF-8. Parameters are not the model's,
        and nobody said that they may be written down.
        """
        model, version, classes, is_plain = self._model, self._version, self._classes, self._is_plain
        found: list[Written] = []
        # Once for each request of a server: no call that could be none.
        for one in entries:
            asked = one.request
            if is_plain and one.status == OK and one.answer_head < 0:
                told = Raw(one.answer)
                about = (one.request_id, one.at, round(one.ms, 4), model, version)
                if one.form == "predict":
                    found.append(PlainLine(*about, on_one_line(asked), told, one.is_shadow, one.instead_of))
                    continue
                if one.request_head in (-1, len(asked)) and b'"parameters"' not in asked and asked.isascii():
                    marks = (one.is_shadow, one.instead_of, classes)
                    found.append(PlainV2Line(*about, on_one_line(asked), told, *marks))
                    continue
            try:
                found.append(self._read_line(one))
            except ValueError as e:
                refuse(one, e)
        return found

    def _read_line(self, entry: Answered) -> Line:
        """One request whose rows are read first. Raises ValueError where they cannot be."""
        try:
            if entry.status != OK:
                rows, told = self._failed(entry)
            else:
                rows, told = self._predicted(entry) if entry.form == "predict" else self._inferred(entry)
            if self._recording.redacts:
                rows = [self._redacted(row) for row in rows]
            return Line(
                request_id=entry.request_id,
                at=entry.at,
                ms=round(entry.ms, 4),
                model=self._model,
                version=self._version,
                rows=rows,
                is_shadow=entry.is_shadow,
                status=entry.status,
                instead_of=entry.instead_of,
                **told,
            )
        except (msgspec.MsgspecError, struct.error, KeyError, IndexError, TypeError, OverflowError) as e:
            raise ValueError(f"{type(e).__name__}: {e}") from e

    def label(self, label: Label, *, now: float) -> LabelLine:
        """One label as a line. It came `now` where it does not say when: a server of before said it not."""
        return LabelLine(**{**structs.asdict(label), "received_at": label.received_at or now})

    # Any: the fields of a `Line`.
    def _predicted(self, entry: Answered) -> tuple[list[Row], dict[str, Any]]:
        told = _answers.decode(entry.answer)
        return lines.rows_asked(_plain.decode(entry.request)), {
            "predictions": told.predictions,
            "classes": told.classes,
            "probabilities": told.probabilities,
        }

    # Any: as above.
    def _inferred(self, entry: Answered) -> tuple[list[Row], dict[str, Any]]:
        rows = lines.rows_of(self._tensors(entry))
        answer = _read(entry.answer, entry.answer_head, "outputs")
        told, classes, chances, outputs = lines.answers_of(answer, self._signature.classes)
        return rows, {"predictions": told, "classes": classes, "probabilities": chances, "outputs": outputs}

    def _tensors(self, entry: Answered) -> list[Values]:
        if entry.request_head == 0:
            return [_raw(entry.request, self._signature.inputs[0])]
        return _read(entry.request, entry.request_head, "inputs")

    # Any: as above.
    def _failed(self, entry: Answered) -> tuple[list[Row], dict[str, Any]]:
        """The rows of a request that got no answer, as far as they are what the model knows; none where they are not.

        Nobody checked them: a client's own names must not become columns without end, nor values under a misspelt name
        be written that should be left out.
        """
        try:
            if entry.form == "predict":
                rows = lines.rows_asked(_plain.decode(entry.request))
            else:
                tensors = self._tensors(entry)
                rows = lines.rows_of(tensors) if all(map(_is_whole, tensors)) else []
        except (
            msgspec.MsgspecError,
            struct.error,
            ValueError,
            LookupError,
            TypeError,
            ArithmeticError,
            RecursionError,
        ):
            rows = []
        is_table = all(isinstance(row, dict) for row in rows)
        return [self._of_model(row) for row in rows] if is_table else [], {"predictions": []}

    def _of_model(self, row: Row) -> Row:
        """What a row has of the columns that the model knows, where it knows any: a matrix may have any names."""
        if not self._known and (self._recording.redacts or len(row) > MOST_COLUMNS):
            return {}
        return {
            name: value
            for name, value in row.items()
            if (name in self._known or not self._known) and not isinstance(value, dict | list)
        }

    def _redacted(self, row: Row) -> Row:
        kept = {name: value for name, value in row.items() if name not in self._recording.leave_out}
        for name in self._recording.hashed:
            if kept.get(name) is not None:
                text = msgspec.json.encode(kept[name])
                kept[name] = blake2b(text, digest_size=16, key=self._key).hexdigest()
        return kept


def _is_whole(tensor: Values) -> bool:
    """Whether a tensor has as many values as its shape says, of which the first is the number of rows."""
    _, shape, flat = tensor
    return (
        1 <= len(shape) <= 2 and shape[0] > 0 and lines.width(shape) > 0 and len(flat) == shape[0] * lines.width(shape)
    )


def _read(body: bytes, head: int, which: str) -> list[Values]:
    """Name, shape and flat values of each tensor, from JSON and the binary part behind it."""
    at = len(body) if head < 0 else head
    found = []
    for tensor in getattr(_tensors.decode(body[:at]), which):
        if tensor.data is None:
            size = int(tensor.parameters["binary_data_size"])
            flat = _unpacked(body[at : at + size], tensor.datatype)
            at += size
        else:
            flat = lines.flat(tensor.data)
        found.append((tensor.name, tensor.shape, flat))
    return found


def _raw(body: bytes, field: Field) -> Values:
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
