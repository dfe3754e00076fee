import math
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.check import Check, Evidence
from headway.core.check_grammar import parse_check
from headway.core.gate import judge
from headway.core.gate_words import explain, explain_slice, explain_slices, suspicious
from written_checks import OWN, checks

SIX_LINES = 6 * 120


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


# --- the other forms ---------------------------------------------------------------------------------------------


def found(text: str, estimate: float, low: float | None, high: float | None, **more: Any) -> tuple[Check, Evidence]:
    check = parse_check(text)
    besides: dict[str, Any] = {"n_rows": 2000, "method": "test", "confidence": 0.95} | more
    return check, Evidence(metric=check.metric, estimate=estimate, low=low, high=high, **besides)


def test_a_ratio_is_told_as_a_change_in_percent() -> None:
    check, evidence = found("new.mae / old.mae <= 1.05", 1.02, 0.99, 1.049, new=12.24, old=12.0, n_differ=1900)
    assert explain(check, evidence, "pass").startswith(
        "mae may not grow by more than 5 %: it went from 12.0 to 12.2, by +2.0 %, range -1.0 to +4.9 (2,000 rows, the"
        " models differ on 1,900)."
    )


def test_a_ratio_of_shares_is_not_mixed_up_with_points() -> None:
    check, evidence = found("new.recall / old.recall >= 0.95", 0.9875, 0.97, 1.01, new=0.79, old=0.8)
    assert explain(check, evidence, "pass").startswith(
        "recall may not shrink by more than 5 % of its old value: it went from 80.0 to 79.0 %, by -1.2 % of that,"
        " range -3.0 to +1.0 (2,000 positive rows)."
    )


def test_a_value_that_must_stay_tells_the_tolerance_that_would_let_it_pass() -> None:
    check, evidence = found("new.recall - old.recall within 0.01", 0.004, -0.008, 0.0161, spread=0.3)
    why = explain(check, evidence, "unsure")
    assert why.startswith("recall may rise or fall by at most 1 point: it moved by +0.4 points, range -0.8 to +1.6")
    assert why.endswith("more positive rows would decide it 4 times in 5; a tolerance of 0.017 would let it pass.")


def test_disagreement_is_told_of_both_models_and_points_to_the_rows() -> None:
    check, evidence = found("disagreement(new, old) <= 0.05", 0.1, 0.08, 0.12, n_differ=200)
    assert explain(check, evidence, "fail") == (
        "the models must differ on at most 5 % of rows: they differ on 10.0 %, range 8.0 to 12.0 (2,000 rows). Look at"
        " the rows where they differ (`headway gate label` writes them); a model that keeps this rule is refused at"
        " most 5 times in 100."
    )


def test_a_gap_of_many_groups_tells_its_two_ends() -> None:
    groups = tuple((f"g{i}", 0.7 + i / 100) for i in (3, 0, 5, 1))
    check, evidence = found("gap(new.recall by age) < 0.1", 0.05, 0.01, 0.09, groups=groups)
    assert "it differs by 5.0 (of 4 groups g0 70.0 the lowest, g5 75.0 the highest), range 1.0 to 9.0" in explain(
        check, evidence, "pass"
    )


def test_a_gap_of_a_plain_metric_is_told_plainly() -> None:
    check, evidence = found("gap(new.mae by age) < 2", 3.0, 2.5, 3.5, groups=(("old", 9.0), ("young", 6.0)))
    why = explain(check, evidence, "fail")
    assert why.startswith(
        "mae must differ by less than 2 between groups of age: it differs by 3.00 (old 9.00, young 6.00), range 2.50"
        " to 3.50"
    )
    assert "Train a model that serves the groups more alike; a model" in why


