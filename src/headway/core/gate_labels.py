"""How many labels decide which of two models is better, where only rows on which they differ are labelled; in words.

A row to which both give the same answer adds nothing to the difference of two shares, whatever is true of it; so of n
rows only those that differ need a label, and they alone are then decided on. Pure; `tables/disagreements` finds the
rows, `stats/power_exact` has the rule that the gate decides by.
"""

import math

from msgspec import Struct

from headway.core.telling import percent, rows

POWER = 0.8

GAINS = (0.01, 0.02, 0.03, 0.05)
"""Gains for which the labels are told: 1, 2, 3 and 5 points."""


class Needed(Struct, frozen=True, kw_only=True):
    """The labels that show a true gain (a share of all rows) 4 times in 5; None: more than is worth naming."""

    gain: float
    labels: int | None


class Labelling(Struct, frozen=True, kw_only=True):
    """What was found and written: how many rows there are, differ, are labelled already, and are to be labelled."""

    n_rows: int
    n_differ: int
    n_labelled: int
    n_written: int
    key: str
    target: str
    out: str
    confidence: float
    needed: tuple[Needed, ...] = ()
    smallest_gain: float | None = None


def needed(differ: float, confidence: float) -> tuple[Needed, ...]:
    """The labels for each gain that two models can have, which differ on this share of the rows.

    >>> [one.labels for one in needed(0.1, 0.95)]
    [635, 169, 76, 28]
    """
    return tuple(Needed(gain=gain, labels=labels_to_see(gain, differ, confidence)) for gain in GAINS if gain <= differ)


def labels_to_see(gain: float, differ: float, confidence: float) -> int | None:
    """How many rows on which the models differ must be labelled to see such a gain 4 times in 5; None: too many.

    `gain` in (0, `differ`] and `differ` are shares of all rows: among those that differ, the gain is `gain / differ`.
    """
    from headway.stats.power_exact import Region, rows_for_pairs

    return rows_for_pairs(1.0, min(gain / differ, 1.0), Region(low=0.0), confidence, POWER)


def smallest_gain(n_labels: int, differ: float, confidence: float) -> float | None:
    """The smallest gain that so many labels show 4 times in 5; None where not even the largest that can be.

    >>> round(smallest_gain(100, 0.1, 0.95), 4), smallest_gain(4, 0.1, 0.95)
    (0.0251, None)
    """
    from headway.stats.power_exact import Region, power_of_pairs, smallest_difference

    shown = Region(low=0.0)
    if n_labels < 1 or power_of_pairs(n_labels, 1.0, 1.0, shown, confidence) < POWER:
        return None
    smallest = smallest_difference(n_labels, 1.0, shown, confidence, POWER)
    return None if smallest is None else differ * smallest


def told(found: Labelling) -> list[str]:
    """What was found, for somebody who pays for labels."""
    n_agree = found.n_rows - found.n_differ
    agree = f"the models agree on {n_agree:,} of {rows(found.n_rows)}: those need no label"
    lines = [f"{agree}, for whatever is true of them, neither model gains by it"]
    if not found.n_differ:
        return [*lines, "they differ nowhere: no label tells which is better"]
    differ = found.n_differ / found.n_rows
    labelled = f" {found.n_labelled:,} of these are labelled already." if found.n_labelled else ""
    lines.append(f"they differ on {found.n_differ:,} ({percent(differ)}).{labelled}")
    if found.n_written:
        lines.append(
            f"wrote {rows(found.n_written)} to {found.out}: fill in the column {found.target}, from the top; any first "
            "part is a fair sample"
        )
    else:
        lines.append("nothing is left to label, and nothing was written")
    lines += _worth(found)
    return [*lines, _use(differ)]


def _worth(found: Labelling) -> list[str]:
    at = f"4 times in 5, at {found.confidence * 100:g} %"
    lines = []
    if found.needed:
        wanted = ", ".join(
            f"{'more than can be had' if one.labels is None else format(one.labels, ',')} for {_points(one.gain)}"
            for one in found.needed
        )
        lines.append(f"labels that show a true gain {at}: {wanted}")
    n_labels = found.n_labelled + found.n_written
    if found.smallest_gain is None:
        lines.append(f"with {n_labels:,} of them labelled, no gain shows surely enough: measure on more rows")
    else:
        lines.append(f"with {n_labels:,} of them labelled, a gain of {_points(found.smallest_gain)} or more shows")
    return lines


def _points(gain: float) -> str:
    points = f"{math.ceil(gain * 1000 - 1e-6) / 10:g}"
    return f"{points} point{'s' * (points != '1')}"


def _use(differ: float) -> str:
    limit = 0.01 / differ
    return (
        "on these rows alone, new.accuracy - old.accuracy > 0 asks what it asks on all; a limit of 0.01 on all rows is "
        f"one of {limit:.2g} on these"
    )
