"""`headway models export`: a version for another project. Neighbour: `cli/models` hands it what was typed."""

import argparse
import os

from headway.cli import print_json
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("ref", metavar="MODEL@VERSION", help="the version, by number or alias")
    parser.add_argument("--to", metavar="PATH", help="a folder to be made, or a name in .zip (default: MODEL-N.zip)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Write it."""
    from headway import wiring
    from headway.flows import models_export, registry
    from headway.terminal.words import size

    with wiring.look(settings) as parts:
        made = registry.named(parts.log, args.ref)[1]
        to = args.to or f"{made.model}-{made.version}.zip"
        found = models_export.export(parts.log, parts.blobs, args.ref, os.path.join(args.folder or "", to))
    if args.json:
        print_json(found)
    else:
        print(f"wrote {found.version} to {to}: {len(found.files)} files, {size(found.size_bytes)}")
    return 0
