"""The packages a version is served with, found for an image: what it was made with, as far as it needs it.

`core/environment` decides; here the run's record is read, what packages ask for (as they are installed for headway
itself), what the model's file names, and which hashes the project's lock file knows. Nothing is loaded or asked of an
index. Neighbour: `surroundings` made the record.
"""

import ast
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module, metadata

from msgspec import Struct

from headway import __version__
from headway.codec import hashes
from headway.core import environment as e
from headway.core.facts import ModelRegistered
from headway.errors import FileMissing, HeadwayError, NameUnknown
from headway.flows.lineage import packages
from headway.ports import Blobs

OWN = "headway"

_ROOTS = {"onnx": ("onnxruntime",), "function": ()}
"""What serves a format whose extra holds more than that, or that has none. Others are served by their extra."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What somebody asks of an environment beside what the model needs.

    `add` are packages that the model imports and does not name, `name` or `name==version`; `extras` are headway's;
    `lock` is the file that has the hashes (empty: the project's, if there is one). `is_whole`: all that was recorded.
    """

    add: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    lock: str = ""
    is_whole: bool = False


class Environment(Struct, frozen=True, kw_only=True):
    """All that is to be installed: nothing is left for an installer to choose. `notes` are for people."""

    python: str
    pins: tuple[e.Pin, ...]
    notes: tuple[str, ...] = ()


def environment(blobs: Blobs, made: ModelRegistered, path: str, wanted: Wanted, folder: str) -> Environment:
    """That of a version whose file or folder is at `path`, for a project in `folder`.

    Raises NameUnknown for what is needed and has no version anywhere, FileMissing, FileFaulty.
    """
    installed = _installed()
    recorded = e.versions(packages(blobs, made))
    notes = []
    if not recorded:
        notes.append(
            "what was installed where it was made is not known: it gets the versions that headway itself has here"
        )
    given = dict(one.split("==", 1) for one in wanted.add if "==" in one)
    known = {name: one.version for name, one in installed.items()} | recorded
    known |= {e.plain(name): version for name, version in given.items()} | {OWN: __version__}
    modules = tuple(_named(made.format, path))
    names, strangers = _packages_of(modules, known)
    if strangers:
        notes.append(
            f"the model names {', '.join(strangers)}, which no package holds that is known: what is missing is found "
            "when the image loads the model"
        )
    roots = [*_roots(made, wanted.extras), *(e.Requirement(name) for name in names), *_listed(path, known)]
    roots += [e.Requirement(e.plain(one.partition("==")[0])) for one in wanted.add]
    found = e.needed(roots, known, lambda name: installed[name].requires or () if name in installed else None)
    if found.absent:
        raise _absent(found.absent)
    chosen = {*found.names}
    if recorded and (wanted.is_whole or found.unread):
        chosen |= {*recorded}
    if found.unread and not wanted.is_whole:
        notes.append(f"what {', '.join(found.unread)} asks for is not known here: all that was recorded is installed")
    pins = [e.Pin(name, known[name]) for name in sorted(chosen - {OWN})]
    return Environment(python=made.place.python, pins=e.hashed(pins, _hashes(folder, wanted.lock)), notes=tuple(notes))


def _roots(made: ModelRegistered, extras: Sequence[str]) -> Iterator[e.Requirement]:
    have = metadata.metadata(OWN).get_all("Provides-Extra") or []
    for name in extras:
        if name not in have:
            raise NameUnknown(f"headway has no extra {name}", at="--extra", remedy=f"it has {', '.join(sorted(have))}")
    served = _ROOTS.get(made.format)
    yield e.Requirement(OWN, (*extras, *(() if served is not None else (made.format,))))
    converted = () if made.onnx is None or made.onnx.digest is None else ("onnxruntime",)
    yield from (e.Requirement(name) for name in (*(served or ()), *converted))


def _absent(absent: Sequence[tuple[str, str]]) -> NameUnknown:
    told = ", ".join(f"{name} (for {asker})" for name, asker in absent)
    name = absent[0][0]
    return NameUnknown(
        f"what is needed has no version, neither in the version's record nor here: {told}",
        at="headway image",
        remedy=f"say which one: --add {name}==VERSION; or install it where headway is and run this again",
    )


def _installed() -> Mapping[str, metadata.Distribution]:
    """The packages that are installed for this interpreter; of one that is there twice the first, as Python does."""
    found: dict[str, metadata.Distribution] = {}
    for one in metadata.distributions():
        # A broken one has no name.
        if name := one.metadata["Name"]:
            found.setdefault(e.plain(name), one)
    return found


def _hashes(folder: str, lock: str) -> hashes.Hashes:
    for name in (lock,) if lock else hashes.FILES:
        path = os.path.join(folder, name)
        try:
            with open(path, "rb") as file:
                return hashes.read(file.read(), name)
        except OSError as error:
            if lock:
                problem = f"{name} cannot be read: {error.strerror}"
                raise FileMissing(
                    problem, at="--lock", remedy="name a lock file as uv, Poetry or pip writes it"
                ) from error
    return {}


# --- what the model names ----------------------------------------------------------------------------------------


def _named(format: str, path: str) -> Iterator[str]:  # noqa: A002 (its name)
    """The top modules that a model's files import or name; nothing of them is run."""
    if format not in ("function", "mlflow"):
        chosen = import_module(f"headway.formats.{format}")
        look: Callable[[str], Iterable[str]] | None = getattr(chosen, "calls", None) or getattr(chosen, "code_in", None)
        with suppress(HeadwayError):
            yield from (name.partition(".")[0] for name in (look(path) if look is not None else ()))
        return
    for file in _python_below(path):
        with suppress(SyntaxError, ValueError), open(file, "rb") as opened:
            yield from _imported(ast.parse(opened.read()))


def _python_below(path: str) -> Iterator[str]:
    if not os.path.isdir(path):
        yield path
        return
    for folder, _, names in os.walk(path):
        yield from (os.path.join(folder, name) for name in names if name.endswith(".py"))


def _imported(tree: ast.AST) -> Iterator[str]:
    """Also what is imported when a function is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _packages_of(modules: Sequence[str], known: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The packages that hold these modules, and the modules that none is known of."""
    asked = {
        name for name in modules if name not in sys.stdlib_module_names and name not in (OWN, "__main__", "builtins")
    }
    holders = metadata.packages_distributions() if asked else {}
    found: set[str] = set()
    strangers: set[str] = set()
    for module in asked:
        of = {e.plain(name) for name in (*holders.get(module, ()), module)} & {*known}
        found |= of
        if not of:
            strangers.add(module)
    return sorted(found), sorted(strangers)


def _listed(path: str, known: Mapping[str, str]) -> Iterator[e.Requirement]:
    """What a folder's own `requirements.txt` asks for, as MLflow writes one: in the versions that are known."""
    with suppress(OSError), open(os.path.join(path, "requirements.txt"), encoding="utf-8", errors="replace") as file:
        for line in file:
            one = None if line.lstrip().startswith(("#", "-")) else e.requirement(line)
            if one is not None and one.name in known:
                yield e.Requirement(one.name, one.extras)
