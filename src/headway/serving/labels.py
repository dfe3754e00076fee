"""`POST /labels`: the truth that arrives later. Reading a request and checking all of it before any of it is taken.

    [{"request_id": "order-17", "label": 1, "at": 1763980000.5}, {"request_id": "order-18", "row": 2, "label": "late"}]

One object or a list. `at` (UTC seconds) may be missing: the label is then from now; `row` too: the first one.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from headway.core.facts import Scalar
from headway.core.prediction_log import Label
from headway.serving.protocol import UNREADABLE, FieldFault, Refusal, nearest, request_id_from

MAX_FAULTS = 20

_KEYS = ("request_id", "label", "at", "row")


def read_labels(body: bytes, *, now: float) -> tuple[Label, ...] | Refusal:
    """The labels of a request; faults are told all at once, by row and field.

    >>> read_labels(b'{"request_id": "a", "label": 1}', now=5.0)
    (Label(request_id='a', label=1, at=5.0, row=0, received_at=5.0),)
    >>> read_labels(b'[{"request": "a", "label": 1}]', now=5.0).fields[0].problem
    'missing'
    """
    try:
        value = msgspec.json.decode(body)
    except UNREADABLE as e:
        return Refusal(status=400, error=f"the body is not JSON: {e}")
    rows = value if isinstance(value, list) else [value]
    if not rows:
        return Refusal(status=400, error="there is no label: the list is empty")
    faults: list[FieldFault] = []
    for at, row in enumerate(rows):
        if not isinstance(row, dict):
            return Refusal(status=400, error=f'row {at} is no object: send {{"request_id": …, "label": …}} for each')
        faults += (FieldFault(row=at, field=field, problem=problem) for field, problem in _problems(row))
    if faults:
        error = f"{faults[0].field}: {faults[0].problem}" if len(faults) == 1 else f"{len(faults)} values are at fault"
        more = f"; the first {MAX_FAULTS} are listed" if len(faults) > MAX_FAULTS else ""
        return Refusal(status=400, error=error + more, fields=tuple(faults[:MAX_FAULTS]))
    return tuple(
        Label(
            row["request_id"],
            row["label"],
            float(now if row.get("at") is None else row["at"]),
            row.get("row", 0),
            now,
        )
        for row in rows
    )


# Any: a JSON object as it came.
def _problems(row: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(name, "missing") for name in ("request_id", "label") if name not in row]
    found += [(name, "unknown" + nearest(name, _KEYS)) for name in row if name not in _KEYS]
    return found + [(name, says) for name, (is_wrong, says) in _RULES.items() if name in row and is_wrong(row[name])]


# Any: a value of a JSON object.
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "request_id": (
        lambda v: not isinstance(v, str) or request_id_from(v.encode()) is None,
        "is no request id: the X-Request-Id of an answer",
    ),
    "label": (lambda v: not isinstance(v, Scalar), "is no single value"),
    "at": (
        lambda v: v is not None and (isinstance(v, bool) or not isinstance(v, int | float) or not -1e11 <= v <= 1e11),
        "is no time: UTC seconds, as 1763980000.5",
    ),
    "row": (
        lambda v: isinstance(v, bool) or not isinstance(v, int) or not 0 <= v < 2**31,
        "is no row of the request: a number from 0",
    ),
}
