"""What a loaded model gives when it is asked: labels, and probabilities where it has them.

The value that formats make and that the gate and the server read. Knows no model library.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from msgspec import Struct

from headway.core.signature import Signature

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


class Prediction(Struct, frozen=True, kw_only=True):
    """A model's answer, row by row, in the order of the rows asked.

    `labels`: shape (n_rows,), or (n_rows, n_outputs) for a model of several outputs. `probabilities`: shape
    (n_rows, n_classes), each row adds up to 1; None when the model gives none. `classes`: what the columns of
    `probabilities` stand for; empty for regression.
    """

    # Any: labels are whatever the model was trained on: numbers, texts, booleans.
    labels: "np.ndarray[Any, np.dtype[Any]]"
    probabilities: "np.ndarray[Any, np.dtype[np.float64]] | None" = None
    # Any: as above.
    classes: tuple[Any, ...] = ()


class LoadedModel(Protocol):
    """A model in memory. `predict` may be called from several threads when its library allows that."""

    @property
    def format(self) -> str:
        """The name of the file in `formats/` that loaded it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it wants, in its order; empty when the model does not name them."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever uses it should be told, a sentence each: made with another version of its library."""

    @property
    def signature(self) -> Signature:
        """What the model says by itself of what it takes and gives; what it does not say is unknown, not guessed."""

    # Any: a row is a JSON object of a request; the model's columns say what may stand there.
    def predict(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> Prediction:
        """Answer for all rows at once. Raises DataUnreadable when a column is missing or holds what it cannot use."""


@runtime_checkable
class TakesArrays(Protocol):
    """A loaded model that can also be asked with arrays: what a tensor of a request is, without a row being made."""

    # Any: arrays of the kinds of the model's inputs.
    def predict_arrays(self, arrays: "Mapping[str, np.ndarray[Any, np.dtype[Any]]]") -> Prediction:
        """Answer as `predict` does, from one array for each input of its signature, by name.

        Shapes are those of the signature: (n_rows,), (n_rows, 1) is taken as well, or (n_rows, width). Texts are
        arrays of objects. Raises DataUnreadable when one is missing or cannot be used.
        """
