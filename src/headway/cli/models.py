"""List models, show a version with all that led to it, let an alias mean a version.

Group: Data and models

    headway models                              every model: newest version, aliases
    headway models show churn                   its versions, and how its aliases moved
    headway models show churn@3                 one version: run, code, data, params, metrics, verdict
    headway models alias churn@3 champion       churn@champion means churn@3 from now on

Exit codes: 0 done, 2 no such model or version, or a word out of place.
"""

import argparse
import time

from headway import wiring
from headway.cli import print_json
from headway.config import Settings
from headway.core.facts import AliasMoved, ModelRegistered
from headway.core.ids import parse_model_ref
from headway.core.registry import Model, cards, summary
from headway.errors import NameUnknown, UsageMistaken
from headway.flows import registry
from headway.ports import Log


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("what", nargs="?", default="list", choices=("list", "show", "alias"), help="default: list")
    parser.add_argument("words", nargs="*", metavar="WORD", help="show MODEL[@VERSION]; alias MODEL@VERSION NAME")
    parser.add_argument("--why", default="", help="alias: a sentence for the audit trail")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Do the one thing asked for."""
    with wiring.open(settings) if args.what == "alias" else wiring.look(settings) as parts:
        match args.what, args.words:
            case "list", []:
                _list(parts.log, as_json=args.json)
            case "show", [name] if "@" not in name:
                _show_model(registry.known(parts.log, name), as_json=args.json)
            case "show", [ref]:
                _show_version(parts.log, ref, as_json=args.json)
            case "alias", [ref, alias]:
                user = settings.environ.get("USER", "")
                _alias(parts.log, ref, alias, why=args.why, by=user, as_json=args.json)
            case what, words:
                form = {"list": "", "show": " MODEL[@VERSION]", "alias": " MODEL@VERSION NAME"}[what]
                raise UsageMistaken(
                    f"{len(words)} words after `{what}` are not what it takes",
                    at="headway models",
                    remedy=f"write `headway models {what}{form}`",
                )
    return 0


def _list(log: Log, *, as_json: bool) -> None:
    rows = [summary(registry.read(log, name)) for name in registry.names(log)]
    if as_json:
        print_json(rows)
        return
    if not rows:
        print("no model is registered yet; a step with `uses: register` makes a version")
        return
    _table(
        ("MODEL", "NEWEST", "VERSIONS", "ALIASES", "REGISTERED"),
        [
            (
                row.name,
                str(row.newest),
                str(row.n_versions),
                ", ".join(f"{alias} {version}" for alias, version in sorted(row.aliases.items())) or "-",
                _time(row.at),
            )
            for row in rows
        ],
    )


def _show_model(model: Model, *, as_json: bool) -> None:
    versions = cards(model)
    if as_json:
        print_json({"model": model.name, "versions": versions, "moves": model.moves()})
        return
    _table(
        ("VERSION", "ALIASES", "FORMAT", "RUN", "METRICS", "REGISTERED"),
        [
            (
                f"{model.name}@{card.version.version}",
                ", ".join(card.aliases) or "-",
                card.version.format or "-",
                str(card.version.run or "-"),
                _metrics(card.version, 3) or "-",
                _time(card.at),
            )
            for card in reversed(versions)
        ],
    )
    for entry in model.moves():
        if isinstance(entry.fact, AliasMoved):
            print(f"{_time(entry.at)}  {_move(entry.fact)}")


def _show_version(log: Log, ref: str, *, as_json: bool) -> None:
    model, version = _version(log, ref)
    card = next(card for card in cards(model) if card.version.version == version.version)
    if as_json:
        print_json(card)
        return
    source = version.source
    changed = f" with uncommitted changes ({source.diff[:12]})" if source.diff else ""
    lines = {
        "version": f"{model.name}@{version.version}" + "".join(f"  {alias}" for alias in card.aliases),
        "registered": f"{_time(card.at)}" + (f" by {version.by}" if version.by else ""),
        "artifact": f"{version.artifact.path}  {version.artifact.digest[:12]}  {version.artifact.size_bytes:,} bytes",
        "format": version.format,
        "run": f"{version.run}, step {version.step}" if version.run else "",
        "code": f"{source.commit[:12]}{changed}" if source.commit else "",
        "data": "\n".join(f"{a.path}  {a.digest[:12]}" for a in version.data),
        "params": "\n".join(f"{name} = {value}" for name, value in sorted(version.params.items())),
        "metrics": "\n".join(f"{m.name} = {m.value:.6g}" for m in version.metrics),
        "verdict": version.verdict or "",
    }
    for name, text in lines.items():
        for i, line in enumerate(text.splitlines()):
            print(f"{name if not i else '':<11} {line}")


def _alias(log: Log, ref: str, alias: str, *, why: str, by: str, as_json: bool) -> None:
    model, version = _version(log, ref)
    moved = registry.move_alias(log, model.name, alias, version.version, now=time.time(), why=why, by=by)
    if as_json:
        print_json({"model": model.name, "alias": alias, "version": version.version, "moved": moved is not None})
    elif moved is None:
        print(f"{model.name}@{alias} means {model.name}@{version.version} already")
    else:
        print(_move(moved))


def _version(log: Log, ref: str) -> tuple[Model, ModelRegistered]:
    """The model and version that a reference names. Raises UsageMistaken, NameUnknown."""
    wanted = parse_model_ref(ref)
    model = registry.known(log, wanted.name)
    version = model.version(wanted.version) if wanted.version is not None else model.resolve(wanted)
    if version is None:
        have = ", ".join(sorted(model.aliases)) or "none"
        raise NameUnknown(
            f"{wanted.name} has no alias {wanted.alias!r}", at=f"model: {ref}", remedy=f"its aliases: {have}"
        )
    return model, version


def _move(fact: AliasMoved) -> str:
    before = f" (was {fact.model}@{fact.previous})" if fact.previous else ""
    why = f": {fact.why}" if fact.why else ""
    return f"{fact.model}@{fact.alias} means {fact.model}@{fact.version}{before}{why}"


def _metrics(version: ModelRegistered, limit: int) -> str:
    return ", ".join(f"{m.name} {m.value:.4g}" for m in version.metrics[-limit:])


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
