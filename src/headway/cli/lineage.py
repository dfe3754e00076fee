"""Follow one prediction back: to the version that gave it, the gate's verdict, the run, the commit, the data.

Group: Production

    headway lineage 076b10e7f4bd42eebe35d699d6299029      the X-Request-Id of an answer

Its neighbour `headway models lineage` begins at a version, or at data. Exit codes: 0 done, 2 no such prediction.
"""

import argparse
import time

from headway import wiring
from headway.cli import print_json
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("request_id", metavar="REQUEST_ID", help="the X-Request-Id of an answer, or the client's own")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Follow it."""
    from headway.flows import predictions
    from headway.terminal import models

    with wiring.look(settings) as parts:
        origin = predictions.origin(parts.log, parts.blobs, settings.home, args.request_id)
    found = origin.found
    rows = found.rows.to_dicts()
    if args.json:
        print_json({"request_id": args.request_id, "endpoint": origin.endpoint, "model": found.model,
                    "version": found.version or None, "at": found.at, "rows": rows, "labels": found.labels,
                    "lineage": origin.back})  # fmt: skip
        return 0
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(found.at))
    print(f"prediction  {args.request_id} on {origin.endpoint}, {at}, {rows[0]['ms']:.3g} ms")
    for row in rows[:3]:
        print(f"  asked     {_told(row, 'feature.')}")
        print(f"  answered  {_told(row, 'prediction')} {_told(row, 'probability.')}".rstrip())
    if len(rows) > 3:
        print(f"  and {len(rows) - 3} more rows (--json has all)")
    for label in found.labels:
        print(f"  label     row {label.row}: {label.label}")
    if origin.back is None:
        print(f"version     none: the file of {found.model} was served as it lay there")
    else:
        print("\n".join(models.lineage(origin.back)))
    return 0


def _told(row: dict[str, object], prefix: str) -> str:
    """The columns with this prefix; its name is left out where there is just one."""
    told = {name.removeprefix(prefix).lstrip("."): value for name, value in row.items() if name.startswith(prefix)}
    return ", ".join(f"{name}={value}" if name else str(value) for name, value in told.items())
