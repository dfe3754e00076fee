"""Facts of a registered model: stream `model/<name>`."""

from headway.core.facts.shared import FactBase, Metric, Place, Scalar, Source
from headway.core.ids import Artifact, Digest, RunId


class ModelRegistered(FactBase, frozen=True, kw_only=True):
    """A version was made; it never changes. `key` makes registering twice harmless. `data` are a run's inputs.

    `place` is what the run that made it ran on. `origin` is a blob, of a version that came from another project: what
    that one told of it (see `codec/model_export`).
    """

    model: str
    version: int
    artifact: Artifact
    key: str
    format: str = ""
    run: RunId | None = None
    step: str | None = None
    source: Source = Source()
    data: tuple[Artifact, ...] = ()
    params: dict[str, Scalar] = {}
    metrics: tuple[Metric, ...] = ()
    verdict: Digest | None = None
    by: str = ""
    place: Place = Place()
    origin: Digest | None = None


class AliasMoved(FactBase, frozen=True, kw_only=True):
    """A name now means another version; `previous` is None the first time."""

    model: str
    alias: str
    version: int
    previous: int | None = None
    why: str = ""
    by: str = ""


class ModelTagged(FactBase, frozen=True, kw_only=True):
    """A version got a tag `name=value`, or with None lost it; the newest fact of a name stands."""

    model: str
    version: int
    name: str
    value: str | None = None
    by: str = ""


class ModelSigned(FactBase, frozen=True, kw_only=True):
    """Somebody vouched for a version: `signature` (Base64) by the public `key` of its statement (`core/signing`)."""

    model: str
    version: int
    key: str
    signature: str
    by: str = ""


class ModelTrusted(FactBase, frozen=True, kw_only=True):
    """Somebody vouched for content that came from elsewhere: it may run code when it is loaded."""

    model: str
    version: int
    digest: Digest
    by: str = ""
