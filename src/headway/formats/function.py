"""A model that is a Python file with `predict(rows)`: for rules, heuristics, and libraries without a format here.

    def predict(rows):            # rows: a list of dicts
        return [row["distance"] > 1000 for row in rows]

It may also have `predict_proba(rows)` with `CLASSES` (what its columns stand for), and `COLUMNS` (what it reads). With
files of its own (weights, tables, modules that it imports) it is a folder whose `model.py` finds them beside itself.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.core.prediction import LoadedModel, Prediction
from headway.core.signature import Field, Signature, outputs_of
from headway.errors import DataUnreadable, ModelUnreadable

if TYPE_CHECKING:
    import polars as pl

RUNS_CODE = True
"""It is a program."""

_MAIN = "model.py"


def fits(path: str, head: bytes) -> bool:
    """A file named *.py, or a folder with model.py that is not MLflow's."""
    if not os.path.isdir(path):
        return path.endswith(".py") and bool(head)
    return os.path.isfile(os.path.join(path, _MAIN)) and not os.path.exists(os.path.join(path, "MLmodel"))


def load(path: str, *, threads: int | None = None) -> LoadedModel:  # noqa: ARG001 (a program decides that by itself)
    """Run the file and take its functions. Raises ModelUnreadable."""
    if os.path.isdir(path):
        sys.path.append(os.path.abspath(path))
        # What Python would write beside the folder's own files is in no digest: it would not be loaded again.
        sys.dont_write_bytecode = True
        path = os.path.join(path, _MAIN)
    # Any: the names that the file defines.
    names: dict[str, Any] = {"__name__": "headway_model", "__file__": path}
    with open(path, "rb") as f:
        text = f.read()
    try:
        exec(compile(text, path, "exec"), names)  # noqa: S102 (the room's door has asked for trust)
    except Exception as e:  # the file is a program, which may raise anything
        raise ModelUnreadable(
            f"the model's file cannot be run: {type(e).__name__}: {e}",
            at=path,
            remedy="mend it: `python FILE` must work",
        ) from e
    if not callable(names.get("predict")):
        raise ModelUnreadable(
            "the file defines no function `predict`", at=path, remedy="write `def predict(rows)`: a list of dicts in"
        )
    return _Function(names, path)


class _Function:
    """The functions of the file."""

    format = "function"
    notes = ()

    def __init__(self, names: dict[str, Any], path: str) -> None:
        self.columns: tuple[str, ...] = tuple(names.get("COLUMNS", ()))
        self._names = names
        self._path = path
        classes = tuple(names.get("CLASSES", ()))
        self.signature = Signature(
            inputs=tuple(Field(name=n) for n in self.columns),
            outputs=outputs_of(label=None, n_classes=len(classes)),
            classes=classes,
        )

    # Any: as in `LoadedModel.predict`.
    def predict(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> Prediction:
        import numpy as np

        table = list(rows) if isinstance(rows, Sequence) else rows.to_dicts()
        ask = self._names.get("predict_proba")
        try:
            labels = np.asarray(self._names["predict"](table))
            probabilities = None if ask is None else np.asarray(ask(table), dtype=np.float64)
        except KeyError as e:
            raise DataUnreadable(
                f"the rows lack the column {e}", at=self._path, remedy="send every column it reads"
            ) from e
        except (ValueError, TypeError) as e:
            raise DataUnreadable(
                f"the model cannot use these rows: {e}", at=self._path, remedy="look at its file"
            ) from e
        if len(labels) != len(table):
            raise ModelUnreadable(
                f"`predict` gave {len(labels)} answers for {len(table)} rows",
                at=self._path,
                remedy="give one for each row",
            )
        classes = () if probabilities is None else tuple(self._names.get("CLASSES", range(probabilities.shape[1])))
        return Prediction(labels=labels, probabilities=probabilities, classes=classes)
