"""Everything the log can hold: one frozen value each, in the past tense.

A fact never changes. A field may be added with a default (older facts then read as having it); a field is never
renamed or given another meaning: that is a new fact. Rows, samples, logs of steps are blobs; facts name them by digest.
Each kind of stream has a file: `run/<n>`, `dataset/<name>`, `model/<name>`, `endpoint/<name>`, `holdout/<digest>`.
"""

from msgspec import Struct

from headway.core.facts.datasets import (
    DatasetForgotten,
    DatasetVersioned,
)
from headway.core.facts.endpoints import (
    EndpointStopped,
    EndpointSwitched,
    GoldenAnswered,
    ReleaseFinished,
    ReleaseStarted,
    VersionStarted,
)
from headway.core.facts.holdouts import (
    HoldoutAnswered,
    HoldoutAsked,
)
from headway.core.facts.models import (
    AliasMoved,
    Conversion,
    Latency,
    ModelConverted,
    ModelRegistered,
    ModelSigned,
    ModelTagged,
    ModelTrusted,
)
from headway.core.facts.runs import (
    KeyPart,
    Outcome,
    RunFinished,
    RunOptions,
    RunOutcome,
    RunResumed,
    RunStarted,
    StepFinished,
    StepLost,
    StepReused,
    StepSkipped,
    StepStarted,
    TestResult,
)
from headway.core.facts.shared import (
    Metric,
    Place,
    Scalar,
    Source,
)

_OfRuns = RunStarted | RunResumed | StepStarted | StepFinished | StepReused | StepSkipped | StepLost | RunFinished
_OfModels = ModelRegistered | ModelConverted | AliasMoved | ModelTagged | ModelSigned | ModelTrusted
_OfEndpoints = ReleaseStarted | VersionStarted | GoldenAnswered | EndpointSwitched | ReleaseFinished | EndpointStopped
Fact = _OfRuns | DatasetVersioned | DatasetForgotten | _OfModels | _OfEndpoints | HoldoutAsked | HoldoutAnswered


def kind_of(fact: Fact) -> str:
    """The word under which the log files a fact: the name of its class."""
    return type(fact).__name__


def key_of(fact: Fact) -> str | None:
    """The key by which the log finds the newest fact of a kind without reading streams; None for most facts."""
    match fact:
        case StepFinished(outcome="passed", cache_key=key):
            return key
        case ModelRegistered(key=key) | ReleaseStarted(key=key):
            return key
        case _:
            return None


class Entry(Struct, frozen=True, kw_only=True):
    """A fact as the log gives it back: `seq` in the whole log from 1, `n` in its stream from 1, `at` in UTC seconds."""

    seq: int
    stream: str
    n: int
    at: float
    fact: Fact
    hash: str = ""


class Row(Struct, frozen=True, kw_only=True):
    """An entry as it lies in the log, not decoded: what `headway audit` verifies and an export carries."""

    seq: int
    stream: str
    n: int
    at: float
    kind: str
    key: str | None
    body: bytes
    hash: str


__all__ = [
    "AliasMoved",
    "Conversion",
    "DatasetForgotten",
    "DatasetVersioned",
    "EndpointStopped",
    "EndpointSwitched",
    "Entry",
    "Fact",
    "GoldenAnswered",
    "HoldoutAnswered",
    "HoldoutAsked",
    "KeyPart",
    "Latency",
    "Metric",
    "ModelConverted",
    "ModelRegistered",
    "ModelSigned",
    "ModelTagged",
    "ModelTrusted",
    "Outcome",
    "Place",
    "ReleaseFinished",
    "ReleaseStarted",
    "Row",
    "RunFinished",
    "RunOptions",
    "RunOutcome",
    "RunResumed",
    "RunStarted",
    "Scalar",
    "Source",
    "StepFinished",
    "StepLost",
    "StepReused",
    "StepSkipped",
    "StepStarted",
    "TestResult",
    "VersionStarted",
    "key_of",
    "kind_of",
]