def test_a_ratio_of_groups_is_told_in_percent_of_the_highest() -> None:
    check, evidence = found("ratio(new.recall by sex) >= 0.8", 0.909, 0.85, 0.97, groups=(("f", 0.712), ("m", 0.783)))
    assert explain(check, evidence, "pass").startswith(
        "the lowest recall among groups of sex must be at least 80 % of the highest: it is 90.9 % of it (f 71.2, m"
        " 78.3), range 85.0 to 97.0 (2,000 positive rows)."
    )


def test_a_size_is_no_sample_and_has_no_range() -> None:
    check, evidence = found("new.size_mb / old.size_mb <= 1.1", 1.5, 1.5, 1.5, new=18.0, old=12.0, n_rows=0)
    assert explain(check, evidence, "fail") == (
        "size may not grow by more than 10 %: it went from 12.0 to 18.0 MB, by +50.0 %. Make the model smaller."
    )


def test_a_latency_is_told_in_milliseconds_and_of_timed_rows() -> None:
    check, evidence = found("new.latency_p99_ms < 20", 12.34, 11.9, 13.1, approximate=True)
    assert explain(check, evidence, "pass") == (
        "p99 latency must be below 20 ms: it is 12.3 ms, range 11.9 to 13.1 (2,000 timed rows). A model that breaks"
        " this rule gets through about 5 times in 100."
    )
    check, evidence = found("new.latency_mean_ms - old.latency_mean_ms <= 2", 0.9, 0.5, 1.3, new=12.9, old=12.0)
    assert "may not rise by more than 2 ms: it went from 12.0 to 12.9 ms, +0.90 ms, range +0.50 to +1.30" in explain(
        check, evidence, "pass"
    )


def test_one_row_is_one_row() -> None:
    check, evidence = found("new.recall >= 0.8", 1.0, 0.05, 1.0, n_rows=1)
    assert "(1 positive row)" in explain(check, evidence, "unsure")
    check, evidence = found("new.hit_rate@10 >= 0.8", 1.0, 0.05, 1.0, n_rows=1)
    assert "(1 query)" in explain(check, evidence, "unsure")


def test_where_one_row_tells_how_much_is_not_known_no_number_of_rows_is_promised() -> None:
    check, evidence = found("new.f1 >= 0.8", 0.82, 0.78, 0.86)
    assert explain(check, evidence, "unsure").endswith("More rows would decide it; a limit of 0.780 would let it pass.")


def test_a_range_that_ends_at_the_limit_itself_is_advised_the_next_one() -> None:
    check, evidence = found("new.accuracy - old.accuracy > 0", 0.01, 0.0, 0.02, spread=0.3)
    assert "; a limit of -0.001 would let it pass." in explain(check, evidence, "unsure")
    check, evidence = found("new.accuracy >= 0.8", 0.82, 0.79, 0.85, spread=0.3)
    assert "; a limit of 0.790 would let it pass." in explain(check, evidence, "unsure")


def test_a_limit_that_no_one_could_write_is_not_advised() -> None:
    check, evidence = found("new.mae / old.mae >= 0.9", 0.95, -0.1, 1.2, spread=1.0)
    assert explain(check, evidence, "unsure").endswith("would decide it 4 times in 5.")


@st.composite
def judged(draw: st.DrawFn) -> tuple[Check, Evidence]:
    check = draw(checks())
    estimate = draw(st.floats(-0.2, 1.2))
    reach = st.floats(0, 0.3)
    new, old = (draw(st.none() | st.floats(0, 2000)) for _ in range(2))
    return check, Evidence(
        metric=check.metric,
        estimate=estimate,
        low=draw(st.none() | reach.map(lambda below: estimate - below)),
        high=draw(st.none() | reach.map(lambda above: estimate + above)),
        n_rows=draw(st.integers(0, 10**7)),
        method="a method with a long name",
        confidence=draw(st.sampled_from([0.95, 0.99, 1 - 0.05 / 32])),
        new=new,
        old=old,
        n_differ=draw(st.none() | st.integers(0, 10**6)),
        spread=draw(st.none() | st.floats(0, 2)),
        groups=tuple((f"group {i}", estimate * i) for i in range(draw(st.integers(0, 5)))),
    )


