"""Carry out what a release's machine wants in its stages: move traffic, look at what became of it, see who is there.

`core/rollout_stages` decides; `evidence` counts. A look is due soon after a stage began and later less often; between
looks somebody may say something, and a process may end.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from headway.core import facts as f
from headway.core import rollout as r
from headway.core.facts import Fact
from headway.core.rollout_stages import Stages
from headway.core.rollout_traffic import table_of, until_next_look
from headway.errors import HeadwayError, ReleaseTrouble, TargetUnavailable, UsageMistaken
from headway.flows import registry
from headway.flows.delivery import CHAMPION, Delivery, answered, is_wanted, renew, up
from headway.ports import EndpointState

if TYPE_CHECKING:
    # It reads tables and reckons with numbers: a release without stages needs neither.
    from headway.flows.evidence import Evidence

Report = Callable[[str, r.Rollout], None]
"""Hears of each step of a release: a line for a person (empty: only the counts moved), and the machine as it is now."""

TICK_S = 1.0
"""So soon a driver hears what somebody says to the release."""

STATE_S = 2.0
"""So soon it sees that a version's process ended."""

RENEW_S = 60.0

SAY_S = 30.0
SAY_AGAIN_S = 600.0
"""How often a stage that goes on is told of: where something was counted, and where nothing was."""


