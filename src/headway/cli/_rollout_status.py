"""`headway rollout status`: how releases stand, or ended. Neighbour: `cli/rollout` hands it what was typed."""

import argparse
import os
import sys
import time

from headway.cli import print_json
from headway.config import Settings
from headway.errors import UsageMistaken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from headway.core.rollout_view import ReleaseView
    from headway.flows.rollout_view import Looked
    from headway.wiring import Parts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("endpoint", nargs="?", metavar="ENDPOINT", help="default: all where a release is under way")
    parser.add_argument("--release", type=int, metavar="N", help="that one of the endpoint (default: the newest)")
    parser.add_argument("--every", action="store_true", help="every guard and slice, also those that are quiet")
    parser.add_argument("--svg", metavar="FILE", help="write how its evidence went as a picture")
    parser.add_argument("--all", action="store_true", help="every release of the endpoint, a line each, newest first")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Find it and show it."""
    from headway import wiring

    for word in ("all", "release", "svg"):
        if getattr(args, word) and args.endpoint is None:
            remedy = f"write `headway rollout status ENDPOINT --{word}`"
            raise UsageMistaken("the releases of one endpoint are meant", at=f"--{word}", remedy=remedy)
    for word in ("release", "svg", "every"):
        if args.all and getattr(args, word):
            remedy = f"leave --all away to see one release, or --{word} to list them"
            raise UsageMistaken("every release gets a line alone", at=f"--{word}", remedy=remedy)
    with wiring.look(settings) as parts:
        if args.all:
            from headway.flows.rollout_view import history

            _show_all(history(parts.log, args.endpoint), args)
        else:
            found = _looked(args, parts)
            if args.svg:
                _draw(found[0], args, parts)
            _show(found, args, settings)
    return 0


def _looked(args: argparse.Namespace, parts: "Parts") -> "list[Looked]":
    """The releases that are meant: without a name those under way, or where there are none the newest of each."""
    from headway.flows.rollout import names
    from headway.flows.rollout_view import look

    if args.endpoint is not None:
        return [look(parts.log, parts.leases, args.endpoint, now=time.time(), release=args.release)]
    found = [look(parts.log, parts.leases, name, now=time.time()) for name in names(parts.log)]
    return [one for one in found if not one.release.outcome] or found


def _draw(looked: "Looked", args: argparse.Namespace, parts: "Parts") -> None:
    """Write the picture. Raises NameUnknown, SystemRefused."""
    from headway.codec.rollout_svg import drawn
    from headway.core.rollout_picture import headline, told_end
    from headway.flows.page import write_page
    from headway.flows.rollout_view import course

    view = looked.release
    said = told_end(view, now=looked.at) if view.outcome else headline(view, now=looked.at)
    found = course(parts.log, view.endpoint, release=view.release, now=looked.at)
    title = f"release {view.release} of {view.endpoint}: {view.model}@{view.version}"
    write_page(os.path.join(args.folder or os.getcwd(), args.svg), [drawn(found, title=title, said=said)])


def _show(found: "Sequence[Looked]", args: argparse.Namespace, settings: Settings) -> None:
    from headway.terminal.out import Out
    from headway.terminal.paint import paint_for
    from headway.terminal.rollouts import status

    if args.json:
        print_json(found if args.endpoint is None else found[0])
        return
    if not found:
        print("no release yet: a `deploy` step or `headway deploy` makes one")
        return
    paint = paint_for(sys.stdout, settings.environ)
    columns = Out(sys.stdout).size()[0] if sys.stdout.isatty() else 100
    for i, one in enumerate(found):
        lines = status(one, columns=max(columns, 40), paint=paint, every=args.every)
        print("\n" * (i > 0) + "\n".join(painted for _, painted in lines))
    if args.svg:
        print(f"wrote {args.svg}")


def _show_all(views: "Sequence[ReleaseView]", args: argparse.Namespace) -> None:
    from headway.terminal.out import Out
    from headway.terminal.rollouts import listed

    if args.json:
        print_json(views)
        return
    columns = Out(sys.stdout).size()[0] if sys.stdout.isatty() else 0
    print("\n".join(listed(views, now=time.time(), columns=columns)))
