"""Show what data are like, column by column: kinds, gaps, distinct values, ends, histograms, frequent values.

Group: Data and models

    headway profile data/training.csv                 a line for each column
    headway profile training@7                        of a version of a dataset
    headway profile data/2024/ data/2025/             several files and folders as one table
    headway profile X --columns age,fare              all that is known of these
    headway profile X --html profile.html             a page that stands alone; --json is for machines

CSV (also .gz, .zst), Parquet, JSON lines and Arrow are read, in memory that does not grow with the rows. `headway data
profile` is the same. `headway schema infer` makes a schema of what is found.
"""

import argparse
import os

from headway.cli import print_json
from headway.config import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headway.core.profile import Profile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "data", nargs="+", metavar="DATA", help="files, folders or dataset versions: one table together"
    )
    parser.add_argument("--columns", metavar="A,B", help="only these, and all that is known of them")
    parser.add_argument("--correlations", action="store_true", help="how columns of numbers go together, too")
    parser.add_argument("--html", metavar="FILE", help="write a page that stands alone")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Read and tell."""
    from headway.terminal import profiles

    called = profiles.together(args.data)
    found = _profile(args, settings, called)
    if args.html:
        from headway.codec.page_profile import page_of
        from headway.flows.page import write_page

        write_page(os.path.join(args.folder or os.getcwd(), args.html), page_of(found, called=called))
    if args.json:
        print_json(found)
    elif args.html:
        print(profiles.written(found, args.html))
    else:
        _show(found, called, settings, is_whole=args.columns is None)
    return 0


def _profile(args: argparse.Namespace, settings: Settings, called: str) -> "Profile":
    from tempfile import gettempdir

    import msgspec

    from headway import wiring
    from headway.core.private import of_profile
    from headway.flows.review import path_of
    from headway.tables.batches import open_data
    from headway.tables.profile import profile
    from headway.tables.scratch import scratch
    from headway.terminal.working import Working

    base = args.folder or os.getcwd()
    # What is named twice is shown once.
    columns = list(dict.fromkeys(name.strip() for name in args.columns.split(","))) if args.columns else None
    with (
        Working(settings.environ, f"reading {called}", quiet=args.json) as working,
        wiring.look(settings) as parts,
        scratch(gettempdir(), "headway-profile-") as folder,
        open_data([path_of(parts.project(), name, folder, base=base) for name in args.data]) as data,
    ):
        found = profile(data, columns=columns, correlations=args.correlations, progress=working.count_rows)
    # Where a version was laid out to be read is gone now: it has the name that was typed.
    return of_profile(msgspec.structs.replace(found, sources=tuple(args.data)), settings.private)


def _show(found: "Profile", called: str, settings: Settings, *, is_whole: bool) -> None:
    import sys

    from headway.terminal import profiles
    from headway.terminal.out import Out
    from headway.terminal.paint import paint_for

    # What is not looked at on a screen may be as wide as it is.
    columns = Out(sys.stdout).size()[0] if sys.stdout.isatty() else 200
    unicode = paint_for(sys.stdout, settings.environ).ellipsis == "…"
    if is_whole:
        print("\n".join(profiles.table(found, called=called, columns=columns, unicode=unicode)))
        return
    parts = [profiles.details(one, columns=min(columns, 100), unicode=unicode) for one in found.columns]
    print("\n\n".join("\n".join(part) for part in parts))
    print("\n".join(profiles.correlations(found)), end="\n" if found.correlations else "")
