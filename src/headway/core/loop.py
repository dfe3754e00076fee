"""The whole loop as a person looks at it: where each stage is, whether production is well, and what waits for somebody.

A fold of folds: it is handed a run, what serves, the releases and the watches as they stand. Decides nothing; how it is
drawn, `codec/loop_svg` knows.
"""

from collections.abc import Iterator

from headway.core.history import RunView, StepView
from headway.core.loop_parts import Data, Doing, Known, Loop, Served, State, Stop, Todo
from headway.core.loop_words import headline, said
from headway.core.rollout_view import ReleaseView
from headway.core.watch import Watch

__all__ = ["Data", "Doing", "Known", "Loop", "Served", "State", "Stop", "Todo", "look_of", "loop", "state_of"]


def loop(known: Known) -> Loop:
    """Look at all of it."""
    waiting = tuple(sorted(_waiting(known), key=lambda one: -one.at))
    state, told = headline(known)
    is_judged = any(watch.windows for _, watch in known.watches)
    return Loop(
        state=state,
        headline=told,
        said=tuple(said(known, len(waiting))),
        stops=tuple(_stops(known)),
        waiting=waiting,
        next=_next(known),
        word="answers" if state == "well" and not is_judged else _WORDS[state],
        has_pipeline=known.has_pipeline,
        running=tuple(_running(known)),
        last=_last(known),
    )


_WORDS: dict[State, str] = {
    "well": "well",
    "running": "at work",
    "waiting": "look",
    "trouble": "act",
    "idle": "not yet",
}


# --- what runs ---------------------------------------------------------------------------------------------------


def _running(known: Known) -> Iterator[Doing]:
    run = known.run
    if run is not None and known.outcome == "running":
        steps = list(run.steps.values())
        at = next((step for step in reversed(steps) if step.state == "running"), None)
        n_over = sum(step.state not in ("running", "waiting") for step in steps)
        yield Doing(
            what=f"Run {run.run}",
            where=at.step if at is not None else "",
            link=f"/runs/{run.run}",
            at=run.at,
            share=n_over / len(known.steps) if known.steps else -1.0,
        )
    for release in known.releases:
        if release.outcome or release.held or release.is_paused:
            continue
        stage = release.stage
        yield Doing(
            what=f"{release.model}@{release.version} on {release.endpoint}",
            where="starts" if stage is None else stage.text,
            link=f"/releases/{release.endpoint}/{release.release}",
            at=release.started_at,
            share=min(stage.counted / stage.requests, 1.0) if stage is not None and stage.requests else -1.0,
        )


def _last(known: Known) -> Doing | None:
    run = known.run
    if run is None or known.outcome == "running":
        return None
    return Doing(
        what=f"Run {run.run}",
        where=_ENDS.get(known.outcome, known.outcome),
        link=f"/runs/{run.run}",
        at=run.at + run.seconds,
        state=state_of(known.outcome),
    )


def _next(known: Known) -> str:
    if not known.has_pipeline:
        return "headway init"
    if known.run is None:
        return "headway run"
    return "headway status"


# --- stages -----------------------------------------------------------------------------------------------------


def _stops(known: Known) -> Iterator[Stop]:
    yield _data(known)
    yield from _steps(known)
    yield from _served(known)
    yield from _watched(known)


def _data(known: Known) -> Stop:
    run, data = known.run, known.data
    if data is not None:
        return Stop(
            kind="data",
            name="Data",
            state="well",
            words=f"{data.name}@{data.version}",
            at=data.at,
            link=f"/data/{data.name}",
        )
    if run is not None:
        words, link = f"as run {run.run} read it", f"/runs/{run.run}"
        return Stop(kind="data", name="Data", state="well", words=words, at=run.at, link=link)
    return Stop(kind="data", name="Data", state="idle", words="no run has read any", link="/data")


_STATES: dict[str, State] = {
    "passed": "well",
    "reused": "well",
    "running": "running",
    "skipped": "idle",
    "waiting": "idle",
    "refused": "waiting",
    "held": "waiting",
}
"""All other ends of a step are trouble."""


def state_of(outcome: str) -> State:
    """How the outcome of a step or a run looks.

    >>> state_of("passed"), state_of("invalid"), state_of("refused")
    ('well', 'trouble', 'waiting')
    """
    return _STATES.get(outcome, "trouble")


def _steps(known: Known) -> Iterator[Stop]:
    run = known.run
    for step, name in known.steps:
        found = run.steps.get(step) if run is not None else None
        if run is None or found is None:
            words = "it did not come to this" if run is not None and known.outcome != "running" else "waits"
            words = words if run is not None else "never ran"
            yield Stop(kind="step", name=name, state="idle", words=words, link=f"/runs/{run.run}" if run else "")
        else:
            yield _step(name, found, run, known.outcome)


