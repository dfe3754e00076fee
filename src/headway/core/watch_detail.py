"""All that a window showed, and all that labels proved of it: what lies in the blobs that a monitor's facts name.

Facts carry a headline; here is every column with its numbers. Values only: `watch_drift`, `watch_traffic` and
`watch_quality` make them, `watch_view` puts them into lines.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from headway.core.facts import Cause, Reading
from headway.core.scalar import Scalar

Side = Literal["input", "output"]

Beyond = Literal["values", "missing", "unknown"]
"""In what a column is unlike its reference beyond chance and by enough: its values, how many are missing, how many
are of another type or a value that the reference did not have."""

MOST_TOLD = 3
"""So many readings of slices are in a headline, the least likely ones; all of them are in the detail."""


class Moved(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One column of a window beside the reference. Shares are of the window's rows, in [0, 1].

    `psi` is the population stability index, usual up to `psi_usual`; `share` of the rows must have moved, which happens
    without any change with probability `p`. Where it moved most (`where`, in words) the share went from
    `before` to `after`. `since_weeks` is the population stability index beside the weeks before, None where there were
    none. `beyond` says what of it counts towards an alarm.
    """

    of: str
    side: Side
    psi: float
    psi_usual: float
    share: float
    p: float
    where: str = ""
    before: float = 0.0
    after: float = 0.0
    missing: float = 0.0
    missing_was: float = 0.0
    unknown: float = 0.0
    unknown_was: float = 0.0
    since_weeks: float | None = None
    beyond: tuple[Beyond, ...] = ()


class Guess(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A metric estimated without labels, and what it `was` where the labels were known."""

    metric: str
    value: float
    low: float
    high: float
    was: float | None = None
    is_beyond: bool = False


class Traffic(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came and how it was answered: so many requests, those that got no answer by status, and times in ms.

    Times are of answered requests, None where there was none; they are known to the width of a cell (26 %).
    """

    n_requests: int = 0
    n_failed: int = 0
    failures: dict[int, int] = {}
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


class SkewedRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of a request: what was `served` of a column, and what it is made `anew`, both as they read."""

    request_id: str
    served: str
    anew: str
    row: int = 0


class SkewedColumn(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A column made anew: the share of rows that differ from what was served, between `low` and `high`.

    `by` is how far numbers differ at the middle, of those that do. So many or more differ with probability `p` where no
    more than is tolerated do. `words` say it to people, `examples` are some of the rows.
    """

    of: str
    n_differ: int
    share: float
    low: float
    high: float
    p: float = 1.0
    by: float | None = None
    examples: tuple[SkewedRow, ...] = ()
    is_beyond: bool = False
    words: str = ""


class Skewed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Features made anew from raw data, beside what was served: `n_rows` of the `n_asked` requests could be matched.

    `tolerated` is the share of rows that may differ. The columns of which most rows differ come first.
    """

    n_asked: int
    n_rows: int
    tolerated: float
    columns: tuple[SkewedColumn, ...] = ()


class SliceSeen(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rows of a window that have one value in a column: how many came, and what was measured of them.

    `n_rows` were answered, `n_failed` of the `n_requests` were not. `readings` are as those of a window.
    """

    column: str
    value: str
    n_requests: int = 0
    n_rows: int = 0
    n_failed: int = 0
    readings: tuple[Reading, ...] = ()


class Detail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A window in full. `counts` are its cells, as a sketch has them; `together` is how well all columns at once tell
    it from the reference (share of rows recognised, 0.5 being none), None where that was not asked.

    `others` are columns that the reference does not have, with the rows that have them; None where nobody looked.

    `alpha` is the chance of a false alarm that this window may have. `notes` say what could not be judged, and why.
    """  # noqa: D205 - one sentence

    traffic: Traffic = Traffic()
    moved: tuple[Moved, ...] = ()
    guesses: tuple[Guess, ...] = ()
    causes: tuple[Cause, ...] = ()
    together: float | None = None
    counts: bytes = b""
    is_wide: bool = False
    alpha: float = 0.0
    notes: tuple[str, ...] = ()
    skew: Skewed | None = None
    slices: tuple[SliceSeen, ...] = ()
    others: dict[str, int] | None = None


class Measured(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A metric measured on labelled rows."""

    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    n_rows: int = 0
    was: float | None = None


class SliceMeasured(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The same of the rows that have one value in a column."""

    column: str
    value: Scalar
    measured: Measured


class Trusted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of the rows that were given about the chance `said`, the share `held` that it came true for."""

    said: float
    held: float
    n_rows: int


class Proven(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What labels proved of a window. `label_moved` is how the labels differ from those of the reference."""

    metrics: tuple[Measured, ...] = ()
    slices: tuple[SliceMeasured, ...] = ()
    calibration: tuple[Trusted, ...] = ()
    label_moved: Moved | None = None
    n_unknown: int = 0
    n_repeated: int = 0
    notes: tuple[str, ...] = ()


def headline(slices: Sequence[SliceSeen]) -> tuple[Reading, ...]:
    """What of slices counts towards an alarm, the least likely first, of each kind of alarm at least one."""
    beyond = [reading for one in slices for reading in one.readings if reading.is_beyond]
    ranked = sorted(beyond, key=lambda one: 0.0 if one.p is None else one.p)
    first = {one.about: one for one in reversed(ranked)}
    others = [one for one in ranked if one is not first[one.about]]
    return (*first.values(), *others[: max(MOST_TOLD - len(first), 0)])
