"""`headway models alias`: let a name mean a version. Neighbour: `cli/models` hands it what was typed."""

import argparse
import time

from headway.cli import print_json
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("ref", metavar="MODEL@VERSION", help="the version, by number or by another alias")
    parser.add_argument("alias", metavar="NAME", help="champion, challenger, or any other")
    parser.add_argument("--why", default="", help="a sentence for the audit trail")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Move it."""
    from headway import wiring
    from headway.flows import registry
    from headway.flows.surroundings import user
    from headway.terminal import models

    with wiring.open(settings) as parts:
        model, made = registry.named(parts.log, args.ref)
        by = user(settings.environ)
        moved = registry.move_alias(
            parts.log, model.name, args.alias, made.version, now=time.time(), why=args.why, by=by
        )
    if args.json:
        print_json({"model": model.name, "alias": args.alias, "version": made.version, "moved": moved is not None})
    elif moved is None:
        print(f"{model.name}@{args.alias} means {model.name}@{made.version} already")
    else:
        print(models.move(moved))
    return 0
