"""The command line: one file a command, found by its name; nothing is imported before it is asked for.

A command file has a docstring whose first line is its help (and a line `Group: …` that places it, or `Group: hidden`),
`add_arguments(parser)` and `run(args, settings) -> int`; `_<command>.py` beside it may answer at once.
What commands share is here: dispatch, errors, JSON.
"""

import os
import sys

# `typing` itself would cost `headway --version` half of its time; checkers know this name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    import re
    from collections.abc import Collection, Iterable
    from typing import Any, NoReturn

    from headway.config import Settings
    from headway.core.facts import RunOptions
    from headway.core.ids import RunId
    from headway.core.pipeline import Pipeline
    from headway.errors import HeadwayError
    from headway.flows.launch import Where
    from headway.ports import Log
    from headway.wiring import Parts

GROUPS = ("The loop", "Looking back", "Data and models", "Production", "Housekeeping")
"""The order of the groups in `headway --help`."""


def dispatch(words: list[str]) -> int:
    """Find the command that `words` ask for and run it; returns the exit code."""
    try:
        return _dispatch(words)
    except BrokenPipeError:
        # The reader (head, a pager) has gone: not an error of ours.
        return 0
    finally:
        _let_go()


def _let_go() -> None:
    """Write out what was printed; where nobody reads, see that the interpreter does not complain of it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)


def _dispatch(words: list[str]) -> int:
    is_help = words[:1] in (["--help"], ["-h"], ["help"])
    # Help is the same text for machines, but for the list of commands.
    asked = [word for word in words[1:] if word != "--json"]
    if not words or (is_help and not asked):
        if "--json" in words:
            print_json([{"command": name, "group": group, "help": text} for name, (group, text) in commands().items()])
        else:
            _write(_overview())
        return 0 if words else 2
    if words[0] in ("--version", "-V"):
        from headway import __version__

        _write(f"headway {__version__}\n")
        return 0
    name = asked[0] if is_help else words[0]
    rest = ["--help"] if is_help else words[1:]
    # Asked of the file system: the heads of all files are read only for those who misspell a name.
    is_name = name.replace("-", "").isalpha() and name.islower()
    is_known = is_name and os.path.exists(os.path.join(os.path.dirname(__file__), _file(name)))
    if not is_known:
        return _unknown(name, as_json="--json" in words)
    code = _quickly(name, rest)
    return _guarded(name, rest) if code is None else code


def _quickly(name: str, words: list[str]) -> int | None:
    """What `_<command>.py` beside a command answers before anything is imported; None when it must be asked itself."""
    if not os.path.exists(os.path.join(os.path.dirname(__file__), f"_{_file(name)}")):
        return None
    module = __import__(f"headway.cli._{_file(name)[:-3]}", fromlist=["quick"])
    code: int | None = module.quick(words)
    return code


def _file(command: str) -> str:
    return command.replace("-", "_") + ".py"


def commands() -> dict[str, tuple[str, str]]:
    """Every command's name with its group and one-line help, read from the files without importing them."""
    folder = os.path.dirname(__file__)
    found = {}
    for file in os.listdir(folder):
        if file.endswith(".py") and not file.startswith("_"):
            with open(os.path.join(folder, file), encoding="utf-8") as f:
                head = f.read(1500)
            first = head.partition('"""')[2].partition("\n")[0].rstrip('"')
            group = head.partition("\nGroup: ")[2].partition("\n")[0].strip().rstrip('".')
            found[file[:-3].replace("_", "-")] = (group or GROUPS[-1], first)
    return found


def _overview() -> str:
    lines = [
        "headway: CI/CD for machine learning, from data to a model in production and back again",
        "",
        "usage: headway COMMAND [options]     headway COMMAND --help     headway --version",
    ]
    known = commands()
    for group in GROUPS:
        lines += ["", f"{group}:"]
        lines += [f"  {name:<12} {text}" for name, (its, text) in sorted(known.items()) if its == group]
    lines += ["", "Begin with: headway init     Every command takes --json.     Exit codes: headway help run", ""]
    return "\n".join(lines)


def _unknown(name: str, *, as_json: bool) -> int:
    from headway.errors import UsageMistaken

    if name.startswith("-"):
        remedy = "options stand behind the command: headway COMMAND [options]; `headway --help` lists the commands"
    else:
        shown = [command for command, (group, _) in commands().items() if group in GROUPS]
        remedy = _nearest(name, shown, "headway ") or "`headway --help` lists the commands"
    tell(UsageMistaken(f"there is no command {name!r}", at="headway", remedy=remedy), as_json=as_json)
    return UsageMistaken.exit_code


def _nearest(word: str, known: "Iterable[str]", before: str = "") -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1)
    return f"did you mean `{before}{close[0]}`?" if close else ""


