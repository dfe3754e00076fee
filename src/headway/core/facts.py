"""Everything the log can hold: one frozen value each, in the past tense.

A fact never changes. A field may be added with a default (older facts then read as having it); a field is never
renamed or given another meaning: that is a new fact. Rows, samples, logs of steps are blobs; facts name them by digest.
Streams: `run/<n>`, `dataset/<name>`, `model/<name>`, `endpoint/<name>`, `holdout/<digest>`.
"""

from typing import Literal

from msgspec import Struct

from headway.core.ids import Artifact, Digest, RunId

Scalar = str | int | float | bool | None

Outcome = Literal["passed", "failed", "refused", "held", "invalid", "rolled-back", "timeout", "interrupted"]
"""How a step ended; a built-in step's exit code says so: `refused` by a gate (3), `invalid` data (4), `held` because
unsure (6), `rolled-back` release (7). A script's own exit codes only tell passed from failed."""

RunOutcome = Literal["passed", "failed", "refused", "held", "invalid", "rolled-back", "interrupted"]


class _Fact(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag=True):
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


class TestResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One test of a step, read from JUnit XML."""

    name: str
    outcome: Literal["passed", "failed", "error", "skipped"]
    seconds: float = 0.0
    message: str = ""


class KeyPart(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One part of a cache key: `value` is a digest, a path or a text."""

    kind: Literal["command", "in", "params", "env", "matrix", "with", "out"]
    name: str
    value: str


# --- runs: stream run/<n> ---------------------------------------------------------------------------------------


class RunStarted(_Fact, frozen=True, kw_only=True):
    """A run was claimed and its plan fixed. `pipeline` is the file's text as a blob; `params` after overrides."""

    run: RunId
    name: str
    file: str
    pipeline: Digest
    options: "RunOptions"
    params: dict[str, Scalar] = {}
    source: Source = Source()
    place: Place = Place()
    seed: int = 0
    trigger: str = "person"


