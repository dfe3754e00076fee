"""What cannot be meant by the keys of a gate's `with:`, beyond their kinds. Neighbour: `steps/gate` has the keys."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from headway.core.check import COSTS
from headway.core.check_grammar import parse_checks
from headway.core.metric import is_metric
from headway.core.problem import Problem
from headway.errors import HeadwayError


def own_names(metrics: object) -> tuple[str, ...]:
    """The names of the user's own metrics, as far as they can be read."""
    return tuple(str(name) for name in metrics) if isinstance(metrics, dict) else ()


# Any: `with:` as a person wrote it.
def misfits(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Values that cannot stand beside each other, and metrics whose names cannot be."""
    if not values.get("challenger") and not values.get("predictions"):
        remedy = 'write it like this: challenger: "models/model.pkl"; or name what it answered: `predictions`'
        yield Problem(path=(), problem="`challenger` is missing", remedy=remedy)
    reuse, metrics = values.get("reuse"), values.get("metrics")
    yield from _untimed(values)
    if isinstance(reuse, dict) and reuse.get("reveal") == "verdict" and values.get("unsure") == "pass":
        yield Problem(
            path=("unsure",),
            problem="with `reveal: verdict`, what is unsure is told like a fail and cannot pass",
            remedy="write `unsure: hold`, or `reveal: rounded`",
        )
    for name in metrics if isinstance(metrics, dict) else ():
        if is_metric(str(name)) or name in COSTS or not str(name).isidentifier():
            yield Problem(
                path=("metrics", name),
                problem=f"{name!r} cannot be a metric of your own: it is one already, or no plain word",
                remedy="choose another word of letters, digits and _",
                at_key=True,
            )


# Any: as above.
def _untimed(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Checks of how long answers take, where no model is run."""
    texts = values.get("checks") if values.get("predictions") else ()
    for i, text in enumerate(texts if isinstance(texts, list | tuple) else ()):
        # What cannot be read is told elsewhere.
        with suppress(HeadwayError):
            checks = parse_checks([text], own_names(values.get("metrics")))
            if any(check.costs and check.metric != "size_mb" for check in checks):
                yield Problem(
                    path=("checks", i),
                    problem="no model is run where `predictions` are given, so nothing can be timed",
                    remedy="leave the check out, or name the models instead (challenger, champion)",
                )
