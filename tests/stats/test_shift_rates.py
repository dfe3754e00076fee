"""How often the rule of shifts tells one where nothing changed, and how often it finds one, by simulation at length.

The windows are of 100 to 1,000,000 rows against a reference of 100,000 that is drawn anew each time, so that the noise
of both counts. A rate is held to what a rule that keeps exactly to what was asked exceeds as seldom as a normal one
exceeds three standard errors. Where few alarms are to be expected that is many times the rate: so there are so many
runs that at most four times the rate passes at the level of 0.001, and as families of 20 columns at 0.01 (with a
million rows, which are few runs, ten times).
"""

import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom, norm, poisson

from headway.stats.bins import count, fix_bins
from headway.stats.shift import Shift, aligned_shift, family, numeric_shift

pytestmark = pytest.mark.slow

Random = np.random.Generator
Draw = Callable[[Random, int], npt.NDArray[np.float64]]
N_REFERENCE = 100_000
N_COLUMNS = 20


def chance(*case: str | float) -> Random:
    """A source of chance for each case, named by it: none was chosen for what it gives."""
    return np.random.default_rng(zlib.crc32(repr(case).encode()))


OF_POISSON = poisson.pmf(np.arange(30), 3)
OF_POISSON /= OF_POISSON.sum()


def t_of_2(rng: Random, n: int) -> npt.NDArray[np.float64]:
    u = rng.random(n)
    return np.asarray((2 * u - 1) / np.sqrt(2 * u * (1 - u)), dtype=np.float64)


def mostly_zero(rng: Random, n: int) -> npt.NDArray[np.float64]:
    n_more = rng.binomial(n, 0.2)
    return np.concatenate([np.zeros(n - n_more), np.exp(rng.standard_normal(n_more))])


# Drawn by ways that are quicker than the plain ones: the rows come in no particular order, which nothing here sees.
NUMBERS: dict[str, Draw] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "log-normal": lambda rng, n: np.exp(rng.standard_normal(n)),
    "t of 2": t_of_2,
    "whole numbers": lambda rng, n: np.repeat(np.arange(30.0), rng.multinomial(n, OF_POISSON)),
    "rounded": lambda rng, n: np.round(rng.standard_normal(n), 1),
    "mostly zero": mostly_zero,
    "rarely one": lambda rng, n: (rng.random(n) < 0.01).astype(float),
}


def most(asked: float, n_runs: int) -> float:
    """The rate that a rule which keeps to what was asked exceeds in so many runs once in 741 times (0.00135)."""
    return float(binom.ppf(norm.cdf(3), n_runs, asked)) / n_runs


def numbers(rng: Random, draw: Draw, n_rows: int, changed: Draw | None = None, n_reference: int = N_REFERENCE) -> Shift:
    bins = fix_bins(draw(rng, n_reference))
    return numeric_shift(bins, count(bins.edges, (changed or draw)(rng, n_rows)))


def categories(rng: Random, chances: npt.NDArray[np.float64], n_rows: int) -> Shift:
    before, after = rng.multinomial(N_REFERENCE, chances), rng.multinomial(n_rows, chances)
    return aligned_shift([str(at) for at in range(len(chances))], before, after)


def told(shifts: list[Shift], least: float = 0.0) -> float:
    """The share of families of 20 columns with any told at 1 %; by 0 as the least effect, chance alone is asked."""
    groups = [shifts[at : at + N_COLUMNS] for at in range(0, len(shifts), N_COLUMNS)]
    return float(
        np.mean([any(one.is_alarm for one in family(group, false_alarms=0.01, least=least)) for group in groups])
    )


N_RUNS = {100: 3000, 1000: 3000, 10_000: 3000, 100_000: 1600}


@cache
def unchanged(name: str) -> dict[int, list[Shift]]:
    """By rows of a window, so many of them, each against another reference; windows of all sizes have the same ones."""
    rng, draw = chance("numbers", name), NUMBERS[name]
    shifts: dict[int, list[Shift]] = {n_rows: [] for n_rows in N_RUNS}
    for at in range(max(N_RUNS.values())):
        bins = fix_bins(draw(rng, N_REFERENCE))
        for n_rows, n_runs in N_RUNS.items():
            if at < n_runs:
                shifts[n_rows].append(numeric_shift(bins, count(bins.edges, draw(rng, n_rows))))
    return shifts


