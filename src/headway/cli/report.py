"""Write what a run, a release or a week came to, for people: as Markdown, or as a page that stands alone.

Group: Looking back

    headway report                              the newest run, as Markdown
    headway report 12 --html run.html           a run, as a page that can be sent or kept
    headway report churn --html release.html    the newest release of an endpoint; churn/4: that one
    headway report --week --html week.html      the last seven days; --since 30d, or --since 2026-11-01

A page fetches nothing, and needs nothing but a browser. Exit codes: 0 done, 2 there is no such run or release.
"""

import argparse
import os
import sys
import time

from headway import wiring
from headway.cli import print_json, run_number
from headway.config import Settings
from headway.errors import UsageMistaken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headway.core.report import Report
    from headway.wiring import Parts

WEEK_S = 7 * 86400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("what", nargs="?", metavar="RUN|ENDPOINT", help="a run's number, an endpoint, or churn/4")
    parser.add_argument("--week", action="store_true", help="the last seven days")
    parser.add_argument("--since", metavar="TIME", help="from a time ago (30d) or a date on, in UTC")
    parser.add_argument("--html", metavar="FILE", help="write a page that stands alone")
    parser.add_argument("--markdown", metavar="FILE", help="write Markdown (default: print it)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Make it and write it."""
    if args.what is not None and (args.week or args.since):
        at = "--week" if args.week else "--since"
        raise UsageMistaken(f"{args.what} and a time cannot both be", at=at, remedy="leave one of them out")
    if args.week and args.since:
        raise UsageMistaken("a week and a time cannot both be", at="--since", remedy="leave one of them out")
    with wiring.look(settings) as parts:
        report = _made(args, settings, parts)
    if args.json:
        print_json(report)
    elif not (args.html or args.markdown):
        from headway.core.report import markdown

        sys.stdout.write(markdown(report))
    _write(args, report)
    return 0


def _made(args: argparse.Namespace, settings: Settings, parts: "Parts") -> "Report":
    from headway.flows import report
    from headway.flows.story import since_of

    now = time.time()
    if args.week or args.since:
        since = since_of(args.since, now) if args.since else now - WEEK_S
        if since > now:
            raise UsageMistaken(f"{args.since} is still to come", at="--since", remedy="name a time before now, in UTC")
        return report.of_span(parts.log, since=since, until=now, project=os.path.basename(settings.folder))
    what = args.what or "latest"
    if what == "latest" or what.isdecimal():
        return report.of_run(parts.log, parts.blobs, settings.home, run_number(what, parts.log))
    endpoint, _, release = what.partition("/")
    if release and not release.isdecimal():
        raise UsageMistaken(f"{release!r} is no number of a release", at="ENDPOINT", remedy="write churn/4")
    number = int(release) if release else None
    return report.of_release(parts.log, parts.leases, endpoint, now=now, release=number)


def _write(args: argparse.Namespace, report: "Report") -> None:
    from headway.codec.page_report import page_of
    from headway.core.report import markdown
    from headway.flows.page import write_page

    base = args.folder or os.getcwd()
    for file in filter(None, (args.html, args.markdown)):
        write_page(os.path.join(base, file), page_of(report) if file == args.html else [markdown(report)])
        if not args.json:
            print(f"wrote {file}: {report.headline}")
