"""The step type `gate`: whether a model may take the place of the one that serves.

Has both models answer the holdout (or reads what they answered), claims an ask of its budget, has each check measured
and judged (`core/gate_evidence`), and reports the verdict as a file, as Markdown and in a few lines. Decides nothing
itself and changes nothing in the world but the holdout's ledger.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from headway.codec.wire import digest_of_all
from headway.core import gate_report
from headway.core.check import Check
from headway.core.check_grammar import parse_checks
from headway.core.facts import HoldoutAnswered
from headway.core.gate import Unsure, Verdict, conclude, exit_code, unmeasured
from headway.core.gate_keys import misfits, own_names
from headway.core.gate_reveal import revealed
from headway.core.gate_slices import Mode, Multiplicity, Slicing
from headway.core.holdout import Asked, Asking, Reuse, Reveal
from headway.core.ids import Artifact, Digest, parse_model_ref
from headway.core.problem import Problem
from headway.errors import BlobMissing, CheckUnreadable, NameUnknown, Unmeasurable, UsageMistaken
from headway.steps import Bench

if TYPE_CHECKING:
    from headway.core.facts import ModelRegistered
    from headway.core.gate_evidence import Material

QUESTION = "gate 1"
"""Changes when the same question would be answered otherwise, so that no answer of before is given for it."""


class Predictions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What the models answered, in files that are joined to the holdout by a key."""

    new: Annotated[str, Meta(description="The challenger's: the key, prediction, and probabilities if it gives any.")]
    key: Annotated[str, Meta(description="The column that names a row, in all files.")]
    old: Annotated[str, Meta(description="The champion's. Default: none, and comparisons do not count.")] = ""


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Let a challenger pass only if every check holds on the holdout, surely enough.

    Outputs: `outcome` (pass, fail, unsure or error) and `verdict` (the digest of what was asked and answered).
    """

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
    challenger: Annotated[
        str,
        Meta(
            description="The model that wants to serve: a path, or an output of a step. Only predictions need none.",
            examples=["models/model.pkl"],
        ),
    ] = ""
    champion: Annotated[
        str | None, Meta(description="name@alias or name@version; while it means nothing, comparisons do not count.")
    ] = None
    predictions: Annotated[
        Predictions | None,
        Meta(description="Files of what the models answered (new, old, key), instead of running them."),
    ] = None
    confidence: Annotated[
        float, Meta(gt=0.5, lt=1, description="1 minus the chance that a model which breaks a check passes it.")
    ] = 0.95
    unsure: Annotated[Unsure, Meta(description="What to do when the data cannot tell. Default: hold.")] = "hold"
    unit: Annotated[
        str, Meta(description="The column of what rows come in, such as customers; only units are independent then.")
    ] = ""
    query: Annotated[str, Meta(description="The column of the query whose rows are ranked together.")] = ""
    slices: Annotated[
        Mode,
        Meta(description="veto: no slice may be shown to break its check; prove: each must keep it. Default: veto."),
    ] = "veto"
    min_slice: Annotated[int, Meta(ge=1, description="Rows below which a slice is too small to tell. Default: 30.")] = (
        30
    )
    multiplicity: Annotated[
        Multiplicity, Meta(description="How it is corrected that slices are many. Default: holm.")
    ] = "holm"
    reuse: Annotated[
        Reuse | Literal["none"],
        Meta(description="How often the holdout may be asked (budget, passes, reveal). none: as often as you like."),
    ] = Reuse()
    metrics: Annotated[
        dict[str, str],
        Meta(
            description="Metrics of your own, by the name that checks use.", examples=[{"profit": "metrics.py:profit"}]
        ),
    ] = {}

    # Any: `with:` as a person wrote it.
    @staticmethod
    def problems(values: Mapping[str, Any]) -> Iterator[Problem]:
        """Checks that cannot be read, each where it went wrong, and values that cannot stand beside each other."""
        checks, own = values.get("checks"), own_names(values.get("metrics"))
        # Metrics that an expression brings are known when it is filled in.
        is_open = isinstance(values.get("metrics"), str)
        for i, text in enumerate(checks if isinstance(checks, list) and not is_open else ()):
            try:
                parse_checks([text], own)
            except CheckUnreadable as e:
                yield Problem(path=("checks", i), problem=e.problem, remedy=e.remedy, offset=e.offset)
        if (champion := values.get("champion")) is not None:
            try:
                parse_model_ref(champion)
            except UsageMistaken as e:
                yield Problem(path=("champion",), problem=e.problem, remedy=e.remedy)
        yield from misfits(values)

    def run(self, bench: Bench) -> int:
        """Measure, judge and report; 0 let through, 3 refused, 6 held, 1 could not be measured."""
        checks = parse_checks(self.checks, tuple(self.metrics))
        inputs = _inputs(self, bench)
        asking = _asking(self, bench, checks, inputs)
        # Before any model has run: a budget that is spent, and an answer that there is.
        found = None if asking is None else _kept(bench, bench.holdout(asking.holdout).look(asking))
        verdict, answers = found or _measured(self, bench, checks, inputs, asking)
        record = Record(
            step=self,
            challenger=inputs.challenger,
            champion=inputs.champion_name,
            data=inputs.data,
            verdict=verdict,
            exit_code=exit_code(verdict.outcome, self.unsure),
            answers=answers,
        )
        _report(bench, record)
        return record.exit_code

    @property
    def reveal(self) -> Reveal:
        """What is shown of the verdict."""
        return "all" if self.reuse == "none" else self.reuse.reveal


class Record(Struct, frozen=True, kw_only=True):
    """What is kept of a gate: what was asked, of which models (`champion`: `name@version`) and data, and the answer.

    `answers` (a blob) are the challenger's to some rows of the holdout: see `core/kept_answers`.
    """

    step: Step
    challenger: Artifact
    champion: str | None
    data: Artifact
    verdict: Verdict
    exit_code: int
    answers: Digest | None = None


# --- what is compared --------------------------------------------------------------------------------------------


class _Inputs(Struct, frozen=True, kw_only=True):
    """What a gate is about, by digest: models, holdout, files of predictions, files of the user's metrics."""

    challenger: Artifact
    data: Artifact
    champion: "ModelRegistered | None" = None
    new: Artifact | None = None
    old: Artifact | None = None
    own: tuple[Artifact, ...] = ()

    @property
    def champion_name(self) -> str | None:
        return None if self.champion is None else f"{self.champion.model}@{self.champion.version}"

    @property
    def is_champion(self) -> bool:
        """Whether the challenger is what serves already."""
        if self.champion is not None and self.champion.artifact.digest == self.challenger.digest:
            return True
        return self.new is not None and self.old is not None and self.new.digest == self.old.digest

    @property
    def has_old(self) -> bool:
        """Whether there is another model to compare with."""
        return not self.is_champion and (self.old is not None or (self.new is None and self.champion is not None))


