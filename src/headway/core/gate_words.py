"""A judged check in a sentence or two: the rule, what was found, on how many rows, and what follows from it.

For somebody who knows the product and not statistics. Decides nothing: `core/gate` hands the outcome in. How a number
is told stands in `core/gate_numbers`.
"""

import math
from typing import Literal

from headway.core.check import Check, Evidence
from headway.core.check_words import name, rule, short
from headway.core.gate_numbers import decimals, lenient, of_model, told, unit, unit_of_metric
from headway.stats.power import rows_to_decide

Told = Literal["pass", "fail", "unsure"]
"""The outcomes that evidence can have."""

POWER = 0.8
"""The chance at which "so many more rows would decide it" is meant."""

JUMP, NEARLY_ALL, GOOD, LEFT = 0.2, 0.99, 0.95, 0.2
"""What is too good to be true: so much more of a share, so near to all from below good, so little left of a loss."""

_MOST_GROUPS = 3
"""So many groups are told with their values; of more, the lowest and the highest."""


def explain(check: Check, evidence: Evidence, outcome: Told, where: str = "") -> str:
    """The rule, the finding, the rows and the advice; `where` says of which rows, ` in region=south`.

    >>> from headway.core.check_grammar import parse_check
    >>> check = parse_check("new.recall - old.recall > -0.02")
    >>> recall = Evidence(metric="recall", estimate=-0.01, low=-0.035, high=0.014, new=0.79, old=0.8, n_rows=310,
    ...     n_differ=19, spread=0.247, method="Tango", confidence=0.95)
    >>> print(explain(check, recall, "unsure"))
    recall may not fall by more than 2 points: it went from 80.0 to 79.0 %, -1.0 points, range -3.5 to +1.4
    (310 positive rows, the models differ on 19). About 3,500 more positive rows would decide it 4 times in 5;
    a limit of -0.036 would let it pass.

    >>> check = parse_check("new.latency_p99_ms / old.latency_p99_ms <= 1.05")
    >>> slow = Evidence(metric=check.metric, estimate=1.075, low=1.052, high=1.11, new=12.9, old=12.0, n_rows=2000,
    ...     method="order statistics", confidence=0.95, approximate=True)
    >>> print(explain(check, slow, "fail"))
    p99 latency may not grow by more than 5 %: it went from 12.0 to 12.9 ms, by +7.5 %, range +5.2 to +11.0
    (2,000 timed rows). Make the model faster; a model that keeps this rule is refused about 5 times in 100.

    >>> check = parse_check("new.size_mb <= 50")
    >>> print(explain(check, Evidence(metric="size_mb", estimate=12.34, low=12.34, high=12.34, n_rows=0,
    ...     method="bytes of the file", confidence=0.95), "pass"))
    size must be at most 50 MB: it is 12.3 MB. This was measured on all there is, so no chance is left in it.

    >>> check = parse_check("gap(new.recall by sex) <= 0.05")
    >>> print(explain(check, Evidence(metric="recall", estimate=0.071, low=0.03, high=0.112, n_rows=310, spread=0.7,
    ...     groups=(("f", 0.712), ("m", 0.783)), method="Newcombe", confidence=0.95), "unsure"))
    recall may differ by at most 5 points between groups of sex: it differs by 7.1 (f 71.2, m 78.3), range 3.0 to
    11.2 (310 positive rows). About 6,600 more positive rows would decide it 4 times in 5; a limit of 0.112 would let
    it pass.

    >>> check = parse_check("disagreement(new, old) < 0.1")
    >>> print(explain(check, Evidence(metric="disagreement", estimate=0.072, low=0.061, high=0.084, n_rows=2000,
    ...     method="Clopper-Pearson", confidence=0.95), "pass"))
    the models must differ on fewer than 10 % of rows: they differ on 7.2 %, range 6.1 to 8.4 (2,000 rows).
    A model that breaks this rule gets through at most 5 times in 100.
    """
    advice = {"pass": _on_pass, "fail": _on_fail, "unsure": _on_unsure}[outcome]
    return f"{rule(check, where)}: {_finding(check, evidence)}{_rows(check, evidence)}. {advice(check, evidence)}"


def explain_slice(check: Check, slice_name: str, evidence: Evidence, outcome: Told) -> str:
    """The same of one slice, by its name.

    >>> from headway.core.check_grammar import parse_check
    >>> check = parse_check("new.recall - old.recall > -0.02 for each region")
    >>> recall = Evidence(metric="recall", estimate=-0.08, low=-0.12, high=-0.04, n_rows=310, method="Tango",
    ...     confidence=0.95)
    >>> print(explain_slice(check, "region=south", recall, "fail"))
    recall in region=south may not fall by more than 2 points: it moved by -8.0 points, range -12.0 to -4.0
    (310 positive rows). Keep the champion, or train a better challenger; a model that keeps this rule is refused
    at most 5 times in 100.
    """
    return explain(check, evidence, outcome, f" in {short(slice_name)}")


