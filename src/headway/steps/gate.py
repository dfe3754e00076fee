"""The step type `gate`: whether a model may take the place of the one that serves.

Runs both models on the holdout, measures each check (`stats/metrics`), asks for a verdict (`core/gate`), and reports it
as a file, as Markdown and in a few lines. Decides nothing itself and changes nothing in the world.
"""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from headway.core.check import Check, Evidence
from headway.core.check_grammar import parse_check, parse_checks
from headway.core.gate import Unsure, Verdict, against_itself, conclude, exit_code, judge, unmeasured, without_champion
from headway.core.ids import Artifact, parse_model_ref
from headway.core.problem import Problem
from headway.errors import CheckUnreadable, DataUnreadable, NameUnknown, Unmeasurable, UsageMistaken
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

    Outputs: `outcome` (pass, fail, unsure or error) and `verdict` (the digest of what was asked and answered).
    """

    challenger: Annotated[
        str,
        Meta(
            description="The model that wants to serve: a path, or an output of a step.", examples=["models/model.pkl"]
        ),
    ]
    data: Annotated[
        str,
        Meta(
            description="The holdout, which neither model was trained on: a CSV or Parquet file.",
            examples=["data/holdout.csv"],
        ),
    ]
    target: Annotated[
        str, Meta(description="The holdout's column of true values; the models do not see it.", examples=["churned"])
    ]
    checks: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            description="Conditions, such as new.auc - old.auc > -0.01; all must hold.",
            examples=[["new.auc >= 0.8"]],
        ),
    ]
    champion: Annotated[
        str | None, Meta(description="name@alias or name@version; while it means nothing, comparisons do not count.")
    ] = None
    confidence: Annotated[
        float, Meta(gt=0.5, lt=1, description="1 minus the chance that a model which breaks a check passes it.")
    ] = 0.95
    unsure: Annotated[Unsure, Meta(description="What to do when the data cannot tell. Default: hold.")] = "hold"

    # Any: `with:` as a person wrote it.
    @staticmethod
    def problems(values: Mapping[str, Any]) -> Iterator[Problem]:
        """Checks that cannot be read, each where it went wrong, and a champion that is no reference to a model."""
        checks = values.get("checks")
        for i, text in enumerate(checks if isinstance(checks, list) else ()):
            try:
                parse_check(text)
            except CheckUnreadable as e:
                yield Problem(path=("checks", i), problem=e.problem, remedy=e.remedy, offset=e.offset)
        if (champion := values.get("champion")) is not None:
            try:
                parse_model_ref(champion)
            except UsageMistaken as e:
                yield Problem(path=("champion",), problem=e.problem, remedy=e.remedy)

    def run(self, bench: Bench) -> int:
        """Measure, judge and report; 0 let through, 3 refused, 6 held, 1 could not be measured."""
        checks = parse_checks(self.checks)
        challenger, data, champion = bench.artifact(self.challenger), bench.artifact(self.data), self._champion(bench)
        truth, rows = _split(_read(bench.path(self.data), self.data), self.target, self.data)
        # One model in memory at a time.
        new = _ask(bench.load_model(challenger), rows)
        is_champion = champion is not None and champion.artifact.digest == challenger.digest
        old = None if champion is None or is_champion else _ask(bench.load_model(champion), rows)
        verdict = decide(checks, truth, new, old, self.confidence, is_champion=is_champion)
        record = Record(
            step=self,
            challenger=challenger,
            champion=None if champion is None else f"{champion.model}@{champion.version}",
            data=data,
            verdict=verdict,
            exit_code=exit_code(verdict.outcome, self.unsure),
        )
        _report(bench, record)
        return record.exit_code

    def _champion(self, bench: Bench) -> "ModelRegistered | None":
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


class Record(Struct, frozen=True, kw_only=True):
    """What is kept of a gate: what was asked, of which models (`champion`: `name@version`) and data, and the answer."""

    step: Step
    challenger: Artifact
    champion: str | None
    data: Artifact
    verdict: Verdict
    exit_code: int


# --- deciding ----------------------------------------------------------------------------------------------------


def decide(
    checks: tuple[Check, ...],
    truth: "Column",
    new: "Answers",
    old: "Answers | None",
    confidence: float,
    *,
    is_champion: bool = False,
) -> Verdict:
    """The verdict on answers to the same rows as `truth`; `old` is None without a champion that is another model."""
    verdicts = []
    for check in checks:
        if check.compares and old is None:
            verdicts.append(against_itself(check) if is_champion else without_champion(check))
            continue
        try:
            evidence = measure(check, truth, new, old, confidence)
        except Unmeasurable as trouble:
            verdicts.append(unmeasured(check, trouble))
        else:
            verdicts.append(judge(check, evidence))
    return conclude(verdicts, is_champion=is_champion)


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
        approximate=found.approximate,
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


def _report(bench: Bench, record: Record) -> None:
    import msgspec

    digest = bench.blobs.put(msgspec.json.format(msgspec.json.encode(record)))
    # No fact may name what could still be lost.
    bench.blobs.sync()
    bench.output("outcome", record.verdict.outcome)
    # By its digest, so that `register` can keep it with the version that it let through.
    bench.output("verdict", digest)
    for name, value in _metrics(record.verdict).items():
        bench.metric(name, value)
    bench.summary(_markdown(record))
    for line in _lines(record):
        bench.say(line)


def _headline(record: Record) -> str:
    done = {0: "let through", 1: "could not be measured", 3: "refused", 6: "held"}[record.exit_code]
    named = record.step.champion
    against = f"against {record.champion}" if record.champion else "no champion named"
    if named and not record.champion:
        # The name stands here, for a slip in it would look the same.
        against = f"{named} is no version yet"
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
