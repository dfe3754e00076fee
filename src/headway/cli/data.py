"""Version data sets: add, list, status, log, diff, checkout, verify, gc, forget.

Group: Data and models

    headway data add data/training.csv -m "May"      keep a file or folder; Git passes over it, headway.lock pins it
    headway data add "s3://bucket/x/*.csv" --name x  take a snapshot of what lies elsewhere (into data/x, or --to PATH)
    headway data add --sql "select 1" --from URL --name x   of what a database answers (into data/x.parquet)
    headway data list                                every dataset: newest version, size, path, state
    headway data status --check                      how all pinned paths stand; exit code 1 when something changed
    headway data log training                        its versions: when, who, size, note, and the commits that pin them
    headway data diff training@3 training@work       files that differ; of tables with --key COLUMN also the rows
    headway data checkout training@3                 as headway checkout
    headway data verify                              read all that is needed; name what is damaged; heal it
    headway data gc --dry-run                        as headway gc
    headway data forget training@2 --why "wrong"     let gc take a version that nothing pins

A reference is NAME (the newest version), NAME@7, NAME@work (what lies in the workspace), NAME@lock (what headway.lock
pins), NAME@COMMIT, 8 or more digits of a digest, a pinned path, or a commit or branch for all that its lock pins.

Exit codes: 0 done, 1 changed (--check) or damaged (verify), 2 no such thing, 5 somebody else is at work.
"""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

from headway.cli import dispatch, print_json
from headway.config import Settings
from headway.errors import UsageMistaken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headway.core.dataset import VersionCard
    from headway.flows.contents import Side
    from headway.flows.dataset import Added, Project, Wanted
    from headway.wiring import Parts

_TAKES = {
    "add": ("name", "note", "to", "sql", "source"),
    "list": (),
    "status": ("check",),
    "log": (),
    "diff": ("key",),
    "checkout": ("force",),
    "verify": (),
    "gc": ("dry_run", "keep_runs", "grace"),
    "forget": ("why",),
}
"""What each takes besides words, by the names of the parsed options."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("what", nargs="?", default="list", choices=tuple(_TAKES), help="default: list")
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="add PATH…; log [NAME]; diff A [B]; checkout …; forget"
    )
    parser.add_argument("--name", metavar="NAME", help="add: the dataset's name (default: made of the path)")
    parser.add_argument("-m", "--note", metavar="TEXT", help="add: a sentence about this version")
    parser.add_argument("--to", metavar="PATH", help="add: where a snapshot shall lie")
    parser.add_argument("--sql", metavar="QUERY", help="add: take what a database answers")
    parser.add_argument("--from", dest="source", metavar="URL", help="add: the database, postgresql://…")
    parser.add_argument("--key", metavar="COLUMN", action="append", help="diff: rows are the same by this (repeatable)")
    parser.add_argument("--check", action="store_true", help="status: exit code 1 when something changed")
    parser.add_argument("--force", action="store_true", help="checkout: also over what no version holds")
    parser.add_argument("--why", metavar="TEXT", help="forget: recorded with it")
    parser.add_argument("--dry-run", action="store_true", help="gc: delete nothing; say why things are kept")
    parser.add_argument("--keep-runs", metavar="N", help="gc: newest runs kept whole")
    parser.add_argument("--grace", metavar="SECONDS", help="gc: leave younger blobs alone")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Do the one thing asked for."""
    _see_fitting(args)
    do, most, form = _forms()[args.what]
    if len(args.words) > most or (args.what == "forget" and not args.words):
        raise UsageMistaken(
            f"{len(args.words)} words after `{args.what}` are not what it takes",
            at="headway data",
            remedy=f"write `headway data {args.what}{form}`",
        )
    return do(args, settings)


def _forms() -> "dict[str, tuple[Callable[[argparse.Namespace, Settings], int], int, str]]":
    """By word: what does it, how many words it takes at most, and which."""
    many = 10**6
    return {
        "add": (_add, many, " PATH"),
        "list": (_list, 0, ""),
        "status": (_status, 0, ""),
        "log": (_log, 1, " [NAME]"),
        "diff": (_diff, 2, " [A [B]]"),
        "checkout": (_checkout, many, ""),
        "verify": (_verify, 0, ""),
        "gc": (_gc, 0, ""),
        "forget": (_forget, 1, " NAME@VERSION"),
    }


def _checkout(args: argparse.Namespace, _settings: Settings) -> int:
    # Seen from where its paths count from, and not from the project's folder.
    folder = ["-C", args.folder] if args.folder else []
    words = [*args.words, *(["--force"] if args.force else []), *(["--json"] if args.json else [])]
    return dispatch(["checkout", *words, *folder])


