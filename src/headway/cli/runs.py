"""List the runs, newest first.

Group: Looking back

    headway runs                       the newest 20
    headway runs -n 100                more of them
    headway runs --outcome failed      those that failed
    headway runs --metric 'auc>=0.7' --param train.lr=0.1
"""

import argparse
import time
from typing import get_args

from headway import wiring
from headway.cli import outcome_of, print_json
from headway.config import Settings
from headway.core.facts import RunOutcome
from headway.errors import UsageMistaken
from headway.flows.run_list import MOST_READ, Question, runs
from headway.terminal import words

_OUTCOMES = ("running", *get_args(RunOutcome))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("-n", type=int, default=20, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--outcome", choices=_OUTCOMES, default="", help="those that ended so; running: without an end")
    parser.add_argument("--pipeline", default="", metavar="NAME", help="those of this pipeline")
    parser.add_argument("--commit", default="", metavar="HASH", help="those of commits that begin so")
    parser.add_argument("--by", default="", metavar="TEXT", help="those whose trigger holds this, for example push")
    parser.add_argument("--param", default="", metavar="NAME=VALUE", help="those with this parameter")
    parser.add_argument("--metric", default="", metavar="TEXT", help="those that reported it so, as in 'auc>=0.7'")
    parser.add_argument("--before", type=int, default=0, metavar="RUN", help="those that began before this run")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print the list."""
    if args.n < 1:
        raise UsageMistaken(f"{args.n} runs cannot be shown", at="-n", remedy="give a number from 1")
    question = Question(
        outcome=args.outcome,
        name=args.pipeline,
        commit=args.commit,
        trigger=args.by,
        param=args.param,
        metric=args.metric,
        before=args.before,
    )
    with wiring.look(settings) as parts:
        found = runs(parts.log, question, limit=args.n)
        lines = found.lines
        outcomes = [outcome_of(line.outcome, line.run, parts) for line in lines]
    if args.json:
        print_json({"runs": lines, "before": found.before})
        return 0
    if not lines:
        if found.before or question != Question():
            print(f"no run answers to this{_further(found.before)}")
        else:
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
    if found.before and len(lines) < args.n:
        print(f"{MOST_READ:,} runs were read{_further(found.before)}")
    return 0


def _further(before: int) -> str:
    return f"; further back: --before {before}" if before else ""
