"""How seldom a monitor may alarm for nothing: the budget, what of it each look may spend, and how alike rows count.

A user says how many false alarms a year are bearable. Each window then gets its part of them as a level, and each
family of questions its part of that. The number of false alarms to be expected is the sum of the levels, whatever
depends on what. That a level is kept is the business of whoever makes the p-values: `shift_cells` for windows.

Rows that come one after the other are alike (ten rows of one customer, a day with other weather), so that windows
differ by more than chance makes of independent rows. `design_effect` measures by how much on contiguous blocks of the
reference, and `with_blocks` widens a p-value for not knowing that exactly. Only what can be seen within the reference
counts: a change that comes once a year is no chance to a reference of three months.
"""

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct
from scipy import special

from headway.errors import Unmeasurable
from headway.stats.bins import Counts, Floats

MOST_A_WINDOW = 0.05
"""However seldom windows come and however many false alarms are allowed: no window alarms for nothing more often."""

LEAST_BLOCKS = 64
"""So many blocks are left where neighbours are put together: their differences are known to a fifth or so."""

CLEAR = 4.0
"""A single cell counts with its own design effect if that is so many of its standard deviations above that of all. For
cells are many: the largest of 64 effects that are all 1 is measured as 1.5."""


class Budget(Struct, frozen=True, kw_only=True):
    """What false alarms are allowed: so many a year (> 0), by a monitor that judges so many windows a year (> 0)."""

    per_year: float
    windows_per_year: float


class Alphas(Struct, frozen=True, kw_only=True):
    """The levels of one window: the probability of a false alarm that each family of questions may have."""

    outputs_and_quality: float
    multivariate: float
    features: float

    @property
    def whole(self) -> float:
        """The probability that a window alarms for nothing, at most."""
        return self.outputs_and_quality + self.multivariate + self.features


def alphas(budget: Budget) -> Alphas:
    """What each window may spend: half for predictions and quality, a quarter for features, one for all together.

    A level is the allowed number over the number of windows, at most MOST_A_WINDOW in all. Where a family is asked more
    seldom (all features together, once a night), ask with the number of those looks as `windows_per_year`.

    >>> levels = alphas(Budget(per_year=2, windows_per_year=8760))
    >>> round(levels.whole * 8760, 9), round(levels.features * 8760, 9)
    (2.0, 0.5)
    """
    if not (budget.per_year > 0 and budget.windows_per_year > 0):
        raise ValueError("a budget and its windows are more than 0")
    whole = min(budget.per_year / budget.windows_per_year, MOST_A_WINDOW)
    return Alphas(outputs_and_quality=whole / 2, multivariate=whole / 4, features=whole / 4)


# --- rows that are alike -------------------------------------------------------------------------------------------


class Effects(Struct, frozen=True, kw_only=True):
    """How alike the rows of one axis are: its design effects, each from 1 on, measured on `n_blocks` blocks.

    `values` is that of the cells which hold values, `missing` and `unknown` those of the shares of rows without a
    value and with one that the axis cannot count. With 0 blocks nothing was measured: the rows are taken for
    independent, and nothing is widened.
    """

    values: float = 1.0
    missing: float = 1.0
    unknown: float = 1.0
    n_blocks: int = 0


def axis_effects(blocks: Counts) -> Effects:
    """The design effects of one axis; `blocks` as in `design_effect`, with cell 0 missing and cell 1 not countable.

    >>> axis_effects(np.tile(np.array([0, 0, 5, 5]), (8, 1)))
    Effects(values=1.0, missing=1.0, unknown=1.0, n_blocks=8)
    """
    return Effects(
        values=design_effect(blocks[:, 2:]),
        missing=design_effect(_one_against_all(blocks, 0)),
        unknown=design_effect(_one_against_all(blocks, 1)),
        n_blocks=len(blocks),
    )


def _one_against_all(blocks: Counts, cell: int) -> Counts:
    return np.stack([blocks[:, cell], blocks.sum(axis=1) - blocks[:, cell]], axis=1)


def design_effect(blocks: Counts) -> float:
    """How many times more the blocks of a reference differ than independent rows would make them; 1 at least.

    `blocks` are counts of contiguous blocks in the order of time, about alike in rows, shape `(n_blocks, n_cells)`. So
    many rows tell what one independent row tells: windows are judged by their rows divided by it. The largest counts of
    what is measured for all cells together, for moving as a whole, for getting wider, and for single cells that stand
    out (CLEAR); for the blocks themselves, and for twice, four times ... as long ones while LEAST_BLOCKS are left. Of
    independent rows 1.2 is measured on average with 64 blocks, which makes alarms more seldom, not more frequent. Fewer
    than two blocks tell nothing: 1.
    Sources: Kish (1965), Survey Sampling, 8.2; McCullagh & Nelder (1989), Generalized Linear Models, 4.5.

    >>> alike = np.repeat(np.array([[30, 10], [10, 30]]), 20, axis=0)
    >>> design_effect(alike) > 10
    True
    """
    held = blocks[blocks.sum(axis=1) > 0].astype(np.float64)
    held = held[:, held.sum(axis=0) > 0]
    largest = 1.0
    while len(held) >= 2 and held.shape[1] >= 2:
        largest = max(largest, _effect(held))
        if len(held) < 2 * LEAST_BLOCKS:
            break
        held = np.add.reduceat(held, np.arange(0, len(held) - 1, 2), axis=0)
    return largest


