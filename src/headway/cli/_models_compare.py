"""`headway models compare`: two versions side by side. Neighbour: `cli/models` hands it what was typed."""

import argparse

from headway.cli import print_json
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("a", metavar="A", help="a version: churn@2")
    parser.add_argument("b", metavar="B", help="the one set beside it: churn@challenger")
    parser.add_argument("--all", action="store_true", dest="is_all", help="also what is the same")
    parser.add_argument("--diff", action="store_true", help="the lines of code that differ, not the files alone")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Compare them."""
    from headway import wiring
    from headway.flows.models_compare import compared
    from headway.terminal import models

    with wiring.look(settings) as parts:
        found = compared(parts.log, parts.blobs, settings.folder, args.a, args.b, full=args.diff)
    if args.json:
        print_json(found)
    else:
        print("\n".join(models.compared(found, is_all=args.is_all)))
    return 0
