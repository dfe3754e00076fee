"""Models that keep to scikit-learn's interface (`predict`, `predict_proba`), saved with pickle or joblib.

Loading alone: `tables/model_estimator` asks them. Does not know where the file came from.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard

from headway.core.prediction import LoadedModel
from headway.errors import ExtraMissing, ModelUnreadable
from headway.tables.model_estimator import Estimator, prepare
from headway.tables.model_rows import first_line

RUNS_CODE = True
"""A pickle is a program."""

_PICKLE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_COMPRESSED = (b"\x78", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b'\x04"M\x18')
"""What joblib compresses with: zlib, gzip, bzip2, xz, lz4. Many other files begin so too: the name must fit as well."""

_TORCH = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
"""The number by which PyTorch's old files begin, which are pickles too."""

_ENDINGS = (".joblib", ".pkl", ".pickle")


def fits(path: str, head: bytes) -> bool:
    """A pickle by its first bytes; a compressed one by its first bytes and its name."""
    name = path.lower()
    if head.startswith(_COMPRESSED):
        return any(e in name[-12:] for e in _ENDINGS)
    return head.startswith(_PICKLE) and _TORCH not in head[:16]


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
    prepare(estimator, path=path, threads=threads)
    return Estimator(estimator, format="sklearn", notes=tuple(_notes(caught)), path=path)


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
            f"the model cannot be unpickled: {type(e).__name__}: {first_line(e)}",
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
