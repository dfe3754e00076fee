"""`headway models keys`: whose signatures count, and a key of one's own. `cli/models` hands it what was typed."""

import argparse

from headway.cli import print_json
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("--make", action="store_true", help="make your own key pair; one there is stays")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Show the public ones."""
    from headway import wiring
    from headway.flows import models_trust

    with wiring.look(settings) as parts:
        found = models_trust.make(parts.trust) if args.make else models_trust.keys(parts.trust)
    if args.json:
        print_json(found)
        return 0
    print(f"yours      {found.own or 'none; make one: headway models keys --make'}")
    for key in found.trusted:
        print(f"trusted    {key}")
    asked = "a signature by one of these is asked for" if found.is_required else "signatures are not asked for"
    print(f"policy     {asked} (headway.toml: trust.require-signature)")
    if args.make:
        print(f"written    {found.folder}: keep signing.key to yourself")
        print("so that others trust it, put yours under trust.keys in headway.toml")
    return 0
