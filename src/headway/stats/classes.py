"""Labels of several classes as numbers, and what the counts of a confusion matrix say of a model."""

from typing import Any

import numpy as np
from msgspec import Struct

from headway.errors import Unmeasurable
from headway.stats.answers import (
    Answers,
    Column,
    Flags,
    Places,
    Rows,
    Values,
    called_positive,
    has_positives,
    is_binary,
    positives,
    right_answers,
)

MANY_ROWS = 2000
"""With fewer rows it is not worth while to find those that are alike."""

MOST_KINDS = 65_536


class Codes(Struct, frozen=True, kw_only=True, eq=False):
    """True and told classes of each row as numbers from 0; those below `n_true` are classes that the truth holds."""

    truth: Places
    told: Places
    right: Flags
    names: tuple[object, ...]
    n_true: int
    weights: Values | None = None

    @property
    def n_classes(self) -> int:
        """How many classes the truth or the model names."""
        return len(self.names)


def code(rows: Rows, answers: Answers, metric: str) -> Codes:
    """The classes of truth and labels; raises Unmeasurable where those are no classes but numbers of any size."""
    right = right_answers(rows, answers)
    truth = rows.truth
    if truth.dtype.kind == "f" and not rows.once("is whole", lambda: bool((truth == np.floor(truth)).all())):
        raise Unmeasurable(
            f"{metric} needs classes, and the target holds numbers such as {truth[truth != np.floor(truth)][0]:g}",
            at="target",
            remedy="gate on rmse or mae, or name a column of classes as target",
        )
    if rows.once("has both classes", lambda: _has_both(rows)) and is_binary(answers.labels):
        told = rows.once("told 1", lambda: called_positive(rows, answers).astype(np.int64), answers)
        codes = rows.once("true 1", lambda: positives(rows).astype(np.int64))
        return Codes(truth=codes, told=told, right=right, names=(0, 1), n_true=2, weights=rows.weights)
    names, codes = rows.once("true classes", lambda: _code_truth(truth))

    def code_labels() -> tuple[Places, tuple[object, ...]]:
        told = codes.copy()
        wrong = ~right
        told[wrong], all_names = _code_others(answers.labels[wrong], names)
        return told, all_names

    told, all_names = rows.once("told classes", code_labels, answers)
    return Codes(truth=codes, told=told, right=right, names=all_names, n_true=len(names), weights=rows.weights)


def _has_both(rows: Rows) -> bool:
    return has_positives(rows) and 0 < int(np.count_nonzero(positives(rows))) < len(rows)


def alike(rows: Rows, *answers: Answers) -> tuple[Any, ...]:
    """The rows and answers with those alike in truth and labels as one, of a weight; as they are if few are alike.

    For metrics of labels alone, where rows are independent: eight kinds of rows tell all of a million.
    """
    if rows.units is not None or len(rows) < MANY_ROWS:
        return rows, *answers
    return rows.once("alike", lambda: _find_alike(rows, answers), *answers)


def _find_alike(rows: Rows, answers: tuple[Answers, ...]) -> tuple[Any, ...]:
    codes = [code(rows, said, "a metric of classes") for said in answers]
    names = list(dict.fromkeys(name for each in codes for name in each.names))
    n = len(names)
    if n ** (len(answers) + 1) > MOST_KINDS:
        return rows, *answers
    kinds = codes[0].truth.copy()
    for each in codes:
        places = np.array([names.index(name) for name in each.names])
        # The truth's classes come first and in one order everywhere.
        told = each.told if (places == np.arange(len(places))).all() else places[each.told]
        kinds *= n
        kinds += told
    counts = np.bincount(kinds)
    found = np.flatnonzero(counts)
    columns = np.unravel_index(found, (n,) * (len(answers) + 1))
    values = np.array(names) if all(isinstance(name, int) for name in names) else np.array(names, dtype=object)
    truth, *labels = (values[column] for column in columns)
    merged = Rows(truth=truth, seed=rows.seed, weights=counts[found].astype(np.float64))
    return merged, *(Answers(labels=column) for column in labels)


def _code_truth(truth: Column) -> tuple[dict[object, int], Places]:
    if truth.dtype.kind in "bf":
        # Whole numbers, as was seen before.
        truth = truth.astype(np.int64)
    if truth.dtype.kind in "iu":
        lowest, highest = int(truth.min()), int(truth.max())
        if highest - lowest < 65_536:
            counts = np.bincount(truth - lowest)
            found = np.flatnonzero(counts)
            places = np.cumsum(counts > 0) - 1
            return {int(value) + lowest: i for i, value in enumerate(found)}, places[truth - lowest]
    values = truth.tolist()
    names = {value: i for i, value in enumerate(sorted(set(values), key=str))}
    return names, np.fromiter(map(names.__getitem__, values), dtype=np.int64, count=len(values))


