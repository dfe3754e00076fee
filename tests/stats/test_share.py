import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta, binom

from headway.errors import Unmeasurable
from headway.stats.betting import log_evidence_of_gain
from headway.stats.interval import clopper_pearson
from headway.stats.share import (
    interval_of_share,
    log_evidence_of_blocks_above,
    log_evidence_of_share_above,
    log_evidence_of_share_below,
)

some = st.integers(0, 60)
limits = st.floats(0.01, 0.99)


@given(some, some, limits)
def test_the_evidence_is_the_average_over_all_shares_above_the_limit(hits: int, others: int, limit: float) -> None:
    def bet(angle: float) -> float:
        # share = sin^2 takes the poles of Jeffreys' prior away.
        share = math.sin(angle) ** 2
        return math.exp(hits * math.log(share / limit) + others * math.log(max(1 - share, 1e-300) / (1 - limit)))

    start = math.asin(math.sqrt(limit))
    expected = quad(bet, start, math.pi / 2, epsabs=0, epsrel=1e-10, limit=200)[0] / (math.pi / 2 - start)
    assert math.exp(log_evidence_of_share_above(hits, hits + others, limit)) == pytest.approx(expected, rel=1e-6)


@given(some, some, limits)
def test_below_is_above_turned_round(hits: int, others: int, limit: float) -> None:
    there = log_evidence_of_share_below(hits, hits + others, limit)
    assert there == pytest.approx(log_evidence_of_share_above(others, hits + others, 1 - limit), abs=1e-6)


@pytest.mark.parametrize("limit", [0.01, 0.3, 0.9])
def test_bets_are_fair_at_the_limit_and_lose_within_it(limit: float) -> None:
    n = 40
    hits = np.arange(n + 1)
    above = [math.exp(log_evidence_of_share_above(int(x), n, limit)) for x in hits]
    below = [math.exp(log_evidence_of_share_below(int(x), n, limit)) for x in hits]
    assert float(binom.pmf(hits, n, limit) @ above) == pytest.approx(1.0, rel=1e-9)
    assert float(binom.pmf(hits, n, limit) @ below) == pytest.approx(1.0, rel=1e-9)
    assert float(binom.pmf(hits, n, limit * 0.9) @ above) < 1
    assert float(binom.pmf(hits, n, 1 - (1 - limit) * 0.9) @ below) < 1


def test_a_share_of_a_half_is_tested_much_as_two_models_on_the_same_rows() -> None:
    # The same mixture with another prior: they differ by little.
    ours, theirs = log_evidence_of_share_above(60, 90, 0.5), log_evidence_of_gain(60, 30)
    assert ours == pytest.approx(theirs, abs=0.5)


def test_the_interval_is_the_published_one() -> None:
    found = interval_of_share(60, 100)
    assert (round(found.low, 4), round(found.high, 4)) == (0.4408, 0.7460)


@given(some, st.integers(1, 200))
def test_the_interval_is_where_the_mixture_gives_up(hits: int, more: int) -> None:
    trials = hits + more
    found = interval_of_share(hits, trials, 0.9)
    assert 0 <= found.low <= hits / trials <= found.high <= 1
    fixed = clopper_pearson(hits, trials, 0.9)
    assert found.high > fixed.high - 0.02
    for end in (found.low, found.high):
        if 0 < end < 1:
            # The posterior's density over the flat prior's, as scipy has it, falls to alpha there.
            assert float(beta.pdf(end, 1 + hits, 1 + more)) == pytest.approx(0.1, rel=1e-3)


def test_no_request_no_interval() -> None:
    with pytest.raises(Unmeasurable):
        interval_of_share(0, 0)
    with pytest.raises(ValueError, match="3 of 2"):
        log_evidence_of_share_above(3, 2, 0.5)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        log_evidence_of_blocks_above([1.1], 0.5)


def test_millions_of_requests_neither_overflow_nor_vanish() -> None:
    assert log_evidence_of_share_above(2e5, 1e7, 0.01) > 1e4
    assert log_evidence_of_share_above(1, 1e7, 0.01) < 0
    assert log_evidence_of_share_below(1, 1e7, 0.01) > 1e4


@given(st.lists(st.floats(0, 1), max_size=20), limits)
def test_a_block_multiplies_evidence_by_one_over_the_limit_at_most(shares: list[float], limit: float) -> None:
    before, after = log_evidence_of_blocks_above(shares, limit), log_evidence_of_blocks_above([*shares, 1.0], limit)
    assert before <= after <= before - math.log(limit) + 1e-9


def test_bursts_within_blocks_are_no_evidence_and_requests_by_themselves_would_say_so() -> None:
    # A minute in fifty has half of its 120 requests slow: 1 % of all, which is the limit.
    worlds, minutes = 1000, 200
    rng = np.random.default_rng(81)
    shares = 0.5 * (rng.random((worlds, minutes)) < 0.02)
    limit = math.log(20)

    def ever(evidence: list[float]) -> bool:
        return max(evidence) >= limit

    by_blocks = [
        ever([log_evidence_of_blocks_above(world[: i + 1], 0.01) for i in range(4, minutes, 5)])
        for world in shares[:150].tolist()
    ]
    by_requests = [
        ever(
            [log_evidence_of_share_above(120 * sum(world[: i + 1]), 120 * (i + 1), 0.01) for i in range(4, minutes, 5)]
        )
        for world in shares[:150].tolist()
    ]
    assert np.mean(by_blocks) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 150)
    assert np.mean(by_requests) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("limit", [0.01, 0.1])
def test_a_limit_that_is_kept_is_broken_in_many_looks_as_rarely_as_is_said(limit: float) -> None:
    worlds, looks = 1000, 150
    counts = np.cumsum(np.random.default_rng(82).binomial(50, limit, (worlds, looks)), axis=1).tolist()
    for evidence in (log_evidence_of_share_above, log_evidence_of_share_below):
        falsely = [
            any(evidence(hits, 50 * (i + 1), limit) >= math.log(20) for i, hits in enumerate(world)) for world in counts
        ]
        assert 0.001 < np.mean(falsely) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / worlds)