@given(judged())
def test_every_verdict_is_told_in_few_lines(case: tuple[Check, Evidence]) -> None:
    verdict = judge(*case)
    assert len(verdict.why) <= SIX_LINES
    assert verdict.why.endswith(".")
    assert "nan" not in verdict.why
    assert len(explain_slice(*case[:1], "region=" + "x" * 500, case[1], "unsure")) <= SIX_LINES


@given(judged())
def test_what_would_let_a_check_pass_lets_it_pass(case: tuple[Check, Evidence]) -> None:
    check, evidence = case
    verdict = judge(check, evidence)
    advised = re.search(r"a (limit|tolerance) of (\S+) would", verdict.why)
    if verdict.outcome != "unsure" or advised is None:
        return
    limit, tolerance = check.limit, check.tolerance
    if advised[1] == "limit":
        limit = float(advised[2])
        assert not re.search(r"within", check.text)
    else:
        tolerance = float(advised[2])
    mended = msgspec.structs.replace(check, limit=limit, tolerance=tolerance)
    assert judge(mended, evidence).outcome == "pass"
    # And it can be written as advised.
    text = check.text.replace(f" {check.op} {check.limit}", f" {check.op} {advised[2]}", 1)
    if advised[1] == "limit":
        assert parse_check(text, own=OWN).limit == limit


@given(judged())
def test_every_range_stands_on_the_side_of_the_limits_that_was_decided(case: tuple[Check, Evidence]) -> None:
    check, evidence = case
    why = judge(check, evidence).why
    shown = re.search(r"range (?:(from below)|(\S+)) (?:(and up)|to (\S+))", why)
    if shown is None:
        return
    scale, shift = (100, 1) if check.form == "ratio" else (100 if check.words.percent else 1, 0)
    scale = 100 if check.form in {"disagreement", "gap-ratio"} else scale
    for bound, text in ((evidence.low, shown[2]), (evidence.high, shown[4])):
        for edge in check.edges:
            # Beyond four more digits than usual the two are equal to any reader.
            if bound is not None and abs(bound - edge) > 1e-5:
                assert (float(text.rstrip(".,;").replace(",", "")) / scale + shift > edge) == (bound > edge)


# --- slices ------------------------------------------------------------------------------------------------------

RECALL = "new.recall - old.recall > -0.02 for each region"


def test_a_slice_is_told_by_its_name() -> None:
    check, evidence = found(RECALL, -0.01, -0.035, 0.014, n_rows=310, n_differ=19, spread=0.25)
    assert explain_slice(check, "region=south", evidence, "unsure").startswith(
        "recall in region=south may not fall by more than 2 points: it moved by -1.0 points, range -3.5 to +1.4 (310"
        " positive rows, the models differ on 19). About "
    )


def test_slices_that_veto_tell_the_worst_and_what_the_small_ones_hide() -> None:
    check, evidence = found(RECALL, -0.01, -0.035, 0.014, n_rows=310)
    worst = ("region=south", evidence)
    told_of = "it moved by -1.0 points, range -3.5 to +1.4 (310 positive rows)"
    rule = "recall in each region may not fall by more than 2 points"
    assert explain_slices(check, 9, worst, 0, 2, None) == (
        f"{rule}: no region is shown to break it; the worst is region=south: {told_of}. 2 of 9 are too small to tell."
    )
    assert explain_slices(check, 9, worst, 0, 0, None) == (
        f"{rule}: no region is shown to break it; the worst is region=south: {told_of}."
    )
    assert explain_slices(check, 9, worst, 1, 1, -0.3) == (
        f"{rule}: 1 of 9 slices is shown to break it; the worst is region=south: {told_of}. 1 of 9 is too small to"
        " tell, and could hide as much as -30.0 points. Keep the champion, or train a better challenger; look at those"
        " rows first."
    )
    assert explain_slices(check, 9, None, 0, 9, None) == (
        f"{rule}: all 9 slices are too small to tell. Measure on more positive rows."
    )