def _effect(blocks: Floats) -> float:
    """The largest design effect of blocks that all hold rows, in cells that all do."""
    freedom = len(blocks) - 1
    rows = blocks.sum(axis=1)
    shares = blocks.sum(axis=0) / rows.sum()
    apart = blocks - rows[:, None] * shares
    by_cell = (apart**2 / rows[:, None]).sum(axis=0) / freedom
    found = [float(np.sum(by_cell / shares)) / (blocks.shape[1] - 1)]
    for scores in _scores(shares):
        variance = float(np.sum(shares * scores**2))
        if variance > 0:
            found.append(float(np.sum((apart @ scores) ** 2 / rows)) / variance / freedom)
    # Of counts whose rows come so many at a time, the square of the distance varies by 2 + so many / (rows expected),
    # in units of its mean.
    of_cells, together = by_cell / (shares * (1 - shares)), max(found)
    spread = np.sqrt((2 + together * rows.sum() / (rows**2 * shares[:, None]).sum(axis=1)) / freedom)
    found.extend(float(one) for one in of_cells[of_cells > together * (1 + CLEAR * spread)])
    return max(found, default=1.0)


def _scores(shares: Floats) -> tuple[Floats, Floats]:
    """For each cell where its rows stand among all, and how far from the middle; both are 0 on average."""
    ranks = np.cumsum(shares) - shares / 2
    moved = ranks - float(np.sum(shares * ranks))
    wide = moved**2
    return moved, wide - float(np.sum(shares * wide))


def with_blocks(p: Floats, n_blocks: int) -> Floats:
    """P-values for a design effect that was itself measured on so many blocks; 0 blocks leave them as they are.

    As a normal deviate whose variance is an estimate follows Student's law: with few blocks a small p says little, with
    one nothing at all. More than LEAST_BLOCKS count as so many, for the effect may be that of long blocks.
    Source: Student (1908), Biometrika 6, 1-25.

    >>> with_blocks(np.array([1e-6, 0.05]), 64).round(6).tolist()
    [7e-06, 0.054427]
    """
    if n_blocks == 0:
        return p
    freedom = min(n_blocks, LEAST_BLOCKS) - 1
    if freedom < 1:
        return np.ones_like(p)
    return np.asarray(2 * special.stdtr(freedom, special.ndtri(np.clip(p, 0.0, 1.0) / 2)), dtype=np.float64)


# --- the back-test -------------------------------------------------------------------------------------------------


class BackTested(Struct, frozen=True, kw_only=True):
    """What a rule did on the reference itself: so many alarms in so many windows, where `allowed` were to be expected.

    `n_alarms` counts windows that alarm, each by itself: a monitor, whose alarm stays open, raises fewer.
    """

    n_windows: int
    n_alarms: int
    allowed: float


Rule = Callable[[Sequence[Counts], Sequence[Counts]], bool]
"""Whether a window alarms: of each axis the reference's counts, then the window's, each of shape `(n_cells,)`."""


def back_test(axes: Sequence[Counts], rule: Rule, *, n_together: int, alpha: float) -> BackTested:
    """How often a rule alarms on its own reference: each window of so many blocks against all the other blocks.

    `axes` are counts of contiguous blocks in the order of time, each of shape `(n_blocks, n_cells)`; windows begin at
    every block. `alpha` is the level of the rule for one window. As many alarms as windows means a reference that does
    not stay as it is (a season, a trend), against which no window can be judged.
    Raises Unmeasurable when windows are longer than half of the reference.

    >>> still = np.tile(np.array([5, 5]), (10, 1))
    >>> back_test([still], lambda before, now: bool(now[0][0] > now[0][1]), n_together=2, alpha=0.01)
    BackTested(n_windows=9, n_alarms=0, allowed=0.09)
    """
    n_blocks = min((len(blocks) for blocks in axes), default=0)
    if not 1 <= n_together <= n_blocks // 2:
        raise Unmeasurable(
            f"a reference of {n_blocks} blocks is too small to try windows of {n_together} on",
            at="reference",
            remedy="take a reference of more rows, or smaller windows",
        )
    whole = [blocks.sum(axis=0) for blocks in axes]
    n_alarms = 0
    for start in range(n_blocks - n_together + 1):
        windows = [blocks[start : start + n_together].sum(axis=0) for blocks in axes]
        n_alarms += rule([all_ - window for all_, window in zip(whole, windows, strict=True)], windows)
    n_windows = n_blocks - n_together + 1
    return BackTested(n_windows=n_windows, n_alarms=n_alarms, allowed=n_windows * alpha)
