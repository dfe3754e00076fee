"""`headway models list`: every model in a line. Neighbour: `cli/models` hands it what was typed."""

import argparse

from headway.cli import print_json
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes nothing of its own."""


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print them."""
    from headway import wiring
    from headway.core.registry import summary
    from headway.flows import registry
    from headway.terminal import models

    with wiring.look(settings) as parts:
        rows = [summary(registry.read(parts.log, name)) for name in registry.names(parts.log)]
    if args.json:
        print_json(rows)
    else:
        print("\n".join(models.listed(rows)))
    return 0
