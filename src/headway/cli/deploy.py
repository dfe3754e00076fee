"""Put a registered version on an endpoint by hand, at once or step by step, as a `deploy` step would.

Group: Production

    headway deploy flights@3 --endpoint flights --golden tests/golden.jsonl
    headway deploy flights@champion --endpoint flights       after a restart of the machine
    headway deploy flights@3 --endpoint flights --log share=0.1 --limit queue=256
    headway deploy flights@3 --endpoint flights --strategy "canary: 10% for 10000 requests, promote, bake: 14d"

Predictions are logged and clients limited as the newest release there said, but for what is named here. With a strategy
this drives the release up to its promotion; `headway rollout` follows, plans and directs it.

Exit codes: 6 it waits for a person; 7 the version did not take over, or not for long: what served before still serves.
"""

import argparse
import os
import sys
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
from headway.core.strategy import Strategy, columns_of, is_watched
from headway.core.strategy_typed import OPTIONS, read_typed
from headway.core.vetting import read_within
from headway.errors import NameUnknown, UsageMistaken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headway.core.facts import ModelRegistered
    from headway.core.rollout import Released
    from headway.wiring import Parts

MOST_PORTS = 65535

INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("model", metavar="MODEL", help="name@version or name@alias")
    parser.add_argument("--endpoint", required=True, metavar="NAME", help="where it shall serve")
    parser.add_argument("--target", default="local", metavar="TARGET", help="where the endpoint lives (default: local)")
    parser.add_argument("--golden", default="", metavar="FILE", help="golden requests, JSON lines")
    parser.add_argument("--golden-within", default="", metavar="TIME", help="how long each may take: 50ms")
    parser.add_argument("--override", default="", metavar="REASON", help="release it although no gate let it pass")
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
    for option in OPTIONS:
        action = "append" if option.is_many else "store"
        parser.add_argument(option.flag, action=action, metavar=option.metavar, help=option.help)
    parser.add_argument("--why", default="", metavar="TEXT", help="recorded with it")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Release it."""
    if not is_name(args.endpoint):
        raise UsageMistaken(
            f"{args.endpoint!r} cannot be an endpoint's name", at="--endpoint", remedy="use letters, digits and -_."
        )
    if not 0 <= args.port <= MOST_PORTS:
        raise UsageMistaken(f"{args.port} is no port", at="--port", remedy=f"give one from 1 to {MOST_PORTS}, or none")
    from headway.flows.release import settings as settings_of

    strategy = _strategy(args)
    with wiring.open(settings) as parts:
        version = _version(args.model, parts)
        world = parts.delivery()
        recording, limits = _changed(*settings_of(world, args.endpoint), args)
        _see_watched(strategy, recording)
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
            strategy=strategy,
            override=args.override,
            within_ms=_within(args.golden_within),
        )
        done = _released(order, args, parts, settings)
        if done is None:
            return INTERRUPTED
    if args.json:
        print_json(done)
        return done.exit_code
    print(done)
    if done.outcome == "held":
        print(f"  next: headway rollout promote {done.endpoint} or headway rollout abort {done.endpoint}")
    for note in done.notes:
        print(f"  note: {note}")
    return done.exit_code


def _version(model: str, parts: "Parts") -> "ModelRegistered":
    from headway.flows import registry

    ref = parse_model_ref(model)
    version = registry.known(parts.log, ref.name).resolve(ref)
    if version is None:
        raise NameUnknown(f"there is no {ref}", at="MODEL", remedy="`headway models` lists the versions")
    return version


def _within(text: str) -> float:
    within = read_within(text) if text else 0.0
    if within is None:
        raise UsageMistaken(f"{text!r} is no time", at="--golden-within", remedy="write 50ms, or a number of seconds")
    return within


def _strategy(args: argparse.Namespace) -> Strategy | None:
    """The strategy that was typed; None: at once. Raises UsageMistaken, FileFaulty."""
    typed = {option.key: said for option in OPTIONS if (said := getattr(args, option.name)) is not None}
    if typed and args.strategy is None:
        flag = next(option.flag for option in OPTIONS if option.key in typed)
        remedy = 'say how traffic moves: --strategy "canary: 10% for 10000 requests, promote"'
        raise UsageMistaken("what is watched is said, and no stage in which", at=flag, remedy=remedy)
    return read_typed(typed, at="headway deploy") if typed else None


def _see_watched(strategy: Strategy | None, recording: Recording) -> None:
    """Raises UsageMistaken for stages that compare what is not written down."""
    if strategy is None or not is_watched(strategy):
        return
    if not recording.is_on:
        problem = "the stages compare what the versions answer, and predictions are not logged"
        raise UsageMistaken(problem, at="--strategy", remedy="log them: --log share=1, without --no-log")
    wanted = columns_of(strategy)
    for column in sorted(wanted.keys() & set(recording.leave_out)):
        rest = ",".join(other for other in recording.leave_out if other != column)
        hashed = ",".join([*recording.hashed, column])
        remedy = f"log a hash of it, which keeps equal values equal: --log leave-out={rest} --log hash={hashed}"
        problem = f"`{column}` is not logged, so that `{wanted[column]}` tells nothing apart"
        raise UsageMistaken(problem, at="--log leave-out", remedy=remedy)


def _released(order: Order, args: argparse.Namespace, parts: "Parts", settings: Settings) -> "Released | None":
    """What came of it; None when whoever typed this interrupted a release that is in its stages."""
    from headway.flows.release import release
    from headway.flows.rollout import read
    from headway.flows.rollout_view import Looker
    from headway.terminal.rollout_live import Following, left

    looker = Looker(parts.log, parts.leases, order.endpoint)
    # One that goes at once is told when it is done.
    quiet = args.json or order.strategy is None
    try:
        with Following(settings.environ, lambda: looker.look(time.time()), quiet=quiet) as report:
            return release(parts.delivery(), order, golden_file=args.golden, report=report)
    except KeyboardInterrupt:
        # Before its claim there is nothing that stays as it is.
        if order.strategy is None or read(parts.log, order.endpoint).open is None:
            raise
        sys.stderr.write(left(looker.look(time.time())))
        return None


def _changed(recording: Recording, limits: Limits, args: argparse.Namespace) -> tuple[Recording, Limits]:
    """What was, but for what the words of the command say. Raises UsageMistaken."""
    told = read_words(args.log, LOG_KEYS, at="--log")
    if told or args.no_log:
        recording = replace(recording, is_on=not args.no_log, **told)
    return recording, replace(limits, **read_words(args.limit, LIMIT_KEYS, at="--limit"))
