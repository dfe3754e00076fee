"""Show what serves where, or take an endpoint down.

Group: Production

    headway endpoints                   every endpoint, what serves there, whether it is well
    headway endpoints --stop flights    drain and end it; its port is remembered
"""

import argparse
import time

from headway import wiring
from headway.cli import print_json
from headway.config import Settings
from headway.flows.endpoints import EndpointView, endpoints
from headway.terminal import words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--stop", metavar="ENDPOINT", help="take this one down")
    parser.add_argument("--why", default="", metavar="TEXT", help="recorded with --stop")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Show them, or take one down."""
    with wiring.open(settings) if args.stop else wiring.look(settings) as parts:
        world = parts.delivery()
        if args.stop:
            from headway.flows.release import stop

            stop(world, args.stop, why=args.why)
        views = endpoints(world)
    if args.json:
        print_json(views)
    elif args.stop:
        print(f"{args.stop} is down; deploying to it again takes the same port")
    elif not views:
        print("no endpoint yet: a `deploy` step makes one")
    else:
        print("\n".join(words.table([_row(view) for view in views])))
    return 0


def _row(view: EndpointView) -> list[str]:
    if view.version is None:
        return [view.endpoint, "-", "down", "", "", view.detail]
    notes = [view.detail] if view.detail else []
    if view.previous is not None:
        notes.append(f"back: headway rollback {view.endpoint} (to version {view.previous})")
    if view.open is not None:
        notes.append(f"the release of version {view.open} was left in the middle: deploy again")
    since = words.ago(time.time() - view.since)
    health = "well" if view.is_healthy else "NOT WELL"
    return [view.endpoint, f"{view.model}@{view.version}", health, view.url, since, "; ".join(notes)]