def _code_others(labels: Column, names: dict[object, int]) -> tuple[Places, tuple[object, ...]]:
    """The codes of labels by the names that are known; those not known get numbers after them."""
    all_names = dict(names)
    values = labels.tolist()
    for value in sorted(set(values) - set(names), key=str):
        all_names[value] = len(all_names)
    return np.fromiter(map(all_names.__getitem__, values), dtype=np.int64, count=len(values)), tuple(all_names)


class Confusion(Struct, frozen=True, kw_only=True, eq=False):
    """Shares of all rows by class: truly of it, told to be, and both; each of shape `(n_classes,)`."""

    true: Values
    told: Values
    right: Values


def confuse(codes: Codes) -> Confusion:
    """The shares that a confusion matrix sums up."""
    n = codes.n_classes
    ones = np.ones(len(codes.truth)) if codes.weights is None else codes.weights
    columns = (codes.truth, ones), (codes.told, ones), (codes.truth, ones * codes.right)
    true, told, right = (np.bincount(column, weights, minlength=n) / ones.sum() for column, weights in columns)
    return Confusion(true=true, told=told, right=right)


class Slopes(Struct, frozen=True, kw_only=True, eq=False):
    """A metric and how it changes with the shares of a Confusion, class by class."""

    value: float
    true: Values
    told: Values
    right: Values


def mcc(seen: Confusion) -> Slopes:
    """Matthews' correlation for any number of classes; 0 where truth or answers do not vary, as in scikit-learn.

    Sources: Matthews (1975), Biochim. Biophys. Acta 405, 442-451; Gorodkin (2004), Comput. Biol. Chem. 28, 367-374.
    """
    both = float(seen.right.sum() - np.dot(seen.true, seen.told))
    of_told, of_true = (float(1 - np.dot(shares, shares)) for shares in (seen.told, seen.true))
    if of_told <= 0 or of_true <= 0:
        none = np.zeros_like(seen.true)
        return Slopes(value=0.0, true=none, told=none, right=none)
    scale = (of_told * of_true) ** 0.5
    value = both / scale
    return Slopes(
        value=value,
        true=-seen.told / scale + value * seen.true / of_true,
        told=-seen.true / scale + value * seen.told / of_told,
        right=np.full(len(seen.true), 1 / scale),
    )


def kappa(seen: Confusion) -> Slopes:
    """Cohen's kappa; 0 where truth and answers are all of one class, for then chance agrees as well.

    Source: Cohen (1960), Educ. Psychol. Meas. 20, 37-46.
    """
    by_chance = float(np.dot(seen.true, seen.told))
    if by_chance >= 1:
        none = np.zeros_like(seen.true)
        return Slopes(value=0.0, true=none, told=none, right=none)
    value = (float(seen.right.sum()) - by_chance) / (1 - by_chance)
    pull = (value - 1) / (1 - by_chance)
    return Slopes(
        value=value,
        true=pull * seen.told,
        told=pull * seen.true,
        right=np.full(len(seen.true), 1 / (1 - by_chance)),
    )


def f1_macro(seen: Confusion) -> Slopes:
    """The mean F1 over the classes that the truth or the answers hold."""
    both = seen.true + seen.told
    n = np.count_nonzero(both)
    of_class = np.divide(2 * seen.right, both, out=np.zeros_like(both), where=both > 0)
    per = np.divide(1 / n, both, out=np.zeros_like(both), where=both > 0)
    return Slopes(
        value=float(of_class.sum() / n), true=-of_class * per, told=-of_class * per, right=np.asarray(2 * per)
    )


def precision_macro(seen: Confusion) -> Slopes:
    """The mean precision over the classes that the truth or the answers hold; 0 for one that is never told."""
    n = np.count_nonzero(seen.true + seen.told)
    per = np.divide(1 / n, seen.told, out=np.zeros_like(seen.told), where=seen.told > 0)
    value = seen.right * per
    # Where a class is never told its value is 0, and no single row says how it would change.
    return Slopes(
        value=float(value.sum()), true=np.zeros_like(per), told=np.asarray(-value * per * n), right=np.asarray(per)
    )


def recall_macro(seen: Confusion) -> Slopes:
    """The mean recall over the classes that the truth holds."""
    n = np.count_nonzero(seen.true)
    per = np.divide(1 / n, seen.true, out=np.zeros_like(seen.true), where=seen.true > 0)
    value = seen.right * per
    return Slopes(
        value=float(value.sum()), true=np.asarray(-value * per * n), told=np.zeros_like(per), right=np.asarray(per)
    )


def parts_of(codes: Codes, slopes: Slopes) -> Values:
    """Each row's part in the error of a metric of shares, which are 0 on average."""
    parts = slopes.true[codes.truth] + slopes.told[codes.told] + np.where(codes.right, slopes.right[codes.truth], 0.0)
    return np.asarray(parts - np.average(parts, weights=codes.weights), dtype=np.float64)
