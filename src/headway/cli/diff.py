"""Compare two runs: code, params, inputs, outputs, metrics, states.

Group: Looking back

    headway diff 11 12      what changed from run 11 to run 12
    headway diff 11         from run 11 to the newest
"""

import argparse

from headway import wiring
from headway.cli import print_json, run_number
from headway.config import Settings
from headway.core.history import differences
from headway.flows import history
from headway.terminal import words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("before", metavar="RUN", help="the earlier run's number")
    parser.add_argument("after", nargs="?", metavar="RUN", help="the later one's (default: the newest)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print what differs."""
    with wiring.look(settings) as parts:
        before = history.run_view(run_number(args.before, parts.log), parts.log)
        after = history.run_view(run_number(args.after, parts.log), parts.log)
    changes = differences(before, after)
    if args.json:
        print_json({"before": before.run, "after": after.run, "changes": changes})
        return 0
    if not changes:
        print(f"runs {before.run} and {after.run} read the same, made the same and measured the same")
        return 0
    rows = [[c.kind, c.name, c.before, "->", c.after] for c in changes]
    print("\n".join(words.table(rows, heads=["", "", f"run {before.run}", "", f"run {after.run}"])))
    return 0
