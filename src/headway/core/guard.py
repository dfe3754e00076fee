"""What a release is watched for, as values, and how it is written: `errors`, `new.errors / old.errors <= 1.5`.

    GUARD  = errors | latency | quality | predictions
    CHECK  = SIDE OP NUMBER ["for" "each" COLUMN {"," COLUMN}]
    SIDE   = new.METRIC [("-" | "/") old.METRIC] | (disagreement | shift) "(" new "," old ")"
    METRIC = errors | slow | wrong | accuracy

A guard rolls back a version that is shown to be worse than the champion, and lets pass what is not. A check must be
proved besides before a version is promoted. It is the language of a gate's checks (`core/check_grammar`) with what
traffic can tell; a gate's metrics need labelled rows. Knows no traffic and no strategy (`core/strategy`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from headway.core.problem import did_you_mean

if TYPE_CHECKING:
    # Facts hold guards, and are read by every command: only who reads what a person wrote needs the reader.
    from headway.core.check_tokens import Reader

Metric = Literal["errors", "slow", "wrong", "disagreement", "predictions"]
"""Shares of requests: failed, slower than the objective, labelled and wrong, with another answer than the champion's;
and the shares of predictions that fall into each bin."""

GuardForm = Literal["value", "ratio", "difference"]

FALL = 0.05
"""So far a bin's share of predictions may move before the guard `predictions` speaks: no model repeats another."""


class Guard(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One condition: the `metric` in this `form` is at most `limit`, over all requests and for each slice of `each`.

    A ratio or difference is of the new version's share to the champion's. `must_be_proved` (over all requests, never
    by slices) tells a check from a mere guard. `weight` is its part of the budget of false alarms, beside the others'.
    """

    text: str
    metric: Metric
    form: GuardForm
    limit: float
    must_be_proved: bool = False
    each: tuple[str, ...] = ()
    weight: float = 1.0


GUARDS = {
    "errors": Guard(text="errors", metric="errors", form="ratio", limit=1.0, weight=4.0),
    "latency": Guard(text="latency", metric="slow", form="ratio", limit=1.0),
    "quality": Guard(text="quality", metric="wrong", form="difference", limit=0.0),
    "predictions": Guard(text="predictions", metric="predictions", form="difference", limit=FALL),
}
"""Those that have a name. Errors come first and are what most releases break: they get most of the budget."""

NOT_READY = "not-ready"
"""A cause to roll back that needs no statistics: the target tells it."""

_FORMS = (
    "`new.errors / old.errors <= 1.5`, `new.errors - old.errors <= 0.002`, `new.slow <= 0.01`,"
    " `new.accuracy - old.accuracy >= -0.01`, `disagreement(new, old) <= 0.1` or `shift(new, old) <= 0.05`"
)

_METRICS: dict[str, Metric] = {"errors": "errors", "slow": "slow", "wrong": "wrong", "accuracy": "wrong"}

_PAIRS: dict[str, Metric] = {"disagreement": "disagreement", "shift": "predictions"}


class _Side(Struct, frozen=True):
    name: str
    metric: Metric
    form: GuardForm


def parse_guard_check(text: str) -> Guard:
    """Read one check of a release. Raises CheckUnreadable, with the column where it goes wrong and a remedy.

    >>> guard = parse_guard_check("new.accuracy - old.accuracy >= -0.01 for each region")
    >>> guard.metric, guard.form, guard.limit, guard.each
    ('wrong', 'difference', 0.01, ('region',))
    """
    from headway.core.check_tokens import Reader

    reader = Reader(text)
    side = _side(reader)
    limit = _limit(reader, side)
    each = _each(reader, side)
    rest = reader.next
    if rest.kind != "end":
        remedy = "end there" if each else "end there, or go on with `for each COLUMN`; one condition a line"
        raise reader.fault(rest.at, f"{rest.text!r} is left over", remedy)
    return Guard(text=text.strip(), metric=side.metric, form=side.form, limit=limit, must_be_proved=True, each=each)


def _side(reader: "Reader") -> _Side:
    first = reader.next
    if first.text in _PAIRS:
        reader.read()
        for wanted in ("(", "new", ",", "old", ")"):
            if not reader.takes(wanted):
                raise reader.fault(reader.next.at, f"{wanted!r} is missing", f"write {first.text}(new, old)")
        return _Side(first.text, _PAIRS[first.text], "value" if first.text == "disagreement" else "difference")
    name = _term(reader, "new")
    sign = reader.takes("-", "/")
    if sign is None:
        return _Side(name, _METRICS[name], "value")
    place = reader.next.at
    other = _term(reader, "old")
    if other != name:
        raise reader.fault(place, f"{name} and {other} are two metrics", f"write new.{name} {sign.text} old.{name}")
    if sign.text == "/" and _METRICS[name] == "wrong":
        raise reader.fault(sign.at, "quality is compared by its difference", f"write new.{name} - old.{name}")
    return _Side(name, _METRICS[name], "difference" if sign.text == "-" else "ratio")


def _term(reader: "Reader", model: str) -> str:
    token = reader.read()
    said, dot, name = token.text.partition(".")
    if token.kind == "end":
        raise reader.fault(token.at, f"it ends where {model}.METRIC should stand", f"write {_FORMS}")
    if said != model or not dot:
        raise reader.fault(token.at, f"{token.text!r} is not {model}.METRIC", f"write {_FORMS}")
    if name not in _METRICS:
        otherwise = f"use one of {', '.join(_METRICS)}; a gate measures the others on labelled rows"
        place = token.at + len(model) + 1
        raise reader.fault(place, f"traffic tells nothing of {name!r}", did_you_mean(name, _METRICS, otherwise))
    return name


def _limit(reader: "Reader", side: _Side) -> float:
    """The limit, as the most that the metric may be: of accuracy, which may fall, that is the most that is wrong."""
    token = reader.read()
    more_is_good = side.name == "accuracy"
    wanted = (">=", ">") if more_is_good else ("<=", "<")
    if token.text not in wanted:
        problem = "it compares with nothing" if token.kind == "end" else f"{token.text!r} cannot stand here"
        raise reader.fault(token.at, problem, f"write {' or '.join(wanted)} and a number")
    place = reader.next.at
    number = reader.number("number")
    most = number if not more_is_good else 1 - number if side.form == "value" else -number
    low, high = {"value": (0, 1), "ratio": (1 / 64, 64), "difference": (-1, 1)}[side.form]
    if not (low <= most <= high if side.form == "ratio" else low < most < high):
        ends = "from 1/64 to 64" if side.form == "ratio" else f"between {low} and {high}"
        raise reader.fault(place, f"no {side.form} of shares is decided at {number:g}", f"write a number {ends}")
    if side.metric == "predictions" and most <= 0:
        raise reader.fault(place, "no two versions predict exactly alike", "write a number above 0, such as 0.05")
    return most


def _each(reader: "Reader", side: _Side) -> tuple[str, ...]:
    columns = reader.each()
    if columns and side.metric == "predictions":
        raise reader.fault(columns[0].at, "bins of slices are not counted", "leave out `for each`")
    return tuple(column.name for column in columns)


def shares_of_budget(guards: Sequence[Guard], alpha: float) -> list[float]:
    """Of `alpha` the part of each guard, by weight: all together give at most so many false alarms (Boole).

    >>> [round(part, 3) for part in shares_of_budget([GUARDS["errors"], GUARDS["latency"]], 0.05)]
    [0.04, 0.01]
    """
    total = sum(guard.weight for guard in guards)
    return [alpha * guard.weight / total for guard in guards]
