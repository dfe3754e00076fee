"""Fetch data and models from the remote and check them out: headway fetch, then headway checkout.

Group: Data and models

    git pull && headway pull            exactly the data and the models of the commit that is checked out
    headway pull HEAD~3 models          what another commit pins, at a path and below
    headway pull training@2             a version of a dataset, which headway.lock pins from now on
    headway pull --force                also over content that no version holds

The workspace is touched only when everything has come. Interrupted, it goes on when it is typed again. `headway
checkout --help` tells what is left alone, `headway push --help` of remotes.

Exit codes: 0 done, 1 the remote does not answer or lacks something, 2 no such thing, or no remote, 5 unsaved content or
somebody at work.
"""

import argparse

from headway import wiring
from headway.cli import print_json
from headway.config import Settings
from headway.flows import checkout, transfer
from headway.flows.checkout import Done
from headway.flows.dataset import typed
from headway.terminal import datasets, transfers
from headway.terminal.working import Working


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("words", nargs="*", metavar="WORD", help="a COMMIT, versions of datasets, paths to narrow it")
    parser.add_argument("--force", action="store_true", help="overwrite also what no version holds")
    parser.add_argument("--remote", metavar="URL", help="the remote (default: headway.toml)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Fetch, check out, and say what happened to each path."""
    with wiring.open(settings) as parts, Working(settings.environ, "looking", quiet=args.json) as working:
        remote, project = parts.remote(args.remote), parts.project()

        def tell(one: Done) -> None:
            working.label = f"restoring, {one.path} done"

        plan = checkout.plan(project, typed(settings.folder, args.folder, args.words))
        wanted = transfer.artifacts(plan.artifacts.values())
        moved = transfer.bring(remote, project.blobs, wanted, transfers.Going(working, "fetching"))
        transfer.see_whole(moved, remedy="`headway push` from a clone that has it; no file of yours was touched")
        working.label = "restoring"
        project.blobs = working.watch(project.blobs)
        done = checkout.checkout(project, plan, force=args.force, tell=tell)
    if args.json:
        print_json({"fetched": moved, "paths": done, "pinned": plan.pins})
        return 0
    print("\n".join([transfers.moved(moved, sent=False), *datasets.checked_out(done)]))
    for name, pin in plan.pins.items():
        print(f"headway.lock pins {name}@{pin.version}")
    return 0
