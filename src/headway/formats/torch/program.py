"""A program of PyTorch, asked by rows or by arrays.

Neighbour: `archive` tells what a file is and what its extra files say. Does not know how the program came to be.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from headway.core.prediction import Prediction
from headway.core.signature import ANY_WIDTH, Field, Kind, Signature, kind_of, outputs_of
from headway.errors import DataUnreadable, ModelUnreadable
from headway.formats.torch.archive import Said
from headway.tables.model_rows import arrays_of, check_some, column_of, first_line, matrix_of

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    # Any: numbers of any kind.
    Array = np.ndarray[Any, np.dtype[Any]]
    Numbers = np.ndarray[Any, np.dtype[np.float64]]


class Input(Struct, frozen=True, kw_only=True):
    """An input of a program: for how many rows it was made, and the sizes beside them; None for what varies.

    `rest` is None when the program does not say. `dtype` is torch's.
    """

    # Any: torch's own, which this file does not import.
    name: str
    dtype: Any
    n_rows: int | None = None
    rest: tuple[int | None, ...] | None = None

    @property
    def kind(self) -> Kind:
        """The kind that comes nearest: the protocol has no word for what only torch knows."""
        return kind_of(str(self.dtype).removeprefix("torch.")) or "FP32"


class Program:
    """A program, and what is known of its inputs and outputs."""

    format = "torch"

    # Any: what torch loaded.
    def __init__(self, program: Any, inputs: tuple[Input, ...], said: Said, path: str) -> None:  # noqa: ANN401 (as above)
        self._program = program
        self._inputs = inputs
        self._path = path
        self._names = said.columns
        self._classes = said.classes
        self._is_logits = said.output == "logits"
        self.notes: tuple[str, ...] = ()
        fields = tuple(_field(i, said.columns, path, is_alone=len(inputs) == 1) for i in inputs)
        self._matrix = Signature(inputs=fields).matrix
        self.columns = self._names if self._matrix else tuple(f.name for f in fields)
        self._n_rows = next((i.n_rows for i in inputs if i.n_rows is not None), None)
        if self._n_rows is not None:
            note = f"the model was exported for {self._n_rows} rows and is asked so many at a time, whatever is sent"
            self.notes += (f"{note}: export it with dynamic_shapes to let them vary",)
        label = self._learned(said.output)
        self.signature = Signature(
            inputs=fields, outputs=outputs_of(label=label, n_classes=len(self._classes)), classes=self._classes
        )

    def _learned(self, output: str) -> Kind | None:
        """The kind of its labels; what was said of classes is dropped, with a note, when its answers are none of them.

        It is asked about a row of zeros, where it says how wide one is.
        """
        answer = self._probe()
        if answer is None:
            if self._classes and not output:
                self._drop_classes("write probabilities or logits as headway.output of its extra files")
            return None if not self._classes else _kind_of_class(self._classes[0])
        label, value = answer
        if self._classes:
            fault = self._fault(value, output)
            if not fault:
                return _kind_of_class(self._classes[0])
            self._drop_classes(fault)
        return (
            kind_of(str(label.dtype)) if label is not None else kind_of(str(value.dtype)) if value is not None else None
        )

    def _fault(self, value: "Array | None", output: str) -> str:
        """Why an answer to one row cannot be about the classes that were told; empty when it can."""
        n_classes = len(self._classes)
        width = 0 if value is None else 1 if value.ndim == 1 else value.shape[1]
        if value is None or (width != n_classes and (width, n_classes) != (1, 2)):
            return f"it gives {width} numbers a row, and headway.classes of its extra files has {n_classes}"
        row = value.ravel()[:width]
        is_whole = 0 <= row[0] <= 1 if width == 1 else row.min() >= -1e-6 and abs(row.sum() - 1) < 1e-3
        if not output and not is_whole:
            return "its output is no probabilities: if it is logits, write that as headway.output of its extra files"
        return ""

    def _drop_classes(self, why: str) -> None:
        self._classes = ()
        self.notes += (f"only what the model computes is answered, without classes: {why}",)

    def _probe(self) -> "tuple[Array | None, Array | None] | None":
        import numpy as np

        if self._matrix is not None and self._matrix.width == ANY_WIDTH:
            return None
        shape = (1,) if self._matrix is None else (1, self._matrix.width or 1)
        try:
            return self._asked([np.zeros(shape) for _ in self._inputs])
        except DataUnreadable:
            return None

    # Any: as in `LoadedModel.predict`.
    def predict(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> Prediction:
        """Answer for all rows at once. Raises DataUnreadable."""
        check_some(rows)
        if self._matrix is None:
            return self._answered([column_of(rows, i.name, i.kind) for i in self._inputs])
        width = None if self._matrix.width == ANY_WIDTH else self._matrix.width
        if self._inputs[0].dtype.is_floating_point:
            return self._answered([matrix_of(rows, self._names, width=width)])
        import numpy as np

        names = self._names or tuple(rows[0] if isinstance(rows, Sequence) else rows.columns)
        return self._answered([np.column_stack([column_of(rows, name, self._inputs[0].kind) for name in names])])

    def predict_arrays(self, arrays: "Mapping[str, Array]") -> Prediction:
        """Answer from an array for each input. Raises DataUnreadable."""
        return self._answered(arrays_of(arrays, [i.name for i in self._inputs]))

    def _answered(self, arrays: "list[Array]") -> Prediction:
        import numpy as np

        label, value = self._asked(arrays)
        if not self._classes:
            told = label if label is not None else value
            assert told is not None
            return Prediction(labels=told)
        assert value is not None
        chances = _chances(value.astype(np.float64), is_logits=self._is_logits)
        # Both are read: a program may give another label than the likeliest class.
        labels = np.asarray(self._classes)[chances.argmax(axis=1)] if label is None else label
        return Prediction(labels=labels, probabilities=chances, classes=self._classes)

    def _asked(self, arrays: "list[Array]") -> "tuple[Array | None, Array | None]":
        """The labels and the numbers that the program gives, each None when it gives none. Raises DataUnreadable."""
        import numpy as np
        import torch

        n_rows = len(arrays[0])
        step = self._n_rows or n_rows
        try:
            with torch.no_grad():
                parts = [self._part(torch, arrays, at, step) for at in range(0, n_rows, step)]
        except DataUnreadable:
            raise
        except Exception as e:  # a program may raise anything
            raise DataUnreadable(
                f"the model cannot use these rows: {first_line(e)}",
                at=self._path,
                remedy="send each column in the type and width that the model takes",
            ) from e
        if len(parts) == 1:
            return parts[0]
        together = [np.concatenate(found) if found[0] is not None else None for found in zip(*parts, strict=True)]
        return together[0], together[1]

    # Any: as above.
    def _part(
        self,
        torch: Any,  # noqa: ANN401 (its module)
        arrays: "list[Array]",
        at: int,
        step: int,
    ) -> "tuple[Array | None, Array | None]":
        """What it answers to `step` rows from `at` on; a program for so many rows is given the last one again."""
        import numpy as np

        chosen = [array[at : at + step] for array in arrays]
        n_rows = len(chosen[0])
        if n_rows < step:
            chosen = [np.concatenate([array, np.repeat(array[-1:], step - n_rows, axis=0)]) for array in chosen]
        given = [_tensor(torch, i, array) for i, array in zip(self._inputs, chosen, strict=True)]
        told = self._program(*given)
        found = (
            list(told.values()) if isinstance(told, dict) else list(told) if isinstance(told, tuple | list) else [told]
        )
        answers = [one.detach().cpu() for one in found if isinstance(one, torch.Tensor)]
        whole = (one for one in answers if not one.is_floating_point() and not one.is_complex())
        numbers = (one for one in answers if one.is_floating_point())
        if not answers:
            raise DataUnreadable(
                f"the model answered by a {type(told).__name__} without a tensor",
                at=self._path,
                remedy="save it so that it gives a tensor, with a value or several for each row",
            )
        first = [_array(torch, next(those, None), step, self._path) for those in (whole, numbers)]
        return tuple(None if one is None else one[:n_rows] for one in first)  # type: ignore[return-value] # there are two


# Any: torch's module and tensors, and arrays of numbers.
def _tensor(torch: Any, of: Input, array: "Array") -> Any:  # noqa: ANN401 (as above)
    """An array in the kind and the shape that the program takes."""
    import numpy as np

    if array.dtype == object:
        raise DataUnreadable(
            f"the model's input {of.name} takes numbers, and texts were sent", at=of.name, remedy="send numbers"
        )
    rest = of.rest
    if rest is not None and None not in rest:
        if array.size != len(array) * prod(size or 0 for size in rest):
            raise DataUnreadable(
                f"the model's input {of.name} takes {list(rest)} numbers a row, and {list(array.shape[1:])} were sent",
                at=of.name,
                remedy="send each row in the width that the model takes",
            )
        array = array.reshape(len(array), *(size or 0 for size in rest))
    return torch.from_numpy(np.array(array, order="C")).to(of.dtype)


# Any: as above.
def _array(torch: Any, tensor: Any, n_rows: int, path: str) -> "Array | None":  # noqa: ANN401 (as above)
    """What a program gave, one value or several side by side a row. Raises DataUnreadable."""
    if tensor is None:
        return None
    if not tensor.ndim or tensor.ndim > 2 or len(tensor) != n_rows:
        raise DataUnreadable(
            f"the model answered {n_rows} rows by a tensor of the shape {list(tensor.shape)}",
            at=path,
            remedy="save it so that it gives a value, or several side by side, for each row",
        )
    # What NumPy has no word for, in the nearest that it has.
    array: Array = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


# Any: as above.
def _chances(
    value: "np.ndarray[Any, np.dtype[np.float64]]", *, is_logits: bool
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """The probabilities of the classes, shape (n_rows, n_classes); one number a row is the second of two."""
    import numpy as np

    if value.ndim == 1:
        if is_logits:
            with np.errstate(over="ignore"):
                value = 1 / (1 + np.exp(-value))
        return np.column_stack([1 - value, value])
    if not is_logits:
        return value
    powers: Numbers = np.exp(value - value.max(axis=1, keepdims=True))
    chances: Numbers = powers / powers.sum(axis=1, keepdims=True)
    return chances


def _field(of: Input, columns: tuple[str, ...], path: str, *, is_alone: bool) -> Field:
    """An input: a column when a row has one value of it, else a matrix, of which there can be only one."""
    rest = of.rest
    if rest is None:
        if not is_alone:
            return Field(name=of.name, kind=of.kind)
        return Field(name=of.name, kind=of.kind, width=len(columns) or ANY_WIDTH)
    if not rest or (rest == (1,) and not columns):
        return Field(name=of.name, kind=of.kind)
    if not is_alone or (None in rest and len(rest) > 1):
        raise ModelUnreadable(
            f"the model's input {of.name} takes {list(rest)} values a row"
            + ("" if is_alone else ", and it is not the only one"),
            at=path,
            remedy="export it so that its inputs are columns, or one matrix with a row for each row asked",
        )
    width = ANY_WIDTH if None in rest else prod(size or 0 for size in rest)
    if columns and width not in (ANY_WIDTH, len(columns)):
        raise ModelUnreadable(
            f"the model takes {width} values a row, and headway.columns of its extra files names {len(columns)}",
            at=path,
            remedy="name each column, in the model's order",
        )
    return Field(name=of.name, kind=of.kind, width=len(columns) or width)


# Any: a class label of any type.
def _kind_of_class(label: Any) -> Kind | None:  # noqa: ANN401 (as above)
    names = {bool: "bool", int: "int64", float: "float64", str: "object"}
    return kind_of(names[type(label)])
