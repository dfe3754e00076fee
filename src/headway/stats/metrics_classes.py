"""Metrics of labels of several classes: macro means over classes, Matthews' correlation, kappa."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from headway.stats import classes, compare
from headway.stats.answers import Answers, Flags, Rows
from headway.stats.bounds import Interval
from headway.stats.interval import clopper_pearson
from headway.stats.metrics_estimate import Bounds, Estimate, Metric, alone, compared
from headway.stats.metrics_linear import Linear, Scale, linear, logit
from headway.stats.metrics_losses import probabilities_of
from headway.stats.metrics_shares import Hits, share


def _of_counts(name: str, slopes: Callable[[classes.Confusion], classes.Slopes]) -> Callable[[Rows, Answers], Linear]:
    def make(rows: Rows, answers: Answers) -> Linear:
        codes = classes.code(rows, answers, name)
        found = slopes(classes.confuse(codes))
        off = np.asarray(~codes.right, dtype=np.float64)
        return Linear(value=found.value, parts=classes.parts_of(codes, found), said=codes.told, off=off)

    return make


def _linear(name: str, slopes: Callable[[classes.Confusion], classes.Slopes], lowest: float, scale: Scale) -> Metric:
    inner = linear(_of_counts(name, slopes), lowest, 1.0, scale)

    def of_two(rows: Rows, new: Answers, old: Answers, level: float, times: float) -> Estimate:
        classes.code(rows, new, name)
        rows, new, old = classes.alike(rows, new, old)
        return inner.of_two(rows, new, old, level, times)

    def of_one(rows: Rows, answers: Answers, level: float) -> Estimate:
        classes.code(rows, answers, name)
        rows, answers = classes.alike(rows, answers)
        return inner.of_one(rows, answers, level)

    return Metric(of_one=of_one, of_two=of_two)


# --- the mean of recalls: classes are independent of each other --------------------------------------------------


def _mean_recall(name: str) -> Metric:
    """The mean recall over classes, each with the exact interval of its share, squared and added.

    Rows of different classes are independent, so that the errors of their recalls add up by their squares. Unlike
    methods that look at variances, this one holds where a class is rare or flawless.
    Source: Zou & Donner (2008), Statistics in Medicine 27, 1693-1702.
    """
    over_units = _linear(name, classes.recall_macro, 0.0, logit(0.0, 1.0))

    def of_one(rows: Rows, answers: Answers, level: float) -> Estimate:
        if rows.units is not None:
            return over_units.of_one(rows, answers, level)
        rows, answers = classes.alike(rows, answers)
        codes = classes.code(rows, answers, name)
        counts = _by_class(codes)
        shares = [hits / trials for hits, trials in counts]
        value = math.fsum(shares) / len(shares)
        ranges = [clopper_pearson(hits, trials, level) for hits, trials in counts]
        bounds = _added(shares, ranges, math.sqrt(_variance(codes)), "Clopper-Pearson by class, square-and-add")
        return alone(value, bounds.within(0.0, 1.0), rows.n_rows)

    def of_two(rows: Rows, new: Answers, old: Answers, level: float, times: float) -> Estimate:
        if rows.units is not None or times != 1:
            return over_units.of_two(rows, new, old, level, times)
        rows, new, old = classes.alike(rows, new, old)
        ours, theirs = classes.code(rows, new, name), classes.code(rows, old, name)
        pairs = list(_pairs_by_class(ours, theirs))
        new_value, old_value = (
            math.fsum(hits / trials for hits, trials in _by_class(codes)) / len(pairs) for codes in (ours, theirs)
        )
        spread = math.sqrt(sum(pair.spread**2 * rows.n_rows / pair.n_rows for pair in pairs)) / len(pairs)
        ranges = [compare.tango_corrected(pair, level) for pair in pairs]
        bounds = _added([pair.difference for pair in pairs], ranges, spread, "Tango by class, square-and-add")
        counts = rows.n_rows, rows.count(ours.right != theirs.right)
        return compared(new_value, old_value, bounds.within(-1.0, 1.0), counts, times)

    return Metric(of_one=of_one, of_two=of_two)


def _by_class(codes: classes.Codes) -> list[tuple[int, int]]:
    """The rows right and all rows of each class that the truth holds."""
    return list(zip(_count(codes, codes.right), _count(codes, codes.right | True), strict=True))


def _count(codes: classes.Codes, flags: Flags) -> list[int]:
    """How many rows of each true class are flagged."""
    weights = flags if codes.weights is None else codes.weights * flags
    return [round(count) for count in np.bincount(codes.truth, weights, minlength=codes.n_true).tolist()]


def _pairs_by_class(new: classes.Codes, old: classes.Codes) -> Iterator[compare.Pairs]:
    counts = (_count(new, flags) for flags in (new.right & ~old.right, old.right & ~new.right, new.right | True))
    for gained, lost, n_rows in zip(*counts, strict=True):
        yield compare.Pairs(gained=gained, lost=lost, n_rows=n_rows)


def _variance(codes: classes.Codes) -> float:
    """The variance of one row's part in the mean recall."""
    counts = _by_class(codes)
    n_rows = sum(trials for _, trials in counts)
    return sum(hits / trials * (1 - hits / trials) * n_rows / trials for hits, trials in counts) / len(counts) ** 2


def _added(values: list[float], ranges: list[Interval], spread: float, method: str) -> Bounds:
    """The bounds of the mean of independent values, from the bounds of each."""
    n, value = len(values), math.fsum(values) / len(values)
    down = math.sqrt(sum((value - bounds.low) ** 2 for value, bounds in zip(values, ranges, strict=True))) / n
    up = math.sqrt(sum((bounds.high - value) ** 2 for value, bounds in zip(values, ranges, strict=True))) / n
    return Bounds(low=value - down, high=value + up, method=method, spread=spread, approximate=n > 1)


def accuracy_among(k: float) -> Metric:
    """The share of rows whose true class is among the k likeliest; classes that are as likely stand before it."""
    name = f"accuracy@{k:g}"

    def hits(rows: Rows, answers: Answers) -> Hits:
        probabilities, place = probabilities_of(rows, answers, name)
        of_truth = probabilities[np.arange(len(rows)), place]
        n_before = np.count_nonzero(probabilities >= of_truth[:, np.newaxis], axis=1)
        return Hits(rows=rows, right=np.asarray(n_before <= k, dtype=np.bool_))

    return share(hits)


FAMILIES = {"accuracy": accuracy_among}
METRICS = {
    "balanced_accuracy": _mean_recall("balanced_accuracy"),
    "recall_macro": _mean_recall("recall_macro"),
    "precision_macro": _linear("precision_macro", classes.precision_macro, 0.0, logit(0.0, 1.0)),
    "f1_macro": _linear("f1_macro", classes.f1_macro, 0.0, logit(0.0, 1.0)),
    "mcc": _linear("mcc", classes.mcc, -1.0, logit(-1.0, 1.0)),
    "kappa": _linear("kappa", classes.kappa, -1.0, logit(-1.0, 1.0)),
}
