"""Models of scikit-learn's interface in the files of skops: data that name types, so that who loads can say which.

What a file names beyond skops' own list of harmless types is told, and counts as code. Neighbour: `sklearn` reads
pickles of the same models; `tables/model_estimator` asks both.
"""

from typing import Any
from zipfile import BadZipFile, ZipFile

from headway.core.prediction import LoadedModel
from headway.errors import ExtraMissing, ModelUnreadable
from headway.tables.model_estimator import Estimator, prepare
from headway.tables.model_rows import first_line

RUNS_CODE = True
"""Where `code_in` finds a type that skops does not know."""

_ZIP = b"PK\x03\x04"


def fits(path: str, head: bytes) -> bool:
    """An archive with skops' list of what it holds, whatever its name; a damaged one by its name."""
    if not head.startswith(_ZIP):
        return bool(head) and path.lower().endswith(".skops")
    try:
        with ZipFile(path) as archive:
            return "schema.json" in archive.namelist()
    except (BadZipFile, OSError, ValueError):
        return path.lower().endswith(".skops")


def code_in(path: str) -> tuple[str, ...]:
    """The types it names that skops does not trust by itself, sorted; nothing is loaded.

    Raises ModelUnreadable, ExtraMissing.
    """
    io = _library(path)
    try:
        _check_whole(path)
        return tuple(sorted(str(name) for name in io.get_untrusted_types(file=path)))
    except Exception as e:  # a damaged list of types makes it raise anything
        raise _unreadable(path, e) from e


def load(path: str, *, threads: int | None = None) -> LoadedModel:
    """The model in memory; parts that were told how many threads to use are told anew unless `threads` is None.

    Whoever calls has asked for trust in all of `code_in`. Raises ExtraMissing, ModelUnreadable.
    """
    import warnings

    io = _library(path)
    trusted = list(code_in(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator = io.load(path, trusted=trusted)
    except ModuleNotFoundError as e:
        raise ModelUnreadable(
            f"the model needs the module {e.name}, which is not there",
            at=path,
            remedy="install the package that has it, or put it beside pipeline.yaml",
        ) from e
    except Exception as e:  # types that are named may be anything, and raise anything
        raise _unreadable(path, e) from e
    prepare(estimator, path=path, threads=threads)
    return Estimator(estimator, format="skops", notes=(), path=path)


# Any: skops ships no types.
def _library(path: str) -> Any:  # noqa: ANN401 (as above)
    try:
        import skops.io
    except ModuleNotFoundError as e:
        raise ExtraMissing(
            f"the model needs {e.name}, which is not installed", at=path, remedy="pip install 'headway[skops]'"
        ) from e
    return skops.io


def _check_whole(path: str) -> None:
    """Raise ValueError or BadZipFile for an archive that was cut or of which a bit flipped."""
    with ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged} in it is damaged")


def _unreadable(path: str, e: Exception) -> ModelUnreadable:
    return ModelUnreadable(
        f"skops cannot load the model: {type(e).__name__}: {first_line(e)}",
        at=path,
        remedy="save it anew with `skops.io.dump`, whole, with a version that is not newer than the one here",
    )
