"""A model card: what a version is, what it was made of, how it was judged and where it serves, as Markdown.

Made of a lineage alone, so that it says nothing that the log does not. What only people can say (what the model is
meant for, whom it may harm) stands as tags of the version: `intended-use`, `limitations`, `contact`, `license`.
"""

from headway.core.examined import latencies, told
from headway.core.facts import Metric
from headway.core.ids import SHORT
from headway.core.lineage import DataUse, VersionLineage

SAID = {
    "description": "Description",
    "intended-use": "Intended use",
    "limitations": "Limitations",
    "ethics": "Ethical considerations",
    "contact": "Contact",
    "license": "License",
}
"""Tags that are sections of the card, in their order, and what these are called."""

_KEY_PACKAGES = ("numpy", "pandas", "polars", "scikit-learn", "scipy", "torch", "xgboost", "lightgbm", "onnxruntime")


def markdown(of: VersionLineage) -> str:
    """The card. `headway models tag` adds what only people know."""
    made, tags = of.version, of.card.tags
    lines = [f"# Model card: {of.name}", ""]
    if of.card.aliases:
        lines += ["Also known as " + ", ".join(f"`{made.model}@{alias}`" for alias in of.card.aliases) + ".", ""]
    for tag, head in SAID.items():
        if tag in tags:
            lines += [f"## {head}", "", tags[tag], ""]
    lines += _section("Version", _facts_of(of))
    for head, fields in (("Takes", made.signature.inputs), ("Gives", made.signature.outputs)):
        rows = [(field.name, f"{field.kind or 'any'} {field.shape}") for field in fields]
        lines += _section(head, rows, heads=("name", "kind and shape"))
    lines += _section("Metrics", [(m.name, f"{m.value:.6g}") for m in _last(of)], heads=("metric", "value"))
    lines += _gate(of)
    if of.data:
        lines += ["## Data", "", "| path | version | content |", "|---|---|---|"]
        for one in of.data:
            lines.append(f"| `{_cell(one.artifact.path)}` | {_from(one)} | `{one.artifact.digest[:SHORT]}` |")
        lines += [""]
    lines += _section("Parameters", [(n, str(v)) for n, v in sorted(made.params.items())], heads=("parameter", "value"))
    lines += _section("Environment", _environment(of))
    lines += _section("Tags", [(name, value) for name, value in tags.items() if name not in SAID])
    missing = [tag for tag in ("intended-use", "limitations") if tag not in tags]
    if missing:
        said = " ".join(f'{tag}="…"' for tag in missing)
        lines += [f"Not said by anybody yet: {', '.join(missing)} (`headway models tag {of.name} {said}`).", ""]
    return "\n".join(lines)


def _last(of: VersionLineage) -> list[Metric]:
    """Of a metric that was reported many times, the last."""
    return list({metric.name: metric for metric in of.version.metrics}.values())


def _section(head: str, rows: list[tuple[str, str]], *, heads: tuple[str, str] = ("", "")) -> list[str]:
    if not rows:
        return []
    table = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows]
    return [f"## {head}", "", f"| {heads[0]} | {heads[1]} |", "|---|---|", *table, ""]


def _cell(text: str) -> str:
    """As a table's cell takes it: neither a bar nor a line break ends it."""
    return " ".join(text.split()).replace("|", "\\|")


def _facts_of(of: VersionLineage) -> list[tuple[str, str]]:
    made = of.version
    code = made.source.commit or ""
    if code and made.source.diff:
        code += f", with uncommitted changes (`{made.source.diff[:SHORT]}`)"
    run = ""
    if of.run is not None:
        wrote = f", written by step `{of.run.made_by.step}` of run {of.run.made_by.run}" if of.run.made_by else ""
        run = f"{of.run.run} of {of.run.name}{wrote}"
    serves = ", ".join(sorted({one.endpoint for one in of.releases if one.is_serving}))
    rows = [
        ("file", f"`{made.artifact.path}`, {made.artifact.size_bytes:,} bytes"),
        ("digest (BLAKE3)", f"`{made.artifact.digest}`"),
        ("format", made.format),
        ("ONNX", told(of.card.onnx) if of.card.onnx is not None else ""),
        ("latency", "; ".join(latencies(of.card.latency))),
        ("registered by", made.by),
        ("imported", "from another project" if made.origin else ""),
        ("run", run),
        ("commit", code),
        ("signed by", ", ".join(f"`{one.key}`" for one in of.card.signatures)),
        ("serves", serves),
    ]
    return [(name, value) for name, value in rows if value]


def _gate(of: VersionLineage) -> list[str]:
    if of.verdict is None:
        return ["## Gate", "", "No gate judged this version.", ""]
    said = of.verdict.outcome or "its record is not in the store"
    why = f": {of.verdict.why}" if of.verdict.why else ""
    return ["## Gate", "", f"{said}{why}", "", f"`headway gate show {of.verdict.digest[:SHORT]}` draws it.", ""]


def _from(use: DataUse) -> str:
    if use.versions:
        return ", ".join(use.versions)
    return f"run {use.made_by.run}, step {use.made_by.step}" if use.made_by is not None else "-"


def _environment(of: VersionLineage) -> list[tuple[str, str]]:
    """The interpreter and the packages that matter most to a model; the whole list is kept with the version."""
    pinned = dict(one.lower().replace("_", "-").split("==", 1) for one in of.packages if "==" in one)
    # Not where: the interpreter's place is somebody's own.
    rows = [("Python", of.place.python.partition(" ")[0]), ("platform", of.place.platform)]
    rows += [(name, pinned[name]) for name in _KEY_PACKAGES if name in pinned]
    if of.packages:
        rows.append(("packages in all", str(len(of.packages))))
    return [(name, value) for name, value in rows if value]
