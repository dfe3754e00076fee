"""A graph in a session of onnxruntime, asked by rows or by arrays.

Neighbour: `outputs` tells what the graph gives. Does not know how the file came to be.
"""

import mmap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from headway.core.prediction import Prediction
from headway.core.signature import ANY_WIDTH, DTYPES, Field, Kind, Signature, kind_of, outputs_of
from headway.errors import DataUnreadable, ModelUnreadable
from headway.formats.onnx.graph import classes_of
from headway.formats.onnx.outputs import KINDS, add_up, chances_of, labels_of, outputs_among, zipped_classes
from headway.tables.model_rows import arrays_of, check_some, column_of, first_line, matrix_of
from headway.tables.onnx_words import CLASSES, COLUMNS, WHOLE

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


class Graph:
    """A graph, and what is known of its inputs and outputs."""

    format = "onnx"

    # Any: onnxruntime ships no types.
    def __init__(self, session: Any, path: str) -> None:  # noqa: ANN401 (as above)
        self._session = session
        self._path = path
        said = session.get_modelmeta().custom_metadata_map
        self._names: tuple[str, ...] = _listed(said, COLUMNS, path)
        self._inputs = tuple(_field(i, path, is_matrix=bool(self._names)) for i in session.get_inputs())
        self._ranks = {i.name: len(i.shape) for i in session.get_inputs()}
        self._matrix = Signature(inputs=self._inputs).matrix
        self._whole = frozenset(_listed(said, WHOLE, path))
        self._outputs = outputs_among(session.get_outputs(), path)
        self.notes: tuple[str, ...] = ()
        self._classes = self._learned(_listed(said, CLASSES, path))
        self.columns = self._names if self._matrix else tuple(f.name for f in self._inputs)
        label: Kind | None = self._outputs.label_kind
        if self._classes and isinstance(self._classes[0], bool | float):
            label = kind_of(type(self._classes[0]).__name__.replace("float", "float64"))
        self.signature = Signature(
            inputs=self._inputs, outputs=outputs_of(label=label, n_classes=len(self._classes)), classes=self._classes
        )

    # Any: labels of classes.
    def _learned(self, said: tuple[Any, ...]) -> tuple[Any, ...]:
        """What the columns of probabilities stand for; they are left out, with a note, when that cannot be told."""
        if self._outputs.chances is None:
            return ()
        answer = self._probe()
        found = zipped_classes(answer) if self._outputs.zipped and answer else said or _read_classes(self._path)
        if answer is None:
            return found
        row = chances_of(answer, zipped=self._outputs.zipped, classes=found)[0]
        if add_up(row) and len(found) == len(row):
            return found
        note = (
            f"which classes its {len(row)} columns of probabilities stand for: write them as {CLASSES} of its metadata"
        )
        if not add_up(row):
            note = f"that its output {self._outputs.chances} are probabilities: it does not add up to 1"
        self._outputs = msgspec.structs.replace(self._outputs, chances=None)
        self.notes = (f"only labels are answered, for the model does not say {note}",)
        return ()

    # Any: as onnxruntime answers.
    def _probe(self) -> Any:  # noqa: ANN401 (as above)
        """The probabilities of a row of zeros and empty texts; None when the model cannot answer that."""
        import numpy as np

        if any(f.width == ANY_WIDTH for f in self._inputs):
            return None
        # One value for each row and column; an input of texts is filled with empty ones.
        feeds = {
            f.name: np.full((1, f.width or 1), "" if f.kind == "BYTES" else 0, dtype=DTYPES[f.kind or "FP64"])
            for f in self._inputs
        }
        try:
            return self._run(feeds)[1]
        except DataUnreadable:
            return None

    # Any: as in `LoadedModel.predict`.
    def predict(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> Prediction:
        """Answer for all rows at once. Raises DataUnreadable."""
        check_some(rows)
        if self._matrix is None:
            return self.predict_arrays({f.name: column_of(rows, f.name, f.kind) for f in self._inputs})
        width = None if self._matrix.width == ANY_WIDTH else self._matrix.width
        if self._matrix.kind == "BYTES":
            import numpy as np

            names = self._names or _names(rows)
            return self.predict_arrays(
                {self._matrix.name: np.column_stack([column_of(rows, name, "BYTES") for name in names])}
            )
        return self.predict_arrays({self._matrix.name: matrix_of(rows, self._names, width=width)})

    # Any: as in `TakesArrays.predict_arrays`.
    def predict_arrays(self, arrays: "Mapping[str, np.ndarray[Any, np.dtype[Any]]]") -> Prediction:
        """Answer from an array for each input. Raises DataUnreadable."""
        told = self._run(arrays)
        labels = labels_of(told[0], self._classes)
        if self._outputs.chances is None:
            return Prediction(labels=labels)
        chances = chances_of(told[1], zipped=self._outputs.zipped, classes=self._classes)
        return Prediction(labels=labels, probabilities=chances, classes=self._classes)

    # Any: as onnxruntime answers.
    def _run(self, arrays: "Mapping[str, np.ndarray[Any, np.dtype[Any]]]") -> Any:  # noqa: ANN401 (as above)
        found = arrays_of(arrays, [field.name for field in self._inputs])
        feeds = {field.name: self._shaped(field, one) for field, one in zip(self._inputs, found, strict=True)}
        if self._whole:
            self._refuse_gaps(feeds)
        try:
            return self._session.run(self._outputs.wanted, feeds)
        except Exception as e:  # its own errors have no parent but this
            raise DataUnreadable(
                f"the model cannot use these rows: {first_line(e)}",
                at=self._path,
                remedy="send each column in the type and width that the model takes",
            ) from e

    # Any: as above.
    def _shaped(self, field: Field, array: "np.ndarray[Any, np.dtype[Any]]") -> "np.ndarray[Any, np.dtype[Any]]":
        """An array in the kind and the rank that the graph takes."""
        import numpy as np

        if field.kind == "BYTES":
            # None is no text: a graph can be taught a gap only as an empty one.
            array = np.where(array == None, "", array) if array.dtype == object else array.astype(object)  # noqa: E711 (elementwise)
        elif array.dtype != DTYPES[field.kind or "FP64"]:
            with np.errstate(over="ignore"):  # what is too large for the model's numbers is infinite to it
                array = array.astype(DTYPES[field.kind or "FP64"], copy=False)
        rank = self._ranks[field.name]
        if array.ndim == 1 and rank == 2:
            return array[:, None]
        return array[:, 0] if array.ndim == 2 and rank == 1 and array.shape[1] == 1 else array

    # Any: as above.
    def _refuse_gaps(self, feeds: "Mapping[str, np.ndarray[Any, np.dtype[Any]]]") -> None:
        """Raise DataUnreadable for a gap in a column where the model that this one was made from took none."""
        for name, array in feeds.items():
            gaps = array == "" if array.dtype == object else array != array  # noqa: PLR0124 (NaN is not itself)
            if not gaps.any():
                continue
            columns = self._names if self._matrix else (name,)
            found = next(
                (c for c, gap in zip(columns, gaps.any(axis=0), strict=False) if gap and c in self._whole), None
            )
            if found is not None:
                raise DataUnreadable(
                    f"the column {found} has a gap, and the model was not taught to answer without it",
                    at=found,
                    remedy="fill the gap, or train the model with an imputer",
                )


# Any: onnxruntime ships no types.
def _field(told: Any, path: str, *, is_matrix: bool) -> Field:  # noqa: ANN401 (as above)
    """An input: a column when a row has one value of it (unless that is known for a matrix), else several."""
    kind = KINDS.get(told.type)
    if kind is None or len(told.shape) > 2:
        raise ModelUnreadable(
            f"the model's input {told.name} is of {told.type} in {len(told.shape)} dimensions: not rows of a table",
            at=path,
            remedy="convert it so that its inputs are columns, or one matrix with a row for each row asked",
        )
    if len(told.shape) < 2 or (told.shape[1] == 1 and not is_matrix):
        return Field(name=told.name, kind=kind)
    return Field(name=told.name, kind=kind, width=told.shape[1] if isinstance(told.shape[1], int) else ANY_WIDTH)


# Any: labels of classes or names.
def _listed(said: Mapping[str, str], key: str, path: str) -> tuple[Any, ...]:
    if key not in said:
        return ()
    try:
        return msgspec.json.decode(said[key], type=tuple[bool | int | float | str, ...])
    except msgspec.MsgspecError as e:
        raise ModelUnreadable(
            f"the model's metadata {key} is no JSON list: {e}", at=path, remedy='write it as ["a", "b"]'
        ) from e


def _read_classes(path: str) -> tuple[int | str, ...]:
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            with memoryview(data) as view:
                return classes_of(view)
        except ValueError:  # onnxruntime reads forms of files that are no protocol buffer as well
            return ()


def _names(rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> tuple[str, ...]:
    return tuple(rows[0]) if isinstance(rows, Sequence) else tuple(rows.columns)
