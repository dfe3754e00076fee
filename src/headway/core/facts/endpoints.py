"""Facts of an endpoint: stream `endpoint/<name>`."""

from typing import Literal

from headway.core.facts.shared import FactBase
from headway.core.ids import Digest, RunId
from headway.core.limits import Limits
from headway.core.prediction_log import Cursor
from headway.core.recording import Recording
from headway.core.rollout_window import Window
from headway.core.strategy import Strategy
from headway.core.tally_answers import Bins

Act = Literal["promote", "abort", "pause", "resume"]
"""What a person may say to a release that is under way."""


class ReleaseStarted(FactBase, frozen=True, kw_only=True):
    """A claim: `version` of `model` is to be put on the endpoint. `release` counts from 1; `key` as for a model.

    `recording` and `limits` are this release's own: a rollback to it brings them back. Without a `strategy` it takes
    over at once. `override` is the reason why it was released without a passing verdict. `within_ms` is how long each
    golden request may take (the median of a few asks); 0: as long as it likes.
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
    strategy: Strategy | None = None
    override: str = ""
    within_ms: float = 0.0


class VersionStarted(FactBase, frozen=True, kw_only=True):
    """The version's process answers on an address of its own; no traffic reaches it yet."""

    release: int
    address: str = ""


class GoldenAnswered(FactBase, frozen=True, kw_only=True):
    """Real predictions were asked of the new version before it took over; `wrong` tells of the first few faults.

    `n_compared` rows were asked to which it had answered before, `compared_by` to whom (see `core/kept_answers`);
    `n_unlike` were answered otherwise, `unlike` tells of the first few, and numbers differed by `max_difference` at
    most. Where no row was, `not_compared` says why.
    """

    release: int
    n_requests: int
    n_wrong: int = 0
    wrong: tuple[str, ...] = ()
    slowest_ms: float = 0.0
    n_compared: int = 0
    n_unlike: int = 0
    unlike: tuple[str, ...] = ()
    compared_by: Literal["", "gate", "file", "register"] = ""
    max_difference: float = 0.0
    not_compared: str = ""

    @property
    def is_right(self) -> bool:
        """Whether nothing speaks against letting the version take over."""
        return not self.n_wrong and not self.n_unlike


class EndpointSwitched(FactBase, frozen=True, kw_only=True):
    """From here on the endpoint is answered by this release's version."""

    release: int
    url: str


class StageBegan(FactBase, frozen=True, kw_only=True):
    """From here on requests go as a stage of the release's strategy says; `stage` counts from 0.

    `rehearsal`: at the beginning of a bake, what the version that is kept warm answered when the way back was tried.
    """

    release: int
    stage: int
    rehearsal: str = ""


class StageLooked(FactBase, frozen=True, kw_only=True):
    """What was counted since the look before, and up to which place in the prediction log.

    `stage` is the one that was on; each window says whose traffic it is. `bins` are how predictions are told apart,
    where that was fixed just now.
    """

    release: int
    stage: int
    windows: tuple[Window, ...] = ()
    cursor: Cursor = Cursor()
    bins: Bins | None = None


class ReleaseDirected(FactBase, frozen=True, kw_only=True):
    """Somebody said what is to become of a release that is under way; `by` is empty when its driver decided it.

    The driver decides to abort, which is written down before anything is moved, so that it is decided once; and it
    resumes what it held because the champion gave no answer, once it does.
    """

    release: int
    act: Act
    by: str = ""
    why: str = ""


class ReleaseHeld(FactBase, frozen=True, kw_only=True):
    """The release waits for a person; the stage's traffic stays as it is.

    `unsure`: what was counted does not suffice, and may yet; `approval`: it is asked for; `champion`: there is nothing
    to be compared with, because the version that served gives no answer.
    """

    release: int
    stage: int
    why: str = ""
    cause: Literal["unsure", "approval", "champion"] = "unsure"


class ReleaseFinished(FactBase, frozen=True, kw_only=True):
    """The release ended. All outcomes but `released` leave the version that served before in place, or put it back.

    `rolled-back`: it was shown to be worse, or its process ended, or it had taken over already; `aborted`: somebody did
    not want it any more; `failed`: it could not be carried out.
    """

    release: int
    outcome: Literal["released", "aborted", "failed", "rolled-back"]
    why: str = ""


class EndpointStopped(FactBase, frozen=True, kw_only=True):
    """Somebody took the endpoint down."""

    by: str = ""
    why: str = ""
