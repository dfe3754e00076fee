"""Carry out what a release's machine wants: on the target, on the store and on the registry.

`core/rollout` decides, this acts; each act may be done twice. What a person can ask for is in `release`.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct

from headway.codec.golden import read_golden
from headway.core import facts as f
from headway.core import rollout as r
from headway.core.facts import Fact
from headway.core.golden import GoldenReply, GoldenRequest, judge
from headway.core.ids import Digest, ModelRef
from headway.core.signing import Trust
from headway.errors import FileMissing, HeadwayError, NameUnknown, ReleaseTrouble
from headway.flows import models_trust, registry, store
from headway.flows.quicker import as_served
from headway.flows.settle import fold, settle
from headway.ports import Answer, Blobs, Leases, Log, Serving, Target

CHAMPION = "champion"
"""The alias that means the version that serves."""

START_S = 120.0
"""How long a version may take to load: a framework's import on a busy machine takes 20 s, a large model as long."""

ASK_S = 30.0
"""How long one golden request may take."""

LEASE_S = 600.0
"""Longer than any single act above; renewed before each."""

MAX_WRONG = 5
"""Wrong answers that are told one by one."""


class Delivery(Struct, frozen=True, kw_only=True):
    """What a release works with. `models` is the folder for files of versions that are served; `by` who asks."""

    log: Log
    blobs: Blobs
    leases: Leases
    target: Callable[[str], Target]
    models: str
    now: Callable[[], float]
    by: str
    trust: Trust = Trust()


def drive(world: Delivery, rollout: r.Rollout) -> HeadwayError | None:
    """Let the machine come to its end; returns what the last failed release failed of, if one did.

    The caller holds the endpoint's lease. Raises AppendConflict when somebody acts there without it.
    """
    acts = _Acts(world, rollout)
    settle(rollout, log=world.log, stream=stream(rollout.endpoint), act=acts.act, now=world.now)
    return acts.trouble


def asked_again(world: Delivery, rollout: r.Rollout, release: f.ReleaseStarted) -> f.GoldenAnswered:
    """What the version answers to the release's golden requests now; nothing is recorded."""
    return _Acts(world, rollout).golden(release)


def read(log: Log, endpoint: str) -> r.Rollout:
    """The releases of an endpoint as the log tells them."""
    rollout = r.Rollout(endpoint)
    fold(rollout, log=log, stream=stream(endpoint))
    return rollout


def stream(endpoint: str) -> str:
    """The log's stream of an endpoint."""
    return f"endpoint/{endpoint}"


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


def renew(world: Delivery, endpoint: str) -> None:
    """Take or keep the endpoint's lease. Raises LeaseHeld."""
    world.leases.acquire(stream(endpoint), holder=holder(world), ttl_s=LEASE_S, now=world.now())


def holder(world: Delivery) -> str:
    """Who holds the lease, as others are told."""
    return f"{world.by} (process {os.getpid()})"


def laid_out(blobs: Blobs, models: str, version: f.ModelRegistered) -> str:
    """The version's file or folder, laid out where it stays as long as it may serve; named by its content."""
    folder = os.path.join(models, version.artifact.digest[:32])
    path = os.path.join(folder, os.path.basename(version.artifact.path))
    if not os.path.exists(path):
        made = f"{folder}.{os.getpid()}"
        os.makedirs(made, exist_ok=True)
        store.materialize(blobs, version.artifact, os.path.join(made, os.path.basename(path)))
        # Somebody else may have been faster: theirs is as good.
        with suppress(OSError):
            os.rename(made, folder)
    return path


