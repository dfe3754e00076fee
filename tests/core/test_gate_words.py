import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.check import Evidence
from headway.core.check_grammar import parse_check
from headway.core.gate import judge


def told(text: str, estimate: float, low: float | None, high: float | None, **more: float) -> str:
    check = parse_check(text)
    evidence = Evidence(
        metric=check.metric,
        estimate=estimate,
        low=low,
        high=high,
        n_rows=int(more.get("n_rows", 2000)),
        method="test",
        confidence=more.get("confidence", 0.95),
        new=more.get("new"),
        old=more.get("old"),
        n_differ=int(more["n_differ"]) if "n_differ" in more else None,
        spread=more.get("spread", math.sqrt(0.1)),
        approximate=bool(more.get("approximate", False)),
    )
    return judge(check, evidence).why


def test_a_pass_tells_the_numbers_and_how_often_it_is_wrong() -> None:
    assert told("new.accuracy - old.accuracy > 0", 0.015, 0.005, 0.026, new=0.841, old=0.826, n_differ=160) == (
        "accuracy must rise: it went from 82.6 to 84.1 %, +1.5 points, range +0.5 to +2.6 (2,000 rows, the models"
        " differ on 160). A model that breaks this rule gets through at most 5 times in 100."
    )


def test_a_fail_tells_what_to_do() -> None:
    assert told("new.accuracy >= 0.8", 0.7, 0.68, 0.72, confidence=0.99) == (
        "accuracy must be at least 80 %: it is 70.0 %, range 68.0 to 72.0 (2,000 rows). Train a better model; a model"
        " that keeps this rule is refused at most 1 time in 100."
    )


def test_an_unsure_check_tells_how_many_rows_would_decide_and_which_limit_would_pass() -> None:
    why = told("new.recall - old.recall > -0.02", -3 / 310, -0.0347, 0.0141, n_rows=310, n_differ=19, spread=0.2474)
    assert why.endswith(
        "range -3.5 to +1.4 (310 positive rows, the models differ on 19). About 3,300 more positive rows would decide"
        " it 4 times in 5; a limit of -0.035 would let it pass."
    )


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("new.accuracy > 0.8", "accuracy must be above 80 %:"),
        ("new.accuracy >= 0.805", "accuracy must be at least 80.5 %:"),
        ("new.auc >= 0.8", "auc must be at least 0.8:"),
        ("new.log_loss < 0.3", "log_loss must be below 0.3:"),
        ("new.mae <= 12.5", "mae must be at most 12.5:"),
        ("new.accuracy - old.accuracy > 0", "accuracy must rise:"),
        ("new.accuracy - old.accuracy >= 0", "accuracy may not fall:"),
        ("new.brier - old.brier < 0", "brier must fall:"),
        ("new.brier - old.brier <= 0", "brier may not rise:"),
        ("new.accuracy - old.accuracy > -0.01", "accuracy may not fall by more than 1 point:"),
        ("new.accuracy - old.accuracy > -0.02", "accuracy may not fall by more than 2 points:"),
        ("new.accuracy - old.accuracy > 0.02", "accuracy must rise by more than 2 points:"),
        ("new.accuracy - old.accuracy >= 0.02", "accuracy must rise by at least 2 points:"),
        ("new.log_loss - old.log_loss < 0.01", "log_loss may not rise by more than 0.01:"),
        ("new.log_loss - old.log_loss < -0.01", "log_loss must fall by more than 0.01:"),
        ("new.log_loss - old.log_loss <= -0.01", "log_loss must fall by at least 0.01:"),
    ],
)
def test_the_rule_is_told_in_words(text: str, rule: str) -> None:
    assert told(text, 0.1, 0.05, 0.15).startswith(rule)


def test_a_value_at_its_limit_is_not_promised_a_number_of_rows() -> None:
    why = told("new.accuracy - old.accuracy > 0", 0.0, -0.012, 0.012)
    assert why.endswith("no number of rows decides it; a limit of -0.013 would let it pass.")


def test_models_that_answer_alike_are_told_how_many_rows_a_margin_takes() -> None:
    why = told("new.accuracy - old.accuracy > -0.01", 0.0, -0.0436, 0.0436, n_rows=100, n_differ=0, spread=0.0)
    assert "the models differ on 0). About 520 more rows would decide it" in why


def test_an_unknown_range_says_so_and_why() -> None:
    why = told("new.log_loss - old.log_loss < 0", -0.1, None, None)
    assert "-0.100, range unknown (2,000 rows). Too few rows tell for a range (test): measure on more rows." in why


def test_a_range_open_on_one_side_says_so() -> None:
    assert "range 0.90 and up" in told("new.mae > 1", 1.2, 0.9, None)
    assert "range from below to 1.50" in told("new.mae > 1", 1.2, None, 1.5)


@given(
    st.floats(-0.3, 0.3),
    st.floats(0, 0.1),
    st.floats(0, 0.1),
    st.sampled_from(["accuracy", "auc", "mae"]),
)
def test_the_numbers_shown_stand_on_the_side_of_the_limit_that_was_decided(
    estimate: float, below: float, above: float, metric: str
) -> None:
    check = parse_check(f"new.{metric} - old.{metric} > 0.01")
    low, high = estimate - below, estimate + above
    why = told(check.text, estimate, low, high)
    scale = 100 if check.words.percent else 1
    shown = why.split("range ")[1].split(" (")[0].split(" to ")
    for number, text in zip((low, high), shown, strict=True):
        # Beyond four more digits than usual the two are equal to any reader.
        if abs(number - check.limit) > 1e-5:
            assert (float(text) / scale > check.limit) == (number > check.limit)


@pytest.mark.parametrize(("confidence", "odds"), [(0.95, "5 times in 100"), (0.99, "1 time in 100")])
def test_the_odds_are_told_in_whole_numbers(confidence: float, odds: str) -> None:
    assert odds in told("new.auc > 0.5", 0.9, 0.8, 0.95, confidence=confidence)


def test_small_odds_are_told_out_of_more() -> None:
    assert "at most 2 times in 1,000" in told("new.auc > 0.5", 0.9, 0.8, 0.95, confidence=0.998)


def test_a_method_without_a_guarantee_promises_none() -> None:
    assert "gets through about 5 times in 100" in told("new.auc > 0.5", 0.9, 0.8, 0.95, approximate=True)


def test_a_narrow_range_is_told_with_digits_enough_to_see_it() -> None:
    assert "range -0.0003 to +0.0002" in told("new.brier - old.brier < 0.001", 0.00001, -0.00031, 0.00021)
    assert "a limit of -0.0011 would let it pass" in told(
        "new.recall - old.recall > -0.001", -0.0004, -0.00102, 0.00021, n_rows=300_000
    )
