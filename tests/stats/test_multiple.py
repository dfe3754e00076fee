import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from headway.stats.multiple import Correction, alphas, benjamini_hochberg, e_benjamini_hochberg, holm
from tries import tries

chances = st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 1.0])
many = st.lists(chances, min_size=1, max_size=12)

# Benjamini & Hochberg (1995), table 1: fifteen comparisons of two treatments after a heart attack.
PUBLISHED = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0
]  # fmt: skip


@settings(max_examples=tries(50))
@given(many)
def test_adjusted_p_values_are_those_of_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)
    assert benjamini_hochberg(p_values) == pytest.approx(multipletests(p_values, method="fdr_bh")[1], abs=1e-12)


def test_the_example_of_benjamini_and_hochberg() -> None:
    # The paper rejects 4 with its own procedure, Bonferroni and Holm 3.
    assert sum(p <= 0.05 for p in benjamini_hochberg(PUBLISHED)) == 4
    assert sum(p <= 0.05 for p in holm(PUBLISHED)) == 3


@settings(max_examples=tries(50))
@given(many, st.sampled_from([0.01, 0.05, 0.2]))
@pytest.mark.parametrize(("correction", "method"), [("holm", "holm"), ("bh", "fdr_bh")])
def test_intervals_at_these_levels_leave_out_their_limits_as_the_procedure_rejects(
    correction: Correction, method: str, p_values: list[float], alpha: float
) -> None:
    levels = alphas(p_values, alpha, correction)
    rejected = multipletests(p_values, alpha=alpha, method=method)[0]
    assert [p <= level for p, level in zip(p_values, levels, strict=True)] == rejected.tolist()
    assert all(alpha / len(p_values) * (1 - 1e-12) <= level <= alpha for level in levels)


def test_without_a_correction_each_has_the_whole_level() -> None:
    assert alphas([0.9, 0.01], 0.05, "none") == [0.05, 0.05]
    assert alphas([], 0.05, "holm") == []
    assert holm([]) == benjamini_hochberg([]) == e_benjamini_hochberg([], 0.05) == []


@settings(max_examples=tries(50))
@given(many, st.randoms())
def test_the_order_of_the_questions_changes_nothing(p_values: list[float], random: object) -> None:
    mixed = list(range(len(p_values)))
    random.shuffle(mixed)  # type: ignore[attr-defined] # hypothesis' own Random
    there = holm([p_values[i] for i in mixed])
    assert there == [holm(p_values)[i] for i in mixed]
    correction: Correction = "holm"
    levels = alphas([p_values[i] for i in mixed], 0.05, correction)
    decided = [p_values[i] <= level for i, level in zip(mixed, levels, strict=True)]
    straight = [p <= level for p, level in zip(p_values, alphas(p_values, 0.05, correction), strict=True)]
    assert decided == [straight[i] for i in mixed]


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(wrong: float) -> None:
    for adjust in (holm, benjamini_hochberg, lambda p: alphas(p, 0.05, "holm")):
        with pytest.raises(ValueError, match="p-value"):
            adjust([0.5, wrong])
    with pytest.raises(ValueError, match="e-value"):
        e_benjamini_hochberg([1.0, float("nan")], 0.05)


def test_e_values_reject_as_their_reciprocals_do_by_benjamini_hochberg() -> None:
    # With p = 1/e the two procedures are the same rule (Wang & Ramdas 2022, section 2).
    rng = np.random.default_rng(7)
    for _ in range(200):
        e_values = np.exp(rng.normal(1, 2, size=12))
        by_p = multipletests(np.minimum(1, 1 / e_values), alpha=0.1, method="fdr_bh")[0]
        assert e_benjamini_hochberg(e_values.tolist(), 0.1) == by_p.tolist()


def test_twenty_slices_of_equal_models_veto_no_more_often_than_one_would() -> None:
    rng = np.random.default_rng(20)
    worlds = 4000
    falsely = sum(min(holm(rng.uniform(size=20).tolist())) <= 0.05 for _ in range(worlds))
    assert falsely / worlds <= 0.05 + 3 * (0.05 * 0.95 / worlds) ** 0.5
    assert falsely / worlds >= 0.04
