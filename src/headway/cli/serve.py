"""Serve a registered version or a model's file from this terminal, until Ctrl-C.

Group: Production

    headway serve churn@champion                     on http://127.0.0.1:8000
    headway serve models/model.pkl --port 0          any free port
    headway serve churn@3 --no-log                   predictions are not written down
    headway serve churn@3 --share 0.1 --leave-out email --hash customer_id
    headway serve churn@3 --limit queue=256 --limit answer=5s
    headway serve churn@3 churn@4 --weights 90,10 --sticky customer_id
    headway serve churn@3 --shadow churn@5=20%       churn@5 gets copies of requests, and answers nobody

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
    from typing import TypeVar

    from headway.core.limits import Limits
    from headway.core.problem import Problem
    from headway.core.recording import Recording
    from headway.core.routing import Table
    from headway.core.signature import Signature
    from headway.ports import Serving

    Read = TypeVar("Read")

MOST_PORTS = 65535
PORT = 8000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "what", metavar="MODEL", nargs="+",
        help="name@version, name@alias, or the file of a model; several versions of one model share its requests",
    )  # fmt: skip
    parser.add_argument("--weights", default="", metavar="W,W", help="of several versions, in order (default: equal)")
    parser.add_argument(
        "--sticky",
        default="",
        metavar="KEY",
        help="requests of one KEY stay with one version: a column, header:NAME, cookie:NAME",
    )
    parser.add_argument(
        "--shadow", default="", metavar="MODEL[=SHARE]", help="a version that gets copies (default: of all)"
    )
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
    if len(args.what) > 1 or args.shadow:
        return _several(args, settings, recording, limits)
    if args.weights or args.sticky:
        raise UsageMistaken(
            "one version alone has nothing to share", at="--weights, --sticky", remedy="name several versions"
        )
    with wiring.open(settings) as parts:
        offer = offered(parts.delivery(), args.what[0], recording, limits)
    from headway.serving import foreground
    from headway.serving.load import load

    serving = offer.serving
    # Before the model is loaded: who mistyped a port need not wait for it.
    shared = foreground.listen(args.host, args.port)
    folder = os.path.join(settings.home, "endpoints", serving.endpoint)
    model = load(serving, is_trusted=offer.is_trusted)
    if recording.is_on:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    host = f"[{args.host}]" if ":" in args.host else args.host
    url = f"http://{host}:{shared.getsockname()[1]}"
    foreground.serve(serving, model, shared, folder, lambda signature: _tell(serving, signature, url, folder, args))
    return 0


def _tell(serving: "Serving", signature: "Signature", url: str, folder: str, args: argparse.Namespace) -> None:
    """Say that it answers, and how it is asked."""
    from headway.serving.pages import example_row

    name = f"{serving.model}@{serving.version}" if serving.version else serving.path
    log = os.path.relpath(os.path.join(folder, "predictions")) if args.log else None
    curl = _curl(url, example_row(signature))
    if args.json:
        print_json({"url": url, "model": serving.model, "version": serving.version or None, "digest": serving.digest,
                    "format": serving.format, "curl": curl, "log": log})  # fmt: skip
    else:
        print(f"{name} answers at {url}  (page: {url}/docs; Ctrl-C ends it)")
        _tell_more(curl, log, args)
    sys.stdout.flush()


def _curl(url: str, row: dict[str, object]) -> str:
    import msgspec

    text = msgspec.json.encode(row).decode().replace("'", "'\\''")
    return f"curl -s {url}/predict -d '{text}'"


def _tell_more(curl: str, log: str | None, args: argparse.Namespace) -> None:
    share = f" (a share of {args.share:g})" if args.share < 1 else ""
    print(f"  ask it: {curl}")
    print(f"  predictions are logged in {log}{share}" if log else "  predictions are not logged")


# --- several versions -------------------------------------------------------------------------------------------


def _several(args: argparse.Namespace, settings: Settings, recording: "Recording", limits: "Limits") -> int:
    from headway.flows.serve import offered

    shadow, _, share = args.shadow.partition("=")
    names = [*args.what, *([shadow] if args.shadow else [])]
    for name in names:
        if os.path.exists(name) or "@" not in name:
            raise UsageMistaken(
                f"{name!r} is no registered version",
                at="headway serve",
                remedy="several are served as NAME@VERSION each",
            )
    # Held until this process ends, however it ends: the versions end with it.
    tether, _held = os.pipe()
    with wiring.open(settings) as parts:
        world = parts.delivery()
        servings = [offered(world, name, recording, limits).serving for name in names]
        target = parts.target_for_a_while(args.host, tether)
    models = sorted({serving.model for serving in servings})
    if len(models) > 1:
        raise UsageMistaken(
            f"{' and '.join(models)} are different models", at="headway serve", remedy="give versions of one model"
        )
    table = _table(args, [serving.version for serving in servings], share if args.shadow else None)
    folder = os.path.join(settings.home, "endpoints", servings[0].endpoint)
    from headway.serving import several

    # A version may be both: of a weight of 0, and the shadow.
    distinct = {serving.version: serving for serving in servings}
    several.serve(
        target,
        list(distinct.values()),
        table,
        host=args.host,
        port=args.port,
        ready=lambda url, row: _tell_several(servings[0], table, url, row, folder, args),
    )
    return 0


def _table(args: argparse.Namespace, versions: list[int], share: str | None) -> "Table":
    """The table that the words say; `share` is the shadow's, which is the last of the versions then."""
    from headway.core.routing import Route, Shadow, Table, faults, read_share, read_sticky, read_weights, refuse

    shadow = None
    if share is not None:
        *versions, version = versions
        shadow = Shadow(version=version, share=_read(read_share(share or "1")))
    weights = _read(read_weights(args.weights, len(versions)))
    table = Table(
        routes=tuple(Route(version=v, weight=w) for v, w in zip(versions, weights, strict=True)),
        sticky=_read(read_sticky(args.sticky)) if args.sticky else None,
        shadow=shadow,
    )
    refuse("headway serve", faults(table))
    return table


def _read(told: "Read | Problem") -> "Read":
    from headway.core.problem import Problem

    if isinstance(told, Problem):
        raise UsageMistaken(told.problem, at=f"--{told.path[0]}", remedy=told.remedy)
    return told


def _tell_several(
    serving: "Serving", table: "Table", url: str, row: dict[str, object], folder: str, args: argparse.Namespace
) -> None:
    model, shadow, sticky = serving.model, table.shadow, table.sticky
    shares = {version: share for version, share in table.shares.items() if share}
    log = os.path.relpath(os.path.join(folder, "predictions")) if args.log else None
    curl = _curl(url, row)
    if args.json:
        print_json({"url": url, "model": model, "shares": {str(v): s for v, s in shares.items()},
                    "sticky": None if sticky is None else f"{sticky.place}:{sticky.name}",
                    "shadow": None if shadow is None else {"version": shadow.version, "share": shadow.share},
                    "curl": curl, "log": log})  # fmt: skip
    else:
        names = [f"{model}@{version} ({share * 100:.4g} %)" for version, share in shares.items()]
        print(f"{' and '.join(names)} answer{'s' * (len(names) == 1)} at {url}  (page: {url}/docs; Ctrl-C ends it)")
        if sticky is not None:
            print(f"  requests of one {sticky.name} ({sticky.place}) stay with one version")
        if shadow is not None:
            print(f"  {model}@{shadow.version} gets copies of {shadow.share * 100:g} % of them, and answers nobody")
        _tell_more(curl, log, args)
    sys.stdout.flush()
