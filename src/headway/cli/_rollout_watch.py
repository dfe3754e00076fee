"""`headway rollout watch`: goes on with a release to its end. Neighbour: `cli/rollout` hands it what was typed."""

import argparse
import sys
import time

from headway.cli import print_json
from headway.config import Settings

INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("endpoint", nargs="?", metavar="ENDPOINT", help="default: the one where a release is under way")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Go on with it, and show how it goes."""
    from headway import wiring
    from headway.flows.release import watch
    from headway.flows.rollout_view import Looker, only_open
    from headway.terminal.rollout_live import Following, left

    with wiring.open(settings) as parts:
        endpoint = args.endpoint or only_open(parts.log)
        looker = Looker(parts.log, parts.leases, endpoint)
        try:
            with Following(settings.environ, lambda: looker.look(time.time()), quiet=args.json, stamped=True) as report:
                done = watch(parts.delivery(), endpoint, report)
        except KeyboardInterrupt:
            sys.stderr.write(left(looker.look(time.time())))
            return INTERRUPTED
    if args.json:
        print_json(done)
    else:
        print(done)
    return done.exit_code
