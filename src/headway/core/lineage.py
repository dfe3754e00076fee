"""Where a model version came from and where it went, and what a piece of data became part of: values and folds.

Decides only: `flows/lineage` reads the log and the store. Neighbour: `core/card` tells a lineage as Markdown.
"""

from collections.abc import Collection, Iterable

from msgspec import Struct

from headway.core.facts import Entry, ModelRegistered, Place, StepFinished
from headway.core.ids import Artifact, Digest, RunId
from headway.core.registry import VersionCard


class Maker(Struct, frozen=True, kw_only=True):
    """A step of a run that made something."""

    run: RunId
    step: str


class DataUse(Struct, frozen=True, kw_only=True):
    """Something a version was made of: the versions of datasets that it is (`training@7`), or the step that made it."""

    artifact: Artifact
    versions: tuple[str, ...] = ()
    made_by: Maker | None = None


class RunOf(Struct, frozen=True, kw_only=True):
    """The run that made a version, and the step that wrote the model's file."""

    run: RunId
    name: str
    file: str
    at: float
    trigger: str
    outcome: str
    seed: int = 0
    made_by: Maker | None = None


class VerdictOf(Struct, frozen=True, kw_only=True):
    """What a gate said of a version; `outcome` is empty when the record is not in the store."""

    digest: Digest
    outcome: str = ""
    why: str = ""


class ReleaseOf(Struct, frozen=True, kw_only=True):
    """One attempt to put a version on an endpoint; `is_serving` while it answers there.

    `override` is why it was released although no gate let it pass, and `by` who said so. `n_compared` rows were asked
    that it had answered before, of which it answered `n_unlike` otherwise.
    """

    endpoint: str
    release: int
    at: float
    outcome: str
    is_serving: bool = False
    slowest_ms: float | None = None
    override: str = ""
    by: str = ""
    n_compared: int = 0
    n_unlike: int = 0


class VersionLineage(Struct, frozen=True, kw_only=True):
    """All that led to a version and all that came of it. `packages` are those of the run that made it, if kept."""

    card: VersionCard
    data: tuple[DataUse, ...] = ()
    run: RunOf | None = None
    verdict: VerdictOf | None = None
    packages: tuple[str, ...] = ()
    releases: tuple[ReleaseOf, ...] = ()
    size_bytes: int = 0

    @property
    def version(self) -> ModelRegistered:
        """The fact itself."""
        return self.card.version

    @property
    def place(self) -> Place:
        """What the run ran on."""
        return self.card.version.place

    @property
    def name(self) -> str:
        """What people call it: `churn@3`."""
        return f"{self.card.version.model}@{self.card.version.version}"


class Touched(Struct, frozen=True, kw_only=True):
    """A model version that data became part of: through which of its inputs, and where it was released."""

    version: str
    at: float
    through: tuple[Artifact, ...]
    aliases: tuple[str, ...] = ()
    releases: tuple[ReleaseOf, ...] = ()


class DataLineage(Struct, frozen=True, kw_only=True):
    """What data became part of. `of` is what was asked for; `digests` its content, with what steps made of it last."""

    of: str
    digests: tuple[Digest, ...]
    touched: tuple[Touched, ...] = ()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoints where a version serves now that it is part of, sorted."""
        return tuple(sorted({r.endpoint for t in self.touched for r in t.releases if r.is_serving}))


def made_of(entries: Iterable[Entry], digests: Collection[Digest]) -> set[Digest]:
    """These digests and those of all that steps made of them, and of that again.

    `entries` are of `StepFinished`, oldest first: what was made of something was made later.
    """
    found = set(digests)
    for entry in entries:
        done = entry.fact
        if isinstance(done, StepFinished) and any(p.kind == "in" and p.value in found for p in done.parts):
            found.update(artifact.digest for artifact in done.outputs.values())
    return found


def maker(entries: Iterable[Entry], digest: Digest) -> Maker | None:
    """The step that made what has this digest: of `entries` the first that did."""
    for entry in entries:
        done = entry.fact
        if isinstance(done, StepFinished) and any(a.digest == digest for a in done.outputs.values()):
            return Maker(run=RunId(int(entry.stream.partition("/")[2])), step=done.step)
    return None