def test_slices_that_prove_tell_how_many_are_shown_to_keep_the_rule() -> None:
    check, evidence = found("new.recall >= 0.7 for each region, sex", 0.75, 0.71, 0.79, n_rows=310)
    worst = ("region=south, sex=f", evidence)
    rule = "recall in each combination of region and sex must be at least 70 %"
    told_of = "the worst is region=south, sex=f: it is 75.0 %, range 71.0 to 79.0 (310 positive rows)"
    assert explain_slices(check, 6, worst, 0, 0, None, n_proved=6) == (
        f"{rule}: each of 6 slices is shown to keep it; {told_of}."
    )
    assert explain_slices(check, 6, worst, 0, 1, None, n_proved=4) == (
        f"{rule}: 4 of 6 slices are shown to keep it, none to break it; {told_of}. 1 of 6 is too small to tell."
        " More positive rows of the others would decide it."
    )


@given(judged(), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.none() | st.floats(-1, 1))
def test_slices_are_told_in_few_lines(
    case: tuple[Check, Evidence], n_failed: int, n_small: int, n_proved: int, could_hide: float | None
) -> None:
    check = msgspec.structs.replace(case[0], each=("region", "a column with a long name"))
    why = explain_slices(
        check, 101, ("region=south, " + "x" * 500, case[1]), n_failed, n_small, could_hide, n_proved=n_proved
    )
    assert len(why) <= SIX_LINES
    assert why.endswith(".")


# --- too good to be true -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "old", "new", "is_told"),
    [
        ("new.accuracy - old.accuracy > 0", 0.7, 0.91, True),
        ("new.accuracy - old.accuracy > 0", 0.7, 0.89, False),
        ("new.accuracy - old.accuracy >= -0.1", 0.94, 0.995, True),
        ("new.accuracy - old.accuracy > 0", 0.96, 0.995, False),
        ("new.auc / old.auc > 0.9", 0.6, 0.95, True),
        ("new.log_loss - old.log_loss < 0", 0.5, 0.09, True),
        ("new.log_loss - old.log_loss < 0", 0.5, 0.11, False),
        ("new.mae / old.mae <= 1.05", 10, 1.5, True),
        ("new.mae / old.mae <= 1.05", 10, 2.5, False),
        # A count of harm may well grow, and a gain in a loss is none in a share.
        ("new.mae - old.mae > 0", 10, 90, False),
        ("new.accuracy - old.accuracy < 0.9", 0.7, 0.99, False),
        ("new.accuracy - old.accuracy within 0.9", 0.7, 0.99, False),
        ("new.size_mb - old.size_mb < 1", 100, 1, False),
        ("new.latency_p50_ms / old.latency_p50_ms < 1", 100, 1, False),
        ("new.accuracy > 0.5", 0.7, 0.99, False),
    ],
)
def test_a_gain_beyond_belief_is_told(text: str, old: float, new: float, is_told: bool) -> None:
    estimate = new / old if "/" in text else new - old
    check, evidence = found(text, estimate, estimate, estimate, new=new, old=old)
    warning = suspicious(check, evidence)
    assert bool(warning) == is_told
    assert not is_told or "look for leakage" in warning


def test_a_great_gain_on_few_rows_is_no_leak() -> None:
    check, evidence = found("new.accuracy - old.accuracy > 0", 0.3, -0.1, 0.6, new=0.9, old=0.6)
    assert suspicious(check, evidence) == ""
    assert suspicious(*found("new.accuracy - old.accuracy > 0", 0.3, None, 0.6, new=0.9, old=0.6)) == ""
    assert suspicious(*found("new.accuracy - old.accuracy > 0", 0.3, 0.1, 0.6, new=0.9)) == ""
