import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom, multinomial, norm

from headway.errors import Unmeasurable
from headway.stats.betting import (
    hedged_capital,
    interval_of_pairs,
    log_evidence_above,
    log_evidence_of_difference,
    log_evidence_of_gain,
    planned_bets,
)
from headway.stats.compare import Pairs, tango_corrected
from headway.stats.interval import clopper_pearson

small = st.integers(0, 40)


# --- closed forms ------------------------------------------------------------------------------------------------


@given(small, small)
def test_the_evidence_of_a_gain_is_the_average_over_all_chances_above_a_half(gained: int, lost: int) -> None:
    def bet(chance: float) -> float:
        return 2 * (2 * chance) ** gained * (2 * (1 - chance)) ** lost

    expected = quad(bet, 0.5, 1, epsabs=0, epsrel=1e-11, limit=200)[0]
    assert math.exp(log_evidence_of_gain(gained, lost)) == pytest.approx(expected, rel=1e-9)


@given(small, small)
def test_the_evidence_of_a_difference_is_the_average_by_jeffreys_prior(gained: int, lost: int) -> None:
    def bet(angle: float) -> float:
        # chance = sin^2 takes the poles of the prior away.
        chance = math.sin(angle) ** 2
        return (2 * chance) ** gained * (2 * (1 - chance)) ** lost * 2 / math.pi

    expected = quad(bet, 0, math.pi / 2, epsabs=0, epsrel=1e-11, limit=200)[0]
    assert math.exp(log_evidence_of_difference(gained, lost)) == pytest.approx(expected, rel=1e-9)
    assert log_evidence_of_difference(gained, lost) == pytest.approx(log_evidence_of_difference(lost, gained))


@pytest.mark.parametrize("n_differ", [1, 2, 7, 30])
def test_a_bet_against_equal_models_is_fair(n_differ: int) -> None:
    gained = np.arange(n_differ + 1)
    chances = binom.pmf(gained, n_differ, 0.5)
    for evidence in (log_evidence_of_gain, log_evidence_of_difference):
        e_values = [math.exp(evidence(b, n_differ - b)) for b in gained.tolist()]
        assert float(chances @ e_values) == pytest.approx(1.0, rel=1e-10)


@pytest.mark.parametrize("margin", [-0.3, -0.02, 0.0, 0.02, 0.3])
@pytest.mark.parametrize("bets", [(), (0.1, 0.3), (0.49,)])
def test_a_bet_at_the_margin_is_fair_and_beyond_it_unfair(margin: float, bets: tuple[float, ...]) -> None:
    n = 12
    for truth in (margin, margin - 0.1):
        up, down = (0.5 + truth) / 2, (0.5 - truth) / 2
        mean = sum(
            math.exp(log_evidence_above(Pairs(gained=b, lost=c, n_rows=n), margin, bets))
            * float(multinomial.pmf([b, c, n - b - c], n, [up, down, 0.5]))
            for b in range(n + 1)
            for c in range(n + 1 - b)
        )
        assert mean == pytest.approx(1.0, rel=1e-9) if truth == margin else mean < 1


@given(small, small, st.integers(0, 500), st.floats(-0.5, 0.5))
def test_evidence_comes_row_by_row_whatever_their_order(gained: int, lost: int, same: int, margin: float) -> None:
    pairs = Pairs(gained=gained, lost=lost, n_rows=gained + lost + same)
    bet = 0.3
    rows = np.random.default_rng(1).permutation([1.0] * gained + [-1.0] * lost + [0.0] * same)
    capital = float(np.sum(np.log1p(bet * (rows - margin))))
    assert log_evidence_above(pairs, margin, [bet]) == pytest.approx(capital, abs=1e-9)


def test_the_capital_by_hand() -> None:
    # Three rows, mean 1/2 claimed, all bets 1/2: 1.25 * 0.75 * 1.25.
    e_value = math.exp(log_evidence_above(Pairs(gained=2, lost=1, n_rows=3), 0.0, [0.25]))
    assert e_value == pytest.approx(1.25 * 0.75 * 1.25)


@pytest.mark.parametrize("bet", [0.0, -0.1, 1 / 1.02])
def test_a_bet_that_could_lose_more_than_there_is_is_refused(bet: float) -> None:
    with pytest.raises(ValueError, match="bets"):
        log_evidence_above(Pairs(gained=1, lost=1, n_rows=3), 0.02, [bet])


def test_planned_bets_fit_any_margin() -> None:
    for bet in planned_bets(0.3, 0.1):
        assert math.isfinite(log_evidence_above(Pairs(gained=3, lost=1, n_rows=9), 0.999, [bet]))
    assert len(planned_bets(0.02, 0.1)) == 3


