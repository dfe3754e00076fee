"""A gate's verdict as its step reports it: a few lines on the terminal, the run's summary in Markdown, its numbers.

Pure. Neighbours: `core/gate_words` has the sentences, `core/gate_kept` and `terminal/gates` show a kept verdict later.
"""

from collections.abc import Iterator

from msgspec import Struct

from headway.core.check import Evidence
from headway.core.gate import CheckVerdict, Verdict

LINES = 4
"""Checks told on the terminal, the worst first; with the headline and the promise that makes six."""

SLICES = 10
"""Slices of a check in the summary, the most harmful first; the kept verdict has them all."""

_WORST_FIRST = ("error", "fail", "unsure", "pass", "not-applicable")


class Report(Struct, frozen=True, kw_only=True):
    """What there is to report. `against` says with what the challenger was compared: `against churn@3`."""

    verdict: Verdict
    exit_code: int
    against: str


def headline(report: Report) -> str:
    """What the gate said and did, in a sentence."""
    done = {0: "let through", 1: "could not be measured", 3: "refused", 6: "held"}[report.exit_code]
    return f"gate: {report.verdict.outcome}, {done} ({report.against}): {report.verdict.why}"


def lines(report: Report) -> list[str]:
    """For the terminal: the headline, the worst checks, a warning, and what is promised."""
    checks = sorted(report.verdict.checks, key=lambda verdict: _WORST_FIRST.index(verdict.outcome))
    told = [f"{one.outcome.upper()}  {one.why}" for one in checks]
    if len(told) > LINES:
        told[LINES - 1 :] = [f"and {len(told) - LINES + 1} more in the run's summary"]
    warnings = [f"WARNING  {one.warning}" for one in checks if one.warning]
    promise = [report.verdict.promise] if report.verdict.promise else []
    return [headline(report), *told, *warnings[:1], *promise]


def markdown(report: Report) -> str:
    """For the run's page: a table of all checks, the slices that matter, the reasons, the promise."""
    table = ["| check | outcome | estimate | range | rows | method |", "|---|---|---|---|---|---|"]
    for one in report.verdict.checks:
        table.append(f"| `{_cell(one.check.text)}` | **{one.outcome}** | {_numbers(one.evidence)} |")
        table += [
            f"| {_cell(part.name)} | {part.outcome} | {_numbers(part.evidence)} |" for part in one.slices[:SLICES]
        ]
        if len(one.slices) > SLICES:
            table.append(f"| and {len(one.slices) - SLICES:,} more | | | | | |")
    reasons = [line for one in report.verdict.checks for line in _reasons(one)]
    promise = ["", report.verdict.promise] if report.verdict.promise else []
    return "\n".join([f"### {headline(report)}", "", *table, "", *reasons, *promise, ""])


def numbers(verdict: Verdict) -> dict[str, float]:
    """The metrics that were measured on all rows, by the names that checks use."""
    values: dict[str, float] = {}
    for judged in verdict.checks:
        found = judged.evidence
        if found is None or judged.check.form in {"gap", "gap-ratio", "disagreement"}:
            continue
        if found.new is not None:
            values[f"new.{found.metric}"] = found.new
        if found.old is not None:
            values[f"old.{found.metric}"] = found.old
    return values


def _reasons(one: CheckVerdict) -> Iterator[str]:
    yield f"- **{one.outcome}** {one.why}"
    if one.warning:
        yield f"- **warning** {one.warning}"


def _numbers(found: Evidence | None) -> str:
    if found is None:
        return " |  |  | "
    low, high = ("?" if bound is None else f"{bound:.5g}" for bound in (found.low, found.high))
    rows = f"{found.n_rows:,}" if found.n_rows else ""
    return f"{found.estimate:.5g} | {low} to {high} | {rows} | {found.method}"


def _cell(text: str) -> str:
    """A bar would end the cell, a sign of Markdown would mean something."""
    return text.replace("|", "\\|").replace("`", "'")
