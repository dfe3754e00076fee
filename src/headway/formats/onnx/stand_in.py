"""A graph that answers in place of the model it was made from, so that who asks cannot tell them apart but by the time.

It has the same names, kinds and refusals: `tables/onnx_convert` writes into the file's metadata what the model says of
itself, and this keeps to it. Neighbour: `session` has graphs that speak for themselves.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from headway.core.prediction import Prediction
from headway.core.signature import DTYPES, LABEL, Kind, Signature
from headway.errors import DataUnreadable, ModelUnreadable
from headway.formats.onnx.session import Graph
from headway.tables.model_rows import arrays_of, check_some, column_of, matrix_of
from headway.tables.onnx_words import FINITE, GAPLESS, KNOWN, SIGNATURE, SINGLE

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    # Any: values of any kind.
    Array = np.ndarray[Any, np.dtype[Any]]

T = TypeVar("T")


class StandIn:
    """A graph under the signature of another model."""

    format = "onnx"

    def __init__(self, graph: Graph, said: Mapping[str, str], path: str) -> None:
        """Raises ModelUnreadable when what the file says of itself is no such thing."""
        self._graph = graph
        self.signature = _read(said[SIGNATURE], Signature, path)
        self._gapless = frozenset(_read(said.get(GAPLESS, "[]"), tuple[str, ...], path))
        self._finite = frozenset(_read(said.get(FINITE, "[]"), tuple[str, ...], path))
        self._single = frozenset(_read(said.get(SINGLE, "[]"), tuple[str, ...], path))
        known = _read(said.get(KNOWN, "{}"), dict[str, tuple[str, ...]], path)
        self._known = {name: frozenset(texts) for name, texts in known.items()}
        self.columns = self.signature.columns
        self.notes = graph.notes
        matrix = graph.signature.matrix
        self._matrix = matrix.name if matrix is not None else ""
        self._kinds = {field.name: field.kind for field in graph.signature.inputs}
        self._width = len(self.columns) or (None if self.signature.matrix is None else self.signature.matrix.width)
        label = next((field.kind for field in self.signature.outputs if field.name == LABEL), None)
        self._label = None if label in (None, "BYTES") else DTYPES[label]

    # Any: as in `LoadedModel.predict`.
    def predict(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> Prediction:
        """Answer for all rows at once. Raises DataUnreadable."""
        check_some(rows)
        if self._matrix:
            return self._asked({self._matrix: matrix_of(rows, self.columns, width=self._width)})
        # Numbers as they come, so that what the graph would cut off is seen.
        kinds: dict[str, Kind] = {name: "BYTES" if kind == "BYTES" else "FP64" for name, kind in self._kinds.items()}
        return self._asked({name: column_of(rows, name, kinds[name]) for name in self.columns})

    # Any: as in `TakesArrays.predict_arrays`.
    def predict_arrays(self, arrays: "Mapping[str, Array]") -> Prediction:
        """Answer from an array for each input of the signature. Raises DataUnreadable."""
        import numpy as np

        found = arrays_of(arrays, [field.name for field in self.signature.inputs])
        if self._matrix:
            one = found[0] if self.signature.matrix is not None else np.column_stack([a.reshape(-1) for a in found])
            return self._asked({self._matrix: one})
        return self._asked(dict(zip(self.columns, found, strict=True)))

    def _asked(self, arrays: "dict[str, Array]") -> Prediction:
        for name, array in arrays.items():
            if array.dtype.kind == "f":
                self._check_numbers(name, array)
            elif array.dtype == object:
                self._check_texts(name, array)
        told = self._graph.predict_arrays(arrays)
        labels = told.labels
        if self._label is not None and labels.dtype != self._label:
            labels = labels.astype(self._label)
        return Prediction(labels=labels, probabilities=told.probabilities, classes=told.classes)

    def _check_numbers(self, name: str, array: "Array") -> None:
        """Raise DataUnreadable for what the model itself refuses."""
        import numpy as np

        if self._kinds[name] == "INT64":
            if not (np.isfinite(array) & (array == np.trunc(array))).all():
                raise _unfit(name, "a fraction or a gap", "send whole numbers")
            return
        # Most requests hold ordinary numbers: one look lets them through.
        with np.errstate(over="ignore"):
            single = array.astype(np.float32)
        if np.isfinite(single).all():
            return
        # Any: truth values.
        bad: dict[str, tuple[Any, frozenset[str]]] = {
            "a gap": (np.isnan(array), self._gapless),
            "an infinite number": (np.isinf(array), self._finite),
            "a number too large for 32 bits": (np.isinf(single) & ~np.isinf(array), self._single),
        }
        columns = (self.columns or tuple(map(str, range(array.shape[1])))) if name == self._matrix else (name,)
        for what, (where, refused) in bad.items():
            places = where.reshape(len(array), -1).any(axis=0)
            column = next((c for c, is_bad in zip(columns, places, strict=False) if is_bad and c in refused), None)
            if column is not None:
                raise _unfit(column, what, "send a number that it can use")

    def _check_texts(self, name: str, array: "Array") -> None:
        known, values = self._known.get(name), array.ravel().tolist()
        if name in self._gapless and None in values:
            raise _unfit(name, "a gap", "send a text")
        if known is not None:
            unknown = next((value for value in values if value is not None and value not in known), None)
            if unknown is not None:
                raise _unfit(name, f"{unknown!r}", f"send one of: {', '.join(sorted(known)[:10])}")


def _unfit(column: str, what: str, remedy: str) -> DataUnreadable:
    return DataUnreadable(f"the column {column} holds {what}, which the model does not take", at=column, remedy=remedy)


def _read(text: str, kind: type[T], path: str) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as e:
        raise ModelUnreadable(
            f"what the model says of itself is not understood: {e}", at=path, remedy="convert it anew"
        ) from e
