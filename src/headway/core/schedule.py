"""What a file says about triggers and monitors, as far as it can be judged without running anything."""

from collections.abc import Iterator

from msgspec import UNSET

from headway.core.declare import TIMES
from headway.core.grammar import CronTrigger, File, Labels, Triggers
from headway.core.problem import Path, Problem, did_you_mean
from headway.core.units import duration_s

_CRON = frozenset("0123456789*/,-LW#?abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def trigger_problems(file: File) -> list[Problem]:
    """Monitors that do not exist, times that are none, time tables that cannot be read."""
    problems: list[Problem] = []
    for key, triggers in (("triggers", file.triggers), ("on", file.on)):
        if triggers is not UNSET:
            problems += _of_triggers(triggers, (key,), file)
    for name, monitor in file.monitors.items():
        if isinstance(monitor.labels, Labels):
            problems += _time(monitor.labels.delay, ("monitors", name, "labels", "delay"))
        if isinstance(monitor.window, str):
            problems += _time(monitor.window, ("monitors", name, "window"))
    return problems


def _of_triggers(triggers: Triggers, at: Path, file: File) -> Iterator[Problem]:
    for key in ("drift", "quality"):
        named = getattr(triggers, key)
        if named is not UNSET and named.monitor not in file.monitors:
            yield Problem(
                path=(*at, key, "monitor"),
                problem=f"there is no monitor `{named.monitor}`",
                remedy=did_you_mean(named.monitor, file.monitors, "describe it under `monitors:`"),
            )
    if triggers.limits is not UNSET:
        yield from _time(triggers.limits.cooldown, (*at, "limits", "cooldown"))
    if triggers.model_age is not UNSET:
        yield from _time(triggers.model_age.older_than, (*at, "model-age", "older-than"))
    if triggers.schedule is not UNSET:
        tables = triggers.schedule
        if not isinstance(tables, list):
            yield from _table(tables, (*at, "schedule"))
        else:
            for i, table in enumerate(tables):
                yield from _table(table, (*at, "schedule", i))


def _table(table: str | CronTrigger, at: Path) -> Iterator[Problem]:
    text = table if isinstance(table, str) else table.cron
    path = at if isinstance(table, str) else (*at, "cron")
    if len(text.split()) != 5 or not _CRON.issuperset(text.replace(" ", "")):
        yield Problem(
            path=path,
            problem=f"`{text}` is not a time table",
            remedy='write minute, hour, day, month, weekday: "0 3 * * 1" is Mondays at 3:00',
        )


def _time(value: float | str, at: Path) -> Iterator[Problem]:
    if duration_s(value) is None:
        yield Problem(path=at, problem=f"`{value}` is not a time", remedy=TIMES)
