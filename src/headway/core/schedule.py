"""What a file says about triggers and monitors, as far as it can be judged without running anything."""

from collections.abc import Callable, Iterator

from msgspec import UNSET

from headway.core.declare import TIMES, named_outputs
from headway.core.event_place import is_database, is_far
from headway.core.expression_syntax import OPEN
from headway.core.grammar import DataTrigger, File, Labels, PushTrigger, Triggers
from headway.core.monitor_grammar import monitor_problems
from headway.core.paths import normal
from headway.core.problem import Path, Problem, did_you_mean
from headway.core.units import duration_s

IsZone = Callable[[str], bool]
"""Whether a time zone is known."""


def trigger_problems(file: File, pipeline: str, is_zone: IsZone | None = None) -> list[Problem]:
    """Monitors that do not exist, times that are none, time tables that cannot be read.

    `pipeline` is its name when the file gives none. Time zones are asked for by `is_zone`, and believed without it.
    """
    problems: list[Problem] = []
    for key, triggers in (("triggers", file.triggers), ("on", file.on)):
        if triggers is not UNSET:
            problems += _of_triggers(triggers, (key,), file)
            problems += _of_schedule(triggers, (key, "schedule"), is_zone)
            problems += _of_others(triggers, (key,), file.pipeline or pipeline)
            problems += _of_rings(triggers, (key, "data"), file)
    for name, monitor in file.monitors.items():
        if isinstance(monitor.labels, Labels):
            problems += _time(monitor.labels.delay, ("monitors", name, "labels", "delay"))
        problems += monitor_problems(name, monitor)
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
        age = triggers.model_age.older_than
        yield from _time(age, (*at, "model-age", "older-than"))
        if duration_s(age) == 0:
            yield Problem(path=(*at, "model-age", "older-than"), problem="every model is older than 0", remedy=TIMES)


def _of_others(triggers: Triggers, at: Path, name: str) -> Iterator[Problem]:
    """Of data, pushes and other pipelines."""
    data = triggers.data
    for i, one in enumerate(data if isinstance(data, list) else [data]):
        if one is not UNSET:
            yield from _of_data(one, (*at, "data", i) if isinstance(data, list) else (*at, "data"))
    if isinstance(triggers.push, PushTrigger):
        yield from _pause(triggers.push.every, (*at, "push", "every"))
    other = triggers.pipeline
    if other is not UNSET and (other if isinstance(other, str) else other.name) == name:
        yield Problem(
            path=(*at, "pipeline") if isinstance(other, str) else (*at, "pipeline", "name"),
            problem="a pipeline that runs when it has ended never stops",
            remedy="name another pipeline, or use `schedule`",
        )


def _of_data(data: DataTrigger, at: Path) -> Iterator[Problem]:
    yield from _pause(data.every, (*at, "every"))
    if data.new_rows < 0:
        yield Problem(
            path=(*at, "new-rows"), problem=f"{data.new_rows} rows cannot be new", remedy="write a number from 0"
        )
    is_query = is_database(data.dataset)
    if is_query and not data.watermark:
        yield Problem(
            path=(*at, "dataset"),
            problem="of a database a query must say whether its data changed",
            remedy='write watermark: "select max(id) from TABLE"',
        )
    if data.new_rows and is_far(data.dataset) and not is_query:
        yield Problem(
            path=(*at, "new-rows"),
            problem="rows that lie elsewhere are not counted",
            remedy="leave it out, or take the data with `headway data add` and name their path",
        )
    if not data.dataset.strip():
        yield Problem(path=(*at, "dataset"), problem="no dataset is named", remedy="write a path: data/training.csv")


def _of_rings(triggers: Triggers, at: Path, file: File) -> Iterator[Problem]:
    """Data that the pipeline itself writes: each run would start the next one."""
    data = triggers.data
    written = {
        normal(path): step.name or step.id
        for step in file.steps
        for _, path, _ in named_outputs(step)
        if OPEN not in path
    }
    for i, one in enumerate(data if isinstance(data, list) else [data]):
        if one is UNSET or is_far(one.dataset) or not one.dataset.strip():
            continue
        here: Path = (*at, i, "dataset") if isinstance(data, list) else (*at, "dataset")
        path = normal(one.dataset)
        for other, step in written.items():
            if path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/"):
                yield Problem(
                    path=here,
                    problem=f"`{step}` writes `{other}`, so that each run would start the next one",
                    remedy="name data that come from elsewhere",
                )
                break


def _of_schedule(triggers: Triggers, at: Path, is_zone: IsZone | None) -> Iterator[Problem]:
    tables = triggers.schedule
    if tables is UNSET:
        return
    for i, table in enumerate(tables if isinstance(tables, list) else [tables]):
        here: Path = (*at, i) if isinstance(tables, list) else at
        if isinstance(table, str):
            yield from _table(table, here)
            continue
        yield from _table(table.cron, (*here, "cron"))
        if is_zone is not None and not is_zone(table.timezone):
            yield Problem(
                path=(*here, "timezone"),
                problem=f"there is no time zone `{table.timezone}`",
                remedy="write it as in Europe/Berlin, or UTC",
            )


def _table(text: str, at: Path) -> Iterator[Problem]:
    from headway.core.event_schedule import table_problem

    problem = table_problem(text)
    if problem:
        yield Problem(
            path=at,
            problem=f"`{text}` is not a time table: it {problem}",
            remedy='write minute, hour, day, month, weekday: "0 3 * * 1" is Mondays at 3:00',
        )


def _pause(value: float | str, at: Path) -> Iterator[Problem]:
    yield from _time(value, at)
    if duration_s(value) == 0:
        yield Problem(path=at, problem="to ask without a pause is too often", remedy=TIMES)


def _time(value: float | str, at: Path) -> Iterator[Problem]:
    if duration_s(value) is None:
        yield Problem(path=at, problem=f"`{value}` is not a time", remedy=TIMES)
