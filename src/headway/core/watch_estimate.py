"""What quality is estimated to be in a window whose labels are not there yet, and whether that is a loss.

Of classifiers, from the sums that cells keep (`stats/estimate_sums`, and what it supposes: that a score means what it
meant in the reference). Of more than two classes the score is the largest probability, and each row says of itself that
it is right: accuracy is what can be estimated of that. So it warns and never proves: an alarm by it says retrain, and
a gate decides.
"""

from collections.abc import Mapping

from msgspec import Struct

from headway.core.reference import PREDICTION, Layout
from headway.core.sketch import UNIT, Sketch
from headway.core.watch_detail import Guess
from headway.core.watch_drift import Ground
from headway.core.watch_quality import Promise, is_lost
from headway.errors import Unmeasurable
from headway.stats.estimate import METRICS, Estimated
from headway.stats.estimate_sums import Sums, estimate_sums, sums_of
from headway.stats.isotonic import Isotonic

SHOWN = 0.95
"""The ranges that people see hold what labels will say so often."""

USUAL = "accuracy"
"""What is estimated where the monitor's own metric cannot be."""

LEAST = 30
"""Of fewer rows nothing is estimated."""


class Asked(Struct, frozen=True, kw_only=True):
    """Which metric is estimated, what each `was`, and when it is a loss: at level `alpha`, by `least_loss` of it."""

    metric: str
    was: Mapping[str, Promise]
    alpha: float
    least_loss: float


def not_estimated(layout: Layout) -> str:
    """Why nothing is estimated of a classifier of classes without probabilities, and what is compared all the same.

    >>> from headway.core.reference import PREDICTION, Axis
    >>> kinds = Axis(name=PREDICTION, kind="category", values=("a", "b", "c"))
    >>> not_estimated(Layout(version=1, inputs=(), outputs=(kinds,)))[:51]
    'quality is not estimated without labels: 3 classes '
    """
    answers = next((axis for axis in layout.outputs if axis.name == PREDICTION), None)
    if (
        layout.yes is not None
        or layout.largest
        or answers is None
        or answers.kind == "number"
        or len(answers.values) <= 2
    ):
        return ""
    n = len(answers.values)
    without = f"quality is not estimated without labels: {n} classes are told apart, and no probabilities are counted"
    return f"{without}; answers are compared"


def guesses(cells: Sketch, layout: Layout, on: Ground, asked: Asked) -> tuple[Guess, ...]:
    """The monitor's metric estimated, and of two classes the area under the curve; of more classes accuracy alone.

    Nothing where no score says how sure an answer is.

    The half widths grow with how alike the rows of the score are.
    """
    if layout.calibration is None or not cells.sums or cells.n_rows < LEAST or not layout.scores:
        return ()
    fit, sums = layout.calibration.isotonic, sums_of(cells.sums, cells.blocks, unit=UNIT)
    wide = max(1.0, *(on.against[layout.axis(name)].effects.values for name in layout.scores)) ** 0.5
    own = asked.metric if asked.metric in METRICS and not layout.largest else USUAL
    found = []
    for name in dict.fromkeys((own,) if layout.largest else (own, "auc")):
        shown, sure = (_estimated(name, fit, sums, confidence, wide) for confidence in (SHOWN, 1 - 2 * asked.alpha))
        if shown is None or sure is None:
            continue
        promise = asked.was.get(name)
        lost = promise is not None and is_lost(promise, sure.value, sure.low, sure.high, least_loss=asked.least_loss)
        found.append(
            Guess(
                metric=name,
                value=shown.value,
                low=shown.low,
                high=shown.high,
                was=None if promise is None else promise.value,
                is_beyond=lost and name == own,
            )
        )
    return tuple(found)


def _estimated(metric: str, fit: Isotonic, sums: Sums, confidence: float, wide: float) -> Estimated | None:
    try:
        found = estimate_sums(metric, fit, sums, confidence=confidence)
    except Unmeasurable:
        return None
    return Estimated(
        value=found.value,
        low=max(found.value - wide * (found.value - found.low), 0.0),
        high=min(found.value + wide * (found.high - found.value), 1.0),
        n_rows=found.n_rows,
    )
