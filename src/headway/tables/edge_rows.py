"""Rows at which two models would part, if they part anywhere: made of real ones, a value of a column changed in each.

Gaps, extremes, texts that were never seen, numbers that 32 bits cannot hold; both sides of each place where trees
split; and both sides of the places between two real rows where the model's answer jumps, which are found by asking it.
Neighbour: `asked` asks models about a holdout. Knows no format.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.core.prediction import LoadedModel, Prediction
from headway.errors import DataUnreadable

if TYPE_CHECKING:
    import numpy as np

    # Any: answers of any kind.
    Array = np.ndarray[Any, np.dtype[Any]]

# Any: values of rows.
Row = Mapping[str, Any]

BASES = 4
"""Real rows that each change is made to: what it does may depend on the other columns."""

THRESHOLDS = 1000
"""Places of splits that are tried, evenly taken of all there are."""

JUMPS = 150
"""Pairs of real rows between which a jump is looked for."""

HALVINGS = 70
"""Halvings: two numbers of 64 bits are neighbours after that, unless they lie within some 1e-18 of zero."""

BEYOND_32_BITS = 1e39
UNSEEN = "\x7fa text that nobody saw"


def of_columns(rows: Sequence[Row], columns: Iterable[str]) -> dict[tuple[str, str], list[Row]]:
    """Rows by column and by what is odd there: `gap`, `infinite`, `large`, `unseen`, and `extreme` for the rest."""
    found: dict[tuple[str, str], list[Row]] = {}
    bases = _spread(rows, BASES)
    for name in columns:
        values = [row[name] for row in rows if row[name] is not None]
        changes: dict[str, list[object]] = {"gap": [None]}
        if any(isinstance(value, str) for value in values):
            changes |= {"unseen": [UNSEEN], "empty": [""], "extreme": [f" {values[0]}", str(values[0]).upper()]}
        elif values and all(isinstance(value, bool) for value in values):
            changes["extreme"] = [True, False]
        elif values and all(isinstance(value, int | float) for value in values):
            changes |= _numbers([float(value) for value in values], is_whole=isinstance(values[0], int))
        for what, ones in changes.items():
            found[name, what] = [{**base, name: value} for value in ones for base in bases]
    return found


def _numbers(values: list[float], *, is_whole: bool) -> dict[str, list[object]]:
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    far = (high - low or 1.0) * 10
    extremes = [low, high, low - far, high + far, 0.0]
    return {
        "extreme": [int(value) if is_whole else value for value in extremes],
        "large": [BEYOND_32_BITS, -BEYOND_32_BITS],
        "infinite": [math.inf, -math.inf],
    }


def at_splits(rows: Sequence[Row], columns: Sequence[str], splits: Sequence[tuple[int, float]]) -> list[Row]:
    """Rows at and beside each place where trees split: in 64 bits, in 32, and where numbers are rounded to those."""
    found: list[Row] = []
    for at, (column, value) in enumerate(_spread(splits, THRESHOLDS)):
        base, name = rows[at % len(rows)], columns[column]
        found += [{**base, name: one} for one in beside(value)]
    return found


def beside(value: float) -> list[float]:
    """A number, its neighbours in 64 and in 32 bits, and those of the middle at which 64 bits become the upper one.

    >>> len({float(x) for x in beside(0.1)})
    8
    """
    import numpy as np

    with np.errstate(over="ignore"):
        single = np.float32(value)
        below = single if float(single) <= value else np.nextafter(single, np.float32(-np.inf))
        above = np.nextafter(below, np.float32(np.inf))
    middle = (float(below) + float(above)) / 2
    around = [math.nextafter(one, to) for one in (value, middle) for to in (-math.inf, math.inf)]
    return [one for one in (value, float(below), float(above), middle, *around) if math.isfinite(one)]


def at_jumps(model: LoadedModel, rows: Sequence[Row], columns: Sequence[str], *, seed: int = 0) -> list[Row]:
    """Rows on both sides of places where the model's answer jumps (or, if it glides, has come half the way).

    They are looked for between two real rows that differ in one column, by halving. Raises as the model does.
    """
    import numpy as np

    chance = np.random.default_rng(seed)
    names = [name for name in columns if all(_is_number(row[name]) for row in rows)]
    if not names:
        return []
    pairs = []
    for one, other in chance.integers(len(rows), size=(JUMPS, 2)):
        name = names[int(chance.integers(len(names)))]
        low, high = sorted((float(rows[one][name]), float(rows[other][name])))
        pairs.append((rows[one], name, low, high))
    lows, highs = (np.array([pair[at] for pair in pairs], dtype=np.float64) for at in (2, 3))

    def asked(values: "Array") -> "Array":
        changed = [{**row, name: float(v)} for (row, name, _, _), v in zip(pairs, values, strict=True)]
        return _vector(model.predict(changed))

    at_low, at_high = asked(lows), asked(highs)
    differs = np.abs(at_low - at_high).sum(axis=1) > 0
    for _ in range(HALVINGS):
        middles = lows + (highs - lows) / 2
        if not (differs & (middles > lows) & (middles < highs)).any():
            break
        at_middle = asked(middles)
        is_near = np.abs(at_middle - at_low).sum(axis=1) < np.abs(at_middle - at_high).sum(axis=1)
        lows, highs = np.where(is_near, middles, lows), np.where(is_near, highs, middles)
        at_low = np.where(is_near[:, None], at_middle, at_low)
        at_high = np.where(is_near[:, None], at_high, at_middle)
    return [
        {**pairs[at][0], pairs[at][1]: value}
        for at in np.flatnonzero(differs)
        for value in {float(lows[at]), float(highs[at]), *beside(float(lows[at]))}
    ]


def _vector(told: Prediction) -> "Array":
    """An answer as numbers, shape (n_rows, n): probabilities, else labels, classes by their position."""
    import numpy as np

    if told.probabilities is not None:
        return told.probabilities
    labels = told.labels
    if labels.dtype.kind not in "fiub":
        labels = np.unique(labels, return_inverse=True)[1]
    return labels.reshape(len(labels), -1).astype(np.float64)


def apart(
    rows: Sequence[Row], one: LoadedModel, other: LoadedModel, compare: Callable[[Prediction, Prediction, int], None]
) -> str:
    """Ask both about the rows and hand their answers to `compare`, with the number of the first row.

    Rows that a model refuses are halved until it is known which they are: both must refuse the same. Returns how they
    do not, empty when they do.
    """
    waiting = [(0, list(rows))]
    while waiting:
        first, some = waiting.pop()
        told, others = _asked(one, some), _asked(other, some)
        if isinstance(told, Prediction) and isinstance(others, Prediction):
            compare(told, others, first)
        elif len(some) > 1:
            half = len(some) // 2
            waiting += [(first + half, some[half:]), (first, some[:half])]
        elif isinstance(told, Prediction) or isinstance(others, Prediction):
            who, why = ("it", told) if isinstance(others, Prediction) else ("its conversion", others)
            return f"row {first}: only {who} refuses it ({why})"
    return ""


def refusal(model: LoadedModel, rows: Sequence[Row]) -> str:
    """Why a model refuses these rows, all in one request; empty when it answers."""
    told = _asked(model, rows)
    return "" if isinstance(told, Prediction) else told


def answered(model: LoadedModel, rows: Sequence[Row], enough: int) -> tuple[int, str]:
    """How many of the rows a model answers, not counted further than `enough`, and why it refused one of the others."""
    waiting, n_answered, why = [rows], 0, ""
    while waiting and n_answered < enough:
        some = waiting.pop()
        if not (refused := refusal(model, some)):
            n_answered += len(some)
        elif len(some) > 1:
            half = len(some) // 2
            waiting += [some[half:], some[:half]]
        else:
            why = why or refused
    return n_answered, why


def _asked(model: LoadedModel, rows: Sequence[Row]) -> Prediction | str:
    try:
        return model.predict(rows)
    except DataUnreadable as e:
        return e.problem
    except Exception as e:  # noqa: BLE001 (a model of somebody's own raises what it likes)
        return f"it raises {type(e).__name__}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# Any: rows or splits.
def _spread(of: Sequence[Any], most: int) -> list[Any]:
    """At most so many of them, evenly taken."""
    return [of[at * len(of) // most] for at in range(most)] if len(of) > most else list(of)
