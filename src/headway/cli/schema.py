"""Write a first schema of data, and say what changed between two.

Group: Data and models

    headway schema infer data/training.csv > schemas/training.yaml    what data of this source keep; go on by hand
    headway schema infer training@7                                   of a version of a dataset
    headway schema diff schemas/old.yaml schemas/training.yaml        what data may now be, the most harmful first
    headway schema checks schemas/training.yaml                       every check that it means, in words
    headway schema import suite.json > schemas/training.yaml          what a suite of another tool means here

What is inferred leaves room: bounds are rounded outwards, values are listed only where an unseen one is improbable.
Suites of pandera, Great Expectations and TFDV are read wherever a schema is. docs/validation.md has all that a schema
may say. `headway data schema` is the same.
"""

import argparse
import os
import sys

from headway.cli import print_json
from headway.config import Settings
from headway.errors import UsageMistaken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from headway.codec.suites.draft import Unmapped
    from headway.core.schema import Schema

_WORDS = {"infer": ("DATA",), "diff": ("BEFORE", "AFTER"), "checks": ("SCHEMA",), "import": ("SUITE",)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("what", choices=tuple(_WORDS), help="what to do")
    parser.add_argument("words", nargs="*", metavar="WORD", help="infer DATA; diff A B; checks SCHEMA; import SUITE")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Do the one thing asked for."""
    takes = _WORDS[args.what]
    if len(args.words) != len(takes):
        raise UsageMistaken(
            f"`{args.what}` takes {' and '.join(takes)}, and {len(args.words)} were given",
            at="headway schema",
            remedy=f"write `headway schema {args.what} {' '.join(takes)}`",
        )
    base = args.folder or os.getcwd()
    if args.what == "infer":
        return _infer(args, settings, base)
    from headway.flows.schemas import read_schema_at

    read = [read_schema_at(os.path.join(base, word), called=word) for word in args.words]
    if args.what == "import":
        return _import(args, *read[0])
    for word, (_, unmapped) in zip(args.words, read, strict=True):
        sys.stderr.writelines(f"{word}: {one.told}\n" for one in unmapped)
    schemas = [schema for schema, _ in read]
    return _diff(args, *schemas) if args.what == "diff" else _checks(args, *schemas)


def _infer(args: argparse.Namespace, settings: Settings, base: str) -> int:
    from tempfile import gettempdir

    from headway import wiring
    from headway.codec.schema_text import schema_text
    from headway.core.infer import infer
    from headway.core.telling import rows
    from headway.flows.review import path_of
    from headway.tables.batches import open_data
    from headway.tables.profile import profile
    from headway.tables.scratch import scratch
    from headway.terminal.working import Working

    (name,) = args.words
    with (
        wiring.look(settings) as parts,
        scratch(gettempdir(), "headway-review-") as folder,
        open_data([path_of(parts.project(), name, folder, base=base)]) as data,
        Working(settings.environ, f"reading {name}", quiet=args.json) as working,
    ):
        seen = profile(data, progress=working.count_rows)
    found = infer(seen)
    if args.json:
        print_json({"schema": found.schema, "notes": found.notes})
        return 0
    head = f"Inferred from {name} ({rows(seen.n_rows)}). Read it, mend it, keep it in Git: it is yours from now on."
    print(schema_text(found.schema, found.notes, head), end="")
    return 0


def _diff(args: argparse.Namespace, before: "Schema", after: "Schema") -> int:
    from headway.core.schema_changes import changes_between
    from headway.terminal.words import table

    changes = changes_between(before, after)
    if args.json:
        print_json({"before": args.words[0], "after": args.words[1], "changes": changes})
    elif not changes:
        print("both ask the same")
    else:
        rows = [[change.effect, change.severity, change.at, change.says] for change in changes]
        print("\n".join(table(rows)))
    return 0


def _checks(args: argparse.Namespace, schema: "Schema") -> int:
    from headway.core.finding_words import rule
    from headway.core.schema_checks import checks_of
    from headway.terminal.words import table

    checks = checks_of(schema)
    if args.json:
        print_json({"schema": args.words[0], "checks": checks})
    elif not checks:
        print("it asks nothing")
    else:
        print("\n".join(table([[check.severity, check.at, rule(check)] for check in checks])))
    return 0


def _import(args: argparse.Namespace, schema: "Schema", unmapped: "Sequence[Unmapped]") -> int:
    from headway.codec.schema_text import schema_text

    if args.json:
        print_json({"schema": schema, "unmapped": unmapped})
        return 0
    head = [f"What {args.words[0]} means.", *(one.told for one in unmapped)]
    print(schema_text(schema, None, "\n".join(head)), end="")
    return 0
