"""Models in XGBoost's own files (`save_model` to JSON or UBJSON), asked through the booster, without scikit-learn.

What the file says decides: its objective whether it tells classes, its feature names which columns, its categories
which texts. Labels of classes are not in such a file: they are 0, 1, 2 … as XGBoost counts them.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from headway.core.prediction import LoadedModel, Prediction
from headway.core.signature import MATRIX, Field, Signature, outputs_of
from headway.errors import DataUnreadable, ExtraMissing, ModelUnreadable
from headway.tables.model_rows import arrays_of, check_some, coded_matrix, matrix_of

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

RUNS_CODE = False
"""A file of numbers."""

_HEADS = (b'{"learner":', b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner")
"""The first bytes of its JSON and of its UBJSON."""


def fits(path: str, head: bytes) -> bool:  # noqa: ARG001 (its bytes say it, whatever its name)
    """A file that begins as XGBoost's do."""
    return head.startswith(_HEADS)


def load(path: str, *, threads: int | None = None) -> LoadedModel:
    """The model in memory, computing in `threads` threads, all cores when None.

    Raises ExtraMissing, ModelUnreadable.
    """
    try:
        import xgboost
    except ModuleNotFoundError as e:
        raise ExtraMissing(
            "the model needs xgboost, which is not installed", at=path, remedy="pip install 'headway[xgboost]'"
        ) from e
    try:
        with open(path, "rb") as f:
            content = f.read()
        _check_whole(content)
        booster = xgboost.Booster({"nthread": threads} if threads else None)
        # Not by its name: a file out of the store has none, and XGBoost would tell its form by that.
        booster.load_model(bytearray(content))
        config = msgspec.json.decode(booster.save_config())["learner"]
    except (xgboost.core.XGBoostError, msgspec.DecodeError, KeyError, ValueError) as e:
        raise ModelUnreadable(
            f"xgboost cannot load the model: {_reason(e)}",
            at=path,
            remedy="save it anew with `save_model`, whole, with a version that is not newer than the one here",
        ) from e
    return _Booster(booster, config, path)


def _check_whole(content: bytes) -> None:
    """Raise ValueError for a file that was cut or whose form is broken: XGBoost would read beyond its end and crash."""
    if content.startswith(_HEADS[0]):
        # Not msgspec: XGBoost writes NaN where JSON has no word.
        json.loads(content)
        return
    try:
        end = _after(content, 0)
    except (IndexError, struct.error):
        end = -1
    if end != len(content):
        raise ValueError("it is not whole")


_SIZES = {b"i": 1, b"U": 1, b"C": 1, b"I": 2, b"l": 4, b"d": 4, b"L": 8, b"D": 8, b"T": 0, b"F": 0, b"Z": 0}
"""Bytes of the value behind each marker of UBJSON, where it is fixed."""

_DEEPEST = 64


def _after(content: bytes, at: int, depth: int = 0) -> int:
    """Where a value of UBJSON ends that begins at `at`. Raises ValueError, IndexError, struct.error."""
    marker = content[at : at + 1]
    at += 1
    if marker in _SIZES:
        return at + _SIZES[marker]
    if marker == b"S":
        return _after_text(content, at)
    if marker not in (b"{", b"[") or depth > _DEEPEST:
        raise ValueError("it is not whole")
    if marker == b"[" and content[at : at + 1] == b"$":
        # All of one kind: `$`, the kind, `#`, and how many as a number with its own marker.
        size = _SIZES.get(content[at + 1 : at + 2])
        if size is None or content[at + 2 : at + 4] != b"#L":
            raise ValueError("it is not whole")
        return at + 12 + size * _count(content, at + 4)
    count = None
    if content[at : at + 2] == b"#L":
        count, at = _count(content, at + 2), at + 10
    close = b"}" if marker == b"{" else b"]"
    while content[at : at + 1] != close if count is None else count > 0:
        if marker == b"{":
            at = _after_text(content, at)
        at = _after(content, at, depth + 1)
        if at > len(content):
            raise ValueError("it is not whole")
        count = None if count is None else count - 1
    return at + (count is None)


def _after_text(content: bytes, at: int) -> int:
    if content[at : at + 1] != b"L":
        raise ValueError("it is not whole")
    return at + 9 + _count(content, at + 1)


def _count(content: bytes, at: int) -> int:
    count: int = struct.unpack_from(">q", content, at)[0]
    if not 0 <= count <= len(content):
        raise ValueError("it is not whole")
    return count


