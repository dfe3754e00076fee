"""The step type `gate`: whether a model may take the place of the one that serves.

Runs both models on the holdout, measures each check (`stats/metrics`), asks for a verdict (`core/gate`), and reports it
as a file, as Markdown and in a few lines. Decides nothing itself and changes nothing in the world.
"""

import os
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from headway.core.check import Check, Evidence, parse_checks
from headway.core.gate import Unsure, Verdict, conclude, exit_code, judge, unmeasured, without_champion
from headway.core.ids import parse_model_ref
from headway.errors import DataUnreadable, NameUnknown, Unmeasurable
from headway.steps import Bench

if TYPE_CHECKING:
    import polars as pl

    from headway.core.facts import ModelRegistered
    from headway.core.prediction import LoadedModel
    from headway.stats.answers import Answers, Column

LINES = 5
"""Checks told on the terminal, the worst first; the summary has them all."""


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Let a challenger pass only if every check holds on the holdout, surely enough.

    `challenger`: a model file or folder of this project. `champion`: `name@alias` or `name@version`; without one, or
    while it means nothing yet, only checks of the new model alone count. `data`: a CSV or Parquet file that neither
    model was trained on, `target` its column of true values. `confidence`: how sure each verdict must be; a model that
    breaks a check passes with probability 1 - confidence at most. `unsure`: what happens if the data cannot tell.
    """

    challenger: str
    data: str
    target: str
    checks: Annotated[tuple[str, ...], Meta(min_length=1)]
    champion: str | None = None
    confidence: Annotated[float, Meta(gt=0.5, lt=1)] = 0.95
    unsure: Unsure = "hold"

    def run(self, bench: Bench) -> int:
        """Measure, judge and report; 0 let through, 3 refused, 6 held, 1 could not be measured."""
        checks = parse_checks(self.checks)
        champion = self._find_champion(bench)
        truth, rows = _split(_read(bench.path(self.data), self.data), self.target, self.data)
        # One model in memory at a time.
        new = _ask(bench.load_model(bench.artifact(self.challenger)), rows)
        old = None if champion is None else _ask(bench.load_model(champion), rows)
        verdict = decide(checks, truth, new, old, self.confidence)
        return self._report(bench, verdict, champion)

    def _find_champion(self, bench: Bench) -> "ModelRegistered | None":
        if self.champion is None:
            return None
        ref = parse_model_ref(self.champion)
        found = bench.resolve(ref)
        if found is None and ref.version is not None:
            # An alias may mean nothing yet; a number that was never given is a slip, and would pass in silence.
            raise NameUnknown(
                f"{ref.name} has no version {ref.version}",
                at=f"champion: {self.champion}",
                remedy=f"name one that `headway models` lists, or an alias such as {ref.name}@champion",
            )
        return found

    def _report(self, bench: Bench, verdict: Verdict, champion: "ModelRegistered | None") -> int:
        import msgspec

        code = exit_code(verdict.outcome, self.unsure)
        against = None if champion is None else f"{champion.model}@{champion.version}"
        record = Record(step=self, champion=against, verdict=verdict, exit_code=code)
        path = bench.scratch("verdict.json")
        with open(path, "wb") as f:
            f.write(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
        bench.output("outcome", verdict.outcome)
        bench.output("verdict", path)
        for name, value in _metrics(verdict).items():
            bench.metric(name, value)
        bench.summary(_markdown(record))
        for line in _lines(record):
            bench.say(line)
        return code


class Record(Struct, frozen=True, kw_only=True):
    """What is kept of a gate: what was asked (`step`), of which `champion` (`name@version` or none), and the answer."""

    step: Step
    champion: str | None
    verdict: Verdict
    exit_code: int


# --- deciding ----------------------------------------------------------------------------------------------------


def decide(
    checks: tuple[Check, ...], truth: "Column", new: "Answers", old: "Answers | None", confidence: float
) -> Verdict:
    """The verdict on answers to the same rows as `truth`; `old` is None while there is no champion."""
    verdicts = []
    for check in checks:
        if check.compares and old is None:
            verdicts.append(without_champion(check))
            continue
        try:
            evidence = measure(check, truth, new, old, confidence)
        except Unmeasurable as trouble:
            verdicts.append(unmeasured(check, trouble))
        else:
            verdicts.append(judge(check, evidence))
    return conclude(verdicts)


def measure(check: Check, truth: "Column", new: "Answers", old: "Answers | None", confidence: float) -> Evidence:
    """The evidence for one check; one that compares needs `old`. Raises Unmeasurable, see `stats/metrics`."""
    from headway.stats import metrics

    found = metrics.measure(check.metric, truth, new, old if check.compares else None, confidence)
    return Evidence(
        metric=check.metric,
        estimate=found.value,
        low=found.low,
        high=found.high,
        n_rows=found.n_rows,
        method=found.method,
        confidence=confidence,
        new=found.new,
        old=found.old,
        n_differ=found.n_differ,
        spread=found.spread,
    )


# --- data and models ---------------------------------------------------------------------------------------------


def _read(path: str, name: str) -> "pl.DataFrame":
    import polars as pl

    ending = os.path.splitext(path)[1].lower()
    if ending not in {".csv", ".parquet"}:
        raise DataUnreadable(
            f"{name} is neither CSV nor Parquet by its name",
            at=f"data: {name}",
            remedy="name a file that ends in .csv or .parquet",
        )
    try:
        return pl.read_csv(path) if ending == ".csv" else pl.read_parquet(path)
    except FileNotFoundError as e:
        raise DataUnreadable(f"{name} does not exist", at=f"data: {name}", remedy="name the holdout's file") from e
    except (pl.exceptions.PolarsError, OSError) as e:
        raise DataUnreadable(
            f"{name} cannot be read: {e}", at=f"data: {name}", remedy="mend the file, or write it as Parquet"
        ) from e


def _split(table: "pl.DataFrame", target: str, name: str) -> "tuple[Column, pl.DataFrame]":
    """The true values, and the rows as a model may see them: without those."""
    if target not in table.columns:
        from difflib import get_close_matches

        close = get_close_matches(target, table.columns, n=1)
        raise DataUnreadable(
            f"{name} has no column {target!r}",
            at=f"target: {target}",
            remedy=f"did you mean {close[0]!r}?" if close else f"it has: {', '.join(table.columns[:10])}",
        )
    return table[target].to_numpy(), table.drop(target)


def _ask(model: "LoadedModel", rows: "pl.DataFrame") -> "Answers":
    """The model's answers; its probabilities of 1 where its classes are two and one of them is 1 or true."""
    from headway.stats.answers import Answers

    said = model.predict(rows)
    if said.probabilities is None or len(said.classes) != 2 or 1 not in said.classes:
        return Answers(labels=said.labels)
    return Answers(labels=said.labels, chances=said.probabilities[:, said.classes.index(1)])


