"""`headway rollout promote`, `abort`, `pause` and `resume`: what a person says to a release that is under way.

Neighbour: `cli/rollout` hands it what was typed.
"""

import argparse
import sys
import time

from headway.cli import print_json
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What each of them takes."""
    parser.add_argument("endpoint", nargs="?", metavar="ENDPOINT", help="default: the one where a release is under way")
    parser.add_argument("--why", default="", metavar="TEXT", help="recorded with it, beside your name")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Say it, wait until it is done, and tell how the release stands then."""
    from headway import wiring
    from headway.flows.release import direct
    from headway.flows.rollout_view import look, only_open
    from headway.terminal.working import Working

    with wiring.open(settings) as parts:
        endpoint = args.endpoint or only_open(parts.log)
        with Working(settings.environ, f"{args.act}: {endpoint}", quiet=args.json):
            direct(parts.delivery(), endpoint, args.act, why=args.why)
        looked = look(parts.log, parts.leases, endpoint, now=time.time())
    if args.json:
        print_json(looked)
        return 0
    from headway.terminal.out import Out
    from headway.terminal.rollouts import briefly

    columns = Out(sys.stdout).size()[0] if sys.stdout.isatty() else 100
    print("\n".join(briefly(looked, max(columns, 40))))
    return 0
