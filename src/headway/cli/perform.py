"""Carry out one step of `uses:` in this process; started by `headway run`, not by people.

Group: hidden
"""

import argparse
import sys

from headway import wiring
from headway.config import Settings
from headway.flows import step


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("task", metavar="TASK", help="the task file that the run wrote")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """The exit code is the step's own (design, section 6)."""
    # A model may need the project's own code; behind everything installed, so that it hides nothing.
    sys.path.append(settings.folder)
    with wiring.open(settings) as parts:
        return step.perform(args.task, parts, environ=settings.environ)
