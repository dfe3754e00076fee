"""What one project tells another of a model version: the manifest of an export, as bytes.

The form is in `docs/models.md`. Neighbour: `flows/models_export` writes and reads the files beside it. Nothing here
trusts what a manifest says: every file is named by its digest, and paths cannot leave the folder.
"""

import base64
import binascii

import msgspec
from msgspec import Struct

from headway.core.facts import ModelRegistered, ModelSigned
from headway.core.ids import is_name
from headway.errors import ModelUnreadable

NAME = "headway-model.json"
"""The manifest's name in the folder or archive."""

FORM = 1
"""The number of this form; a later one is refused."""


class Manifest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A version as the project that made it has it: its fact, who signed it, its tags, and when it was made."""

    form: int
    version: ModelRegistered
    signatures: tuple[ModelSigned, ...] = ()
    tags: dict[str, str] = {}
    at: float = 0.0


def write_manifest(manifest: Manifest) -> bytes:
    """The manifest as JSON for people and machines."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def read_manifest(data: bytes, *, at: str) -> Manifest:
    """Read what `write_manifest` wrote. Raises ModelUnreadable for anything else."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise _refused(f"its {NAME} cannot be read: {e}", at) from e
    if manifest.form != FORM:
        raise _refused(f"its form is {manifest.form}, and this version of headway knows {FORM}", at)
    made = manifest.version
    name = made.artifact.path.rpartition("/")[2]
    if not is_name(made.model) or name in ("", ".", "..") or "\0" in name:
        raise _refused(f"it names no model and file: {made.model!r}, {made.artifact.path!r}", at)
    named = (made.artifact.digest, made.verdict, made.place.packages, made.answers)
    if not all(_is_digest(digest) for digest in named):
        raise _refused("a digest in it is none", at)
    return manifest


def text_of(data: bytes) -> str:
    """Bytes as Base64."""
    return base64.b64encode(data).decode()


def bytes_of(text: str) -> bytes:
    """Such bytes again; none for a text that is no Base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _is_digest(text: str | None) -> bool:
    return text is None or (len(text) == 64 and set(text) <= set("0123456789abcdef"))


def _refused(problem: str, at: str) -> ModelUnreadable:
    return ModelUnreadable(
        f"this is no model that headway exported: {problem}",
        at=at,
        remedy="export it again: headway models export MODEL@VERSION --to PATH",
    )
