"""Put a version on an endpoint, drive or direct its release, go back to the version before, take an endpoint down.

A release that was left in the middle is gone on with by `watch`, or brought to an end by whoever acts on the endpoint
next. The work itself is in `rollout`.
"""

from contextlib import suppress

import msgspec

from headway.core import facts as f
from headway.core import rollout as r
from headway.core.limits import Limits
from headway.core.recording import Recording
from headway.core.rollout_order import Outcome
from headway.core.rollout_stages import Stages
from headway.core.vetting import compared, refusal
from headway.errors import (
    AppendConflict,
    Conflict,
    GoldenRefused,
    HeadwayError,
    LeaseHeld,
    NameUnknown,
    ReleaseTrouble,
    TargetUnavailable,
    UsageMistaken,
    VersionNotReady,
)
from headway.flows import vetting
from headway.flows.alone import alone
from headway.flows.rollout import (
    Delivery,
    Report,
    answered,
    drive,
    kept_golden,
    read,
    silent,
    stream,
)
from headway.flows.settle import fold

LOOK_ON_S = 1.0
"""How often one that looks on looks whether it is to take over."""

HEARD_S = 60.0
"""How long a driver may take to do what it was told: a version is drained and ended in less."""


def release(world: Delivery, order: r.Order, *, golden_file: str = "", report: Report = silent) -> r.Released:
    """Put a version on an endpoint, or find that it is there. `golden_file` gives the order's golden requests.

    With a strategy this takes as long as its stages do, up to the promotion, and may end `held` or `baking`. Asked
    again under the same key it goes on where it was. Raises VersionUnproven (no gate let it pass; nothing was started:
    see `vetting`), GoldenRefused, VersionNotReady, TargetUnavailable and ReleaseTrouble (what served before still
    serves), LeaseHeld (somebody else releases there now), NameUnknown (no such version), FileMissing and FileFaulty
    (the golden requests).
    """
    # Before the claim: a release on a target that is not there could not even be ended.
    world.target(order.target)
    if golden_file:
        order = msgspec.structs.replace(order, golden=kept_golden(world, golden_file))
    with alone(world, order.endpoint, key=order.key):
        rollout = read(world.log, order.endpoint)
        done = rollout.succeeded(order.key)
        if done is not None and done != rollout.open:
            return _told(rollout, done, why="it was released under this key before")
        _fits(rollout, order)
        if (confirmed := _confirmed(world, rollout, order)) is not None:
            return confirmed
        vetting.admit(world, order, serving=rollout.serving)
        return _carried_out(world, order, report)


def watch(world: Delivery, endpoint: str, report: Report = silent) -> r.Released:
    """Go on with the release that is under way there to its very end, its bake and what it is held for among it.

    While somebody else drives it this only looks on, and takes over when they are gone. Raises NameUnknown (nothing is
    under way), and as `release`.
    """
    following: f.ReleaseStarted | None = None
    # Looked at each second for as long as others drive it: only what is new is read.
    seen, n_seen = r.Rollout(endpoint), 0
    while True:
        try:
            with alone(world, endpoint):
                n_seen = fold(seen, log=world.log, stream=stream(endpoint), after=n_seen)
                following = following or seen.open
                if following is None:
                    raise _nothing_open(seen)
                if seen.open != following:
                    return _came_of(seen, following, None)
                rollout = r.Rollout(endpoint, until="ended")
                trouble = drive(world, rollout, report)
                if not rollout.is_leaving or rollout.open != following:
                    return _came_of(rollout, following, trouble)
            # Who waits for the lease has it within this time, or is gone.
            world.sleep(LOOK_ON_S)
        except LeaseHeld as e:
            n_seen = fold(seen, log=world.log, stream=stream(endpoint), after=n_seen)
            if following is not None and seen.open != following:
                return _came_of(seen, following, None)
            report("" if following else f"{e.holder} drives it; this only looks on", seen)
            following = following or seen.open
            world.sleep(LOOK_ON_S)


def direct(world: Delivery, endpoint: str, act: f.Act, *, why: str = "") -> r.Rollout:
    """Say what is to become of the release that is under way there; returns how it stands when that is done.

    `promote` goes on to the next stage, which for an approval only its own person may say; `abort` leaves or puts back
    what served before; `pause` stops the stages and not the guards; `resume` lets them go on. Who drives it hears it
    within a second; where nobody does, this does it. Raises NameUnknown (nothing is under way), UsageMistaken (that
    cannot be said now), and as `release`.
    """
    number = say(world, endpoint, act, why=why)
    until = world.now() + HEARD_S
    while True:
        try:
            with alone(world, endpoint):
                rollout = r.Rollout(endpoint, until="waiting")
                trouble = drive(world, rollout)
                if trouble is not None:
                    raise trouble
                return rollout
        except LeaseHeld:
            rollout = read(world.log, endpoint)
            is_done = rollout.open is None or rollout.open.release != number
            if is_done or act in ("pause", "resume") or world.now() > until:
                return rollout
            stages = rollout.stages
            if act == "promote" and stages is not None and not stages.is_told_on:
                return rollout
            world.sleep(0.2)


