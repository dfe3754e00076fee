"""headway.lock: what belongs to a commit: datasets, and what the last good run read and made; by digest, for Git.

One line a digest, datasets by name and steps in the order of the pipeline, so that a change shows as the lines that
changed. It is YAML; values of `env` stand as digests, for they may be secret. The form: `docs/formats/lock.md`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from headway.codec.quote import scalar
from headway.core.dataset import Pin
from headway.core.facts import KeyPart
from headway.core.ids import Artifact
from headway.errors import FileFaulty

FILE = "headway.lock"

VERSION = 1
"""Of the file's form; a later one is not guessed at."""

_HEAD = (
    "# Made by `headway run` and `headway data`: what the last good run read and made, and the datasets.\n"
    f"# Commit it; do not edit it.\nversion: {VERSION}\n"
)


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """One step's part of the lock: what went into its key, the command first, and its outputs by name."""

    parts: tuple[KeyPart, ...] = ()
    outputs: dict[str, Artifact] = {}


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file. `inputs` are files that steps read, no step makes and Git does not track, by their paths.

    `inputs` is None where nobody looked for them: in a lock of an older version, or outside of a repository.
    """

    pipeline: str = ""
    data: Mapping[str, Pin] = {}
    inputs: Mapping[str, Artifact] | None = None
    steps: Mapping[str, Pinned] = {}

    def artifacts(self) -> dict[str, tuple[Artifact, str]]:
        """All content that it pins, by path, and what each is: an input, an output of a step, a dataset."""
        found = {path: (artifact, "input") for path, artifact in (self.inputs or {}).items()}
        for step, pinned in self.steps.items():
            found |= {one.path: (one, f"output of {step}") for one in pinned.outputs.values()}
        return found | {pin.artifact.path: (pin.artifact, f"dataset {name}") for name, pin in self.data.items()}


def render(lock: Lock) -> bytes:
    """The file's bytes; the same content gives the same bytes."""
    out = bytearray(_HEAD.encode())
    if lock.pipeline or lock.steps:
        out += f"pipeline: {scalar(lock.pipeline)}\n".encode()
    if lock.data:
        out += b"data:\n"
    for name, pin in sorted(lock.data.items()):
        shown: list[tuple[str, str | int | bool]] = [("path", pin.artifact.path), *_artifact(pin.artifact)]
        if pin.version:
            shown.insert(0, ("version", pin.version))
        if pin.source:
            shown.append(("source", pin.source))
        out += _block(name, shown)
    if lock.inputs is not None:
        out += b"inputs:\n" if lock.inputs else b"inputs: {}\n"
    for path, artifact in sorted((lock.inputs or {}).items()):
        out += _block(path, _artifact(artifact))
    out += b"steps:\n" if lock.steps else b"steps: {}\n"
    for step, pinned in lock.steps.items():
        # Line by line in memory, ten thousand steps would take thirty times the room of the file.
        out += "\n".join([*_step(step, pinned), ""]).encode()
    return bytes(out)


def _block(name: str, values: list[tuple[str, str | int | bool]]) -> bytes:
    lines = [f"  {scalar(name)}:", *(f"    {key}: {scalar(value)}" for key, value in values), ""]
    return "\n".join(lines).encode()


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
        lines.append(f"        path: {scalar(artifact.path)}")
        lines += [f"        {key}: {scalar(value)}" for key, value in _artifact(artifact)]
    return lines


def _artifact(artifact: Artifact) -> list[tuple[str, str | int | bool]]:
    shown: list[tuple[str, str | int | bool]] = [("digest", artifact.digest), ("size_bytes", artifact.size_bytes)]
    if artifact.kind == "tree":
        shown += [("kind", "tree"), ("n_files", artifact.n_files)]
    if artifact.executable:
        shown.append(("executable", True))
    return shown


def parse(data: bytes) -> Lock:
    """Read the file again, also one of an earlier version. Raises FileFaulty when somebody broke it."""
    from headway.codec.human import read_params

    try:
        return _lock(read_params(data, path=FILE))
    except (AttributeError, KeyError, TypeError, msgspec.ValidationError) as e:
        raise FileFaulty(
            f"headway.lock is not in its form: {e}",
            at=FILE,
            remedy="take it from Git again (`git checkout headway.lock`), or delete it: the next good run writes it",
        ) from e


# Any (here and below): the YAML's own nesting, checked by convert.
def _lock(document: dict[str, Any]) -> Lock:
    if document.get("version") != VERSION:
        raise TypeError(f"its version is {document.get('version')!r}, not {VERSION}")
    inputs = None
    if "inputs" in document:
        inputs = {str(path): _read(values, str(path)) for path, values in (document["inputs"] or {}).items()}
    return Lock(
        pipeline=str(document.get("pipeline") or ""),
        data={str(name): _pin(values) for name, values in (document.get("data") or {}).items()},
        inputs=inputs,
        steps={str(step): _pinned(values) for step, values in (document.get("steps") or {}).items()},
    )


def _read(values: dict[str, Any], path: str) -> Artifact:
    return msgspec.convert({**values, "path": path}, Artifact)


def _pin(values: dict[str, Any]) -> Pin:
    version, source = values.get("version", 0), str(values.get("source", ""))
    # `version` and `source` are no part of an artifact, and passed over.
    return msgspec.convert({"artifact": values, "version": version, "source": source}, Pin)


def _pinned(values: dict[str, Any]) -> Pinned:
    parts = [KeyPart(kind="command", name=str(values.get("shell", "")), value=str(values["command"]))]
    for kind in ("in", "params", "env", "matrix", "with"):
        parts += [KeyPart(kind=kind, name=str(k), value=str(v)) for k, v in (values.get(kind) or {}).items()]
    outputs = {str(k): msgspec.convert(v, Artifact) for k, v in (values.get("out") or {}).items()}
    parts += [KeyPart(kind="out", name=name, value=artifact.path) for name, artifact in outputs.items()]
    return Pinned(parts=tuple(parts), outputs=outputs)
