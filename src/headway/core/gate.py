"""The gate's decision: checks and their evidence in, a verdict out, with the reason in words.

Pure: the same checks and evidence give the same verdict and the same sentences. How evidence is measured is
`stats/metrics`' business, how a check is written `core/check`'s. Does not know models, data or files.

A gate passes only if every check passes, so a bad model gets through only past the very check it breaks: the chance is
that of one check, and no correction for their number is due (intersection-union; docs/gates.md).
"""

import math
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from headway.core.check import Check, Evidence
from headway.core.gate_words import explain, suspicious
from headway.errors import HeadwayError

Outcome = Literal["pass", "fail", "unsure", "error"]
"""What a gate says. `unsure`: the data cannot tell. `error`: it could not be measured. Neither is ever a pass."""

Unsure = Literal["hold", "fail", "pass"]
"""What an unsure gate does to the run; the verdict stays `unsure`."""


class SliceVerdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is said of one slice, `region=south`; `small` where it has too few rows to be judged."""

    name: str
    outcome: Literal["pass", "fail", "unsure", "small"]
    why: str
    evidence: Evidence | None = None


class CheckVerdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check's outcome and why; `not-applicable` where there is no champion to compare with.

    A check for each slice has its evidence in `slices`, the most harmful first (`core/gate_slices`). `warning` tells of
    a value that is too good to be believed.
    """

    check: Check
    outcome: Literal["pass", "fail", "unsure", "error", "not-applicable"]
    why: str
    evidence: Evidence | None = None
    slices: tuple[SliceVerdict, ...] = ()
    warning: str = ""


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the gate says, and each check's part in it, in the order they were written.

    `promise` says what holds of this answer, given how often the same rows were asked before (`core/holdout`).
    """

    outcome: Outcome
    why: str
    checks: tuple[CheckVerdict, ...]
    promise: str = ""


def judge(check: Check, evidence: Evidence) -> CheckVerdict:
    """What the evidence says of a check: `pass` or `fail` only if the whole range is on that side of the limit.

    A value that is no number is an `error`. `evidence` must be of the check's own metric.
    """
    assert evidence.metric == check.metric, "evidence of another metric"
    numbers = (evidence.estimate, evidence.low or 0.0, evidence.high or 0.0)
    if not all(math.isfinite(number) for number in numbers):
        return CheckVerdict(check=check, outcome="error", why=f"{check.text}: the measured value is no number")
    outcome = side(check, evidence)
    why, warning = explain(check, evidence, outcome), suspicious(check, evidence)
    return CheckVerdict(check=check, outcome=outcome, why=why, evidence=evidence, warning=warning)


def side(check: Check, evidence: Evidence) -> Literal["pass", "fail", "unsure"]:
    """On which side of the limit the range lies; `unsure` when the limit is within."""
    low = -math.inf if evidence.low is None else evidence.low
    high = math.inf if evidence.high is None else evidence.high
    limit, reach = check.limit, check.tolerance
    holds, breaks = {
        ">=": (low >= limit, high < limit),
        ">": (low > limit, high <= limit),
        "<=": (high <= limit, low > limit),
        "<": (high < limit, low >= limit),
        # Two one-sided tests: each end at the confidence asked for.
        "within": (limit - reach <= low and high <= limit + reach, high < limit - reach or low > limit + reach),
    }[check.op]
    if holds:
        return "pass"
    return "fail" if breaks else "unsure"


def without_champion(check: Check) -> CheckVerdict:
    """What is said of a comparison while nothing serves yet."""
    return CheckVerdict(check=check, outcome="not-applicable", why=f"{check.text}: not applicable, no champion yet")


def against_itself(check: Check) -> CheckVerdict:
    """What is said of a comparison when the challenger is the champion: no number of rows shows a difference."""
    return CheckVerdict(check=check, outcome="not-applicable", why=f"{check.text}: not applicable, {_SAME}")


def unmeasured(check: Check, trouble: HeadwayError) -> CheckVerdict:
    """What is said of a check whose metric could not be measured."""
    return CheckVerdict(check=check, outcome="error", why=f"{check.text}: {trouble.problem}; {trouble.remedy}")


_SAME = "this is the champion already"


def conclude(checks: Sequence[CheckVerdict], *, is_champion: bool = False) -> Verdict:
    """The gate's verdict: the worst of its checks', where error is worse than fail, and fail than unsure.

    An error comes first although a failed check would refuse the model anyway: where one number cannot be measured the
    data are in doubt, and so is what they say of the others. Checks that are not applicable count nothing; if no other
    is left nothing was measured, which is `unsure`; but of the champion itself (`is_champion`) a pass, for it changes
    nothing that serves. What the file asks of a model alone, the champion must keep like any other.
    """
    if not checks:
        return Verdict(outcome="error", why="the gate has no checks; write some under `checks:`", checks=())
    counted = [verdict for verdict in checks if verdict.outcome != "not-applicable"]
    if not counted and is_champion:
        return Verdict(outcome="pass", why=f"{_SAME}, and nothing is asked of it alone", checks=tuple(checks))
    if not counted:
        why = (
            "there is no champion yet and no check speaks of the new model alone; add one, such as new.accuracy >= 0.8"
        )
        return Verdict(outcome="unsure", why=f"nothing was measured: {why}", checks=tuple(checks))
    worst_first: tuple[Outcome, ...] = ("error", "fail", "unsure", "pass")
    outcome = next(outcome for outcome in worst_first if any(verdict.outcome == outcome for verdict in counted))
    apart = _SAME if is_champion else "no champion yet"
    why = _tell(outcome, counted, len(checks) - len(counted), apart)
    return Verdict(outcome=outcome, why=why, checks=tuple(checks))


def _tell(outcome: Outcome, counted: Sequence[CheckVerdict], n_apart: int, why_apart: str) -> str:
    n_of = sum(verdict.outcome == outcome for verdict in counted)
    said = {
        "pass": "hold" if n_of != 1 else "holds",
        "fail": "failed",
        "unsure": "could not be told",
        "error": "could not be measured",
    }[outcome]
    apart = f"; {n_apart} not applicable, {why_apart}" if n_apart else ""
    return f"{n_of} of {len(counted)} check{'s' * (len(counted) != 1)} {said}{apart}"


def exit_code(outcome: Outcome, unsure: Unsure) -> int:
    """The step's exit code (design, section 6): 0 let through, 3 refused, 6 held, 1 could not be measured.

    >>> exit_code("unsure", "hold"), exit_code("fail", "pass"), exit_code("error", "pass")
    (6, 3, 1)
    """
    if outcome == "unsure":
        return {"hold": 6, "fail": 3, "pass": 0}[unsure]
    return {"pass": 0, "fail": 3, "error": 1}[outcome]
