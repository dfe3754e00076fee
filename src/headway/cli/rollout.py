"""Follow, direct and plan releases that go step by step: status, watch, promote, abort, pause, resume, plan.

Group: Production

    headway rollout status                      what is under way: traffic, evidence, what comes next
    headway rollout status churn --all          every release of an endpoint, and how it ended
    headway rollout watch churn                 go on with it to the end of its bake, and see it go
    headway rollout promote churn --why "…"     on to the next stage: an approval, or where it is held
    headway rollout abort churn                 all traffic back to what served before
    headway rollout plan                        what each stage of the pipeline's deploy step can see and cannot
    headway rollout plan --strategy "canary: 5% for 2h, promote"    the same of one that is not written down yet

`headway rollout WORD --help` tells all that one takes; docs/rollouts.md says what a strategy can be.

Exit codes: 0 done, 2 a word or a strategy that cannot be read, or nothing is under way, 5 somebody else acts there,
7 watched, and rolled back.
"""

import argparse
from importlib import import_module

from headway.cli import common
from headway.config import Settings

_WORDS = {
    "status": "Show how a release stands: traffic, stage, evidence, what comes next; or all there ever were.",
    "watch": "Go on with the release that is under way to its very end; Ctrl-C leaves it as it is.",
    "promote": "Go on to the next stage now: an approval, where it is held, or before its time.",
    "abort": "Put all traffic back to what served before, and end the new version.",
    "pause": "Stay in this stage; what is shown to be worse still rolls back.",
    "resume": "Go on after a pause.",
    "plan": "Say what each stage of a strategy can see and cannot, and how long it takes, before it starts.",
}
"""What each does; that of `plan` is in `_rollout_plan.py`, found by its name as a command is."""

_SAID = ("promote", "abort", "pause", "resume")
"""What is said to a release, which takes the same words each: `_rollout_direct.py`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes: a word, and behind it options of its own."""
    below = parser.add_subparsers(metavar="WORD", required=True, title="words")
    for word, text in _WORDS.items():
        module = import_module(f"headway.cli._rollout_{'direct' if word in _SAID else word}")
        its = below.add_parser(
            word, help=text, description=text, formatter_class=parser.formatter_class, allow_abbrev=False
        )
        module.add_arguments(its)
        # What stands before the word is not forgotten behind it.
        common(its, default=argparse.SUPPRESS)
        its.set_defaults(run=module.run, act=word)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Do what its word says."""
    return int(args.run(args, settings))
