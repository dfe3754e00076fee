"""Serve a registered version or a model's file from this terminal, until Ctrl-C.

Group: Production

    headway serve churn@champion                     on http://127.0.0.1:8000
    headway serve models/model.pkl --port 0          any free port
    headway serve churn@3 --no-log                   predictions are not written down
    headway serve churn@3 --share 0.1 --leave-out email --hash customer_id
    headway serve churn@3 --limit queue=256 --limit answer=5s

Nothing is recorded as a release, and nothing starts it again: for production there is `headway deploy`. Ctrl-C lets
clients finish; a second one does not. Exit codes: 0 ended by Ctrl-C, 2 no such model, or the port is taken.
"""

import argparse
import os
import sys

from headway import wiring
from headway.cli import print_json
from headway.config import Settings
from headway.errors import UsageMistaken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headway.core.signature import Signature
    from headway.ports import Serving

MOST_PORTS = 65535
PORT = 8000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("what", metavar="MODEL", help="name@version, name@alias, or the file of a model")
    parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}; 0: any free one")
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine only")
    parser.add_argument(
        "--log", action=argparse.BooleanOptionalAction, default=True, help="write predictions down (the default)"
    )
    parser.add_argument("--share", type=float, default=1.0, help="of the requests that are logged, 0 to 1 (default: 1)")
    parser.add_argument("--leave-out", action="append", default=[], metavar="COLUMN", help="do not log this column")
    parser.add_argument("--hash", action="append", default=[], metavar="COLUMN", help="log only a hash of it")
    parser.add_argument(
        "--limit", action="append", default=[], metavar="KEY=VALUE",
        help="how much clients may ask: queue=256, body=4MB, answer=5s, …",
    )  # fmt: skip


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Serve it."""
    from headway.core.keyed import read_words
    from headway.core.limits import KEYS, Limits
    from headway.core.recording import Recording
    from headway.flows.serve import offered

    if not 0 <= args.port <= MOST_PORTS:
        raise UsageMistaken(f"{args.port} is no port", at="--port", remedy=f"give one from 0 to {MOST_PORTS}")
    if not 0 <= args.share <= 1:
        raise UsageMistaken(f"a share of {args.share:g} is none", at="--share", remedy="give a number from 0 to 1")
    recording = Recording(is_on=args.log, share=args.share, leave_out=tuple(args.leave_out), hashed=tuple(args.hash))
    limits = Limits(**read_words(args.limit, KEYS, at="--limit"))
    with wiring.open(settings) as parts:
        offer = offered(parts.delivery(), args.what, recording, limits)
    from headway.serving import foreground

    serving = offer.serving
    # Before the model is loaded: who mistyped a port need not wait for it.
    shared = foreground.listen(args.host, args.port)
    folder = os.path.join(settings.home, "endpoints", serving.endpoint)
    model = foreground.load(serving, is_trusted=offer.is_trusted)
    if recording.is_on:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    host = f"[{args.host}]" if ":" in args.host else args.host
    url = f"http://{host}:{shared.getsockname()[1]}"
    foreground.serve(serving, model, shared, folder, lambda signature: _tell(serving, signature, url, folder, args))
    return 0


def _tell(serving: "Serving", signature: "Signature", url: str, folder: str, args: argparse.Namespace) -> None:
    """Say that it answers, and how it is asked."""
    import msgspec

    from headway.serving.pages import example_row

    name = f"{serving.model}@{serving.version}" if serving.version else serving.path
    log = os.path.relpath(os.path.join(folder, "predictions")) if args.log else None
    row = msgspec.json.encode(example_row(signature)).decode().replace("'", "'\\''")
    curl = f"curl -s {url}/predict -d '{row}'"
    if args.json:
        print_json({"url": url, "model": serving.model, "version": serving.version or None, "digest": serving.digest,
                    "format": serving.format, "curl": curl, "log": log})  # fmt: skip
    else:
        share = f" (a share of {args.share:g})" if args.share < 1 else ""
        print(f"{name} answers at {url}  (page: {url}/docs; Ctrl-C ends it)")
        print(f"  ask it: {curl}")
        print(f"  predictions are logged in {log}{share}" if log else "  predictions are not logged")
    sys.stdout.flush()
