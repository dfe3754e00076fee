"""The evidence for checks, out of what two models answered to the same rows: which measurement answers which check.

The one place that turns a check into calls of `stats`. Pure: arrays in, evidence and a verdict out. How the answers
came about is the step's business, at which confidence one of many asks is decided `core/holdout`'s.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct, field

from headway.core.check import Check, Evidence
from headway.core.gate import CheckVerdict, Verdict, against_itself, conclude, judge, unmeasured, without_champion
from headway.core.gate_slices import Part, Slicing, judge_slices
from headway.errors import HeadwayError, Unmeasurable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from headway.stats.answers import Answers, Index, Rows, Values
    from headway.stats.metrics import Estimate


class Grouping(Struct, frozen=True, kw_only=True, eq=False):
    """The group of each row as a number, shape `(n_rows,)`, and what the groups are called: `region=south, age=old`."""

    codes: "npt.NDArray[np.int64]"
    names: tuple[str, ...]


class Cost(Struct, frozen=True, kw_only=True, eq=False):
    """What serving a model costs: the times of single answers in milliseconds, shape `(n_times,)`; its size in MB."""

    times_ms: "Values | None" = None
    size_mb: float | None = None


class Material(Struct, frozen=True, kw_only=True, eq=False):
    """All that checks are measured on. `old` is None without a champion that is another model.

    `groups` by the columns they are made of; `own` are the user's metrics by name (see `stats/metrics`).
    """

    rows: "Rows"
    new: "Answers"
    old: "Answers | None" = None
    groups: dict[tuple[str, ...], Grouping] = {}
    own: Mapping[str, Callable[..., object]] = {}
    new_cost: Cost = Cost()
    old_cost: Cost = Cost()
    kept: dict[tuple[str, ...], "list[tuple[Part, Material]]"] = field(default_factory=dict)
    """The slices of these columns, once they were made; see `slices_of`."""

    def take(self, index: "Index") -> "Material":
        """The same on some of the rows, in the order of `index`; what serving costs is not known of some rows."""
        groups = {columns: Grouping(codes=one.codes[index], names=one.names) for columns, one in self.groups.items()}
        old = None if self.old is None else self.old.take(index)
        return Material(rows=self.rows.take(index), new=self.new.take(index), old=old, groups=groups, own=self.own)


def slices_of(material: Material, columns: tuple[str, ...]) -> "list[tuple[Part, Material]]":
    """Each group of these columns with its rows: put in order once, so that every slice is a view of all rows."""
    import numpy as np

    if columns not in material.kept:
        grouping = material.groups[columns]
        # Few groups are told by 16 bits, and those are sorted without comparing.
        order = np.argsort(grouping.codes.astype(np.uint16), kind="stable")
        ordered = material.take(order)
        ends = np.cumsum(np.bincount(grouping.codes, minlength=len(grouping.names))).tolist()
        material.kept[columns] = [
            (Part(name=name, n_rows=end - start), ordered.take(slice(start, end)))
            for name, start, end in zip(grouping.names, [0, *ends], ends, strict=False)
            if end > start
        ]
    return material.kept[columns]


def decide(
    checks: Sequence[Check],
    material: Material,
    confidence: float,
    slicing: Slicing | None = None,
    *,
    costs_at: float | None = None,
    is_champion: bool = False,
) -> Verdict:
    """The verdict of all checks; of the champion itself (`is_champion`) what compares it is not applicable.

    `costs_at`: the confidence for latency, if it is another: that is measured anew for each ask, and wears out no rows.
    """
    verdicts = []
    for check in checks:
        at = costs_at if check.costs and costs_at is not None else confidence
        verdicts.append(_decided(check, material, at, slicing or Slicing(), is_champion=is_champion))
    return conclude(verdicts, is_champion=is_champion)


def is_measured(check: Check, *, has_old: bool) -> bool:
    """Whether a check looks at the true values: what serving costs does not, nor a comparison with nobody."""
    return not check.costs and (has_old or not check.compares)


def cannot_pass(check: Check, material: Material, confidence: float) -> str:
    """Why no answer at all could let a check pass on these rows, at this confidence; nothing if one might.

    Looks at how many rows there are and how many the models answer differently, never at the true values. Says nothing
    of metrics for which that is not known, nor of slices.
    """
    from headway.stats.reuse import smallest_alpha_of_pairs, smallest_alpha_of_share

    n_rows = len(material.rows)
    if not check.wants_more or check.each or material.rows.units is not None or n_rows == 0:
        return ""
    if check.form == "value" and check.metric in {"accuracy", "recall", "specificity", "precision"}:
        # Of recall fewer rows count, and fewer show less.
        least = smallest_alpha_of_share(n_rows, check.limit)
        told = f"{n_rows:,} rows could not show it even if all were right"
    elif check.form == "difference" and check.metric == "accuracy" and material.old is not None:
        n_differ = int((material.new.labels != material.old.labels).sum())
        least = smallest_alpha_of_pairs(n_differ, n_rows, check.limit)
        told = f"{n_rows:,} rows could not show it even if all {n_differ:,} on which the models differ were gains"
    else:
        return ""
    return "" if least <= 1 - confidence else f"{told}: one ask of many is decided at {confidence:.6g}"


def not_asked(checks: Sequence[Check], whys: Mapping[str, str]) -> Verdict:
    """The verdict where some checks could never pass, by their text: nothing is measured, so that no ask is spent."""
    remedy = "measure on more rows, or begin with a smaller budget (`headway gate plan` tells what each needs)"
    verdicts = []
    for check in checks:
        why = f"{whys[check.text]}; {remedy}" if check.text in whys else "not measured, to spare the holdout"
        verdicts.append(CheckVerdict(check=check, outcome="unsure", why=f"{check.text}: {why}"))
    return conclude(verdicts)


def _decided(
    check: Check, material: Material, confidence: float, slicing: Slicing, *, is_champion: bool
) -> CheckVerdict:
    if check.compares and material.old is None:
        return against_itself(check) if is_champion else without_champion(check)
    try:
        if not check.each:
            return judge(check, evidence_of(check, material, confidence))
        _refuse_unsound(check, material)
        slices = slices_of(material, check.each)
    except Unmeasurable as trouble:
        return unmeasured(check, trouble)

    def measure(i: int, at: float) -> Evidence | HeadwayError:
        try:
            return evidence_of(check, slices[i][1], at)
        except Unmeasurable as trouble:
            return trouble

    return judge_slices(check, [part for part, _ in slices], measure, slicing, confidence)


def _refuse_unsound(check: Check, material: Material) -> None:
    """Raises Unmeasurable when any row has no answer: in its slice alone it would make that one unsure."""
    from headway.stats.answers import check_answers

    check_answers(material.rows, material.new, "new")
    if check.compares and material.old is not None:
        check_answers(material.rows, material.old, "old")


def evidence_of(check: Check, material: Material, confidence: float) -> Evidence:
    """What the rows say of one check; one that compares needs an old model. Raises Unmeasurable."""
    from headway.stats import metrics

    if check.form in {"gap", "gap-ratio"}:
        return _of_groups(check, material, confidence)
    if check.metric == "size_mb":
        return _of_sizes(check, material, confidence)
    if check.form == "disagreement":
        assert material.old is not None, "nothing to compare with"
        return _told(check, metrics.disagreement(material.rows, material.new, material.old, confidence), confidence)
    if check.costs:
        measured = partial(_latency, check, material, confidence)
    else:
        measured = partial(_metric, check, material, confidence)
    if check.form == "ratio":
        return _of_ratio(check, measured, confidence)
    return _told(check, measured(1.0), confidence)


def _metric(check: Check, material: Material, confidence: float, times: float) -> "Estimate":
    from headway.stats import metrics

    old = material.old if check.compares else None
    return metrics.measure(check.metric, material.rows, material.new, old, confidence, times=times, own=material.own)


def _latency(check: Check, material: Material, confidence: float, times: float) -> "Estimate":
    from headway.stats.timing import latency

    new, old = material.new_cost.times_ms, material.old_cost.times_ms
    if new is None or (check.compares and old is None):
        raise Unmeasurable(
            "there is nothing that could be timed",
            at=check.text,
            remedy="let the gate run both models (without `predictions`), and time all rows, not slices",
        )
    return latency(check.metric, new, old if check.compares else None, confidence, times=times)


def _told(check: Check, found: "Estimate", confidence: float) -> Evidence:
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


def _of_ratio(check: Check, measured: "Callable[[float], Estimate]", confidence: float) -> Evidence:
    """The ratio by differences: at each edge r of the check, new - r * old against 0, in the ratio's own numbers."""
    from msgspec.structs import replace

    lower, upper = check.edges[0], check.edges[-1]
    below = measured(max(lower, 0.0) or upper)
    above = below if upper == lower else measured(upper)
    new, old = above.new, above.old
    if old is None or old <= 0 or new < 0:
        raise Unmeasurable(
            f"new over old says nothing where {check.metric} is {0.0 if old is None else old:g} for the old model"
            f" and {new:g} for the new one",
            at=check.text,
            remedy=f"gate on the difference: new.{check.metric} - old.{check.metric}",
        )
    # No ratio of what is never below 0 lies below 0.
    low = 0.0 if lower <= 0 else None if below.low is None else lower + below.low / old
    high = None if above.high is None else upper + above.high / old
    told = _told(check, above, confidence)
    return replace(told, estimate=new / old, low=low, high=high, spread=above.spread / old)


def _of_sizes(check: Check, material: Material, confidence: float) -> Evidence:
    new, old = material.new_cost.size_mb, material.old_cost.size_mb
    if new is None or (check.compares and not old):
        raise Unmeasurable(
            "the size of a model is not known",
            at=check.text,
            remedy="name the models (`challenger`, `champion`), and ask for all rows, not slices",
        )
    value = new
    if check.compares and old:
        value = new / old if check.form == "ratio" else new - old
    return Evidence(
        metric=check.metric,
        estimate=value,
        low=value,
        high=value,
        n_rows=0,
        method="measured",
        confidence=confidence,
        new=new,
        old=old if check.compares else None,
    )


def _of_groups(check: Check, material: Material, confidence: float) -> Evidence:
    from msgspec.structs import replace

    from headway.stats import groups

    grouping = material.groups[(check.by,)]
    asked = groups.gap_of if check.form == "gap" else groups.ratio_of
    found = asked(check.metric, material.rows, material.new, grouping.codes, confidence, own=material.own)
    called = [name.removeprefix(f"{check.by}=").removeprefix(f"{check.by} is ") for name in grouping.names]
    values = tuple((called[code], value) for code, value, _ in found.groups)
    return replace(_told(check, found, confidence), groups=values)
