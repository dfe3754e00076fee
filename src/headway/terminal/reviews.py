"""What a review of data found, for people: what is broken, the worst first, with rows and what to do. Lines only."""

from collections.abc import Sequence

from headway.core.validation import DataVerdict, Example, Finding
from headway.terminal.tail import clean
from headway.terminal.words import table

LONGEST = 40
"""Characters of a value that are shown."""


def reviewed(verdict: DataVerdict, *, called: str, against: str = "") -> list[str]:
    """The verdict on the data that are `called` so, `against` a reference if there was one."""
    beside = f", against {against}" if against else ""
    n = f"{verdict.n_rows:,} row{'s' * (verdict.n_rows != 1)}"
    lines = [f"{verdict.outcome}: {clean(called)}, {n}{beside}: {verdict.why}"]
    for one in broken(verdict):
        lines += ["", f"{word(one).upper()}  {clean(one.why)}"]
        lines += [f"  {line}" for line in _examples(one.examples)]
        if one.remedy:
            lines.append(f"  do: {clean(one.remedy)}")
    skipped = [one for one in verdict.findings if one.outcome == "not-applicable"]
    if skipped:
        lines += ["", f"{len(skipped)} not asked, for there is nothing to compare with: {_places(skipped)}"]
    return lines


def broken(verdict: DataVerdict) -> list[Finding]:
    """What is broken or could not be measured: errors first, then warnings, as they were written."""
    found = [one for one in verdict.findings if one.outcome in ("fail", "error")]
    return sorted(found, key=lambda one: (one.check.severity == "warn", one.outcome == "error"))


def word(finding: Finding) -> str:
    """`fail`, `warn`, `error`, `pass` or `not-applicable`."""
    return "warn" if finding.outcome == "fail" and finding.check.severity == "warn" else finding.outcome


def _places(findings: Sequence[Finding]) -> str:
    return ", ".join(dict.fromkeys(clean(one.check.at or "a check") for one in findings))


def _examples(examples: Sequence[Example]) -> list[str]:
    if not examples:
        return []
    names = list(examples[0].values)
    heads = ["line" if examples[0].line is not None else "row", *map(clean, names)]
    rows = [
        [f"{one.line if one.line is not None else one.row:,}", *(_shown(one.values.get(name)) for name in names)]
        for one in examples
    ]
    return table(rows, heads=heads)


def _shown(text: str | None) -> str:
    if text is None:
        return "(null)"
    shown = clean(text)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
