"""Carry out what a release's machine wants: on the target, on the store and on the registry.

`core/rollout` decides, this acts; each act may be done twice. What a person can ask for is in `release`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeVar

from headway.codec.golden import read_golden
from headway.core import facts as f
from headway.core import rollout as r
from headway.core.facts import Fact
from headway.core.ids import Digest
from headway.errors import FileMissing, HeadwayError, TargetUnavailable
from headway.flows import registry
from headway.flows.delivery import CHAMPION, Delivery, answered, back_to, down, holder, laid_out, renew, stream, up
from headway.flows.rollout_stages import Report, Staging
from headway.flows.settle import fold, settle
from headway.ports import Log, Target

AGAIN_S = 5.0
AWAY_S = 120.0
AGAIN_FOR_S = 1800.0
"""How often a target that cannot be reached is tried again, for how long to go on, and for how long to take a release
back: a bad version must not stay because the network was away."""

R = TypeVar("R")

__all__ = [
    "Delivery",
    "Report",
    "answered",
    "drive",
    "holder",
    "kept_golden",
    "laid_out",
    "names",
    "read",
    "renew",
    "silent",
    "stream",
]


def silent(line: str, rollout: r.Rollout) -> None:
    """Reports nothing."""


def drive(world: Delivery, rollout: r.Rollout, report: Report = silent) -> HeadwayError | None:
    """Let the machine come to its end; returns what the last failed release failed of, if one did.

    The caller holds the endpoint's lease; what people say to the release without it is heard. Raises AppendConflict
    when somebody acts there without it, and ReleaseTrouble where a release cannot be taken back: it stays open then.
    """
    acts = _Acts(world, rollout, report)
    settle(
        rollout,
        log=world.log,
        stream=stream(rollout.endpoint),
        act=acts.act,
        now=world.now,
        beside=(f.ReleaseDirected,),
    )
    return acts.trouble


def names(log: Log) -> tuple[str, ...]:
    """The names of all endpoints that something was ever released on, in order."""
    found = (entry.fact for entry in log.scan(["ReleaseStarted"]))
    return tuple(sorted({fact.endpoint for fact in found if isinstance(fact, f.ReleaseStarted)}))


def read(log: Log, endpoint: str) -> r.Rollout:
    """The releases of an endpoint as the log tells them."""
    rollout = r.Rollout(endpoint)
    fold(rollout, log=log, stream=stream(endpoint))
    return rollout


def kept_golden(world: Delivery, path: str) -> Digest:
    """Keep a file of golden requests, after it was seen to be readable. Raises FileMissing, FileFaulty."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError as e:
        raise FileMissing(
            f"there is no file of golden requests {path}",
            at="golden",
            remedy='write it, one request a line: {"inputs": {"column": 1}, "expect": 0}',
        ) from e
    read_golden(data, file=path)
    return world.blobs.put(data)


