"""The releases of an endpoint as a person looks at them: who tried what, how far it is, what was said, how it ended.

Folds the same facts as `core/rollout`, which decides; here nothing is decided, and releases that ended long ago are
told as well. Knows no target: whether all of it is true out there, `headway endpoints` says.
"""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from headway.core import facts as f
from headway.core.facts.endpoints import Act
from headway.core.rollout_words import Totals
from headway.core.strategy import WATCHED, Stage, StageKind

StageState = Literal["done", "skipped", "now", "ahead"]
"""`skipped`: there was nothing to be compared with, so nothing was waited for."""

Phase = Literal["starting", "watched", "waiting", "baking", "ended"]
"""Where a release is: before any traffic, in a stage that compares versions, in a pause or held, in its bake."""


class StageView(Struct, frozen=True, kw_only=True):
    """One stage: since when, and so many requests of the endpoint were counted in it; for machines its share as well.

    `requests` are those that it wants, 0 where it ends by time.
    """

    text: str
    kind: StageKind
    state: StageState
    began_at: float = 0.0
    counted: int = 0
    requests: int = 0
    time_s: float = 0.0
    share: float = 0.0
    approver: str = ""


class Said(Struct, frozen=True, kw_only=True):
    """What somebody told a release to do; nobody (`by` is empty) where its driver decided it."""

    act: Act
    at: float
    by: str = ""
    why: str = ""


class ReleaseView(Struct, frozen=True, kw_only=True):
    """One release. `old` is the version that served when it began; `stages` are empty where it took over at once.

    `held` is why it waits for a person, `held_by` what makes it wait: unsure, approval or champion. `is_paused`:
    somebody said so. `switched_at`: it answers everything since then, 0: it never did. `outcome` is empty while it is
    under way.
    """

    endpoint: str
    release: int
    model: str
    version: int
    started_at: float
    old: int | None = None
    target: str = "local"
    cause: Literal["deploy", "rollback"] = "deploy"
    by: str = ""
    why: str = ""
    override: str = ""
    run: int | None = None
    stages: tuple[StageView, ...] = ()
    said: tuple[Said, ...] = ()
    held: str = ""
    held_by: str = ""
    is_paused: bool = False
    looked_at: float = 0.0
    switched_at: float = 0.0
    outcome: str = ""
    ended_at: float = 0.0
    ended_why: str = ""
    totals: Totals = Totals()

    @property
    def stage(self) -> StageView | None:
        """The stage that it is in; None before the first one, after the last, and where there are none."""
        return next((stage for stage in self.stages if stage.state == "now"), None)

    @property
    def phase(self) -> Phase:
        """Where it is."""
        if self.outcome:
            return "ended"
        stage = self.stage
        if stage is None:
            return "starting"
        if self.held or self.is_paused or stage.kind == "pause":
            return "waiting"
        return "baking" if stage.kind in ("promote", "bake") else "watched"

    @property
    def is_alone(self) -> bool:
        """Whether it passed over the stages that compare: nothing served beside it."""
        return any(stage.state == "skipped" and stage.kind in WATCHED for stage in self.stages)

    @property
    def number(self) -> int:
        """Which stage that is, from 1; 0 where there is none."""
        return next((i for i, stage in enumerate(self.stages, 1) if stage.state == "now"), 0)

    @property
    def shares(self) -> tuple[float, float]:
        """Of clients' requests the share that the new version answers, and the share that it gets copies of."""
        if self.outcome:
            return (1.0 if self.outcome == "released" else 0.0), 0.0
        # A pause leaves the traffic as the stage before it had it.
        for stage in reversed(self.stages):
            if stage.state in ("done", "now") and stage.kind != "pause":
                answered = {"canary": stage.share, "promote": 1.0, "bake": 1.0}.get(stage.kind, 0.0)
                return answered, stage.share if stage.kind == "shadow" else 0.0
        return 0.0, 0.0


