"""Put a version on an endpoint, go back to the one before, take an endpoint down.

A release that was left in the middle is brought to an end by whoever acts on the endpoint next. The work itself is in
`rollout`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import msgspec

from headway.core import facts as f
from headway.core import rollout as r
from headway.core.limits import Limits
from headway.core.recording import Recording
from headway.errors import GoldenRefused, NameUnknown, TargetUnavailable, VersionNotReady
from headway.flows.rollout import Delivery, asked_again, drive, holder, kept_golden, read, renew, stream


def release(world: Delivery, order: r.Order, *, golden_file: str = "") -> r.Released:
    """Put a version on an endpoint, or find that it is there. `golden_file` gives the order's golden requests.

    Raises GoldenRefused, VersionNotReady, TargetUnavailable (what served before still serves), LeaseHeld (somebody
    else releases there now), NameUnknown (no such version), FileMissing and FileFaulty (the golden requests).
    """
    # Before the claim: a release on a target that is not there could not even be ended.
    world.target(order.target)
    if golden_file:
        order = msgspec.structs.replace(order, golden=kept_golden(world, golden_file))
    with _alone(world, order.endpoint):
        rollout = read(world.log, order.endpoint)
        done = rollout.succeeded(order.key)
        if done is not None and done != rollout.open:
            return _told(rollout, done, why="it was released under this key before")
        _fits(rollout, order)
        if (confirmed := _confirmed(world, rollout, order)) is not None:
            return confirmed
        return _carried_out(world, order)


def rollback(world: Delivery, endpoint: str, *, to: int | None = None, why: str = "") -> r.Released:
    """Go back to the version that served before, or to `to`; checked by the golden requests of its own release.

    Raises as `release`; NameUnknown when there is nothing to go back to.
    """
    with _alone(world, endpoint):
        rollout = _settled(world, endpoint)
        goal = rollout.previous if to is None else rollout.last(to)
        if goal is None:
            raise _nowhere(rollout)
        order = r.Order(
            endpoint=endpoint,
            model=goal.model,
            version=goal.version,
            key=f"rollback/{endpoint}/{rollout.n_releases + 1}",
            target=goal.target,
            golden=goal.golden,
            cause="rollback",
            why=why,
            by=world.by,
            recording=goal.recording,
            limits=goal.limits,
        )
        return _confirmed(world, rollout, order) or _carried_out(world, order)


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
    with _alone(world, endpoint):
        rollout = _settled(world, endpoint)
        release = rollout.serving
        if release is not None:
            world.target(release.target).stop(endpoint, None)
            n = len(world.log.read(stream(endpoint)))
            world.log.append(stream(endpoint), [f.EndpointStopped(by=world.by, why=why)], expect=n, at=world.now())
            world.log.sync()


@contextmanager
def _alone(world: Delivery, endpoint: str) -> Iterator[None]:
    """Hold the endpoint's lease: two drivers of one release would each undo what the other did."""
    renew(world, endpoint)
    try:
        yield
    finally:
        world.leases.release(stream(endpoint), holder=holder(world))


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
    if serving is None or serving.version != order.version or rollout.open is not None:
        return None
    if (serving.recording, serving.limits) != (order.recording, order.limits):
        return None
    state = world.target(order.target).state(order.endpoint)
    if state is None or state.serving != order.version or not state.healthy:
        return None
    answered = asked_again(world, rollout, msgspec.structs.replace(serving, golden=order.golden))
    if answered.n_wrong:
        raise GoldenRefused(
            f"{order.model}@{order.version} serves already, and {_wrong(answered)}",
            at=f"endpoint: {order.endpoint}",
            remedy=f"go back with `headway rollback {order.endpoint}`, or mend the golden requests",
        )
    return _told(rollout, serving, outcome="already", golden=answered)


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


def _carried_out(world: Delivery, order: r.Order) -> r.Released:
    rollout = r.Rollout(order.endpoint, order)
    trouble = drive(world, rollout)
    ended, done = rollout.ended, rollout.serving
    if ended is not None and ended.outcome == "released" and done is not None:
        return _told(rollout, done, golden=rollout.golden)
    if trouble is not None:
        raise trouble
    why = ended.why if ended is not None else "it did not end"
    if rollout.golden is not None and rollout.golden.n_wrong:
        raise GoldenRefused(
            f"{order.model}@{order.version} does not take over: {_wrong(rollout.golden)}",
            at=f"endpoint: {order.endpoint}, release {rollout.n_releases}",
            remedy=_still(done) + "; mend the model, or the golden requests if they are wrong",
        )
    raise VersionNotReady(
        f"{order.model}@{order.version} does not take over: {why}",
        at=f"endpoint: {order.endpoint}, release {rollout.n_releases}",
        remedy=_still(done),
    )


def _wrong(answered: f.GoldenAnswered) -> str:
    more = "" if answered.n_wrong <= len(answered.wrong) else " …"
    told = "; ".join(answered.wrong)
    return f"{answered.n_wrong} of {answered.n_requests} golden requests were answered wrongly: {told}{more}"


def _still(serving: f.ReleaseStarted | None) -> str:
    return "nothing serves there yet" if serving is None else f"{serving.model}@{serving.version} still serves"


def _told(
    rollout: r.Rollout,
    done: f.ReleaseStarted,
    *,
    outcome: Literal["released", "already"] = "released",
    why: str = "",
    golden: f.GoldenAnswered | None = None,
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
        why=why,
    )
