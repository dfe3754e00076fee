"""Watch the project: start runs when something happens, and see them through, without a person.

Group: The loop

    headway up                     pipeline.yaml of this folder, until Ctrl-C
    headway up a.yaml b.yaml       several pipelines of one project
    headway up --once              do what is due now, and end: for cron and for trying out

One leads in a project; started a second time it waits, and takes over within seconds. What it starts goes on when it is
killed, and is found again; nothing is done twice. docs/up.md tells all.

Exit codes: 0 ended, 2 usage or a bad file, 5 with --once: another one leads here.
"""

import argparse
import signal
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING

from headway import wiring
from headway.cli import pipeline_of, project_of, where
from headway.config import Settings

if TYPE_CHECKING:
    from headway.core.pipeline import Pipeline
    from headway.flows.daemon_bell import Bell
    from headway.flows.daemon_work import Further, ProjectWork


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="pipelines of one project (default: pipeline.yaml)")
    parser.add_argument(
        "--port", type=int, metavar="N", help="answer there (default: 8765 where a trigger is called; 0: any free port)"
    )
    parser.add_argument("--once", action="store_true", help="do what is due now, and what follows of it, and end")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Lead, or wait to; the exit code says how it ended."""
    from headway.flows.daemon import World, lead
    from headway.flows.daemon_bell import Bell
    from headway.flows.daemon_children import Children
    from headway.flows.daemon_files import Files
    from headway.flows.daemon_log import QuietLog
    from headway.flows.daemon_work import Project, ProjectWork
    from headway.terminal.daemon import Teller

    if args.once and args.port is not None:
        from headway.errors import UsageMistaken

        raise UsageMistaken(
            "with --once nobody is answered: it ends when what is due is done",
            at="--port",
            remedy="leave --port out, or --once: without it headway answers until it is ended",
        )
    settings, files = _files_of(args, settings)
    tell = Teller(sys.stdout if args.json else sys.stderr, as_json=args.json)
    watched = Files(files, folder=settings.folder, read=lambda file: _read(settings, file), tell=tell)
    bell = Bell()
    with wiring.open(settings) as parts:
        children = Children(
            parts.children, folder=settings.folder, home=settings.home, environ=settings.environ
        )  # fmt: skip
        world = World(
            log=QuietLog(parts.log), leases=parts.leases, children=children, now=time.time, pause=bell.wait, tell=tell
        )  # fmt: skip
        project = Project(world=world, where=where(settings), source=parts.source, post=parts.post(), ring=bell.ring)
        answering: Further | None = None
        if not args.once:
            # Commands do not import each other; this is a part of this one.
            module = import_module("headway.cli._up_answering")
            answering = module.Answering(settings, files, port=args.port, bell=bell, tell=tell)
        work = ProjectWork(project, watched, answering, once=args.once)
        _listen(work, bell)
        lead(world, work, once=args.once)
    return 0


def _files_of(args: argparse.Namespace, settings: Settings) -> tuple[Settings, list[str]]:
    """The project that all the files lie in, and their names there. Raises UsageMistaken, FileMissing."""
    found = [project_of(_with(args, file), settings) for file in args.files or ["pipeline.yaml"]]
    projects = {one.folder for one, _ in found}
    if len(projects) > 1:
        from headway.errors import UsageMistaken

        raise UsageMistaken(
            f"these files are of {len(projects)} projects: {', '.join(sorted(projects))}",
            at="FILE",
            remedy="start one `headway up` in each",
        )
    return found[0][0], list(dict.fromkeys(name for _, name in found))


def _with(args: argparse.Namespace, file: str) -> argparse.Namespace:
    return argparse.Namespace(folder=args.folder, file=file)


def _read(settings: Settings, file: str) -> "Pipeline":
    from headway.core.facts import RunOptions

    # No copy is kept: there is room for one, which is the runs'.
    return pipeline_of(settings, file, RunOptions(), keep=False)


def _listen(work: "ProjectWork", bell: "Bell") -> None:
    """End well when asked to; wake when a process ends."""

    def end(*_: object) -> None:
        work.is_asked_to_end = True
        bell.ring()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
    signal.signal(signal.SIGCHLD, lambda *_: bell.ring())
