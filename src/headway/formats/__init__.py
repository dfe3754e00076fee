"""The formats of models, one file each, found by the file's name: telling what a file is, and loading it.

A format is a file with `RUNS_CODE` (whether loading runs what the file says), `fits(path, head)` (whether a file is of
this format, told by its name and first bytes, without running any of it) and `load(path)`. Its library is imported
inside `load`. Here is the one place that refuses a file which would run code that nobody vouched for. A format some of
whose files run nothing says of a file what in it would: `code_in(path)`.
"""

import os
from collections.abc import Collection, Iterator
from typing import Protocol

from headway.core.ids import Digest
from headway.core.prediction import LoadedModel
from headway.core.tree import PASSED_OVER, TreeEntry, TreeFile, TreeFolder, digest_of_tree, tree_of
from headway.errors import ExtraMissing, FileMissing, ModelUnreadable, ModelUntrusted

HEAD_BYTES = 64
"""How much of a file `fits` is shown: every magic number of a model format is shorter."""


class Format(Protocol):
    """What a file of this room offers."""

    RUNS_CODE: bool
    """With `code_in`: whether there can be files of this format that run something."""

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
    if _runs_code(chosen, path):
        _vouched(chosen, path, digest, trusted)
    return opened(path, format=format, threads=threads)


def opened(path: str, *, format: str, threads: int | None = None) -> LoadedModel:  # noqa: A002 (its name)
    """As `load`, but nobody is asked for trust: for a part of a whole that was vouched for."""
    return _find(format).load(path, threads=threads)


def runs_code(format: str, path: str | None = None) -> bool:  # noqa: A002 (its name)
    """Whether loading this file runs what stands in it; without a file, whether that is so of any of this format.

    Of an unknown format, and of a file that cannot be looked into, that is taken for granted.
    """
    if format not in known():
        return True
    chosen = _find(format)
    try:
        return chosen.RUNS_CODE if path is None else _runs_code(chosen, path)
    except (ModelUnreadable, ExtraMissing):
        return True


def _runs_code(chosen: Format, path: str) -> bool:
    look = getattr(chosen, "code_in", None)
    return chosen.RUNS_CODE and (look is None or bool(look(path)))


def _vouched(chosen: Format, path: str, digest: Digest, trusted: Collection[Digest]) -> None:
    """Refuse a file that runs code when it is loaded, unless it is the very one that somebody vouched for."""
    name = os.path.basename(path)
    if digest not in trusted:
        raise ModelUntrusted(
            f"loading {name} would run code that neither a run of this project nor its registry made"
            + _naming(chosen, path),
            at=path,
            remedy="let a step make it and declare it under `out`, or register it if you trust where it came from",
        )
    if _digest_of(path) != digest:
        raise ModelUntrusted(
            f"{name} is not the one that was vouched for: its content is another",
            at=path,
            remedy="take the model from the store again: run the step anew, or deploy the version again",
        )


def _digest_of(path: str) -> Digest:
    """The digest of a file, or of a folder and all in it, as the store names it.

    Stricter than the store, since this is about to be run: raises ModelUntrusted for a link, which may lead to what is
    in no digest, and for `__pycache__`, which Python would run and which is in none either.
    """
    return digest_of_tree(tree_of(_entries(path, ""))) if os.path.isdir(path) else _digest(path)


def _digest(path: str) -> Digest:
    from blake3 import blake3

    return Digest(blake3().update_mmap(path).hexdigest())


def _entries(folder: str, prefix: str) -> Iterator[TreeEntry]:
    """Those of a folder, by their paths from where one began."""
    is_empty = True
    with os.scandir(folder) as found:
        for one in found:
            name = f"{prefix}{one.name}"
            if one.is_symlink() or one.name == "__pycache__" or not (one.is_file() or one.is_dir()):
                raise ModelUntrusted(
                    f"{name} in the model's folder is {_what(one)}, whose content no digest covers",
                    at=one.path,
                    remedy="delete it, or copy what it leads to into its place, and register the model again",
                )
            if one.name in PASSED_OVER:
                continue
            is_empty = False
            if one.is_dir():
                yield from _entries(one.path, f"{name}/")
            else:
                status = one.stat()
                yield TreeFile(name, _digest(one.path), status.st_size, bool(status.st_mode & 0o100))
    if is_empty and prefix:
        yield TreeFolder(prefix[:-1])


def _what(one: "os.DirEntry[str]") -> str:
    if one.is_symlink():
        return "a link"
    return "of compiled code" if one.name == "__pycache__" else "no file"


_SHOWN = 5

_USUAL = frozenset({"sklearn", "numpy", "scipy", "joblib", "collections", "copyreg", "xgboost", "lightgbm"})
"""Where the parts of an ordinary model come from: named last, so that what is odd is seen."""


def _naming(chosen: Format, path: str) -> str:
    """What of other modules the file names, what is odd first; nothing when the format cannot tell."""
    look = getattr(chosen, "calls", None) or getattr(chosen, "code_in", None)
    if look is None:
        return ""
    named = sorted(look(path), key=lambda name: (name.partition(".")[0] in _USUAL, name))
    if not named:
        return ""
    more = len(named) - _SHOWN
    return f"; it names {', '.join(named[:_SHOWN])}" + (f" and {more} more" if more > 0 else "")


def _find(name: str) -> Format:
    from importlib import import_module

    module: object = import_module(f"headway.formats.{name}")
    return module  # type: ignore[return-value] # a module: tests/formats checks that each one is a Format
