"""What facts of several streams share: their base, and values that stand in more than one of them."""

from msgspec import Struct

from headway.core.ids import Digest
from headway.core.scalar import Scalar


class FactBase(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag=True):
    """What all facts share: their kind is the name of their class."""


class Source(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the code of a run came from. `diff` is a blob: what differs from the commit, untracked names included."""

    commit: str | None = None
    branch: str | None = None
    diff: Digest | None = None


class Place(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run ran on. `packages` is a blob: one `name==version` a line, of the interpreter the steps find."""

    python: str = ""
    platform: str = ""
    host: str = ""
    user: str = ""
    headway: str = ""
    packages: Digest | None = None


class Metric(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One number that a step reported; `at_step` is the epoch or iteration where it has one."""

    name: str
    value: float
    at_step: int | None = None


__all__ = ["FactBase", "Metric", "Place", "Scalar", "Source"]
