"""Everything the log can hold: one frozen value each, in the past tense.

A fact never changes. A field may be added with a default (older facts then read as having it); a field is never
renamed or given another meaning: that is a new fact. Rows, samples, logs of steps are blobs; facts name them by digest.
Each kind of stream has a file: `run/<n>`, `dataset/<name>`, `model/<name>`, `endpoint/<name>`, `holdout/<digest>`,
`trigger/<pipeline>`, `monitor/<name>`, `labels/<endpoint>`, and `notices`.
"""

from msgspec import Struct

from headway.core.facts.datasets import (
    DatasetForgotten,
    DatasetVersioned,
)
from headway.core.facts.endpoints import (
    Act,
    EndpointStopped,
    EndpointSwitched,
    GoldenAnswered,
    ReleaseDirected,
    ReleaseFinished,
    ReleaseHeld,
    ReleaseStarted,
    StageBegan,
    StageLooked,
    VersionStarted,
)
from headway.core.facts.holdouts import (
    HoldoutAnswered,
    HoldoutAsked,
)
from headway.core.facts.labels import (
    LabelsAdded,
)
from headway.core.facts.models import (
    AliasMoved,
    Conversion,
    Latency,
    ModelConverted,
    ModelJudged,
    ModelRegistered,
    ModelSigned,
    ModelTagged,
    ModelTrusted,
)
from headway.core.facts.monitors import (
    AlarmEnded,
    AlarmKind,
    AlarmRaised,
    BackTest,
    Cause,
    MonitorBegan,
    QualitySeen,
    Reading,
    Says,
    WindowClosed,
)
from headway.core.facts.notices import (
    NoticeFailed,
    NoticeSent,
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
from headway.core.facts.triggers import (
    EventSeen,
    FiringEnded,
    SourceWatched,
    TriggerFired,
)

_OfRuns = RunStarted | RunResumed | StepStarted | StepFinished | StepReused | StepSkipped | StepLost | RunFinished
_OfModels = ModelRegistered | ModelConverted | ModelJudged | AliasMoved | ModelTagged | ModelSigned | ModelTrusted
_OfEndpoints = ReleaseStarted | VersionStarted | GoldenAnswered | EndpointSwitched | ReleaseFinished | EndpointStopped
_OfTriggers = EventSeen | SourceWatched | TriggerFired | FiringEnded
_OfMonitors = MonitorBegan | WindowClosed | QualitySeen | AlarmRaised | AlarmEnded
_OfPeople = NoticeSent | NoticeFailed | LabelsAdded
_OfHoldouts = HoldoutAsked | HoldoutAnswered
_OfStages = StageBegan | StageLooked | ReleaseDirected | ReleaseHeld
_OfDatasets = DatasetVersioned | DatasetForgotten
Fact = (
    _OfRuns | _OfDatasets | _OfModels | _OfEndpoints | _OfStages | _OfHoldouts | _OfTriggers | _OfMonitors | _OfPeople
)


def kind_of(fact: Fact) -> str:
    """The word under which the log files a fact: the name of its class."""
    return type(fact).__name__


def key_of(fact: Fact) -> str | None:
    """The key by which the log finds the newest fact of a kind without reading streams; None for most facts."""
    match fact:
        case StepFinished(outcome="passed", cache_key=key):
            return key
        case ModelRegistered(key=key) | ReleaseStarted(key=key) | LabelsAdded(key=key):
            return key
        case NoticeSent(key="", notifier=name):
            # The begin of a notifier, which is asked for by its name.
            return name
        case RunStarted(options=RunOptions(firing=firing)) if firing:
            return firing
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
    "Act",
    "AlarmEnded",
    "AlarmKind",
    "AlarmRaised",
    "AliasMoved",
    "BackTest",
    "Cause",
    "Conversion",
    "DatasetForgotten",
    "DatasetVersioned",
    "EndpointStopped",
    "EndpointSwitched",
    "Entry",
    "EventSeen",
    "Fact",
    "FiringEnded",
    "GoldenAnswered",
    "HoldoutAnswered",
    "HoldoutAsked",
    "KeyPart",
    "LabelsAdded",
    "Latency",
    "Metric",
    "ModelConverted",
    "ModelJudged",
    "ModelRegistered",
    "ModelSigned",
    "ModelTagged",
    "ModelTrusted",
    "MonitorBegan",
    "NoticeFailed",
    "NoticeSent",
    "Outcome",
    "Place",
    "QualitySeen",
    "Reading",
    "ReleaseDirected",
    "ReleaseFinished",
    "ReleaseHeld",
    "ReleaseStarted",
    "Row",
    "RunFinished",
    "RunOptions",
    "RunOutcome",
    "RunResumed",
    "RunStarted",
    "Says",
    "Scalar",
    "Source",
    "SourceWatched",
    "StageBegan",
    "StageLooked",
    "StepFinished",
    "StepLost",
    "StepReused",
    "StepSkipped",
    "StepStarted",
    "TestResult",
    "TriggerFired",
    "VersionStarted",
    "WindowClosed",
    "key_of",
    "kind_of",
]
