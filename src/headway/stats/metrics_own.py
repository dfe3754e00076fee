"""The user's own metrics: functions of truth, labels and probabilities, which give a number for each row, or one.

One for each row is a mean like any other. One for all rows is resampled: by BCa where that is quick enough, else by
leaving out a hundredth of the rows at a time. What the functions raise or get wrong is said to be theirs.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec import Struct
from scipy import special

from headway.errors import Unmeasurable
from headway.stats import bootstrap
from headway.stats.answers import Answers, Column, Places, Rows, Values
from headway.stats.bounds import Interval
from headway.stats.metrics_estimate import (
    FEW_ROWS,
    Bounds,
    Estimate,
    Metric,
    Moves,
    alone,
    compared,
    count_moves,
    unit_codes,
)
from headway.stats.metrics_losses import mean_loss

MOST_RESAMPLED = 10_000
"""With more rows or units a function is not called on 2,000 resamples, but on 100 samples that leave out a hundredth.

What is left out must be many more than the root of all, or medians and the like come out wrong (Shao & Wu 1989).
"""

N_GROUPS = 100
MOST_LOST = 0.01
"""So many resamples may have no value, as where a class is absent."""

# Any: a person wrote it; what it takes and gives is seen when it is called.
Function = Callable[..., Any]


def of_own(name: str, function: Function) -> Metric:
    """The metric that a user's function measures; `name` is how checks call it."""

    def each_row(rows: Rows, answers: Answers) -> Values:
        return np.asarray(rows.once(f"own {name}", lambda: _call(name, function, rows, answers), answers, function))

    mean = mean_loss(each_row, worst=None, lowest=-math.inf)

    def of_one(rows: Rows, answers: Answers, level: float) -> Estimate:
        found = each_row(rows, answers)
        if found.ndim == 1:
            return mean.of_one(rows, answers, level)
        sample = _Sample(name=name, function=function, rows=rows, answers=((answers, 1.0),))
        bounds = _resample(sample, np.ones(len(rows), dtype=np.int8), level)
        return alone(float(found), bounds, len(rows))

    def of_two(rows: Rows, new: Answers, old: Answers, level: float, times: float) -> Estimate:
        ours, theirs = each_row(rows, new), each_row(rows, old)
        if ours.ndim == theirs.ndim == 1:
            return mean.of_two(rows, new, old, level, times)
        moves = _differ(new, old)
        sample = _Sample(name=name, function=function, rows=rows, answers=((new, 1.0), (old, -times)))
        counts = len(rows), int(np.count_nonzero(moves))
        return compared(float(ours), float(theirs), _resample(sample, moves, level), counts, times)

    return Metric(of_one=of_one, of_two=of_two)


def _differ(new: Answers, old: Answers) -> Moves:
    differ = np.asarray(new.labels != old.labels)
    if new.chances is not None and old.chances is not None:
        differ = differ | (new.chances != old.chances)
    if new.probabilities is not None and old.probabilities is not None:
        differ = differ | (new.probabilities != old.probabilities).any(axis=1)
    return np.asarray(differ, dtype=np.int8)


# --- calling what a person wrote ---------------------------------------------------------------------------------


def _call(name: str, function: Function, rows: Rows, answers: Answers) -> Values:
    """What the function gives: shape `(n_rows,)` or `()`, finite. Raises Unmeasurable, which names it, otherwise."""
    given = _run(name, function, rows, answers)
    if given.shape not in {(), rows.truth.shape}:
        raise _theirs(name, f"gives shape {given.shape} for {len(rows):,} rows", "let it give one number, or one a row")
    if not np.isfinite(given).all():
        n_missing = given.size - int(np.count_nonzero(np.isfinite(given)))
        raise _theirs(name, f"gives {n_missing:,} numbers that are not finite", "let it give finite numbers only")
    return given


def _run(name: str, function: Function, rows: Rows, answers: Answers) -> Values:
    told = answers.chances if answers.probabilities is None else answers.probabilities
    wants_chances = _n_parameters(function) > 2
    if wants_chances and told is None:
        raise _theirs(name, "takes probabilities, and the model gives none", "write it as function(truth, labels)")
    arguments = (rows.truth, answers.labels, told) if wants_chances else (rows.truth, answers.labels)
    try:
        given = function(*arguments)
    except (Exception, SystemExit) as e:
        what = f"raises {type(e).__name__}: {e}"
        raise _theirs(name, what, "mend it, or leave it out of the checks") from e
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as e:
        raise _theirs(name, f"gives {type(given).__name__}, no number", "let it give one number, or one a row") from e


def _theirs(name: str, what: str, remedy: str) -> Unmeasurable:
    return Unmeasurable(f"your metric {name} {what}", at=f"metrics: {name}", remedy=remedy)