def test_millions_of_rows_neither_overflow_nor_vanish() -> None:
    assert log_evidence_of_gain(600_000, 400_000) > 1e4
    assert log_evidence_of_gain(0, 10_000) < 0
    assert math.isfinite(log_evidence_above(Pairs(gained=10**6, lost=10**5, n_rows=10**7), -0.5))


# --- intervals ---------------------------------------------------------------------------------------------------

tables = st.integers(1, 3000).flatmap(
    lambda n: st.integers(0, n).flatmap(
        lambda b: st.integers(0, n - b).map(lambda c: Pairs(gained=b, lost=c, n_rows=n)),
    )
)


@given(tables, st.sampled_from([0.8, 0.9, 0.999]))
def test_the_interval_is_what_no_bet_refutes(pairs: Pairs, level: float) -> None:
    found = interval_of_pairs(pairs, level)
    assert -1 <= found.low <= pairs.difference <= found.high <= 1
    stakes = math.log(2 / (1 - level))
    if found.low > -1:
        assert log_evidence_above(pairs, found.low + 1e-9) < stakes + 1e-4
        assert log_evidence_above(pairs, found.low - 1e-9) > stakes - 1e-4
    mirrored = interval_of_pairs(Pairs(gained=pairs.lost, lost=pairs.gained, n_rows=pairs.n_rows), level)
    assert (mirrored.low, mirrored.high) == (-found.high, -found.low)


@given(tables)
def test_being_certain_at_any_moment_costs_width(pairs: Pairs) -> None:
    at_any_moment, once = interval_of_pairs(pairs, 0.9), tango_corrected(pairs, 0.9)
    if pairs.gained + pairs.lost >= 10:
        # Of tables with nothing on one side a few are not so, by a hair: 10 of 11 rows gained, none lost.
        hair = 1e-9 if min(pairs.gained, pairs.lost) else 5e-4
        assert at_any_moment.low <= once.low + hair
        assert at_any_moment.high >= once.high - hair


def test_no_row_no_interval() -> None:
    with pytest.raises(Unmeasurable):
        interval_of_pairs(Pairs(gained=0, lost=0, n_rows=0))
    with pytest.raises(Unmeasurable):
        hedged_capital(np.array([]), 0.9, seed=1)


@pytest.mark.parametrize("wrong", [[-0.1, 0.5], [0.5, 1.1], [0.5, math.nan]])
def test_numbers_outside_of_their_bounds_are_refused(wrong: list[float]) -> None:
    with pytest.raises(Unmeasurable, match="from 0 to 1"):
        hedged_capital(np.array(wrong), 0.9, seed=1)


def test_the_order_of_rows_changes_no_bound() -> None:
    rng = np.random.default_rng(4)
    values = rng.beta(2, 5, 500)
    assert hedged_capital(values, 0.9, seed=8) == hedged_capital(rng.permutation(values), 0.9, seed=8)
    assert hedged_capital(values, 0.9, seed=8) != hedged_capital(values, 0.9, seed=9)


def test_turning_the_numbers_round_turns_the_interval_round() -> None:
    values = np.random.default_rng(4).beta(2, 5, 500)
    there, back = hedged_capital(values, 0.9, seed=8), hedged_capital(1 - values, 0.9, seed=8)
    # Sorted the other way the rows are mixed otherwise, so not to the last digit.
    assert there.low == pytest.approx(1 - back.high, abs=0.01)


def test_it_is_as_wide_as_it_must_be_and_not_much_wider() -> None:
    rng = np.random.default_rng(11)
    values = rng.beta(20, 20, 4000)
    found = hedged_capital(values, 0.9, seed=3)
    narrowest = 2 * norm.ppf(0.95) * float(np.std(values)) / 4000**0.5
    assert narrowest < found.high - found.low < 1.7 * narrowest
    # Hoeffding does not see how little the values vary.
    assert found.high - found.low < 0.5 * 2 * (math.log(20) / 8000) ** 0.5
    flags = (rng.random(2000) < 0.02).astype(np.float64)
    by_bets, exact = hedged_capital(flags, 0.9, seed=3), clopper_pearson(int(flags.sum()), 2000, 0.9)
    assert exact.high - exact.low < by_bets.high - by_bets.low < 1.7 * (exact.high - exact.low)


def test_numbers_that_do_not_vary_leave_room_for_what_was_not_seen() -> None:
    for value in (0.0, 0.3, 1.0):
        found = hedged_capital(np.full(200, value), 0.9, seed=1)
        assert 0 <= found.low <= value <= found.high <= 1
        assert found.high - found.low > 0.005


# --- how often they are wrong ------------------------------------------------------------------------------------

