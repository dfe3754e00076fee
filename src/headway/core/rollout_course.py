"""How the evidence of a release went: at each look how much of its way each guard had gone, and when stages began.

Made while the facts are folded; `codec/rollout_svg` draws it. Neighbour: `core/rollout_picture` is one moment of it.
"""

from msgspec import Struct

from headway.core.guard import Guard
from headway.core.rollout_judge import Verdict
from headway.core.rollout_picture import short_name, way
from headway.core.strategy import Strategy

MOST = 240
"""So many looks are drawn at most: of more, as many as a screen has columns."""


class Moment(Struct, frozen=True, kw_only=True):
    """One look: of each line of the course how much of its way to rolling back it had gone (0 to 1)."""

    at: float
    ways: tuple[float, ...]


class Course(Struct, frozen=True, kw_only=True):
    """The whole course. `names` are its lines; of slices only those that came more than half of their way."""

    names: tuple[str, ...]
    moments: tuple[Moment, ...]
    stages: tuple[tuple[float, str], ...]
    ended_at: float


class Tracker:
    """Collects a course; told of each look with its verdict, and of each stage. Owned by one reader."""

    __slots__ = ("_guards", "_seen", "_stages")

    def __init__(self, strategy: Strategy) -> None:
        self._guards: dict[str, Guard] = {guard.text: guard for guard in strategy.guards}
        self._seen: list[tuple[float, dict[str, float]]] = []
        self._stages: list[tuple[float, str]] = []

    def began(self, stage: str, at: float) -> None:
        """A stage began."""
        self._stages.append((at, stage))

    def looked(self, verdict: Verdict, at: float) -> None:
        """Somebody looked, with this verdict."""
        known = ((one, self._guards.get(one.guard)) for one in verdict.seen)
        ways = {
            short_name(one, guard): way(one.evidence, one.rolls_back_at) for one, guard in known if guard is not None
        }
        if verdict.harm.most:
            ways["harm"] = min(max(verdict.harm.expected, 0.0) / verdict.harm.most, 1.0)
        self._seen.append((at, ways))

    def course(self, now: float) -> Course:
        """The course up to a time."""
        most: dict[str, float] = {}
        for _, ways in self._seen:
            for name, share in ways.items():
                most[name] = max(most.get(name, 0.0), share)
        names = tuple(name for name, share in most.items() if " in " not in name or share >= 0.5)
        moments = tuple(
            Moment(at=at, ways=tuple(ways.get(name, 0.0) for name in names)) for at, ways in thinned(self._seen)
        )
        return Course(names=names, moments=moments, stages=tuple(self._stages), ended_at=now)


def thinned(seen: list[tuple[float, dict[str, float]]]) -> list[tuple[float, dict[str, float]]]:
    """At most so many of the looks, evenly, the last one always.

    >>> looks = [(float(at), {}) for at in range(1000)]
    >>> len(thinned(looks)), thinned(looks)[-1][0], thinned(looks[:3]) == looks[:3]
    (240, 999.0, True)
    """
    n = len(seen)
    if n <= MOST:
        return seen
    return [seen[(i + 1) * n // MOST - 1] for i in range(MOST)]
