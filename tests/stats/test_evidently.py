"""Distances are those of Evidently 0.7.23 on the same rows and bins.

Its numbers were made by `psi_stat_test.func(reference, current, type, 0.1)` of `evidently.legacy.calculations.
stattests`, and so for `jensenshannon` and `wasserstein`, on the rows below. It cuts numbers into Sturges' bins of both
samples together; Jensen-Shannon it gives by natural logarithms, Wasserstein over the reference's standard deviation. An
empty bin it takes for a ten-thousandth of the rows, where headway adds half a row to each.
"""

import numpy as np
import numpy.typing as npt
import pytest

from headway.stats.bins import count, fix_bins
from headway.stats.distance import jensen_shannon, psi, wasserstein

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

EVIDENTLY = {"psi": 0.06926813075038595, "jensen-shannon": 0.09302268324921414, "wasserstein": 0.2395999920080403}
OF_TEXTS = {"psi": 0.09708977971514861, "jensen-shannon": 0.10929106893429848}


def rows() -> tuple[tuple[Floats, Floats], tuple[Counts, Counts]]:
    """5,000 rows and 2,000 that moved: numbers, and how many of each of five texts."""
    rng = np.random.default_rng(20130103)
    numbers = rng.standard_normal(5000), rng.standard_normal(2000) * 1.1 + 0.25
    letters = np.array(list("abcde"))
    before = rng.choice(letters, 5000, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    after = rng.choice(letters, 2000, p=[0.3, 0.3, 0.2, 0.1, 0.1])
    counts = [np.unique(one, return_counts=True)[1].astype(np.int64) for one in (before, after)]
    return numbers, (counts[0], counts[1])


def binned() -> tuple[Counts, Counts]:
    """The numbers in Evidently's bins."""
    (before, after), _ = rows()
    edges = np.histogram_bin_edges(np.concatenate([before, after]), bins="sturges")
    return tuple(np.histogram(one, edges)[0].astype(np.int64) for one in (before, after))  # type: ignore[return-value] # two go in


def test_jensen_shannon_is_evidentlys_in_other_units() -> None:
    assert jensen_shannon(*binned()) * np.log(2) ** 0.5 == pytest.approx(EVIDENTLY["jensen-shannon"], abs=1e-12)
    assert jensen_shannon(*rows()[1]) * np.log(2) ** 0.5 == pytest.approx(OF_TEXTS["jensen-shannon"], abs=1e-12)


def test_psi_is_evidentlys_but_for_the_half_row() -> None:
    before, after = rows()[1]
    assert psi(before, after) == pytest.approx(OF_TEXTS["psi"], rel=2e-3)
    # Without the half row, which is half of a millionth here, to the last digits.
    assert psi(1_000_000 * before, 1_000_000 * after) == pytest.approx(OF_TEXTS["psi"], rel=1e-8)
    assert psi(*binned()) == pytest.approx(EVIDENTLY["psi"], abs=2e-3)


def test_wasserstein_is_evidentlys_within_a_thousandth() -> None:
    """Evidently has the rows themselves, headway some 1,300 bins of them."""
    before, after = rows()[0]
    bins = fix_bins(before)
    found = wasserstein(bins, count(bins.edges, after)) / np.std(before)
    assert found == pytest.approx(EVIDENTLY["wasserstein"], rel=1e-3)
