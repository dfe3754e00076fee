"""Models in LightGBM's own text files (`save_model`), asked through the booster: 20 times quicker than its wrapper.

What the file says decides: its objective whether it tells classes, its feature names which columns, its categories
which texts. Labels of classes are not in such a file: they are 0, 1, 2 … as LightGBM counts them.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.core.prediction import LoadedModel, Prediction
from headway.core.signature import MATRIX, Field, Signature, outputs_of
from headway.errors import DataUnreadable, ExtraMissing, ModelUnreadable
from headway.tables.model_rows import arrays_of, check_some, coded_matrix, first_line, matrix_of

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

RUNS_CODE = False
"""A file of numbers."""

_END = "\nend of trees"


def fits(path: str, head: bytes) -> bool:  # noqa: ARG001 (its bytes say it, whatever its name)
    """A file that begins as LightGBM's do."""
    return head.startswith((b"tree\nversion=", b"tree\r\nversion="))


def load(path: str, *, threads: int | None = None) -> LoadedModel:
    """The model in memory, computing in `threads` threads, all cores when None.

    Raises ExtraMissing, ModelUnreadable.
    """
    try:
        import lightgbm
    except (ModuleNotFoundError, OSError) as e:  # its library lacks libgomp.so.1 on slim images
        raise ExtraMissing(
            f"the model needs lightgbm, which cannot be imported: {e}",
            at=path,
            remedy="pip install 'headway[lightgbm]' (and your system's libgomp)",
        ) from e
    try:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        _check_whole(text)
        booster = lightgbm.Booster(model_str=text)
    except (ValueError, lightgbm.basic.LightGBMError) as e:
        raise ModelUnreadable(
            f"lightgbm cannot load the model: {first_line(e)}",
            at=path,
            remedy="save it anew with `save_model`, whole, with a version that is not newer than the one here",
        ) from e
    return _Booster(booster, _head(text), threads, path)


def _check_whole(text: str) -> None:
    """Raise ValueError for a file that was cut: LightGBM would read it, without a word, as a smaller model."""
    if _END not in text or "\nend of parameters" not in text[text.rindex(_END) :]:
        raise ValueError("it is not whole")


def _head(text: str) -> dict[str, str]:
    """The lines of the file before its first tree, by what stands left of their `=`."""
    lines = text[: text.find("\nTree=")].splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


class _Booster:
    """A booster, and what its file says of it."""

    format = "lightgbm"

    # Any: lightgbm's own types are not strict.
    def __init__(self, booster: Any, head: dict[str, str], threads: int | None, path: str) -> None:  # noqa: ANN401 (as above)
        self._booster = booster
        self._path = path
        self._how = {"num_threads": threads} if threads else {}
        names = tuple(booster.feature_name())
        self._width = len(names)
        # What was trained on an array has names that LightGBM made up.
        self.columns: tuple[str, ...] = () if names == tuple(f"Column_{i}" for i in range(len(names))) else names
        objective = head.get("objective", "").split(" ")[0]
        n_classes = {"binary": 2, "multiclass": int(head["num_class"]), "multiclassova": int(head["num_class"])}
        self._classes = tuple(range(n_classes.get(objective, 0)))
        self._is_binary = objective == "binary"
        self._categories, note = _categories(names, head.get("feature_infos", ""), booster.pandas_categorical)
        self.notes: tuple[str, ...] = (note,) if note else ()
        self.signature = Signature(
            inputs=tuple(Field(name=n, kind="BYTES" if n in self._categories else "FP64") for n in self.columns)
            or (Field(name=MATRIX, kind="FP64", width=self._width),),
            outputs=outputs_of(label="INT64" if self._classes else "FP64", n_classes=len(self._classes)),
            classes=self._classes,
        )

    # Any: as in `LoadedModel.predict`.
    def predict(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> Prediction:
        check_some(rows)
        if self._categories:
            return self._asked(coded_matrix(rows, self.columns, self._categories, refuse_unknown=False))
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
        import lightgbm
        import numpy as np

        try:
            told = np.asarray(self._booster.predict(matrix.astype(np.float64, copy=False), **self._how))
        except (ValueError, TypeError, lightgbm.basic.LightGBMError) as e:
            raise DataUnreadable(
                f"the model cannot use these rows: {first_line(e)}",
                at=self._path,
                remedy="send each column in the type it was trained on",
            ) from e
        if not self._classes:
            return Prediction(labels=told)
        if self._is_binary:
            labels, told = (told > 0.5).astype(np.int64), np.column_stack([1 - told, told])
        else:
            labels = told.argmax(axis=1)
            # One tree against all others for each class: LightGBM leaves them as they are, which do not add up.
            told = told / told.sum(axis=1, keepdims=True)
        return Prediction(labels=labels, probabilities=told, classes=self._classes)


# Any: what was pandas' categories, as JSON.
def _categories(names: tuple[str, ...], infos: str, kept: Any) -> tuple[dict[str, list[str]], str]:  # noqa: ANN401 (as above)
    """The texts of each column of categories, in the order of their codes; and a note when they cannot be told.

    The file keeps lists of texts without saying of which columns; those are columns whose values are listed (`0:1:2`)
    and not a range (`[0:1]`).
    """
    if not kept:
        return {}, ""
    listed = [n for n, info in zip(names, infos.split(" "), strict=False) if info != "none" and info[0] != "["]
    if len(listed) != len(kept):
        return {}, "the file does not say which of its columns hold categories: send their codes"
    texts = dict(zip(listed, kept, strict=True))
    return {n: found for n, found in texts.items() if all(isinstance(t, str) for t in found)}, ""
