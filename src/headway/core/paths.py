"""Paths of a project: which may be written down, and how the params of a run make those final that hold expressions.

`core/resolve` fills in what the file alone settles (a matrix, another step's output); params may still be overridden
on the command line, so `models/${{ params.name }}.pkl` waits for `settled`.
"""

import msgspec

from headway.core.expression import Scope, fill
from headway.core.expression_syntax import OPEN
from headway.core.expression_values import text_of
from headway.core.pipeline import Pipeline, StepSpec
from headway.core.problem import Path, Problem
from headway.errors import ExpressionUnreadable, UsageMistaken

MAGIC = frozenset("*?[")
"""Signs that make a path a glob."""

_ODD_PARTS = frozenset({"", ".", ".."})


def normal(path: str) -> str:
    """The path without `./`, `//` and a slash at its end; its expressions as they are.

    >>> normal("./data//raw/")
    'data/raw'
    """
    if OPEN in path or _ODD_PARTS.isdisjoint(path.split("/")):
        return path
    kept = [part for part in path.split("/") if part not in ("", ".")]
    return ("/" if path.startswith("/") else "") + "/".join(kept)


def path_problem(path: str, at: Path, what: str) -> Problem | None:
    """Why a path (normal or not) cannot be used; None when it can."""
    if (
        OPEN not in path
        and _ODD_PARTS.isdisjoint(path.split("/"))
        and path
        and path[0] not in "~."
        and "\\" not in path
    ):
        return None
    stripped = normal(path)
    why, remedy = "", "write it relative to the folder of this file"
    if "://" in path:
        why, remedy = "is an address, not a path", "let a step fetch it into the project's folder"
    elif path.startswith(("/", "~")):
        why = "does not lie in the project's folder"
    elif stripped.startswith("../") or (OPEN not in path and ".." in stripped.split("/")):
        why, remedy = "may lead out of the project's folder", "write it without `..`"
    elif not stripped:
        why, remedy = "is no file or folder of the project", f"name what the step {what}"
    elif stripped.split("/")[0] in (".headway", ".git"):
        why, remedy = "belongs to Headway or Git", "use a folder of your own"
    elif "\\" in path:
        why, remedy = "has a backslash", "write `/` between folders"
    return Problem(path=at, problem=f"`{path}` {why}", remedy=remedy) if why else None


def output_problem(path: str, at: Path) -> Problem | None:
    """Why an output's path cannot be used; None when it can."""
    problem = path_problem(path, at, "writes")
    if problem is None and OPEN not in path and not MAGIC.isdisjoint(path):
        problem = Problem(path=at, problem=f"`{path}` is a glob", remedy="name the folder, or each file")
    return problem


def settled(pipeline: Pipeline) -> Pipeline:
    """The pipeline with no expression left in `outputs`, `metrics` and `tests`. To be called after overrides.

    Raises ExpressionUnreadable for a param that has no value, UsageMistaken for a path that a value makes unusable.
    """
    steps = tuple([_settled(step, pipeline) if _is_open(step) else step for step in pipeline.steps])
    if all(new is old for new, old in zip(steps, pipeline.steps, strict=True)):
        return pipeline
    writers: dict[str, str] = {}
    for step in steps:
        for path in step.outputs.values():
            other = writers.setdefault(path, step.id)
            if other != step.id:
                raise UsageMistaken(
                    f"with these params `{other}` and `{step.id}` both write {path}",
                    at=f"step {step.id}: out",
                    remedy="give the param another value, or each step a path of its own",
                )
    return msgspec.structs.replace(pipeline, steps=steps)


def _is_open(step: StepSpec) -> bool:
    return any(OPEN in path for path in (*step.outputs.values(), step.metrics or "", step.tests or ""))


def _settled(step: StepSpec, pipeline: Pipeline) -> StepSpec:
    scope = Scope(params=pipeline.params, matrix=step.matrix)

    def path(written: str, key: str) -> str:
        if OPEN not in written:
            return written
        try:
            filled = text_of(fill(written, scope))
        except ExpressionUnreadable as e:
            raise ExpressionUnreadable(e.problem, at=f"step {step.id}: {key}", remedy=e.remedy, offset=e.offset) from e
        problem = output_problem(filled, ())
        if problem is not None:
            raise UsageMistaken(
                f"with these params {problem.problem}", at=f"step {step.id}: {key}", remedy=problem.remedy
            )
        return normal(filled)

    return msgspec.structs.replace(
        step,
        outputs={name: path(written, "out") for name, written in step.outputs.items()},
        metrics=path(step.metrics, "metrics") if step.metrics else None,
        tests=path(step.tests, "tests") if step.tests else None,
    )
