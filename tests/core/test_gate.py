import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.check import Check, Evidence
from headway.core.check_grammar import parse_check
from headway.core.gate import CheckVerdict, Outcome, conclude, exit_code, judge, unmeasured, without_champion
from headway.errors import Unmeasurable


def found(low: float | None, high: float | None, *, estimate: float = 0.0, metric: str = "accuracy") -> Evidence:
    return Evidence(
        metric=metric, estimate=estimate, low=low, high=high, n_rows=1000, method="test", confidence=0.95, spread=0.3
    )


@pytest.mark.parametrize(
    ("op", "low", "high", "outcome"),
    [
        (">", 0.01, 0.03, "pass"),
        (">", 0.00, 0.03, "unsure"),
        (">", -0.01, 0.03, "unsure"),
        (">", -0.03, 0.00, "fail"),
        (">", -0.03, -0.01, "fail"),
        (">=", 0.00, 0.03, "pass"),
        (">=", -0.01, 0.03, "unsure"),
        (">=", -0.03, 0.00, "unsure"),
        (">=", -0.03, -0.01, "fail"),
        ("<", -0.03, -0.01, "pass"),
        ("<", -0.03, 0.00, "unsure"),
        ("<", 0.00, 0.03, "fail"),
        ("<=", -0.03, 0.00, "pass"),
        ("<=", 0.00, 0.03, "unsure"),
        ("<=", 0.01, 0.03, "fail"),
        (">", None, 0.03, "unsure"),
        (">", 0.01, None, "pass"),
        (">", None, -0.01, "fail"),
        ("<", -0.03, None, "unsure"),
        (">", None, None, "unsure"),
        ("<", None, None, "unsure"),
    ],
)
def test_only_a_range_that_lies_wholly_on_one_side_decides(
    op: str, low: float | None, high: float | None, outcome: str
) -> None:
    check = parse_check(f"new.accuracy - old.accuracy {op} 0")
    assert judge(check, found(low, high)).outcome == outcome


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.02, 0.02, "pass"),
        (-0.02, 0.03, "unsure"),
        (-0.03, 0.02, "unsure"),
        (-0.03, 0.03, "unsure"),
        (0.02, 0.04, "unsure"),
        (0.03, 0.04, "fail"),
        (-0.04, -0.03, "fail"),
        (None, 0.01, "unsure"),
        (-0.01, None, "unsure"),
        (0.03, None, "fail"),
        (None, None, "unsure"),
    ],
)
def test_within_looks_at_both_ends(low: float | None, high: float | None, outcome: str) -> None:
    check = parse_check("new.accuracy - old.accuracy within +/- 0.02")
    assert judge(check, found(low, high)).outcome == outcome


bounds = st.one_of(st.none(), st.floats(-1, 1))


@given(st.sampled_from([">", ">=", "<", "<="]), bounds, bounds, st.floats(-0.5, 0.5))
def test_a_wider_range_never_decides_what_a_narrower_one_leaves_open(
    op: str, low: float | None, high: float | None, limit: float
) -> None:
    check = parse_check(f"new.accuracy - old.accuracy {op} {limit}")
    if low is not None and high is not None and low > high:
        low, high = high, low
    narrow = judge(check, found(low, high)).outcome
    wide = judge(check, found(None if low is None else low - 0.1, None if high is None else high + 0.1)).outcome
    assert wide in {narrow, "unsure"}


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-0.5, 0.5))
def test_turning_a_check_round_mirrors_its_outcome(one: float, other: float, limit: float) -> None:
    low, high = sorted((one, other))
    upward = judge(parse_check(f"new.auc - old.auc > {limit}"), found(low, high, metric="auc")).outcome
    turned = judge(parse_check(f"new.auc - old.auc < {-limit}"), found(-high, -low, metric="auc")).outcome
    assert upward == turned


@pytest.mark.parametrize("low", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_an_error(low: float) -> None:
    check = parse_check("new.accuracy > 0.5")
    assert judge(check, found(low, 1.0)).outcome == "error"
    assert judge(check, found(0.6, 1.0, estimate=low)).outcome == "error"


def test_the_same_evidence_gives_the_same_verdict_and_words() -> None:
    check = parse_check("new.accuracy > 0.5")
    assert judge(check, found(0.4, 0.6)) == judge(check, found(0.4, 0.6))


CHECK = parse_check("new.accuracy - old.accuracy > 0")


def verdict(outcome: str) -> CheckVerdict:
    if outcome == "not-applicable":
        return without_champion(CHECK)
    if outcome == "error":
        return unmeasured(CHECK, Unmeasurable("no row", at="data", remedy="add some"))
    low, high = {"pass": (0.1, 0.2), "fail": (-0.2, -0.1), "unsure": (-0.1, 0.1)}[outcome]
    return judge(CHECK, found(low, high))


@pytest.mark.parametrize(
    ("outcomes", "whole", "why"),
    [
        (["pass"], "pass", "1 of 1 check holds"),
        (["pass", "pass"], "pass", "2 of 2 checks hold"),
        (["pass", "unsure"], "unsure", "1 of 2 checks could not be told"),
        (["unsure", "fail", "pass"], "fail", "1 of 3 checks failed"),
        (["fail", "error", "fail"], "error", "1 of 3 checks could not be measured"),
        (["pass", "not-applicable"], "pass", "1 of 1 check holds; 1 not applicable, no champion yet"),
        (["fail", "not-applicable"], "fail", "1 of 1 check failed; 1 not applicable, no champion yet"),
        (["not-applicable"], "unsure", "no check speaks of the new model alone"),
        ([], "error", "no checks"),
    ],
)
def test_the_worst_check_makes_the_verdict(outcomes: Sequence[str], whole: str, why: str) -> None:
    judged = conclude([verdict(outcome) for outcome in outcomes])
    assert judged.outcome == whole
    assert why in judged.why
    assert [c.outcome for c in judged.checks] == outcomes


@given(st.lists(st.sampled_from(["pass", "fail", "unsure", "error", "not-applicable"]), max_size=6))
def test_a_gate_passes_only_if_a_check_was_measured_and_all_of_them_pass(outcomes: list[str]) -> None:
    judged = conclude([verdict(outcome) for outcome in outcomes])
    counted = {outcome for outcome in outcomes if outcome != "not-applicable"}
    assert (judged.outcome == "pass") == (counted == {"pass"})


def test_what_was_not_measured_says_why_and_what_to_do() -> None:
    assert verdict("error").why == "new.accuracy - old.accuracy > 0: no row; add some"
    assert verdict("not-applicable").why == "new.accuracy - old.accuracy > 0: not applicable, no champion yet"
    assert verdict("not-applicable").evidence is None


@pytest.mark.parametrize(
    ("outcome", "hold", "fail", "let_pass"),
    [("pass", 0, 0, 0), ("fail", 3, 3, 3), ("unsure", 6, 3, 0), ("error", 1, 1, 1)],
)
def test_only_an_unsure_gate_heeds_what_unsure_shall_do(outcome: Outcome, hold: int, fail: int, let_pass: int) -> None:
    assert exit_code(outcome, "hold") == hold
    assert exit_code(outcome, "fail") == fail
    assert exit_code(outcome, "pass") == let_pass


def test_evidence_of_another_metric_is_a_fault_of_the_caller() -> None:
    check: Check = parse_check("new.recall > 0.5")
    with pytest.raises(AssertionError, match="another metric"):
        judge(check, found(0.6, 0.7))
