"""Go on with a run that was interrupted, killed or failed; what passed is not done again.

Group: The loop

    headway resume        the newest run
    headway resume 12     run 12

The plan is the one that was fixed when the run began, also if pipeline.yaml changed since. Exit codes as `headway run`.
"""

import argparse

from headway import wiring
from headway.cli import run_number, where
from headway.config import Settings
from headway.flows import launch
from headway.terminal import progress, result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="its number (default: the newest)")
    parser.add_argument("--why", action="store_true", help="say of each step why it runs")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Take it up again; the exit code says how it went."""
    with wiring.open(settings) as parts:
        number = run_number(args.run, parts.log)
        with progress.choose(settings.environ, why=args.why, quiet=args.json) as watcher:
            ended = launch.resume(number, where=where(settings), parts=parts, watcher=watcher)
    result.ended(ended, as_json=args.json)
    return ended.exit_code
