"""Releases as the log tells them now: the one under way with its verdict and who drives it, and those that ended.

Reads; records nothing and asks no target. `core/rollout_view` folds, `core/rollout` gives the verdict that a driver
would have. `flows/endpoints` says what is out there.
"""

from msgspec import Struct

from headway.core import facts as f
from headway.core.problem import did_you_mean
from headway.core.rollout import Rollout
from headway.core.rollout_course import Course, Tracker
from headway.core.rollout_judge import Verdict
from headway.core.rollout_view import Releases, ReleaseView
from headway.core.strategy import Strategy
from headway.errors import NameUnknown, UsageMistaken
from headway.flows.rollout import names, read, stream
from headway.ports import Leases, Log


class Looked(Struct, frozen=True, kw_only=True):
    """An endpoint's newest release, or the one that was asked for, as it stands `at` a time.

    `strategy` and `verdict` are None where it took over at once; of a release that ended the verdict is that of its
    end. `driver` is who drives it now, None where nobody does.
    """

    endpoint: str
    at: float
    release: ReleaseView
    strategy: Strategy | None = None
    verdict: Verdict | None = None
    driver: str | None = None


def only_open(log: Log) -> str:
    """The endpoint where a release is under way. Raises NameUnknown where there is none, UsageMistaken if several."""
    found = [name for name in names(log) if read(log, name).open is not None]
    if len(found) > 1:
        raise UsageMistaken(
            f"{len(found)} releases are under way", at="ENDPOINT", remedy=f"name one of {', '.join(found)}"
        )
    if not found:
        remedy = "`headway rollout status` shows how the newest ones ended; `headway deploy` begins one"
        raise NameUnknown("no release is under way", at="ENDPOINT", remedy=remedy)
    return found[0]


class Looker:
    """Looks at an endpoint's newest release, or that of a number, again and again: only what is new is read."""

    __slots__ = ("_ended", "_endpoint", "_leases", "_log", "_n", "_release", "_releases", "_rollout")

    def __init__(self, log: Log, leases: Leases, endpoint: str, *, release: int | None = None) -> None:
        self._log = log
        self._leases = leases
        self._endpoint = endpoint
        self._release = release
        self._rollout = Rollout(endpoint)
        self._releases = Releases()
        self._n = 0
        # Of one that ended the verdict of its end: the machine forgets it then.
        self._ended: tuple[ReleaseView, Verdict | None, Strategy | None] | None = None

    def look(self, now: float) -> Looked:
        """The release as it stands. Raises NameUnknown."""
        for entry in self._log.read(stream(self._endpoint), after=self._n):
            self._n += 1
            self._after(entry.fact, entry.at)
        view, verdict, strategy = self._wanted(now)
        driver = None if view.outcome else self._leases.holder(stream(self._endpoint), now=now)
        return Looked(endpoint=self._endpoint, at=now, release=view, strategy=strategy, verdict=verdict, driver=driver)

    def _after(self, fact: f.Fact, at: float) -> None:
        opened = self._rollout.open
        ends = isinstance(fact, f.ReleaseFinished) and opened is not None and self._is_wanted(opened.release)
        verdict = self._rollout.verdict(at) if ends else None
        self._rollout.after(fact, at)
        self._releases.after(fact, at)
        if ends and opened is not None:
            self._ended = self._releases.all[-1], verdict, opened.strategy

    def _is_wanted(self, release: int) -> bool:
        return self._release in (None, release)

    def _wanted(self, now: float) -> tuple[ReleaseView, Verdict | None, Strategy | None]:
        opened, begun = self._releases.open, self._rollout.open
        if opened is not None and begun is not None and self._is_wanted(opened.release):
            return opened, self._rollout.verdict(now), begun.strategy
        if self._ended is None:
            raise _unknown(self._log, self._endpoint, self._releases, self._release)
        return self._ended


def look(log: Log, leases: Leases, endpoint: str, *, now: float, release: int | None = None) -> Looked:
    """The newest release there, or that of a number. Raises NameUnknown."""
    return Looker(log, leases, endpoint, release=release).look(now)


def course(log: Log, endpoint: str, *, release: int, now: float) -> Course:
    """How the evidence of a release went, look by look. Costs a verdict for each look.

    Raises NameUnknown where it took over at once: nothing was looked at then.
    """
    rollout = Rollout(endpoint)
    tracker: Tracker | None = None
    ended_at = now
    for entry in log.read(stream(endpoint)):
        fact, opened = entry.fact, rollout.open
        is_its = opened is not None and opened.release == release
        if is_its and isinstance(fact, f.ReleaseFinished):
            ended_at = entry.at
        rollout.after(fact, entry.at)
        if isinstance(fact, f.ReleaseStarted) and fact.release == release and fact.strategy is not None:
            tracker = Tracker(fact.strategy)
        if tracker is None or not is_its or rollout.stages is None:
            continue
        if isinstance(fact, f.StageBegan | f.EndpointSwitched) and rollout.stages.now is not None:
            tracker.began(rollout.stages.now.text, entry.at)
        elif isinstance(fact, f.StageLooked):
            verdict = rollout.verdict(entry.at)
            if verdict is not None:
                tracker.looked(verdict, entry.at)
    if tracker is None:
        raise NameUnknown(
            f"release {release} of {endpoint} had no stages to be drawn",
            at="--svg",
            remedy=f"choose one of `headway rollout status {endpoint} --all` that had a strategy",
        )
    return tracker.course(ended_at)


def history(log: Log, endpoint: str) -> tuple[ReleaseView, ...]:
    """All releases of an endpoint, the newest first. Raises NameUnknown."""
    releases = Releases()
    for entry in log.read(stream(endpoint)):
        releases.after(entry.fact, entry.at)
    if not releases.all:
        raise _unknown(log, endpoint, releases, None)
    return tuple(reversed(releases.all))


def _unknown(log: Log, endpoint: str, releases: Releases, release: int | None) -> NameUnknown:
    if releases.all:
        problem = f"{endpoint} had no release {release}"
        return NameUnknown(problem, at="--release", remedy=f"give a number from 1 to {releases.all[-1].release}")
    known = names(log)
    otherwise = f"use one of: {', '.join(known)}" if known else "a `deploy` step or `headway deploy` makes one"
    return NameUnknown(
        f"there is no endpoint {endpoint!r}", at="ENDPOINT", remedy=did_you_mean(endpoint, known, otherwise)
    )
