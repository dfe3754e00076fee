"""Send data and models to the remote, so that others can pull them: only what it lacks.

Group: Data and models

    headway push                        what headway.lock pins, the newest datasets, all registered model versions
    headway push training@3 churn@12    these versions; also a path, a commit, a digest
    headway push --all                  every version that there is
    headway push --remote s3://team/x   to another place, this once

The remote is `url` under `[remote]` in headway.toml: s3://, gs://, az:// or file:///FOLDER; credentials come from the
usual variables. Several may push at once. A reader finds a folder whole or not at all. Interrupted, it goes on near
where it was when it is typed again.

Exit codes: 0 done, 1 the remote does not do it or something is lost here, 2 no such thing, or no remote.
"""

import argparse

from headway import wiring
from headway.cli import print_json
from headway.config import Settings
from headway.flows import share, transfer
from headway.flows.dataset import typed
from headway.terminal import transfers
from headway.terminal.working import Working


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="NAME, NAME@VERSION, PATH, COMMIT (default: see above)"
    )
    parser.add_argument("--all", action="store_true", help="every version of data and models")
    parser.add_argument("--remote", metavar="URL", help="the remote (default: headway.toml)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Send and say how much that was."""
    with wiring.open(settings) as parts, Working(settings.environ, "looking", quiet=args.json) as working:
        remote, project = parts.remote(args.remote), parts.project()
        words = typed(settings.folder, args.folder, args.words)
        wanted = share.meant(project, words, is_all=args.all, otherwise=share.to_send)
        moved = transfer.send(project.blobs, remote, wanted, transfers.Going(working, "sending"))
    if args.json and not moved.lost:
        print_json(moved)
    elif not args.json:
        print(transfers.moved(moved, sent=True))
    transfer.see_whole(
        moved, remedy="`headway data verify` tells what else is lost here; push from a clone that has it"
    )
    return 0