class Releases:
    """All releases of one endpoint, the newest last. Owned by one reader."""

    __slots__ = ("_serving", "all")

    def __init__(self) -> None:
        self.all: list[ReleaseView] = []
        self._serving: int | None = None

    @property
    def open(self) -> ReleaseView | None:
        """The release that is under way."""
        return self.all[-1] if self.all and not self.all[-1].outcome else None

    def after(self, fact: f.Fact, at: float) -> None:
        """Take in what happened."""
        if isinstance(fact, f.ReleaseStarted):
            self.all.append(_begun(fact, at, self._serving))
        elif isinstance(fact, f.EndpointStopped):
            self._serving = None
        elif self.all:
            before = self.all[-1]
            now = self.all[-1] = _after(before, fact, at)
            if isinstance(fact, f.EndpointSwitched):
                self._serving = now.version
            elif isinstance(fact, f.ReleaseFinished) and fact.outcome != "released":
                self._serving = now.old


def _begun(fact: f.ReleaseStarted, at: float, serving: int | None) -> ReleaseView:
    stages = () if fact.strategy is None else fact.strategy.stages
    return ReleaseView(
        endpoint=fact.endpoint,
        release=fact.release,
        model=fact.model,
        version=fact.version,
        started_at=at,
        old=serving,
        target=fact.target,
        cause=fact.cause,
        by=fact.by,
        why=fact.why,
        override=fact.override,
        run=fact.run,
        stages=tuple(_ahead(stage) for stage in stages),
    )


def _ahead(stage: Stage) -> StageView:
    return StageView(
        text=stage.text,
        kind=stage.kind,
        state="ahead",
        requests=stage.n_requests,
        time_s=stage.time_s,
        share=stage.share,
        approver=stage.approver,
    )


def _after(view: ReleaseView, fact: f.Fact, at: float) -> ReleaseView:
    match fact:
        case f.StageBegan():
            view = _in_stage(view, fact.stage, at)
        case f.StageLooked():
            view = _looked(view, fact, at)
        case f.EndpointSwitched():
            view = replace(_promoted(view, at), switched_at=at)
        case f.ReleaseHeld():
            view = replace(view, held=fact.why or "a person is asked", held_by=fact.cause)
        case f.ReleaseDirected():
            view = _directed(view, fact, at)
        case f.ReleaseFinished():
            view = _ended(view, fact, at)
        case _:
            pass
    return view


def _promoted(view: ReleaseView, at: float) -> ReleaseView:
    """Promoted, where that was not said by a stage that began."""
    place = next((i for i, stage in enumerate(view.stages) if stage.kind == "promote"), -1)
    return _in_stage(view, place, at) if place >= 0 and view.stages[place].state == "ahead" else view


def _in_stage(view: ReleaseView, number: int, at: float) -> ReleaseView:
    if not view.stages:
        return view
    stages = [_passed(stage) if i < number else stage for i, stage in enumerate(view.stages)]
    stages[number] = replace(stages[number], state="now", began_at=at)
    return replace(view, stages=tuple(stages), held="", is_paused=False)


def _passed(stage: StageView) -> StageView:
    return replace(stage, state="done" if stage.began_at else "skipped")


def _looked(view: ReleaseView, fact: f.StageLooked, at: float) -> ReleaseView:
    totals, stages = view.totals, list(view.stages)
    for window in fact.windows:
        if window.slice:
            continue
        totals = totals.after(window)
        i = window.stage if 0 <= window.stage < len(stages) else fact.stage
        if i < len(stages):
            # A shadow's requests are asked twice and count once.
            n = window.old.requests + (0 if stages[i].kind == "shadow" else window.new.requests)
            stages[i] = replace(stages[i], counted=stages[i].counted + n)
    return replace(view, totals=totals, stages=tuple(stages), looked_at=at)


def _directed(view: ReleaseView, fact: f.ReleaseDirected, at: float) -> ReleaseView:
    said = (*view.said, Said(act=fact.act, at=at, by=fact.by, why=fact.why))
    is_paused = fact.act == "pause" or (view.is_paused and fact.act == "abort")
    # As `core/rollout_stages` has it: whoever lets a release go on after a pause has not said what it is held for.
    goes_on = fact.act == "promote" or (fact.act == "resume" and view.held_by == "champion")
    return replace(view, said=said, is_paused=is_paused, held="" if goes_on else view.held)


def _ended(view: ReleaseView, fact: f.ReleaseFinished, at: float) -> ReleaseView:
    is_whole = fact.outcome == "released"
    stages = tuple(
        _passed(stage) if stage.state == "now" or (is_whole and stage.state == "ahead") else stage
        for stage in view.stages
    )
    return replace(view, stages=stages, outcome=fact.outcome, ended_at=at, ended_why=fact.why, held="")
