"""Models, versions and their lineage as lines for people. What they mean is said in `core`."""

import time
from collections.abc import Iterator, Sequence

from headway.core.examined import latencies, told
from headway.core.facts import AliasMoved, ModelRegistered
from headway.core.ids import SHORT
from headway.core.lineage import DataLineage, DataUse, ReleaseOf, VersionLineage
from headway.core.model_compare import Comparison, Difference
from headway.core.registry import Model, ModelSummary, cards
from headway.core.signature import ANY_WIDTH, Field
from headway.terminal.words import size, table

_FIELDS = 40
"""Inputs that are shown one by one."""


def listed(rows: Sequence[ModelSummary]) -> list[str]:
    """All models."""
    if not rows:
        return ["no model is registered yet; a step with `uses: register` makes a version"]
    return table(
        [
            (
                row.name,
                str(row.newest),
                str(row.n_versions),
                ", ".join(f"{alias} {version}" for alias, version in sorted(row.aliases.items())) or "-",
                moment(row.at),
            )
            for row in rows
        ],
        heads=("MODEL", "NEWEST", "VERSIONS", "ALIASES", "REGISTERED"),
    )


def versions(model: Model) -> list[str]:
    """A model: its versions, newest first, and how its aliases moved."""
    lines = table(
        [
            (
                f"{model.name}@{card.version.version}",
                ", ".join(card.aliases) or "-",
                card.version.format or "-",
                str(card.version.run or "-"),
                _metrics(card.version, 3) or "-",
                moment(card.at),
            )
            for card in reversed(cards(model))
        ],
        heads=("VERSION", "ALIASES", "FORMAT", "RUN", "METRICS", "REGISTERED"),
    )
    moves = [f"{moment(e.at)}  {move(e.fact)}" for e in model.moves() if isinstance(e.fact, AliasMoved)]
    return [*lines, *moves]


def version(of: VersionLineage) -> list[str]:
    """One version, with all that led to it."""
    made, source = of.version, of.version.source
    changed = f" with uncommitted changes ({source.diff[:SHORT]})" if source.diff else ""
    return _named(
        {
            "version": of.name + "".join(f"  {alias}" for alias in of.card.aliases),
            "registered": moment(of.card.at) + (f" by {made.by}" if made.by else ""),
            "artifact": f"{made.artifact.path}  {made.artifact.digest[:SHORT]}  {made.artifact.size_bytes:,} bytes",
            "format": made.format,
            "takes": "\n".join(_fields(made.signature.inputs)),
            "gives": "\n".join(_fields(made.signature.outputs)),
            "onnx": told(of.card.onnx) if of.card.onnx is not None else "",
            "latency": "\n".join(latencies(of.card.latency)),
            "imported": f"from another project ({made.origin[:SHORT]})" if made.origin else "",
            "run": f"{made.run}, step {made.step}" if made.run else "",
            "code": f"{source.commit[:SHORT]}{changed}" if source.commit else "",
            "data": "\n".join(_data(use) for use in of.data),
            "params": "\n".join(f"{name} = {value}" for name, value in sorted(made.params.items())),
            "metrics": "\n".join(f"{m.name} = {m.value:.6g}" for m in made.metrics),
            "verdict": f"{of.verdict.outcome} {of.verdict.digest}".strip() if of.verdict is not None else "",
            "overridden": "\n".join(_release(one) for one in of.releases if one.override),
            "environment": _environment(of),
            "tags": "\n".join(f"{name} = {value}" for name, value in of.card.tags.items()),
            "signed by": "\n".join(f"{one.key}" + (f" ({one.by})" if one.by else "") for one in of.card.signatures),
        }
    )


def lineage(of: VersionLineage) -> list[str]:
    """A version's way, from the data to where it serves."""
    made, source = of.version, of.version.source
    changed = f" with uncommitted changes ({source.diff[:SHORT]})" if source.diff else ""
    run = ""
    if of.run is not None:
        run = f"{of.run.run} of {of.run.name}, {moment(of.run.at)}, started by {of.run.trigger}: {of.run.outcome}"
        if of.run.made_by is not None:
            run += f"\nstep {of.run.made_by.step} of run {of.run.made_by.run} wrote {made.artifact.path}"
    verdict = "none: no gate judged it"
    if of.verdict is not None:
        verdict = f"{of.verdict.outcome or 'not in the store'} ({of.verdict.digest[:SHORT]})"
        verdict += f"\n{of.verdict.why}" if of.verdict.why else ""
    return _named(
        {
            "version": f"{of.name}  {made.artifact.digest[:SHORT]}" + "".join(f"  {a}" for a in of.card.aliases),
            "data": "\n".join(_data(use) for use in of.data) or "-",
            "code": f"{source.commit[:SHORT]}{changed}" if source.commit else "no commit",
            "run": run or "-",
            "environment": _environment(of) or "-",
            "verdict": verdict,
            "endpoints": "\n".join(_release(one) for one in of.releases) or "never released",
        }
    )