def _guarded(name: str, words: list[str]) -> int:
    """Import the command, parse, run; every way of ending becomes an exit code and at most a few lines."""
    from headway.errors import HeadwayError

    _import_msgspec()
    debug = False
    as_json = "--json" in words
    try:
        from importlib import import_module

        command = import_module(f"headway.cli.{_file(name)[:-3]}")
        parser = _parser(name, command.__doc__ or "")
        command.add_arguments(parser)
        common(parser)
        args = _parsed(parser, words)
        from headway.config import load

        settings = load(folder=args.folder)
        debug = settings.debug
        return int(command.run(args, settings))
    except KeyboardInterrupt:
        return _interrupted()
    except SystemExit as e:
        # `--help` has been printed.
        return e.code if isinstance(e.code, int) else 0
    except BrokenPipeError:
        raise
    except Exception as e:
        if debug:
            raise
        if _is_interrupt(e):
            return _interrupted()
        if not isinstance(e, HeadwayError):
            from headway.terminal.trouble import translated

            e = translated(e)
        tell(e, as_json=as_json)
        return e.exit_code


def _interrupted() -> int:
    sys.stderr.write("headway: interrupted\n")
    return 130


def _is_interrupt(error: BaseException) -> bool:
    """Whether an error came of Ctrl-C: somebody's cleaning up failed on what the interrupt had left half done."""
    before = error.__context__
    while before is not None and not isinstance(before, KeyboardInterrupt):
        before = before.__context__
    return before is not None


def _parser(name: str, doc: str) -> "argparse.ArgumentParser":
    import argparse
    import re

    from headway.errors import UsageMistaken

    class Parser(argparse.ArgumentParser):
        """Tells what is wrong in our own form."""

        def error(self, message: str) -> "NoReturn":
            message = re.sub(r"invalid (int|float) value: (.*)", _no_number, message)
            unknown = message.removeprefix("unrecognized arguments: ").partition(" ")[0]
            options = [option for action in self._actions for option in action.option_strings]
            near = _nearest(unknown, options) if unknown.startswith("-") else ""
            remedy = near or f"`{self.prog} --help` shows what it takes"
            raise UsageMistaken(message, at=self.prog, remedy=remedy)

    return Parser(
        prog=f"headway {name}",
        description=doc.replace(_group_line(doc), ""),
        # A width of its own: to look up the terminal's, argparse would import shutil for every argument added.
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=110),
        allow_abbrev=False,
    )


def _no_number(found: "re.Match[str]") -> str:
    return f"{found[2]} is not a {'whole ' * (found[1] == 'int')}number"


def _parsed(parser: "argparse.ArgumentParser", words: list[str]) -> "argparse.Namespace":
    """The words as the command understands them; options may stand among words (`data add --name N PATH`)."""
    takes_many = any(action.nargs == "*" for action in parser._get_positional_actions())  # noqa: SLF001 (no public way)
    # Asked for help that way, argparse knows no defaults.
    is_help = "--help" in words or "-h" in words
    return parser.parse_intermixed_args(words) if takes_many and not is_help else parser.parse_args(words)


def _import_msgspec() -> None:
    """Import it without `typing_extensions`, which it would take where it finds it: a tenth of a short command.

    From Python 3.11 on it needs nothing of it, and who imports it later gets it as ever.
    """
    name = "typing_extensions"
    if name in sys.modules or "msgspec" in sys.modules:
        return
    sys.modules[name] = None  # type: ignore[assignment] # the documented way to make an import fail
    try:
        import msgspec  # noqa: F401 (for its own sake)
    finally:
        del sys.modules[name]


def _group_line(doc: str) -> str:
    start = doc.find("\nGroup: ")
    return doc[start : doc.find("\n", start + 1)] if start >= 0 else "\0"


# Any: argparse's default, where there is another than none.
def common(parser: "argparse.ArgumentParser", **default: "Any") -> None:  # noqa: ANN401 (as above)
    """Let it take what all commands take, unless it does already."""
    taken = {option for action in parser._actions for option in action.option_strings}  # noqa: SLF001 (no public way)
    if "--json" not in taken:
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout, for machines", **default)
    parser.add_argument(
        "-C", "--folder", metavar="DIR", help="the project's folder (default: here or above)", **default
    )


def tell(error: "HeadwayError", *, as_json: bool = False) -> None:
    """Print an error: problem, place, remedy, each on its line; faults of a file with their excerpts."""
    from headway.terminal import trouble

    try:
        if as_json:
            print_json(trouble.document(error))
        else:
            sys.stderr.write(trouble.told(error))
    except BrokenPipeError:
        # Nobody reads; the exit code tells it all the same.
        return


