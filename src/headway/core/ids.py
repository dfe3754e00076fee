"""The names of things: digests, artifacts, runs, model versions. Knows no store and no log."""

from typing import Literal, NewType

from msgspec import Struct

from headway.errors import UsageMistaken

Digest = NewType("Digest", str)
"""64 lower-case hexadecimal digits: the BLAKE3 of the content."""

RunId = NewType("RunId", int)
"""The number of a run in its log, from 1."""

SHORT = 12
"""Digits of a digest shown to people: 48 bits, a collision among a million artifacts has a chance of 1 in 500."""


class Artifact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file or folder, named by the digest of its content.

    `path` is relative to the project's folder, with `/`. For a folder `digest` names its tree (see `core/tree`).
    `size_bytes` counts content only.
    """

    path: str
    digest: Digest
    kind: Literal["file", "tree"] = "file"
    size_bytes: int = 0
    n_files: int = 1
    executable: bool = False


class ModelRef(Struct, frozen=True, kw_only=True):
    """`churn@12` or `churn@champion`: a model with a version's number or an alias."""

    name: str
    version: int | None = None
    alias: str | None = None

    def __str__(self) -> str:
        return f"{self.name}@{self.alias if self.version is None else self.version}"


_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


_HEX = frozenset("0123456789abcdef")


def is_digest(text: str) -> bool:
    """Whether `text` is the digest of some content, as it is written.

    >>> is_digest("0a" * 32), is_digest("0A" * 32), is_digest("0a")
    (True, False, False)
    """
    return len(text) == 64 and _HEX.issuperset(text)


def is_name(text: str) -> bool:
    """Whether `text` may name a model, alias, endpoint or pipeline: letters, digits, `-_.`, not led by `-` or `.`.

    >>> is_name("churn-eu"), is_name("a/b"), is_name(""), is_name(".x")
    (True, False, False, False)
    """
    return bool(text) and text[0] not in "-." and _NAME.issuperset(text)


def parse_model_ref(text: str) -> ModelRef:
    """Read `name@version` or `name@alias`.

    Raises UsageMistaken for anything else.

    >>> parse_model_ref("churn@12").version
    12
    >>> str(parse_model_ref("churn@champion"))
    'churn@champion'
    """
    name, at, rest = text.partition("@")
    if not (at and is_name(name) and is_name(rest)):
        raise UsageMistaken(
            f"{text!r} does not name a model version", at="model", remedy="write name@version or name@alias: churn@12"
        )
    if rest.isdigit():
        return ModelRef(name=name, version=int(rest))
    return ModelRef(name=name, alias=rest)


def slug(name: str) -> str:
    """The id that a step's name gives: lower case, runs of anything else become one hyphen.

    >>> slug("Train Model")
    'train-model'
    """
    kept = "".join(c if c.isascii() and (c.isalnum() or c == "_") else " " for c in name.lower())
    return "-".join(kept.split())
