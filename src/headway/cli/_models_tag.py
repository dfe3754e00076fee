"""`headway models tag`: what people say of a version, by name. Neighbour: `cli/models` hands it what was typed."""

import argparse
import time

from headway.cli import print_json
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("ref", metavar="MODEL@VERSION", help="the version, by number or alias")
    parser.add_argument("tags", metavar="NAME=VALUE", nargs="*", help="tags to set; without any they are shown")
    parser.add_argument("--remove", metavar="NAME", action="append", default=[], help="take a tag off")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Set, take off, and say what they are now."""
    from headway import wiring
    from headway.flows import registry
    from headway.flows.surroundings import user

    wanted = {**_read(args.tags), **dict.fromkeys(args.remove)}
    with wiring.open(settings) if wanted else wiring.look(settings) as parts:
        model, made = registry.named(parts.log, args.ref)
        by = user(settings.environ)
        for name, value in wanted.items():
            registry.tag(parts.log, model.name, made.version, name, value, now=time.time(), by=by)
        tags = registry.read(parts.log, model.name).tags_of(made.version)
    if args.json:
        print_json({"version": f"{model.name}@{made.version}", "tags": tags})
    else:
        print("\n".join(f"{n} = {v}" for n, v in tags.items()) or f"{model.name}@{made.version} has no tags")
    return 0


def _read(texts: list[str]) -> dict[str, str | None]:
    from headway.errors import UsageMistaken

    found: dict[str, str | None] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageMistaken(
                f"{text!r} is not NAME=VALUE", at="headway models tag", remedy='write stage=production or owner="Ann B"'
            )
        found[name] = value
    return found
