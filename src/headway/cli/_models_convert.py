"""`headway models convert`: a registered version as ONNX, proven on rows. `cli/models` hands it what was typed."""

import argparse
import time

from headway.cli import print_json
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("ref", metavar="MODEL@VERSION", help="a version by number or alias")
    parser.add_argument("--data", metavar="FILE", required=True, help="real rows: at least 100 are asked of both")
    parser.add_argument("--target", metavar="COLUMN", default="", help="a column of the rows that is no input")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Convert it; 1 when the version is served as it was, for nothing was proven."""
    from headway import wiring
    from headway.core.examined import latencies, told
    from headway.flows import convert
    from headway.flows.surroundings import user

    with wiring.open(settings) as parts:
        done = convert.convert(
            parts.log,
            parts.blobs,
            args.ref,
            args.data,
            trust=parts.trust,
            folder=settings.folder,
            now=time.time(),
            by=user(settings.environ),
            target=args.target,
        )
    if args.json:
        print_json(done)
    else:
        print(f"{done.model}@{done.version} {told(done.onnx)}")
        for line in latencies(done.latency):
            print(f"  {line}")
    return 0 if done.onnx.digest is not None else 1
