"""The whole loop, read: what ran, what serves, what is released and what is watched, handed to `core/loop`."""

from collections.abc import Sequence

from msgspec import Struct

from headway.core import facts as f
from headway.core.loop import Data, Known, Loop, Served, loop
from headway.core.pipeline import Pipeline
from headway.core.trigger import Firings, Limits
from headway.core.watch import Watch
from headway.flows import firing, history, rollout_view, watch_news
from headway.flows.at_work import is_at_work
from headway.flows.endpoints import endpoints
from headway.flows.rollout import Delivery, names
from headway.flows.run_list import Question, runs
from headway.ports import Leases, Log


class Looking(Struct, frozen=True, kw_only=True):
    """What the loop of a project is read with; `pipelines` are those of its files, the first one is drawn."""

    world: Delivery
    log: Log
    leases: Leases
    pipelines: Sequence[Pipeline]
    now: float


def read(looking: Looking) -> Loop:
    """The loop as it stands."""
    log, now = looking.log, looking.now
    newest = next(iter(runs(log, Question(), limit=1).lines), None)
    run = None if newest is None else history.run_view(newest.run, log)
    outcome = "" if newest is None else newest.outcome
    if newest is not None and outcome == "running" and not is_at_work(looking.leases, newest.run, now=now):
        outcome = "unfinished"
    pipeline = next(iter(looking.pipelines), None)
    if pipeline is not None and run is not None:
        pipeline = next((one for one in looking.pipelines if one.name == run.started.name), pipeline)
    steps = [] if pipeline is None else [(step.id, step.name or step.id) for step in pipeline.steps]
    known = Known(
        steps=steps or [(step, step) for step in (run.steps if run is not None else ())],
        run=run,
        outcome=outcome,
        data=_data(log),
        served=_served(looking.world),
        releases=[rollout_view.history(log, name)[0] for name in names(log)],
        watches=watches(log),
        due=_due(log, looking.pipelines, now),
        has_pipeline=pipeline is not None,
    )
    return loop(known)


def _data(log: Log) -> Data | None:
    for entry in log.scan(("DatasetVersioned",), newest_first=True, limit=1):
        if isinstance(entry.fact, f.DatasetVersioned):
            return Data(name=entry.fact.dataset, version=entry.fact.version, at=entry.at)
    return None


def _served(world: Delivery) -> list[Served]:
    return [
        Served(
            endpoint=one.endpoint,
            model=one.model,
            version=one.version,
            since=one.since,
            is_healthy=one.is_healthy,
            detail=one.detail,
            url=one.url,
        )
        for one in endpoints(world)
    ]


def watches(log: Log) -> list[tuple[str, Watch]]:
    """All monitors that ever began, by name, each as its facts tell it."""
    return [(name, watch_news.read(log, name)) for name in watch_news.names(log)]


def _due(log: Log, pipelines: Sequence[Pipeline], now: float) -> str:
    """What waits to start a run, in a sentence; empty when nothing does."""
    for pipeline in pipelines:
        machine = Firings(Limits())
        for entry in log.read(firing.stream(pipeline.name)):
            machine.after(entry.fact, entry.at)
        waiting = machine.standing(now).waiting
        if waiting:
            return f"A run of {pipeline.name} is due: {waiting[-1].why}."
    return ""
