"""What is drawn of a verdict: for each check an axis, its limit, the good side, intervals for all rows and slices.

Values and words only, in the unit of the reader (percent, points). Neighbours: `terminal/gates` draws it in letters,
`codec/page_gate` as SVG; `core/gate_words` has the sentences. Decides nothing.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from msgspec import Struct

from headway.core.check import Check, Evidence
from headway.core.gate import CheckVerdict, Verdict

Shown = Literal["pass", "fail", "unsure", "error", "not-applicable", "small"]
"""What a line of the picture says; `small`: a slice of too few rows to be judged."""

WORDS: dict[Shown, str] = {
    "pass": "pass",
    "fail": "FAIL",
    "unsure": "unsure",
    "error": "ERROR",
    "not-applicable": "not applicable",
    "small": "too small to tell",
}
"""How each is told beside its sign, so that no reader depends on colours."""

SIGNS: dict[Shown, str] = {"pass": "✓", "fail": "✗", "unsure": "?", "error": "!", "not-applicable": "-", "small": "·"}

WHOLE = "all rows"

_TICKS = 5
_MOST_DECIMALS = 9

_LEAST = 1e-6
"""An axis is no shorter than this, and than this share of its largest number: nothing nearer is told apart anyway."""


class Axis(Struct, frozen=True, kw_only=True):
    """A stretch of numbers: ends, marks, how many decimals its numbers are told with, and their unit."""

    low: float
    high: float
    ticks: tuple[float, ...]
    decimals: int
    unit: str = ""
    is_signed: bool = False

    def place(self, value: float) -> float:
        """Where a value is: 0 at the low end, 1 at the high one; beyond them when it is off the axis.

        >>> Axis(low=-5.0, high=5.0, ticks=(), decimals=1).place(0.0)
        0.5
        """
        return (value - self.low) / (self.high - self.low)

    def told(self, value: float, decimals: int | None = None) -> str:
        """A number as this axis tells it, without its unit.

        >>> Axis(low=-5.0, high=5.0, ticks=(), decimals=1, is_signed=True).told(1.25)
        '+1.2'
        """
        places = self.decimals if decimals is None else decimals
        # Adding 0.0 makes a rounded -0.0 a plain zero.
        rounded = round(value, places) + 0.0
        return f"{rounded:+,.{places}f}" if self.is_signed and rounded else f"{rounded:,.{places}f}"


class Line(Struct, frozen=True, kw_only=True):
    """All rows, or one slice: its interval (None: nothing bounds it there), in numbers, and on how many rows it rests.

    `estimate` is None where nothing was measured.
    """

    name: str
    outcome: Shown
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    told: str = ""
    rows: str = ""
    why: str = ""


def rest(lines: Sequence[Line]) -> str:
    """What is said of lines that are not drawn; nothing where there are none.

    >>> rest([Line(name="a=1", outcome="small"), Line(name="a=2", outcome="pass")])
    'and 2 more slices, 1 of them too small to tell'
    """
    if not lines:
        return ""
    n_small = sum(line.outcome == "small" for line in lines)
    small = f", {n_small:,} of them {WORDS['small']}" if n_small else ""
    return f"and {len(lines):,} more slice{'s' * (len(lines) > 1)}{small}"


class Plot(Struct, frozen=True, kw_only=True):
    """One check: `lines` begins with all rows, then slices, the worst first. Without an axis nothing was measured.

    `good` are the ends of the good side (None: it goes on). `still` is where nothing would have changed.
    """

    check: str
    outcome: Shown
    why: str
    lines: tuple[Line, ...]
    warning: str = ""
    axis: Axis | None = None
    limits: tuple[float, ...] = ()
    good: tuple[float | None, float | None] = (None, None)
    limit: str = ""
    still: float | None = None


def shortened(name: str, room: float, wide: Callable[[str], float], ellipsis: str) -> str:
    """A name, or its beginning and end where it is wider than there is room: slices often differ in the last letter.

    >>> shortened("region=north-east-7", 10, len, "…")
    'regio…st-7'
    """
    if wide(name) <= room:
        return name
    for left in range(len(name) - 1, 0, -1):
        begin, end = name[: left - left // 2], name[len(name) - left // 2 :]
        if wide(f"{begin}{ellipsis}{end}") <= room:
            return f"{begin}{ellipsis}{end}"
    return ellipsis


def plots(verdict: Verdict) -> tuple[Plot, ...]:
    """What is drawn of a verdict, a plot for each check in the order they were written."""
    return tuple(_plot(judged) for judged in verdict.checks)


def _plot(judged: CheckVerdict) -> Plot:
    check = judged.check
    found = _of_weight(judged)
    if not found:
        whole = Line(name=WHOLE, outcome=judged.outcome)
        lines = (whole, *(Line(name=one.name, outcome=one.outcome, why=one.why) for one in judged.slices))
        return Plot(check=check.text, outcome=judged.outcome, why=judged.why, warning=judged.warning, lines=lines)
    scale = scale_of(check)
    limits = tuple(limit * scale for limit in check.edges)
    axis = _axis(check, found, limits, scale)
    slices = tuple(_line(one.name, one.outcome, one.evidence, axis, scale, one.why) for one in judged.slices)
    whole = _line(WHOLE, judged.outcome, judged.evidence, axis, scale)
    still = {"difference": 0.0, "ratio": 1.0}.get(check.form)
    return Plot(
        check=check.text,
        outcome=judged.outcome,
        why=judged.why,
        warning=judged.warning,
        # A check for each slice may not have been asked of all rows.
        lines=slices if judged.evidence is None and slices else (whole, *slices),
        axis=axis,
        limits=limits,
        good=_good(check, limits),
        limit=_limit_told(axis, limits),
        still=None if still is None else still * scale,
    )


def _of_weight(judged: CheckVerdict) -> list[Evidence]:
    """What the axis must hold: not what is too small to tell, and may lie anywhere, unless there is nothing else."""
    parts = [part for part in judged.slices if part.evidence is not None]
    told = [part.evidence for part in parts if part.outcome != "small"]
    if judged.evidence is None and not told:
        told = [part.evidence for part in parts]
    return [one for one in (judged.evidence, *told) if one is not None]


def scale_of(check: Check) -> float:
    """What a measured number is multiplied with for the reader: 100 where it is told in percent."""
    return 100.0 if check.words.percent and check.form not in {"ratio", "gap-ratio"} else 1.0


def _good(check: Check, limits: Sequence[float]) -> tuple[float | None, float | None]:
    if check.op == "within":
        return limits[0], limits[1]
    return (limits[0], None) if check.wants_more else (None, limits[0])


def _line(name: str, outcome: Shown, evidence: Evidence | None, axis: Axis, scale: float, why: str = "") -> Line:
    if evidence is None:
        return Line(name=name, outcome=outcome, why=why)
    low = None if evidence.low is None else evidence.low * scale
    high = None if evidence.high is None else evidence.high * scale
    estimate = evidence.estimate * scale
    told = axis.told(estimate)
    if low is None and high is None:
        told += " (range unknown)"
    elif low != high:
        begin = "from below" if low is None else axis.told(low)
        told += f" ({begin} {'and up' if high is None else f'to {axis.told(high)}'})"
    return Line(
        name=name, outcome=outcome, estimate=estimate, low=low, high=high, told=told, rows=_rows(evidence), why=why
    )


def _rows(evidence: Evidence) -> str:
    if not evidence.n_rows:
        # A size is no sample.
        return ""
    rows = f"{evidence.n_rows:,} row{'s' * (evidence.n_rows != 1)}"
    return rows if evidence.n_differ is None else f"{rows}, {evidence.n_differ:,} differ"


# --- the axis ----------------------------------------------------------------------------------------------------


def _axis(check: Check, found: Sequence[Evidence], limits: Sequence[float], scale: float) -> Axis:
    first = found[0]
    core = [*limits, *_scaled((first.low, first.high), scale), *_scaled((one.estimate for one in found), scale)]
    ends = _scaled((bound for one in found for bound in (one.low, one.high)), scale)
    low, high = min(core), max(core)
    # Small slices have intervals so wide that nothing else could be told apart; what is off the axis gets an arrow.
    reach = (high - low) if high - low > max(_LEAST, _LEAST * abs(high)) else max(abs(high) * 0.05, scale * 0.01)
    low, high = max(min((low, *ends)), low - reach), min(max((high, *ends)), high + reach)
    margin = max((high - low) * 0.06, reach * 0.1)
    low, high = low - margin, high + margin
    least, most = _possible(check, scale)
    low, high = max(low, least), min(high, most)
    if not low < high:
        low, high = low - reach, high + reach
    ticks = _ticks(low, high)
    whole = _scaled((first.estimate, first.low, first.high), scale)
    return Axis(
        low=low,
        high=high,
        ticks=ticks,
        decimals=_decimals([*limits, *whole], high - low, _few(check, first.estimate)),
        unit=_unit(check),
        is_signed=check.form == "difference",
    )


def _scaled(values: Iterable[float | None], scale: float) -> list[float]:
    return [value * scale for value in values if value is not None and math.isfinite(value)]


def _possible(check: Check, scale: float) -> tuple[float, float]:
    """The ends of what can be measured; nothing is drawn beyond, but a hair, so that an interval's end is seen."""
    words = check.words
    hair = scale * 0.005
    if check.form == "value":
        return words.lowest * scale - hair, words.highest * scale + hair
    if check.form == "difference":
        whole = (words.highest - words.lowest) * scale + hair
        return -whole, whole
    return -hair, math.inf


