"""How often the deciding interval misses, by enumeration over all tables: no simulation error."""

import numpy as np
import pytest
from scipy.special import gammaln, xlogy

from headway.stats.answers import Values
from headway.stats.compare import Pairs, tango, tango_corrected

MARGINS = [0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1]
EXPECTED_TO_DIFFER = [0.0, 1, 2, 4, 6, 8, 10, 15, 20, 30]
MOST = 75


def lows(interval: object, n_rows: int, level: float) -> Values:
    """The lower bound of every table with up to MOST rows on either side, shape (MOST + 1, MOST + 1)."""
    assert callable(interval)
    bounds = np.ones((MOST + 1, MOST + 1))
    for gained in range(MOST + 1):
        for lost in range(min(MOST, n_rows - gained) + 1):
            bounds[gained, lost] = interval(Pairs(gained=gained, lost=lost, n_rows=n_rows), level).low
    return bounds


def chances(n_rows: int, gained: float, lost: float) -> Values:
    """The chance of each table when a row is gained or lost with these probabilities."""
    b, c = np.meshgrid(np.arange(MOST + 1.0), np.arange(MOST + 1.0), indexing="ij")
    same = n_rows - b - c
    logs = gammaln(n_rows + 1) - gammaln(b + 1) - gammaln(c + 1) - gammaln(np.maximum(same, 0) + 1)
    logs += xlogy(b, gained) + xlogy(c, lost) + xlogy(np.maximum(same, 0), 1 - gained - lost)
    return np.where(same >= 0, np.exp(logs), 0.0)


def worst_miss(interval: object, n_rows: int, level: float) -> float:
    """The greatest probability, over true differences and disagreements, that the true one lies below the range.

    The upper bound is the lower one of the swapped table, so that both signs of the difference cover both bounds.
    """
    bounds = lows(interval, n_rows, level)
    worst = 0.0
    for margin in MARGINS:
        for more in EXPECTED_TO_DIFFER:
            differ = margin + more / n_rows
            if differ * n_rows > MOST / 2 or differ > 0.6:
                continue
            for truth in (margin, -margin):
                table = chances(n_rows, (differ + truth) / 2, (differ - truth) / 2)
                worst = max(worst, float(table[bounds > truth].sum()))
    return worst


@pytest.mark.slow
@pytest.mark.parametrize("n_rows", [30, 50, 100, 200, 500, 1000, 3000])
@pytest.mark.parametrize(("alpha", "most"), [(0.1, 1.0), (0.05, 1.0), (0.025, 1.0), (0.01, 1.1), (0.05 / 32, 1.4)])
def test_the_corrected_interval_misses_no_more_often_than_it_says(n_rows: int, alpha: float, most: float) -> None:
    assert worst_miss(tango_corrected, n_rows, 1 - 2 * alpha) <= most * alpha


@pytest.mark.slow
def test_the_published_interval_would_not_do() -> None:
    assert worst_miss(tango, 200, 0.9) > 1.4 * 0.05
