"""Whether a monitor of 50 features keeps its budget, over hundreds of simulated years, and still finds what moved.

Two false alarms a year are allowed, half of one by the features. Windows of 200 to 100,000 rows are held against
references of 20,000, drawn anew every few years, so that the noise of both counts, as does that of the design effect,
which is measured on the reference alone. Rows are independent, or come by the customer (half of 20 rows are one and the
same), or by the weather (200 rows after each other lie higher or lower together). Only evidence is asked for, no least
effect, which would make alarms more seldom still.
"""

import zlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from headway.stats.alarm import Budget, Effects, alphas, axis_effects
from headway.stats.bins import Counts
from headway.stats.shift import family, share_shift
from headway.stats.shift_cells import Axis, _tests, axis_shifts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

Random = np.random.Generator
Draw = Callable[[Random, int, int], Counts]
"""So many rows, so many times: counts of shape `(n_times, 62)`."""

N_FEATURES = 50
N_REFERENCE = 20_000
EDGES = stats.norm.ppf(np.arange(1, 62) / 62)
SHARES = np.full(62, 1 / 62)
MIDDLES = stats.norm.ppf((np.arange(62) + 0.5) / 62)


def chance(*case: str | float) -> Random:
    """A source of chance for each case, named by it: none was chosen for what it gives."""
    return np.random.default_rng(zlib.crc32(repr(case).encode()))


def independent(rng: Random, n_rows: int, n_times: int) -> Counts:
    return rng.multinomial(n_rows, SHARES, size=n_times)


def by_customer(rng: Random, n_rows: int, n_times: int) -> Counts:
    """Of 20 rows of a customer 10 hold his own value: a design effect of 5.5."""
    n_customers = n_rows // 20
    own = 10 * rng.multinomial(n_customers, SHARES, size=n_times)
    return own + rng.multinomial(n_rows - 10 * n_customers, SHARES, size=n_times)


def by_weather(rng: Random, n_rows: int, n_times: int) -> Counts:
    """200 rows after each other lie .15 standard deviations higher or lower: a design effect of 5."""
    return np.asarray(blocks_by_weather(rng, n_rows, n_times).sum(axis=1))


def blocks_by_weather(rng: Random, n_rows: int, n_times: int) -> Counts:
    n_spells = n_rows // 200
    tilts = np.exp(0.15 * rng.standard_normal((n_times * n_spells, 1)) * MIDDLES)
    return rng.multinomial(200, tilts / tilts.sum(axis=1, keepdims=True)).reshape(n_times, n_spells, -1)


