"""Say what `headway run` would do and why, without doing it.

Group: The loop

    headway plan                 every step: run, reuse, or depends on what an earlier one makes
    headway plan -p train.lr=1   as if this parameter were set

Exit codes: 0 planned, 2 a bad file. Nothing is written and nothing is started.
"""

import argparse

from headway import wiring
from headway.cli import add_selection, options_of, pipeline_of, project_of, where
from headway.config import Settings
from headway.flows.plan import plan
from headway.terminal import result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_selection(parser)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print the plan."""
    settings, file = project_of(args, settings)
    options = options_of(args)
    with wiring.look(settings) as parts:
        pipeline = pipeline_of(settings, file, options, keep=False)
        result.planned(plan(pipeline, options, where=where(settings), ports=parts), as_json=args.json)
    return 0