Counts = npt.NDArray[np.int64]
NEVER = 10**9
WORLDS = 3000
MOST = 0.05 + 3 * (0.05 * 0.95 / WORLDS) ** 0.5


def first_above(gained: Counts, lost: Counts, margin: float, bets: tuple[float, ...]) -> Counts:
    """The look at which the evidence first reached 20, NEVER if at none; counts have the shape (worlds, looks)."""
    same = 50.0 * np.arange(1, gained.shape[1] + 1) - gained - lost
    e_values = np.zeros(gained.shape)
    for bet in bets:
        logs = (
            gained * np.log1p(bet * (1 - margin))
            + same * np.log1p(-bet * margin)
            + lost * np.log1p(-bet * (1 + margin))
        )
        e_values += np.exp(np.minimum(logs, 50)) / len(bets)
    reached = e_values >= 20
    return np.where(reached.any(axis=1), np.argmax(reached, axis=1) + 1, NEVER)


def looks(difference: float, differ: float, n_looks: int, rng: np.random.Generator) -> tuple[Counts, Counts]:
    chances = [(differ + difference) / 2, (differ - difference) / 2, 1 - differ]
    drawn = np.cumsum(rng.multinomial(50, chances, size=(WORLDS, n_looks)), axis=1)
    return drawn[..., 0], drawn[..., 1]


@pytest.mark.slow
def test_looking_two_hundred_times_proves_nothing_falsely_more_often_than_was_said() -> None:
    rng = np.random.default_rng(41)
    gained, lost = looks(0.0, 0.1, 200, rng)
    flat = [log_evidence_of_gain(int(b), int(c)) >= math.log(20) for b, c in zip(gained.flat, lost.flat, strict=True)]
    falsely = np.mean(np.any(np.reshape(flat, gained.shape), axis=1))
    assert 0.005 < falsely <= MOST
    # The exact test at each look is what many do.
    peeking = binom.sf(gained - 1, gained + lost, 0.5) < 0.05
    assert np.mean(np.any(peeking, axis=1)) > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("differ", [0.05, 0.1, 0.3])
def test_a_model_that_breaks_the_margin_is_hardly_ever_proved_to_keep_it(differ: float) -> None:
    gained, lost = looks(-0.02, differ, 400, np.random.default_rng(42))
    assert np.mean(first_above(gained, lost, -0.02, planned_bets(0.02, 0.1)) < NEVER) <= MOST


@pytest.mark.slow
def test_planned_bets_prove_a_margin_with_the_labels_that_the_research_page_says() -> None:
    gained, lost = looks(0.0, 0.1, 100, np.random.default_rng(43))

    def needed(bets: tuple[float, ...]) -> float:
        return 50 * float(np.quantile(first_above(gained, lost, -0.02, bets), 0.8, method="higher"))

    all_purpose = tuple(np.arange(1, 100) / 100 / 0.98)
    assert needed(planned_bets(0.02, 0.1)) == pytest.approx(2700, rel=0.1)
    assert needed(all_purpose) == pytest.approx(3350, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("n_rows", [20, 100, 1000])
@pytest.mark.parametrize(
    ("alpha", "beta"), [(0.05, 0.95), (0.5, 0.5), (10.0, 30.0)], ids=["rare", "at the ends", "in the middle"]
)
def test_bounds_of_a_mean_are_missed_as_rarely_as_is_said(n_rows: int, alpha: float, beta: float) -> None:
    rng = np.random.default_rng(44)
    worlds, truth = 1000, alpha / (alpha + beta)
    found = [hedged_capital(rng.beta(alpha, beta, n_rows), 0.9, seed=world) for world in range(worlds)]
    most = 0.05 + 3 * (0.05 * 0.95 / worlds) ** 0.5
    assert np.mean([bounds.low > truth for bounds in found]) <= most
    assert np.mean([bounds.high < truth for bounds in found]) <= most


@pytest.mark.slow
@pytest.mark.parametrize("n_rows", [30, 300, 3000])
def test_bounds_of_a_difference_are_missed_as_rarely_as_is_said(n_rows: int) -> None:
    rng = np.random.default_rng(45)
    worlds, truth = 1500, 0.01
    drawn = rng.multinomial(n_rows, [0.03, 0.02, 0.95], size=worlds).tolist()
    pairs = [Pairs(gained=gained, lost=lost, n_rows=n_rows) for gained, lost, _ in drawn]
    # The low end of the interval lies above the truth where the truth is refuted.
    missed = np.mean([log_evidence_above(table, truth) >= math.log(20) for table in pairs])
    assert missed <= 0.05 + 3 * (0.05 * 0.95 / worlds) ** 0.5
