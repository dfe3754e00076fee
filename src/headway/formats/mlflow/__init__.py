"""Models in folders that MLflow saved, of whichever of its flavours.

Where the folder holds a file of a format of ours, that file is loaded by it, without MLflow; else MLflow's own
`pyfunc` is asked. `about` reads what the folder says of itself, `native` and `pyfunc` ask.
"""

import os
import sys

from headway import formats
from headway.core.prediction import LoadedModel
from headway.formats.mlflow import about, native, pyfunc

RUNS_CODE = True
"""Where `code_in` finds some: `pyfunc` runs what the folder says."""


def fits(path: str, head: bytes) -> bool:
    """A folder with a file MLmodel."""
    return not head and os.path.isfile(os.path.join(path, about.NAME))


def code_in(path: str) -> tuple[str, ...]:
    """What in the folder would run: pickles, Python files, loaders. Nothing is loaded. Raises ModelUnreadable."""
    said = about.read(path)
    found = native.found(path, said)
    if found is not None and not formats.runs_code(found[1], found[0]):
        return ()
    return (*said.code, os.path.relpath(found[0], path) if found is not None else said.loader)


def load(path: str, *, threads: int | None = None) -> LoadedModel:
    """The model in memory; `threads` is told to a format of ours, to nothing else.

    Raises ExtraMissing, ModelUnreadable.
    """
    said = about.read(path)
    found = native.found(path, said)
    if said.code:
        # What Python would write beside the folder's own files is in no digest: it would not be loaded again.
        sys.dont_write_bytecode = True
    if found is None:
        return pyfunc.load(path, said)
    if formats.runs_code(found[1], found[0]):
        # As MLflow does it, for pickles that name the folder's own modules. Not where nobody was asked for trust.
        sys.path += [os.path.join(path, folder) for folder in said.code]
    inner = formats.opened(found[0], format=found[1], threads=threads)
    return native.Native(inner, said)
