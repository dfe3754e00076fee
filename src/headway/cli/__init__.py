"""The command line: one file a command, found by its name; nothing is imported before it is asked for.

A command file has a docstring whose first line is its help (and a line `Group: …` that places it, or `Group: hidden`),
`add_arguments(parser)` and `run(args, settings) -> int`. What commands share is here: dispatch, errors, JSON.
"""

import os
import sys

# `typing` itself would cost `headway --version` half of its time; checkers know this name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection
    from typing import Any

    from headway.config import Settings
    from headway.core.facts import RunOptions
    from headway.core.ids import RunId
    from headway.core.pipeline import Pipeline
    from headway.errors import HeadwayError
    from headway.flows.launch import Where
    from headway.ports import Log

GROUPS = ("The loop", "Looking back", "Data and models", "Production", "Housekeeping")
"""The order of the groups in `headway --help`."""


def dispatch(words: list[str]) -> int:
    """Find the command that `words` ask for and run it; returns the exit code."""
    if not words or (words[0] in ("--help", "-h", "help") and len(words) == 1):
        _write(_overview())
        return 0 if words else 2
    if words[0] in ("--version", "-V"):
        from headway import __version__

        _write(f"headway {__version__}\n")
        return 0
    name = words[1] if words[0] == "help" else words[0]
    rest = ["--help"] if words[0] == "help" else words[1:]
    known = commands()
    if name not in known:
        return _unknown(name, sorted(known))
    return _guarded(name, rest)


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


def _unknown(name: str, known: list[str]) -> int:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    hint = f"did you mean `headway {close[0]}`?" if close else "`headway --help` lists the commands"
    sys.stderr.write(f"headway: no command {name!r}; {hint}\n")
    return 2


def _guarded(name: str, words: list[str]) -> int:
    """Import the command, parse, run; every way of ending becomes an exit code and at most a few lines."""
    from headway.errors import HeadwayError

    _import_msgspec()
    debug = False
    as_json = "--json" in words
    try:
        import argparse
        from importlib import import_module

        command = import_module(f"headway.cli.{name.replace('-', '_')}")
        doc = command.__doc__ or ""
        parser = argparse.ArgumentParser(
            prog=f"headway {name}",
            description=doc.replace(_group_line(doc), ""),
            # A width of its own: to look up the terminal's, argparse would import shutil for every argument added.
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=110),
            allow_abbrev=False,
        )
        command.add_arguments(parser)
        _common(parser)
        args = parser.parse_args(words)
        from headway.config import load

        settings = load(folder=args.folder)
        debug = settings.debug
        return int(command.run(args, settings))
    except HeadwayError as e:
        if debug:
            raise
        report(e, as_json=as_json)
        return e.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("headway: interrupted\n")
        return 130
    except BrokenPipeError:
        # The reader (head, a pager) has gone: not an error of ours; stop the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as e:
        if debug:
            raise
        return _bug(e)


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


def _common(parser: "argparse.ArgumentParser") -> None:
    taken = {option for action in parser._actions for option in action.option_strings}  # noqa: SLF001 (no public way)
    if "--json" not in taken:
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout, for machines")
    parser.add_argument("-C", "--folder", metavar="DIR", help="the project's folder (default: here or above)")


def report(error: "HeadwayError", *, as_json: bool = False) -> None:
    """Print an error: problem, place, remedy, each on its line; faults of a file with their excerpts."""
    from headway.errors import FileFaulty

    faults = error.faults if isinstance(error, FileFaulty) else ()
    if as_json:
        print_json(
            {
                "error": error.code,
                "problem": error.problem,
                "at": error.at,
                "remedy": error.remedy,
                "faults": [{k: getattr(f, k) for k in f.__slots__} for f in faults],
            }
        )
        return
    lines = []
    for f in faults:
        file = error.at.partition(":")[0]
        place = f"{file}:{f.line}:{f.column}" if f.line else error.at
        lines.append(f"{place}: {f.problem}" + (f" (in {f.where})" if f.where else ""))
        if f.excerpt:
            lines += [f"    {f.excerpt}", "    " + " " * max(f.column - 1, 0) + "^"]
        if f.remedy:
            lines.append(f"    {f.remedy}")
    lines += [f"headway: {error.problem}", f"  at: {error.at}", f"  do: {error.remedy}", ""]
    sys.stderr.write("\n".join(lines))


def _bug(error: Exception) -> int:
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    sys.stderr.write(
        f"headway: this is a fault in headway itself: {type(error).__name__}: {error}\n"
        f"  at: {os.path.basename(last.filename)}:{last.lineno} in {last.name}\n"
        "  do: nothing recorded is lost; run again with HEADWAY_DEBUG=1 for the traceback and report it\n"
    )
    return 1


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
    jobs = getattr(args, "jobs", 0)
    if jobs < 0:
        raise UsageMistaken(f"{jobs} steps at a time cannot be", at="--jobs", remedy="give a number from 1")
    return RunOptions(jobs=jobs, start_from=args.start_from, only=args.only, force=args.force, overrides=overrides)


def project_of(file: str, settings: "Settings") -> "tuple[Settings, str]":
    """The settings of the project a pipeline's file lies in, and its name there."""
    folder, name = os.path.split(file)
    if not folder:
        return settings, name
    from headway.config import load

    return load(folder=os.path.join(settings.folder, folder)), name


def pipeline_of(settings: "Settings", file: str, options: "RunOptions") -> "Pipeline":
    """The pipeline with the overrides of the command line. Raises FileMissing, FileFaulty, NameUnknown."""
    from headway.flows import pipeline

    read = pipeline.read(settings.folder, file, home=settings.home, step_types=_step_types)
    return pipeline.with_overrides(read, options.overrides)


def _step_types() -> "Collection[str]":
    from headway.steps import Usable

    return Usable()


def where(settings: "Settings") -> "Where":
    """The project's coordinates for the flows."""
    from headway.flows.launch import Where

    return Where(folder=settings.folder, home=settings.home, environ=settings.environ, jobs=settings.jobs)


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
    if not text.isdigit():
        raise NameUnknown(f"{text!r} is no run", at="RUN", remedy="give its number; `headway runs` lists them")
    find(RunId(int(text)), log)
    return RunId(int(text))