def _inputs(step: Step, bench: Bench) -> _Inputs:
    for problem in misfits(msgspec.to_builtins(step)):
        raise UsageMistaken(problem.problem, at=f"step {bench.step_id}: with", remedy=problem.remedy)
    said, champion = step.predictions, _champion(step, bench)
    new = None if said is None else bench.artifact(said.new)
    old = None if said is None or not said.old else bench.artifact(said.old)
    challenger = bench.artifact(step.challenger) if step.challenger or new is None else new
    files = sorted({function.rpartition(":")[0] for function in step.metrics.values()} - {""})
    found = _Inputs(
        challenger=challenger,
        data=bench.artifact(step.data),
        champion=champion,
        new=new,
        old=old,
        own=tuple(bench.artifact(file) for file in files),
    )
    if new is not None and old is None and champion is not None and not found.is_champion:
        # It would pass for a gate without a champion, whose comparisons do not count.
        raise UsageMistaken(
            f"{found.champion_name} serves, and what it answered is not named",
            at=f"step {bench.step_id}: with.predictions.old",
            remedy="name a file of its predictions",
        )
    return found


def _champion(step: Step, bench: Bench) -> "ModelRegistered | None":
    if step.champion is None:
        return None
    ref = parse_model_ref(step.champion)
    found = bench.resolve(ref)
    if found is None and ref.version is not None:
        # An alias may mean nothing yet; a number that was never given is a slip, and would pass in silence.
        raise NameUnknown(
            f"{ref.name} has no version {ref.version}",
            at=f"champion: {step.champion}",
            remedy=f"name one that `headway models` lists, or an alias such as {ref.name}@champion",
        )
    return found


# --- asking ------------------------------------------------------------------------------------------------------


def _asking(step: Step, bench: Bench, checks: Sequence[Check], inputs: _Inputs) -> Asking | None:
    """What is asked of the holdout; nothing where no check looks at its true values."""
    from headway.core.gate_evidence import is_measured

    if not any(is_measured(check, has_old=inputs.has_old) for check in checks):
        return None
    models = [inputs.challenger, *(inputs.new, inputs.old), inputs.champion and inputs.champion.artifact]
    parts: list[object] = [
        QUESTION,
        [check.text for check in checks],
        [artifact and artifact.digest for artifact in models],
        [artifact.digest for artifact in inputs.own],
        [step.target, step.unit, step.query, step.confidence, step.metrics, step.reveal],
        [step.slices, step.min_slice, step.multiplicity, step.predictions and step.predictions.key],
    ]
    return Asking(
        holdout=inputs.data.digest,
        path=inputs.data.path,
        question=digest_of_all(parts),
        key=bench.key,
        confidence=step.confidence,
        reuse=None if step.reuse == "none" else step.reuse,
        by=bench.task.by,
    )


_Shown = tuple[Verdict, Digest | None]
"""What is shown of a measurement, and the blob of what the challenger answered."""


def _kept(bench: Bench, asked: Asked | None) -> _Shown | None:
    """The verdict that stands, if there is one and its content was not collected."""
    if asked is None or asked.answer is None:
        return None
    with suppress(BlobMissing):
        kept = msgspec.json.decode(bench.blobs.get(asked.answer.verdict), type=Verdict)
        return replace(kept, promise=asked.promise), asked.answer.answers
    return None


