"""An order of rows that depends on what they hold and not on how they came, so that sums come out the same to the bit.

Neighbour: `answers` has the columns. Text is numbered by whoever calls (`tables/codes`).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def order_of(columns: Sequence[npt.NDArray[np.generic]]) -> npt.NDArray[np.int64]:
    """The places of the rows in an order that any other order of the same rows gives too.

    `columns` of numbers or flags, each of shape `(n_rows,)` or `(n_rows, n)`, at least one. Rows that are equal in all
    of them stand together, in any order. By hashes: of a million different rows two get the same one with probability
    3e-8, and then may swap. O(n log n).
    Source: Steele, Lea & Flood (2014), OOPSLA, 453-472: the mixing of SplitMix64.

    >>> rows = np.array([3.0, 1.0, 2.0])
    >>> np.array_equal(rows[order_of([rows])], rows[::-1][order_of([rows[::-1]])])
    True
    """
    mixed = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        for one in column.reshape(len(column), -1).T:
            # Adding 0.0 makes of the two zeros one.
            bits = (one.astype(np.float64) + 0.0).view(np.uint64)
            mixed = _mix(mixed ^ bits)
    return np.argsort(mixed).astype(np.int64, copy=False)


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return np.asarray(values ^ (values >> np.uint64(31)))
