"""Show what monitors see of production: alarms, drift, quality; or let them look.

Group: Production

    headway monitor                     all monitors, a line each
    headway monitor live                alarms, what lies behind them, charts window by window
    headway monitor live --look         look now: judge the windows that are over
    headway monitor live --svg a.svg    the charts as a picture
    headway monitor run                 look for ever, as `headway up` lets them; Ctrl-C ends it
    headway monitor run a.yaml          those of another file; several files and names can be given

docs/monitoring.md says what is watched and what an alarm means.

Exit codes: 0 shown or looked, 2 no such monitor, or a bad file.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from headway import wiring
from headway.cli import pipeline_of, print_json, project_of
from headway.config import Settings
from headway.core.telling import listed
from headway.errors import FileMissing, HeadwayError, UsageMistaken

if TYPE_CHECKING:
    from headway.core.facts import Fact
    from headway.core.monitor_grammar import Plan
    from headway.core.watch_view import MonitorView
    from headway.flows.watch_news import Looked
    from headway.flows.watch_run import Heard
    from headway.wiring import Parts

RUN = "run"
"""The word that lets monitors look for ever; no monitor is called so (`core/monitor_grammar`)."""

_FILE = "pipeline.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="a monitor; or `run` and monitors or files")
    parser.add_argument("--file", default=_FILE, metavar="FILE", help="the pipeline (default: %(default)s)")
    parser.add_argument("--look", action="store_true", help="look now, and say what is new")
    parser.add_argument("--windows", type=int, default=30, metavar="N", help="show so many (default: %(default)s)")
    parser.add_argument("--svg", metavar="FILE", help="write the charts as a picture")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Show, look, or look for ever."""
    if args.windows < 1:
        raise UsageMistaken(f"{args.windows} windows are none", at="--windows", remedy="write a number from 1")
    if args.names[:1] == [RUN]:
        for option, is_given in (("--look", args.look), ("--svg", args.svg)):
            if is_given:
                remedy = f"leave it out, or type: headway monitor NAME {option}"
                raise UsageMistaken(f"`run` looks for ever and takes no {option}", at=option, remedy=remedy)
        return _run(args, settings)
    if len(args.names) > 1:
        raise UsageMistaken(
            f"{len(args.names)} names are given", at="NAME", remedy="name one monitor, or none for a line about each"
        )
    plans = _plans_of(args, settings)
    name = args.names[0] if args.names else None
    if args.look:
        return _look(args, settings, plans, name)
    with wiring.look(settings) as parts:
        return _show(args, settings, parts, plans, name)


# --- showing --------------------------------------------------------------------------------------------------------


def _show(
    args: argparse.Namespace, settings: Settings, parts: "Parts", plans: "Mapping[str, Plan]", name: str | None
) -> int:
    from headway.flows.watch_news import names
    from headway.flows.watch_view import known, view

    now = time.time()
    if name is None:
        if args.svg:
            raise UsageMistaken(
                "the charts of one monitor are meant", at="--svg", remedy="headway monitor NAME --svg F"
            )
        every = list(dict.fromkeys([*plans, *names(parts.log)]))
        _show_all(args, [view(parts.log, parts.blobs, one, now=now, most=args.windows) for one in every])
        return 0
    shown = view(parts.log, parts.blobs, known(parts.log, name, tuple(plans)), now=now, most=args.windows)
    if args.svg:
        from headway.codec.monitor_svg import drawn
        from headway.flows.page import write_page

        write_page(os.path.join(args.folder or os.getcwd(), args.svg), [drawn(shown)])
    if args.json:
        print_json(shown)
        return 0
    from headway.terminal.monitors import status
    from headway.terminal.out import Out
    from headway.terminal.paint import paint_for

    columns = Out(sys.stdout).size()[0] if sys.stdout.isatty() else 100
    lines = status(shown, columns=max(columns, 40), paint=paint_for(sys.stdout, settings.environ))
    print("\n".join(painted for _, painted in lines))
    if args.svg:
        print(f"wrote {args.svg}")
    return 0


def _show_all(args: argparse.Namespace, views: "Sequence[MonitorView]") -> None:
    if args.json:
        print_json(views)
    elif not views:
        print("no monitor yet: describe one under `monitors:` in pipeline.yaml (docs/monitoring.md)")
    else:
        from headway.terminal.monitors import listed

        print("\n".join(listed(views)))


def _plans_of(args: argparse.Namespace, settings: Settings) -> "Mapping[str, Plan]":
    """The monitors of the file; none where no file was named and none is there."""
    try:
        settings, file = project_of(args, settings)
        return _plans(settings, file)
    except FileMissing:
        if args.file != _FILE:
            raise
        return {}


def _plans(settings: Settings, file: str) -> "dict[str, Plan]":
    from headway.core.facts import RunOptions
    from headway.core.monitor_grammar import plan_of

    pipeline = pipeline_of(settings, file, RunOptions(), keep=False)
    return {name: plan_of(name, written) for name, written in pipeline.monitors.items()}


def _plans_of_all(places: "Sequence[tuple[Settings, str]]") -> "dict[str, Plan]":
    """The monitors of several files, of which no two may have one name: what a monitor saw is kept under it."""
    found: dict[str, Plan] = {}
    of: dict[str, str] = {}
    for settings, file in {(settings.folder, file): (settings, file) for settings, file in places}.values():
        for name, plan in _plans(settings, file).items():
            if name in found:
                raise UsageMistaken(
                    f"{of[name]} and {file} both describe a monitor {name}",
                    at=f"{file}: monitors",
                    remedy="call one of them otherwise: what a monitor saw is kept under its name",
                )
            found[name], of[name] = plan, file
    return found


