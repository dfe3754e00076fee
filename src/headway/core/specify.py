"""Steps in their final form: defaults filled in, kebab-case gone, needs as ids."""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from headway.core import declare, paths
from headway.core.expression_values import text_of
from headway.core.facts import Scalar
from headway.core.grammar import Step
from headway.core.order import Needs
from headway.core.pipeline import StepSpec
from headway.core.problem import Problem


class Node:
    """A step, or one instance of its matrix, on the way to a StepSpec."""

    __slots__ = ("id", "inputs", "matrix", "outputs", "step", "step_index")

    def __init__(self, step: Step, step_index: int, made: str, matrix: dict[str, Scalar]) -> None:
        self.step = step
        self.step_index = step_index
        self.id = made
        self.matrix = matrix
        self.outputs: dict[str, str] = {}
        self.inputs: tuple[str, ...] = ()


def specify(
    nodes: Sequence[Node], needs: Needs, sequence: Sequence[int], lines: Sequence[int]
) -> tuple[tuple[StepSpec, ...], list[Problem]]:
    """The steps in the order `sequence`, and what is wrong with their times, sizes and paths."""
    problems: list[Problem] = []
    ids = [node.id for node in nodes]
    # Any: fields of StepSpec, each of its own type.
    shared: dict[int, dict[str, Any]] = {}
    specs = []
    last: tuple[tuple[int, ...], tuple[str, ...]] = ((), ())
    for n in sequence:
        node = nodes[n]
        i = node.step_index
        fields = shared.get(i)
        if fields is None:
            fields = shared[i] = _fields(node.step, i, problems)
            fields["line"] = lines[i] if i < len(lines) else 0
        name = node.step.name or node.id
        if node.matrix and node.step.name:
            name = f"{name} ({', '.join(text_of(value) for value in node.matrix.values())})"
        if needs[n] is not last[0]:
            # Instances of a matrix wait for the same steps, of which there may be a thousand.
            last = needs[n], tuple([ids[m] for m in needs[n]])
        specs.append(
            StepSpec(
                id=node.id,
                name=name,
                needs=last[1],
                inputs=node.inputs,
                outputs=node.outputs,
                matrix=node.matrix,
                **fields,
            )
        )
    return tuple(specs), problems


# Any: as above.
def _fields(step: Step, i: int, problems: list[Problem]) -> dict[str, Any]:
    """What all instances of a step share, less what is as it is by default."""
    fields: dict[str, Any] = {}
    if step.run:
        fields["run"] = step.run
    if step.uses:
        fields |= {"uses": step.uses, "with_values": step.with_}
    if step.shell:
        fields["shell"] = step.shell
    if step.if_ != "":
        fields["condition"] = text_of(step.if_)
    if step.params:
        fields["params"] = tuple(declare.texts(step.params))
    if step.env:
        fields["env"] = {name: text_of(value) for name, value in step.env.items()}
    if step.in_ is not UNSET or step.out is not UNSET:
        fields["cacheable"] = True
    return fields | _terms(step, i, problems)


def _terms(step: Step, i: int, problems: list[Problem]) -> dict[str, Any]:
    """On what terms a step runs: how often, how long, where, on how much."""
    fields: dict[str, Any] = {}
    if step.retry:
        fields["retry"] = declare.retry_of(step, i, problems)
    if step.timeout is not UNSET:
        fields["timeout_s"] = declare.timeout_of(step, i, problems)
    if step.continue_on_error:
        fields["continue_on_error"] = True
    if step.resources is not _NO_RESOURCES:
        fields["resources"] = declare.resources_of(step, i, problems)
    if step.runner != "local":
        fields["runner"] = step.runner
    for key, path in (("metrics", step.metrics), ("tests", step.tests)):
        if path:
            fields[key] = paths.normal(path)
            problem = paths.path_problem(path, ("steps", i, key), "writes")
            if problem is not None:
                problems.append(problem)
    return fields


_NO_RESOURCES = Step().resources
