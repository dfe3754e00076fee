import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from headway.stats import arms as arms_module
from headway.stats.arms import (
    RATIOS,
    Arms,
    Gap,
    Ratio,
    gap_of,
    interval_of_gap,
    interval_of_ratio,
    log_evidence_of_gap_above,
    log_evidence_of_gap_below,
    log_evidence_of_ratio_above,
    log_evidence_of_ratio_below,
    log_mean,
    ratio_of,
)

Evidence = Callable[[Arms], float]


def mean_evidence(n_new: int, p_new: float, n_old: int, p_old: float, evidence: Evidence) -> float:
    """The exact mean of an e-value of one window, over all that can happen."""
    news, olds = binom.pmf(np.arange(n_new + 1), n_new, p_new), binom.pmf(np.arange(n_old + 1), n_old, p_old)
    return sum(
        float(news[x] * olds[y]) * math.exp(evidence(Arms(n_new=n_new, bad_new=x, n_old=n_old, bad_old=y)))
        for x in range(n_new + 1)
        for y in range(n_old + 1)
    )


# --- bets are fair ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("rate", [0.001, 0.05, 0.4])
def test_evidence_of_a_ratio_is_one_at_most_on_average_if_the_claim_is_true(ratio: float, rate: float) -> None:
    def above(arms: Arms) -> float:
        return log_evidence_of_ratio_above(ratio_of([arms]), ratio)

    def below(arms: Arms) -> float:
        return log_evidence_of_ratio_below(ratio_of([arms]), ratio)

    for n_new, n_old in ((3, 20), (12, 12)):
        for evidence, worse in ((above, 0.7), (below, 1.2)):
            assert mean_evidence(n_new, ratio * rate, n_old, rate, evidence) <= 1 + 1e-9
            assert mean_evidence(n_new, min(worse * ratio * rate, 1), n_old, rate, evidence) <= 1 + 1e-9
    # And bets pay where it is not.
    assert mean_evidence(12, min(3 * ratio * 0.1, 1), 12, 0.1, above) > 1


@pytest.mark.parametrize("gap", [-0.1, 0.0, 0.05])
@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_evidence_of_a_gap_is_one_at_most_on_average_if_the_claim_is_true(gap: float, rate: float) -> None:
    def above(arms: Arms) -> float:
        return log_evidence_of_gap_above(gap_of([arms]), gap)

    def below(arms: Arms) -> float:
        return log_evidence_of_gap_below(gap_of([arms]), gap)

    for n_new, n_old in ((3, 20), (12, 12), (20, 3)):
        for evidence in (above, below):
            assert mean_evidence(n_new, rate + gap, n_old, rate, evidence) <= 1 + 1e-9
    assert mean_evidence(12, 0.6, 12, 0.1, above) > 1
    assert mean_evidence(20, 0.05, 20, 0.6, below) > 1


@pytest.mark.parametrize("n_bad", [1, 5, 20, 30])
def test_whatever_goes_wrong_the_drawing_of_requests_makes_the_bet_fair(n_bad: int) -> None:
    # 30 requests, any `n_bad` of them bad with either version: an outage of both, however rates move in the window.
    n_new, n_old = 6, 24
    hits = np.arange(max(0, n_bad - n_old), min(n_new, n_bad) + 1)
    chances = hypergeom.pmf(hits, 30, n_bad, n_new)
    windows = [Arms(n_new=n_new, bad_new=int(x), n_old=n_old, bad_old=n_bad - int(x)) for x in hits]
    mean = sum(
        float(chance) * math.exp(log_evidence_of_ratio_above(ratio_of([arms]), 1.0))
        for chance, arms in zip(chances, windows, strict=True)
    )
    assert mean <= 1 + 1e-9


@pytest.mark.parametrize("size", [2, 5])
def test_bursts_are_fair_again_when_counts_are_divided_by_their_size(size: int) -> None:
    # Every cause makes `size` bad answers at once, of one version.
    def of_bursts(divisor: float) -> Evidence:
        def evidence(arms: Arms) -> float:
            scaled = [n * size / divisor for n in (arms.n_new, arms.bad_new, arms.n_old, arms.bad_old)]
            window = Arms(n_new=scaled[0], bad_new=scaled[1], n_old=scaled[2], bad_old=scaled[3])
            return log_evidence_of_ratio_above(ratio_of([window]), 1.0)

        return evidence

    assert mean_evidence(8, 0.2, 40, 0.2, of_bursts(size)) <= 1 + 1e-9
    assert mean_evidence(8, 0.2, 40, 0.2, of_bursts(1)) > 1.2


