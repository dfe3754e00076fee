"""The loop in a sentence: whether production is well and why, and what else is so.

Neighbour: `core/loop` has the stages and what waits. Knows no clock.
"""

from collections.abc import Iterator

from headway.core.facts import AlarmRaised
from headway.core.loop_parts import Known, State
from headway.core.telling import listed


def headline(known: Known) -> tuple[State, str]:
    """How production is, and the sentence that says so and why."""
    down = [one for one in known.served if one.version is not None and not one.is_healthy]
    if down:
        return "trouble", f"Production is not well: {down[0].endpoint}: {down[0].detail or 'it does not answer'}"
    alarms = [(name, alarm.raised) for name, watch in known.watches for alarm in watch.open_alarms]
    # What asks for more comes first; of those the newest.
    ranked = sorted(alarms, key=lambda one: _GRAVE.index(one[1].says) if one[1].says in _GRAVE else 0)
    if ranked:
        name, raised = ranked[-1]
        begin = _ASKS.get(raised.says, f"The monitor {name} says {raised.says}")
        state: State = "waiting" if raised.says == "look" else "trouble"
        return state, f"{begin}: {_about(name, raised)}"
    live = [one for one in known.served if one.version is not None]
    if not live:
        return "idle", "Nothing is in production yet"
    serves = listed([f"{one.model}@{one.version} on {one.endpoint}" for one in live])
    judges = [name for name, watch in known.watches if watch.windows]
    if not judges:
        return "well", f"Production answers: {serves}; no monitor has judged it yet"
    return "well", f"Production is well: {serves}; {listed(judges)} see{'s' * (len(judges) == 1)} nothing unusual"


_GRAVE = ("look", "retrain", "roll back")

_ASKS = {
    "look": "Production answers, and somebody should look",
    "retrain": "Production gets worse, train again",
    "roll back": "Production is not well, roll back",
}

_MOVED = {
    "schema": "requests are built otherwise",
    "traffic": "requests come or end as they usually do not",
    "drift": "the data moved",
    "skew": "features are served otherwise than they are made offline",
    "estimate": "the estimated quality fell",
    "quality": "labels prove a loss of quality",
}


def _about(monitor: str, raised: AlarmRaised) -> str:
    """What an alarm is about, in half a sentence."""
    what = _MOVED.get(raised.about, raised.about)
    moved = [cause.of for cause in raised.causes][:3]
    if raised.about == "drift" and moved:
        what = f"{listed(moved)} moved"
    of = f"{raised.model}@{raised.version} on {raised.endpoint}" if raised.endpoint and raised.version else monitor
    return f"{what} ({of})"


def said(known: Known, n_waiting: int) -> Iterator[str]:
    """What else is so, sentence by sentence."""
    run = known.run
    if run is not None and known.outcome == "running":
        at = next((step.step for step in reversed(run.steps.values()) if step.state == "running"), "")
        yield f"Run {run.run} is at work{f' on {at}' if at else ''}."
    for release in known.releases:
        if not release.outcome and release.stage is not None:
            yield f"{release.model}@{release.version} is on its way to {release.endpoint}: {release.stage.text}."
        if release.outcome == "rolled-back":
            back = f", {release.model}@{release.old} answers again" if release.old is not None else ""
            yield f"{release.model}@{release.version} was rolled back from {release.endpoint}{back}."
    if known.due:
        yield known.due
    yield (
        f"{n_waiting} thing{'s' * (n_waiting != 1)} wait{'s' * (n_waiting == 1)} for a person."
        if n_waiting
        else ("Nothing waits for a person.")
    )