def blocks_of(rng: Random, draw: Draw, n_features: int = N_FEATURES) -> npt.NDArray[np.int64]:
    """A reference in contiguous blocks; shape `(n_features, n_blocks, 64)`."""
    if draw is by_weather:
        counted = blocks_by_weather(rng, N_REFERENCE, n_features)
    else:
        counted = draw(rng, N_REFERENCE // 250, n_features * 250).reshape(n_features, 250, -1)
    return np.pad(counted, ((0, 0), (0, 0), (2, 0)))


def axes_of(blocks: Counts) -> list[Axis]:
    return [Axis(counts=one.sum(axis=0), edges=EDGES, effects=axis_effects(one)) for one in blocks]


def alarms(rng: Random, axes: list[Axis], windows: Counts, level: float) -> int:
    """How many windows alarm by `family`; counts of shape `(n_windows, n_features, 62)`.

    Those that cannot, since no p-value times the number of questions is within the level, are not looked at further.
    """
    n_windows = len(windows)
    before = np.tile(np.array([one.counts[2:] for one in axes]), (n_windows, 1))
    effects = np.tile([one.effects.values for one in axes], n_windows)
    n_blocks = np.tile([one.effects.n_blocks for one in axes], n_windows)
    sides = [np.pad(side, ((0, 0), (0, 2))) for side in (before, windows.reshape(-1, 62))]
    p = _tests(sides[0], sides[1], np.ones(len(before), dtype=np.bool_), effects, n_blocks).p
    n_alarms = 0
    for at in np.flatnonzero(p.reshape(n_windows, -1).min(axis=1) * 3 * N_FEATURES <= level):
        now = np.pad(windows[at], ((0, 0), (2, 0)))
        asked = [shift for one in axis_shifts(axes, list(now)) for shift in one.shifts]
        n_alarms += any(one.is_beyond_chance for one in family(asked, false_alarms=level, least=0.0))
    return n_alarms


CASES: list[tuple[Draw, int, int, int]] = [
    (independent, 200, 52, 60),
    (independent, 2000, 365, 20),
    (independent, 100_000, 52, 60),
    (by_customer, 200, 52, 60),
    (by_customer, 2000, 52, 60),
    (by_customer, 100_000, 52, 60),
    (by_weather, 200, 52, 60),
    (by_weather, 2000, 52, 60),
]


@pytest.mark.parametrize(("draw", "n_rows", "windows_per_year", "n_years"), CASES)
def test_a_monitor_raises_no_more_false_alarms_than_are_allowed(
    draw: Draw, n_rows: int, windows_per_year: int, n_years: int
) -> None:
    rng = chance("rates", draw.__name__, n_rows)
    level = alphas(Budget(per_year=2, windows_per_year=windows_per_year)).features
    n_alarms = 0
    for _ in range(20):
        axes = axes_of(blocks_of(rng, draw))
        left = windows_per_year * n_years // 20
        while left > 0:
            n = min(left, 20)
            n_alarms += alarms(rng, axes, draw(rng, n_rows, n * N_FEATURES).reshape(n, N_FEATURES, -1), level)
            left -= n
    allowed = 0.5 * n_years
    assert n_alarms <= allowed, f"{n_alarms} alarms in {n_years} years, {allowed} allowed"


def test_the_rule_can_fail_where_rows_that_are_alike_are_taken_for_independent() -> None:
    """What the design effect is for: without it there are many times the alarms that are allowed."""
    rng = chance("taken for independent")
    level = alphas(Budget(per_year=2, windows_per_year=52)).features
    blocks = blocks_of(rng, by_customer)
    axes = [Axis(counts=one.sum(axis=0), edges=EDGES, effects=Effects()) for one in blocks]
    windows = by_customer(rng, 2000, 52 * N_FEATURES).reshape(52, N_FEATURES, -1)
    assert alarms(rng, axes, windows, level) > 25


@pytest.mark.parametrize(
    ("draw", "n_rows", "windows_per_year"),
    [(independent, 2000, 8760), (independent, 2000, 365), (by_customer, 11_000, 365), (by_weather, 10_000, 365)],
)
def test_a_fifth_of_a_standard_deviation_in_one_of_50_features_is_found(
    draw: Draw, n_rows: int, windows_per_year: int
) -> None:
    """From 2,000 rows on; of rows that are alike from as many times more as their design effect says."""
    rng = chance("power", draw.__name__, n_rows, windows_per_year)
    level = alphas(Budget(per_year=2, windows_per_year=windows_per_year)).features
    moved_to = np.searchsorted(EDGES, MIDDLES + 0.2)
    # Each of 50 features asks three questions; to the others nothing happened.
    still = [share_shift((50, 100), (50, 100))] * (3 * N_FEATURES - 1)
    n_told = n = 0
    for axis in axes_of(blocks_of(rng, draw, 20)):
        for rows in draw(rng, n_rows, 20):
            # All rows of a bin go where its middle goes.
            now = np.bincount(moved_to, rows, 62).astype(np.int64)
            found = axis_shifts([axis], [np.pad(now, (2, 0))])[0].values
            assert found is not None
            n_told += family([found, *still], false_alarms=level, least=0.1)[0].is_alarm
            n += 1
    assert n_told >= 0.97 * n, f"{n_told} of {n}"
