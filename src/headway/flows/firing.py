"""What started a run without a person: the firing that it belongs to, and the run that a firing has, if it has one.

`core/trigger` decides that a firing is due and `flows/daemon` claims it; here its run finds it again. Neighbour:
`flows/launch`, which begins the run of a firing once and goes on with it ever after.
"""

from typing import TYPE_CHECKING

from headway.core import facts as f
from headway.core.ids import RunId
from headway.core.pipeline import Pipeline
from headway.errors import NameUnknown
from headway.ports import Log

if TYPE_CHECKING:
    # Every run imports this file, and hardly one of them was started by a trigger.
    from headway.core.trigger import Limits


def stream(pipeline: str) -> str:
    """Where the events and firings of a pipeline are told.

    >>> stream("churn")
    'trigger/churn'
    """
    return f"trigger/{pipeline}"


def name(pipeline: str, firing: int) -> str:
    """How a run names the firing that started it.

    >>> name("churn", 3)
    'churn/3'
    """
    return f"{pipeline}/{firing}"


def limits_of(pipeline: Pipeline) -> "Limits":
    """How often the triggers of a pipeline may start a run, as its file says."""
    import msgspec
    from msgspec import UNSET

    from headway.core.grammar import Triggers
    from headway.core.trigger import Limits
    from headway.core.units import duration_s

    limits = msgspec.convert(pipeline.triggers, Triggers).limits
    if limits is UNSET:
        return Limits()
    return Limits(
        cooldown_s=duration_s(limits.cooldown) or 0.0,
        per_day=None if limits.per_day is UNSET else limits.per_day,
        per_week=None if limits.per_week is UNSET else limits.per_week,
    )


def run_of(log: Log, firing: str) -> RunId | None:
    """The run that was begun for a firing (`churn/3`), or None. One look, however long the log is."""
    entry = log.find("RunStarted", [firing]).get(firing)
    return entry.fact.run if entry is not None and isinstance(entry.fact, f.RunStarted) else None


def is_over(log: Log, firing: str) -> bool:
    """Whether a firing (`churn/3`) came to its end, or never was."""
    pipeline, _, number = firing.rpartition("/")
    facts = [entry.fact for entry in log.read(stream(pipeline))]
    fired = any(isinstance(fact, f.TriggerFired) and str(fact.firing) == number for fact in facts)
    return not fired or any(isinstance(fact, f.FiringEnded) and str(fact.firing) == number for fact in facts)


def started_by(log: Log, pipeline: str, firing: str) -> str:
    """What a run of this firing was started by, in words. Raises NameUnknown when the pipeline has no such firing."""
    for entry in log.read(stream(pipeline)):
        if isinstance(entry.fact, f.TriggerFired) and name(pipeline, entry.fact.firing) == firing:
            from headway.core.telling import listed

            return listed(entry.fact.sources)
    raise NameUnknown(
        f"no trigger of the pipeline {pipeline} fired as {firing!r}",
        at="--firing",
        remedy="leave it out to start a run by hand; `headway triggers` shows what fired",
    )