def _gc(args: argparse.Namespace, settings: Settings) -> int:
    words = ["--dry-run"] if args.dry_run else []
    for option, value in (("--keep-runs", args.keep_runs), ("--grace", args.grace)):
        words += [option, value] if value is not None else []
    return dispatch(["gc", *words, "-C", settings.folder, *(["--json"] if args.json else [])])


def _see_fitting(args: argparse.Namespace) -> None:
    takes = {name for names in _TAKES.values() for name in names}
    given = [name for name in takes if getattr(args, name) not in (None, False) and name not in _TAKES[args.what]]
    for name in sorted(given):
        option = {"source": "--from"}.get(name, f"--{name.replace('_', '-')}")
        of = next(what for what, names in _TAKES.items() if name in names)
        raise UsageMistaken(
            f"`{args.what}` does not take {option}", at="headway data", remedy=f"leave it out: it belongs to `{of}`"
        )


@contextmanager
def _at_work(settings: Settings, *, looking: bool = False) -> "Iterator[tuple[Project, Parts]]":
    from headway import wiring

    with wiring.look(settings) if looking else wiring.open(settings) as parts:
        project = parts.project()
        yield project, parts
        # A copy, for the next one who looks; where nothing was begun nothing is made.
        if looking and os.path.isdir(settings.home):
            project.stats.save()


def _has_lock(settings: Settings) -> bool:
    return os.path.lexists(os.path.join(settings.folder, "headway.lock"))


# --- add --------------------------------------------------------------------------------------------------------


def _add(args: argparse.Namespace, settings: Settings) -> int:
    from headway.flows import dataset
    from headway.terminal import datasets
    from headway.terminal.working import Working

    is_source = args.sql is not None or any("://" in word for word in args.words)
    _see_addable(args, is_source=is_source)
    done = []
    with _at_work(settings) as (project, parts):
        label = "storing"
        with Working(settings.environ, label, quiet=args.json) as working:
            project.blobs = working.watch(project.blobs)
            if is_source:
                done.append(_snapshot(args, project, parts))
            else:
                base = args.folder or ""
                paths = [dataset.located(settings.folder, os.path.join(base, word)) for word in args.words]
                # All are looked at before anything is done.
                wanted = [dataset.wanted(project, path, args.name) for path in dict.fromkeys(paths)]
                _see_distinct(wanted)
                for one in wanted:
                    working.label = f"storing {one.path}"
                    done.append(dataset.add(project, one, note=args.note or ""))
    if args.json:
        print_json(done)
        return 0
    for added in done:
        print("\n".join(datasets.added(added)))
    return 0


def _see_addable(args: argparse.Namespace, *, is_source: bool) -> None:
    problem = ""
    if args.sql is not None and (args.words or args.source is None or args.name is None):
        problem, remedy = (
            "--sql needs --from URL and --name NAME, and no path",
            "add --to PATH to say where it shall lie",
        )
    elif args.sql is None and args.source is not None:
        problem, remedy = "--from is where --sql asks", "give --sql as well"
    elif is_source and args.sql is None and (len(args.words) != 1 or args.name is None):
        problem, remedy = "a URL is taken alone, and needs --name NAME", "put it in quotes, or the shell spreads it"
    elif not is_source and args.to is not None:
        problem, remedy = (
            "--to is where a snapshot of a URL or a query shall lie",
            "leave it out: a path stays in place",
        )
    elif args.sql is None and not args.words:
        problem, remedy = "there is nothing to add", "name files or folders: headway data add PATH"
    elif args.name is not None and len(args.words) > 1:
        problem, remedy = "one name cannot be of several paths", "add them one by one, or without --name"
    if problem:
        raise UsageMistaken(problem, at="headway data add", remedy=remedy)


def _see_distinct(wanted: "list[Wanted]") -> None:
    names = [one.name for one in wanted]
    for one in wanted:
        if names.count(one.name) > 1:
            paths = " and ".join(other.path for other in wanted if other.name == one.name)
            raise UsageMistaken(
                f"{paths} would both be called {one.name}", at="PATH", remedy="add them one by one with --name NAME"
            )


def _snapshot(args: argparse.Namespace, project: "Project", parts: "Parts") -> "Added":
    from headway.flows.snapshot import Asked, take

    wanted, url = (args.sql, args.source) if args.sql is not None else (args.words[0], args.words[0])
    to = None
    if args.to is not None:
        from headway.flows.dataset import located

        to = located(project.folder, os.path.join(args.folder or "", args.to))
    asked = Asked(wanted=wanted, url=url, name=args.name, to=to, note=args.note or "")
    return take(project, parts.source(url), asked)


# --- looking ----------------------------------------------------------------------------------------------------