def explain_slices(  # noqa: PLR0913 - what is known of all slices together
    check: Check,
    n_slices: int,
    worst: tuple[str, Evidence] | None,
    n_failed: int,
    n_small: int,
    could_hide: float | None,
    *,
    n_proved: int | None = None,
) -> str:
    """All slices in one sentence: how many break the rule, the worst, how many are too small and what those could hide.

    `worst` is None where no slice was measured. `could_hide` is the worst value, in the numbers of the check's form,
    that the small ones are not shown to be free of; None: it is not known. `n_proved` is given where every slice must
    be shown to keep the rule: as many are.

    >>> from headway.core.check_grammar import parse_check
    >>> check = parse_check("new.recall - old.recall > -0.02 for each region")
    >>> recall = Evidence(metric="recall", estimate=-0.01, low=-0.035, high=0.014, n_rows=310, method="Tango",
    ...     confidence=0.95)
    >>> print(explain_slices(check, 9, ("region=south", recall), 0, 2, -0.12))
    recall in each region may not fall by more than 2 points: no region is shown to break it; the worst is region=south:
    it moved by -1.0 points, range -3.5 to +1.4 (310 positive rows). 2 of 9 are too small to tell, and could hide
    as much as -12.0 points.
    """
    of_each = check.each[0] if len(check.each) == 1 else f"combination of {' and '.join(check.each)}"
    noun = short(of_each)
    asked = rule(check, f" in each {noun}")
    if n_slices == n_small and n_proved is None:
        return f"{asked}: all {n_slices} slices are too small to tell. Measure on more {check.words.rows}."
    parts = [f"{asked}: {_shown(noun, n_slices, n_failed, n_proved)}"]
    if worst is not None:
        slice_name, evidence = worst
        parts[0] += f"; the worst is {short(slice_name)}: {_finding(check, evidence)}{_rows(check, evidence)}"
    if n_small:
        hidden = (
            f", and could hide as much as {told(check, could_hide, 1)}{unit(check)}" if could_hide is not None else ""
        )
        parts.append(f"{n_small} of {n_slices} {'are' if n_small != 1 else 'is'} too small to tell{hidden}")
    if n_failed:
        parts.append(f"{_instead(check)}; look at those rows first")
    elif n_proved is not None and n_proved < n_slices:
        parts.append(f"More {check.words.rows} of the others would decide it")
    return ". ".join(parts) + "."


def _shown(noun: str, n_slices: int, n_failed: int, n_proved: int | None) -> str:
    if n_failed:
        return f"{n_failed} of {n_slices} slices {'are' if n_failed != 1 else 'is'} shown to break it"
    if n_proved is None:
        return f"no {noun} is shown to break it"
    if n_proved == n_slices:
        return f"each of {n_slices} slices is shown to keep it"
    return f"{n_proved} of {n_slices} slices {'are' if n_proved != 1 else 'is'} shown to keep it, none to break it"


# --- the finding -------------------------------------------------------------------------------------------------


def _finding(check: Check, evidence: Evidence) -> str:
    places = decimals(check, evidence)
    value = told(check, evidence.estimate, places)
    spread = _range(check, evidence, places)
    if check.form == "disagreement":
        return f"they differ on {value} %{spread}"
    if check.form == "gap":
        return f"it differs by {value}{unit_of_metric(check).replace(' %', '')}{_groups(check, evidence)}{spread}"
    if check.form == "gap-ratio":
        return f"it is {value} % of it{_groups(check, evidence)}{spread}"
    if check.form == "value":
        return f"it is {value}{unit(check)}{spread}"
    if evidence.old is None or evidence.new is None:
        return f"it moved by {value}{unit(check)}{spread}"
    pair = (evidence.old, evidence.new)
    old, new = (of_model(check, pair, one) for one in pair)
    moved = f"by {value} %" + (" of that" if check.words.percent else "")
    if check.form == "difference":
        moved = f"{value}{unit(check)}"
    return f"it went from {old} to {new}{unit_of_metric(check)}, {moved}{spread}"


def _range(check: Check, evidence: Evidence, places: int) -> str:
    low, high = evidence.low, evidence.high
    if _is_exact(check, evidence):
        return ""
    if low is None and high is None:
        return ", range unknown"
    from_low = "from below" if low is None else told(check, low, places)
    to_high = "and up" if high is None else f"to {told(check, high, places)}"
    return f", range {from_low} {to_high}"


def _is_exact(check: Check, evidence: Evidence) -> bool:
    """Whether this is no estimate: a size has no chance in it."""
    return check.costs and evidence.low == evidence.high == evidence.estimate


def _groups(check: Check, evidence: Evidence) -> str:
    """The groups' own values: all of a few, else the two ends."""
    if not evidence.groups:
        return ""
    values = tuple(value for _, value in evidence.groups)
    shown = [f"{short(group)} {of_model(check, values, value)}" for group, value in evidence.groups]
    if len(shown) > _MOST_GROUPS:
        lowest, highest = shown[values.index(min(values))], shown[values.index(max(values))]
        return f" (of {len(shown)} groups {lowest} the lowest, {highest} the highest)"
    return f" ({', '.join(shown)})"


