"""scikit-learn's estimators as ONNX graphs that say of themselves what the estimator takes, gives and refuses.

Whether such a graph answers as the estimator does is not known here: `flows/convert_worker` asks both, and nothing is
served that was not proven. Neighbour: `onnx_trees` has what is odd about trees; `formats/onnx/stand_in` loads the file.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from headway.core.signature import DTYPES, MATRIX, Signature
from headway.errors import ExtraMissing, ModelUnreadable
from headway.tables.model_rows import first_line
from headway.tables.onnx_trees import as_learned
from headway.tables.onnx_words import CLASSES, COLUMNS, FINITE, GAPLESS, KNOWN, SIGNATURE, SINGLE

FORMS = ("double", "double, whole numbers apart", "float")
"""The precisions that a graph may compute in, the likeliest first: estimators compute in 64 bits.

`double, whole numbers apart` keeps columns of whole numbers as such, for encoders that were taught them.
"""


class Refusals(Struct, frozen=True, kw_only=True):
    """What the estimator refuses, by column: gaps, infinite numbers, and those that 32 bits cannot hold.

    `known` are the texts besides which none is taken, of columns that have such.
    """

    gaps: tuple[str, ...] = ()
    infinite: tuple[str, ...] = ()
    large: tuple[str, ...] = ()
    known: dict[str, tuple[str, ...]] = {}


class Converted(Struct, frozen=True, kw_only=True):
    """A graph's bytes, the opset it is written in, and the packages that made it."""

    data: bytes
    opset: int
    made_with: tuple[str, ...]


def is_there() -> bool:
    """Whether what converts is installed; nothing is imported."""
    from importlib.util import find_spec

    return all(find_spec(name) is not None for name in ("skl2onnx", "onnxruntime", "onnx", "sklearn"))


# Any: a fitted estimator.
def convert(estimator: Any, signature: Signature, form: str, refusals: Refusals) -> Converted:  # noqa: ANN401 (as above)
    """The estimator as a graph in one of FORMS. Raises ExtraMissing, ModelUnreadable when it cannot be one."""
    try:
        import skl2onnx
        from skl2onnx.common import _container
    except ModuleNotFoundError as e:
        raise ExtraMissing(
            "converting a model needs skl2onnx, which is not installed", at="onnx", remedy="pip install 'headway[onnx]'"
        ) from e
    # skl2onnx hands numbers of NumPy to onnx, which takes its own from them only in some of its releases.
    made = _container.make_node
    _container.make_node = lambda *args, **named: made(*args, **{name: _plain(v) for name, v in named.items()})
    try:
        model = skl2onnx.to_onnx(
            estimator, initial_types=_inputs(estimator, signature, form), options=_options(estimator), target_opset=None
        )
        as_learned(model, estimator, is_double=form != "float")
    except Exception as e:  # each operator's converter raises what it likes
        raise ModelUnreadable(
            f"it cannot be converted: {type(e).__name__}: {first_line(e)}",
            at="onnx",
            remedy="leave it as it is: it is served all the same",
        ) from e
    finally:
        _container.make_node = made
    _say(model, signature, refusals)
    opset = max((one.version for one in model.opset_import if one.domain == ""), default=0)
    return Converted(data=model.SerializeToString(), opset=opset, made_with=_made_with())


# Any: as skl2onnx has them.
def _inputs(estimator: Any, signature: Signature, form: str) -> list[tuple[str, Any]]:  # noqa: ANN401 (as `convert`)
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

    number = FloatTensorType if form == "float" else DoubleTensorType
    if signature.matrix is not None or (_is_all_numbers(signature) and not _goes_by_name(estimator)):
        width = len(signature.inputs) if signature.matrix is None else signature.matrix.width
        return [(MATRIX, number([None, width if width and width > 0 else None]))]
    found = []
    for field in signature.inputs:
        kind = number
        if field.kind == "BYTES":
            kind = StringTensorType
        elif "apart" in form and field.kind is not None and DTYPES[field.kind].lstrip("u").startswith(("int", "bool")):
            kind = Int64TensorType
        found.append((field.name, kind([None, 1])))
    return found


def _is_all_numbers(signature: Signature) -> bool:
    return bool(signature.columns) and all(field.kind not in ("BYTES", None) for field in signature.inputs)


# Any: as `convert`.
def _goes_by_name(estimator: Any) -> bool:  # noqa: ANN401 (as above)
    """Whether a step of it takes columns by their names, which one matrix does not have."""
    return any(hasattr(step, "transformers_") for _, step in getattr(estimator, "steps", ())) or hasattr(
        estimator, "transformers_"
    )


# Any: an option of skl2onnx.
def _options(estimator: Any) -> dict[int, dict[str, Any]] | None:  # noqa: ANN401 (as `convert`)
    """Probabilities as a table, not as a map for each row, which costs more than most models."""
    return {id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None


# Any: attributes of a node.
def _plain(value: Any) -> Any:  # noqa: ANN401 (as above)
    import numpy as np

    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return [_plain(one) for one in value] if isinstance(value, list) else value


# Any: a graph of the package onnx.
def _say(model: Any, signature: Signature, refusals: Refusals) -> None:  # noqa: ANN401 (as above)
    from onnx import helper

    is_one = signature.matrix is None and len(model.graph.input) == 1 and model.graph.input[0].name == MATRIX
    said: dict[str, Sequence[object] | Mapping[str, object] | Signature] = {
        SIGNATURE: signature,
        COLUMNS: signature.columns if is_one else (),
        CLASSES: signature.classes,
        GAPLESS: refusals.gaps,
        FINITE: refusals.infinite,
        SINGLE: refusals.large,
        KNOWN: refusals.known,
    }
    said = {key: what for key, what in said.items() if what}
    helper.set_model_props(model, {key: msgspec.json.encode(what).decode() for key, what in said.items()})


def _made_with() -> tuple[str, ...]:
    from importlib.metadata import version

    return tuple(f"{name} {version(name)}" for name in ("skl2onnx", "scikit-learn", "onnx", "onnxruntime"))
