"""Metrics of a ranking of all rows by their probability: the areas under the ROC and the precision-recall curve."""

import numpy as np
from msgspec.structs import replace

from headway.stats import auc
from headway.stats.answers import Answers, Rows, Values, chances_of_one, positives, some
from headway.stats.metrics_estimate import Bounds, Estimate, Metric, alone, compared, count_moves
from headway.stats.metrics_linear import Linear, linear, logit


def places_of(rows: Rows, answers: Answers) -> auc.Placements:
    """Where the model ranks each row, worked out once."""
    return rows.once("places", lambda: auc.place(positives(rows), chances_of_one(rows, answers, "auc")), answers)


def _is_rich(places: auc.Placements) -> bool:
    return min(len(places.of_positives), len(places.of_negatives)) >= auc.FEW_OF_A_CLASS


def _parts(rows: Rows, of_positives: Values, of_negatives: Values) -> Values:
    """Each row's part in the error of an area (or of a difference), out of placements (or their differences).

    Source: Obuchowski (1997), Biometrics 53, 567-578: added up by unit, these give her variance of clustered areas.
    """
    is_positive = positives(rows)
    parts = np.empty(len(rows))
    for flags, places in ((is_positive, of_positives), (~is_positive, of_negatives)):
        parts[flags] = (places - np.mean(places)) * (len(rows) / len(places))
    return parts


def _auc_of_one(rows: Rows, answers: Answers, level: float) -> Estimate:
    places = places_of(rows, answers)
    if rows.units is not None:
        return _AUC_OVER_UNITS.of_one(rows, answers, level)
    error = auc.standard_error(places.of_positives, places.of_negatives)
    bounds = auc.area_interval(places, level) if _is_rich(places) else None
    return alone(
        places.area,
        Bounds(
            low=bounds.low if bounds else None,
            high=bounds.high if bounds else None,
            method="DeLong, logit" if bounds else f"none, {_TOO_FEW}",
            spread=error * len(rows) ** 0.5,
            approximate=True,
        ),
        len(rows),
    )


def _auc_of_two(rows: Rows, new: Answers, old: Answers, level: float, times: float) -> Estimate:
    ours, theirs = places_of(rows, new), places_of(rows, old)
    if rows.units is not None:
        return _AUC_OVER_UNITS.of_two(rows, new, old, level, times)
    moves = ours.of_positives - times * theirs.of_positives, ours.of_negatives - times * theirs.of_negatives
    bounds = auc.difference_interval(ours, theirs, level, times) if _is_rich(ours) else None
    return compared(
        ours.area,
        theirs.area,
        Bounds(
            low=bounds.low if bounds else None,
            high=bounds.high if bounds else None,
            method="paired DeLong" if bounds else f"none, {_TOO_FEW}",
            spread=auc.standard_error(*moves) * len(rows) ** 0.5,
            approximate=True,
        ),
        (len(rows), auc.n_moved(ours, theirs)),
        times,
    )


def _area(rows: Rows, answers: Answers) -> Linear:
    """The area with each row's part in it, for rows in units."""
    places = places_of(rows, answers)
    flags = positives(rows)
    said = np.empty(len(rows))
    said[flags], said[~flags] = places.of_positives, places.of_negatives
    parts = _parts(rows, places.of_positives, places.of_negatives)
    return Linear(value=places.area, parts=parts, said=said, off=1 - said)


def _if_rich(metric: Metric) -> Metric:
    """The metric, without a range where fewer than FEW_OF_A_CLASS rows or units hold one of the classes."""

    def is_rich(rows: Rows) -> bool:
        is_positive = positives(rows)
        return all(
            count_moves(rows, flags.astype(np.int8))[2] >= auc.FEW_OF_A_CLASS for flags in (is_positive, ~is_positive)
        )

    def without(found: Estimate) -> Estimate:
        return replace(found, low=None, high=None, method=f"none, {_TOO_FEW}")

    def of_one(rows: Rows, answers: Answers, level: float) -> Estimate:
        found = metric.of_one(rows, answers, level)
        return found if is_rich(rows) else without(found)

    def of_two(rows: Rows, new: Answers, old: Answers, level: float, times: float) -> Estimate:
        found = metric.of_two(rows, new, old, level, times)
        return found if is_rich(rows) else without(found)

    return Metric(of_one=of_one, of_two=of_two)


_TOO_FEW = f"fewer than {auc.FEW_OF_A_CLASS} rows or units of a class"
_AUC_OVER_UNITS = _if_rich(linear(_area, 0.0, 1.0, logit(0.0, 1.0)))


# --- average precision -------------------------------------------------------------------------------------------


def _average_precision(rows: Rows, answers: Answers) -> Linear:
    return rows.once("average precision", lambda: _work_out_precision(rows, answers), answers)


def _work_out_precision(rows: Rows, answers: Answers) -> Linear:
    """The mean, over positive rows, of the share that is positive among rows scored at least as high.

    A row's part is the derivative by its weight: a positive row has a precision of its own, and every row counts in
    those of the positive rows below it.
    """
    positive = some(positives(rows), "average_precision", "positive")
    chances = chances_of_one(rows, answers, "average_precision")
    order = np.argsort(chances)[::-1]
    hit, ordered = positive[order], chances[order]
    ends = np.flatnonzero(np.concatenate([ordered[1:] != ordered[:-1], [True]]))
    starts = np.concatenate([[0], ends[:-1] + 1])
    sizes = np.diff(np.concatenate([[0], ends + 1]))
    hits_up_to = np.cumsum(hit, dtype=np.float64)[ends]
    called = (ends + 1).astype(np.float64)
    hits_here = np.add.reduceat(hit.astype(np.float64), starts)
    n_positive = float(hits_up_to[-1])
    precision = hits_up_to / called
    value = float(np.dot(hits_here, precision)) / n_positive

    # Summed from the lowest score up: every row also counts in the precision of the positive rows at or below it.
    def from_here_down(values: Values) -> Values:
        return np.asarray(np.cumsum(values[::-1])[::-1])

    as_hit = from_here_down(hits_here / called)
    as_called = from_here_down(hits_here * hits_up_to / called**2)
    own = np.repeat(precision - value + as_hit, sizes) * hit
    parts = np.empty(len(rows))
    parts[order] = (own - np.repeat(as_called, sizes)) * (len(rows) / n_positive)
    return Linear(value=value, parts=parts - np.mean(parts), said=chances, off=np.ones(len(rows)))


METRICS = {
    "auc": Metric(of_one=_auc_of_one, of_two=_auc_of_two),
    "average_precision": _if_rich(linear(_average_precision, 0.0, 1.0, logit(0.0, 1.0))),
}