class _Acts:
    """Carries out what the machine wants. `trouble` is what the last failed release failed of."""

    __slots__ = ("_report", "_rollout", "_staging", "_world", "trouble")

    def __init__(self, world: Delivery, rollout: r.Rollout, report: Report = silent) -> None:
        self._world = world
        self._rollout = rollout
        self._report = report
        self._staging = Staging(world, rollout, report)
        self.trouble: HeadwayError | None = None

    def act(self, action: r.Action) -> Iterator[Sequence[Fact]]:
        """Do it, and give what happened."""
        match action:
            case r.Claim(number, order):
                self.trouble = None
                yield [claimed(number, order)]
            case r.StartVersion(release):
                yield [self._tried(release, self._started)]
            case r.AskGolden(release):
                yield [self._tried(release, lambda it: answered(self._world, it))]
            case r.Look(release, stage):
                yield from self._staging.look(release, stage)
            case r.BeginStage() | r.Switch() | r.Finish():
                yield from self._moved_on(action)
            case r.Hold() | r.Decide():
                yield self._written(action)
            case r.Abort(release, why):
                self._back(release)
                outcome: Literal["rolled-back", "aborted"] = "rolled-back" if action.is_rolled_back else "aborted"
                yield [f.ReleaseFinished(release=release.release, outcome=outcome, why=why)]
            case r.Supersede(release):
                yield [self._superseded(release)]

    def _moved_on(self, action: r.BeginStage | r.Switch | r.Finish) -> Iterator[Sequence[Fact]]:
        """Go to the next stage, after a last look at the one that ends: what it shows is judged first."""
        staging, release = self._staging, action.release
        if self._rollout.is_mine and staging.is_unread():
            yield from staging.read_all()
            return
        staging.say_why()
        match action:
            case r.BeginStage(release, stage):
                yield [self._tried(release, lambda it: self._reached(lambda: staging.begin(it, stage), AWAY_S))]
                if self._rollout.stage == stage:
                    staging.began()
            case r.Switch(release):
                self._say_alone()
                yield [self._tried(release, lambda it: self._reached(lambda: self._switched(it), AWAY_S))]
            case r.Finish(release):
                staging.settle_down(release)
                yield [f.ReleaseFinished(release=release.release, outcome="released")]

    def _written(self, action: r.Hold | r.Decide) -> list[Fact]:
        number = action.release.release
        if isinstance(action, r.Decide):
            self._report(f"rolls back: {action.why}", self._rollout)
            return [f.ReleaseDirected(release=number, act="abort", why=action.why)]
        self._report(f"held: {action.why}", self._rollout)
        return [f.ReleaseHeld(release=number, stage=action.stage, why=action.why, cause=action.cause)]

    def _say_alone(self) -> None:
        stages = self._rollout.stages
        if stages is not None and stages.note:
            self._report(f"{stages.note}: it takes over at once", self._rollout)

    def _tried(self, release: f.ReleaseStarted, work: Callable[[f.ReleaseStarted], Fact]) -> Fact:
        """What the work gives, or the end of the release when it fails: what served before is untouched then."""
        renew(self._world, release.endpoint)
        try:
            return work(release)
        except HeadwayError as e:
            self.trouble = e
            self._back(release)
            return f.ReleaseFinished(release=release.release, outcome="failed", why=e.problem)

    def _back(self, release: f.ReleaseStarted) -> None:
        """All traffic to what served before; where none was moved, what cannot be done now is left for later."""
        stages = self._rollout.stages
        assert stages is not None
        old = stages.old
        if stages.stage < 0:
            down(self._world, release, old)
            return
        self._reached(lambda: back_to(self._world, release, old), AGAIN_FOR_S)
        if stages.is_switched and old is not None:
            why = f"release {release.release} on {release.endpoint} was rolled back"
            registry.move_alias(
                self._world.log, old.model, CHAMPION, old.version, now=self._world.now(), why=why, by=self._world.by
            )

    def _reached(self, work: Callable[[], R], for_s: float) -> R:
        """Do it as soon as the target can be reached; of a release at once that is now or never, as nothing moved."""
        until = self._world.now() + for_s
        stages = self._rollout.stages
        may_wait = self._rollout.is_patient and stages is not None and stages.release.strategy is not None
        while True:
            try:
                return work()
            except TargetUnavailable as e:
                if not may_wait or self._world.now() >= until:
                    raise
                self._report(f"the target cannot be reached, and is tried again: {e.problem}", self._rollout)
            self._world.sleep(AGAIN_S)
            renew(self._world, self._rollout.endpoint)

    def _started(self, release: f.ReleaseStarted) -> Fact:
        return f.VersionStarted(release=release.release, address=up(self._world, release))

    def _switched(self, release: f.ReleaseStarted) -> Fact:
        # Between the golden requests and now the process may have gone; starting what runs is harmless.
        up(self._world, release)
        url = self._target(release).switch(release.endpoint, release.version)
        return f.EndpointSwitched(release=release.release, url=url)

    def _superseded(self, release: f.ReleaseStarted) -> Fact:
        state = self._target(release).state(release.endpoint)
        if state is not None and state.serving == release.version:
            return f.EndpointSwitched(release=release.release, url=state.url)
        self._back(release)
        why = "whoever drove it was gone before it took over"
        return f.ReleaseFinished(release=release.release, outcome="aborted", why=why)

    def _target(self, release: f.ReleaseStarted) -> Target:
        return self._world.target(release.target)


def claimed(number: int, order: r.Order) -> f.ReleaseStarted:
    """The fact by which an order becomes the release of that number."""
    return f.ReleaseStarted(
        endpoint=order.endpoint,
        release=number,
        model=order.model,
        version=order.version,
        key=order.key,
        target=order.target,
        port=order.port,
        golden=order.golden,
        cause=order.cause,
        run=order.run,
        why=order.why,
        by=order.by,
        recording=order.recording,
        limits=order.limits,
        strategy=order.strategy,
        override=order.override,
        within_ms=order.within_ms,
    )
