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
from headway.core.telling import percent
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
    if view.override:
        notes.append(f"no gate let it pass, {view.by or 'somebody'} answers for it: {view.override}")
    notes += _under_way(view)
    since = words.ago(time.time() - view.since)
    health = "well" if view.is_healthy else "NOT WELL"
    return [view.endpoint, f"{view.model}@{view.version}", health, view.url, since, "; ".join(notes)]


def _under_way(view: EndpointView) -> list[str]:
    """What becomes of a release that did not end yet, and who answers what meanwhile."""
    if view.open is None:
        return []
    if not view.stage and view.driver is not None:
        return [f"version {view.open} is on its way: headway rollout status {view.endpoint}"]
    if not view.stage:
        way_on = f"`headway up` goes on with it, or headway rollout watch {view.endpoint}"
        return [f"the release of version {view.open} has begun, and nobody drives it: {way_on}"]
    parts = [f"version {version} {percent(share)}" for version, share in view.shares.items() if share]
    parts += [f"copies of {percent(share)} to version {version}" for version, share in view.copies.items()]
    what = "bakes" if view.is_baking else "is held" if view.is_held else "is tried"
    told = f"version {view.open} {what} ({view.stage})"
    if view.driver is None and not view.is_held:
        told += f", nobody drives it: headway rollout watch {view.endpoint}"
    else:
        told += f": headway rollout status {view.endpoint}"
    return [*([", ".join(parts)] if len(parts) > 1 else []), told]
