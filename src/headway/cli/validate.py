"""Check data against a schema: what is broken, in how many rows, in which, and what to do.

Group: Data and models

    headway validate data/training.csv --schema schemas/training.yaml
    headway validate training@7 --schema S --reference training@6    also what changed since then
    headway validate data/ --schema S --reference last-released      since the data of the version that serves
    headway validate X --schema S --schema T                         both must hold
    headway validate X --schema S --bad-rows bad.parquet             write the rows that break something

X is a CSV, Parquet, JSON lines or Arrow file, a folder of them, or a version of a dataset. `headway data validate` is
the same. docs/validation.md has all that a schema may say; `headway schema infer` writes a first one.

Exit codes: 0 holds (perhaps with warnings), 4 a check is broken, 1 a check could not be measured, 2 a bad schema.
"""

import argparse
import os
import sys
import time

from headway.cli import print_json
from headway.config import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headway.core.validation import DataCheck


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("data", metavar="DATA", help="a file, a folder, or a dataset version")
    parser.add_argument("--schema", metavar="FILE", action="append", required=True, help="what it must be (repeatable)")
    parser.add_argument("--reference", metavar="DATA", help="what changes are measured against; or last-released")
    parser.add_argument("--examples", type=int, default=5, metavar="N", help="rows shown of each (default: 5)")
    parser.add_argument("--bad-rows", metavar="FILE", help="write all bad rows there, as Parquet")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Review and tell."""
    from tempfile import gettempdir

    from headway import wiring
    from headway.core.private import of_verdict
    from headway.core.schema_checks import checks_of
    from headway.core.telling import rows
    from headway.flows.review import path_of, reference_of
    from headway.flows.schemas import read_schema_at
    from headway.tables.review import Asked, review
    from headway.tables.scratch import scratch
    from headway.terminal import reviews
    from headway.terminal.working import Working

    base = args.folder or os.getcwd()
    checks: list[DataCheck] = []
    for path in args.schema:
        schema, unmapped = read_schema_at(os.path.join(base, path), called=path)
        checks += checks_of(schema)
        sys.stderr.writelines(f"{path}: {one.told}\n" for one in unmapped)
    with wiring.look(settings) as parts, scratch(gettempdir(), "headway-review-") as folder:
        project = parts.project()
        data = path_of(project, args.data, folder, base=base)
        reference, against = "", ""
        if args.reference:
            reference, against = reference_of(project, args.reference, data, folder, base=base)
        asked = Asked(
            paths=(data,),
            checks=tuple(checks),
            reference=(reference,) if reference else (),
            examples=max(args.examples, 0),
            bad_rows=os.path.join(base, args.bad_rows) if args.bad_rows else "",
        )
        with Working(settings.environ, f"reading {args.data}", quiet=args.json) as working:
            found = review(
                asked,
                paths_of=lambda name: (path_of(project, name, folder),),
                now=time.time(),
                progress=working.count_rows,
            )
    verdict = of_verdict(found.verdict, settings.private)
    if args.json:
        print_json({"data": args.data, "against": against, "n_bad_rows": found.n_bad_rows, "verdict": verdict})
    else:
        print("\n".join(reviews.reviewed(verdict, called=args.data, against=against)))
        if found.n_bad_rows is not None:
            print(f"\n{rows(found.n_bad_rows, 'bad')} written to {args.bad_rows}")
    return {"pass": 0, "warn": 0, "fail": 4, "error": 1}[verdict.outcome]
