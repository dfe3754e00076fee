"""What a review of data found, for people: what is broken, the worst first, with rows and what to do. Lines only."""

from collections.abc import Sequence

from headway.core.telling import rows
from headway.core.validation import DataVerdict, Example, Finding
from headway.terminal.tail import clean
from headway.terminal.words import table

LONGEST = 40
"""Characters of a value that are shown."""


def reviewed(verdict: DataVerdict, *, called: str, against: str = "") -> list[str]:
    """The verdict on the data that are `called` so, `against` a reference if there was one."""
    beside = f", against {against}" if against else ""
    lines = [f"{verdict.outcome}: {clean(called)}, {rows(verdict.n_rows)}{beside}: {verdict.why}"]
    for one in verdict.broken:
        lines += ["", f"{one.word.upper()}  {clean(one.why)}"]
        lines += [f"  {line}" for line in _examples(one.examples)]
        if one.remedy:
            lines.append(f"  do: {clean(one.remedy)}")
    skipped = [one for one in verdict.findings if one.outcome == "not-applicable"]
    if skipped:
        lines += ["", f"{len(skipped)} not asked, for there is nothing to compare with: {_places(skipped)}"]
    return lines


def _places(findings: Sequence[Finding]) -> str:
    return ", ".join(dict.fromkeys(clean(one.check.at or "a check") for one in findings))


def _examples(examples: Sequence[Example]) -> list[str]:
    if not examples:
        return []
    names = list(examples[0].values)
    has_lines, has_files = examples[0].line is not None, any(one.file for one in examples)
    heads = [*["file"] * has_files, "line" if has_lines else "row", *map(clean, names)]
    lines = [
        [
            *[clean(one.file)] * has_files,
            f"{one.line if one.line is not None else one.row:,}",
            *(_shown(one.values.get(name)) for name in names),
        ]
        for one in examples
    ]
    return table(lines, heads=heads)


def _shown(text: str | None) -> str:
    if text is None:
        return "(null)"
    shown = clean(text)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
