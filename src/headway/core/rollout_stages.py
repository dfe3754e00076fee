"""How far one release has come in the stages of its strategy, and what that asks for: a fold of its facts.

`core/rollout` folds all releases of an endpoint and owns one of these for the release that is open. What the counts
mean says `core/rollout_judge`. A verdict needs nothing but facts and the time, so that whoever reads the log can say
it. Knows no target and no traffic.
"""

from typing import TYPE_CHECKING

from headway.core import facts as f
from headway.core.problem import Problem
from headway.core.rollout_actions import BeginStage, Decide, Hold, Look, Switch
from headway.core.strategy import Stage, Strategy
from headway.core.tally_answers import Bins

if TYPE_CHECKING:
    # It reckons with numbers, which most who read an endpoint's releases need not.
    from headway.core.rollout_judge import Judge, Verdict
    from headway.core.rollout_window import Window

AT_ONCE = Strategy(stages=(Stage(kind="promote", text="all-at-once"),))
"""What a release without a strategy does."""

ANYBODY = "*"

NOTHING_BESIDE = "nothing served beside it that it could be compared with"
SAME_BESIDE = "the same version served: there was nothing to compare"

Wish = BeginStage | Decide | Hold | Look | Switch


class Stages:
    """The stages of `release`, beside which `old` serves (None: nothing does). Owned by the fold of the endpoint."""

    __slots__ = (
        "_judge", "_told_on", "_untold", "aborted", "began_at", "begun", "bins", "held", "is_switched", "looked",
        "looked_at", "n_counted", "old", "paused", "plan", "release", "stage", "strategy",
    )  # fmt: skip

    def __init__(self, release: f.ReleaseStarted, old: f.ReleaseStarted | None) -> None:
        self.release = release
        self.old = old
        self.strategy = release.strategy or AT_ONCE
        self.plan = _plan(self.strategy, is_compared=old is not None and old.version != release.version)
        """The stages that are gone through: with nothing to be compared with, those that watch are passed over."""
        self.stage = -1
        self.began_at = 0.0
        self.is_switched = False
        self.held: f.ReleaseHeld | None = None
        self.paused: f.ReleaseDirected | None = None
        self.aborted: f.ReleaseDirected | None = None
        self.looked: f.StageLooked | None = None
        self.looked_at = 0.0
        self.n_counted = 0
        """The answers that were counted until then."""
        self.bins: Bins | None = None
        """How predictions are told apart, once somebody counted enough of them."""
        self.begun: list[tuple[int, float]] = []
        """The stages that began, each with its time."""
        self._told_on = False
        self._judge: Judge | None = None
        self._untold: list[tuple[int, float] | Window | None] = []

    # --- looking in ---------------------------------------------------------------------------------------------

    @property
    def now(self) -> Stage | None:
        """The stage that it is in; None before the first."""
        return self.strategy.stages[self.stage] if self.stage >= 0 else None

    @property
    def is_watched(self) -> bool:
        """Whether both versions answer now, or will: something is compared."""
        return any(self.strategy.stages[i].kind in ("shadow", "canary") for i in self.plan)

    @property
    def is_staged(self) -> bool:
        """Whether traffic was moved in a stage, or is still judged."""
        return self.release.strategy is not None and self.stage >= 0

    @property
    def is_told_on(self) -> bool:
        """Whether a person said to go on, and it did not yet."""
        return self._told_on

    @property
    def is_alone(self) -> bool:
        """Whether stages were asked for that it passes over, since nothing serves beside it."""
        return len(self.plan) < len(self.strategy.stages)

    @property
    def note(self) -> str:
        """Why stages are passed over; empty where none are."""
        if not self.is_alone:
            return ""
        return NOTHING_BESIDE if self.old is None else SAME_BESIDE

    @property
    def is_baking(self) -> bool:
        """Whether it took over, and may yet be taken back by what is still counted."""
        return self.is_switched and self.strategy.stages[self.plan[-1]].kind != "promote"

    @property
    def following(self) -> int | None:
        """The stage that comes next; None when there is none."""
        return next((i for i in self.plan if i > self.stage), None)

    @property
    def traffic(self) -> Stage | None:
        """The stage that says how requests go now: a pause leaves them as they were."""
        passed = [self.strategy.stages[i] for i in self.plan if i <= self.stage]
        return next((stage for stage in reversed(passed) if stage.kind != "pause"), None)

    def verdict(self, now: float) -> "Verdict | None":
        """What the counts say at this time; None before the first stage and where nothing is staged."""
        if self.release.strategy is None or self.stage < 0:
            return None
        return self._judged().verdict(now)

    def _judged(self) -> "Judge":
        if self._judge is None:
            from headway.core.rollout_judge import judge_of

            self._judge = judge_of(self.strategy)
        judge = self._judge
        for one in self._untold:
            if one is None:
                judge.pardon()
            elif isinstance(one, tuple):
                judge.begin(*one)
            else:
                judge.after(one)
        self._untold.clear()
        return judge

    # --- facts --------------------------------------------------------------------------------------------------

    def after(self, fact: f.Fact, at: float) -> None:
        """Take in what happened to this release."""
        match fact:
            case f.StageBegan():
                self._begin(fact.stage, at)
            case f.EndpointSwitched():
                self._begin(next(i for i, stage in enumerate(self.strategy.stages) if stage.kind == "promote"), at)
                self.is_switched = True
                # Nobody is harmed by the comparison any more: what was estimated of it decides nothing.
                self._untold.append(None)
            case f.StageLooked():
                self.looked, self.looked_at = fact, at
                self.n_counted += sum(w.new.requests + w.old.requests for w in fact.windows if not w.slice)
                self.bins = fact.bins or self.bins
                self._untold.extend(fact.windows)
            case f.ReleaseHeld():
                self.held = fact
            case f.ReleaseDirected():
                self._directed(fact)
            case _:
                pass

    def _begin(self, stage: int, at: float) -> None:
        self.stage, self.began_at = stage, at
        self.held = self.paused = None
        self._told_on = False
        self.begun.append((stage, at))
        self._untold.append((stage, at))

    def _directed(self, fact: f.ReleaseDirected) -> None:
        match fact.act:
            case "abort":
                self.aborted = self.aborted or fact
            case "pause":
                self.paused = fact
            case "resume":
                self.paused = None
                if self.held is not None and self.held.cause == "champion":
                    self.held = None
            case "promote" if self.stage >= 0 and may_approve(self.now, fact.by):
                if self.held is not None and self.held.cause == "unsure":
                    # A person has seen the estimate of the harm, and went on: from now on only proved harm counts.
                    self._untold.append(None)
                self.held = self.paused = None
                self._told_on = True

    # --- deciding -----------------------------------------------------------------------------------------------

    def refusal(self, act: f.Act, by: str) -> Problem | None:
        """Why a person cannot say this now; None when it can be said."""
        stage = self.now
        if act == "abort":
            return None
        if stage is None:
            return _refused("it is not in a stage yet", "wait until its golden requests are answered, or abort it")
        if act == "promote" and not may_approve(stage, by):
            who = stage.approver
            return _refused(f"`{stage.text}` waits for {who}, not for {by}", f"let {who} say it, or abort the release")
        if act == "resume" and self.paused is None:
            return _refused("nobody paused it", "`headway rollout promote` goes on to the next stage")
        if act == "pause" and self.paused is not None:
            return _refused("it is paused already", "`headway rollout resume` goes on")
        return None

    def wish(self, now: float) -> Wish | None:
        """What to do now, once the version answered well; None when all stages are over."""
        if self.stage < 0 or self.strategy.stages[self.stage].kind == "promote":
            return self._go_on()
        verdict = self.verdict(now)
        if verdict is not None and verdict.outcome == "roll-back":
            return Decide(self.release, verdict.why)
        if self._told_on:
            return self._go_on()
        stage = self.strategy.stages[self.stage]
        if stage.approver and self.held is None:
            who = "somebody" if stage.approver == ANYBODY else stage.approver
            return Hold(self.release, self.stage, f"{stage.text}: waits for {who}", "approval")
        if verdict is None or stage.approver or self.paused or self._is_left_alone:
            return Look(self.release, self.stage)
        return self._judged_as(verdict)

    @property
    def _is_left_alone(self) -> bool:
        """Whether it is held because nothing is there to compare with: what was counted then lets nothing go on."""
        return self.held is not None and self.held.cause == "champion"

    def _judged_as(self, verdict: "Verdict") -> Wish | None:
        match verdict.outcome:
            case "keep-looking":
                return Look(self.release, self.stage)
            case "unsure":
                return self._unsure(verdict)
            case _:
                return self._go_on()

    def _unsure(self, verdict: "Verdict") -> Wish | None:
        match self.strategy.unsure:
            case "rollback":
                return Decide(self.release, f"{verdict.why}; `unsure: rollback`")
            case "promote":
                return self._go_on()
            case "hold" if self.held is None:
                return Hold(self.release, self.stage, verdict.why, "unsure")
            case "hold":
                return Look(self.release, self.stage)

    def _go_on(self) -> BeginStage | Switch | None:
        following = self.following
        if following is None:
            return None
        if self.strategy.stages[following].kind == "promote":
            return Switch(self.release)
        return BeginStage(self.release, following)


def may_approve(stage: Stage | None, by: str) -> bool:
    """Whether this person may let a release go on from a stage.

    >>> may_approve(Stage(kind="pause", text="pause: approval by alice", approver="alice"), "bob")
    False
    """
    return stage is None or stage.approver in ("", ANYBODY, by)


def _plan(strategy: Strategy, *, is_compared: bool) -> tuple[int, ...]:
    """Without anything to be compared with, a person's approval is still asked for, and nothing else waited for."""
    return tuple(
        i
        for i, stage in enumerate(strategy.stages)
        if is_compared or stage.kind == "promote" or (stage.kind == "pause" and stage.approver)
    )


def _refused(problem: str, remedy: str) -> Problem:
    return Problem(path=(), problem=problem, remedy=remedy)