def say(world: Delivery, endpoint: str, act: f.Act, *, why: str = "", release: int = 0) -> int:
    """Write down what somebody says, and no more: whoever drives the release does it. Returns the release's number.

    `release` is the one that is meant, if another may have begun meanwhile. Raises NameUnknown, UsageMistaken,
    Conflict when it is another one.
    """
    while True:
        entries = world.log.read(stream(endpoint))
        rollout = r.Rollout(endpoint)
        for entry in entries:
            rollout.after(entry.fact, entry.at)
        stages = rollout.stages
        if stages is None:
            raise _nothing_open(rollout)
        if release not in (0, stages.release.release):
            raise Conflict(
                f"release {release} on {endpoint} is over: release {stages.release.release} is under way",
                at=f"endpoint: {endpoint}",
                remedy="look at that one, and decide anew",
            )
        refusal = stages.refusal(act, world.by)
        if refusal is not None:
            raise UsageMistaken(
                f"release {stages.release.release} on {endpoint}: {refusal.problem}",
                at=f"endpoint: {endpoint}",
                remedy=refusal.remedy,
            )
        said = f.ReleaseDirected(release=stages.release.release, act=act, by=world.by, why=why)
        # Somebody may write at the same time: a driver what it saw, another person what they want.
        with suppress(AppendConflict):
            world.log.append(stream(endpoint), [said], expect=len(entries), at=world.now())
            world.log.sync()
            return said.release


def _nothing_open(rollout: r.Rollout) -> NameUnknown:
    return NameUnknown(
        f"no release is under way on {rollout.endpoint}",
        at=f"endpoint: {rollout.endpoint}",
        remedy="`headway endpoints` shows what serves where; `headway deploy` begins a release",
    )


def rollback(world: Delivery, endpoint: str, *, to: int | None = None, why: str = "") -> r.Released:
    """Go back to the version that served before, or to `to`; checked by the golden requests of its own release.

    A release that is in its stages or bakes is aborted instead, which is quicker: what served before is still warm, and
    answers at once. Raises as `release`; NameUnknown when there is nothing to go back to.
    """
    before = read(world.log, endpoint)
    if to is None and before.stages is not None and before.stages.is_staged and before.serving is not None:
        after = direct(world, endpoint, "abort", why=why or "headway rollback")
        serves = after.serving
        if serves is not None and after.open is None:
            return _told(after, serves, why=f"release {before.n_releases} was taken back")
    with alone(world, endpoint, key=""):
        rollout = _settled(world, endpoint)
        order = back(rollout, to=to, why=why, by=world.by)
        return _confirmed(world, rollout, order) or _carried_out(world, order, silent)


def back(rollout: r.Rollout, *, to: int | None, why: str, by: str) -> r.Order:
    """The order that brings back the version that served before, or `to`. Raises NameUnknown when there is none."""
    goal = rollout.previous if to is None else rollout.last(to)
    if goal is None:
        raise _nowhere(rollout)
    return r.Order(
        endpoint=rollout.endpoint,
        model=goal.model,
        version=goal.version,
        key=f"rollback/{rollout.endpoint}/{rollout.n_releases + 1}",
        target=goal.target,
        golden=goal.golden,
        cause="rollback",
        why=why,
        by=by,
        recording=goal.recording,
        limits=goal.limits,
        override=goal.override,
        within_ms=goal.within_ms,
    )


def _nowhere(rollout: r.Rollout) -> NameUnknown:
    """There is nothing to go back to, for one of three reasons."""
    endpoint = rollout.endpoint
    if rollout.serving is not None:
        problem = f"no version served on {endpoint} before the one that serves now"
        remedy = "name one with --to; `headway endpoints` shows what is there"
    elif rollout.was_up:
        problem = f"nothing serves on {endpoint}: it was taken down"
        remedy = "put up a version that served there with --to VERSION, or any with `headway deploy`"
    else:
        problem = f"nothing ever served on {endpoint}"
        remedy = f"put a version there: headway deploy MODEL@VERSION --endpoint {endpoint}"
    return NameUnknown(problem, at=f"endpoint: {endpoint}", remedy=remedy)


def settings(world: Delivery, endpoint: str) -> tuple[Recording, Limits]:
    """How the newest release there logs and limits: one by hand that says nothing of it goes on with that."""
    latest = read(world.log, endpoint).latest
    return (Recording(), Limits()) if latest is None else (latest.recording, latest.limits)


def stop(world: Delivery, endpoint: str, *, why: str = "") -> None:
    """Take an endpoint down; its port is remembered. Doing it twice is harmless. Raises NameUnknown, LeaseHeld."""
    with alone(world, endpoint, key=""):
        rollout = _settled(world, endpoint)
        release = rollout.serving
        if release is not None:
            world.target(release.target).stop(endpoint, None)
            n = len(world.log.read(stream(endpoint)))
            world.log.append(stream(endpoint), [f.EndpointStopped(by=world.by, why=why)], expect=n, at=world.now())
            world.log.sync()