@pytest.mark.parametrize("n_rows", N_RUNS)
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_did_not_change_alarm_no_more_often_than_asked(name: str, n_rows: int) -> None:
    shifts = unchanged(name)[n_rows]
    p = np.array([one.p for one in shifts])
    for level in (0.1, 0.01, 0.001):
        assert np.mean(p <= level) <= most(level, len(shifts))
    assert told(shifts) <= most(0.01, len(shifts) // N_COLUMNS)


@pytest.mark.parametrize(("n_reference", "n_rows"), [(20_000, 100), (20_000, 2000), (5000, 20_000)])
def test_a_family_of_columns_of_all_kinds_alarms_no_more_often_than_asked(n_reference: int, n_rows: int) -> None:
    """So many families that the rate of the family itself, 1 %, is known to within half of it."""
    rng, n_families = chance("family", n_reference, n_rows), 1320
    kinds = [list(NUMBERS.values())[at % len(NUMBERS)] for at in range(N_COLUMNS)]
    shifts = [numbers(rng, draw, n_rows, n_reference=n_reference) for _ in range(n_families) for draw in kinds]
    assert told(shifts) <= most(0.01, n_families)


@pytest.mark.parametrize("name", ["normal", "rounded", "rarely one"])
def test_a_million_rows_that_did_not_change_alarm_no_more_often_than_asked(name: str) -> None:
    rng = chance("million", name)
    shifts = [numbers(rng, NUMBERS[name], 1_000_000) for _ in range(400)]
    p = np.array([one.p for one in shifts])
    for level in (0.1, 0.01):
        assert np.mean(p <= level) <= most(level, len(shifts))
    assert told(shifts) <= most(0.01, len(shifts) // N_COLUMNS)


@pytest.mark.parametrize(("n_reference", "n_rows"), [(50, 50), (500, 100), (2000, 2000), (2000, 100_000)])
@pytest.mark.parametrize("name", ["normal", "whole numbers", "mostly zero"])
def test_a_small_reference_alarms_no_more_often_than_asked(name: str, n_reference: int, n_rows: int) -> None:
    rng = chance("small", name, n_reference, n_rows)
    p = np.array([numbers(rng, NUMBERS[name], n_rows, n_reference=n_reference).p for _ in range(3000)])
    for level in (0.1, 0.01, 0.001):
        assert np.mean(p <= level) <= most(level, len(p))


@pytest.mark.parametrize("n_rows", [100, 1000, 10_000, 1_000_000])
@pytest.mark.parametrize("n_values", [2, 5, 50, 5000])
@pytest.mark.parametrize("power", [0.0, 1.0, 2.0], ids=["even", "zipf", "steep"])
def test_categories_that_did_not_change_alarm_no_more_often_than_asked(
    n_values: int, n_rows: int, power: float
) -> None:
    rng = chance("categories", n_values, n_rows, power)
    chances = 1 / np.arange(1.0, n_values + 1) ** power
    chances /= chances.sum()
    n_runs = 14_400 if n_values < 5000 else 3000
    shifts = [categories(rng, chances, n_rows) for _ in range(n_runs)]
    p = np.array([one.p for one in shifts])
    for level in (0.1, 0.01, 0.001):
        assert np.mean(p <= level) <= most(level, n_runs)
    assert told(shifts) <= most(0.01, n_runs // N_COLUMNS)


CHANGES: dict[str, tuple[int, Draw]] = {
    "moved by a fifth": (2000, lambda rng, n: rng.standard_normal(n) + 0.2),
    "wider by a fifth": (2000, lambda rng, n: rng.standard_normal(n) * 1.2),
    "one in fifty missing as -999": (1000, lambda rng, n: np.where(rng.random(n) < 0.02, -999, rng.standard_normal(n))),
    "one in fifty filled with 0": (1000, lambda rng, n: np.where(rng.random(n) < 0.02, 0.0, rng.standard_normal(n))),
    "cut off at 1.64": (1000, lambda rng, n: np.minimum(rng.standard_normal(n), 1.64)),
    "one in twenty from elsewhere": (
        2000,
        lambda rng, n: np.where(rng.random(n) < 0.05, 3 + 0.5 * rng.standard_normal(n), rng.standard_normal(n)),
    ),
    "skewed": (3000, lambda rng, n: (rng.gamma(10, 1, n) - 10) / 10**0.5),
    "heavier tails": (3000, lambda rng, n: rng.standard_t(5, n) * 0.6**0.5),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_any_form_is_beyond_chance_nearly_always(name: str) -> None:
    n_rows, changed = CHANGES[name]
    rng = chance("changed", name)
    found = [numbers(rng, NUMBERS["normal"], n_rows, changed).p for _ in range(1000)]
    # The first step of Holm's among 20 columns at 1 %.
    assert np.mean(np.array(found) <= 0.01 / N_COLUMNS) >= 0.99


@pytest.mark.parametrize("name", ["normal", "log-normal", "rounded", "whole numbers"])
def test_a_shift_of_a_fifth_of_a_standard_deviation_alarms_from_2000_rows_on(name: str) -> None:
    draw = NUMBERS[name]
    spread = float(np.std(draw(chance("spread", name), 1_000_000)))
    if name in {"rounded", "whole numbers"}:
        # A discrete column stays discrete: some of its rows move by a whole step.
        step = 0.1 if name == "rounded" else 1.0
        share, whole = np.modf(0.2 * spread / step)

        def changed(rng: Random, n: int) -> npt.NDArray[np.float64]:
            moved = draw(rng, n) + step * (whole + (rng.random(n) < share))
            return np.asarray(np.round(moved, 1), dtype=np.float64)
    else:

        def changed(rng: Random, n: int) -> npt.NDArray[np.float64]:
            return draw(rng, n) + 0.2 * spread

    rng = chance("a fifth", name)
    still = [numbers(rng, draw, 2000) for _ in range(N_COLUMNS - 1)]
    n_told = 0
    for _ in range(1000):
        moved = numbers(rng, draw, 2000, changed)
        n_told += family([moved, *still], false_alarms=0.01, least=0.1)[0].is_alarm
    assert n_told >= 990


def test_a_harmless_shift_alarms_in_no_window() -> None:
    rng = chance("harmless")
    for n_rows in (2000, 100_000):
        shifts = [numbers(rng, NUMBERS["normal"], n_rows, lambda r, n: r.standard_normal(n) + 0.02) for _ in range(900)]
        assert told(shifts, least=0.1) <= most(0.01, len(shifts) // N_COLUMNS)
        assert not any(one.effect >= 0.1 and one.p < 0.0005 for one in shifts)
