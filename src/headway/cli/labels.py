"""Add the truth that arrives later to the predictions that it is about: from files, as often as one likes.

Group: Production

    headway labels add may.csv                      columns request_id and label, for the only endpoint
    headway labels add may/*.parquet --endpoint churn --key order_id --label churned

A file is CSV, Parquet or JSON lines. Each label is joined to its prediction by the request's id, and by `row` where a
request has several. Of several labels for one row the latest counts: files may come late, in any order, more than once.

Exit codes: 0 done, 2 a file or column that is not there, 1 a file that cannot be read, 5 somebody else adds just now.
"""

import argparse
import os

from headway import wiring
from headway.cli import common, print_json
from headway.config import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headway.flows.labels import Added


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes: a word, and behind it options of its own."""
    below = parser.add_subparsers(metavar="WORD", required=True, title="words")
    text = "Take the labels of files into the prediction log of an endpoint."
    its = below.add_parser(
        "add", help=text, description=text, formatter_class=parser.formatter_class, allow_abbrev=False
    )
    its.add_argument("files", nargs="+", metavar="FILE", help=".csv, .csv.gz, .parquet, .jsonl or .ndjson")
    its.add_argument("--endpoint", metavar="NAME", help="whose predictions they are about (default: the only one's)")
    its.add_argument("--key", default="request_id", metavar="COLUMN", help="the request's id (default: %(default)s)")
    its.add_argument("--label", default="", metavar="COLUMN", help="the label (default: `label`, or the only one left)")
    its.add_argument("--at", default="at", metavar="COLUMN", help="since when it is known (default: %(default)s)")
    its.add_argument("--row", default="row", metavar="COLUMN", help="which row of the request (default: %(default)s)")
    common(its, default=argparse.SUPPRESS)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Add them, one file after the other."""
    from headway.flows import labels
    from headway.tables.labels import Columns

    columns = Columns(key=args.key, label=args.label, at=args.at, row=args.row)
    added = []
    with wiring.open(settings) as parts:
        world = parts.delivery()
        endpoint = labels.endpoint_of(world, args.endpoint)
        for file in args.files:
            # As seen from the project where it lies in it, so that it is called the same wherever one stands.
            path = os.path.join(args.folder or os.getcwd(), file)
            called = os.path.relpath(path, settings.folder)
            source = file if called.startswith("..") else called
            added.append(labels.add(world, endpoint, path, columns, source=source, is_counted=True))
            if not args.json:
                print("\n".join(_told(added[-1])))
    if args.json:
        print_json([{"file": one.fact.source, "was_added_before": one.was_before, **_counts(one)} for one in added])
    return 0


def _counts(one: "Added") -> dict[str, int | None]:
    fact = one.fact
    names = ("n_new", "n_corrected", "n_known", "n_older")
    told: dict[str, int | None] = {name: 0 if one.was_before else getattr(fact, name) for name in names}
    return {**told, "n_empty": one.n_empty, "n_repeated": one.n_repeated, "n_of_no_prediction": one.n_unasked}


def _told(one: "Added") -> list[str]:
    fact = one.fact
    if one.was_before:
        return [f"{fact.source}: just this was added to {fact.endpoint} before"]
    parts = [f"{fact.n_new:,} new"]
    for n, words in (
        (fact.n_corrected, "corrected"),
        (fact.n_known, "known already"),
        (fact.n_older, "older than what is known"),
        (one.n_repeated, "said again in the file"),
        (one.n_empty, "without a label yet"),
    ):
        if n:
            parts.append(f"{n:,} {words}")
    lines = [f"{fact.source}: {', '.join(parts)}, for {fact.endpoint}"]
    if one.n_unasked:
        kept = (
            "is of no prediction in the log: it is kept, in case it comes"
            if one.n_unasked == 1
            else "are of no prediction in the log: they are kept, in case they come"
        )
        lines.append(f"  {one.n_unasked:,} {kept}; see that --key names the request's id")
    return lines
