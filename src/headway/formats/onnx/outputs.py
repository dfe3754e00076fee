"""What a graph's outputs are: which one is the label, which one the probabilities, and how they are read.

Neighbour: `session` asks the graph. Knows no rows.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from headway.core.signature import DTYPES, Kind
from headway.errors import ModelUnreadable

if TYPE_CHECKING:
    import numpy as np

KINDS: dict[str, Kind] = {
    "tensor(bool)": "BOOL",
    "tensor(string)": "BYTES",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    **{f"tensor({name})": kind for kind, name in DTYPES.items() if "INT" in kind},
}
"""What onnxruntime calls the kinds."""


class Outputs(Struct, frozen=True, kw_only=True):
    """The names of the outputs that are read; `zipped` when the probabilities come as a map for each row."""

    label: str
    label_kind: Kind
    chances: str | None = None
    zipped: bool = False

    @property
    def wanted(self) -> list[str]:
        """What the graph is asked for."""
        return [self.label] if self.chances is None else [self.label, self.chances]


# Any: onnxruntime ships no types.
def outputs_among(told: Sequence[Any], path: str) -> Outputs:
    """The outputs among those of a graph, told by their types. Raises ModelUnreadable when none can be a label.

    A label is the first tensor of texts, whole numbers or truth values; probabilities the first of fractions with
    several columns, or a list of maps. Without a label the first tensor of fractions is what is foretold.
    """
    tensors = [(o, kind) for o in told if (kind := KINDS.get(o.type)) is not None]
    label = next(((o, kind) for o, kind in tensors if not kind.startswith("FP")), None)
    if label is None:
        value = next(iter(tensors), None)
        if value is None:
            raise ModelUnreadable(
                f"none of the model's outputs ({', '.join(o.name for o in told)}) is a label or a number",
                at=path,
                remedy="convert it so that one output is a tensor of labels or numbers, a row for each row asked",
            )
        return Outputs(label=value[0].name, label_kind=value[1])
    kind = label[1]
    maps = next((o.name for o in told if o.type.startswith("seq(map(")), None)
    if maps is not None:
        return Outputs(label=label[0].name, label_kind=kind, chances=maps, zipped=True)
    wide = (o.name for o, k in tensors if k.startswith("FP") and len(o.shape) == 2 and o.shape[1] != 1)
    return Outputs(label=label[0].name, label_kind=kind, chances=next(wide, None))


# Any: labels of any kind, and what onnxruntime answers.
def chances_of(told: Any, *, zipped: bool, classes: tuple[Any, ...]) -> "np.ndarray[Any, np.dtype[np.float64]]":  # noqa: ANN401 (as above)
    """The probabilities, shape (n_rows, n_classes)."""
    import numpy as np

    if not zipped:
        return np.asarray(told, dtype=np.float64)
    return np.array([[row[c] for c in classes] for row in told], dtype=np.float64)


# Any: as above.
def zipped_classes(told: Sequence[Mapping[Any, float]]) -> tuple[Any, ...]:
    """The classes that the map of the first row names, in their order."""
    return tuple(sorted(told[0]))


def add_up(row: "np.ndarray[Any, np.dtype[np.float64]]") -> bool:
    """Whether numbers can be the probabilities of one row; a row with a NaN says nothing against it."""
    total = float(row.sum())
    return math.isnan(total) or (float(row.min()) >= -1e-6 and abs(total - 1) < 1e-3)


def labels_of(told: Any, classes: tuple[Any, ...]) -> "np.ndarray[Any, np.dtype[Any]]":  # noqa: ANN401 (as above)
    """The labels, one a row (or a row of several numbers), in the type that the classes have.

    ONNX has labels of texts and whole numbers only: truth values and fractions came to it as whole numbers.
    """
    import numpy as np

    labels = np.asarray(told)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if classes and labels.dtype.kind in "iu" and isinstance(classes[0], bool | float):
        return labels.astype(bool if isinstance(classes[0], bool) else np.float64)
    return labels
