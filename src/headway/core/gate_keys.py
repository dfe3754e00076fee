"""What cannot be meant by the keys of a gate's `with:`, beyond their kinds. Neighbour: `steps/gate` has the keys."""

from collections.abc import Iterator, Mapping
from typing import Any

from headway.core.check import COSTS
from headway.core.metric import is_metric
from headway.core.problem import Problem


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
