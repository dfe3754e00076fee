"""Evidence that adds up over windows: run lengths kept where nothing changed, and slow changes found."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from headway.stats.detector import BETS, Detector, log_e_of_deviate, step

Random = np.random.Generator
Window = Callable[[Random], Sequence[float]]


@pytest.fixture
def rng() -> Random:
    return np.random.default_rng(20130108)


# --- the detector -------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.floats(-3, 3), min_size=2, max_size=2), min_size=1, max_size=20))
def test_evidence_is_the_sum_over_all_beginnings_of_a_change(windows: list[list[float]]) -> None:
    detector = Detector()
    for window in windows:
        detector = step(detector, window)
    logs = np.array(windows)
    sums = [np.exp(logs[at:].sum(axis=0)) for at in range(len(logs))]
    assert math.exp(detector.log_evidence) == pytest.approx(float(np.mean(np.sum(sums, axis=0))))


def test_an_alarm_is_as_much_as_comes_in_so_many_windows() -> None:
    assert not Detector().is_alarm(2)
    one = step(Detector(), [math.log(10)])
    assert one.is_alarm(10 - 1e-9)
    assert not one.is_alarm(10 + 1e-9)
    with pytest.raises(ValueError, match="1 bets after 2"):
        step(Detector(logs=(0.0, 0.0)), [0.0])


# --- e-values -----------------------------------------------------------------------------------------------------


def test_deviates_are_one_on_average() -> None:
    at = np.linspace(-12, 12, 2001)
    values = np.exp([log_e_of_deviate(z) for z in at])
    weights = stats.norm.pdf(at) * (at[1] - at[0])
    assert weights @ values == pytest.approx(np.ones(len(BETS)), abs=1e-6)


# --- rates --------------------------------------------------------------------------------------------------------


def first_alarm(rng: Random, window: Window, per_alarm: float, most: int) -> int:
    """The window of the first alarm, `most` where there is none until then."""
    detector = Detector()
    for at in range(1, most + 1):
        detector = step(detector, window(rng))
        if detector.is_alarm(per_alarm):
            return at
    return most


def accuracy(wrong: float, n: int = 200, limit: float = 0.1) -> Window:
    error = (limit * (1 - limit) / n) ** 0.5
    return lambda rng: log_e_of_deviate((rng.binomial(n, wrong) / n - limit) / error)


def deviate(shift: float) -> Window:
    return lambda rng: log_e_of_deviate(rng.standard_normal() + shift)


@pytest.mark.slow
@pytest.mark.parametrize("window", [accuracy(0.1), deviate(0.0)], ids=["shares", "deviates"])
def test_false_alarms_are_as_rare_as_asked(window: Window, rng: Random) -> None:
    """One in 100 windows is allowed, and 40,000 are simulated; after an alarm it begins anew."""
    per_alarm, n_alarms, detector = 100.0, 0, Detector()
    for _ in range(40_000):
        detector = step(detector, window(rng))
        if detector.is_alarm(per_alarm):
            n_alarms, detector = n_alarms + 1, Detector()
    assert 0 < n_alarms <= 400


@pytest.mark.slow
@pytest.mark.parametrize("windows_per_year", [52, 365])
def test_slow_losses_are_found_within_what_one_can_wait(windows_per_year: int, rng: Random) -> None:
    """Windows of 200 labels, 10 % of wrong answers bearable, one false alarm a year; the median delay in windows."""
    for wrong, most in ((0.2, 2), (0.15, 4), (0.125, 11)):
        delays = [first_alarm(rng, accuracy(wrong), windows_per_year, 400) for _ in range(200)]
        assert np.median(delays) <= most
    # One window alone sees that loss seldom.
    single = [stats.binom.sf(k - 1, 200, 0.1) <= 1 / windows_per_year for k in rng.binomial(200, 0.125, 2000)]
    assert np.mean(single) < 0.2
