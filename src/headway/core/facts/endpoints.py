"""Facts of an endpoint: stream `endpoint/<name>`."""

from typing import Literal

from headway.core.facts.shared import FactBase
from headway.core.ids import Digest, RunId
from headway.core.limits import Limits
from headway.core.recording import Recording


class ReleaseStarted(FactBase, frozen=True, kw_only=True):
    """A claim: `version` of `model` is to be put on the endpoint. `release` counts from 1; `key` as for a model.

    `recording` and `limits` are this release's own: a rollback to it brings them back.
    """

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
    recording: Recording = Recording()
    limits: Limits = Limits()


class VersionStarted(FactBase, frozen=True, kw_only=True):
    """The version's process answers on an address of its own; no traffic reaches it yet."""

    release: int
    address: str = ""


class GoldenAnswered(FactBase, frozen=True, kw_only=True):
    """Real predictions were asked of the new version before it took over; `wrong` tells of the first few faults."""

    release: int
    n_requests: int
    n_wrong: int = 0
    wrong: tuple[str, ...] = ()
    slowest_ms: float = 0.0


class EndpointSwitched(FactBase, frozen=True, kw_only=True):
    """From here on the endpoint is answered by this release's version."""

    release: int
    url: str


class ReleaseFinished(FactBase, frozen=True, kw_only=True):
    """The release ended; `aborted` and `failed` leave the version that served before in place."""

    release: int
    outcome: Literal["released", "aborted", "failed"]
    why: str = ""


class EndpointStopped(FactBase, frozen=True, kw_only=True):
    """Somebody took the endpoint down."""

    by: str = ""
    why: str = ""
