"""How good a classifier's answers are, estimated without labels, from how sure it was of them.

If a score of .8 means that four of five such rows are positive, then the scores of new rows say how many of the answers
to them are right on average. That holds under two conditions, which no number here can check: what a score means has
not changed (no change of concept), and new rows of a score are like those of that score in the reference. So such an
estimate warns, and never decides.
Source of the method: confidence-based performance estimation (CBPE) as NannyML describes it; the intervals are ours.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headway.errors import Unmeasurable
from headway.stats.interval import normal_quantile
from headway.stats.isotonic import Floats, Isotonic

Answers = npt.NDArray[np.bool_]


class Estimated(Struct, frozen=True, kw_only=True):
    """What a metric is expected to be on `n_rows` rows whose labels are not known; of classifiers in [0, 1].

    `low` to `high` holds what the labels will say with the confidence asked for, if the two conditions of the module
    are met: the chance in the labels is in it, and that in the reference's.
    """

    value: float
    low: float
    high: float
    n_rows: int


class Expected(Struct, frozen=True, kw_only=True):
    """A metric's value, and how it moves when one row's chance does: for rows answered yes, and answered no."""

    value: float
    of_yes: float
    of_no: float


Confusion = tuple[float, float, float, float]
"""Expected true positives, false positives, false negatives, true negatives."""


def _accuracy(counts: Confusion) -> Expected:
    tp, fp, fn, tn = counts
    n = tp + fp + fn + tn
    return Expected(value=(tp + tn) / n, of_yes=1 / n, of_no=-1 / n)


def _precision(counts: Confusion) -> Expected:
    tp, fp, _, _ = counts
    n = _of_some(tp + fp, "precision", "no row was answered with yes")
    return Expected(value=tp / n, of_yes=1 / n, of_no=0.0)


def _recall(counts: Confusion) -> Expected:
    tp, _, fn, _ = counts
    n = _of_some(tp + fn, "recall", "no row is expected to be positive")
    return Expected(value=tp / n, of_yes=fn / n**2, of_no=-tp / n**2)


def _specificity(counts: Confusion) -> Expected:
    _, fp, _, tn = counts
    n = _of_some(tn + fp, "specificity", "no row is expected to be negative")
    return Expected(value=tn / n, of_yes=tn / n**2, of_no=-fp / n**2)


def _f1(counts: Confusion) -> Expected:
    tp, fp, fn, _ = counts
    n = _of_some(2 * tp + fp + fn, "f1", "no row is positive or answered with yes")
    return Expected(value=2 * tp / n, of_yes=2 / n - 2 * tp / n**2, of_no=-2 * tp / n**2)


_BY_COUNTS: dict[str, Callable[[Confusion], Expected]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "precision": _precision,
    "recall": _recall,
    "specificity": _specificity,
}

METRICS = (*_BY_COUNTS, "auc")
"""What can be estimated."""


def estimate(metric: str, fit: Isotonic, scores: Floats, says_yes: Answers, *, confidence: float = 0.95) -> Estimated:
    """A metric of a classifier of two classes on rows without labels; `scores` and `says_yes` have shape `(n_rows,)`.

    `fit` is the calibration on reference rows. Raises Unmeasurable where the metric means nothing on these rows.
    Sources: the labels' part of the interval is that of a Poisson-binomial sum, carried over to ratios by their
    derivatives (delta method); for the area under the curve pairs of a row with itself are left out, as they are when
    it is measured.
    """
    if not len(scores):
        raise Unmeasurable("no row to estimate by", at=metric, remedy="wait for predictions")
    chances = fit(scores)
    value, moves = _area(scores, chances) if metric == "auc" else _by_counts(metric, chances, says_yes)
    variance = float(np.sum(moves**2 * chances * (1 - chances))) + fit.variance_of(scores, moves)
    return bounded(value, variance, len(scores), confidence)


def expected(metric: str, confusion: Confusion) -> Expected:
    """What a metric of METRICS but the area is by expected counts. Raises Unmeasurable where it means nothing."""
    return _BY_COUNTS[metric](confusion)


def bounded(value: float, variance: float, n_rows: int, confidence: float) -> Estimated:
    """An estimate with its interval, by its variance."""
    wide = normal_quantile((1 + confidence) / 2) * float(np.sqrt(variance))
    return Estimated(value=value, low=max(value - wide, 0.0), high=min(value + wide, 1.0), n_rows=n_rows)


def _by_counts(metric: str, chances: Floats, says_yes: Answers) -> tuple[float, Floats]:
    tp = float(chances[says_yes].sum())
    fn = float(chances[~says_yes].sum())
    n_yes = float(np.count_nonzero(says_yes))
    found = expected(metric, (tp, n_yes - tp, fn, len(chances) - n_yes - fn))
    return found.value, np.where(says_yes, found.of_yes, found.of_no)


def _area(scores: Floats, chances: Floats) -> tuple[float, Floats]:
    _, place = np.unique(scores, return_inverse=True)
    return area(place, chances, np.ones(len(scores)))


def area(place: npt.NDArray[np.intp], chances: Floats, rows: Floats) -> tuple[float, Floats]:
    """The expected area under the ROC curve, as expected wins over expected pairs, and its derivatives.

    `place` is where a row stands in the order of scores, from 0 (alike scores alike), `chances` that it is positive;
    `rows` says how many rows it stands for, and the derivatives are of one of them. All of shape `(n_rows,)`.
    """
    counts = np.bincount(place, rows)
    sums = np.bincount(place, rows * chances)
    below_yes, below_no = np.cumsum(sums) - sums / 2, np.cumsum(counts - sums) - (counts - sums) / 2
    # For each row what lies below (of no) and above (of yes), ties half, without the row itself.
    n_yes = float(sums.sum())
    n_no = float(counts.sum()) - n_yes
    wins_below = below_no[place] - (1 - chances) / 2
    yes_above = (n_yes - below_yes)[place] - chances / 2
    own = float(np.sum(rows * chances * (1 - chances)))
    pairs = _of_some(n_yes * n_no - own, "auc", "all rows are expected to be of one class")
    wins = float(np.sum(rows * chances * wins_below))
    # A chance that rises makes a row more of a yes and less of a no.
    moves_wins = wins_below - yes_above
    moves_pairs = n_no - n_yes - (1 - 2 * chances)
    value = wins / pairs
    return value, (moves_wins - value * moves_pairs) / pairs


def _of_some(n: float, metric: str, problem: str) -> float:
    if n <= 0:
        raise Unmeasurable(problem, at=metric, remedy="wait for more predictions, or estimate another metric")
    return n