# --- looking --------------------------------------------------------------------------------------------------------


def _look(args: argparse.Namespace, settings: Settings, plans: "Mapping[str, Plan]", name: str | None) -> int:
    from headway.flows.watch_here import Here

    with wiring.open(settings) as parts:
        if name is not None and name not in plans:
            raise _undescribed(parts, name, plans, [args.file])
        wanted = [plan for one, plan in plans.items() if name in (None, one)]
        found = list(Here(parts.delivery())(wanted, time.time()))
    looked = [heard.looked for heard in found if heard.looked is not None]
    if args.json:
        print_json(looked)
    elif not found:
        print(f"{args.file} describes no monitor (docs/monitoring.md)")
    else:
        for line in (line for one in looked for line in _told(one)):
            print(line)
    # What the others saw is told before: it stands in the log, and is nothing new at the next look.
    for heard in found:
        if heard.trouble is not None:
            raise heard.trouble
    return 0


def _undescribed(parts: "Parts", name: str, plans: "Mapping[str, Plan]", files: Sequence[str]) -> UsageMistaken:
    """That a monitor which the log knows is not in these files. Raises NameUnknown when nobody knows it."""
    from headway.flows.watch_view import known

    known(parts.log, name, tuple(plans))
    where = listed(files)
    be = "does" if len(files) == 1 else "do"
    return UsageMistaken(
        f"{where} {be} not describe the monitor {name}", at=f"{where}: monitors", remedy="name its file"
    )


def _told(looked: "Looked") -> list[str]:
    """What a pass came to, in lines."""
    lines = [line for fact in looked.facts for line in _told_fact(fact)] + list(looked.notes)
    return [f"{looked.monitor}: {line}" for line in lines or ["nothing new"]]


def _told_fact(fact: "Fact") -> list[str]:
    from headway.core import facts as f
    from headway.core.watch_words import day

    match fact:
        case f.MonitorBegan():
            return [f"watches {fact.model}@{fact.version} from now on"]
        case f.WindowClosed():
            return [f"window {fact.number}, until {day(fact.until)}: {fact.n_rows:,} rows judged"]
        case f.QualitySeen():
            return [f"window {fact.number}: {fact.metric} {fact.value:.4g} by {fact.n_labelled:,} labels"]
        case f.AlarmRaised():
            first, *others = fact.why.split("\n")
            causes = [cause.words for cause in fact.causes if cause.words]
            return [f"ALARM, {fact.says}: {first}", *(f"  {line}" for line in (*causes, *others))]
        case f.AlarmEnded():
            return [f"alarm {fact.alarm} is over: {fact.why}"]
        case _:
            return []


def _run(args: argparse.Namespace, settings: Settings) -> int:
    from headway.flows.watch_apart import Apart
    from headway.flows.watch_run import Rounds

    given = args.names[1:]
    files = [one for one in given if one.endswith((".yaml", ".yml")) or os.sep in one] or [args.file]
    only = {one for one in given if one not in files}
    places = [project_of(argparse.Namespace(folder=args.folder, file=file), settings) for file in files]

    def read() -> "dict[str, Plan]":
        return {name: plan for name, plan in _plans_of_all(places).items() if not only or name in only}

    plans = read()
    missing = only - plans.keys()
    if missing:
        with wiring.look(settings) as parts:
            raise _undescribed(parts, min(missing), _plans_of_all(places), files)
    ended, said = _Ended(), _Said(as_json=args.json)
    # -P: a file of the user's that is named as a module of ours, or of Python's, must not be taken for it.
    apart = Apart([sys.executable, "-P", "-m", "headway", "judge", "-C", settings.folder], stop=ended.asked)
    with wiring.open(settings) as parts:
        rounds = Rounds(parts.delivery(), lambda: plans, apart)
        while not ended.is_asked:
            for heard in rounds.do(time.time()):
                said.say(heard)
            ended.wait(rounds.next_at(time.time()) - time.time())
            try:
                plans = read()
                said.mended()
            except HeadwayError as e:
                # Somebody is at the file: what it said before holds until it can be read again.
                said.trouble("", e)
    return 0


class _Said:
    """Says what is new: what is the matter with a monitor is said once, and again when it is another matter."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._last: dict[str, str] = {}

    def say(self, heard: "Heard") -> None:
        """What came of a pass."""
        if heard.trouble is not None:
            self.trouble(heard.monitor, heard.trouble)
            return
        assert heard.looked is not None
        notes = "\n".join(heard.looked.notes)
        is_new = bool(notes) and self._last.get(heard.monitor) != notes
        self._last[heard.monitor] = notes
        if not heard.looked.facts and not is_new:
            return
        if self._as_json:
            print_json(heard.looked)
            sys.stdout.flush()
        else:
            print("\n".join(_told(heard.looked)), flush=True)

    def trouble(self, monitor: str, error: HeadwayError) -> None:
        """Why something could not be done."""
        told = f"{f'{monitor}: ' if monitor else ''}{error.problem}: {error.remedy}"
        if self._last.get(monitor) != told:
            self._last[monitor] = told
            print(told, file=sys.stderr, flush=True)

    def mended(self) -> None:
        """The files can be read."""
        self._last.pop("", None)


class _Ended:
    """Whether somebody asked it to end; a wait is cut short by that."""

    def __init__(self) -> None:
        self.is_asked = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.is_asked = True
        os.write(self._write, b"!")

    @property
    def asked(self) -> int:
        """A descriptor that can be read from as soon as somebody asked."""
        return self._read

    def wait(self, seconds: float) -> None:
        """Let so many seconds go by."""
        import select

        if not self.is_asked:
            select.select([self._read], [], [], max(seconds, 0.0))