def _n_parameters(function: Function) -> int:
    """How many arguments the function takes in order; 2 where that cannot be seen."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 2
    in_order = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return sum(1 for p in parameters if p.kind in in_order and (p.default is p.empty or p.name == "probabilities"))


# --- resampling --------------------------------------------------------------------------------------------------


class _Sample(Struct, frozen=True, kw_only=True, eq=False):
    """A function to be called on samples of the rows: its sum over models, each with a factor."""

    name: str
    function: Function
    rows: Rows
    answers: tuple[tuple[Answers, float], ...]

    def value(self, index: Places) -> float:
        """The value on some rows; NaN where it has none."""
        some, total = Rows(truth=self.rows.truth[index]), 0.0
        for answers, factor in self.answers:
            given = _run(self.name, self.function, some, _needed(self.function, answers).take(index))
            if given.shape != ():
                raise _theirs(self.name, "gives one number for all rows, and then several", "let it always give one")
            total += factor * float(given)
        return total

    def order(self) -> Places:
        """The rows in an order that does not depend on how they are given, unit by unit."""
        columns: list[Column] = [self.rows.truth]
        for answers, _ in self.answers:
            columns += [answers.labels] if answers.chances is None else [answers.labels, answers.chances]
        keys = [column if column.dtype.kind in "biuf" else _number(column) for column in columns]
        if self.rows.units is not None:
            keys.insert(0, self.rows.units)
        return np.lexsort(keys[::-1])


def _needed(function: Function, answers: Answers) -> Answers:
    """The answers without what the function does not take, which then need not be copied for each sample."""
    if _n_parameters(function) > 2:
        return answers
    return Answers(labels=answers.labels)


def _number(column: Column) -> Places:
    return np.unique(column.astype(np.str_), return_inverse=True)[1].reshape(-1)


def _resample(sample: _Sample, moves: Moves, level: float) -> Bounds:
    """The bounds by resampling, or none where too few rows or units tell."""
    rows = sample.rows
    n_units = unit_codes(rows)[1]
    what = "rows" if rows.units is None else "units"
    if n_units < bootstrap.FEW_ROWS:
        return _none(f"none, fewer than {bootstrap.FEW_ROWS} {what}")
    if count_moves(rows, moves)[2] < FEW_ROWS:
        return _none(f"none, fewer than {FEW_ROWS} {what} tell")
    order = sample.order()
    codes = np.arange(len(rows)) if rows.units is None else unit_codes(rows)[0][order]
    n_groups = N_GROUPS if n_units > MOST_RESAMPLED else min(n_units, 2 * N_GROUPS)
    group = bootstrap.groups_at_random(codes, rows.seed, n_groups)
    without = np.array([sample.value(order[group != i]) for i in range(n_groups)])
    pulls = without - without.mean()
    error = math.sqrt((n_groups - 1) / n_groups * float(np.dot(pulls, pulls)))
    interval = (
        _jackknife(sample, order, error, level)
        if n_units > MOST_RESAMPLED
        else _bca(sample, order, codes, without, level)
    )
    if interval is None:
        return _none("none, the resamples do not tell")
    over = "" if rows.units is None else " over units"
    return Bounds(
        low=interval.low,
        high=interval.high,
        method=("jackknife of groups" if n_units > MOST_RESAMPLED else "bootstrap (BCa)") + over,
        spread=error * math.sqrt(len(rows)),
        approximate=True,
    )


def _none(method: str) -> Bounds:
    return Bounds(low=None, high=None, method=method, spread=0.0)


def _jackknife(sample: _Sample, order: Places, error: float, level: float) -> Interval | None:
    """The t interval from samples that each leave out one of N_GROUPS groups.

    Source: Shao & Wu (1989), Ann. Statist. 17, 1176-1197.
    """
    value = sample.value(order)
    if not math.isfinite(error) or error == 0:
        return None
    half = float(special.stdtrit(N_GROUPS - 1, (1 + level) / 2)) * error
    return Interval(low=value - half, high=value + half, level=level)


def _bca(sample: _Sample, order: Places, codes: Places, without: Values, level: float) -> Interval | None:
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    sizes = np.diff(np.concatenate([starts, [len(codes)]]))
    raw = bootstrap.generator(sample.rows.seed)
    values = np.empty(bootstrap.N_RESAMPLES)
    for i in range(bootstrap.N_RESAMPLES):
        drawn = bootstrap.draw(raw, len(starts), len(starts))
        many = sizes[drawn]
        # The rows of each drawn unit, one after the other.
        within = np.arange(int(many.sum())) - np.repeat(np.cumsum(many) - many, many)
        values[i] = sample.value(order[np.repeat(starts[drawn], many) + within])
    if np.count_nonzero(~np.isfinite(values)) > MOST_LOST * len(values):
        return None
    return bootstrap.adjusted(sample.value(order), values, without, level)
