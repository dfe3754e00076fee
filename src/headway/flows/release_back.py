"""Ask for the version that served before, and do no more: who drives releases brings it back (`headway up`).

For those who may act and hold nothing that could carry it out, as the pages. Neighbour: `release.rollback` does it
itself.
"""

from headway.core import rollout as r
from headway.errors import Conflict, UsageMistaken
from headway.flows.alone import alone
from headway.flows.release import back
from headway.flows.rollout import Delivery, claimed, read, stream


def ask_back(world: Delivery, endpoint: str, *, serving: int, why: str = "") -> int:
    """Claim a release of the version before the one that serves, which is that of release `serving`; its number.

    Raises UsageMistaken while a release is under way (say `abort` to it), Conflict when another one serves now,
    NameUnknown when there is nothing to go back to, LeaseHeld when somebody acts on the endpoint.
    """
    with alone(world, endpoint, key=""):
        rollout = read(world.log, endpoint)
        if rollout.open is not None:
            raise UsageMistaken(
                f"release {rollout.open.release} is under way on {endpoint}",
                at=f"endpoint: {endpoint}",
                remedy=f"abort that one, which brings back what served before: headway rollout abort {endpoint}",
            )
        if rollout.serving is not None and rollout.serving.release != serving:
            raise Conflict(
                f"release {serving} does not serve on {endpoint} any more: release {rollout.serving.release} does",
                at=f"endpoint: {endpoint}",
                remedy="look at that one, and decide anew",
            )
        return _claim(world, rollout, back(rollout, to=None, why=why, by=world.by))


def _claim(world: Delivery, rollout: r.Rollout, order: r.Order) -> int:
    n = len(world.log.read(stream(rollout.endpoint)))
    claim = claimed(rollout.n_releases + 1, order)
    world.log.append(stream(rollout.endpoint), [claim], expect=n, at=world.now())
    world.log.sync()
    return claim.release