def _step(name: str, step: StepView, run: RunView, outcome: str) -> Stop:
    # Of a run that was left nobody is at work on any step.
    state = "left" if step.state == "running" and outcome != "running" else step.state
    words = {"reused": "as before", "rolled-back": "rolled back"}.get(state, state)
    at = run.at if step.started_at is None else step.started_at + step.seconds
    return Stop(kind="step", name=name, state=state_of(state), words=words, at=at, link=f"/runs/{run.run}#{step.step}")


def _served(known: Known) -> Iterator[Stop]:
    for one in known.served:
        release = next((found for found in known.releases if found.endpoint == one.endpoint), None)
        yield Stop(
            kind="release",
            name=one.endpoint,
            label=f"endpoint {one.endpoint}",
            state=_state_of(one, release),
            words=_words_of(one, release),
            at=one.since or (release.started_at if release is not None else None),
            link=f"/endpoints/{one.endpoint}",
        )
    if not known.served:
        yield Stop(kind="release", name="Production", state="idle", words="nothing serves yet", link="/releases")


def _state_of(one: Served, release: ReleaseView | None) -> State:
    if one.version is not None and not one.is_healthy:
        return "trouble"
    if release is not None and not release.outcome:
        return "waiting" if release.held or release.is_paused else "running"
    return "idle" if one.version is None else "well"


def _words_of(one: Served, release: ReleaseView | None) -> str:
    if one.version is not None and not one.is_healthy:
        return one.detail or "does not answer"
    if release is not None and not release.outcome:
        stage = "starting" if release.stage is None else release.stage.text
        return f"{release.model}@{release.version}: {'held, ' if release.held else ''}{stage}"
    return one.detail or "down" if one.version is None else f"{one.model}@{one.version} serves"


def look_of(watch: Watch) -> tuple[State, str]:
    """How a monitor looks: its state and a few words."""
    alarms = [alarm.raised for alarm in watch.open_alarms]
    if alarms:
        worst = next((one for one in reversed(alarms) if one.says != "look"), alarms[-1])
        return ("waiting" if worst.says == "look" else "trouble"), f"{worst.about}: {worst.says}"
    if not watch.windows:
        return "idle", "no window is full yet"
    return "well", f"as usual, window {watch.windows[-1].number}"


def _watched(known: Known) -> Iterator[Stop]:
    for name, watch in known.watches:
        state, words = look_of(watch)
        at = watch.windows[-1].until if watch.windows else watch.began_at
        link, label = f"/monitors/{name}", f"monitor {name}"
        yield Stop(kind="watch", name=name, label=label, state=state, words=words, at=at or None, link=link)
    if not known.watches:
        yield Stop(kind="watch", name="Monitor", state="idle", words="nothing watches yet", link="/monitors")


# --- what waits -------------------------------------------------------------------------------------------------


def _waiting(known: Known) -> Iterator[Todo]:
    run = known.run
    if run is not None and known.outcome not in ("running", "passed"):
        yield Todo(
            what=f"Run {run.run} {_ENDS.get(known.outcome, known.outcome)}",
            why=run.why,
            command=f"headway resume {run.run}"
            if known.outcome in ("unfinished", "interrupted")
            else f"headway show {run.run}",
            link=f"/runs/{run.run}",
            at=run.at + run.seconds,
            state=state_of(known.outcome),
        )
    for release in known.releases:
        if release.outcome or not (release.held or release.is_paused):
            continue
        asked, how = ("promote", "held") if release.held else ("resume", "paused")
        yield Todo(
            what=f"{release.model}@{release.version} on {release.endpoint} is {how}",
            why=release.held or "somebody paused it",
            command=f"headway rollout {asked} {release.endpoint}",
            link=f"/releases/{release.endpoint}/{release.release}",
            at=release.looked_at or release.started_at,
        )
    for name, watch in known.watches:
        for alarm in watch.open_alarms:
            says = alarm.raised.says
            yield Todo(
                what=f"{name} says: {says} ({alarm.raised.about})",
                why=alarm.raised.why,
                command=f"headway monitor {name}",
                link=f"/monitors/{name}",
                at=alarm.at,
                state="waiting" if says == "look" else "trouble",
            )


_ENDS = {
    "failed": "failed",
    "refused": "was refused by its gate",
    "held": "is held: nobody can tell yet",
    "invalid": "was stopped at invalid data",
    "interrupted": "was interrupted",
    "unfinished": "was left in the middle",
    "rolled-back": "ended with a rollback",
}
