"""How seldom a share that comes in spells rises so far by chance.

Missing values come when some sender fails: some hours have many, most have few. A design effect knows how far such
shares spread and takes their tail for a normal one, which it is not: over 60 years of days it alarmed six times as
often as allowed. Neighbours: `alarm` measures the effect, `shift.share_shift` asks.
"""

import math

import numpy as np
from scipy import special

from headway.stats.alarm import LEAST_BLOCKS

USUAL_EFFECT = 1.2
"""Such a design effect is measured on 64 blocks of rows that have nothing to do with each other."""

_N_PLACES = 40


def rise(before: float, rows: tuple[int, int], *, effect: float, n_blocks: int) -> float:
    """An upper bound of the chance that of `rows` = (that count, all) so many count, where a share `before` is usual.

    The share of a window is log-normal around `before`, with the variance that `effect` (1 or more, measured on
    `n_blocks` >= 2 blocks) has beyond USUAL_EFFECT, by Student's law since that is measured; the rows are drawn by it.
    For any place q in between, either the share is above q or the rows are beyond what q gives: the least sum bounds.
    Doubled for both sides; 1 where the share did not rise, 0 where nothing says that it comes in spells.
    Source: Fenton (1960), IRE Trans. Commun. Syst. 8, 57-67: sums of log-normal parts are nearly log-normal.

    >>> round(rise(0.2, (900, 2100), effect=20.0, n_blocks=64), 4), rise(0.2, (900, 2100), effect=1.0, n_blocks=64)
    (0.0008, 0.0)
    """
    hits, n = rows
    now = hits / n
    if now <= before:
        return 1.0
    spread = max(effect - USUAL_EFFECT, 0.0) * before * (1 - before) / n
    if spread <= 0 or n_blocks < 2:
        return 0.0
    wide = math.sqrt(math.log1p(spread / before**2))
    places = np.geomspace(before, min(now, 1 - 1e-9), _N_PLACES)
    above = special.stdtr(min(n_blocks, LEAST_BLOCKS) - 1, -(np.log(places / before) / wide + wide / 2))
    # The chance of so many rows and more, each of which counts with such a chance.
    beyond = special.betainc(hits, n - hits + 1, places)
    return float(min(2 * np.min(above + beyond), 1.0))
