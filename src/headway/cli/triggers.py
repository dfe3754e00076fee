"""Say what may start runs, when the next one begins, and why the last one did or did not.

Group: The loop

    headway triggers                   of pipeline.yaml in this folder
    headway triggers a.yaml b.yaml     of several pipelines

Everything is looked at as `headway up` would: files, Git and its remote, time tables, monitors. Nothing is changed or
started. docs/triggers.md tells how each of them works.
"""

import argparse
import time

from headway.cli import pipeline_of, print_json, project_of
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="pipelines (default: pipeline.yaml)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Look at them and say how they stand."""
    from headway import wiring
    from headway.core.event_outlook import told
    from headway.core.facts import RunOptions
    from headway.flows.daemon import LEASE
    from headway.flows.event_outlook import look
    from headway.flows.events import World

    views, holders = [], []
    for file in args.files or ["pipeline.yaml"]:
        own, name = project_of(argparse.Namespace(folder=args.folder, file=file), settings)
        pipeline = pipeline_of(own, name, RunOptions(), keep=False)
        with wiring.look(own) as parts:
            world = World(
                log=parts.log,
                leases=parts.leases,
                folder=own.folder,
                home=own.home,
                environ=own.environ,
                source=parts.source,
                looking=True,
            )
            views.append(look(pipeline, world, now=time.time()))
            holders.append(parts.leases.holder(LEASE, now=time.time()))
    if args.json:
        print_json({"triggers": views, "up": [holder or "" for holder in holders]})
        return 0
    for view in views:
        print("\n".join(told(view)))
    if not all(holders):
        print("nothing starts by itself here: `headway up` is not at work")
    return 0
