"""What a folder of MLflow says of itself: its flavours, signature and code, and what it was made with.

Read from `MLmodel`, `requirements.txt` or `conda.yaml`, as data. Knows no library of models.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

import msgspec
from msgspec import Struct

from headway.codec.human import plain
from headway.core.signature import MATRIX, Field, Kind, Signature, kind_of, outputs_of
from headway.core.tree import is_inside
from headway.errors import FileFaulty, ModelUnreadable

NAME = "MLmodel"

_KINDS: dict[str, Kind] = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
}
"""What MLflow calls the kinds; it has others, for which the protocol has no word."""

_SHOWN = 5


class Spec(Struct, frozen=True):
    """One column or tensor of MLflow's signature."""

    type: str | dict[str, str] = ""
    name: str | None = None
    required: bool = True
    tensor: "Tensor | None" = msgspec.field(default=None, name="tensor-spec")


class Tensor(Struct, frozen=True):
    """Its kind as NumPy calls it, and its shape, -1 for what varies."""

    dtype: str
    shape: list[int]


class About(Struct, frozen=True, kw_only=True):
    """What the folder says.

    `flavors` by name; `loader` is the module that MLflow would load it by; `code` are files and folders of Python that
    belong to it; `dates` and `optional` are columns of times and those that may be left out.
    """

    # Any: whatever a flavour keeps.
    flavors: dict[str, dict[str, Any]]
    signature: Signature
    loader: str
    code: tuple[str, ...]
    dates: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def read(folder: str) -> About:
    """What the folder says. Raises ModelUnreadable, at the fault."""
    path = os.path.join(folder, NAME)
    said = _yaml(path)
    flavors = said.get("flavors")
    if not isinstance(flavors, dict) or not all(isinstance(one, dict) for one in flavors.values()) or not flavors:
        raise _unreadable(path, "it names no flavors")
    inputs, outputs = (_specs(said, what, path) for what in ("inputs", "outputs"))
    python = flavors.get("python_function", {})
    # Of the last one MLflow keeps where it lay when the model was saved; its copy is in the folder.
    files = (python.get("code"), python.get("python_model"), os.path.basename(str(python.get("model_code_path") or "")))
    kept = [one.get("code") for one in flavors.values()]
    return About(
        flavors=flavors,
        signature=_signature(inputs, outputs, path),
        loader=str(python.get("loader_module") or ""),
        code=tuple(dict.fromkeys(_inside(str(one), path) for one in (*files, *kept) if one)),
        dates=frozenset(one.name for one in inputs if one.name and one.type == "datetime"),
        optional=frozenset(one.name for one in inputs if one.name and not one.required),
        notes=tuple(_differences(folder, str(python.get("python_version") or ""))),
    )


def part(folder: str, name: str) -> str | None:
    """The path of a file that the folder names, None when it is not there. Raises ModelUnreadable when it leads out."""
    path = os.path.join(folder, _inside(name, os.path.join(folder, NAME)))
    return path if os.path.isfile(path) else None


def _inside(name: str, path: str) -> str:
    if not is_inside(name):
        raise _unreadable(path, f"it names {name!r}, which is not in the folder")
    return name


# Any: a YAML file's values.
def _yaml(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as f:
            return plain(f.read(), path=path)
    except OSError as e:
        raise _unreadable(path, f"it cannot be read: {e.strerror}") from e
    except FileFaulty as e:
        raise _unreadable(path, e.problem) from e


# Any: as above.
def _specs(said: Mapping[str, Any], what: str, path: str) -> list[Spec]:
    signature = said.get("signature")
    told = signature.get(what) if isinstance(signature, dict) else None
    if told is None:
        return []
    try:
        values = msgspec.json.decode(told) if isinstance(told, str) else told
        return msgspec.convert(values, list[Spec], strict=False)
    except msgspec.MsgspecError as e:
        raise _unreadable(path, f"its signature's {what} are no list of columns or tensors: {e}") from e


def _signature(inputs: list[Spec], outputs: list[Spec], path: str) -> Signature:
    label = _field(outputs[0], path).kind if outputs else None
    return Signature(
        inputs=tuple(_field(one, path) for one in inputs), outputs=outputs_of(label=label) if outputs else ()
    )


def _field(one: Spec, path: str) -> Field:
    if one.tensor is None:
        kind = _KINDS.get(one.type) if isinstance(one.type, str) else None
        return Field(name=one.name or MATRIX, kind=kind)
    kind, shape = kind_of(one.tensor.dtype), one.tensor.shape
    if len(shape) > 2:
        raise _unreadable(path, f"its signature has a tensor of the shape {shape}, which is no row of a table")
    return Field(name=one.name or MATRIX, kind=kind, width=shape[1] if len(shape) == 2 else None)


def _differences(folder: str, python: str) -> Iterator[str]:
    """One sentence for all that it was made with and that is another here; nothing when none is."""
    found = []
    here = ".".join(map(str, sys.version_info[:2]))
    if python and python.split(".")[:2] != here.split("."):
        found.append(f"Python {python} (here {here})")
    for name, version in _pinned(folder):
        try:
            # A build's own mark (`+cpu`) is no other version.
            installed = metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            installed = "absent"
        if installed != version.partition("+")[0] and not (installed == "absent" and name == "mlflow"):
            found.append(f"{name} {version} (here {installed})")
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        yield (
            f"the model was made with {', '.join(found[:_SHOWN])}{more}: its answers may differ; its "
            "requirements.txt or conda.yaml says what to install to be sure"
        )


def _pinned(folder: str) -> Iterator[tuple[str, str]]:
    """The packages that are pinned to one version: in its requirements, or where it has none, for conda."""
    try:
        with open(os.path.join(folder, "requirements.txt"), encoding="utf-8", errors="replace") as f:
            lines = f.read().splitlines()
    except OSError:
        lines = list(_of_conda(os.path.join(folder, "conda.yaml")))
    for line in lines:
        name, is_pinned, version = line.partition(";")[0].partition("#")[0].partition("==")
        if is_pinned and name.strip().replace("-", "").replace("_", "").replace(".", "").isalnum():
            yield name.strip(), version.strip()


def _of_conda(path: str) -> Iterator[str]:
    """What an environment of conda names, as requirements; nothing when it cannot be read: it is there for people."""
    try:
        listed = _yaml(path).get("dependencies")
    except ModelUnreadable:
        return
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, str) and not one.startswith(("python=", "pip")):
            yield one if "==" in one else one.replace("=", "==", 1)
        elif isinstance(one, dict) and isinstance(one.get("pip"), list):
            yield from map(str, one["pip"])


def _unreadable(path: str, what: str) -> ModelUnreadable:
    return ModelUnreadable(
        f"the folder's {NAME} cannot be used: {what}", at=path, remedy="save the model anew with MLflow, whole"
    )
