"""A fitted estimator with scikit-learn's interface (`predict`, `predict_proba`), asked as it was taught.

What is hard here is not asking but the form: the columns it knows by name, and the missing value it learned (a gap in a
text column is None to Polars and NaN to pandas, and an encoder tells them apart: asked with the wrong one it answers,
silently, something else). Neighbour: `model_rows` has the tables. Does not know where the estimator came from.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.core.prediction import Prediction
from headway.core.signature import ANY_WIDTH, MATRIX, Field, Kind, Signature, kind_of, outputs_of
from headway.errors import DataUnreadable, ModelUnreadable
from headway.tables.model_rows import arrays_of, check_some, first_line, fractions_of, frame_of

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


# Any: whatever a file held.
def prepare(estimator: Any, *, path: str, threads: int | None) -> None:  # noqa: ANN401 (as above)
    """Make sure that it is an estimator, and tell parts that know how many threads they use to use `threads`.

    None leaves them as they are. Raises ModelUnreadable.
    """
    if not hasattr(estimator, "predict"):
        raise ModelUnreadable(
            f"the file holds a {type(estimator).__name__}, which has no `predict`",
            at=path,
            remedy="save the fitted estimator or pipeline itself, not something that contains it",
        )
    if threads is not None:
        for part in parts_of(estimator):
            if getattr(part, "n_jobs", None) is not None:
                part.n_jobs = threads


class Estimator:
    """A fitted estimator; `format` is that of its file, whose place is `path`."""

    # Any: whatever a file held.
    def __init__(self, estimator: Any, *, format: str, notes: tuple[str, ...], path: str) -> None:  # noqa: A002, ANN401 (its name; as above)
        self.format = format
        names = getattr(estimator, "feature_names_in_", None)
        self.columns: tuple[str, ...] = () if names is None else tuple(str(n) for n in names)
        self.notes = notes
        self._path = path
        self._estimator = estimator
        self._asks_probabilities = hasattr(estimator, "predict_proba")
        self._prepare, self._last = _split(estimator)
        self._texts, knows_none = _texts(estimator)
        # Both libraries serve a model that was taught without gaps; with them, None betrays Polars.
        self._wants_pandas = not knows_none and _has_pandas()
        self.signature = _signature(estimator, self.columns, self._texts)
        self._classes = self.signature.classes

    @property
    def estimator(self) -> Any:  # noqa: ANN401 (as above)
        """The estimator itself: what can be converted."""
        return self._estimator

    # Any: as in `LoadedModel.predict`.
    def predict(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> Prediction:
        """Answer for all rows at once. Raises DataUnreadable."""
        return self._asked(self._table(rows))

    # Any: as in `TakesArrays.predict_arrays`.
    def predict_arrays(self, arrays: "Mapping[str, np.ndarray[Any, np.dtype[Any]]]") -> Prediction:
        """Answer from an array for each input, without rows in between. Raises DataUnreadable."""
        import numpy as np

        found = arrays_of(arrays, [field.name for field in self.signature.inputs])
        if self.columns:
            import polars as pl

            table = pl.DataFrame({n: _column(a) for n, a in zip(self.columns, found, strict=True)})
            return self._asked(_to_pandas(table) if self._wants_pandas else table)
        self._check_width(found[0].shape[-1])
        # In the numbers that rows have: scikit-learn would reckon with half of the digits.
        return self._asked(found[0].astype(np.float64) if found[0].dtype.kind == "f" else found[0])

    # Any: a frame of either library, or an array.
    def _asked(self, table: Any) -> Prediction:  # noqa: ANN401 (as above)
        import numpy as np

        try:
            for part in self._prepare:
                table = part.transform(table)
            # Both are asked: for some models (an SVM, a tuned threshold) the label is not the likeliest class.
            labels = np.asarray(self._last.predict(table))
            raw = self._last.predict_proba(table) if self._asks_probabilities else None
        except (ValueError, TypeError) as e:
            raise DataUnreadable(
                f"the model cannot use these rows: {first_line(e)}",
                at=self._path,
                remedy="send each column in the type it was trained on",
            ) from e
        # A list of arrays is how scikit-learn answers for several outputs at once: those have no one table.
        probabilities = None if raw is None or isinstance(raw, list) else np.asarray(raw, dtype=np.float64)
        return Prediction(
            labels=labels, probabilities=probabilities, classes=() if probabilities is None else self._classes
        )

    # Any: what the estimator takes: a frame of either library, or an array.
    def _table(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> Any:  # noqa: ANN401 (as above)
        check_some(rows)
        if not self.columns and isinstance(rows, list):
            numbers = fractions_of(rows)
            if numbers is not None:
                self._check_width(numbers.shape[1])
                return numbers
        frame = frame_of(rows, self.columns, self._texts)
        if self.columns:
            return _to_pandas(frame) if self._wants_pandas else frame
        self._check_width(frame.width)
        return frame.to_numpy()

    def _check_width(self, have: int) -> None:
        wanted = getattr(self._estimator, "n_features_in_", have)
        if wanted != have:
            raise DataUnreadable(
                f"the model was trained on {wanted} columns without names; these rows have {have}",
                at="rows",
                remedy=f"send its {wanted} columns in their order, or train it on a data frame: names then count",
            )


# Any: an array of any kind.
def _column(array: "np.ndarray[Any, np.dtype[Any]]") -> "pl.Series":
    """One column as rows would have given it: texts, truth values, 64 bits for numbers."""
    import numpy as np
    import polars as pl

    flat = array.ravel()
    if flat.dtype.kind in "OUS":
        return pl.Series(values=flat.tolist(), dtype=pl.String)
    return pl.Series(values=flat.astype({"f": np.float64, "i": np.int64}.get(flat.dtype.kind, flat.dtype)))


# Any: a pandas frame, whose import this spares.
def _to_pandas(frame: "pl.DataFrame") -> Any:  # noqa: ANN401 (as above)
    """The same table as `pandas.read_csv` would have given it: every gap is NaN."""
    import numpy as np
    import pandas as pd

    columns = {}
    for one in frame:
        if one.dtype.is_numeric() or one.dtype.is_temporal():
            columns[one.name] = one.to_numpy()
        else:
            # As objects: pandas would take a text column of nothing but gaps for numbers, and encoders would fail.
            columns[one.name] = np.array([np.nan if v is None else v for v in one], dtype=object)
    return pd.DataFrame(columns)


def _has_pandas() -> bool:
    from importlib.util import find_spec

    return find_spec("pandas") is not None


# Any: fitted estimators of any library.
def _texts(estimator: Any) -> tuple[frozenset[str], bool]:  # noqa: ANN401 (as above)
    """The columns that an encoder took as text, and whether the gaps in them were None when it learned."""
    texts: set[str] = set()
    knows_none = False
    for part in parts_of(estimator):
        for _, branch, names in getattr(part, "transformers_", ()):
            categories = [c for p in parts_of(branch) for c in getattr(p, "categories_", ())]
            if any(c.dtype.kind in "OUT" for c in categories) and not isinstance(names, (str, slice)):
                texts.update(str(n) for n in names)
        for categories in getattr(part, "categories_", ()):
            knows_none |= categories.dtype.kind == "O" and any(c is None for c in categories)
    return frozenset(texts), knows_none


def _signature(estimator: Any, columns: tuple[str, ...], texts: frozenset[str]) -> Signature:  # noqa: ANN401 (as above)
    """What the estimator says of itself: names of columns, texts among them, classes; no kinds of numbers."""
    import numpy as np

    inputs: tuple[Field, ...] = tuple(Field(name=n, kind="BYTES" if n in texts else None) for n in columns)
    if not columns:
        inputs = (Field(name=MATRIX, width=int(getattr(estimator, "n_features_in_", ANY_WIDTH))),)
    found = getattr(estimator, "classes_", None)
    # A list of arrays: several outputs at once, which have no one table.
    if not isinstance(found, np.ndarray) or found.ndim != 1:
        label: Kind | None = "FP64" if found is None and _foretells_numbers(estimator) else None
        return Signature(inputs=inputs, outputs=outputs_of(label=label))
    classes = tuple(_plain(c) for c in found)
    kind = kind_of(str(found.dtype))
    if kind == "BYTES" and not all(isinstance(c, str) for c in classes):
        kind = None
    n_classes = len(classes) if hasattr(estimator, "predict_proba") else 0
    return Signature(inputs=inputs, outputs=outputs_of(label=kind, n_classes=n_classes), classes=classes)


def _foretells_numbers(estimator: Any) -> bool:  # noqa: ANN401 (as above)
    from importlib import import_module

    try:
        return bool(import_module("sklearn.base").is_regressor(estimator))
    except (ImportError, AttributeError, TypeError):  # an estimator of another library that does not tell
        return False


def _split(estimator: Any) -> tuple[tuple[Any, ...], Any]:  # noqa: ANN401 (as above)
    """A pipeline's transformers and its last step, so that they work once for labels and probabilities.

    One after the other, as the pipeline asks them, but without its own look at each of them in every call.
    """
    kind = type(estimator)
    if (kind.__module__, kind.__name__) != ("sklearn.pipeline", "Pipeline"):
        return (), estimator
    before = (step for _, step in estimator.steps[:-1])
    return tuple(step for step in before if step is not None and step != "passthrough"), estimator.steps[-1][1]


# Any: as above.
def parts_of(estimator: Any) -> Iterator[Any]:  # noqa: ANN401 (as above)
    """An estimator and all that it is made of."""
    yield estimator
    for _, step in getattr(estimator, "steps", ()):
        yield from parts_of(step)
    for branch in getattr(estimator, "transformers_", ()):
        yield from parts_of(branch[1])
    for name in ("best_estimator_", "estimator_"):
        if (inner := getattr(estimator, name, None)) is not None:
            yield from parts_of(inner)


def _plain(label: Any) -> Any:  # noqa: ANN401 (a class label of any type)
    return label.item() if hasattr(label, "item") else label
