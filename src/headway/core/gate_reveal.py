"""How much of a verdict is shown: `reveal: all`, `rounded` or `verdict` (`core/holdout` says what each promises).

What is not shown is not kept either: whoever reads the record later would learn it all the same. What serving costs is
shown always, for it tells nothing of the holdout. Pure.
"""

import math

from msgspec.structs import replace

from headway.core.check import Evidence
from headway.core.gate import CheckVerdict, SliceVerdict, Verdict
from headway.core.holdout import Reveal

_HIDDEN = "not told; `reveal: verdict` says whether the model passed, and no more"


def revealed(verdict: Verdict, reveal: Reveal) -> Verdict:
    """The verdict without what is not to be shown.

    With `verdict`, whatever is no pass is one and the same fail: told apart, those would be so many answers more, and
    each ask would have to be decided at a smaller share. An error stays one, for it says that nothing was learnt.
    """
    if reveal == "all":
        return verdict
    if reveal == "rounded":
        return replace(verdict, checks=tuple(_rounded(one) for one in verdict.checks))
    outcome = verdict.outcome if verdict.outcome in {"pass", "error"} else "fail"
    hidden = tuple(_hidden(one, passed=outcome == "pass") for one in verdict.checks)
    why = verdict.why if outcome in {"pass", "error"} else "not every check is shown to hold"
    return replace(verdict, outcome=outcome, why=why, checks=hidden)


def _hidden(one: CheckVerdict, *, passed: bool) -> CheckVerdict:
    if one.check.costs or one.outcome in {"error", "not-applicable"}:
        return one
    why = f"{one.check.text}: {'it holds' if passed else _HIDDEN}"
    return CheckVerdict(check=one.check, outcome="pass" if passed else "unsure", why=why)


def _rounded(one: CheckVerdict) -> CheckVerdict:
    if one.check.costs or one.outcome in {"error", "not-applicable"}:
        return one
    found = None if one.evidence is None else _coarse(one.evidence)
    value = "" if found is None else f", about {found.estimate:.4g}"
    slices = tuple(SliceVerdict(name=s.name, outcome=s.outcome, why=f"{s.name}: {s.outcome}") for s in one.slices)
    why = f"{one.check.text}: {one.outcome}{value} (`reveal: rounded`)"
    return CheckVerdict(check=one.check, outcome=one.outcome, why=why, evidence=found, slices=slices)


def _coarse(found: Evidence) -> Evidence | None:
    """The value to the nearest multiple of its own standard error, and nothing else that could be tuned on.

    Source: Blum & Hardt (2015), ICML: the step of the parameter-free Ladder.
    """
    if not found.spread or not found.n_rows:
        return None
    step = found.spread / math.sqrt(found.n_rows)
    return Evidence(
        metric=found.metric,
        estimate=round(found.estimate / step) * step,
        low=None,
        high=None,
        n_rows=found.n_rows,
        method=f"{found.method}, rounded",
        confidence=found.confidence,
        approximate=True,
    )
