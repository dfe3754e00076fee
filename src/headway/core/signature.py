"""What a model takes and gives: the names, kinds and widths of its inputs and outputs, in the words of the protocol.

Kinds are the datatypes of the Open Inference Protocol, so that what is registered, checked and told to clients is one
thing. A model says of itself what it knows (`LoadedModel.signature`); a table says it of the rows that were trained on
(`tables.signature.infer`); `completed` puts both together. Knows no library of arrays or tables.
"""

from typing import Literal

from msgspec import Struct

Kind = Literal[
    "BOOL",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
]
"""A datatype of the Open Inference Protocol; `BYTES` are texts."""

DTYPES: dict[Kind, str] = {
    "BOOL": "bool",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "BYTES": "object",
}
"""What NumPy calls each kind; `numpy.dtype` takes these names."""

SIZES: dict[Kind, int] = {
    kind: 1 if kind == "BOOL" else int(kind.lstrip("UINTFP")) // 8 for kind in DTYPES if kind != "BYTES"
}
"""Bytes of one value; texts have no fixed size."""

LABEL = "label"
PROBABILITIES = "probabilities"
"""What the outputs of every model are called: labels, and for a classifier the chance of each class."""

MATRIX = "input"
"""What the one input of a model without names of columns is called, where the model has no name for it."""

ANY_WIDTH = -1


class Field(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One input or output.

    `kind` is None when the model does not say. `width` is None for one value a row (shape `(n_rows,)`); else so many
    values side by side (shape `(n_rows, width)`), or `ANY_WIDTH` of them.
    """

    name: str
    kind: Kind | None = None
    width: int | None = None

    @property
    def shape(self) -> list[int]:
        """The shape as the protocol's metadata gives it, -1 for what varies.

        >>> Field(name="age", kind="INT64").shape, Field(name="x", kind="FP32", width=30).shape
        ([-1], [-1, 30])
        """
        return [-1] if self.width is None else [-1, self.width]


class Signature(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model takes and gives; `classes` in the order of the columns of its probabilities.

    Either each input is a column of the rows, by name, or there is one input with a width: a matrix, whose columns
    have no names. No inputs: the model does not say what it takes.
    """

    inputs: tuple[Field, ...] = ()
    outputs: tuple[Field, ...] = ()
    classes: tuple[bool | int | float | str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns it takes; empty for a matrix, or when it does not say."""
        return tuple(f.name for f in self.inputs if f.width is None)

    @property
    def matrix(self) -> Field | None:
        """The one input that takes all columns side by side; None when columns go by name."""
        return self.inputs[0] if len(self.inputs) == 1 and self.inputs[0].width is not None else None


def taken(signature: Signature, most: int = 8) -> str:
    """What goes in, in words, the first names of many; empty where the model does not say.

    >>> taken(Signature(inputs=(Field(name="age"), Field(name="plan"), Field(name="use"))), most=2)
    '3 by name: age, plan, …'
    >>> taken(Signature(inputs=(Field(name="x", width=30),))), taken(Signature())
    ('30 columns side by side, without names', '')
    """
    if (matrix := signature.matrix) is not None:
        n = "any number of" if matrix.width == ANY_WIDTH else f"{matrix.width:,}"
        return f"{n} columns side by side, without names"
    if not signature.inputs:
        return ""
    names = [one.name for one in signature.inputs]
    return f"{len(names):,} by name: {', '.join([*names[:most], *(['…'] if len(names) > most else [])])}"


def kind_of(dtype: str) -> Kind | None:
    """The kind of what NumPy calls `dtype`; None for what the protocol has no word for.

    >>> kind_of("float32"), kind_of("bool"), kind_of("<U7"), kind_of("datetime64[us]")
    ('FP32', 'BOOL', 'BYTES', None)
    """
    if dtype == "object" or dtype.lstrip("<>|=").startswith(("U", "S", "T")):
        return "BYTES"
    return next((kind for kind, name in DTYPES.items() if name == dtype), None)


def outputs_of(*, label: Kind | None, n_classes: int = 0) -> tuple[Field, ...]:
    """The outputs of a model that gives one label a row, and probabilities when it has `n_classes`.

    >>> [f.name for f in outputs_of(label="INT64", n_classes=2)]
    ['label', 'probabilities']
    """
    chances = (Field(name=PROBABILITIES, kind="FP64", width=n_classes),) if n_classes else ()
    return (Field(name=LABEL, kind=label), *chances)


def completed(said: Signature, seen: Signature) -> Signature:
    """What the model says, and where it says nothing, what was `seen` of the rows it learned from.

    Columns are matched by name. A model that takes any columns is given those that were seen.

    >>> said = Signature(inputs=(Field(name="age"),))
    >>> completed(said, Signature(inputs=(Field(name="age", kind="INT64"), Field(name="id", kind="BYTES")))).inputs
    (Field(name='age', kind='INT64', width=None),)
    """
    return Signature(
        inputs=_completed(said.inputs, seen.inputs),
        outputs=_completed(said.outputs, seen.outputs),
        classes=said.classes or seen.classes,
    )


def _completed(said: tuple[Field, ...], seen: tuple[Field, ...]) -> tuple[Field, ...]:
    kinds = {f.name: f.kind for f in seen}
    return tuple(f if f.kind else Field(name=f.name, kind=kinds.get(f.name), width=f.width) for f in said) or seen
