"""A run as a graph: who stands behind whom, and which ways say nothing that others do not."""

from headway.core import facts as f
from headway.core.history import RunView, StepView
from headway.core.ids import Digest, RunId
from headway.core.pipeline import StepSpec
from headway.core.run_graph import MOST, graph

STARTED = f.RunStarted(
    run=RunId(3), name="p", file="pipeline.yaml", pipeline=Digest("0" * 64), options=f.RunOptions(), params={}
)


def run(**states: str) -> RunView:
    steps = {name: StepView(step=name, state=state) for name, state in states.items()}
    return RunView(run=RunId(3), started=STARTED, at=0.0, steps=steps)


def step(name: str, *needs: str) -> StepSpec:
    return StepSpec(id=name, name=name, run="true", needs=needs)


def told(*steps: StepSpec) -> tuple[dict[str, int], set[str]]:
    """The column of each step, and the ways as `a>b`."""
    picture = graph(steps, run(), {})
    assert picture is not None
    names = [box.title for box in picture.boxes]
    assert [box.column for box in picture.boxes] == sorted(box.column for box in picture.boxes)
    columns = {box.title: box.column for box in picture.boxes}
    return columns, {f"{names[a]}>{names[b]}" for a, b in picture.ways}


def test_steps_stand_behind_the_last_that_they_wait_for() -> None:
    columns, ways = told(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"), step("e"))
    assert columns == {"a": 0, "b": 1, "c": 1, "d": 2, "e": 0}
    assert ways == {"a>b", "a>c", "b>d", "c>d"}


def test_what_follows_from_other_ways_is_none() -> None:
    columns, ways = told(step("a"), step("b", "a"), step("c", "a", "b"), step("d", "a", "c"), step("e", "a"))
    assert ways == {"a>b", "b>c", "c>d", "a>e"}
    assert columns == {"a": 0, "b": 1, "c": 2, "d": 3, "e": 1}


def test_a_step_stands_as_the_run_has_it() -> None:
    steps = (step("a"), step("b", "a"), step("c", "b"))
    picture = graph(steps, run(a="passed", b="failed"), {"a": "passed, 3 s"})
    assert picture is not None
    assert [(box.words, box.look, box.address) for box in picture.boxes] == [
        ("passed, 3 s", "well", "/runs/3/steps/a"),
        ("failed", "trouble", "/runs/3/steps/b"),
        ("waiting", "idle", ""),
    ]


def test_of_nothing_and_of_too_much_there_is_no_picture() -> None:
    assert graph((), run(), {}) is None
    assert graph([step(f"s{i}") for i in range(MOST + 1)], run(), {}) is None
    assert graph([step(f"s{i}") for i in range(MOST)], run(), {}) is not None