# --- laws ---------------------------------------------------------------------------------------------------------

asked = st.integers(1, 2000)
some_arms = st.tuples(asked, asked).flatmap(
    lambda n: st.tuples(st.integers(0, n[0]), st.integers(0, n[1])).map(
        lambda bad: Arms(n_new=n[0], bad_new=bad[0], n_old=n[1], bad_old=bad[1])
    )
)


def swapped(arms: Arms) -> Arms:
    return Arms(n_new=arms.n_old, bad_new=arms.bad_old, n_old=arms.n_new, bad_old=arms.bad_new)


@given(st.lists(some_arms, min_size=1, max_size=5))
def test_the_ratio_of_swapped_arms_is_one_over_it(windows: list[Arms]) -> None:
    there, back = interval_of_ratio(ratio_of(windows)), interval_of_ratio(ratio_of([swapped(w) for w in windows]))
    # Bets upwards and downwards are alike, so intervals are too, up to a step of the grid.
    for end, mirrored in ((there.low, back.high), (there.high, back.low)):
        other = 1 / mirrored if mirrored else math.inf
        assert end == pytest.approx(other, rel=1e-6)


@given(st.lists(some_arms, min_size=1, max_size=5), st.integers(0, 100))
def test_a_window_split_at_the_same_share_tells_the_same(windows: list[Arms], extra: int) -> None:
    double = [Arms(n_new=2 * w.n_new, bad_new=2 * w.bad_new, n_old=2 * w.n_old, bad_old=2 * w.bad_old) for w in windows]
    twice = [w for w in windows for _ in range(2)]
    assert ratio_of(double).logs == pytest.approx(ratio_of(twice).logs, abs=1e-6)
    assert gap_of(double).more == pytest.approx(gap_of(twice).more, abs=1e-6)
    silent = Arms(n_new=0, bad_new=0, n_old=extra, bad_old=0)
    assert ratio_of([*windows, silent]) == ratio_of(windows)
    assert gap_of([silent, *windows]) == gap_of(windows)


@given(st.lists(some_arms, min_size=1, max_size=5))
def test_intervals_hold_what_the_evidence_does_not_refute(windows: list[Arms]) -> None:
    ratio, gap = ratio_of(windows), gap_of(windows)
    for level in (0.8, 0.98):
        stakes = math.log(2 / (1 - level))
        by_ratio, by_gap = interval_of_ratio(ratio, level), interval_of_gap(gap, level)
        assert by_ratio.low <= by_ratio.high
        if by_ratio.low > 1:
            assert log_evidence_of_ratio_above(ratio, 1.0) >= stakes
        if by_gap.low > -1:
            assert log_evidence_of_gap_above(gap, by_gap.low - 1e-6) >= stakes - 1e-6
        if by_gap.high < 1:
            assert log_evidence_of_gap_below(gap, by_gap.high + 1e-6) >= stakes - 1e-6


def test_a_shared_outage_is_evidence_of_nothing() -> None:
    calm = [Arms(n_new=120, bad_new=1, n_old=1080, bad_old=10)] * 30
    outage = [Arms(n_new=120, bad_new=36, n_old=1080, bad_old=324)] * 5
    assert log_evidence_of_ratio_above(ratio_of([*calm, *outage]), 1.0) < math.log(2)
    alone = [Arms(n_new=120, bad_new=36, n_old=1080, bad_old=10)]
    assert log_evidence_of_ratio_above(ratio_of([*calm, *alone]), 1.0) > math.log(1000)


def test_estimates_are_those_of_the_books() -> None:
    # Mantel & Haenszel's risk ratio, and the difference with their weights, by hand for two strata.
    windows = [Arms(n_new=10, bad_new=4, n_old=40, bad_old=8), Arms(n_new=30, bad_new=6, n_old=20, bad_old=2)]
    assert ratio_of(windows).estimate == pytest.approx((4 * 40 / 50 + 6 * 20 / 50) / (8 * 10 / 50 + 2 * 30 / 50))
    assert gap_of(windows).estimate == pytest.approx((8 * (0.4 - 0.2) + 12 * (0.2 - 0.1)) / 20)
    assert math.isnan(Ratio().estimate)
    assert math.isnan(Gap().estimate)
    assert math.isinf(ratio_of([Arms(n_new=10, bad_new=4, n_old=40, bad_old=0)]).estimate)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="more was bad"):
        Arms(n_new=1, bad_new=2, n_old=3, bad_old=0)
    with pytest.raises(ValueError, match="1/64"):
        log_evidence_of_ratio_above(Ratio(), 100)


