"""The area under the ROC curve by name: one model's, and the difference between two on the same rows."""

from headway.stats import auc
from headway.stats.answers import Answers, Rows, chances_of_one, positives
from headway.stats.metrics_estimate import Bounds, Estimate, Metric, alone, compared


def places_of(rows: Rows, answers: Answers) -> auc.Placements:
    """Where the model ranks each row, worked out once."""
    return rows.once("places", lambda: auc.place(positives(rows), chances_of_one(rows, answers, "auc")), answers)


def _is_rich(places: auc.Placements) -> bool:
    return min(len(places.of_positives), len(places.of_negatives)) >= auc.FEW_OF_A_CLASS


def _auc_of_one(rows: Rows, answers: Answers, level: float) -> Estimate:
    places = places_of(rows, answers)
    error = auc.standard_error(places.of_positives, places.of_negatives)
    bounds = auc.area_interval(places, level) if _is_rich(places) else None
    return alone(
        places.area,
        Bounds(
            low=bounds.low if bounds else None,
            high=bounds.high if bounds else None,
            method="DeLong, logit",
            spread=error * len(rows) ** 0.5,
            approximate=True,
        ),
        len(rows),
    )


def _auc_of_two(rows: Rows, new: Answers, old: Answers, level: float, times: float) -> Estimate:
    ours, theirs = places_of(rows, new), places_of(rows, old)
    moves = ours.of_positives - times * theirs.of_positives, ours.of_negatives - times * theirs.of_negatives
    bounds = auc.difference_interval(ours, theirs, level, times) if _is_rich(ours) else None
    return compared(
        ours.area,
        theirs.area,
        Bounds(
            low=bounds.low if bounds else None,
            high=bounds.high if bounds else None,
            method="paired DeLong",
            spread=auc.standard_error(*moves) * len(rows) ** 0.5,
            approximate=True,
        ),
        (len(rows), auc.n_moved(ours, theirs)),
        times,
    )


METRICS = {"auc": Metric(of_one=_auc_of_one, of_two=_auc_of_two)}
