"""What of a window is not evidence yet: counts wait until both versions were asked, and often enough to tell something.

Looks may come each second and hold two requests. A window in which only one version was asked says nothing of the
other, and one of two requests half of what they could say; those of one stage are put together until they hold
`LEAST`. How long that takes depends on how often versions are asked and never on what they answered, so the evidence
holds as before. Counts of two stages are never put together: each has its own share of the traffic.
"""

from collections.abc import Sequence

from msgspec import Struct

from headway.stats.arms import Arms

LEAST = 20
"""Of so many requests the twentieth part of what they tell is lost, for their split between the versions varies."""


NO_ARMS = Arms(n_new=0, bad_new=0, n_old=0, bad_old=0)


class Waits(Struct, frozen=True, kw_only=True):
    """What waits of one stage: the same requests, counted in one way or (bins) in several."""

    stage: int
    arms: tuple[Arms, ...]


Pending = tuple[Waits, ...]
"""What waits, stage by stage."""


def many_enough(waiting: Pending, stage: int, arms: Sequence[Arms], burst: float) -> tuple[tuple[Arms, ...], Pending]:
    """What has become enough with these arms, nothing as long as it has not; and what waits then.

    >>> few = Arms(n_new=1, bad_new=1, n_old=9, bad_old=0)
    >>> told, waiting = many_enough((), 0, [few], 1)
    >>> told, many_enough(waiting, 0, [few], 1)
    ((), ((Arms(n_new=2, bad_new=2, n_old=18, bad_old=0),), ()))
    """
    others = tuple(one for one in waiting if one.stage != stage)
    known = next((one.arms for one in waiting if one.stage == stage), ())
    n = max(len(known), len(arms))
    both = tuple(_sum(_part(known, i), _part(arms, i)) for i in range(n))
    if not both or not (both[0].n_new or both[0].n_old):
        return (), others
    if both[0].n_new and both[0].n_old and (both[0].n_new + both[0].n_old) * burst > LEAST - 1e-6:
        return both, others
    return (), (*others, Waits(stage=stage, arms=both))


def _part(arms: Sequence[Arms], i: int) -> Arms:
    return arms[i] if i < len(arms) else NO_ARMS


def _sum(one: Arms, other: Arms) -> Arms:
    return Arms(
        n_new=one.n_new + other.n_new,
        bad_new=one.bad_new + other.bad_new,
        n_old=one.n_old + other.n_old,
        bad_old=one.bad_old + other.bad_old,
    )
