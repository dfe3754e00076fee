r"""The condition language of Renggli et al. (2019, ease.ml/ci), read into checks: `n - o > 0.02 +/- 0.01 /\ d < 0.1`.

    TEXT = CLAUSE {"/\" CLAUSE};  CLAUSE = EXP OP NUMBER ["+/-" TOL]
    EXP  = sums and differences of the variables, multiplied by numbers; brackets are allowed

`n` is the accuracy of the new model, `o` that of the old one, `d` the share of rows on which their answers differ. A
clause means a check if what it compares is a multiple of n, of n - o or of d; the paper's other sums have no range that
a product could explain, and are refused. Knows nothing of modes, adaptivity and steps: `reuse:` of the gate says those.
"""

import math
from collections.abc import Mapping
from typing import cast

from headway.core.check import Check, Form, Op
from headway.core.check_sense import refuse_senseless
from headway.core.check_tokens import Reader

VARIABLES = ("n", "o", "d")

_OTHERS = frozenset({"new", "old", "disagreement"})
"""Words of the other language."""

_MEANT: dict[tuple[float, float, float], tuple[str, Form]] = {
    (1, 0, 0): ("accuracy", "value"),
    (1, -1, 0): ("accuracy", "difference"),
    (0, 0, 1): ("disagreement", "disagreement"),
}
"""By how often n, o and d are in it: the check's metric and form."""

_TURNED: dict[str, Op] = {">": "<", ">=": "<=", "<": ">", "<=": ">="}

_MOST_TOKENS = 200
"""Far beyond any condition that a person writes, and below what brackets in brackets may use of the stack."""

_APART = "write clauses of n, n - o or d, joined by /\\"

_EXPLAINED = "the variables are n (new accuracy), o (old accuracy) and d (share of rows with different answers)"


def is_dialect(reader: Reader) -> bool:
    """Whether a text is in this language: one of its variables stands before the first comparison, and no `new.METRIC`.

    >>> is_dialect(Reader("2 * n > 0.5")), is_dialect(Reader("new.f1 > 0.5"))
    (True, False)
    """
    names: list[str] = []
    for token in reader.tokens:
        if token.kind == "op" or token.text == "within":
            break
        if token.kind == "name":
            names.append(token.text)
    return any(name in VARIABLES for name in names) and not any("." in name or name in _OTHERS for name in names)


def read(reader: Reader) -> tuple[Check, ...]:
    r"""The checks of a text in this language, in their order.

    Raises CheckUnreadable with the place where it goes wrong, or where it says what no check says.

    >>> for check in read(Reader("n - o > 0.02 +/- 0.01 /\\ d < 0.1 +/- 0.01")):
    ...     print(check.metric, check.form, check.op, check.limit, check.tolerance)
    accuracy difference > 0.02 0.01
    disagreement disagreement < 0.1 0.01
    """
    if len(reader.tokens) > _MOST_TOKENS:
        raise reader.fault(reader.tokens[_MOST_TOKENS].at, "it is too long", "write one condition a line")
    checks = [_clause(reader)]
    while reader.next.kind == "and":
        reader.read()
        checks.append(_clause(reader))
    token = reader.next
    if token.kind != "end":
        slices = "slices are asked for as new.accuracy - old.accuracy > 0.02 for each COLUMN"
        remedy = slices if token.text == "for" else r"join clauses by /\, or write one condition a line"
        raise reader.fault(token.at, f"{token.text!r} is left over", remedy)
    return tuple(checks)


def _clause(reader: Reader) -> Check:
    start = reader.next.at
    many = _sum(reader)
    token = reader.read()
    if token.text not in _TURNED:
        raise reader.fault(token.at, "a clause compares once, by > or <", "write such as n - o > 0.02 +/- 0.01")
    limit = reader.number("number")
    tolerance = reader.tolerance() or 0.0
    factor, (metric, form) = _meant(reader, many, start)
    check = Check(
        text=reader.text[start : reader.next.at].strip(),
        metric=metric,
        form=form,
        op=cast("Op", token.text) if factor > 0 else _TURNED[token.text],
        limit=(limit - many[""]) / factor + 0.0,
        tolerance=tolerance / abs(factor),
    )
    refuse_senseless(check, reader, token.at)
    return check


def _meant(reader: Reader, many: Mapping[str, float], start: int) -> tuple[float, tuple[str, Form]]:
    """How many times which form a clause asks for."""
    factor = many["n"] or many["d"]
    if factor:
        # Rounded, for 3 * 0.1 is not 0.3 to a computer.
        n, o, d = (round(many[name] / factor, 9) for name in VARIABLES)
        if (n, o, d) in _MEANT:
            return factor, _MEANT[n, o, d]
        if not d and o < 0:
            remedy = f"write new.accuracy / old.accuracy OP {-o:g} if 0 stands on the right"
            raise reader.fault(start, "it weighs n and o differently, which no check does", remedy)
    if not factor and many["o"]:
        raise reader.fault(start, "it says nothing of the new model", "write n, n - o or d")
    if not factor:
        raise reader.fault(start, "nothing is left of its variables", "write n, n - o or d")
    raise reader.fault(start, "no check says this of n, o and d together", _APART)


# --- sums ----------------------------------------------------------------------------------------------------------


def _sum(reader: Reader) -> dict[str, float]:
    """How often each variable is in the sum that comes next."""
    many = _product(reader)
    while (sign := reader.takes("+", "-")) is not None:
        sign_of = 1.0 if sign.text == "+" else -1.0
        more = _product(reader)
        many = {name: many[name] + sign_of * more[name] for name in many}
    return many


def _product(reader: Reader) -> dict[str, float]:
    many = _factor(reader)
    while (sign := reader.takes("*", "/")) is not None:
        if sign.text == "/":
            raise reader.fault(sign.at, "this language does not divide", "write new.accuracy / old.accuracy OP NUMBER")
        place = reader.next.at
        by = _factor(reader)
        constant, other = (many, by) if _is_constant(many) else (by, many)
        if not _is_constant(constant):
            raise reader.fault(place, "two variables are multiplied", "multiply by numbers only")
        many = {name: constant[""] * other[name] for name in many}
    return many


def _is_constant(many: Mapping[str, float]) -> bool:
    return not any(many[name] for name in VARIABLES)


def _factor(reader: Reader) -> dict[str, float]:
    token = reader.read()
    many = dict.fromkeys(("", *VARIABLES), 0.0)
    if token.text == "-":
        return {name: -times for name, times in _factor(reader).items()}
    if token.text == "(":
        many = _sum(reader)
        if not reader.takes(")"):
            raise reader.fault(reader.next.at, "the bracket is not closed", "close it")
        return many
    if token.kind == "number" and math.isfinite(float(token.text)):
        many[""] = float(token.text)
        return many
    if token.text in VARIABLES:
        many[token.text] = 1.0
        return many
    problem = f"{token.text!r} is no variable" if token.text else "a variable is missing"
    raise reader.fault(token.at, problem, _EXPLAINED)
