"""Monitors judged in this process: labels that arrived are taken into the log, then each looks. Imports what reckons.

Neighbours: `watch` is one pass over one monitor, `watch_apart` has this done in a process that ends.
"""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from headway.core.monitor_grammar import Plan
from headway.errors import HeadwayError
from headway.flows.delivery import Delivery
from headway.flows.labels import Sweep
from headway.flows.watch import Watcher
from headway.flows.watch_run import Heard


class Here:
    """All monitors that this process judged: what it read of one is remembered from look to look."""

    __slots__ = ("_known", "_world")

    def __init__(self, world: Delivery) -> None:
        self._world = world
        self._known: dict[str, tuple[Watcher, Sweep | None]] = {}

    def __call__(self, plans: Sequence[Plan], now: float) -> Iterator[Heard]:
        """Let each look; what is the matter with one is told and holds up no other."""
        for plan in plans:
            yield self._look(plan, now)

    def _look(self, plan: Plan, now: float) -> Heard:
        watcher, sweep = self._known.get(plan.name, (None, None))
        if watcher is None or watcher.plan != plan:
            watcher, sweep = Watcher(self._world, plan), Sweep(self._world, plan) if plan.labels else None
            self._known[plan.name] = watcher, sweep
        try:
            swept = None if sweep is None else sweep.look()
            looked = watcher.look(now)
        except HeadwayError as e:
            return Heard(monitor=plan.name, trouble=e)
        if swept is not None and swept.trouble:
            looked = replace(looked, notes=(*looked.notes, *(f"{path}: {why}" for path, why in swept.trouble.items())))
        return Heard(monitor=plan.name, looked=looked, swept=swept)
