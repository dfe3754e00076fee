"""List the runs, newest first.

Group: Looking back

    headway runs          the newest 20
    headway runs -n 100   more of them
"""

import argparse
import time

from headway import wiring
from headway.cli import outcome_of, print_json
from headway.config import Settings
from headway.errors import UsageMistaken
from headway.flows import history
from headway.terminal import words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("-n", type=int, default=20, metavar="N", help="how many (default: %(default)s)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print the list."""
    if args.n < 1:
        raise UsageMistaken(f"{args.n} runs cannot be shown", at="-n", remedy="give a number from 1")
    with wiring.look(settings) as parts:
        lines = history.runs(parts.log, limit=args.n)
        outcomes = [outcome_of(line.outcome, parts) for line in lines]
    if args.json:
        print_json({"runs": lines})
        return 0
    if not lines:
        print("no run yet; `headway run` makes the first")
        return 0
    now = time.time()
    rows = [
        [
            str(line.run),
            outcome,
            words.ago(now - line.at),
            words.took(line.seconds) if line.outcome != "running" else "",
            (line.commit or "")[:8],
            line.name,
            line.why.splitlines()[0][:70] if line.why else "",
        ]
        for line, outcome in zip(lines, outcomes, strict=True)
    ]
    print("\n".join(words.table(rows, heads=["run", "outcome", "started", "took", "commit", "pipeline", "why"])))
    return 0
