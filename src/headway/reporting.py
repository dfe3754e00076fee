"""What a Python script may say about itself: metrics and values, written to the files that any language can write to.

    import headway

    headway.log_metrics({"loss": 0.41}, step=3)
    headway.set_output("version", "churn@3")

Knows the two files by their variables, HEADWAY_METRICS and HEADWAY_OUTPUT, and nothing else of headway: a script that
imports this pays for `json` alone. Outside of a run neither variable is set, and both functions only check what they
are given: the same script can be started by hand.
"""

import json
import os
from collections.abc import Mapping
from operator import index
from typing import SupportsFloat, SupportsIndex


def log_metrics(
    metrics: Mapping[str, SupportsFloat] | None = None,
    /,
    *,
    step: SupportsIndex | None = None,
    **named: SupportsFloat,
) -> None:
    """Report numbers under names; `step` is the epoch or iteration they belong to. Does nothing outside of a run.

    Anything that `float` takes is a number here, NumPy's and one-element tensors included. Of a name that is reported
    several times all values are kept, and the last is what gates and comparisons see. Several processes may report
    at once. Raises TypeError for what is no number, ValueError for one that is not finite; nothing is reported then.

    >>> log_metrics({"auc": 0.7, "loss": 0.41}, step=3)
    >>> log_metrics(auc=0.7)
    """
    at_step = {} if step is None else {"step": index(step)}
    lines = [
        json.dumps({"name": _text("a metric's name", name), "value": _finite(name, value), **at_step}) + "\n"
        for name, value in {**(metrics or {}), **named}.items()
    ]
    _append("HEADWAY_METRICS", "".join(lines))


def set_output(name: str, value: object) -> None:
    """Give later steps a value, as `${{ steps.ID.out.NAME }}`: its text. Does nothing outside of a run.

    The last value of a name wins. Raises ValueError for a name that cannot be written: empty, or with a line break,
    `=`, `<<` or a blank at its ends.

    >>> set_output("version", "churn@3")
    """
    if not name or name != name.strip() or any(sign in name for sign in ("\n", "=", "<<")):
        raise ValueError(f"{name!r} cannot name an output: write a word")
    text = str(value)
    if "\n" not in text:
        _append("HEADWAY_OUTPUT", f"{name}={text}\n")
        return
    lines = text.split("\n")
    end = "END"
    while end in lines:
        end += "_"
    _append("HEADWAY_OUTPUT", f"{name}<<{end}\n{text}\n{end}\n")


def _text(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is {value!r}, not a text")
    return value


def _finite(name: str, value: SupportsFloat) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as e:
        raise TypeError(f"metric {name!r} is {value!r}, not a number") from e
    # Its difference from itself is 0 for a finite number alone.
    if number - number != 0:
        raise ValueError(f"metric {name!r} is {number}; only finite numbers can be recorded")
    return number


def _append(variable: str, text: str) -> None:
    """Append to the file that the variable names, in one write, so that processes do not cut into each other."""
    path = os.environ.get(variable)  # noqa: TID251 (a script has no config.py: the variable is its only tie to a run)
    if not path or not text:
        return
    with open(path, "ab", buffering=0) as file:
        file.write(text.encode())
