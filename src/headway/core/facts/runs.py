"""Facts of a run: stream `run/<n>`."""

from typing import Literal

from msgspec import Struct

from headway.core.facts.shared import FactBase, Metric, Place, Scalar, Source
from headway.core.ids import Artifact, Digest, RunId

Outcome = Literal["passed", "failed", "refused", "held", "invalid", "rolled-back", "timeout", "interrupted"]
"""How a step ended; a built-in step's exit code says so: `refused` by a gate (3), `invalid` data (4), `held` because
unsure (6), `rolled-back` release (7). A script's own exit codes only tell passed from failed."""

RunOutcome = Literal["passed", "failed", "refused", "held", "invalid", "rolled-back", "interrupted"]


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


class RunStarted(FactBase, frozen=True, kw_only=True):
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
    """What was asked for on the command line; `resume` goes on under the same words.

    `firing` is what started a run without a person: the third firing of the pipeline's triggers is `churn/3`.
    """

    jobs: int = 0
    start_from: str | None = None
    only: str | None = None
    force: bool = False
    overrides: dict[str, str] = {}
    firing: str = ""


class RunResumed(FactBase, frozen=True, kw_only=True):
    """Somebody took up a run that had not finished."""

    by: str = ""


class StepStarted(FactBase, frozen=True, kw_only=True):
    """A claim: the step is about to be started. Written before the world is touched; `attempt` counts from 1."""

    step: str
    attempt: int = 1
    why: str = ""


class StepFinished(FactBase, frozen=True, kw_only=True):
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


class StepReused(FactBase, frozen=True, kw_only=True):
    """A step was not run: its key was known (from `of_run`) and its outputs were there or were restored."""

    step: str
    cache_key: str
    of_run: RunId
    restored: int = 0
    outputs: dict[str, Artifact] = {}
    values: dict[str, str] = {}
    metrics: tuple[Metric, ...] = ()
    parts: tuple[KeyPart, ...] = ()


class StepSkipped(FactBase, frozen=True, kw_only=True):
    """A step was not run because its condition was not met or an earlier one did not pass."""

    step: str
    why: str


class StepLost(FactBase, frozen=True, kw_only=True):
    """A started step was found gone (or ended by us) when the run was taken up again; it starts anew."""

    step: str
    attempt: int = 1
    why: str = ""


class RunFinished(FactBase, frozen=True, kw_only=True):
    """The run came to an end; an `interrupted` one can be resumed."""

    outcome: RunOutcome
    exit_code: int
    seconds: float = 0.0
    why: str = ""
