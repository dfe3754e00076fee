"""Put a registered version on an endpoint by hand, as a `deploy` step would.

Group: Production

    headway deploy flights@3 --endpoint flights --golden tests/golden.jsonl
    headway deploy flights@champion --endpoint flights       after a restart of the machine
    headway deploy flights@3 --endpoint flights --log share=0.1 --limit queue=256

Predictions are logged and clients limited as the newest release there said, but for what is named here.

Exit code 7: the version did not take over; what served before still serves.
"""

import argparse
import os
import time

from msgspec.structs import replace

from headway import wiring
from headway.cli import print_json
from headway.config import Settings
from headway.core.ids import is_name, parse_model_ref
from headway.core.keyed import read_words
from headway.core.limits import KEYS as LIMIT_KEYS
from headway.core.limits import Limits
from headway.core.recording import KEYS as LOG_KEYS
from headway.core.recording import Recording
from headway.core.rollout import Order
from headway.errors import NameUnknown, UsageMistaken

MOST_PORTS = 65535


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("model", metavar="MODEL", help="name@version or name@alias")
    parser.add_argument("--endpoint", required=True, metavar="NAME", help="where it shall serve")
    parser.add_argument("--target", default="local", metavar="TARGET", help="where the endpoint lives (default: local)")
    parser.add_argument("--golden", default="", metavar="FILE", help="golden requests, JSON lines")
    parser.add_argument("--port", type=int, default=0, help="default: the one the endpoint has, or any free one")
    parser.add_argument(
        "--log", action="append", default=[], metavar="KEY=VALUE",
        help="how predictions are logged: share=0.1, leave-out=email,phone, hash=id, keep=30d, keep-size=5GB",
    )  # fmt: skip
    parser.add_argument("--no-log", action="store_true", help="do not log them")
    parser.add_argument(
        "--limit", action="append", default=[], metavar="KEY=VALUE",
        help="how much clients may ask: queue=256, body=4MB, answer=5s, …",
    )  # fmt: skip
    parser.add_argument("--why", default="", metavar="TEXT", help="recorded with it")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Release it."""
    from headway.flows import registry
    from headway.flows.release import release
    from headway.flows.release import settings as settings_of

    if not is_name(args.endpoint):
        raise UsageMistaken(
            f"{args.endpoint!r} cannot be an endpoint's name", at="--endpoint", remedy="use letters, digits and -_."
        )
    if not 0 <= args.port <= MOST_PORTS:
        raise UsageMistaken(f"{args.port} is no port", at="--port", remedy=f"give one from 1 to {MOST_PORTS}, or none")
    ref = parse_model_ref(args.model)
    with wiring.open(settings) as parts:
        version = registry.known(parts.log, ref.name).resolve(ref)
        if version is None:
            raise NameUnknown(f"there is no {ref}", at="MODEL", remedy="`headway models` lists the versions")
        world = parts.delivery()
        recording, limits = _changed(*settings_of(world, args.endpoint), args)
        order = Order(
            endpoint=args.endpoint,
            model=version.model,
            version=version.version,
            # Each call by hand is an act of its own.
            key=f"hand/{os.getpid()}/{time.time_ns()}",
            target=args.target,
            port=args.port,
            why=args.why,
            by=world.by,
            recording=recording,
            limits=limits,
        )
        done = release(world, order, golden_file=args.golden)
    if args.json:
        print_json(done)
        return 0
    print(done)
    if version.verdict is None:
        print("  note: no verdict of a gate is recorded with this version")
    return 0


def _changed(recording: Recording, limits: Limits, args: argparse.Namespace) -> tuple[Recording, Limits]:
    """What was, but for what the words of the command say. Raises UsageMistaken."""
    told = read_words(args.log, LOG_KEYS, at="--log")
    if told or args.no_log:
        recording = replace(recording, is_on=not args.no_log, **told)
    return recording, replace(limits, **read_words(args.limit, LIMIT_KEYS, at="--limit"))
