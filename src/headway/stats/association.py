"""How much of one column's variation another one tells, when the other is known as a category or a bin.

Neighbour: `metrics` measures what a model tells. Knows no table.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def share_told(codes: Codes, truth: Floats) -> float:
    """The share of the truth's variation that the codes tell, 0 to 1; learned on half of the rows, tried on the others.

    Shapes `(n_rows,)` and `(n_rows, n_columns)`. Codes that were not learned are taken for the average, so that codes
    that are all different tell nothing. 0 when the truth does not vary.

    >>> codes = np.arange(100) % 4 // 2
    >>> share_told(codes, codes.reshape(-1, 1).astype(float)), share_told(np.arange(100), np.ones((100, 1)))
    (1.0, 0.0)
    """
    # Which half a row is in looks like chance (Knuth's multiplicative hash): no pattern in the rows' order is followed.
    learned = (np.arange(len(codes), dtype=np.uint64) * np.uint64(2654435761) >> np.uint64(16)) % np.uint64(2) == 0
    asked = ~learned
    mean = truth[learned].mean(axis=0)
    n_codes = int(codes.max(initial=0)) + 1
    sizes = np.bincount(codes[learned], minlength=n_codes)
    guesses = np.tile(mean, (n_codes, 1))
    there = sizes > 0
    for k in range(truth.shape[1]):
        sums = np.bincount(codes[learned], weights=truth[learned, k], minlength=n_codes)
        guesses[there, k] = sums[there] / sizes[there]
    left = float(((truth[asked] - guesses[codes[asked]]) ** 2).sum())
    all_of_it = float(((truth[asked] - mean) ** 2).sum())
    return min(max(1 - left / all_of_it, 0.0), 1.0) if all_of_it > 0 else 0.0