# --- telling -----------------------------------------------------------------------------------------------------


def _headline(record: Record) -> str:
    done = {0: "let through", 1: "could not be measured", 3: "refused", 6: "held"}[record.exit_code]
    against = f"against {record.champion}" if record.champion else "no champion yet"
    return f"gate: {record.verdict.outcome}, {done} ({against}): {record.verdict.why}"


def _lines(record: Record) -> list[str]:
    worst_first = ("error", "fail", "unsure", "pass", "not-applicable")
    checks = sorted(record.verdict.checks, key=lambda verdict: worst_first.index(verdict.outcome))
    lines = [f"{verdict.outcome.upper()}  {verdict.why}" for verdict in checks[:LINES]]
    if len(checks) > LINES:
        lines[-1:] = [f"and {len(checks) - LINES + 1} more in the run's summary"]
    return [_headline(record), *lines]


def _markdown(record: Record) -> str:
    table = ["| check | outcome | estimate | range | rows | method |", "|---|---|---|---|---|---|"]
    for verdict in record.verdict.checks:
        found = verdict.evidence
        cells = ["", "", "", ""]
        if found is not None:
            low, high = ("?" if bound is None else f"{bound:.5g}" for bound in (found.low, found.high))
            cells = [f"{found.estimate:.5g}", f"{low} to {high}", f"{found.n_rows:,}", found.method]
        # A bar would end the cell.
        check = verdict.check.text.replace("|", "\\|")
        table.append(f"| `{check}` | **{verdict.outcome}** | {' | '.join(cells)} |")
    reasons = [f"- **{verdict.outcome}** {verdict.why}" for verdict in record.verdict.checks]
    return "\n".join([f"### {_headline(record)}", "", *table, "", *reasons, ""])


def _metrics(verdict: Verdict) -> dict[str, float]:
    """The metrics measured, by the names that checks use."""
    values: dict[str, float] = {}
    for judged in verdict.checks:
        found = judged.evidence
        if found is not None and found.new is not None:
            values[f"new.{found.metric}"] = found.new
        if found is not None and found.old is not None:
            values[f"old.{found.metric}"] = found.old
    return values
