"""Several runs in one picture: what differs between them as axes side by side, each run as a line across all of them.

Decides only what stands where; `codec/parallel_svg` draws it. Neighbour: `core/history` tells differences one by one.
"""

from collections.abc import Sequence

from msgspec import Struct

from headway.core.facts import Scalar
from headway.core.ids import RunId
from headway.core.telling import number

AXES = 10
"""Parameters and metrics that are drawn: more cannot be told apart."""

SHADES = 5
"""Steps from the least to the greatest value of the metric that colours the lines."""


class Values(Struct, frozen=True, kw_only=True):
    """What a run was given and what came of it."""

    run: RunId
    params: dict[str, Scalar]
    metrics: dict[str, float]


class Axis(Struct, frozen=True, kw_only=True):
    """One parameter or metric. `marks` are values in words with their place, 0 at the foot and 1 at the head."""

    name: str
    kind: str
    marks: tuple[tuple[float, str], ...]


class Line(Struct, frozen=True, kw_only=True):
    """One run: its place on each axis, None where it has no value; `shade` goes up with the metric that was chosen."""

    run: RunId
    places: tuple[float | None, ...]
    told: str
    shade: int | None = None


class Picture(Struct, frozen=True, kw_only=True):
    """The whole. `by` is the metric that colours the lines, empty where there is none."""

    by: str
    axes: tuple[Axis, ...]
    lines: tuple[Line, ...]


def picture(runs: Sequence[Values], by: str = "") -> Picture:
    """Parameters that differ, then metrics that differ; `by` is a metric, else the last one that all of them have.

    >>> two = [Values(run=RunId(n), params={"lr": n / 10}, metrics={"auc": 0.7 + n / 100}) for n in (1, 2)]
    >>> [axis.name for axis in picture(two).axes], [line.shade for line in picture(two).lines]
    (['lr', 'auc'], [0, 4])
    """
    params = _differing([one.params for one in runs])
    metrics = _differing([one.metrics for one in runs])
    # The last that all of them reported: checks of the data come first, and tell least.
    common = [name for name in metrics if all(name in one.metrics for one in runs)] or metrics
    chosen = by if any(by in one.metrics for one in runs) else next(reversed(common), "")
    # What the lines are coloured by stands last, where the eye ends.
    metrics = [name for name in metrics if name != chosen] + [name for name in metrics if name == chosen]
    room = max(AXES - len(metrics), AXES // 2)
    columns = [("parameter", name, [one.params.get(name) for one in runs]) for name in params[:room]]
    columns += [("metric", name, [one.metrics.get(name) for one in runs]) for name in metrics[len(columns) - AXES :]]
    placed = [(name, kind, *_placed(values)) for kind, name, values in columns]
    shades = _placed([one.metrics.get(chosen) for one in runs])[1]
    lines = [
        Line(
            run=one.run,
            places=tuple(places[i] for _, _, _, places in placed),
            told=", ".join(f"{name} {_word(values[i])}" for _, name, values in columns),
            shade=None if (at := shades[i]) is None else min(int(at * SHADES), SHADES - 1),
        )
        for i, one in enumerate(runs)
    ]
    axes = tuple(Axis(name=name, kind=kind, marks=marks) for name, kind, marks, _ in placed)
    return Picture(by=chosen, axes=axes, lines=tuple(lines))


def _differing(each: "Sequence[dict[str, Scalar]] | Sequence[dict[str, float]]") -> list[str]:
    names = dict.fromkeys(name for one in each for name in one)
    return [name for name in names if len({_word(one.get(name)) for one in each}) > 1]


def _placed(values: Sequence[Scalar]) -> tuple[tuple[tuple[float, str], ...], list[float | None]]:
    """The marks of an axis, and where each value stands on it; numbers by size, all else in the order of words."""
    there = [value for value in values if value is not None]
    numbers = [float(value) for value in there if isinstance(value, int | float) and not isinstance(value, bool)]
    if there and len(numbers) == len(there):
        low, high = min(numbers), max(numbers)
        places = [None if value is None else _share(float(value), low, high) for value in values]
        return tuple((_share(one, low, high), number(one)) for one in dict.fromkeys((low, high))), places
    words = sorted({_word(value) for value in there})
    at = {word: _share(float(i), 0.0, len(words) - 1.0) for i, word in enumerate(words)}
    return tuple((place, word) for word, place in at.items()), [
        None if value is None else at[_word(value)] for value in values
    ]


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5


def _word(value: Scalar) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return number(value)
        case _:
            return value
