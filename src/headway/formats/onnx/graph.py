"""What onnxruntime does not tell of a graph: the classes that its classifiers were taught, read from the file's bytes.

A file is a protocol buffer: fields with a number, of which the few that matter are looked into and the rest is stepped
over, so that a forest of a hundred megabytes costs milliseconds and no other package. The numbers are those of
onnx/onnx.proto. Knows no arrays and runs nothing.
"""

from collections.abc import Iterator

_GRAPH, _NODE, _ATTRIBUTE = 7, 1, 5
_NAME, _INTS, _STRINGS = 1, 8, 9
_TEXTS = b"classlabels_strings"
_WHOLE = (b"classlabels_int64s", b"classlabels_ints", b"classlabels")
_LENGTH_DELIMITED = 2


def classes_of(data: memoryview) -> tuple[int | str, ...]:
    """The labels that the last classifier of the graph gives, in the order of its probabilities; empty when none says.

    Raises ValueError for bytes that are no protocol buffer.
    """
    found: tuple[int | str, ...] = ()
    for graph in _parts(data, _GRAPH):
        for node in _parts(graph, _NODE):
            for attribute in _parts(node, _ATTRIBUTE):
                name = next((bytes(part) for part in _parts(attribute, _NAME)), b"")
                if name == _TEXTS:
                    found = tuple(str(part, "utf-8") for part in _parts(attribute, _STRINGS)) or found
                elif name in _WHOLE:
                    found = tuple(_ints(attribute)) or found
    return found


def _parts(data: memoryview, wanted: int) -> Iterator[memoryview]:
    """The contents of the fields with a number, of those that have a length."""
    for number, kind, value in _fields(data):
        if number == wanted and kind == _LENGTH_DELIMITED and isinstance(value, memoryview):
            yield value


def _ints(attribute: memoryview) -> Iterator[int]:
    """The whole numbers of an attribute, packed or one by one."""
    for number, _, value in _fields(attribute):
        if number != _INTS:
            continue
        if isinstance(value, int):
            yield _signed(value)
            continue
        at = 0
        while at < len(value):
            one, at = _varint(value, at)
            yield _signed(one)


def _fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield tag >> 3, kind, value
            continue
        if kind == _LENGTH_DELIMITED:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"no field of kind {kind}")
        if at + size > len(data):
            raise ValueError("the file ends within a field")
        yield tag >> 3, kind, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("the file ends within a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
