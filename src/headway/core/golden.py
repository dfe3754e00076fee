"""Golden requests: real requests whose answers are known, asked of a version before any traffic reaches it.

One JSON object a line: `inputs` (a row, or a list of rows), and what must come back: `expect` (the prediction, or one
for each row), within `tolerance` where it is a number; or `between`, two bounds it must lie within. With `of` naming
a class, both are about that class's probability. With neither, any answer that is a value will do. `within_ms` is how
many milliseconds it may take, the median of a few asks. Knows no transport.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

TOLERANCE = 1e-6
"""How far from `expect` a number may be unless a request says otherwise: another processor's last digits, no more."""

# Any: values of rows and labels are whatever the model was trained on.
Row = dict[str, Any]


class GoldenRequest(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One request and what must be answered; see the module for the words."""

    inputs: Row | list[Row]
    # Any: a label.
    expect: Any = None
    tolerance: float = TOLERANCE
    between: tuple[float, float] | None = None
    # Any: a class label.
    of: Any = None
    within_ms: Annotated[float, Meta(gt=0)] | None = None


class GoldenReply(Struct, frozen=True, kw_only=True):
    """The body of an answer, as far as it is judged here; see `serving/protocol` for its form."""

    # Any: labels.
    predictions: list[Any]
    # Any: class labels.
    classes: list[Any] | None = None
    probabilities: list[list[float | None]] | None = None


def judge(asked: GoldenRequest, reply: GoldenReply) -> str | None:
    """What is wrong with an answer, in one sentence; None when it is right.

    >>> judge(GoldenRequest(inputs={"a": 1}, expect=2.0, tolerance=0.5), GoldenReply(predictions=[2.7]))
    'answered 2.7, expected 2.0 ± 0.5'
    """
    n_rows = len(asked.inputs) if isinstance(asked.inputs, list) else 1
    if len(reply.predictions) != n_rows:
        return f"answered {len(reply.predictions)} predictions for {n_rows} rows"
    got = reply.predictions if asked.of is None else _of_class(asked, reply)
    if got is None:
        return f"gave no probability of {asked.of!r}; its classes are {reply.classes or 'none'}"
    wanted = (
        asked.expect if isinstance(asked.expect, list) and isinstance(asked.inputs, list) else [asked.expect] * n_rows
    )
    if len(wanted) != n_rows:
        return f"cannot be judged: `expect` has {len(wanted)} values for {n_rows} rows"
    for value, expected in zip(got, wanted, strict=True):
        fault = _fault(asked, value, expected)
        if fault:
            return fault
    return None


# Any: labels, as above.
def _of_class(asked: GoldenRequest, reply: GoldenReply) -> list[Any] | None:
    names = [str(c) for c in reply.classes or ()]
    if reply.probabilities is None or str(asked.of) not in names:
        return None
    column = names.index(str(asked.of))
    return [row[column] for row in reply.probabilities]


# Any: labels, as above.
def _fault(asked: GoldenRequest, got: Any, expected: Any) -> str | None:  # noqa: ANN401 (as above)
    if got is None:
        return "answered null: no value at all"
    if expected is not None and not _is_same(got, expected, asked.tolerance):
        spread = f" ± {asked.tolerance:g}" if _is_number(expected) and asked.tolerance != TOLERANCE else ""
        return f"answered {got}, expected {expected}{spread}"
    if asked.between is not None:
        low, high = asked.between
        if not (_is_number(got) and low <= got <= high):
            return f"answered {got}, expected a value from {low:g} to {high:g}"
    return None


# Any: labels, as above.
def _is_same(got: Any, expected: Any, tolerance: float) -> bool:  # noqa: ANN401 (as above)
    if _is_number(got) and _is_number(expected):
        return bool(abs(got - expected) <= tolerance)
    return bool(got == expected)


# Any: as above.
def _is_number(value: Any) -> bool:  # noqa: ANN401 (as above)
    return isinstance(value, int | float) and not isinstance(value, bool)
