"""Print what the steps of a run printed.

Group: Looking back

    headway logs                    the newest run, every step
    headway logs 12 train-model     one step of run 12
    headway logs latest train -f    follow it while it runs
"""

import argparse
import sys
import time

from headway import wiring
from headway.cli import run_number
from headway.config import Settings
from headway.core.history import RunView
from headway.core.ids import RunId
from headway.errors import UsageMistaken
from headway.flows import history
from headway.wiring import Parts

POLL_S = 0.2
"""Between two looks at a file that somebody follows: quick for an eye, free for a processor."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="its number, or latest (default)")
    parser.add_argument("step", nargs="?", metavar="STEP", help="one step (default: all, one after the other)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as it prints, until the step has ended")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print them, streamed."""
    out = sys.stdout.buffer
    with wiring.open(settings) as parts:
        number = run_number(args.run, parts.log)
        view = history.run_view(number, parts.log)
        if args.follow:
            _follow(number, _followed(args.step, view), settings, parts)
            return 0
        for step in [args.step] if args.step else list(view.steps):
            if not args.step:
                out.write(f"== {step} ({view.steps[step].state})\n".encode())
            for block in history.printed(parts.blobs, settings.home, view, step):
                out.write(block)
            out.flush()
    return 0


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
    """Print from the file as it grows; when the step has ended, the rest from the store."""
    out = sys.stdout.buffer
    sent = 0
    while True:
        view = history.run_view(number, parts.log)
        found = view.steps.get(step)
        ended = found is not None and found.state != "running"
        if found is None and view.outcome != "running":
            ended = True
        for block in history.printed(parts.blobs, settings.home, view, step, skip=sent) if found is not None else ():
            out.write(block)
            sent += len(block)
        out.flush()
        if ended:
            return
        time.sleep(POLL_S)