def _fits(rollout: r.Rollout, order: r.Order) -> None:
    """An endpoint is one model in one place: clients know both."""
    serving = rollout.serving
    if serving is not None and (serving.model, serving.target) != (order.model, order.target):
        raise TargetUnavailable(
            f"the endpoint {order.endpoint} serves the model {serving.model} on {serving.target}, "
            f"not {order.model} on {order.target}",
            at=f"endpoint: {order.endpoint}",
            remedy=f"use another endpoint, or take this one down: headway endpoints --stop {order.endpoint}",
        )


def _confirmed(world: Delivery, rollout: r.Rollout, order: r.Order) -> r.Released | None:
    """Nothing to do when the version serves as ordered and is well: only its golden requests are asked again."""
    serving = rollout.serving
    if serving is None or serving.version != order.version or (rollout.open is not None and not rollout.is_baking):
        return None
    if (serving.recording, serving.limits) != (order.recording, order.limits):
        return None
    state = world.target(order.target).state(order.endpoint)
    if state is None or state.serving != order.version or not state.healthy:
        return None
    told = answered(world, msgspec.structs.replace(serving, golden=order.golden))
    if not told.is_right:
        raise GoldenRefused(
            f"{order.model}@{order.version} serves already, and {refusal(told)[0]}",
            at=f"endpoint: {order.endpoint}",
            remedy=f"go back with `headway rollback {order.endpoint}`, or mend the golden requests",
        )
    return _told(rollout, serving, outcome="already", golden=told)


def _settled(world: Delivery, endpoint: str) -> r.Rollout:
    """The endpoint's releases after one that was left in the middle was brought to an end."""
    rollout = r.Rollout(endpoint)
    drive(world, rollout)
    if not rollout.n_releases:
        raise NameUnknown(
            f"there is no endpoint {endpoint!r}",
            at="endpoint",
            remedy="`headway endpoints` lists them; a `deploy` step makes one",
        )
    return rollout


def _carried_out(world: Delivery, order: r.Order, report: Report) -> r.Released:
    rollout = r.Rollout(order.endpoint, order)
    trouble = drive(world, rollout, report)
    return _came_of(rollout, rollout.asked, trouble)


def _came_of(rollout: r.Rollout, asked: f.ReleaseStarted | None, trouble: HeadwayError | None) -> r.Released:
    """What became of a release, as far as it has come. Raises what it failed of, or ReleaseTrouble."""
    stages, ended, serving = rollout.stages, rollout.ended, rollout.serving
    if stages is not None and stages.release == asked:
        return _on_its_way(rollout, stages)
    if ended is not None and ended.outcome == "released" and serving is not None:
        return _told(rollout, serving, golden=rollout.golden, note=rollout.note)
    if trouble is not None:
        raise trouble
    name = "it" if asked is None else f"{asked.model}@{asked.version}"
    why = ended.why if ended is not None else "it did not end"
    at = f"endpoint: {rollout.endpoint}, release {rollout.n_releases}"
    if rollout.golden is not None and not rollout.golden.is_right:
        problem, remedy = refusal(rollout.golden)
        raise GoldenRefused(f"{name} does not take over: {problem}", at=at, remedy=f"{_still(serving)}; {remedy}")
    if ended is not None and ended.outcome == "rolled-back":
        raise ReleaseTrouble(
            f"{name} was rolled back: {why}",
            at=at,
            remedy=f"{_still(serving)}; `headway rollout status {rollout.endpoint}` shows what was seen",
        )
    raise VersionNotReady(f"{name} does not take over: {why}", at=at, remedy=_still(serving))


def _on_its_way(rollout: r.Rollout, stages: Stages) -> r.Released:
    """A release that this driver leaves as it is: it bakes, or waits for a person."""
    endpoint, release = rollout.endpoint, stages.release
    if stages.held is not None:
        serving = rollout.serving
        return r.Released(
            endpoint=endpoint,
            release=release.release,
            model=release.model,
            version=release.version,
            url=rollout.url,
            outcome="held",
            previous=None if serving is None or serving == release else serving.version,
            why=stages.held.why,
        )
    bake = "" if stages.now is None else stages.now.text
    return _told(
        rollout, release, outcome="baking", golden=rollout.golden,
        note=f"{bake}: `headway rollout watch {endpoint}` goes on with it",
    )  # fmt: skip


def _still(serving: f.ReleaseStarted | None) -> str:
    return "nothing serves there yet" if serving is None else f"{serving.model}@{serving.version} still serves"


def _told(
    rollout: r.Rollout,
    done: f.ReleaseStarted,
    *,
    outcome: Outcome = "released",
    why: str = "",
    golden: f.GoldenAnswered | None = None,
    note: str = "",
) -> r.Released:
    previous = rollout.previous
    return r.Released(
        endpoint=done.endpoint,
        release=done.release,
        model=done.model,
        version=done.version,
        url=rollout.url,
        outcome=outcome,
        previous=None if previous is None else previous.version,
        n_golden=golden.n_requests if golden else 0,
        slowest_ms=golden.slowest_ms if golden else 0.0,
        n_compared=golden.n_compared if golden else 0,
        compared=compared(golden) if golden else "",
        override=done.override,
        why=why,
        note=note,
    )
