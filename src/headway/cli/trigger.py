"""Start a run as a trigger would, by hand: limits do not hold it back.

Group: The loop

    headway trigger                              a run of pipeline.yaml, when `headway up` sees it
    headway trigger --why "new labels came"      with the reason that is recorded
    headway trigger data                         as if its trigger `data` had told of something
    headway trigger --file features.yaml         of another pipeline

Exit codes: 0 it is recorded, 2 no such trigger, usage or a bad file.
"""

import argparse
import time

from headway.cli import pipeline_of, print_json, project_of
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("name", nargs="?", default="hand", metavar="NAME", help="a trigger of the file (default: hand)")
    parser.add_argument("--file", default="pipeline.yaml", metavar="FILE", help="default: %(default)s")
    parser.add_argument("--why", default="", metavar="TEXT", help="recorded with it")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Record it, and say who will start the run."""
    from headway import wiring
    from headway.core.facts import RunOptions
    from headway.flows.daemon import LEASE
    from headway.flows.event_hand import Asked, ask
    from headway.flows.events import World
    from headway.flows.surroundings import user

    settings, name = project_of(args, settings)
    pipeline = pipeline_of(settings, name, RunOptions(), keep=False)
    with wiring.open(settings) as parts:
        world = World(
            log=parts.log,
            leases=parts.leases,
            folder=settings.folder,
            home=settings.home,
            environ=settings.environ,
            source=parts.source,
            looking=True,
        )
        asked = Asked(name=args.name, why=args.why, by=user(settings.environ))
        event = ask(pipeline, world, asked, now=time.time())
        parts.log.sync()
        holder = parts.leases.holder(LEASE, now=time.time())
    if args.json:
        print_json({"pipeline": pipeline.name, "event": event, "up": holder or ""})
    elif holder:
        print(f"{pipeline.name}: {event.why}; `headway up` starts the run ({holder})")
    else:
        print(f"{pipeline.name}: {event.why}; the run begins when `headway up` is started, which is not at work here")
    return 0
