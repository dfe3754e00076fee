"""`headway models lineage`: back from a version, or forward from data. `cli/models` hands it what was typed."""

import argparse

from headway.cli import print_json
from headway.config import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headway.ports import Log


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument(
        "what",
        metavar="WHAT",
        help="a model version (churn@3); or data: a dataset (training@7), 8 digits of a digest, a path",
    )
    parser.add_argument("--data", action="store_true", help="WHAT is data, though a model has the same name")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Follow it."""
    from headway import wiring
    from headway.flows import lineage
    from headway.terminal import models

    with wiring.look(settings) as parts:
        if not args.data and _is_version(parts.log, args.what):
            back = lineage.of_version(parts.log, parts.blobs, args.what)
            lines, document = models.lineage(back), {"kind": "version", "lineage": back}
        else:
            on = lineage.of_data(parts.log, parts.blobs, args.what)
            lines, document = models.reach(on), {"kind": "data", "lineage": on, "endpoints": on.endpoints}
    if args.json:
        print_json(document)
    else:
        print("\n".join(lines))
    return 0


def _is_version(log: "Log", text: str) -> bool:
    """Whether a model has that name; else, if nothing at all has it, a version is what is said to be missing."""
    from headway.flows import dataset, registry

    name, at, _ = text.partition("@")
    return bool(at) and (registry.read(log, name).newest is not None or dataset.read(log, name).newest is None)
