"""`headway models show`: a model, or one of its versions, also as a card. `cli/models` hands it what was typed."""

import argparse

from headway.cli import print_json
from headway.config import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headway.wiring import Parts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("ref", metavar="MODEL[@VERSION]", help="a model, or a version by number or alias")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--card", action="store_true", help="the version's model card, in Markdown")
    how.add_argument("--packages", action="store_true", help="what was installed where it was made, a line each")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Show it."""
    from headway import wiring

    with wiring.look(settings) as parts:
        if "@" in args.ref or args.card or args.packages:
            _version(args, parts)
        else:
            _model(args, parts)
    return 0


def _model(args: argparse.Namespace, parts: "Parts") -> None:
    from headway.core.registry import cards
    from headway.flows import registry
    from headway.terminal import models

    model = registry.known(parts.log, args.ref)
    if args.json:
        print_json({"model": model.name, "versions": cards(model), "moves": model.moves()})
    else:
        print("\n".join(models.versions(model)))


def _version(args: argparse.Namespace, parts: "Parts") -> None:
    from headway.core.card import markdown
    from headway.flows import lineage
    from headway.terminal import models

    found = lineage.of_version(parts.log, parts.blobs, args.ref)
    match args:
        case argparse.Namespace(card=True, json=True):
            print_json({"card": markdown(found)})
        case argparse.Namespace(card=True):
            print(markdown(found), end="")
        case argparse.Namespace(packages=True, json=True):
            print_json(found.packages)
        case argparse.Namespace(packages=True):
            print("\n".join(found.packages or ("the packages of this version are not kept",)))
        case argparse.Namespace(json=True):
            print_json(found.card)
        case _:
            print("\n".join(models.version(found)))
