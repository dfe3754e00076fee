"""What is too little for one window and adds up over many: quality that sinks by and by.

The e-detector needs no model of what comes in, only e-values: numbers that are 1 on average at most as long as nothing
is wrong, whatever came before. Its average run length without a change is at least what was asked for.

All windows are compared with one reference, which has its own noise: what it has too little of, all windows have too
much of, and that adds up. So the limit that an e-value is against must be one that the reference itself keeps: a bound
of its interval, less the loss that does not matter, and not its estimate. Neighbour: `alarm` says how long a run must
be; `betting` and `arms` have e-values for gates and canaries.
"""

import math
from collections.abc import Sequence

from msgspec import Struct

BETS = (0.25, 0.5, 1.0, 2.0)
"""How large a shift of each window is bet on, in standard errors of one window."""


class Detector(Struct, frozen=True, kw_only=True):
    """What was gathered so far, for each bet as a logarithm: none before the first window."""

    logs: tuple[float, ...] = ()

    @property
    def log_evidence(self) -> float:
        """The logarithm of the average over the bets: how many windows it would take to see as much by chance."""
        highest = max(self.logs, default=-math.inf)
        if highest == -math.inf:
            return highest
        return highest + math.log(sum(math.exp(log - highest) for log in self.logs) / len(self.logs))

    def is_alarm(self, windows_per_alarm: float) -> bool:
        """Whether there is an alarm: such evidence takes so many windows (> 1) on average where nothing changed."""
        return self.log_evidence >= math.log(windows_per_alarm)


def step(before: Detector, log_e: Sequence[float]) -> Detector:
    """The detector after one more window: `log_e` has the logarithm of the window's e-value for each bet.

    M = (M + 1) e: each window could be the first of a change. Averaging over bets keeps the run length.
    Source: Shin, Ramdas & Rinaldo (2024), The New England Journal of Statistics in Data Science 2, 229-260 (arXiv
    2203.03532): e-detectors of the Shiryaev-Roberts kind.

    >>> one = step(Detector(), [math.log(3)])
    >>> round(math.exp(one.log_evidence), 6), round(math.exp(step(one, [0.0]).log_evidence), 6)
    (3.0, 4.0)
    """
    if before.logs and len(before.logs) != len(log_e):
        raise ValueError(f"{len(log_e)} bets after {len(before.logs)}")
    logs = before.logs or (-math.inf,) * len(log_e)
    # The logarithm of M + 1, of the larger of the two.
    after = tuple(max(log, 0.0) + math.log1p(math.exp(-abs(log))) + e for log, e in zip(logs, log_e, strict=True))
    return Detector(logs=after)


# --- e-values of a window -----------------------------------------------------------------------------------------


def log_e_of_deviate(z: float) -> tuple[float, ...]:
    """Against "the value is the limit at most": `z` is how many standard errors it lies above; for each of BETS.

    For means, areas and other values that are nearly normal; only as good as their standard errors.

    >>> [round(one, 3) for one in log_e_of_deviate(2.0)]
    [0.469, 0.875, 1.5, 2.0]
    """
    return tuple(bet * z - bet**2 / 2 for bet in BETS)