def reach(of: DataLineage) -> list[str]:
    """What data became part of."""
    if not of.touched:
        return [f"no model version was made of {of.of}"]
    rows = [
        (
            one.version,
            ", ".join(one.aliases) or "-",
            ", ".join(artifact.path for artifact in one.through[:3]),
            ", ".join(_release(release) for release in one.releases[-2:]) or "never released",
        )
        for one in of.touched
    ]
    n = len(of.touched)
    serving = f"; serving now on {', '.join(of.endpoints)}" if of.endpoints else "; none of them serves now"
    heads = ("VERSION", "ALIASES", "THROUGH", "ENDPOINTS")
    return [f"{of.of} is part of {n} model version{'s' * (n != 1)}{serving}", *table(rows, heads=heads)]


def compared(found: Comparison, *, is_all: bool) -> list[str]:
    """Two versions side by side: what differs, or with `is_all` everything."""
    rows = found.rows if is_all else found.differing
    n_same = len(found.rows) - len(found.differing)
    lines = []
    if rows:
        told = [(row.kind, row.name, _value(row.a, row), _value(row.b, row), _change(row)) for row in rows]
        lines += table(told, heads=("", "", found.a, found.b, "CHANGE"))
    if not found.differing:
        lines.append(f"{found.a} and {found.b} do not differ in anything that is recorded")
    elif not is_all and n_same:
        lines.append(f"{n_same} more are the same (--all)")
    if found.code:
        lines += ["", *found.code.splitlines()]
    elif found.why_no_code:
        lines.append(f"code: {found.why_no_code}")
    return lines


def move(fact: AliasMoved) -> str:
    """How an alias moved."""
    before = f" (was {fact.model}@{fact.previous})" if fact.previous else ""
    why = f": {fact.why}" if fact.why else ""
    return f"{fact.model}@{fact.alias} means {fact.model}@{fact.version}{before}{why}"


def moment(at: float) -> str:
    """A time, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


# --- within -----------------------------------------------------------------------------------------------------


def _named(lines: dict[str, str]) -> list[str]:
    width = max(11, *(len(name) for name, text in lines.items() if text))
    return [
        f"{name if not i else '':<{width}} {line}"
        for name, text in lines.items()
        for i, line in enumerate(text.splitlines())
    ]


def _fields(fields: Sequence[Field]) -> Iterator[str]:
    """Inputs or outputs, a line each; a long list is cut."""
    for field in fields[:_FIELDS]:
        wide = "" if field.width is None else f" x {'any' if field.width == ANY_WIDTH else field.width}"
        yield f"{field.name} {field.kind or 'of any kind'}{wide}"
    if len(fields) > _FIELDS:
        yield f"and {len(fields) - _FIELDS} more (--json)"


def _data(use: DataUse) -> str:
    known = f"  {', '.join(use.versions)}" if use.versions else ""
    if use.made_by is not None and not known:
        known = f"  of run {use.made_by.run}, step {use.made_by.step}"
    return f"{use.artifact.path}  {use.artifact.digest[:SHORT]}{known}"


def _environment(of: VersionLineage) -> str:
    python = of.place.python.partition(" ")[0]
    parts = [f"Python {python}" if python else "", f"{len(of.packages)} packages" if of.packages else ""]
    return ", ".join(part for part in (*parts, of.place.platform) if part)


def _release(one: ReleaseOf) -> str:
    now = "serving" if one.is_serving else one.outcome
    return f"{one.endpoint} (release {one.release}, {moment(one.at)}: {now}{_overridden(one)})"


def _overridden(one: ReleaseOf) -> str:
    return f"; no gate let it pass, {one.by or 'somebody'} answers for it: {one.override}" if one.override else ""


def _metrics(made: ModelRegistered, limit: int) -> str:
    return ", ".join(f"{m.name} {m.value:.4g}" for m in made.metrics[-limit:])


def _value(value: object, row: Difference) -> str:
    if value is None:
        return "-"
    if row.kind == "size" and isinstance(value, int):
        return size(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _change(row: Difference) -> str:
    if row.change is None or not row.change:
        return ""
    if row.kind == "size":
        return ("+" if row.change > 0 else "-") + size(round(abs(row.change)))
    return f"{row.change:+.6g}"
