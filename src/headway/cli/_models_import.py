"""`headway models import`: a version of another project. Neighbour: `cli/models` hands it what was typed."""

import argparse
import os
import time

from headway.cli import print_json
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("path", metavar="PATH", help="the folder or .zip that `headway models export` wrote")
    parser.add_argument("--name", default="", help="what the model is called here (default: as there)")
    parser.add_argument("--alias", default="", help="the name that shall mean the version (default: none)")
    parser.add_argument(
        "--trust", metavar="DIGEST", default="", help="12 digits of its content's digest: it may run code"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Take it."""
    from headway import wiring
    from headway.core.ids import is_name
    from headway.errors import UsageMistaken
    from headway.flows import models_export
    from headway.flows.surroundings import user

    for option in ("name", "alias"):
        text = getattr(args, option)
        if text and (not is_name(text) or (option == "alias" and text.isdigit())):
            raise UsageMistaken(f"{text!r} cannot be", at=f"--{option}", remedy="use letters, digits and -_.")
    with wiring.open(settings) as parts:
        found = models_export.bring(
            parts.log,
            parts.blobs,
            os.path.join(args.folder or "", args.path),
            parts.trust,
            now=time.time(),
            by=user(settings.environ),
            name=args.name,
            alias=args.alias,
            vouched=args.trust,
            scratch=os.path.join(settings.home, "cache", "imports"),
        )
    made = found.version
    if args.json:
        print_json(found)
        return 0
    name = f"{made.model}@{made.version}"
    if found.why:
        print(f"{name} stays: {found.why}")
    else:
        print(f"imported {found.came_from} as {name} ({made.format}, {made.artifact.digest[:12]}), {found.said}")
    if found.runs_code and not found.is_trusted:
        known = made.artifact.digest[:12]
        print(f"it would run code when it is loaded: nobody can until you vouch for it by --trust {known}")
    return 0
