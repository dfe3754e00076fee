"""Models that keep to scikit-learn's interface (`predict`, `predict_proba`), saved with pickle or joblib.

What is hard here is not loading but asking as the model was taught: with the columns it knows by name, and with the
missing value it learned (a gap in a text column is None to Polars and NaN to pandas, and an encoder tells them apart:
asked with the wrong one it answers, silently, something else). Does not know where the file came from.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from headway.core.prediction import LoadedModel, Prediction
from headway.core.signature import ANY_WIDTH, MATRIX, Field, Kind, Signature, kind_of, outputs_of
from headway.errors import DataUnreadable, ExtraMissing, ModelUnreadable
from headway.tables.model_rows import check_some, frame_of

if TYPE_CHECKING:
    import polars as pl

RUNS_CODE = True
"""A pickle is a program."""

_PICKLE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_COMPRESSED = (b"\x78", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b'\x04"M\x18')
"""What joblib compresses with: zlib, gzip, bzip2, xz, lz4. Many other files begin so too: the name must fit as well."""

_ENDINGS = (".joblib", ".pkl", ".pickle")


def fits(path: str, head: bytes) -> bool:
    """A pickle by its first bytes; a compressed one by its first bytes and its name."""
    name = path.lower()
    return head.startswith(_PICKLE) or (head.startswith(_COMPRESSED) and any(e in name[-12:] for e in _ENDINGS))


def calls(path: str) -> tuple[str, ...]:
    """What the pickle names of other modules, sorted: what it could call. Nothing is run.

    For people to read, not to rely on: a pickle can hide names, and a compressed one is not looked into.
    """
    import pickletools

    found, texts, memo = set[str](), list[str](), dict[int, str]()
    last, n_kept = "", 0
    with open(path, "rb") as f:
        try:
            for code, value, _ in pickletools.genops(f):
                if code.name in ("GLOBAL", "INST"):
                    found.add(str(value).replace(" ", "."))
                elif code.name == "STACK_GLOBAL":
                    found.add(".".join(texts[-2:]))
                elif code.name == "MEMOIZE" or code.name.endswith("PUT"):
                    memo[n_kept if value is None else int(value)] = last
                    n_kept += 1
                    continue
                # A text that was kept is fetched again by its number.
                last = value if _is_text(value) else ""
                if code.name.endswith("GET"):
                    last = memo.get(int(value or 0), "")
                texts = [*texts[-1:], last] if last else texts
        except Exception:  # noqa: BLE001 (joblib's arrays lie between the codes, and damaged files raise anything)
            return tuple(sorted(found))
    return tuple(sorted(found))


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str)


def load(path: str, *, threads: int | None = None) -> LoadedModel:
    """The model in memory; parts that were told how many threads to use are told anew unless `threads` is None.

    Raises ExtraMissing, ModelUnreadable.
    """
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = _unpickled(path)
    if not hasattr(estimator, "predict"):
        raise ModelUnreadable(
            f"the file holds a {type(estimator).__name__}, which has no `predict`",
            at=path,
            remedy="save the fitted estimator or pipeline itself, not something that contains it",
        )
    if threads is not None:
        for part in _parts(estimator):
            if getattr(part, "n_jobs", None) is not None:
                part.n_jobs = threads
    return _Estimator(estimator, notes=tuple(_notes(caught)), path=path)


# Any: whatever was pickled.
def _unpickled(path: str) -> Any:  # noqa: ANN401 (as above)
    try:
        try:
            from joblib import load as read
        except ModuleNotFoundError:
            from pickle import loads

            with open(path, "rb") as f:
                return loads(f.read())  # noqa: S301 (`formats.load` asked for trust)
        return read(path)
    except ModuleNotFoundError as e:
        raise _lacking(e.name or str(e), path) from e
    except AttributeError as e:
        raise ModelUnreadable(
            f"the model needs code that is not there: {e}",
            at=path,
            remedy="define that function or class in a module of the project, not in the script that is run",
        ) from e
    except Exception as e:  # unpickling runs the file's own program, which may raise anything
        raise ModelUnreadable(
            f"the model cannot be unpickled: {type(e).__name__}: {_first_line(e)}",
            at=path,
            remedy="load it with the versions it was made with (`headway show RUN` lists them), or train it again",
        ) from e


def _lacking(module: str, path: str) -> ExtraMissing | ModelUnreadable:
    root = module.partition(".")[0]
    if root in ("sklearn", "joblib"):
        return ExtraMissing(
            f"the model needs {root}, which is not installed", at=path, remedy="pip install 'headway[sklearn]'"
        )
    return ModelUnreadable(
        f"the model needs the module {module}, which is not there",
        at=path,
        remedy=f"install the package that has {root}, or put {root}.py beside pipeline.yaml",
    )


# Any: warnings.WarningMessage, whose import this spares.
def _notes(caught: Sequence[Any]) -> Iterator[str]:
    """One sentence for all of scikit-learn's warnings about versions (it gives one for each part of a pipeline)."""
    pairs = {
        (w.message.original_sklearn_version, w.message.current_sklearn_version)
        for w in caught
        if hasattr(w.message, "original_sklearn_version")
    }
    for made, here in sorted(pairs):
        yield (
            f"the model was made with scikit-learn {made} and is loaded with {here}: its answers may differ; "
            f"pip install 'scikit-learn=={made}' to be sure"
        )


