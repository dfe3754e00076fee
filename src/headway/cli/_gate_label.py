"""`headway gate label`: the rows whose labels tell two models apart. Neighbour: `cli/gate` hands it what was typed."""

import argparse
import os

from headway.cli import print_json
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    model = "a file of predictions, or a model: a path or name@alias"
    parser.add_argument("--new", metavar="FILE|MODEL", required=True, help=f"the challenger: {model}")
    parser.add_argument("--old", metavar="FILE|MODEL", required=True, help="the champion, likewise")
    parser.add_argument("--data", metavar="DATA", required=True, help="the rows: a file, or a dataset version")
    parser.add_argument("--key", metavar="COLUMN", required=True, help="the column that names each row")
    parser.add_argument("--target", metavar="COLUMN", default="label", help="the column to fill in (default: label)")
    parser.add_argument("--labels", metavar="FILE", action="append", default=[], help="what is labelled (repeatable)")
    parser.add_argument("--most", metavar="N", type=int, help="write at most so many rows")
    parser.add_argument("--confidence", metavar="C", type=float, default=0.95, help="the gate's (default: 0.95)")
    parser.add_argument("--out", metavar="FILE", required=True, help="where to write: .csv or .parquet")
    parser.add_argument("--force", action="store_true", help="also over a file that is there")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Find the rows, write them, tell."""
    from tempfile import gettempdir

    from headway import wiring
    from headway.core import gate_labels
    from headway.flows import gate_label
    from headway.tables.scratch import scratch
    from headway.terminal.tail import clean
    from headway.terminal.working import Working

    asked = gate_label.Asked(
        new=args.new,
        old=args.old,
        data=args.data,
        key=args.key,
        out=args.out,
        base=args.folder or os.getcwd(),
        target=args.target,
        labels=tuple(args.labels),
        most=args.most,
        confidence=args.confidence,
        force=args.force,
    )
    with (
        Working(settings.environ, f"reading {args.data}", quiet=args.json),
        wiring.look(settings) as parts,
        scratch(gettempdir(), "headway-label-") as folder,
    ):
        found = gate_label.label(parts.project(), asked, scratch=folder)
    if args.json:
        print_json(found)
    else:
        print("\n".join(clean(line) for line in gate_labels.told(found)))
    return 0
