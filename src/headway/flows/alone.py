"""The lease of an endpoint, for whoever acts there: taken at once, or waited for where others merely watch.

A release that bakes for two weeks has a driver for two weeks; the next release must not wait as long. It says that it
wants the lease (`delivery.wanted`), and a driver that only watches leaves within seconds (`rollout_stages`).
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from headway.errors import LeaseHeld
from headway.flows.delivery import Delivery, holder, renew, stream, wanted
from headway.flows.rollout import read

WAY_S = 10.0
"""How long to wait for an endpoint that is merely watched: a driver hears of it between two looks."""

ASK_S = 0.2


@contextmanager
def alone(world: Delivery, endpoint: str, *, key: str | None = None) -> Iterator[None]:
    """Hold the endpoint's lease: two drivers of one release would each undo what the other did.

    With a `key` it is waited for, where a release is under way that is only waited with (it bakes, or is held), or that
    has this key: who watches it makes room.
    """
    if key is None:
        renew(world, endpoint)
    else:
        _await(world, endpoint, key)
    try:
        yield
    finally:
        world.leases.release(stream(endpoint), holder=holder(world))


def _await(world: Delivery, endpoint: str, key: str) -> None:
    """Take the endpoint's lease, and let who merely watches know that it is wanted. Raises LeaseHeld."""
    until = world.now() + WAY_S
    name = wanted(endpoint)
    try:
        while True:
            try:
                renew(world, endpoint)
            except LeaseHeld:
                stages = read(world.log, endpoint).stages
                is_waiting = stages is not None and (stages.is_baking or stages.held or stages.release.key == key)
                if not is_waiting or world.now() >= until:
                    raise
                # Of several who want it one says so; the others are as patient.
                with suppress(LeaseHeld):
                    world.leases.acquire(name, holder=holder(world), ttl_s=WAY_S, now=world.now())
                world.sleep(ASK_S)
            else:
                return
    finally:
        world.leases.release(name, holder=holder(world))
