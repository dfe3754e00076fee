"""What everybody works with who acts on an endpoint: ports, its stream and lease, a version brought up or taken back.

Neighbours: `rollout` carries out what a release's machine wants, `rollout_stages` what it wants in its stages; what a
person can ask for is in `release`.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from msgspec import Struct

from headway.core import facts as f
from headway.core.ids import ModelRef
from headway.core.signing import Trust
from headway.errors import NameUnknown, ReleaseTrouble, TargetUnavailable
from headway.flows import models_trust, registry, store, vetting
from headway.flows.quicker import as_served
from headway.ports import Blobs, Leases, Log, Serving, Target

CHAMPION = "champion"
"""The alias that means the version that serves."""

START_S = 120.0
"""How long a version may take to load: a framework's import on a busy machine takes 20 s, a large model as long."""

ASK_S = 30.0
"""How long one golden request may take."""

LEASE_S = 600.0
"""Longer than any single act; renewed before each."""


class Delivery(Struct, frozen=True, kw_only=True):
    """What a release works with. `models` is the folder for files of versions that are served; `by` who asks.

    `may_override` are those who may release what no gate let pass (see `vetting`); None: whoever asks. `sleep` lets
    time go by, in seconds. `environ` is what commands of the user's inherit.
    """

    log: Log
    blobs: Blobs
    leases: Leases
    target: Callable[[str], Target]
    models: str
    now: Callable[[], float]
    by: str
    trust: Trust = Trust()
    may_override: tuple[str, ...] | None = None
    sleep: Callable[[float], None] = time.sleep
    environ: Mapping[str, str] = {}

    @property
    def home(self) -> str:
        """The folder that holds what this installation keeps beside its log and store: `.headway`."""
        return os.path.dirname(self.models)


def stream(endpoint: str) -> str:
    """The log's stream of an endpoint."""
    return f"endpoint/{endpoint}"


def renew(world: Delivery, endpoint: str) -> None:
    """Take or keep the endpoint's lease. Raises LeaseHeld."""
    world.leases.acquire(stream(endpoint), holder=holder(world), ttl_s=LEASE_S, now=world.now())


def wanted(endpoint: str) -> str:
    """The lease that says that somebody waits for the endpoint's own."""
    return f"{stream(endpoint)}/wanted"


def is_wanted(world: Delivery, endpoint: str) -> bool:
    """Whether somebody waits for this endpoint, whom who merely watches it lets go first."""
    return world.leases.holder(wanted(endpoint), now=world.now()) is not None


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


def up(world: Delivery, release: f.ReleaseStarted) -> str:
    """Make sure that a release's version runs, logged and limited as it says; returns its own address.

    Raises ReleaseTrouble, NameUnknown, and what its files and signature can be at fault of.
    """
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
    return world.target(release.target).start(serving, port=release.port, timeout_s=START_S)


def answered(world: Delivery, release: f.ReleaseStarted) -> f.GoldenAnswered:
    """What a release's version says to what it must answer, past the traffic; it is started where it does not run.

    Raises as `up`, and BlobMissing.
    """
    questions = vetting.questions(world, release)
    if not questions.is_empty:
        up(world, release)
    target = world.target(release.target)
    return vetting.put(questions, partial(target.ask, release.endpoint, release.version, timeout_s=ASK_S))


def back_to(world: Delivery, release: f.ReleaseStarted, old: f.ReleaseStarted | None) -> None:
    """All traffic to what served before `release`, whose version is ended; where nothing did, the endpoint is.

    What served before is started where it is gone. When it is the same version, which was to be logged or limited
    otherwise, that is as it was again. Raises as `up`: then the new version still runs, so that it is not none.
    """
    target = world.target(release.target)
    if old is None:
        target.stop(release.endpoint, None)
        return
    if old.version == release.version:
        if (old.recording, old.limits) != (release.recording, release.limits):
            up(world, old)
        return
    with suppress(ReleaseTrouble):
        # At once, where it is there; what follows is for where it is not.
        target.route(release.endpoint, None)
    state = target.state(release.endpoint)
    if state is None or state.serving != old.version or not state.healthy:
        up(world, old)
        target.switch(release.endpoint, old.version)
    target.stop(release.endpoint, release.version)


def down(world: Delivery, release: f.ReleaseStarted, old: f.ReleaseStarted | None) -> None:
    """As `back_to`, for a version that was to get no traffic yet: what cannot be done now is left.

    The next release there looks again. Raises ReleaseTrouble where it serves all the same: somebody must.
    """
    try:
        back_to(world, release, old)
    except ReleaseTrouble:
        target = world.target(release.target)
        with suppress(TargetUnavailable):
            state = target.state(release.endpoint)
            if state is not None and state.serving == release.version:
                raise
            if old is not None and old.version != release.version:
                target.stop(release.endpoint, release.version)
