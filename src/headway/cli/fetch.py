"""Fetch data and models from the remote into the local store; the workspace stays as it is.

Group: Data and models

    headway fetch                       what headway.lock pins
    headway fetch HEAD~3 training@2     what a commit pins, a version; also a path, a digest
    headway fetch --all                 every version that is known here
    headway fetch --remote s3://team/x  from another place, this once

Only what is not here comes; every byte is verified. Interrupted, it goes on near where it was when it is typed again.
`headway pull` fetches and checks out. `headway push --help` tells of remotes.

Exit codes: 0 done, 1 the remote does not answer or lacks something, 2 no such thing, or no remote.
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
    parser.add_argument("words", nargs="*", metavar="WORD", help="COMMIT, NAME, NAME@VERSION, PATH (default: the lock)")
    parser.add_argument("--all", action="store_true", help="every version of data and models that is known here")
    parser.add_argument("--remote", metavar="URL", help="the remote (default: headway.toml)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Fetch and say how much that was."""
    with wiring.open(settings) as parts, Working(settings.environ, "looking", quiet=args.json) as working:
        remote, project = parts.remote(args.remote), parts.project()
        words = typed(settings.folder, args.folder, args.words)
        wanted = share.meant(project, words, is_all=args.all)
        moved = transfer.bring(remote, project.blobs, wanted, transfers.Going(working, "fetching"))
    if args.json and not moved.lost:
        print_json(moved)
    elif not args.json:
        print(transfers.moved(moved, sent=False))
    transfer.see_whole(moved, remedy="`headway push` from a clone that has it")
    return 0