def _status(args: argparse.Namespace, settings: Settings) -> int:
    # Without a lock nothing is imported, opened or made.
    if not _has_lock(settings):
        if args.json:
            print_json([])
        else:
            print("nothing is versioned here yet: headway data add PATH")
        return 0
    from headway.codec.lock import Lock
    from headway.flows import contents
    from headway.terminal import datasets

    with _at_work(settings, looking=True) as (project, _):
        found = contents.states(project, project.pins.read() or Lock())
    if args.json:
        print_json(found)
    elif found:
        print("\n".join(datasets.states(found)))
    else:
        print("nothing is versioned here yet: headway data add PATH")
    is_changed = any(one.state != "unchanged" for one in found)
    return 1 if args.check and is_changed else 0


def _list(args: argparse.Namespace, settings: Settings) -> int:
    from headway.codec.lock import Lock
    from headway.flows import contents, dataset
    from headway.terminal import datasets

    with _at_work(settings, looking=True) as (project, _):
        known = {name: one for name, one in dataset.read_all(project.log).items() if one.newest is not None}
        lock = project.pins.read() or Lock()
        of_path = {pin.artifact.path: name for name, pin in lock.data.items()}
        states = contents.states(project, Lock(data=lock.data))
        found = {of_path[state.path]: state for state in states}
    if args.json:
        names = sorted({*known, *found})
        print_json(
            [{"name": n, "newest": known[n].newest if n in known else None, "pinned": found.get(n)} for n in names]
        )
    elif known or found:
        print("\n".join(datasets.listing(known, found)))
    else:
        print("there is no dataset yet: headway data add PATH")
    return 0


def _log(args: argparse.Namespace, settings: Settings) -> int:
    from headway.flows import contents, dataset
    from headway.terminal import datasets

    with _at_work(settings, looking=True) as (project, _):
        one = [dataset.known(project.log, args.words[0])] if args.words else dataset.read_all(project.log).values()
        commits = contents.commits_that_pin(project)
    if args.json:
        print_json({each.name: [{"card": c, "commits": _of(commits, c)} for c in each.cards] for each in one})
        return 0
    lines = [line for each in one for line in (*datasets.log(each.name, each.cards, commits), "")]
    print("\n".join(lines[:-1]) if lines else "there is no dataset yet: headway data add PATH")
    return 0


def _of(commits: "Mapping[str, Sequence[str]]", card: "VersionCard") -> "Sequence[str]":
    return commits.get(card.version.artifact.digest, ())


def _diff(args: argparse.Namespace, settings: Settings) -> int:
    from headway.flows import contents
    from headway.terminal import datasets

    with _at_work(settings, looking=True) as (project, _):
        before = contents.resolve(project, args.words[0] if args.words else "lock")
        after = contents.resolve(project, args.words[1] if len(args.words) > 1 else _work_of(before))
        found = contents.compare(project, before, after)
        tables = {}
        if args.key:
            from headway.flows.rows import by_key

            tables = by_key(project, found, args.key, before=before, after=after)
    if args.json:
        print_json({"before": before.label, "after": after.label, "paths": found, "tables": tables})
        return 0
    print("\n".join(datasets.differences(found, before.label, after.label)))
    for path, table in tables.items():
        print("\n".join(datasets.rows(path, table)))
    return 0


def _work_of(side: "Side") -> str:
    return f"{side.dataset}@work" if side.dataset else "work"


def _verify(args: argparse.Namespace, settings: Settings) -> int:
    from headway.flows.needed import needed
    from headway.flows.verify import verify
    from headway.terminal import datasets
    from headway.terminal.working import Working

    with (
        _at_work(settings, looking=True) as (project, parts),
        Working(settings.environ, "reading everything that is needed", quiet=args.json),
    ):
        remote = parts.remote() if settings.remote_url else None
        done = verify(parts.blobs, needed(parts.log, project.folder, keep_runs=20), remote=remote)
    if args.json:
        print_json(done)
    else:
        print("\n".join(datasets.verified(done)))
    return 1 if any(not fault.is_healed for fault in done.faults) else 0


def _forget(args: argparse.Namespace, settings: Settings) -> int:
    from headway.core.dataset import parse_dataset_ref
    from headway.flows import dataset

    (ref,) = args.words
    parsed = parse_dataset_ref(ref)
    if parsed is None or parsed.version is None:
        raise UsageMistaken(f"{ref!r} names no version", at="headway data forget", remedy="write NAME@VERSION: train@2")
    with _at_work(settings) as (project, _):
        fact = dataset.forget(project, parsed.name, parsed.version, why=args.why or "")
    if args.json:
        print_json(fact)
    else:
        print(f"{ref} is forgotten; headway gc deletes what nothing else needs of it, and no lock pins")
    return 0