class _Acts:
    """Carries out what the machine wants. `trouble` is what the last failed release failed of."""

    __slots__ = ("_rollout", "_world", "trouble")

    def __init__(self, world: Delivery, rollout: r.Rollout) -> None:
        self._world = world
        self._rollout = rollout
        self.trouble: HeadwayError | None = None

    def act(self, action: r.Action) -> Iterator[Sequence[Fact]]:
        """Do it, and give what happened."""
        match action:
            case r.Claim(number, order):
                self.trouble = None
                yield [_claim(number, order)]
            case r.StartVersion(release):
                yield [self._tried(release, self._started)]
            case r.AskGolden(release):
                yield [self._tried(release, self.golden)]
            case r.Switch(release):
                yield [self._tried(release, self._switched)]
            case r.Finish(release, keep):
                yield [self._finished(release, keep)]
            case r.Abort(release, why):
                self._down(release)
                yield [f.ReleaseFinished(release=release.release, outcome="aborted", why=why)]
            case r.Supersede(release):
                yield [self._superseded(release)]

    def golden(self, release: f.ReleaseStarted) -> f.GoldenAnswered:
        """Ask the version what its release's golden requests ask, and judge. Raises ReleaseTrouble, BlobMissing."""
        if release.golden is None:
            return f.GoldenAnswered(release=release.release, n_requests=0)
        self._up(release)
        requests = read_golden(self._world.blobs.get(release.golden), file="golden requests")
        bodies = [msgspec.json.encode({"inputs": asked.inputs}) for asked in requests]
        answers = self._target(release).ask(release.endpoint, release.version, bodies, timeout_s=ASK_S)
        faults = [
            f"request {n}: {fault}"
            for n, (asked, answer) in enumerate(zip(requests, answers, strict=True), start=1)
            if (fault := _judged(asked, answer))
        ]
        return f.GoldenAnswered(
            release=release.release,
            n_requests=len(requests),
            n_wrong=len(faults),
            wrong=tuple(faults[:MAX_WRONG]),
            slowest_ms=round(max(a.ms for a in answers), 3),
        )

    def _tried(self, release: f.ReleaseStarted, work: Callable[[f.ReleaseStarted], Fact]) -> Fact:
        """What the work gives, or the end of the release when it fails: what served before is untouched then."""
        renew(self._world, release.endpoint)
        try:
            return work(release)
        except HeadwayError as e:
            self.trouble = e
            self._down(release)
            return f.ReleaseFinished(release=release.release, outcome="failed", why=e.problem)

    def _started(self, release: f.ReleaseStarted) -> Fact:
        return f.VersionStarted(release=release.release, address=self._up(release))

    def _switched(self, release: f.ReleaseStarted) -> Fact:
        # Between the golden requests and now the process may have gone; starting what runs is harmless.
        self._up(release)
        url = self._target(release).switch(release.endpoint, release.version)
        return f.EndpointSwitched(release=release.release, url=url)

    def _finished(self, release: f.ReleaseStarted, keep: tuple[int, ...]) -> Fact:
        world = self._world
        why = release.why or f"release {release.release} on {release.endpoint}"
        registry.move_alias(
            world.log, release.model, CHAMPION, release.version, now=world.now(), why=why, by=release.by or world.by
        )
        target = self._target(release)
        state = target.state(release.endpoint)
        for version in state.versions if state is not None else ():
            if version not in keep:
                target.stop(release.endpoint, version)
        return f.ReleaseFinished(release=release.release, outcome="released")

    def _superseded(self, release: f.ReleaseStarted) -> Fact:
        state = self._target(release).state(release.endpoint)
        if state is not None and state.serving == release.version:
            return f.EndpointSwitched(release=release.release, url=state.url)
        self._down(release)
        why = "whoever drove it was gone before it took over"
        return f.ReleaseFinished(release=release.release, outcome="aborted", why=why)

    def _target(self, release: f.ReleaseStarted) -> Target:
        return self._world.target(release.target)

    def _up(self, release: f.ReleaseStarted) -> str:
        """Make sure that the version runs; returns its own address."""
        world = self._world
        version = registry.resolve(world.log, ModelRef(name=release.model, version=release.version))
        if version is None:
            raise NameUnknown(
                f"there is no {release.model}@{release.version}",
                at=f"endpoint: {release.endpoint}",
                remedy="`headway models` lists the versions",
            )
        models_trust.see(world.log, world.blobs, version, world.trust)
        serving = Serving(
            endpoint=release.endpoint,
            model=release.model,
            version=release.version,
            path=laid_out(world.blobs, world.models, version),
            format=version.format,
            digest=version.artifact.digest,
            recording=release.recording,
            limits=release.limits,
        )
        serving = as_served(serving, world.log, world.blobs, world.models, version, world.trust)
        return self._target(release).start(serving, port=release.port, timeout_s=START_S)

    def _down(self, release: f.ReleaseStarted) -> None:
        """End a version that did not take over; where nothing served before, the endpoint too. Never what serves.

        When it is the version that serves, which was to be logged or limited otherwise, that is as it was again.
        """
        target = self._target(release)
        serving = self._rollout.serving
        # A target that cannot be reached has nothing that could be ended now; the next release there looks again.
        with suppress(ReleaseTrouble):
            if serving is None:
                target.stop(release.endpoint, None)
            elif serving.version != release.version:
                target.stop(release.endpoint, release.version)
            elif (serving.recording, serving.limits) != (release.recording, release.limits):
                self._up(serving)


def _claim(number: int, order: r.Order) -> f.ReleaseStarted:
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
    )


def _judged(asked: GoldenRequest, answer: Answer) -> str | None:
    if answer.status != 200:
        return f"was refused with status {answer.status}: {answer.body[:200].decode('utf-8', 'replace')}"
    try:
        return judge(asked, msgspec.json.decode(answer.body, type=GoldenReply))
    except msgspec.DecodeError as e:
        return f"its answer is not understood: {e}"
