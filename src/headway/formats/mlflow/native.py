"""A folder of MLflow that holds a file of a format of ours, asked without MLflow.

Only where the answers are equal: `pyfunc` answers by `predict`, as we do; a folder that says it should be asked for
something else goes to it. What the folder's signature knows more than the file does completes the file's own.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from headway import formats
from headway.core.prediction import LoadedModel, Prediction, TakesArrays
from headway.core.signature import ANY_WIDTH, Signature, completed
from headway.errors import ModelUnreadable
from headway.formats.mlflow.about import About, part
from headway.tables.model_rows import arrays_of, check_some, frame_of

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

_FILES = {
    "onnx": ("data", ""),
    "xgboost": ("data", ""),
    "lightgbm": ("data", ""),
    "sklearn": ("pickled_model", ""),
    "pytorch": ("model_data", "/model.pt2"),
}
"""What a flavour calls the file in which the model is, and what comes behind that."""

_OURS = ("onnx", "xgboost", "lightgbm", "skops", "sklearn", "torch")


def found(folder: str, said: About) -> tuple[str, str] | None:
    """The path of the file that is the model, and its format; None where MLflow must be asked.

    Raises ModelUnreadable when the folder lacks a file that it names.
    """
    asked = said.flavors.get("python_function", {}).get("predict_fn")
    if asked not in (None, "predict"):
        return None
    for flavor, (key, file) in _FILES.items():
        name = said.flavors.get(flavor, {}).get(key)
        if not name:
            continue
        path = part(folder, f"{name}{file}")
        if path is None and file:
            # Saved in another way.
            continue
        if path is None:
            raise ModelUnreadable(
                f"the folder lacks the file of its flavor {flavor}", at=folder, remedy="copy or save it again, whole"
            )
        try:
            kind = formats.detect(path)
        except ModelUnreadable:
            continue
        if kind in _OURS:
            return path, kind
    return None


class Native:
    """The file's model under the folder's signature."""

    format = "mlflow"

    def __init__(self, inner: LoadedModel, said: About) -> None:
        self._inner = inner
        self.notes = (*said.notes, *inner.notes)
        self.signature = _together(inner.signature, said.signature)
        # A file that knows no names, in a folder that does.
        self._is_named = inner.signature.matrix is not None and not inner.columns and bool(self.signature.columns)
        self.columns = self.signature.columns if self._is_named else inner.columns

    # Any: a fitted estimator.
    @property
    def estimator(self) -> Any:  # noqa: ANN401 (as above)
        """The file's estimator, if it holds one: what can be converted."""
        return getattr(self._inner, "estimator", None)

    # Any: as in `LoadedModel.predict`.
    def predict(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> Prediction:
        """Answer for all rows at once. Raises DataUnreadable."""
        if not self._is_named:
            return self._inner.predict(rows)
        check_some(rows)
        return self._inner.predict(frame_of(rows, self.columns, frozenset()))

    # Any: as in `TakesArrays.predict_arrays`.
    def predict_arrays(self, arrays: "Mapping[str, np.ndarray[Any, np.dtype[Any]]]") -> Prediction:
        """Answer from an array for each input. Raises DataUnreadable."""
        import numpy as np

        # All formats that a folder may hold take arrays. Looking whether it does would cost what a small model takes.
        inner = cast("TakesArrays", self._inner)
        if not self._is_named:
            return inner.predict_arrays(arrays)
        assert self._inner.signature.matrix is not None
        stacked = np.column_stack([one.ravel() for one in arrays_of(arrays, self.columns)])
        return inner.predict_arrays({self._inner.signature.matrix.name: stacked})


def _together(own: Signature, said: Signature) -> Signature:
    """The file's signature, with names of columns and kinds where only the folder has them."""
    matrix = own.matrix
    if matrix is not None and said.columns and matrix.width in (ANY_WIDTH, len(said.inputs)):
        return msgspec.structs.replace(own, inputs=said.inputs)
    return completed(own, said)
