"""A run as a graph: each step of its pipeline, how it stands, and which steps it waits for.

Decides what stands where; `codec/lineage_svg` draws it. Neighbour: `core/lineage_picture` has what is drawn.
"""

from collections.abc import Mapping, Sequence

from headway.core.history import RunView
from headway.core.lineage_picture import Box, Picture
from headway.core.loop import state_of
from headway.core.pipeline import StepSpec

MOST = 150
"""Of a pipeline of more steps no picture is made: nobody could read it, and the list says the same."""


def graph(steps: Sequence[StepSpec], run: RunView, words: Mapping[str, str]) -> Picture | None:
    """Steps stand in the column behind the last step that they wait for; `words` are said of each, by its id.

    None where there are no steps, or too many.
    """
    if not 0 < len(steps) <= MOST:
        return None
    at = {step.id: i for i, step in enumerate(steps)}
    needs = [_needs(i, steps, at) for i in range(len(steps))]
    columns: list[int] = []
    for wanted in needs:
        columns.append(1 + max((columns[i] for i in wanted), default=-1))
    order = sorted(range(len(steps)), key=lambda i: (columns[i], i))
    place = {node: i for i, node in enumerate(order)}
    boxes = [_box(steps[i], columns[i], run, words.get(steps[i].id, "")) for i in order]
    ways = [(place[a], place[b]) for b, wanted in enumerate(needs) for a in wanted]
    return Picture(columns=("",) * (max(columns) + 1), boxes=tuple(boxes), ways=tuple(sorted(ways)))


def _needs(node: int, steps: Sequence[StepSpec], at: Mapping[str, int]) -> tuple[int, ...]:
    """The steps that this one waits for, without those that follow from others."""
    found = {at[name] for name in steps[node].needs}
    implied: set[int] = set()
    for i in found:
        rest = [at[name] for name in steps[i].needs]
        while rest:
            other = rest.pop()
            if other not in implied:
                implied.add(other)
                rest += [at[name] for name in steps[other].needs]
    return tuple(sorted(found - implied))


def _box(step: StepSpec, column: int, run: RunView, words: str) -> Box:
    seen = run.steps.get(step.id)
    if seen is None:
        return Box(column=column, title=step.id, words=words or "waiting")
    return Box(
        column=column,
        title=step.id,
        words=words or seen.state,
        address=f"/runs/{run.run}/steps/{step.id}",
        look=state_of(seen.state),
    )