def _unit(check: Check) -> str:
    if scale_of(check) == 1:
        costs = "ms" if check.metric.endswith("_ms") else "MB" if check.metric.endswith("_mb") else ""
        return costs if check.costs and check.form != "ratio" else ""
    return "points" if check.form in {"difference", "gap"} else "%"


def _ticks(low: float, high: float) -> tuple[float, ...]:
    """Round numbers between the ends, about five."""
    rough = (high - low) / _TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    # Multiples of the step and not sums, which drift.
    return tuple(i * step + 0.0 for i in range(first, math.floor(high / step + 1e-9) + 1))


def _few(check: Check, value: float) -> int:
    """One decimal of a percentage, three of a share, as sentences have it; else two digits of the value."""
    if scale_of(check) == 100:
        return 1
    if math.isfinite(check.words.highest):
        return 3
    return min(max(1 - math.floor(math.log10(abs(value))), 0), 4) if value else 0


def _decimals(numbers: Sequence[float], span: float, few: int) -> int:
    """A hundredth of the axis can be told, and each number from the limit unless it is the limit."""
    few = min(max(1 - math.floor(math.log10(span)), few), _MOST_DECIMALS)
    limit = numbers[0]
    for decimals in range(few, _MOST_DECIMALS):
        if all(one == limit or round(one, decimals) != round(limit, decimals) for one in numbers):
            return decimals
    return few


def _of_step(step: float) -> int:
    return next((n for n in range(_MOST_DECIMALS) if math.isclose(round(step, n), step)), _MOST_DECIMALS)


def tick_told(axis: Axis, value: float) -> str:
    """A mark of the axis in as few digits as its step needs.

    >>> tick_told(Axis(low=0.0, high=10.0, ticks=(0.0, 5.0, 10.0), decimals=2), 5.0)
    '5'
    """
    step = axis.ticks[1] - axis.ticks[0] if len(axis.ticks) > 1 else value or 1.0
    return axis.told(value, _of_step(abs(step)))


def _limit_told(axis: Axis, limits: Sequence[float]) -> str:
    numbers = [f"{limit:+,.6g}" if axis.is_signed and limit else f"{limit:,.6g}" for limit in limits]
    word = "limit" if len(numbers) == 1 else "limits"
    unit = "point" if axis.unit == "points" and numbers in (["+1"], ["-1"], ["1"]) else axis.unit
    return f"{word} {' and '.join(numbers)}{unit and f' {unit}'}"
