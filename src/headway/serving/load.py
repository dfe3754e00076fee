"""The model that a server answers with: a version's proven conversion where it has one, else the version itself.

Either answers under the signature that was registered, so that clients cannot tell which. Neighbours: `worker` and
`foreground` serve it.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.core.prediction import LoadedModel, Prediction, TakesArrays
from headway.core.signature import Signature
from headway.errors import HeadwayError
from headway.ports import Serving

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


def load(serving: Serving, *, is_trusted: bool) -> LoadedModel:
    """The model in memory, of one thread: requests that come together are what cores are for.

    What it says goes to stderr. Raises as `formats.load`.
    """
    from headway import formats

    model = _converted(serving) if serving.onnx else None
    if model is None:
        # A model may need the project's own code; behind everything installed, so that it hides nothing.
        sys.path.append(os.getcwd())
        trusted = frozenset({serving.digest}) if is_trusted else frozenset()
        model = formats.load(serving.path, format=serving.format, digest=serving.digest, trusted=trusted, threads=1)
    for note in model.notes:
        sys.stderr.write(f"note: {note}\n")
    return told(model, serving.signature)


def _converted(serving: Serving) -> LoadedModel | None:
    from blake3 import blake3

    from headway import formats

    try:
        if blake3().update_mmap(serving.onnx).hexdigest() == serving.onnx_digest:
            return formats.load(serving.onnx, format="onnx", digest=serving.onnx_digest, trusted=(), threads=1)
        why = "its file is not the one that was proven"
    except HeadwayError as e:
        why = e.problem
    except OSError as e:
        why = f"its file cannot be read: {e.strerror}"
    sys.stderr.write(f"note: the version itself answers, not its conversion to ONNX: {why}\n")
    return None


def told(model: LoadedModel, signature: Signature) -> LoadedModel:
    """The model under a signature that says more than it does; as it is where none was registered."""
    if not signature.inputs or signature == model.signature:
        return model
    return _ToldArrays(model, signature) if isinstance(model, TakesArrays) else _Told(model, signature)


class _Told:
    """A model whose requests are held to a signature that was registered with it."""

    def __init__(self, model: LoadedModel, signature: Signature) -> None:
        self._model = model
        self.signature = signature
        self.format = model.format
        self.columns = signature.columns or tuple(model.columns)
        self.notes = model.notes

    # Any: as in `LoadedModel.predict`.
    def predict(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> Prediction:
        """Answer for all rows at once. Raises DataUnreadable."""
        return self._model.predict(rows)


class _ToldArrays(_Told):
    """One that takes arrays."""

    def __init__(self, model: LoadedModel, signature: Signature) -> None:
        super().__init__(model, signature)
        assert isinstance(model, TakesArrays), "chosen by `told`"
        # Asked once, as in `batch`.
        self._by_arrays = model.predict_arrays

    # Any: as in `TakesArrays.predict_arrays`.
    def predict_arrays(self, arrays: "Mapping[str, np.ndarray[Any, np.dtype[Any]]]") -> Prediction:
        """Answer from an array for each input. Raises DataUnreadable."""
        return self._by_arrays(arrays)
