"""What a release's machine can want done, as values. Every action may be carried out twice."""

from typing import Literal

from msgspec import Struct

from headway.core import facts as f
from headway.core.rollout_order import Order


class Claim(Struct, frozen=True):
    """Write down that this release begins; nobody else's can then."""

    release: int
    order: Order


class StartVersion(Struct, frozen=True):
    """Bring the version up without traffic."""

    release: f.ReleaseStarted


class AskGolden(Struct, frozen=True):
    """Ask it real predictions."""

    release: f.ReleaseStarted


class BeginStage(Struct, frozen=True):
    """Let requests go as the stage says; a pause leaves them as they are, and a bake finds them moved already."""

    release: f.ReleaseStarted
    stage: int


class Look(Struct, frozen=True):
    """Wait until a look is due, then count what was answered; see whether both versions are there."""

    release: f.ReleaseStarted
    stage: int


class Hold(Struct, frozen=True):
    """Write down that a person is asked."""

    release: f.ReleaseStarted
    stage: int
    why: str
    cause: Literal["unsure", "approval"]


class Decide(Struct, frozen=True):
    """Write down that it is rolled back, and why, before anything is moved."""

    release: f.ReleaseStarted
    why: str


class Switch(Struct, frozen=True):
    """Let it answer all new requests."""

    release: f.ReleaseStarted


class Finish(Struct, frozen=True):
    """Let the champion's alias mean it, end the versions in nobody's need (all but `keep`), record the end."""

    release: f.ReleaseStarted
    keep: tuple[int, ...]


class Abort(Struct, frozen=True):
    """End the new version, record why; what served before serves on, and alone.

    `is_rolled_back` says how that is called.
    """

    release: f.ReleaseStarted
    why: str
    is_rolled_back: bool = False


class Supersede(Struct, frozen=True):
    """Somebody left this release before its switch was recorded: ask the target, then finish or abort it."""

    release: f.ReleaseStarted


Action = Claim | StartVersion | AskGolden | BeginStage | Look | Hold | Decide | Switch | Finish | Abort | Supersede