def test_nothing_overflows_and_nothing_known_is_no_evidence() -> None:
    many = ratio_of([Arms(n_new=1e9, bad_new=1e8, n_old=1e10, bad_old=1e7)])
    assert log_evidence_of_ratio_above(many, 1.0) > 1e6
    assert log_evidence_of_ratio_above(Ratio(), 1.0) == pytest.approx(0.0, abs=1e-12)
    assert log_evidence_of_gap_above(Gap(), 0.0) == pytest.approx(0.0, abs=1e-12)
    assert interval_of_ratio(Ratio()).high == math.inf
    assert interval_of_gap(Gap()).low == -1
    assert log_mean([-math.inf, -math.inf]) == -math.inf


# --- how often they are wrong -------------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs" / "rollouts.md").read_text()
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and line.count("|") == 6 and line[2].isdigit()
]

Rates = npt.NDArray[np.float64]
NEVER = 10**9


def first_look(
    rates_new: Rates,
    rates_old: Rates,
    worlds: int,
    seed: int,
    *,
    per_minute: Sequence[int] = (120, 1080),
    burst: int = 1,
) -> npt.NDArray[np.int64]:
    """The minute at which evidence of more errors first reaches 20; NEVER if it does at none.

    120 requests of the new version a minute, drawn from 1,200; rates have the shape (minutes,) or (worlds, minutes).
    With `burst` errors come so many at a time, in one version, and counts are not divided.
    """
    rng = np.random.default_rng(seed)
    total, minutes = sum(per_minute), rates_new.shape[-1]
    news = rng.binomial(total, per_minute[0] / total, size=(worlds, minutes))
    olds = total - news
    bad_new = burst * rng.binomial(news // burst, np.broadcast_to(rates_new, news.shape))
    bad_old = burst * rng.binomial(olds // burst, np.broadcast_to(rates_old, news.shape))
    return looked(news, bad_new, olds, bad_old)


def looked(*counts: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The same from counts of the new version and its bad answers, the old one and its; (worlds, minutes) each."""
    news, bad_new, olds, bad_old = (np.asarray(count, dtype=np.float64) for count in counts)
    share = news / (news + olds)
    middle = RATIOS.index(1.0)
    logs = [
        np.cumsum(
            bad_new * math.log(RATIOS[middle + b])
            - (bad_new + bad_old) * np.log(share * RATIOS[middle + b] + 1 - share),
            1,
        )
        for b in arms_module._BETS
    ]
    e_values = sum(weight * np.exp(np.minimum(log, 50)) for weight, log in zip(arms_module._WEIGHTS, logs, strict=True))
    reached = np.asarray(e_values) >= 20
    return np.where(reached.any(axis=1), np.argmax(reached, axis=1) + 1, NEVER)


def most(worlds: int) -> float:
    return 0.05 + 3 * math.sqrt(0.05 * 0.95 / worlds)


def walking(rate: float, worlds: int, minutes: int, seed: int) -> Rates:
    """Rates that move like a log that remembers 0.9 of the minute before, with outages of three minutes."""
    rng = np.random.default_rng(seed)
    log = np.zeros((worlds, minutes))
    steps = rng.normal(0, 0.5, size=(worlds, minutes))
    for t in range(1, minutes):
        log[:, t] = 0.9 * log[:, t - 1] + steps[:, t]
    outage = rng.random((worlds, minutes)) < 1 / 60
    struck = outage | np.roll(outage, 1, axis=1) | np.roll(outage, 2, axis=1)
    return np.where(struck, 0.3, np.minimum(rate * np.exp(log), 1.0))


def test_the_simulation_reckons_as_the_functions_do() -> None:
    rng = np.random.default_rng(6)
    news = rng.integers(1, 200, size=(1, 20)).astype(np.float64)
    olds = rng.integers(1, 2000, size=(1, 20)).astype(np.float64)
    bad_new, bad_old = rng.binomial(news.astype(int), 0.1), rng.binomial(olds.astype(int), 0.05)
    columns = zip(news[0], bad_new[0], olds[0], bad_old[0], strict=True)
    windows = [Arms(n_new=a, bad_new=b, n_old=c, bad_old=d) for a, b, c, d in columns]
    evidence = [log_evidence_of_ratio_above(ratio_of(windows[: i + 1]), 1.0) for i in range(20)]
    expected = next(i + 1 for i, log in enumerate(evidence) if log >= math.log(20))
    assert looked(news, bad_new, olds, bad_old)[0] == expected


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.03])
def test_looking_every_minute_of_an_hour_rolls_back_an_equal_version_as_rarely_as_is_said(rate: float) -> None:
    worlds = 1000
    rates = np.full(60, rate)
    falsely = np.mean(first_look(rates, rates, worlds, 71) < NEVER)
    assert 0.001 < falsely <= most(worlds)


@pytest.mark.parametrize(
    ("before", "after", "minutes"), [(0.01, 0.02, 10), (0.001, 0.005, 12), (0.01, 0.04, 3)], ids=["x2", "x5", "x4"]
)
def test_more_errors_are_caught_in_minutes(before: float, after: float, minutes: int) -> None:
    caught = first_look(np.full(60, after), np.full(60, before), 1000, 72)
    assert np.median(caught) <= minutes
    assert np.mean(caught < NEVER) > 0.98


def test_autocorrelated_rates_and_outages_of_both_make_no_false_alarms() -> None:
    worlds = 1000
    rates = walking(0.01, worlds, 60, 73)
    assert np.mean(first_look(rates, rates, worlds, 74) < NEVER) <= most(worlds)
    # And a version that doubles them is caught all the same.
    assert np.median(first_look(np.minimum(2 * rates, 1), rates, worlds, 75)) <= 10


@pytest.mark.slow
@pytest.mark.parametrize("per_minute", [(12, 1188), (120, 1080), (600, 600)], ids=["1 %", "10 %", "50 %"])
@pytest.mark.parametrize("rate", [0.001, 0.01, 0.1])
def test_false_alarms_in_five_hundred_looks_at_any_share(per_minute: tuple[int, int], rate: float) -> None:
    worlds = 4000
    rates = walking(rate, worlds, 500, 76)
    assert np.mean(first_look(rates, rates, worlds, 77, per_minute=per_minute) < NEVER) <= most(worlds)


@pytest.mark.slow
def test_bursts_of_one_version_alone_break_the_promise_and_dividing_by_their_size_mends_it() -> None:
    worlds = 4000
    rng = np.random.default_rng(78)
    causes_new, causes_old = rng.binomial(24, 0.01, (worlds, 60)), rng.binomial(216, 0.01, (worlds, 60))
    news, olds = np.full((worlds, 60), 120.0), np.full((worlds, 60), 1080.0)
    assert np.mean(looked(news, 5.0 * causes_new, olds, 5.0 * causes_old) < NEVER) > 0.3
    assert np.mean(looked(news / 5, 1.0 * causes_new, olds / 5, 1.0 * causes_old) < NEVER) <= most(worlds)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "gap"), [(0.01, 0.002), (0.01, -0.002), (0.15, 0.01), (0.15, -0.01)])
def test_the_ends_of_a_gap_are_missed_as_rarely_as_is_said(rate: float, gap: float) -> None:
    worlds, minutes = 1500, 60
    rng = np.random.default_rng(79)
    too_high = too_low = 0
    for _ in range(worlds):
        bad_new, bad_old = rng.binomial(120, rate + gap, minutes), rng.binomial(1080, rate, minutes)
        known, high, low = Gap(), False, False
        for x, y in zip(bad_new.tolist(), bad_old.tolist(), strict=True):
            known = known.after(Arms(n_new=120, bad_new=x, n_old=1080, bad_old=y))
            high |= log_evidence_of_gap_above(known, gap) >= math.log(20)
            low |= log_evidence_of_gap_below(known, gap) >= math.log(20)
        too_high += high
        too_low += low
    assert too_high / worlds <= most(worlds)
    assert too_low / worlds <= most(worlds)


def test_the_page_has_a_table_of_what_is_seen() -> None:
    assert PAGE.count("10,000 simulated releases") == 1
    assert len(TABLE) == 9


@pytest.mark.slow
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_the_table_of_the_page_is_what_a_simulation_finds(row: list[str]) -> None:
    worlds = 4000
    before, after = (float(rate.strip(" %")) / 100 for rate in row[0].split(","))
    rates = walking(before, worlds, 60, 84)
    found = [
        first_look(np.full(60, after), np.full(60, before), worlds, 83),
        first_look(np.minimum(rates * after / before, 1), rates, worlds, 85),
    ]
    for looks, caught, minute in ((found[0], row[1], row[2]), (found[1], row[3], row[4])):
        said = float(caught.strip(" %")) / 100
        # Both the page and this are simulations.
        error = 3 * math.sqrt(max(said * (1 - said), 0.001) * (1 / worlds + 1 / 10_000))
        assert np.mean(looks < NEVER) == pytest.approx(said, abs=error + 0.0005)
        assert not minute or np.median(looks) == pytest.approx(float(minute), abs=1)
