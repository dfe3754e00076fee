"""The part of a pipeline that was asked for: `--only`, `--from`, and what the steps left out made last time."""

import msgspec

from headway.core import facts as f
from headway.core.expression import StepScope
from headway.core.pipeline import Pipeline
from headway.errors import NameUnknown
from headway.ports import Log


def select(pipeline: Pipeline, options: f.RunOptions, log: Log) -> tuple[Pipeline, dict[str, StepScope]]:
    """The part of the pipeline that `--from` and `--only` leave, and what the steps left out made last time."""
    only, start = options.only, options.start_from
    if only is None and start is None:
        return pipeline, {}
    ids = [spec.id for spec in pipeline.steps]
    if only is not None:
        kept = set(_named(only, pipeline, at="--only"))
    else:
        kept = set(ids[min(map(ids.index, _named(start or ids[0], pipeline, at="--from"))) :])
    steps = tuple(spec for spec in pipeline.steps if spec.id in kept)
    left = {spec.id: spec.outputs for spec in pipeline.steps if spec.id not in kept}
    known = {step: StepScope(out=dict(outputs), outcome="skipped") for step, outputs in left.items()}
    for step, values in _last_values(pipeline.name, set(left), log).items():
        known[step] = StepScope(out={**left[step], **values}, outcome="passed")
    return msgspec.structs.replace(pipeline, steps=steps), known


def _named(name: str, pipeline: Pipeline, *, at: str) -> list[str]:
    """The step of this id, or all that a matrix made of the step of this id. Raises NameUnknown."""
    ids = [spec.id for spec in pipeline.steps]
    found = [name] if name in ids else [one for one in ids if one.startswith(f"{name}[")]
    if not found:
        from difflib import get_close_matches

        close = get_close_matches(name, ids, n=1)
        raise NameUnknown(
            f"the pipeline has no step {name!r}",
            at=at,
            remedy=f"did you mean {close[0]}?" if close else f"its steps are {', '.join(ids[:12])}",
        )
    return found


def _last_values(name: str, wanted: set[str], log: Log) -> dict[str, dict[str, str]]:
    """What steps reported the last time they passed, looked up in the newest 20 runs of this pipeline."""
    found: dict[str, dict[str, str]] = {}
    for entry in log.scan(("RunStarted",), newest_first=True, limit=20):
        if not isinstance(entry.fact, f.RunStarted) or entry.fact.name != name or wanted <= found.keys():
            continue
        for one in log.read(entry.stream):
            match one.fact:
                case (
                    f.StepFinished(step=step, outcome="passed", values=values) | f.StepReused(step=step, values=values)
                ):
                    if step in wanted:
                        found.setdefault(step, values)
                case _:
                    pass
    return found
