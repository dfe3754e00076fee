"""What a check asks for, in words: `recall may not fall by more than 2 points`, `size must be at most 50 MB`.

Of the rule only; `core/gate_words` tells what was found.
"""

from headway.core.check import Check
from headway.core.gate_numbers import amount, reach
from headway.core.telling import number

_NAMES = {
    "latency_mean_ms": "mean latency",
    "latency_p50_ms": "median latency",
    "latency_p90_ms": "p90 latency",
    "latency_p95_ms": "p95 latency",
    "latency_p99_ms": "p99 latency",
    "size_mb": "size",
}

_LONGEST_NAME = 60


def rule(check: Check, where: str = "") -> str:
    """The rule; `where` says for which rows, ` in region=south`.

    >>> from headway.core.check_grammar import parse_check
    >>> for text in ("new.mae / old.mae <= 1.05", "new.bias within 0.02", "ratio(new.recall by sex) >= 0.8",
    ...     "new.auc - old.auc within 0.01", "disagreement(new, old) < 0.1"):
    ...     print(rule(parse_check(text, own=("bias",))))
    mae may not grow by more than 5 %
    bias must lie within 0.02 of 0
    the lowest recall among groups of sex must be at least 80 % of the highest
    auc may rise or fall by at most 0.01
    the models must differ on fewer than 10 % of rows
    """
    subject, groups = f"{name(check)}{where}", f" between groups of {short(check.by)}"
    match check.form:
        case "difference":
            told = f"{subject} {_moves(check, 'rise', 'fall', 0.0)}"
        case "ratio":
            told = f"{subject} {_ratio_rule(check)}"
        case "disagreement":
            told = f"the models must differ on {_compared(check, ' of rows', 'more than', 'fewer than')}{where}"
        case "gap" if check.op == "within" and check.limit == 0:
            told = f"{subject} may differ by at most {reach(check, check.tolerance)}{groups}"
        case "gap":
            verb = "may" if check.op == "<=" else "must"
            told = f"{subject} {verb} differ by {_compared(check, groups, 'more than', 'less than')}"
        case "gap-ratio":
            ends = f"the lowest {subject} among groups of {short(check.by)}"
            told = f"{ends} must be {_compared(check, ' of the highest')}"
        case "value" if check.op == "within":
            told = f"{subject} must lie within {reach(check, check.tolerance)} of {_signed(check)}"
        case "value":
            told = f"{subject} must be {_compared(check)}"
    return told


def name(check: Check) -> str:
    """The metric as one says it."""
    return _NAMES.get(check.metric, check.metric)


def short(name: str) -> str:
    """A name that comes from the data, such as a column's, cut where it is very long."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _compared(check: Check, of_what: str = "", above: str = "above", below: str = "below") -> str:
    """`at least 80 % of rows`, `10 % of rows, give or take 2 points`."""
    if check.op == "within":
        return f"{amount(check, check.limit)}{of_what}, give or take {reach(check, check.tolerance)}"
    word = {">=": "at least", ">": above, "<=": "at most", "<": below}[check.op]
    return f"{word} {_signed(check)}{of_what}"


def _signed(check: Check) -> str:
    return f"{'-' if check.limit < 0 else ''}{amount(check, check.limit)}"


def _moves(check: Check, up: str, down: str, neutral: float) -> str:
    """What the new model must do, or may not, compared with the old one."""
    if check.op == "within":
        if check.limit == neutral:
            return f"may {up} or {down} by at most {amount(check, neutral + check.tolerance)}"
        way = up if check.limit > neutral else down
        return f"must {way} by {amount(check, check.limit)}, give or take {reach(check, check.tolerance)}"
    is_strict = check.op in {">", "<"}
    good, bad = (up, down) if check.wants_more else (down, up)
    if check.limit == neutral:
        return f"must {good}" if is_strict else f"may not {bad}"
    if (check.limit > neutral) == check.wants_more:
        return f"must {good} by {'more than' if is_strict else 'at least'} {amount(check, check.limit)}"
    return f"may not {bad} by more than {amount(check, check.limit)}"


def _ratio_rule(check: Check) -> str:
    if check.limit > 2 and check.op != "within":
        # More than a doubling is hard to think of in percent.
        word = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}[check.op]
        return f"must be {word} {number(check.limit)} times the old one"
    of_what = " of its old value" if check.words.percent and (check.limit != 1 or check.op == "within") else ""
    return f"{_moves(check, 'grow', 'shrink', 1.0)}{of_what}"