class _Booster:
    """A booster, and what its file says of it."""

    format = "xgboost"

    # Any: xgboost ships no types.
    def __init__(self, booster: Any, config: dict[str, Any], path: str) -> None:  # noqa: ANN401 (as above)
        self._booster = booster
        self._path = path
        self.columns: tuple[str, ...] = tuple(booster.feature_names or ())
        self._width: int = booster.num_features()
        self._objective: str = config["learner_train_param"]["objective"]
        n_classes = int(config["learner_model_param"]["num_class"])
        if self._objective.startswith("binary:"):
            n_classes = 2
        self._classes = tuple(range(n_classes)) if n_classes else ()
        # A wrapper of scikit-learn that stopped early answers with its best trees; a bare booster with all of them.
        said = booster.attributes()
        stopped = "scikit_learn" in said and "best_iteration" in said
        self._trees = (0, int(said["best_iteration"]) + 1) if stopped else (0, 0)
        kinds = booster.feature_types or ()
        self._categories, nameless = _categories(booster, self.columns, kinds)
        self.notes: tuple[str, ...] = ()
        if nameless:
            self.notes = (f"the categories of {', '.join(nameless)} have no names in the file: send their codes",)
        has_chances = bool(self._classes) and self._objective not in _NO_CHANCES
        self.signature = Signature(
            inputs=tuple(Field(name=n, kind="BYTES" if n in self._categories else "FP64") for n in self.columns)
            or (Field(name=MATRIX, kind="FP64", width=self._width),),
            outputs=outputs_of(
                label="INT64" if self._classes else "FP64", n_classes=len(self._classes) if has_chances else 0
            ),
            classes=self._classes,
        )

    # Any: as in `LoadedModel.predict`.
    def predict(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> Prediction:
        check_some(rows)
        if self._categories:
            return self._asked(coded_matrix(rows, self.columns, self._categories, refuse_unknown=True))
        return self._asked(matrix_of(rows, self.columns, width=None if self.columns else self._width))

    # Any: as in `TakesArrays.predict_arrays`.
    def predict_arrays(self, arrays: "Mapping[str, np.ndarray[Any, np.dtype[Any]]]") -> Prediction:
        import numpy as np
        import polars as pl

        found = arrays_of(arrays, [field.name for field in self.signature.inputs])
        if self._categories:
            return self.predict(pl.DataFrame({n: a.ravel().tolist() for n, a in arrays.items()}))
        return self._asked(found[0] if not self.columns else np.column_stack(found))

    # Any: an array of numbers.
    def _asked(self, matrix: "np.ndarray[Any, np.dtype[Any]]") -> Prediction:
        import numpy as np
        import xgboost

        as_margin = self._objective in ("multi:softmax", "binary:logitraw")
        try:
            with np.errstate(over="ignore"):  # it reckons in FP32; what is too large there is infinite to it
                given = matrix.astype(np.float32)
            told = self._booster.inplace_predict(
                given, iteration_range=self._trees, predict_type="margin" if as_margin else "value"
            )
        except (ValueError, TypeError, xgboost.core.XGBoostError) as e:
            raise DataUnreadable(
                f"the model cannot use these rows: {_reason(e)}",
                at=self._path,
                remedy="send each column in the type it was trained on",
            ) from e
        return self._read(np.asarray(told))

    # Any: as above.
    def _read(self, told: "np.ndarray[Any, np.dtype[Any]]") -> Prediction:
        import numpy as np

        if not self._classes:
            return Prediction(labels=told)
        if self._objective == "binary:hinge":
            return Prediction(labels=told.astype(np.int64))
        if self._objective == "binary:logitraw":
            told = 1 / (1 + np.exp(-told))
        if self._objective == "multi:softmax":
            told = np.exp(told - told.max(axis=1, keepdims=True))
            told = told / told.sum(axis=1, keepdims=True)
        if told.ndim == 1:
            chances = np.column_stack([1 - told, told])
            labels = (told > 0.5).astype(np.int64)
        else:
            chances, labels = told, told.argmax(axis=1)
        return Prediction(labels=labels, probabilities=chances.astype(np.float64), classes=self._classes)


_NO_CHANCES = ("binary:hinge",)
"""Objectives that tell a class without how likely it is."""


# Any: xgboost ships no types.
def _categories(
    booster: Any,  # noqa: ANN401 (as above)
    columns: tuple[str, ...],
    kinds: Sequence[str],
) -> tuple[dict[str, list[str]], list[str]]:
    """The texts of each column of categories, in the order of their codes; and those columns whose file has no texts.

    XGBoost keeps the texts since 3.1. Categories that are numbers are sent as they are: as codes.
    """
    asked = [name for name, kind in zip(columns, kinds, strict=False) if kind == "c"]
    if not asked:
        return {}, []
    try:
        told = dict(booster.get_categories(export_to_arrow=True).to_arrow())
    except (AttributeError, ImportError, TypeError):  # an older version, or no pyarrow
        told = {}
    texts = {n: told[n].to_pylist() for n in asked if told.get(n) is not None}
    texts = {n: found for n, found in texts.items() if all(isinstance(t, str) for t in found)}
    return texts, [n for n in asked if n not in texts]


def _reason(e: Exception) -> str:
    """What went wrong, without the place in its sources and the stack that XGBoost puts around it."""
    lines = [line for line in str(e).splitlines() if line.strip()]
    told = (lines or [type(e).__name__])[0].rpartition("Check failed: ")[2].partition("Stack trace")[0]
    return told.strip()[:200] or type(e).__name__
