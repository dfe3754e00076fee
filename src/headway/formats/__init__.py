"""The formats of models, one file each, found by the file's name: telling what a file is, and loading it.

A format is a file with `RUNS_CODE` (whether loading runs what the file says), `fits(path, head)` (whether a file is of
this format, told by its name and first bytes, without running any of it) and `load(path)`. Its library is imported
inside `load`. Here is the one place that refuses a file which would run code that nobody vouched for.
"""

import os
from collections.abc import Collection
from typing import Protocol

from headway.core.ids import Digest
from headway.core.prediction import LoadedModel
from headway.errors import FileMissing, ModelUnreadable, ModelUntrusted

HEAD_BYTES = 64
"""How much of a file `fits` is shown: every magic number of a model format is shorter."""


class Format(Protocol):
    """What a file of this room offers."""

    RUNS_CODE: bool

    def fits(self, path: str, head: bytes) -> bool:
        """Whether the file or folder at `path` is of this format; `head` are its first bytes, empty for a folder."""

    def load(self, path: str, *, threads: int | None = None) -> LoadedModel:
        """The model in memory, computing in `threads` threads (None: as its library will); some cannot be told.

        Raises ModelUnreadable, ExtraMissing.
        """


def known() -> tuple[str, ...]:
    """The formats there are, sorted; read from the folder, nothing is imported."""
    # A file, or a folder of files when one would be long; no compiled ones, whose folder begins with `_`.
    files = (f for f in os.listdir(os.path.dirname(__file__)) if not f.startswith("_"))
    return tuple(sorted(f.removesuffix(".py") for f in files if f.endswith(".py") or "." not in f))


def detect(path: str) -> str:
    """The format of a model, told without running any of it. Raises FileMissing, ModelUnreadable."""
    head = b""
    if os.path.isfile(path):
        with open(path, "rb") as f:
            head = f.read(HEAD_BYTES)
    elif not os.path.isdir(path):
        raise FileMissing(f"there is no model at {path}", at=path, remedy="let a step write it first, or name its file")
    for name in known():
        if _find(name).fits(path, head):
            return name
    raise ModelUnreadable(
        f"{os.path.basename(path)} is of no known model format",
        at=path,
        remedy=f"save the model in one of: {', '.join(known())} (docs/models.md says how each is saved)",
    )


def load(
    path: str,
    *,
    format: str,  # noqa: A002 (its name)
    digest: Digest,
    trusted: Collection[Digest],
    threads: int | None = None,
) -> LoadedModel:
    """The model at `path` in memory.

    `digest` names what the file should hold; a file that would run code is loaded only if it holds just that, and
    `trusted` (the digests that the registry or runs of this project made) has it too. A process that answers many
    requests at once is best served by `threads=1`; one that answers one table by None, which leaves it to the model.

    Raises ModelUntrusted, ModelUnreadable, ExtraMissing, FileMissing.
    """
    if format not in known():
        raise ModelUnreadable(
            f"there is no model format {format!r}", at=path, remedy=f"use one of: {', '.join(known())}"
        )
    if not os.path.exists(path):
        raise FileMissing(f"there is no model at {path}", at=path, remedy="name the model's file or folder")
    chosen = _find(format)
    if chosen.RUNS_CODE:
        _vouched(chosen, path, digest, trusted)
    return chosen.load(path, threads=threads)


def runs_code(format: str) -> bool:  # noqa: A002 (its name)
    """Whether loading a file of this format runs what stands in it; of an unknown format that is taken for granted."""
    return format not in known() or _find(format).RUNS_CODE


def _vouched(chosen: Format, path: str, digest: Digest, trusted: Collection[Digest]) -> None:
    """Refuse a file that runs code when it is loaded, unless it is the very one that somebody vouched for."""
    if digest not in trusted:
        raise ModelUntrusted(
            f"loading {os.path.basename(path)} would run code that neither a run of this project nor its registry made"
            + _naming(chosen, path),
            at=path,
            remedy="let a step make it and declare it under `out`, or register it if you trust where it came from",
        )
    from blake3 import blake3

    # Only files: no format that runs code is a folder.
    if not os.path.isfile(path) or blake3().update_mmap(path).hexdigest() != digest:
        raise ModelUntrusted(
            f"{os.path.basename(path)} is not the file that was vouched for: its content is another",
            at=path,
            remedy="take the model from the store again: run the step anew, or deploy the version again",
        )


_SHOWN = 5

_USUAL = frozenset({"sklearn", "numpy", "scipy", "joblib", "collections", "copyreg", "xgboost", "lightgbm"})
"""Where the parts of an ordinary model come from: named last, so that what is odd is seen."""


def _naming(chosen: Format, path: str) -> str:
    """What of other modules the file names, what is odd first; nothing when the format cannot tell."""
    calls = getattr(chosen, "calls", None)
    if calls is None or not os.path.isfile(path):
        return ""
    named = sorted(calls(path), key=lambda name: (name.partition(".")[0] in _USUAL, name))
    if not named:
        return ""
    more = len(named) - _SHOWN
    return f"; it names {', '.join(named[:_SHOWN])}" + (f" and {more} more" if more > 0 else "")


def _find(name: str) -> Format:
    from importlib import import_module

    module: object = import_module(f"headway.formats.{name}")
    return module  # type: ignore[return-value] # a module: tests/formats checks that each one is a Format