class RunOptions(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was asked for on the command line; `resume` goes on under the same words."""

    jobs: int = 0
    start_from: str | None = None
    only: str | None = None
    force: bool = False
    overrides: dict[str, str] = {}


class RunResumed(_Fact, frozen=True, kw_only=True):
    """Somebody took up a run that had not finished."""

    by: str = ""


class StepStarted(_Fact, frozen=True, kw_only=True):
    """A claim: the step is about to be started. Written before the world is touched; `attempt` counts from 1."""

    step: str
    attempt: int = 1
    why: str = ""


class StepFinished(_Fact, frozen=True, kw_only=True):
    """A step ended. Only a `passed` one with a `cache_key` can be used again.

    `outputs` are kept in the store; `values` came from HEADWAY_OUTPUT; `log` is the blob of what the step printed.
    """

    step: str
    outcome: Outcome
    exit_code: int | None = None
    attempt: int = 1
    seconds: float = 0.0
    why: str = ""
    cache_key: str | None = None
    parts: tuple[KeyPart, ...] = ()
    outputs: dict[str, Artifact] = {}
    values: dict[str, str] = {}
    metrics: tuple[Metric, ...] = ()
    tests: tuple[TestResult, ...] = ()
    summary: Digest | None = None
    log: Digest | None = None
    log_bytes: int = 0


class StepReused(_Fact, frozen=True, kw_only=True):
    """A step was not run: its key was known (from `of_run`) and its outputs were there or were restored."""

    step: str
    cache_key: str
    of_run: RunId
    restored: int = 0
    outputs: dict[str, Artifact] = {}
    values: dict[str, str] = {}
    metrics: tuple[Metric, ...] = ()
    parts: tuple[KeyPart, ...] = ()


class StepSkipped(_Fact, frozen=True, kw_only=True):
    """A step was not run because its condition was not met or an earlier one did not pass."""

    step: str
    why: str


class StepLost(_Fact, frozen=True, kw_only=True):
    """A started step was found gone (or ended by us) when the run was taken up again; it starts anew."""

    step: str
    attempt: int = 1
    why: str = ""


class RunFinished(_Fact, frozen=True, kw_only=True):
    """The run came to an end; an `interrupted` one can be resumed."""

    outcome: RunOutcome
    exit_code: int
    seconds: float = 0.0
    why: str = ""


# --- datasets: stream dataset/<name> ----------------------------------------------------------------------------


class DatasetVersioned(_Fact, frozen=True, kw_only=True):
    """A snapshot of a path was taken; it never changes. `version` counts from 1.

    `source` is the URL or the SQL that it was taken from, without passwords; empty for what lay in the workspace.
    """

    dataset: str
    version: int
    artifact: Artifact
    source: str = ""
    by: str = ""
    note: str = ""


class DatasetForgotten(_Fact, frozen=True, kw_only=True):
    """Nobody needs this version any more: `headway gc` may take what only it holds."""

    dataset: str
    version: int
    by: str = ""
    why: str = ""


# --- models: stream model/<name> --------------------------------------------------------------------------------


class ModelRegistered(_Fact, frozen=True, kw_only=True):
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


class AliasMoved(_Fact, frozen=True, kw_only=True):
    """A name now means another version; `previous` is None the first time."""

    model: str
    alias: str
    version: int
    previous: int | None = None
    why: str = ""
    by: str = ""


class ModelTagged(_Fact, frozen=True, kw_only=True):
    """A version got a tag `name=value`, or with None lost it; the newest fact of a name stands."""

    model: str
    version: int
    name: str
    value: str | None = None
    by: str = ""


class ModelSigned(_Fact, frozen=True, kw_only=True):
    """Somebody vouched for a version: `signature` (Base64) by the public `key` of its statement (`core/signing`)."""

    model: str
    version: int
    key: str
    signature: str
    by: str = ""


class ModelTrusted(_Fact, frozen=True, kw_only=True):
    """Somebody vouched for content that came from elsewhere: it may run code when it is loaded."""

    model: str
    version: int
    digest: Digest
    by: str = ""


# --- endpoints: stream endpoint/<name> --------------------------------------------------------------------------


class ReleaseStarted(_Fact, frozen=True, kw_only=True):
    """A claim: `version` of `model` is to be put on the endpoint. `release` counts from 1; `key` as for a model."""

    endpoint: str
    release: int
    model: str
    version: int
    key: str
    target: str = "local"
    port: int = 0
    golden: Digest | None = None
    cause: Literal["deploy", "rollback"] = "deploy"
    run: RunId | None = None
    why: str = ""
    by: str = ""


class VersionStarted(_Fact, frozen=True, kw_only=True):
    """The version's process answers on an address of its own; no traffic reaches it yet."""

    release: int
    address: str = ""


class GoldenAnswered(_Fact, frozen=True, kw_only=True):
    """Real predictions were asked of the new version before it took over; `wrong` tells of the first few faults."""

    release: int
    n_requests: int
    n_wrong: int = 0
    wrong: tuple[str, ...] = ()
    slowest_ms: float = 0.0


class EndpointSwitched(_Fact, frozen=True, kw_only=True):
    """From here on the endpoint is answered by this release's version."""

    release: int
    url: str


class ReleaseFinished(_Fact, frozen=True, kw_only=True):
    """The release ended; `aborted` and `failed` leave the version that served before in place."""

    release: int
    outcome: Literal["released", "aborted", "failed"]
    why: str = ""


class EndpointStopped(_Fact, frozen=True, kw_only=True):
    """Somebody took the endpoint down."""

    by: str = ""
    why: str = ""


# --- holdouts: stream holdout/<digest> --------------------------------------------------------------------------


class HoldoutAsked(_Fact, frozen=True, kw_only=True):
    """A claim: a gate is about to ask this holdout. Written before anything is measured; `ask` counts from 1.

    `question` names all that the answer depends on, so that the same question is never asked twice; `key` is that of
    the step. `budget` and `passes` are what the file allowed then, 0 where it kept no budget; `confidence` is that at
    which this ask is decided.
    """

    holdout: Digest
    path: str
    ask: int
    question: Digest
    key: str
    confidence: float
    budget: int = 0
    passes: int = 0
    by: str = ""


class HoldoutAnswered(_Fact, frozen=True, kw_only=True):
    """What an ask revealed: the outcome, and in `verdict` (a blob) all that was shown of it."""

    ask: int
    question: Digest
    outcome: Literal["pass", "fail", "unsure", "error"]
    reveal: Literal["verdict", "rounded", "all"]
    verdict: Digest


_OfRuns = RunStarted | RunResumed | StepStarted | StepFinished | StepReused | StepSkipped | StepLost | RunFinished
_OfModels = ModelRegistered | AliasMoved | ModelTagged | ModelSigned | ModelTrusted
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
