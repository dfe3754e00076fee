"""What an address of a run names: the run, how it stands, one of its steps, numbers behind the `?`."""

from headway.core.history import RunView, StepView
from headway.core.ids import RunId
from headway.errors import NameUnknown, UsageMistaken
from headway.flows import history
from headway.flows.at_work import is_at_work
from headway.web.pages import Asked


def run_number(asked: Asked) -> RunId:
    """The number that stands for a run. Raises NameUnknown."""
    text = asked.path["run"]
    if not _is_number(text):
        raise NameUnknown(f"{text!r} is no run", at="run", remedy="`headway runs` lists them")
    return RunId(int(text))


def run_of(asked: Asked) -> RunView:
    """The run, as the log tells it. Raises NameUnknown."""
    return history.run_view(run_number(asked), asked.parts.log)


def stands(asked: Asked) -> tuple[RunView, str]:
    """The run, and how it stands; of one that was left nobody is at work on any step. Raises NameUnknown."""
    run = run_of(asked)
    if run.outcome != "running" or is_at_work(asked.parts.leases, run.run, now=asked.now):
        return run, run.outcome
    for step in run.steps.values():
        step.state = "left" if step.state == "running" else step.state
    return run, "unfinished"


def step_of(run: RunView, asked: Asked) -> StepView:
    """The step of a run. Raises NameUnknown."""
    step = run.steps.get(asked.path["step"])
    if step is None:
        raise NameUnknown(
            f"run {run.run} has no step {asked.path['step']!r}", at="step", remedy=f"see the page of run {run.run}"
        )
    return step


def number(asked: Asked, name: str, default: int = 0) -> int:
    """A number that stands behind the `?`. Raises UsageMistaken."""
    text = asked.query.get(name, "")
    if text and not _is_number(text):
        raise UsageMistaken(f"{text!r} is no number", at=name, remedy="give a whole number")
    return int(text) if text else default


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 12