# Any: whatever msgspec can encode.
def print_json(value: "Any") -> None:  # noqa: ANN401 (as above)
    """Print a value as one JSON document, with line breaks on a terminal."""
    import msgspec

    data = msgspec.json.encode(value)
    if sys.stdout.isatty():
        data = msgspec.json.format(data, indent=2)
    _write(data.decode() + "\n")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


# --- what the commands of a run share ---------------------------------------------------------------------------


def add_selection(parser: "argparse.ArgumentParser") -> None:
    """The words that choose a pipeline and what of it: FILE, -p, --from, --only, --force."""
    parser.add_argument("file", nargs="?", default="pipeline.yaml", metavar="FILE", help="default: %(default)s")
    parser.add_argument("-p", metavar="NAME=VALUE", action="append", default=[], dest="params", help="set a parameter")
    parser.add_argument("--from", dest="start_from", metavar="STEP", help="begin at this step")
    parser.add_argument("--only", metavar="STEP", help="this step alone")
    parser.add_argument("--force", action="store_true", help="run steps even when their result is known")


def options_of(args: "argparse.Namespace") -> "RunOptions":
    """What was asked for, as the log keeps it. Raises UsageMistaken."""
    from headway.core.facts import RunOptions
    from headway.errors import UsageMistaken

    overrides = {}
    for text in args.params:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageMistaken(f"{text!r} is not NAME=VALUE", at="-p", remedy="write -p train.lr=0.1")
        overrides[name] = value
    jobs = getattr(args, "jobs", None)
    if jobs is not None and jobs < 1:
        raise UsageMistaken(f"{jobs} steps at a time cannot be", at="--jobs", remedy="give a number from 1")
    if args.only is not None and args.start_from is not None:
        problem = "--only is one step and --from all from one on: both cannot be"
        raise UsageMistaken(problem, at="--only", remedy="leave one of them out")
    return RunOptions(jobs=jobs or 0, start_from=args.start_from, only=args.only, force=args.force, overrides=overrides)


def project_of(args: "argparse.Namespace", settings: "Settings") -> "tuple[Settings, str]":
    """The settings of the project that the pipeline's file lies in, and its name there.

    A path counts from here (or from -C); a bare name that is not here, in the project around. Raises FileMissing.
    """
    folder, name = os.path.split(os.path.abspath(os.path.join(args.folder or "", args.file)))
    is_bare = os.sep not in args.file
    if folder == settings.folder or (is_bare and not os.path.exists(os.path.join(folder, name))):
        return settings, name
    from headway.config import load
    from headway.errors import FileMissing

    if not os.path.isdir(folder):
        raise FileMissing(f"there is no {args.file}", at="FILE", remedy="name a pipeline's file, as seen from here")
    return load(folder=folder), name


def pipeline_of(settings: "Settings", file: str, options: "RunOptions", *, keep: bool = True) -> "Pipeline":
    """The pipeline with the overrides of the command line. Raises FileMissing, FileFaulty, NameUnknown.

    `keep` a compiled copy for the next reading; commands that only look leave nothing behind.
    """
    from headway.flows import pipeline

    asked = pipeline.Asked(
        folder=settings.folder,
        file=file,
        home=settings.home,
        step_types=_step_types,
        given=tuple(options.overrides),
        keep=keep,
    )
    return pipeline.with_overrides(pipeline.read(asked), options.overrides)


def _step_types() -> "Collection[str]":
    from headway.steps import Usable

    return Usable()


def where(settings: "Settings") -> "Where":
    """The project's coordinates for the flows."""
    from headway.flows.launch import Where

    shared = settings.is_log_shared
    return Where(
        folder=settings.folder, home=settings.home, environ=settings.environ, jobs=settings.jobs, is_shared=shared
    )


def run_number(text: str | None, log: "Log") -> "RunId":
    """The run that `text` names: its number, or the newest for None or `latest`. Raises NameUnknown."""
    from headway.core.ids import RunId
    from headway.errors import NameUnknown
    from headway.flows.launch import find, latest

    if text is None or text == "latest":
        newest = latest(log)
        if newest is None:
            raise NameUnknown("there is no run yet", at="RUN", remedy="`headway run` makes the first")
        return newest
    if not (text.isascii() and text.isdecimal()):
        raise NameUnknown(f"{text!r} is no run", at="RUN", remedy="give its number; `headway runs` lists them")
    find(RunId(int(text)), log)
    return RunId(int(text))


def outcome_of(outcome: str, run: "RunId", parts: "Parts") -> str:
    """How a run stands, for people: one without an end, at which nobody is at work, is unfinished."""
    import time

    from headway.flows.at_work import is_at_work

    is_left = outcome == "running" and not is_at_work(parts.leases, run, now=time.time())
    return "unfinished" if is_left else outcome
