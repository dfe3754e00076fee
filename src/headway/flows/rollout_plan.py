"""What a plan of a rollout is about: the strategy of a pipeline's `deploy` step, and what its endpoint's log tells.

`core/rollout_plan` reckons, `core/rollout_basis` tells.
"""

from collections.abc import Mapping

from headway.core.pipeline import Pipeline, StepSpec
from headway.core.prediction_log import OK
from headway.core.rollout_basis import Logged
from headway.core.strategy_grammar import KEYS
from headway.errors import NameUnknown, UsageMistaken

DAY_S = 86400.0
"""So much of the log is looked at: a whole day has its rush and its night."""


def deploy_step(pipeline: Pipeline, step: str | None) -> StepSpec:
    """The `deploy` step of that id, or the only one. Raises NameUnknown, UsageMistaken when there are several."""
    found = {one.id: one for one in pipeline.steps if one.uses == "deploy"}
    if step is None and len(found) == 1:
        return next(iter(found.values()))
    names = ", ".join(found)
    if not found:
        raise NameUnknown(
            f"no step of {pipeline.name} deploys",
            at="STEP",
            remedy='say a strategy: --strategy "canary: 10% for 10000 requests, promote"',
        )
    if step is None:
        raise UsageMistaken(f"{len(found)} steps deploy", at="STEP", remedy=f"name one of them: {names}")
    if step not in found:
        raise NameUnknown(f"no step {step!r} deploys", at="STEP", remedy=f"these do: {names}")
    return found[step]


def strategy_of(step: StepSpec) -> Mapping[str, object]:
    """What the step says of its strategy, by key. Raises UsageMistaken where only a run would know it."""
    said = {key: step.with_values[key] for key in KEYS if key in step.with_values}
    for key, value in said.items():
        if _is_of_run(value):
            raise UsageMistaken(
                f"`{key}` of step {step.id} is known only in a run: it holds an expression",
                at=f"step {step.id}: with.{key}",
                remedy="say it here as well: `headway rollout plan --help` has an option for each key",
            )
    return said


def endpoint_of(step: StepSpec) -> str:
    """Where the step releases; empty where only a run would know it."""
    endpoint = step.with_values.get("endpoint", "")
    return "" if _is_of_run(endpoint) else str(endpoint)


def _is_of_run(value: object) -> bool:
    return "${{" in repr(value)


def logged(home: str, endpoint: str, *, version: int | None, slower_than_s: float, now: float) -> Logged | None:
    """What an endpoint's prediction log tells of its newest day: how many requests, how many failed or were slow.

    Failures and slow requests are told of `version` alone (None: of whichever answered). None where nothing was logged.
    """
    import polars as pl

    from headway.flows.predictions import folder_of
    from headway.tables.prediction_log import scan
    from headway.tables.prediction_log.files import listed

    folder = folder_of(home, endpoint)
    ends = [one.last_at for one in listed(folder, "predictions") if not one.is_open]
    failed, in_its_place = pl.col("status") != OK, pl.lit(value=False)
    is_of = pl.lit(value=True)
    if version is not None:
        in_its_place = pl.col("instead_of") == version
        is_of = (pl.col("version") == version) & (pl.col("instead_of") == 0) | in_its_place
    n = n_of = n_failed = n_slow = 0
    times: list[float] = []
    for since in (now - DAY_S, max(ends, default=0.0) - DAY_S):
        for frame in scan(folder, since=since, failed=True):
            asked = frame.unique(subset=["request_id", "at"])
            own = asked.filter(is_of)
            n, n_of = n + asked.height, n_of + own.height
            n_failed += own.filter(failed | in_its_place).height
            n_slow += own.filter(~(failed | in_its_place) & (pl.col("ms") > 1000 * slower_than_s)).height
            # The log is in order of time.
            times += [frame["at"][0], frame["at"][-1]]
        if n:
            break
    if not n:
        return None
    return Logged(
        endpoint=endpoint,
        n_requests=n,
        seconds=max(times) - min(times),
        n_of_version=n_of,
        n_failed=n_failed,
        n_slow=n_slow if slower_than_s else None,
    )
