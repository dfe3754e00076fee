"""`headway models sign`: vouch for a version. Neighbour: `cli/models` hands it what was typed."""

import argparse
import time

from headway.cli import print_json
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("ref", metavar="MODEL@VERSION", help="the version, by number or alias")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Sign it with the user's own key."""
    from headway import wiring
    from headway.flows import models_trust, registry
    from headway.flows.surroundings import user

    with wiring.open(settings) as parts:
        by = user(settings.environ)
        signed = models_trust.sign(parts.log, args.ref, parts.trust, now=time.time(), by=by)
        made = registry.named(parts.log, args.ref)[1]
    name = f"{made.model}@{made.version}"
    if args.json:
        print_json({"version": name, "signed": signed is not None, "key": None if signed is None else signed.key})
    else:
        print(f"{name} is signed by {signed.key}" if signed is not None else f"{name} was signed by your key already")
    return 0
