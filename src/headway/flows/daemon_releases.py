"""The releases that are under way and that nobody drives: each gets a driver, a process `headway rollout watch NAME`.

A release outlives the run that began it by its bake, and by its run's death. Whoever drives it holds the endpoint's
lease, so that two drivers never act at once; one that this started goes on when the daemon dies, and is found by that
lease. How releases go is told, whoever drives them.
"""

from collections.abc import Callable
from math import inf

from headway.core import facts as f
from headway.core.daemon import INTERRUPTED, Kind, Told, ended, pause_s
from headway.core.rollout import Rollout
from headway.errors import StepNotStarted
from headway.flows import firing
from headway.flows.at_work import is_at_work
from headway.flows.daemon_children import Children
from headway.flows.delivery import stream
from headway.flows.launch import find
from headway.flows.rollout import names, read
from headway.ports import Exit, Leases, Log

LOOK_S = 2.0
"""How soon it is seen that a driver is gone which another daemon, or a person, started."""

GRACE_S = 5.0
"""A release that nobody drives may just be going from one driver to the next for so long."""


class Drivers:
    """Sees to it that open releases are driven. Owned by the daemon's loop."""

    __slots__ = ("_children", "_driven", "_failed", "_leases", "_log", "_rollouts", "_tell", "_undriven")

    name = ""

    def __init__(self, *, log: Log, leases: Leases, children: Children, tell: Callable[[Told], None]) -> None:
        self._log = log
        self._leases = leases
        self._children = children
        self._tell = tell
        # By endpoint: its releases, and how much of its stream they were told.
        self._rollouts: dict[str, tuple[Rollout, int]] | None = None
        self._undriven: dict[str, float] = {}
        # The release for which a driver was started.
        self._driven: dict[str, int] = {}
        # How often a driver ended badly in a row, and when the last one did.
        self._failed: dict[str, tuple[int, float]] = {}

    def do(self, now: float) -> float:
        """Start what drives the releases that nobody drives."""
        if self._rollouts is None:
            self._rollouts = {}
            for endpoint in names(self._log):
                self._folded(endpoint)
        found = [rollout.open for rollout, _ in self._rollouts.values()]
        return min((self._see_to(release, now) for release in found if release is not None), default=inf)

    def after(self, entry: f.Entry) -> bool:
        """Whether a fact may leave a release without a driver; how a release goes is told."""
        if isinstance(entry.fact, f.RunFinished):
            return True
        endpoint = entry.stream.removeprefix(stream(""))
        if self._rollouts is None or endpoint == entry.stream:
            return False
        rollout, n = self._rollouts.get(endpoint) or self._folded(endpoint, until=entry.n)
        if entry.n > n:
            rollout.after(entry.fact, entry.at)
            self._rollouts[endpoint] = rollout, entry.n
        if rollout.open is None:
            self._undriven.pop(endpoint, None)
        says = _words(entry.fact, rollout)
        if says:
            self._say("release", says, entry.at, endpoint)
        return True

    def ended(self, exit_: Exit, now: float) -> bool:
        """Take in that a driver ended."""
        endpoint = exit_.key.removeprefix(_key(""))
        if endpoint == exit_.key:
            return False
        release = read(self._log, endpoint).open
        # A driver ends when its release does, also when that made room for one that is under way now.
        if exit_.code == INTERRUPTED or release is None or release.release != self._driven.get(endpoint):
            self._failed.pop(endpoint, None)
            self._children.forget(exit_.key)
            return True
        n = self._failed.get(endpoint, (0, 0.0))[0] + 1
        self._failed[endpoint] = n, now
        why = self._children.last_words(exit_.key) or f"the process {ended(exit_.code)}"
        says = f"nobody drives its release: {why}; a driver is started again in {pause_s(n):.0f} s"
        self._say("process", says, now, endpoint)
        return True

    def _folded(self, endpoint: str, until: float = inf) -> tuple[Rollout, int]:
        """The releases of an endpoint up to its n-th fact, without what was counted: that drives nobody."""
        assert self._rollouts is not None
        rollout, n = Rollout(endpoint), 0
        for entry in self._log.read(stream(endpoint)):
            if entry.n <= until:
                n = entry.n
                if not isinstance(entry.fact, f.StageLooked):
                    rollout.after(entry.fact, entry.at)
        self._rollouts[endpoint] = rollout, n
        return rollout, n

    def _see_to(self, release: f.ReleaseStarted, now: float) -> float:
        """Start its driver, if it is time to; gives when to look again."""
        endpoint = release.endpoint
        if self._children.is_mine(_key(endpoint)):
            return inf
        if self._leases.holder(stream(endpoint), now=now) is not None or self._is_a_runs(release, now):
            self._undriven.pop(endpoint, None)
            return now + LOOK_S
        since = self._undriven.setdefault(endpoint, now)
        n, failed_at = self._failed.get(endpoint, (0, 0.0))
        due = max(min(since, now) + GRACE_S, min(failed_at, now) + pause_s(n))
        if due > now:
            return due
        try:
            self._children.start(_key(endpoint), ["rollout", "watch", endpoint])
        except StepNotStarted:
            # One that another daemon started is about to take the lease, or to end.
            if not self._children.is_left(_key(endpoint)):
                raise
            return now + LOOK_S
        del self._undriven[endpoint]
        self._driven[endpoint] = release.release
        self._say("release", f"release {release.release} is driven from here on", now, endpoint)
        return inf

    def _is_a_runs(self, release: f.ReleaseStarted, now: float) -> bool:
        """Whether the run that began it is at work, or will be gone on with: its own step drives it then."""
        if release.run is None:
            return False
        started, finished, _ = find(release.run, self._log)
        if finished is not None:
            return False
        fired = started.options.firing
        at_work = is_at_work(self._leases, release.run, now=now)
        return at_work or (bool(fired) and not firing.is_over(self._log, fired))

    def _say(self, kind: Kind, says: str, at: float, endpoint: str) -> None:
        self._tell(Told(at=at, kind=kind, says=says, about=endpoint))


def _key(endpoint: str) -> str:
    return f"rollout/{endpoint}"


def _words(fact: f.Fact, rollout: Rollout) -> str:
    """What happened to a release, in a line; empty where it is not worth one."""
    match fact:
        case f.ReleaseStarted():
            return f"release {fact.release} began: {fact.model}@{fact.version}"
        case f.StageBegan() if rollout.stages is not None and rollout.stages.now is not None:
            return f"release {fact.release}: {rollout.stages.now.text}"
        case f.EndpointSwitched() if rollout.serving is not None:
            return f"{rollout.serving.model}@{rollout.serving.version} serves on {fact.url}"
        case f.EndpointStopped():
            return f"it was taken down{_because(fact.why)}"
        case _:
            return _said_of(fact, rollout.endpoint)


def _said_of(fact: f.Fact, endpoint: str) -> str:
    """What was decided about a release."""
    match fact:
        case f.ReleaseHeld():
            return f"release {fact.release} is held{_because(fact.why)}; headway rollout status {endpoint}"
        case f.ReleaseDirected():
            return f"release {fact.release}: {fact.by or 'headway'} says {fact.act}{_because(fact.why)}"
        case f.ReleaseFinished():
            return f"release {fact.release}: {fact.outcome}{_because(fact.why)}"
        case _:
            return ""


def _because(why: str) -> str:
    return f": {why}" if why else ""