def _rows(check: Check, evidence: Evidence) -> str:
    if _is_exact(check, evidence):
        return ""
    noun = check.words.rows
    if evidence.n_rows == 1:
        noun = noun.removesuffix("s") if not noun.endswith("ies") else f"{noun.removesuffix('ies')}y"
    differ = ""
    if evidence.n_differ is not None and check.form in {"difference", "ratio"}:
        differ = f", the models differ on {evidence.n_differ:,}"
    return f" ({evidence.n_rows:,} {noun}{differ})"


# --- the advice --------------------------------------------------------------------------------------------------


def _on_pass(check: Check, evidence: Evidence) -> str:
    if _is_exact(check, evidence):
        return "This was measured on all there is, so no chance is left in it."
    return f"A model that breaks this rule gets through {_odds(evidence)}."


def _on_fail(check: Check, evidence: Evidence) -> str:
    if _is_exact(check, evidence):
        return f"{_instead(check)}."
    return f"{_instead(check)}; a model that keeps this rule is refused {_odds(evidence)}."


def _instead(check: Check) -> str:
    if check.costs:
        return "Make the model smaller" if check.metric == "size_mb" else "Make the model faster"
    if check.form in {"gap", "gap-ratio"}:
        return "Train a model that serves the groups more alike"
    if check.form == "disagreement":
        return "Look at the rows where they differ (`headway gate label` writes them)"
    return "Keep the champion, or train a better challenger" if check.compares else "Train a better model"


def _on_unsure(check: Check, evidence: Evidence) -> str:
    if evidence.low is None and evidence.high is None:
        return f"Too few rows tell for a range ({evidence.method}): measure on more {check.words.rows}."
    lenience = lenient(check, evidence)
    allow = f"; {lenience} would let it pass" if lenience else ""
    if evidence.spread is None:
        return f"More {check.words.rows} would decide it{allow}."
    needed = _rows_needed(check, evidence, evidence.spread)
    if needed is None:
        return f"The value lies so near the limit that no number of rows decides it{allow}."
    # The formula takes the data as they are; where it says that they should have sufficed, a tenth more is a fair step.
    more = _rounded(max(needed - evidence.n_rows, evidence.n_rows / 10, 1))
    return f"About {more:,} more {check.words.rows} would decide it 4 times in 5{allow}."


def _rows_needed(check: Check, evidence: Evidence, spread: float) -> int | None:
    gap = min(abs(evidence.estimate - edge) for edge in check.edges)
    # A share that is `gap` off its limit has at least this spread there, even if no row was seen to vary.
    is_share = math.isfinite(check.words.highest) and check.form in {"value", "difference", "disagreement"}
    least = math.sqrt(gap) if is_share else 0.0
    return rows_to_decide(gap, max(spread, least), evidence.confidence, POWER)


def _rounded(rows: float) -> int:
    """Two digits: the number is an estimate, and should look like one."""
    tens = 10.0 ** max(math.floor(math.log10(rows)) - 1, 0)
    return round(math.ceil(rows / tens) * tens)


def _odds(evidence: Evidence) -> str:
    alpha, out_of = 1 - evidence.confidence, 100
    while round(alpha * out_of, 6) < 1:
        out_of *= 10
    times = round(alpha * out_of, 2)
    bound = "about" if evidence.approximate else "at most"
    return f"{bound} {times:g} time{'s' * (times != 1)} in {out_of:,}"


# --- too good to be true -----------------------------------------------------------------------------------------


def suspicious(check: Check, evidence: Evidence) -> str:
    """A warning where the new model is better than honest work makes it; else nothing.

    Told of a share (0 to 1, the more the better) that rose by more than JUMP, or to more than NEARLY_ALL from less than
    GOOD; and of a loss (the less the better) that fell to less than LEFT of what it was. What is better is what the
    check asks for. Only where the range shows that there is a gain at all, and never of latency and size.

    >>> from headway.core.check_grammar import parse_check
    >>> recall = Evidence(metric="recall", estimate=0.27, low=0.2, high=0.33, new=0.99, old=0.72, n_rows=310,
    ...     method="Tango", confidence=0.95)
    >>> print(suspicious(parse_check("new.recall - old.recall > 0"), recall))
    recall went from 72.0 to 99.0 %, which is more than honest work gains: look for leakage, rows or a column of the
    target that the training saw.
    """
    new, old = evidence.new, evidence.old
    bound = evidence.low if check.wants_more else evidence.high
    if check.form not in {"difference", "ratio"} or check.op == "within" or check.costs:
        return ""
    if new is None or old is None or bound is None:
        return ""
    neutral = 1.0 if check.form == "ratio" else 0.0
    if check.wants_more:
        is_share = (check.words.lowest, check.words.highest) == (0.0, 1.0)
        is_gain, is_much = bound > neutral, is_share and (new - old > JUMP or (new > NEARLY_ALL and old < GOOD))
    else:
        is_gain, is_much = bound < neutral, 0 <= new < old * LEFT
    if not (is_gain and is_much):
        return ""
    before, after = (of_model(check, (old, new), one) for one in (old, new))
    return (
        f"{name(check)} went from {before} to {after}{unit_of_metric(check)}, which is more than honest work gains:"
        " look for leakage, rows or a column of the target that the training saw."
    )
