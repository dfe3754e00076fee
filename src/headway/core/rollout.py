"""The machine of an endpoint's releases: facts in, actions out. Decides what a release does next and what serves.

A release claims, starts the version without traffic, asks it the golden requests, goes through the stages of its
strategy (`core/rollout_stages`), of which one is the switch, and finishes. Every action may be carried out twice:
whoever takes up a release that was left in the middle just goes on. Knows no process, no port and no file; what golden
requests are is told in `golden`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from headway.core import facts as f
from headway.core.rollout_actions import (
    Abort,
    Action,
    AskGolden,
    BeginStage,
    Claim,
    Decide,
    Finish,
    Hold,
    Look,
    StartVersion,
    Supersede,
    Switch,
)
from headway.core.rollout_order import Order, Released
from headway.core.rollout_stages import Stages
from headway.errors import NameUnknown

if TYPE_CHECKING:
    from headway.core.rollout_judge import Verdict

Until = Literal["promoted", "waiting", "ended"]
"""How far a driver goes: until the version took over or a person is asked; until there is nothing to do but to wait; or
to the very end, its bake among it."""

__all__ = [
    "Abort",
    "Action",
    "AskGolden",
    "BeginStage",
    "Claim",
    "Decide",
    "Finish",
    "Hold",
    "Look",
    "Order",
    "Released",
    "Rollout",
    "StartVersion",
    "Supersede",
    "Switch",
    "Until",
]


class Rollout:
    """All releases of one endpoint. Owned by one loop, or by one reader."""

    __slots__ = (
        "_golden",
        "_is_leaving",
        "_is_taken",
        "_order",
        "_phase",
        "_released",
        "_stack",
        "_stack_before",
        "_until",
        "_url",
        "asked",
        "ended",
        "endpoint",
        "n_releases",
        "note",
        "stages",
    )

    def __init__(self, endpoint: str, order: Order | None = None, *, until: Until | None = None) -> None:
        """With `order` the machine wants that release, with `until` whatever is open, as far as that.

        With neither, it only wants what was left open brought to an end.
        """
        self.endpoint = endpoint
        self._order = order
        self._until = until or ("promoted" if order is not None else None)
        self._is_taken = self._is_leaving = False
        self.n_releases = 0
        self.stages: Stages | None = None
        """How far the release under way has come in its strategy."""
        self.asked: f.ReleaseStarted | None = None
        """The release that this driver carries out, or did."""
        self.note = ""
        """What is to be known of how the newest release ended."""
        self.ended: f.ReleaseFinished | None = None
        """How the newest ended release ended."""
        self._phase = "ended"
        self._golden: f.GoldenAnswered | None = None
        self._url = ""
        self._stack: list[int] = []
        self._stack_before: list[int] = []
        self._released: dict[int, f.ReleaseStarted] = {}

    # --- looking in ---------------------------------------------------------------------------------------------

    @property
    def open(self) -> f.ReleaseStarted | None:
        """The release under way: claimed, not ended."""
        return None if self.stages is None else self.stages.release

    @property
    def stage(self) -> int:
        """The stage that it is in, from 0; -1 before the first one and when nothing is under way."""
        return -1 if self.stages is None else self.stages.stage

    @property
    def held(self) -> f.ReleaseHeld | None:
        """Why it waits for a person."""
        return None if self.stages is None else self.stages.held

    @property
    def is_baking(self) -> bool:
        """Whether the release under way took over, and may yet be taken back by what is still counted."""
        return self.stages is not None and self.stages.is_baking

    def verdict(self, now: float) -> "Verdict | None":
        """What the counts of the release under way say at this time; None when there are no stages."""
        return None if self.stages is None else self.stages.verdict(now)

    @property
    def serving(self) -> f.ReleaseStarted | None:
        """The release whose version serves; None before the first one and after the endpoint was taken down."""
        return self._released[self._stack[-1]] if self._stack else None

    @property
    def previous(self) -> f.ReleaseStarted | None:
        """What a rollback goes to."""
        return self._released[self._stack[-2]] if len(self._stack) > 1 else None

    @property
    def kept(self) -> tuple[int, ...]:
        """The versions that are left running: the one that serves, and what a rollback goes to."""
        return tuple(r.version for r in (self.serving, self.previous) if r is not None)

    @property
    def is_mine(self) -> bool:
        """Whether this driver carries on with the release under way, and does not merely end it."""
        release = self.open
        return (
            release is not None and self._until is not None and (self._order is None or self._order.key == release.key)
        )

    @property
    def is_patient(self) -> bool:
        """Whether this driver waits for what takes time, and does not merely do what can be done at once."""
        return self._until in ("promoted", "ended")

    @property
    def is_leaving(self) -> bool:
        """Whether this driver was to go to the very end, and left."""
        return self._is_leaving

    @property
    def latest(self) -> f.ReleaseStarted | None:
        """The newest release that took over there, also when the endpoint was taken down since."""
        return next(reversed(self._released.values()), None)

    @property
    def was_up(self) -> bool:
        """Whether anything ever served there."""
        return bool(self._released)

    @property
    def url(self) -> str:
        """Where the endpoint was at its last switch; empty before."""
        return self._url

    @property
    def golden(self) -> f.GoldenAnswered | None:
        """What the newest release's version answered to the golden requests."""
        return self._golden

    def last(self, version: int) -> f.ReleaseStarted:
        """The newest release that put `version` there. Raises NameUnknown."""
        for release in reversed(self._released.values()):
            if release.version == version:
                return release
        have = ", ".join(str(v) for v in sorted({r.version for r in self._released.values()})) or "none"
        raise NameUnknown(
            f"version {version} was never released on {self.endpoint}",
            at=f"endpoint: {self.endpoint}",
            remedy=f"choose one that was ({have}), or deploy it through a pipeline, which gates it",
        )

    def succeeded(self, key: str) -> f.ReleaseStarted | None:
        """The release that was made under this key, if it reached its end well."""
        return next((r for r in self._released.values() if r.key == key), None)

    # --- facts --------------------------------------------------------------------------------------------------

    def after(self, fact: f.Fact, at: float) -> None:
        """Take in what happened."""
        match fact:
            case f.ReleaseStarted():
                self.n_releases = fact.release
                self.stages = Stages(fact, self.serving)
                self._phase = "claimed"
                self._golden = None
            case f.VersionStarted():
                self._phase = "started"
            case f.GoldenAnswered():
                self._phase = "right" if fact.is_right else "wrong"
                self._golden = fact
            case f.EndpointSwitched():
                self._url = fact.url
                self._switched()
            case f.ReleaseFinished():
                self._finished(fact)
            case f.EndpointStopped():
                self._stack.clear()
            case _:
                pass
        if self.stages is not None:
            self.stages.after(fact, at)

    def _switched(self) -> None:
        """The open release serves now. Going back takes off what is above it, so a second rollback goes deeper."""
        release = self.open
        if release is None:
            return
        self._stack_before = list(self._stack)
        self._released[release.release] = release
        if release.cause == "rollback":
            back = [i for i, number in enumerate(self._stack) if self._released[number].version == release.version]
            del self._stack[back[-1] if back else len(self._stack) :]
        elif self._stack and self._released[self._stack[-1]].version == release.version:
            # The same version again (its process was gone): it does not become its own predecessor.
            self._stack.pop()
        self._stack.append(release.release)

    def _finished(self, fact: f.ReleaseFinished) -> None:
        stages, self.stages = self.stages, None
        self.ended = fact
        self.note = stages.note if stages is not None else ""
        self._phase = "ended"
        if fact.outcome != "released" and stages is not None and stages.is_switched:
            # It was taken back: what served before it serves again.
            self._stack = self._stack_before
            del self._released[stages.release.release]

    # --- deciding -----------------------------------------------------------------------------------------------

    def leave(self) -> bool:
        """Wait no longer, if this driver only watches; what was decided is still carried out. Whether it leaves."""
        if self._until == "ended":
            self._until = "waiting"
            self._is_leaving = True
        return self._is_leaving

    def next(self, now: float) -> tuple[Action, ...]:
        """What to do now; nothing when all is done, or as much as this driver does."""
        stages = self.stages
        if stages is None:
            return self._claim()
        release = stages.release
        if self.is_mine:
            self._is_taken = True
            self.asked = release
        given_up = self._given_up(stages)
        if given_up is not None:
            return (given_up,)
        if not self.is_mine:
            return (Finish(release, self.kept) if stages.is_switched else Supersede(release),)
        first = _FIRST.get(self._phase)
        return self._staged(stages, now) if first is None else (first(release),)

    def _given_up(self, stages: Stages) -> Abort | None:
        """The end of a release that was decided, by whomever, or whose golden requests were answered wrongly."""
        said = stages.aborted
        if said is not None:
            why = f"{said.by} aborted it" + f": {said.why}" * bool(said.why) if said.by else said.why
            return Abort(stages.release, why, is_rolled_back=not said.by or stages.is_switched)
        if self._phase == "wrong" and self._golden is not None:
            return Abort(stages.release, _wrong(self._golden))
        return None

    def _staged(self, stages: Stages, now: float) -> tuple[Action, ...]:
        wish = stages.wish(now)
        if wish is None:
            return (Finish(stages.release, self.kept),)
        if isinstance(wish, Look):
            is_over = stages.is_switched or stages.held is not None
            if self._until == "waiting" or (self._until == "promoted" and is_over):
                return ()
        return (wish,)

    def _claim(self) -> tuple[Action, ...]:
        if self._order is None or self._is_taken:
            return ()
        # Whatever comes of it: an order is carried out once.
        self._is_taken = True
        return (Claim(self.n_releases + 1, self._order),)


def _wrong(golden: f.GoldenAnswered) -> str:
    if golden.n_wrong:
        return f"{golden.n_wrong} of {golden.n_requests} golden requests were answered wrongly"
    return f"{golden.n_unlike} of {golden.n_compared} rows were answered otherwise than before"


_FIRST: dict[str, Callable[[f.ReleaseStarted], Action]] = {"claimed": StartVersion, "started": AskGolden}