class _Estimator:
    """A fitted estimator, asked in the form it was taught in."""

    format = "sklearn"

    def __init__(self, estimator: Any, *, notes: tuple[str, ...], path: str) -> None:  # noqa: ANN401 (as `_unpickled`)
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

    # Any: as in `LoadedModel.predict`.
    def predict(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> Prediction:
        import numpy as np

        table = self._table(rows)
        try:
            if self._prepare is not None:
                table = self._prepare.transform(table)
            # Both are asked: for some models (an SVM, a tuned threshold) the label is not the likeliest class.
            labels = np.asarray(self._last.predict(table))
            raw = self._last.predict_proba(table) if self._asks_probabilities else None
        except (ValueError, TypeError) as e:
            raise DataUnreadable(
                f"the model cannot use these rows: {_first_line(e)}",
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
        frame = frame_of(rows, self.columns, self._texts)
        if self.columns:
            return _to_pandas(frame) if self._wants_pandas else frame
        wanted = getattr(self._estimator, "n_features_in_", frame.width)
        if wanted != frame.width:
            raise DataUnreadable(
                f"the model was trained on {wanted} columns without names; these rows have {frame.width}",
                at="rows",
                remedy=f"send its {wanted} columns in their order, or train it on a data frame: names then count",
            )
        return frame.to_numpy()


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
    for part in _parts(estimator):
        for _, branch, names in getattr(part, "transformers_", ()):
            categories = [c for p in _parts(branch) for c in getattr(p, "categories_", ())]
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


def _split(estimator: Any) -> tuple[Any, Any]:  # noqa: ANN401 (as above)
    """A pipeline's transformers and its last step, so that they work once for labels and probabilities."""
    kind = type(estimator)
    if (kind.__module__, kind.__name__) != ("sklearn.pipeline", "Pipeline") or len(estimator.steps) == 1:
        return None, estimator
    return estimator[:-1], estimator.steps[-1][1]


def _parts(estimator: Any) -> Iterator[Any]:  # noqa: ANN401 (as above)
    """An estimator and all that it is made of."""
    yield estimator
    for _, step in getattr(estimator, "steps", ()):
        yield from _parts(step)
    for branch in getattr(estimator, "transformers_", ()):
        yield from _parts(branch[1])
    for name in ("best_estimator_", "estimator_"):
        if (inner := getattr(estimator, name, None)) is not None:
            yield from _parts(inner)


def _plain(label: Any) -> Any:  # noqa: ANN401 (a class label of any type)
    return label.item() if hasattr(label, "item") else label


def _first_line(e: Exception) -> str:
    return (str(e).splitlines() or [""])[0][:200]
