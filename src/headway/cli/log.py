"""Tell the story of the project: runs, data, models, releases, alarms and what was done about them, newest last.

Group: Looking back

    headway log                          the last 100 things that happened
    headway log --since 7d               those of a week; also 2026-11-20, or 2026-11-20T08:00
    headway log --about endpoint/churn   one endpoint, run, model, monitor, …; or `--about run`: all runs
    headway log --last 0 --every         everything, down to each step and window

A line that begins with ! tells of what did not go well. `headway audit` proves that nobody rewrote any of it.
Times are UTC. Exit codes: 0 done, 2 words that cannot be meant.
"""

import argparse
import time

from headway import wiring
from headway.cli import print_json
from headway.config import Settings
from headway.errors import UsageMistaken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headway.flows.story import Story

LAST = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--since", metavar="TIME", help="a time ago (90m, 7d) or a date, in UTC")
    parser.add_argument("--about", default="", metavar="WHAT", help="run, endpoint/churn, monitor/live, …")
    parser.add_argument(
        "--last", type=int, metavar="N", help=f"so many lines, 0: all (default: {LAST}, or all --since)"
    )
    parser.add_argument("--every", action="store_true", help="small things, too: steps, windows, golden requests")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Tell it."""
    from headway.flows.story import Asked, since_of, story

    if args.last is not None and args.last < 0:
        raise UsageMistaken(f"{args.last} lines cannot be told", at="--last", remedy="give a number from 0")
    since = 0.0 if args.since is None else since_of(args.since, time.time())
    # Machines get all of it, unless they say how much.
    most = 0 if args.json or args.since is not None else LAST
    asked = Asked(since=since, about=args.about, every=args.every, last=most if args.last is None else args.last)
    with wiring.look(settings) as parts:
        told = story(parts.log, asked)
    if args.json:
        print_json([
            {
                "seq": one.entry.seq,
                "at": one.line.at,
                "about": one.line.about,
                "text": one.line.text,
                "is_bad": one.line.is_bad,
                "fact": one.entry.fact,
            }
            for one in told.told
        ])  # fmt: skip
    else:
        print("\n".join(_lines(told) or [f"nothing happened {'in that time' if since or args.about else 'yet'}"]))
    return 0


def _lines(told: "Story") -> list[str]:
    width = max((len(one.line.about) for one in told.told), default=0)
    lines = [] if told.is_whole else ["… earlier: headway log --last 0"]
    for one in told.told:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(one.line.at))
        lines.append(f"{'!' if one.line.is_bad else ' '} {at}  {one.line.about:<{width}}  {one.line.text}")
    return lines
