"""Go back to the version that served before on an endpoint.

Group: Production

    headway rollback flights                    the version before the one that serves now
    headway rollback flights --to 3 --why "…"   version 3, which served there before

The version answers the golden requests of its own release before it takes over. Exit code 7: it did not.
"""

import argparse

from headway import wiring
from headway.cli import print_json
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("endpoint", metavar="ENDPOINT", help="`headway endpoints` lists them")
    parser.add_argument("--to", type=int, metavar="VERSION", help="a version that served there (default: the last one)")
    parser.add_argument("--why", default="", metavar="TEXT", help="recorded with it")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Go back."""
    from headway.flows.release import rollback

    with wiring.open(settings) as parts:
        done = rollback(parts.delivery(), args.endpoint, to=args.to, why=args.why)
    if args.json:
        print_json(done)
        return 0
    print(done)
    return 0
