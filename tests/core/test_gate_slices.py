"""Many slices as one check: which are shown to break it, by which correction, and what follows."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from headway.core.check import Evidence
from headway.core.check_grammar import parse_check
from headway.core.gate import CheckVerdict
from headway.core.gate_slices import Found, Mode, Multiplicity, Part, Slicing, judge_slices
from headway.errors import Unmeasurable
from headway.stats import multiple

CHECK = parse_check("new.accuracy - old.accuracy > -0.02 for each region")
MAE = parse_check("new.mae <= 2 for each region")


def evidence(estimate: float, error: float, confidence: float, n_rows: int = 500) -> Evidence:
    """As a normal estimate with this standard error would have it."""
    half = float(special.ndtri(confidence)) * error
    return Evidence(
        metric="accuracy",
        estimate=estimate,
        low=estimate - half,
        high=estimate + half,
        n_rows=n_rows,
        method="normal",
        confidence=confidence,
    )


def by_p_value(p_value: float, confidence: float) -> Evidence:
    """A slice whose one-sided p-value for breaking CHECK is this."""
    error = 0.01
    return evidence(-0.02 + error * float(special.ndtri(p_value)), error, confidence)


def judge(p_values: Sequence[float], multiplicity: Multiplicity = "holm", mode: Mode = "veto") -> CheckVerdict:
    parts = [Part(name=f"region={i:02}", n_rows=500) for i in range(len(p_values))]
    slicing = Slicing(mode=mode, multiplicity=multiplicity)
    return judge_slices(CHECK, parts, lambda i, at: by_p_value(p_values[i], at), slicing, 0.95)


def failed(verdict: CheckVerdict) -> set[int]:
    return {int(one.name.removeprefix("region=")) for one in verdict.slices if one.outcome == "fail"}


# Away from the levels themselves, where rounding decides.
p_values = st.lists(
    st.one_of(st.floats(1e-6, 0.999), st.floats(1e-6, 0.06)).filter(
        lambda p: all(abs(p - 0.05 * k / m) > 1e-9 for m in range(1, 9) for k in range(1, m + 1))
    ),
    min_size=1,
    max_size=8,
)


@given(p_values)
def test_holms_steps_by_levels_reject_what_his_p_values_do(p: list[float]) -> None:
    adjusted = multiple.holm(p)
    assert failed(judge(p, "holm")) == {i for i, one in enumerate(adjusted) if one <= 0.05}


@given(p_values)
def test_benjamini_and_hochberg_by_levels_reject_what_their_p_values_do(p: list[float]) -> None:
    adjusted = multiple.benjamini_hochberg(p)
    assert failed(judge(p, "bh")) == {i for i, one in enumerate(adjusted) if one <= 0.05}


@given(p_values)
def test_without_a_correction_each_slice_stands_alone(p: list[float]) -> None:
    assert failed(judge(p, "none")) == {i for i, one in enumerate(p) if one <= 0.05}


@given(p_values)
def test_the_range_of_each_slice_is_one_that_shows_its_outcome(p: list[float]) -> None:
    for one in judge(p).slices:
        assert one.evidence is not None
        assert one.evidence.high is not None
        assert (one.evidence.high <= -0.02) == (one.outcome == "fail")


def test_one_slice_among_many_that_is_bad_by_chance_does_not_veto() -> None:
    assert judge([0.03] + [0.5] * 19).outcome == "pass"
    assert judge([0.03]).outcome == "fail"
    assert judge([0.001] + [0.5] * 19).outcome == "fail"
    assert judge([0.03] + [0.5] * 19, "none").outcome == "fail"


def test_to_veto_it_must_be_shown_and_to_prove_every_slice_must_be() -> None:
    one_open = [0.999, 0.999, 0.5]
    assert judge(one_open).outcome == "pass"
    assert judge(one_open, mode="prove").outcome == "unsure"
    assert judge([0.999] * 3, mode="prove").outcome == "pass"
    assert judge([1e-5, 0.999], mode="prove").outcome == "fail"


def test_slices_come_by_harm_and_small_ones_last() -> None:
    parts = [Part(name=f"region={name}", n_rows=n) for name, n in [("a", 500), ("b", 500), ("c", 12), ("d", 500)]]
    found = {0: 0.01, 1: -0.2, 2: -0.5, 3: -0.03}
    verdict = judge_slices(
        CHECK, parts, lambda i, at: evidence(found[i], 0.02, at, parts[i].n_rows), Slicing(), confidence=0.95
    )
    assert [(one.name, one.outcome) for one in verdict.slices] == [
        ("region=b", "fail"),
        ("region=d", "unsure"),
        ("region=a", "unsure"),
        ("region=c", "small"),
    ]
    assert "the worst is region=b" in verdict.why
    assert "1 of 4 is too small to tell, and could hide as much as -53.3 points" in verdict.why


def test_the_larger_error_is_the_more_harmful() -> None:
    parts = [Part(name=f"region={i}", n_rows=500) for i in range(3)]
    values = [1.0, 3.0, 2.0]
    verdict = judge_slices(MAE, parts, lambda i, at: evidence(values[i], 0.1, at), Slicing(), 0.95)
    assert [one.name for one in verdict.slices] == ["region=1", "region=2", "region=0"]


def nothing(_i: int, _at: float) -> Found:
    return Unmeasurable("recall has no value: none is positive", at="recall", remedy="…")


@pytest.mark.parametrize(
    ("n_rows", "mode", "said"),
    [
        (500, "veto", "But nothing bounds any of them: region=0 (500 rows): recall has no value"),
        (5, "veto", "all 2 slices are too small to tell"),
        (5, "prove", "2 of 2 are too small to tell"),
    ],
)
def test_where_no_slice_can_be_judged_nothing_is_shown(n_rows: int, mode: Mode, said: str) -> None:
    parts = [Part(name=f"region={i}", n_rows=n_rows) for i in range(2)]
    verdict = judge_slices(CHECK, parts, nothing, Slicing(mode=mode), 0.95)
    assert verdict.outcome == "unsure"
    assert said in verdict.why


def test_small_slices_neither_block_nor_count_among_those_that_are_corrected_for() -> None:
    parts = [Part(name=f"region={i:02}", n_rows=500 if i == 0 else 29) for i in range(20)]
    verdict = judge_slices(CHECK, parts, lambda i, at: by_p_value(0.03 if i == 0 else 1e-9, at), Slicing(), 0.95)
    assert [one.outcome for one in verdict.slices].count("small") == 19
    assert failed(verdict) == {0}
    passed = judge_slices(CHECK, parts, lambda i, at: by_p_value(0.9 if i == 0 else 1e-9, at), Slicing(), 0.95)
    assert passed.outcome == "pass"
    proved = judge_slices(
        CHECK, parts, lambda i, at: by_p_value(0.999 if i == 0 else 1e-9, at), Slicing(mode="prove"), 0.95
    )
    assert proved.outcome == "unsure"


def test_rows_that_do_not_count_for_the_metric_make_no_slice_large() -> None:
    parts = [Part(name="region=a", n_rows=500)]
    verdict = judge_slices(CHECK, parts, lambda _, at: evidence(-0.5, 0.01, at, n_rows=29), Slicing(), 0.95)
    assert [one.outcome for one in verdict.slices] == ["small"]


def test_no_slices_are_no_pass() -> None:
    for mode in ("veto", "prove"):
        assert judge_slices(CHECK, [], nothing, Slicing(mode=mode), 0.95).outcome == "unsure"


def test_a_value_that_is_no_number_is_unsure() -> None:
    parts = [Part(name="region=a", n_rows=500), Part(name="region=b", n_rows=500)]
    verdict = judge_slices(CHECK, parts, lambda i, at: evidence([float("nan"), 0.5][i], 0.01, at), Slicing(), 0.95)
    assert {one.name: one.outcome for one in verdict.slices} == {"region=a": "unsure", "region=b": "pass"}
