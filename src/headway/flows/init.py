"""Begin a project: copy an example, or propose a pipeline.yaml from the scripts that are there already."""

import os
import shutil
from contextlib import suppress

from msgspec import Struct

from headway.codec.quote import scalar
from headway.errors import Conflict, NameUnknown

STAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Get Data", ("fetch", "download", "ingest", "collect", "extract", "load_data", "get_data", "make_data")),
    ("Data Validation", ("validate", "validation", "check_data", "data_check", "expectations")),
    ("Prepare Data", ("prepare", "preprocess", "clean", "transform", "split", "features", "featurize", "feature")),
    ("Train Model", ("train", "fit", "training")),
    ("Test Model", ("test_model", "model_test")),
    ("Evaluate Model", ("evaluate", "eval", "evaluation", "score", "metrics")),
    ("Deploy Model", ("deploy", "release", "publish", "serve")),
)
"""The usual stages in their order, each with the words that scripts of that kind are named by."""

_SKIPPED = frozenset(("node_modules", "__pycache__", "venv", "env", "site-packages", "build", "dist", "docs"))


class Found(Struct, frozen=True, kw_only=True):
    """A script that looks like a stage: its `path`, the step's name, and the command that runs it."""

    path: str
    name: str
    run: str


def examples() -> tuple[str, ...]:
    """The names of the examples that ship with headway."""
    folder = _examples_folder()
    return tuple(sorted(n for n in os.listdir(folder) if os.path.isdir(os.path.join(folder, n)) and n[0] not in "._"))


def _examples_folder() -> str:
    return os.path.join(os.path.dirname(os.path.dirname(__file__)), "examples")


def copy_example(name: str, folder: str) -> list[str]:
    """Copy an example into `folder` (made if needed); returns the paths written.

    Raises NameUnknown, and Conflict when a file is there already: nothing is written then.
    """
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise Conflict(f"{folder} is no folder", at="DIR", remedy="name another: headway init DIR --example " + name)
    if name not in examples():
        raise NameUnknown(f"there is no example {name!r}", at="--example", remedy=f"there is {', '.join(examples())}")
    source = os.path.join(_examples_folder(), name)
    paths = _files(source)
    there = [path for path in paths if os.path.lexists(os.path.join(folder, path))]
    if there:
        raise Conflict(
            f"{there[0]} is there already"
            + (f", and {len(there) - 1} more of the example's files" if there[1:] else ""),
            at=folder,
            remedy="name an empty or new folder: headway init DIR --example " + name,
        )
    for path in paths:
        target = os.path.join(folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(os.path.join(source, path), target)
    return paths


def _files(source: str) -> list[str]:
    found = []
    for at, folders, files in os.walk(source):
        # What running an example in place, or importing it, leaves behind is no part of it.
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        found += [os.path.relpath(os.path.join(at, file), source) for file in files]
    return sorted(found)


def scripts(folder: str) -> list[Found]:
    """The scripts of a repository that look like stages of a pipeline, in the order of the stages."""
    candidates = sorted(_candidates(folder), key=lambda path: (path.count("/"), path))
    found: list[Found] = []
    for name, words in STAGES:
        for path in candidates:
            # `01_train.py` says the same as `train.py`.
            stem = os.path.splitext(os.path.basename(path))[0].lower().lstrip("0123456789_-")
            is_one = any(stem == word or stem.startswith((word + "_", word + "-")) for word in words)
            if is_one and all(one.path != path for one in found):
                found.append(Found(path=path, name=_unique(name, found), run=_command(path)))
        if name == "Train Model" and (tests := _tests(folder)):
            found.append(Found(path=tests, name="Test Model", run=f"pytest {tests}"))
    return found


def _candidates(folder: str) -> list[str]:
    """Scripts at the top and one folder down, but for tests and what is not the user's own."""
    found = []
    for sub in ("", *sorted(os.listdir(folder))):
        at = os.path.join(folder, sub) if sub else folder
        if sub and (sub.startswith((".", "test")) or sub in _SKIPPED or not sub.isprintable() or not os.path.isdir(at)):
            continue
        with suppress(PermissionError):
            found += [f"{sub}/{file}" if sub else file for file in os.listdir(at) if _is_script(at, file)]
    return found


def _is_script(folder: str, file: str) -> bool:
    path = os.path.join(folder, file)
    # Signs that no line of YAML can hold, and what would be read as an expression, are left to their owner.
    is_plain = file.isprintable() and "${{" not in path
    return is_plain and file.endswith((".py", ".sh", ".R")) and os.path.isfile(path)


def _tests(folder: str) -> str | None:
    for name in ("tests", "test"):
        at = os.path.join(folder, name)
        if os.path.isdir(at) and any(f.startswith("test_") and f.endswith(".py") for f in os.listdir(at)):
            return name
    return None


def _command(path: str) -> str:
    interpreter = {".py": "python", ".sh": "bash", ".R": "Rscript"}[os.path.splitext(path)[1]]
    path = f"./{path}" if path.startswith("-") else path
    is_plain = " " not in path and _PLAIN.issuperset(path)
    return f"{interpreter} {path}" if is_plain else f"{interpreter} '{path.replace(_QUOTE, _QUOTED)}'"


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./- ")
"""A command of these means the same to YAML; a path of these but the blank, to the shell."""

_QUOTE, _QUOTED = "'", "'\\''"


def _unique(name: str, found: list[Found]) -> str:
    same = sum(one.name == name or one.name.startswith(name + " ") for one in found)
    return f"{name} {same + 1}" if same else name


def propose(found: list[Found]) -> str:
    """The text of a minimal pipeline.yaml that runs these scripts in this order."""
    lines = [
        "# What runs, in this order; `headway run` runs it. Declare `in:` and `out:` to have steps reused.",
        "steps:",
    ]
    for one in found:
        lines += [f"  - name: {one.name}", f"    run: {one.run if _PLAIN.issuperset(one.run) else scalar(one.run)}"]
    return "\n".join(lines) + "\n"
