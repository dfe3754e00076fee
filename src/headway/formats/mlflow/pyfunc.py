"""A folder of MLflow asked by MLflow: whatever its `pyfunc` can load, and Python of the folder's own.

It answers labels or numbers; classes and probabilities it has no word for. Neighbour: `native` needs no MLflow.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.core.prediction import LoadedModel, Prediction
from headway.core.signature import ANY_WIDTH, DTYPES, Field
from headway.errors import DataUnreadable, ExtraMissing, ModelUnreadable
from headway.formats.mlflow.about import About
from headway.tables.model_rows import arrays_of, check_columns, check_some, column_of, first_line, frame_of, matrix_of

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    # Any: values of any kind.
    Array = np.ndarray[Any, np.dtype[Any]]


def load(folder: str, said: About) -> LoadedModel:
    """The model in memory. Raises ExtraMissing, ModelUnreadable."""
    try:
        import mlflow.pyfunc
        import pandas  # noqa: F401, ICN001 (it comes with no extra of MLflow's, and all goes through it)
    except ModuleNotFoundError as e:
        raise ExtraMissing(
            f"the model's folder can be loaded by MLflow only, and {e.name} is not installed",
            at=folder,
            remedy="pip install 'headway[mlflow]', and what the folder's requirements.txt names",
        ) from e
    try:
        model = mlflow.pyfunc.load_model(folder)
    except ModuleNotFoundError as e:
        raise ModelUnreadable(
            f"the model needs the module {e.name}, which is not there",
            at=folder,
            remedy="pip install -r its requirements.txt",
        ) from e
    except Exception as e:  # loading runs the folder's own code, which may raise anything
        raise ModelUnreadable(
            f"MLflow cannot load the model: {type(e).__name__}: {first_line(e)}",
            at=folder,
            remedy="load it by `mlflow.pyfunc.load_model` to see why; its requirements.txt says what it was made with",
        ) from e
    return _Folder(model, said, folder)


class _Folder:
    """What MLflow loaded, under the folder's signature."""

    format = "mlflow"

    # Any: MLflow's types are not looked at.
    def __init__(self, model: Any, said: About, folder: str) -> None:  # noqa: ANN401 (as above)
        self._model = model
        self._said = said
        self._path = folder
        self.notes = said.notes
        self.signature = said.signature
        self.columns = said.signature.columns

    # Any: as in `LoadedModel.predict`.
    def predict(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> Prediction:
        import pandas as pd

        check_some(rows)
        matrix = self.signature.matrix
        if matrix is not None:
            width = None if matrix.width == ANY_WIDTH else matrix.width
            return self._asked(matrix_of(rows, (), width=width).astype(DTYPES[matrix.kind or "FP64"]), len(rows))
        if not self.columns:
            lists = frame_of(rows, (), frozenset()).to_dict(as_series=False)
            return self._asked(pd.DataFrame(lists), len(rows))
        have = set(rows[0]) if isinstance(rows, Sequence) else set(rows.columns)
        fields = [f for f in self.signature.inputs if f.name in have or f.name not in self._said.optional]
        check_columns(list(have), [f.name for f in fields], "row 0" if isinstance(rows, Sequence) else "the data")
        return self._asked(pd.DataFrame({f.name: self._column(rows, f) for f in fields}), len(rows))

    # Any: as above.
    def _column(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame", field: Field) -> "Array":
        array = column_of(rows, field.name, field.kind)
        if field.name not in self._said.dates:
            return array
        try:
            return array.astype("datetime64[ns]")
        except (ValueError, TypeError) as e:
            raise DataUnreadable(
                f"the column {field.name} holds what is no time: {first_line(e)}",
                at=field.name,
                remedy="send times as 2026-01-31T12:00:00",
            ) from e

    def predict_arrays(self, arrays: "Mapping[str, Array]") -> Prediction:
        import pandas as pd

        n_rows = len(next(iter(arrays.values())))
        if not self.signature.inputs:
            return self._asked(pd.DataFrame({n: a.ravel() for n, a in arrays.items()}), n_rows)
        fields = self.signature.inputs
        found = arrays_of(arrays, [field.name for field in fields])
        given = [a.astype(DTYPES[f.kind]) if f.kind else a for f, a in zip(fields, found, strict=True)]
        if self.signature.matrix is not None:
            return self._asked(given[0], n_rows)
        return self._asked(pd.DataFrame({f.name: a.ravel() for f, a in zip(fields, given, strict=True)}), n_rows)

    # Any: a frame of pandas or an array.
    def _asked(self, table: Any, n_rows: int) -> Prediction:  # noqa: ANN401 (as above)
        try:
            told = self._model.predict(table)
        except Exception as e:  # the folder's own code may raise anything
            raise DataUnreadable(
                f"the model cannot use these rows: {first_line(e)}",
                at=self._path,
                remedy="send each column in the type that the model's signature says",
            ) from e
        return Prediction(labels=_labels(told, n_rows, self._path))


# Any: whatever a model answers.
def _labels(told: Any, n_rows: int, path: str) -> "Array":  # noqa: ANN401 (as above)
    """One answer a row, or several side by side. Raises DataUnreadable."""
    import numpy as np

    if isinstance(told, dict) and told:
        told = next(iter(told.values()))
    labels = np.asarray(told)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim not in (1, 2) or len(labels) != n_rows:
        raise DataUnreadable(
            f"the model answered {n_rows} rows by a {type(told).__name__} of the shape {list(labels.shape)}",
            at=path,
            remedy="save it so that it gives a value, or several side by side, for each row",
        )
    return labels
