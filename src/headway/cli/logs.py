"""Print what the steps of a run printed.

Group: Looking back

    headway logs                    the newest run, every step
    headway logs 12 train-model     one step of run 12
    headway logs latest train -f    follow it while it runs
"""

import argparse
import sys
import time

import msgspec
from msgspec import Struct

from headway import wiring
from headway.cli import print_json, run_number
from headway.config import Settings
from headway.core.history import RunView, StepView
from headway.core.ids import RunId
from headway.core.pipeline import Pipeline
from headway.errors import UsageMistaken
from headway.flows import history
from headway.flows.at_work import is_at_work
from headway.wiring import Parts

POLL_S = 0.2
"""Between two looks at a file that somebody follows: quick for an eye, free for a processor."""

LONGEST = 1 << 20
"""Bytes of a step's output in a JSON document, its last: the whole may be larger than memory."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="its number, or latest (default)")
    parser.add_argument("step", nargs="?", metavar="STEP", help="one step (default: all, one after the other)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as it prints, until the step has ended")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print them, streamed."""
    if args.follow and args.json:
        raise UsageMistaken("what is followed has no end to close a document with", at="--json", remedy="leave one out")
    with wiring.look(settings) as parts:
        number = run_number(args.run, parts.log)
        view = history.run_view(number, parts.log)
        if args.follow:
            _follow(number, _followed(args.step, view), settings, parts)
            return 0
        steps = [args.step] if args.step else list(view.steps)
        if args.json:
            print_json({"run": number, "steps": [_document(step, view, settings, parts) for step in steps]})
            return 0
        out = sys.stdout.buffer
        for step in steps:
            if not args.step:
                out.write(f"== {step} ({_state(view.steps[step])})\n".encode())
            for block in history.printed(parts.blobs, settings.home, view, step):
                out.write(block)
            out.flush()
    if args.step and view.steps[args.step].of_run not in (None, number):
        sys.stderr.write(f"{args.step} was reused: headway logs {view.steps[args.step].of_run} {args.step}\n")
    return 0


def _state(step: StepView) -> str:
    return f"reused, as in run {step.of_run}" if step.of_run is not None else step.state


class _Document(Struct, frozen=True, kw_only=True):
    """One step of `headway logs --json`: the end of what it printed, and how much that was."""

    step: str
    state: str
    n_bytes: int
    text: str


def _document(step: str, view: RunView, settings: Settings, parts: Parts) -> _Document:
    size = view.steps[step].log_bytes if step in view.steps else 0
    blocks = history.printed(parts.blobs, settings.home, view, step, skip=max(size - LONGEST, 0))
    text = b"".join(blocks)[-LONGEST:]
    return _Document(
        step=step,
        state=view.steps[step].state,
        n_bytes=max(size, len(text)),
        text=text.decode("utf-8", "replace"),
    )


def _followed(step: str | None, view: RunView) -> str:
    if step is not None:
        return step
    at_work = [one.step for one in view.steps.values() if one.state == "running"]
    if len(at_work) == 1:
        return at_work[0]
    raise UsageMistaken(
        f"{len(at_work)} steps are at work" if at_work else f"no step of run {view.run} is at work",
        at="--follow",
        remedy=f"name one: headway logs {view.run} {at_work[0]} -f" if at_work else "leave out --follow",
    )


def _follow(number: RunId, step: str, settings: Settings, parts: Parts) -> None:
    """Print from the file as it grows; when the step has ended, the rest from the store. Retries are followed too."""
    out = sys.stdout.buffer
    attempt = sent = 0
    while True:
        is_over = not is_at_work(parts.leases, number, now=time.time())
        view = history.run_view(number, parts.log)
        is_over = is_over or view.outcome != "running"
        found = view.steps.get(step)
        if found is not None and found.attempt != attempt:
            attempt, sent = found.attempt, 0
        if found is not None or is_over:
            for block in history.printed(parts.blobs, settings.home, view, step, skip=sent):
                out.write(block)
                sent += len(block)
            out.flush()
        if is_over or (found is not None and found.state not in _GOES_ON and attempt >= _attempts(view, step, parts)):
            return
        time.sleep(POLL_S)


_GOES_ON = ("running", "lost")


def _attempts(view: RunView, step: str, parts: Parts) -> int:
    """How often a step is begun at most before it has failed; 0 when it has not."""
    if view.steps[step].state not in ("failed", "timeout"):
        return 0
    pipeline = msgspec.json.decode(parts.blobs.get(view.started.pipeline), type=Pipeline)
    return next((spec.retry.times + 1 for spec in pipeline.steps if spec.id == step), 0)
