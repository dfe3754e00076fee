"""Bring data and models of the workspace to what headway.lock pins, here or in another commit.

Group: Data and models

    git checkout OLD && headway checkout    exactly the data and the models of that commit
    headway checkout                        all that headway.lock pins: datasets, outputs, inputs kept by headway
    headway checkout data/images            what it pins at a path and below
    headway checkout HEAD~3 models          what another commit pins; headway.lock stays as it is
    headway checkout training@3             a version of a dataset, which headway.lock pins from now on
    headway checkout --force                also over content that no version holds

Nothing is lost: a path whose present content no version holds is not overwritten. Interrupted, it goes on when it is
typed again. `headway data --help` tells of references.

Exit codes: 0 done, 1 the store lacks something (headway pull), 2 no such thing, 5 unsaved content or somebody at work.
"""

import argparse

from headway import wiring
from headway.cli import print_json
from headway.config import Settings
from headway.flows import checkout
from headway.flows.checkout import Done
from headway.flows.dataset import typed
from headway.terminal import datasets
from headway.terminal.working import Working


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("words", nargs="*", metavar="WORD", help="a COMMIT, versions of datasets, paths to narrow it")
    parser.add_argument("--force", action="store_true", help="overwrite also what no version holds")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Check out and say what happened to each path."""
    with wiring.open(settings) as parts, Working(settings.environ, "looking", quiet=args.json) as working:
        project = parts.project()
        project.blobs = working.watch(project.blobs)

        def tell(one: Done) -> None:
            working.label = f"restoring, {one.path} done"

        plan = checkout.plan(project, typed(settings.folder, args.folder, args.words))
        working.label = "restoring"
        done = checkout.checkout(project, plan, force=args.force, tell=tell)
    if args.json:
        print_json({"paths": done, "pinned": plan.pins})
        return 0
    print("\n".join(datasets.checked_out(done)))
    for name, pin in plan.pins.items():
        print(f"headway.lock pins {name}@{pin.version}")
    return 0
