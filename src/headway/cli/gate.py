"""Plan a gate, find the rows worth a label, look at a verdict: plan, label, show.

Group: The loop

    headway gate plan "new.recall - old.recall > -0.01"       rows and labels it takes, before any is paid for
    headway gate plan "new.accuracy >= 0.8 +/- 0.02" --rows 2000    what so many rows can see
    headway gate label --new X --old Y --data FILE --key id --out FILE    write the rows on which two models differ
    headway gate show                                         the verdict of the newest run, drawn
    headway gate show 7 --html verdict.html                   that of run 7, as a page

`headway gate WORD --help` tells all that one takes; docs/gates.md says what a check can be and what is promised.

Exit codes: 0 done, 1 no such verdict or a model that cannot be asked, 2 a word or a check that cannot be read.
"""

import argparse
from importlib import import_module

from headway.cli import common
from headway.config import Settings

_WORDS = {
    "plan": "Say how many rows and labels decide each check 4 times in 5, before any label is paid for.",
    "label": "Write the rows on which two models differ: only their labels tell the models apart.",
    "show": "Draw a gate's verdict: each check's range against its limit, slices by harm.",
}
"""What each does; that of `plan` is in `_gate_plan.py`, found by its name as a command is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes: a word, and behind it options of its own."""
    below = parser.add_subparsers(metavar="WORD", required=True, title="words")
    for word, text in _WORDS.items():
        module = import_module(f"headway.cli._gate_{word}")
        its = below.add_parser(
            word, help=text, description=text, formatter_class=parser.formatter_class, allow_abbrev=False
        )
        module.add_arguments(its)
        # What stands before the word is not forgotten behind it.
        common(its, default=argparse.SUPPRESS)
        its.set_defaults(run=module.run)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Do what its word says."""
    return int(args.run(args, settings))