def _measured(step: Step, bench: Bench, checks: Sequence[Check], inputs: _Inputs, asking: Asking | None) -> _Shown:
    """Claim an ask, measure, and write down what is shown of it."""
    from headway.core.gate_evidence import cannot_pass, decide, not_asked

    try:
        material, answers = _material(step, bench, checks, inputs)
    except Unmeasurable as trouble:
        # It would be said of every check, and of the holdout nothing was learnt.
        return conclude([unmeasured(check, trouble) for check in checks]), None
    slicing = Slicing(mode=step.slices, multiplicity=step.multiplicity, min_rows=step.min_slice)
    if asking is None:
        return decide(checks, material, step.confidence, slicing, is_champion=inputs.is_champion), answers
    if asking.reuse is not None and step.unsure != "pass":
        confidence = bench.holdout(asking.holdout).confidence(asking.confidence, asking.reuse)
        never = {check.text: why for check in checks if (why := cannot_pass(check, material, confidence))}
        if never:
            return not_asked(checks, never), None
    asked = bench.ask_holdout(asking)
    if (standing := _kept(bench, asked)) is not None:
        return standing
    verdict = decide(
        checks,
        material,
        asked.claim.confidence,
        slicing,
        costs_at=step.confidence,
        is_champion=inputs.is_champion,
    )
    shown = revealed(verdict, step.reveal)
    digest = bench.blobs.put(msgspec.json.encode(shown))
    # No fact may name what could still be lost.
    bench.blobs.sync()
    answer = HoldoutAnswered(
        ask=asked.claim.ask, question=asking.question, outcome=shown.outcome, reveal=step.reveal, verdict=digest,
        answers=answers,
    )  # fmt: skip
    stands = bench.answer_holdout(asked.claim, answer)
    # Somebody who asked the same at the same time may have been first.
    return _kept(bench, replace(asked, answer=stands)) or (replace(shown, promise=asked.promise), answers)


# --- data and models ---------------------------------------------------------------------------------------------


def _material(step: Step, bench: Bench, checks: Sequence[Check], inputs: _Inputs) -> "tuple[Material, Digest]":
    """The answers of both models to the holdout, and the challenger's as they are kept.

    Raises DataUnreadable, Unmeasurable and what models raise.
    """
    from headway.core.gate_evidence import Cost
    from headway.tables import asked, gate_inputs, kept_answers, predictions
    from headway.tables.own_metrics import own_metrics

    table = predictions.read(bench.path(step.data), step.data, at="data")
    truth, frame = predictions.split(table, step.target, step.data)
    layout = gate_inputs.Layout(unit=step.unit, query=step.query)
    rows = gate_inputs.rows_of(table, truth, layout, seed=int(inputs.data.digest[:8], 16))
    if step.predictions is None:
        load_old = None if inputs.champion is None or inputs.is_champion else partial(bench.load_model, inputs.champion)
        timed = any(check.costs and check.metric != "size_mb" for check in checks)
        new, old, times, columns = asked.run_both(
            partial(bench.load_model, inputs.challenger), load_old, frame, timed=timed
        )
    else:
        files = {file: bench.path(file) for file in (step.predictions.new, step.predictions.old) if file}
        new, old = gate_inputs.read_answers(table, step.predictions.key, files)
        times, columns = (None, None), ()
    material = gate_inputs.gather(table, rows, new, None if inputs.is_champion else old, checks)
    models = [inputs.challenger, *([inputs.champion.artifact] if inputs.champion is not None else [])]
    is_sized = any(check.metric == "size_mb" for check in checks)
    sizes = [asked.size_mb(bench.copy_of(model)) if is_sized else None for model in models]
    by: Literal["gate", "file"] = "gate" if step.predictions is None else "file"
    kept = bench.blobs.put(kept_answers.keep(frame, new, columns=columns, by=by))
    material = replace(
        material,
        own=own_metrics({name: bench.path(function) for name, function in step.metrics.items()}),
        new_cost=Cost(times_ms=times[0], size_mb=sizes[0] if step.challenger else None),
        old_cost=Cost(times_ms=times[1], size_mb=sizes[1] if len(sizes) > 1 else None),
    )
    return material, kept


# --- telling -----------------------------------------------------------------------------------------------------


def _report(bench: Bench, record: Record) -> None:
    digest = bench.blobs.put(msgspec.json.format(msgspec.json.encode(record)))
    bench.blobs.sync()
    bench.output("outcome", record.verdict.outcome)
    # By its digest, so that `register` can keep it with the version that it let through.
    bench.output("verdict", digest)
    for name, value in gate_report.numbers(record.verdict).items():
        bench.metric(name, value)
    told = gate_report.Report(verdict=record.verdict, exit_code=record.exit_code, against=_against(record))
    bench.summary(gate_report.markdown(told))
    for line in gate_report.lines(told):
        bench.say(line)


def _against(record: Record) -> str:
    if record.champion:
        return f"against {record.champion}"
    if record.step.champion:
        # The name stands here, for a slip in it would look the same.
        return f"{record.step.champion} is no version yet"
    old = record.step.predictions and record.step.predictions.old
    return f"against {old}" if old else "no champion named"