class Staging:
    """The stages of the release that is open, acted out by this process."""

    __slots__ = (
        "_due", "_evidence", "_n_ends", "_read_in", "_renewed_at", "_report", "_rollout", "_said", "_said_at",
        "_seen_at", "_stage", "_world",
    )  # fmt: skip

    def __init__(self, world: Delivery, rollout: r.Rollout, report: Report) -> None:
        self._world = world
        self._rollout = rollout
        self._report = report
        self._evidence: Evidence | None = None
        self._due = self._seen_at = self._renewed_at = self._said_at = 0.0
        self._said = ""
        self._stage = (0, -1)
        self._read_in = (0, -1)
        self._n_ends: int | None = None

    @property
    def _stages(self) -> Stages:
        stages = self._rollout.stages
        assert stages is not None
        return stages

    # --- moving on ----------------------------------------------------------------------------------------------

    def is_unread(self) -> bool:
        """Whether something may have been logged in this stage that nobody looked at."""
        stages = self._stages
        return stages.is_watched and stages.stage >= 0 and self._read_in != (stages.release.release, stages.stage)

    def read_all(self) -> Iterator[Sequence[Fact]]:
        """The last look of a stage."""
        stages = self._stages
        self._read_in = (stages.release.release, stages.stage)
        yield from self._counted(stages)

    def say_why(self) -> None:
        """Tell with what result a stage ends."""
        stages = self._stages
        verdict = stages.verdict(self._world.now())
        if verdict is not None and stages.now is not None and stages.now.kind != "promote":
            self._report(verdict.why, self._rollout)
            for words in self._evidence.left_out if self._evidence is not None else ():
                self._report(f"not counted: {words}", self._rollout)

    def begin(self, release: f.ReleaseStarted, number: int) -> Fact:
        """Let requests go as a stage says. Raises as `up`, and what `Target.route` raises."""
        stages = self._stages
        stage = stages.strategy.stages[number]
        if stages.is_switched:
            self.settle_down(release)
            return f.StageBegan(release=release.release, stage=number, rehearsal=self._rehearsed(stages))
        if stage.kind != "pause":
            # What counts takes a moment to load: before requests go where nobody looks, not after.
            import headway.flows.evidence  # noqa: F401 (for the first look)

            self._route(stages, number)
        return f.StageBegan(release=release.release, stage=number)

    def _rehearsed(self, stages: Stages) -> str:
        """Try the way back while nobody needs it: the version that is kept warm is asked what it must answer."""
        old = stages.old
        if old is None or old.version == stages.release.version:
            return ""
        name = f"{old.model}@{old.version}"
        try:
            told = answered(self._world, old)
        except HeadwayError as e:
            words = f"the way back is not sure: {name} gives no answer: {e.problem}"
        else:
            right = f"answers its {told.n_requests} golden requests" if told.n_requests else "is kept warm"
            words = f"the way back was tried: {name} {right}"
            if not told.is_right:
                words = f"the way back is not sure: {name} answers otherwise than when it was released"
        self._report(words, self._rollout)
        return words

    def began(self) -> None:
        """Tell that it did."""
        stages = self._stages
        place = stages.plan.index(stages.stage) + 1
        if stages.now is not None:
            self._report(f"stage {place} of {len(stages.plan)}: {stages.now.text}", self._rollout)

    def settle_down(self, release: f.ReleaseStarted) -> None:
        """Let the champion's alias mean what serves now, and end the versions in nobody's need."""
        world, rollout = self._world, self._rollout
        why = release.why or f"release {release.release} on {release.endpoint}"
        registry.move_alias(
            world.log, release.model, CHAMPION, release.version, now=world.now(), why=why, by=release.by or world.by
        )
        target = world.target(release.target)
        state = target.state(release.endpoint)
        for version in state.versions if state is not None else ():
            if version not in rollout.kept:
                target.stop(release.endpoint, version)

    def _route(self, stages: Stages, number: int) -> None:
        release, old = stages.release, stages.old
        stage = stages.strategy.stages[number]
        if old is None or not stages.is_watched:
            return
        self._revive(old)
        # Between the golden requests and now the process may have gone; starting what runs is harmless.
        up(self._world, release)
        table = table_of(stage, new=release.version, old=old.version)
        target = self._world.target(release.target)
        try:
            target.route(release.endpoint, table)
        except UsageMistaken:
            # Where copies make the shares, requests cannot be kept from a third version: the one for a rollback to
            # before the champion goes, and would be started again.
            state = target.state(release.endpoint)
            others = [] if state is None else [v for v in state.versions if v not in table.versions]
            if not others:
                raise
            for version in others:
                target.stop(release.endpoint, version)
            target.route(release.endpoint, table)

    def _revive(self, serving: f.ReleaseStarted) -> None:
        """See that a version serves and answers; starts it where it is gone."""
        target = self._world.target(serving.target)
        state = target.state(serving.endpoint)
        if not _is_well(state, serving.version):
            up(self._world, serving)
            # A switch ends the table: it is for where another version, or none, was to serve.
            if state is None or state.serving != serving.version:
                target.switch(serving.endpoint, serving.version)

    # --- looking ------------------------------------------------------------------------------------------------

    def look(self, release: f.ReleaseStarted, number: int) -> Iterator[Sequence[Fact]]:
        """Wait a moment, or look when it is time to. Raises LeaseHeld when the lease was lost."""
        world, now = self._world, self._world.now()
        if is_wanted(world, release.endpoint) and self._rollout.leave():
            self._report("somebody acts on this endpoint: this driver lets them", self._rollout)
            return
        if now - self._renewed_at >= RENEW_S:
            renew(world, release.endpoint)
            self._renewed_at = now
        if (release.release, number) != self._stage:
            self._stage, self._due, self._seen_at, self._n_ends = (release.release, number), now, 0.0, None
        if now - self._seen_at >= STATE_S:
            self._seen_at = now
            found = self._seen(self._stages)
            if found is not None:
                yield [found]
                return
        if now < self._due:
            world.sleep(min(self._due - now, TICK_S))
            return
        yield from self._counted(self._stages)
        self._told(self._stages)

    def _counted(self, stages: Stages) -> Iterator[Sequence[Fact]]:
        """What was answered since the look before. Sets when the next one is due."""
        world = self._world
        if stages.is_watched:
            from headway.flows.evidence import Evidence

            if self._evidence is None or not self._evidence.is_of(stages):
                self._evidence = Evidence(world, stages)
            for looked in self._evidence.look(stages):
                yield [looked]
        now = world.now()
        self._due = now + until_next_look(stages.strategy.stages[stages.stage], now - stages.began_at)

    def _told(self, stages: Stages) -> None:
        now = self._world.now()
        verdict = stages.verdict(now)
        line = ""
        if verdict is not None and now - self._said_at >= (SAY_S if verdict.why != self._said else SAY_AGAIN_S):
            self._said_at, self._said = now, verdict.why
            line = verdict.why
        self._report(line, self._rollout)

    # --- who is there -------------------------------------------------------------------------------------------

    def _seen(self, stages: Stages) -> Fact | None:
        """What follows from which processes live; None when all is well, or cannot be asked."""
        release, old = stages.release, stages.old
        try:
            state = self._world.target(release.target).state(release.endpoint)
        except TargetUnavailable as e:
            self._report(f"the target cannot be asked now: {e.problem}", self._rollout)
            return None
        if stages.is_switched:
            return self._seen_baking(stages, state)
        if old is None or not stages.is_watched:
            return None
        if not _is_well(state, old.version):
            return self._without_champion(stages, old)
        if stages.held is not None and stages.held.cause == "champion":
            return f.ReleaseDirected(release=release.release, act="resume", why=f"version {old.version} answers again")
        return self._ended(stages, state)

    def _ended(self, stages: Stages, state: EndpointState | None) -> Fact | None:
        """The end of a release whose version's process ended by itself, if that is a cause."""
        version = stages.release.version
        assert state is not None
        n_ends = next((end.n for end in state.ends if end.version == version), 0)
        if self._n_ends is None:
            self._n_ends = n_ends
        has_ended = version not in state.versions or n_ends > self._n_ends
        if not has_ended or not stages.strategy.is_not_ready_a_cause:
            return None
        words = next((end.words for end in state.ends if end.version == version), "") or state.detail
        why = f"not-ready: version {version}: " + (words or "it has no live process any more")
        return f.ReleaseDirected(release=stages.release.release, act="abort", why=why)

    def _seen_baking(self, stages: Stages, state: EndpointState | None) -> Fact | None:
        release, old = stages.release, stages.old
        if state is not None and state.serving == release.version:
            return self._ended(stages, state) if old is not None else None
        # Its whole place is gone (a restart of the machine): that is no fault of the version's.
        try:
            self._revive(release)
        except ReleaseTrouble as e:
            return f.ReleaseDirected(release=release.release, act="abort", why=f"not-ready: {e.problem}")
        if old is not None:
            up(self._world, old)
        return None

    def _without_champion(self, stages: Stages, old: f.ReleaseStarted) -> Fact | None:
        """Bring the champion back, and the traffic as it was; where that fails nothing goes on without a person."""
        traffic = stages.traffic
        try:
            self._revive(old)
        except HeadwayError as e:
            if stages.held is not None and stages.held.cause == "champion":
                return None
            why = f"version {old.version}, which served, gives no answer: {e.problem}"
            self._report(f"held: {why}", self._rollout)
            return f.ReleaseHeld(release=stages.release.release, stage=stages.stage, why=why, cause="champion")
        if traffic is not None:
            try:
                self._route(stages, stages.strategy.stages.index(traffic))
            except ReleaseTrouble as e:
                if stages.strategy.is_not_ready_a_cause:
                    return f.ReleaseDirected(release=stages.release.release, act="abort", why=f"not-ready: {e.problem}")
        return None


def _is_well(state: EndpointState | None, version: int) -> bool:
    return state is not None and state.serving == version and state.healthy and version in state.versions
