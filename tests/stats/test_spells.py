"""Shares that come in spells: how seldom they rise by chance, by simulation; and that what is told apart stays so."""

import numpy as np
import pytest

from headway.stats.alarm import design_effect
from headway.stats.shift import share_shift
from headway.stats.spells import rise

BLOCK, N_BLOCKS, N_DAY = 300, 64, 7


def gaps(rng: np.random.Generator, share: float, spells: float, shape: tuple[int, ...]) -> np.ndarray:
    shares = np.minimum(share * np.exp(spells * rng.normal(size=shape) - spells**2 / 2), 1.0)
    return np.asarray(rng.binomial(BLOCK, shares))


@pytest.mark.parametrize(("share", "spells"), [(0.02, 0.5), (0.2, 0.5), (0.05, 0.8)])
def test_days_rise_by_chance_as_seldom_as_is_said(share: float, spells: float) -> None:
    """The effect is known, measured on 20,000 blocks: what is left is the tail."""
    rng = np.random.default_rng(int(1000 * share))
    blocks = gaps(rng, share, spells, (20_000,))
    effect = design_effect(np.stack([blocks, BLOCK - blocks], axis=1))
    days = gaps(rng, share, spells, (300_000, N_DAY)).sum(axis=1)
    rows = BLOCK * N_DAY
    values, n_each = np.unique(days, return_counts=True)
    p = np.array([rise(share, (int(hits), rows), effect=effect, n_blocks=N_BLOCKS) for hits in values])
    for level in (1e-2, 1e-3, 1e-4):
        assert n_each[p <= level].sum() <= 300_000 * level + 3 * (300_000 * level) ** 0.5


def test_a_share_that_did_not_rise_tells_nothing_and_one_of_independent_rows_is_left_to_others() -> None:
    assert rise(0.2, (300, 2100), effect=20.0, n_blocks=64) == 1.0
    assert rise(0.2, (900, 2100), effect=1.2, n_blocks=64) == 0.0
    assert rise(0.2, (900, 2100), effect=20.0, n_blocks=1) == 0.0


def test_a_bound_falls_with_the_rows_and_reaches_all_of_them() -> None:
    found = [rise(0.2, (hits, 2100), effect=20.0, n_blocks=64) for hits in range(450, 2101, 50)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 1e-6


def test_spells_make_a_rise_less_telling_and_a_fall_as_telling_as_before() -> None:
    rising = [share_shift((3840, 19_200), (1000, 2100), effect=effect, n_blocks=64).p for effect in (1.0, 20.0)]
    assert rising[0] < 1e-9 < rising[1]
    assert share_shift((3840, 19_200), (0, 2100), effect=20.0, n_blocks=64).p < 1e-6
    assert share_shift((19, 19_200), (42, 2100), effect=1.3, n_blocks=64).p < 1e-9
