"""Facts of a registered model: stream `model/<name>`."""

from msgspec import Struct

from headway.core.facts.shared import FactBase, Metric, Place, Scalar, Source
from headway.core.ids import Artifact, Digest, RunId
from headway.core.signature import Signature


class Latency(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How long a version took for one row, asked in process by one thread: `format` of what was asked, and median.

    `n_rows` were timed, one by one, on a `machine` of this kind; only times of one machine can be compared.
    """

    format: str
    median_ms: float
    n_rows: int
    machine: str = ""


class Conversion(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a version's conversion to ONNX: `digest` is a blob, there only if it was proven; else `why` not.

    It gave the same labels as the version itself on `n_rows` rows of the `data` (a digest) and on `n_edge_rows` made
    of them, and numbers that differ by `max_difference` at most (of numbers above 1: in parts of them) and by no more
    than `tolerance`. `made_with` are packages, `name version` each.
    """

    digest: Digest | None = None
    size_bytes: int = 0
    data: Digest | None = None
    n_rows: int = 0
    n_edge_rows: int = 0
    max_difference: float = 0.0
    tolerance: float = 0.0
    opset: int = 0
    made_with: tuple[str, ...] = ()
    why: str = ""


class ModelRegistered(FactBase, frozen=True, kw_only=True):
    """A version was made; it never changes. `key` makes registering twice harmless. `data` are a run's inputs.

    `place` is what the run that made it ran on. `origin` is a blob, of a version that came from another project: what
    that one told of it (see `codec/model_export`). `signature` is what it takes and gives, as it says and as rows
    showed; `onnx` what became of its conversion, None when none was tried; `latency` of it and of that. `answers` is a
    blob (`core/kept_answers`): some rows and what it answered to them, which it must answer again where it serves.
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
    signature: Signature = Signature()
    onnx: Conversion | None = None
    latency: tuple[Latency, ...] = ()
    answers: Digest | None = None


class ModelConverted(FactBase, frozen=True, kw_only=True):
    """A version was converted to ONNX after it was made, or a try failed; the newest that was proven stands."""

    model: str
    version: int
    onnx: Conversion
    latency: tuple[Latency, ...] = ()
    by: str = ""


class ModelJudged(FactBase, frozen=True, kw_only=True):
    """A gate judged the content of a version that was there already; the newest verdict stands. Blobs as there."""

    model: str
    version: int
    verdict: Digest
    answers: Digest | None = None
    run: RunId | None = None
    by: str = ""


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
