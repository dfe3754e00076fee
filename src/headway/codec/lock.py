"""headway.lock: what the last good run read and made, by digest; for Git, and for people to review.

One line a digest, in the order of the pipeline, so that a change shows as the lines that changed. It is YAML; values
of `env` stand as digests, for they may be secret.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from headway.codec.quote import scalar
from headway.core.facts import KeyPart
from headway.core.ids import Artifact
from headway.errors import FileFaulty

FILE = "headway.lock"

VERSION = 1
"""Of the file's form; a later one is not guessed at."""

_HEAD = (
    f"# Made by `headway run`: what the last good run read and made. Commit it; do not edit it.\nversion: {VERSION}\n"
)


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """One step's part of the lock: what went into its key, the command first, and its outputs by name."""

    parts: tuple[KeyPart, ...] = ()
    outputs: dict[str, Artifact] = {}


def render(pipeline: str, steps: Mapping[str, Pinned]) -> bytes:
    """The file's bytes; the same steps give the same bytes."""
    out = bytearray((_HEAD + f"pipeline: {scalar(pipeline)}\n" + ("steps:\n" if steps else "steps: {}\n")).encode())
    for step, pinned in steps.items():
        # Line by line in memory, ten thousand steps would take thirty times the room of the file.
        out += "\n".join([*_step(step, pinned), ""]).encode()
    return bytes(out)


def _step(step: str, pinned: Pinned) -> list[str]:
    lines = [f"  {scalar(step)}:"]
    before = ""
    for part in pinned.parts:
        if part.kind == "out":
            continue
        if part.kind == "command":
            lines.append(f"    command: {scalar(part.value)}")
            if part.name:
                lines.append(f"    shell: {scalar(part.name)}")
            continue
        if part.kind != before:
            lines.append(f"    {part.kind}:")
            before = part.kind
        lines.append(f"      {scalar(part.name)}: {scalar(part.value)}")
    if pinned.outputs:
        lines.append("    out:")
    for name, artifact in sorted(pinned.outputs.items()):
        lines.append(f"      {scalar(name)}:")
        lines += [f"        {key}: {scalar(value)}" for key, value in _artifact(artifact)]
    return lines


def _artifact(artifact: Artifact) -> list[tuple[str, str | int | bool]]:
    shown: list[tuple[str, str | int | bool]] = [
        ("path", artifact.path),
        ("digest", artifact.digest),
        ("size_bytes", artifact.size_bytes),
    ]
    if artifact.kind == "tree":
        shown += [("kind", "tree"), ("n_files", artifact.n_files)]
    if artifact.executable:
        shown.append(("executable", True))
    return shown


def parse(data: bytes) -> dict[str, Pinned]:
    """Read the file again. Raises FileFaulty when somebody broke it."""
    from headway.codec.human import read_params

    try:
        return {str(step): _pinned(values) for step, values in _steps(read_params(data, path=FILE)).items()}
    except (AttributeError, KeyError, TypeError, msgspec.ValidationError) as e:
        raise FileFaulty(
            f"headway.lock is not in its form: {e}",
            at=FILE,
            remedy="take it from Git again (`git checkout headway.lock`), or delete it: the next good run writes it",
        ) from e


# Any (here and below): the YAML's own nesting, checked by convert.
def _steps(document: dict[str, Any]) -> dict[str, Any]:
    if document.get("version") != VERSION:
        raise TypeError(f"its version is {document.get('version')!r}, not {VERSION}")
    return document.get("steps") or {}


def _pinned(values: dict[str, Any]) -> Pinned:
    parts = [KeyPart(kind="command", name=str(values.get("shell", "")), value=str(values["command"]))]
    for kind in ("in", "params", "env", "matrix", "with"):
        parts += [KeyPart(kind=kind, name=str(k), value=str(v)) for k, v in (values.get(kind) or {}).items()]
    outputs = {str(k): msgspec.convert(v, Artifact) for k, v in (values.get("out") or {}).items()}
    parts += [KeyPart(kind="out", name=name, value=artifact.path) for name, artifact in outputs.items()]
    return Pinned(parts=tuple(parts), outputs=outputs)
