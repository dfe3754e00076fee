"""Why an alarm was raised, in at most three lines of whole sentences; causes and what to type are told beside.

For somebody who knows the product and not statistics. Decides nothing: `core/watch` does, by readings that
`watch_drift`, `watch_traffic` and `watch_quality` made. Days are those of UTC.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from headway.core import facts as f
from headway.core.facts import AlarmKind, Reading
from headway.core.metric import words_of
from headway.core.monitor_grammar import YEAR_S
from headway.core.reference import PREDICTION, PROBABILITY
from headway.core.telling import listed, number, percent
from headway.core.watch import Raise, Watch, is_beyond
from headway.core.watch_columns import GONE, NEW
from headway.core.watch_quality import amount

DIFFERS = "differs"
"""What a reading measures: the share of rows of which a column differs from what is made anew."""

_MOST = 3
"""So many columns are named; the others are counted."""


def why(watch: Watch, raised: Raise, *, now: float) -> str:
    """What was seen, what is estimated or proven by it, and how often this monitor alarms for nothing: a line each."""
    began, window = watch.began, watch.window(raised.window)
    assert began is not None
    lines = []
    if raised.about == "quality":
        lines.append(_proven(watch, raised))
    elif window is not None:
        lines.append(_seen(window, raised.about, watch.window(raised.since_window) or window))
    told = estimated(window) if window is not None and raised.about in ("drift", "estimate", "quality") else ""
    if told and raised.about != "quality":
        lines.append(told)
    lines.append(budget(began, watch.raised_since(now - YEAR_S) + 1))
    return "\n".join(lines)


def _seen(window: f.WindowClosed, about: AlarmKind, first: f.WindowClosed) -> str:
    if about == "estimate" and is_beyond(window, "drift"):
        about = "drift"
    beyond = [reading for reading in window.readings if reading.is_beyond and reading.about == about]
    # What is so of all rows comes before what is so of some.
    shown = sorted(beyond, key=lambda reading: bool(reading.slice))
    since = f" since {day(first.since)}"
    if about == "estimate":
        return f"Answers are less sure than they were{since}."
    told = [one(reading) for reading in shown[:_MOST]]
    more = len(shown) - len(told)
    return _sentence(listed([*told, *([f"{more} more"] if more else [])], _MOST + 1) + since)


def one(reading: Reading) -> str:
    """A reading that counts, as a part of a sentence.

    >>> one(Reading(of="age", measure="psi", value=0.1412, usual_high=0.05))
    'age moved (PSI 0.141, usually up to 0.05)'
    >>> one(Reading(of="plan", measure="unknown", value=0.1, was=0.0, about="schema"))
    'plan has values that the reference did not have in 10 % of rows (was 0 %)'
    >>> one(Reading(of="requests", measure="an hour", value=20.0, was=41.2, usual_low=38.0, usual_high=45.0))
    '20 requests came an hour, usually 38 to 45'
    """
    told = _ONE.get(reading.measure, _moved)(reading)
    return f"{told} where {reading.slice}" if reading.slice else told


def _moved(reading: Reading) -> str:
    usual = "" if reading.usual_high is None else f", usually up to {_two(reading.usual_high)}"
    return f"{name(reading.of)} moved (PSI {_two(reading.value)}{usual})"


def _missing(reading: Reading) -> str:
    if reading.value >= 1:
        return f"{name(reading.of)} does not come any more (it was missing in {_percent(reading.was)} of rows)"
    return f"{name(reading.of)} is missing in {_percent(reading.value)} of rows (was {_percent(reading.was)})"


def _unknown(reading: Reading) -> str:
    told = f"{name(reading.of)} has values that the reference did not have"
    return f"{told} in {_percent(reading.value)} of rows (was {_percent(reading.was)})"


def _requests(reading: Reading) -> str:
    usual = f"{number(_short(reading.usual_low))} to {number(_short(reading.usual_high))}"
    return f"{number(_short(reading.value))} requests came an hour, usually {usual}"


def _errors(reading: Reading) -> str:
    return f"{_percent(reading.value)} of requests failed, usually up to {_percent(reading.usual_high)}"


def _slow(reading: Reading) -> str:
    usual = number(_short(reading.usual_high))
    return f"1 of 20 requests took {number(_short(reading.value))} ms or more, usually up to {usual} ms"


def _together(reading: Reading) -> str:
    told = f"in {_percent(reading.value)} of cases, by chance in 50 %"
    return f"all columns together are unlike the reference (a row is told apart {told})"


def _new(reading: Reading) -> str:
    return f"requests newly bring {reading.of} in {_percent(reading.value)} of rows, which the reference does not have"


def _gone(reading: Reading) -> str:
    return f"{reading.of} does not come any more (it was in {_percent(reading.value)} of rows)"


def _skewed(reading: Reading) -> str:
    return differs(name(reading.of), reading.value, (reading.low or 0.0, reading.high or 1.0))


def differs(of: str, share: float, between: tuple[float, float], by: float | None = None) -> str:
    """A column of which what was served differs from what is made anew, as a part of a sentence.

    >>> differs("visits", 0.1, (0.06, 0.15), 5.0)
    'visits was served otherwise than it is made anew in 10 % of rows (6 to 15 %), by 5 at the middle'
    """
    low, high = (f"{100 * end:.3g}" for end in between)
    told = f"{of} was served otherwise than it is made anew in {percent(_short(share))} of rows ({low} to {high} %)"
    return told if by is None else f"{told}, by {told_of(by)} at the middle"


def told_of(value: float) -> str:
    """A number in three digits.

    >>> told_of(12345.6), told_of(0.12345)
    ('12,300', '0.123')
    """
    return number(_short(value))


_ONE: dict[str, Callable[[Reading], str]] = {
    "missing": _missing,
    "unknown": _unknown,
    "an hour": _requests,
    "share": _errors,
    "p95 ms": _slow,
    "recognised": _together,
    DIFFERS: _skewed,
    NEW: _new,
    GONE: _gone,
}
"""How a reading is told, by what was measured; else a distance."""


def day(at: float) -> str:
    """The day of a time in UTC seconds, and the hour where a day does not begin.

    >>> day(1_762_128_000.0), day(1_762_131_600.0)
    ('2025-11-03', '2025-11-03 01:00')
    """
    when = datetime.fromtimestamp(at, UTC)
    return when.strftime("%Y-%m-%d" if (when.hour, when.minute) == (0, 0) else "%Y-%m-%d %H:%M")


def name(of: str) -> str:
    """What people call a column: outputs have no name of theirs.

    >>> name("age"), name("prediction"), name("probability.yes")
    ('age', 'the predictions', 'the probability of yes')
    """
    if of == PREDICTION or of.startswith(f"{PREDICTION}."):
        return "the predictions" if of == PREDICTION else f"the predictions of output {of.partition('.')[2]}"
    return f"the probability of {of.removeprefix(PROBABILITY)}" if of.startswith(PROBABILITY) else of


def estimated(window: f.WindowClosed) -> str:
    """What quality is estimated to be in a window; nothing where that was not estimated.

    >>> reading = Reading(of="quality", measure="accuracy", value=0.813, low=0.798, high=0.827, was=0.84,
    ...     about="estimate")
    >>> estimated(f.WindowClosed(monitor="m", number=1, version=1, since=0.0, until=1.0, n_requests=1, n_rows=1,
    ...     readings=(reading,)))
    'Estimated accuracy 81.3 (79.8 to 82.7), was 84.0.'
    """
    told = [reading for reading in window.readings if reading.about == "estimate"]
    # The whole comes first, unless only a slice of it is lost.
    reading = next((one for one in told if one.is_beyond), told[0] if told else None)
    if reading is None:
        return ""
    metric = reading.measure
    ends = [reading.low, reading.high, reading.was]
    beside = [value for value in (reading.value, *ends) if value is not None]
    was = "" if reading.was is None else f", was {amount(metric, reading.was, beside)}"
    between = ""
    if reading.low is not None and reading.high is not None:
        between = f" ({amount(metric, reading.low, beside)} to {amount(metric, reading.high, beside)})"
    where = f" where {reading.slice}" if reading.slice else ""
    return f"Estimated {metric}{where} {amount(metric, reading.value, beside)}{between}{was}."


def _proven(watch: Watch, raised: Raise) -> str:
    seen, began = watch.quality[raised.window], watch.began
    assert began is not None
    beside = [seen.value, seen.low, seen.high, *([] if seen.expected is None else [seen.expected])]
    told = [amount(seen.metric, value, beside) for value in (seen.value, seen.low, seen.high)]
    unit = " %" if words_of(seen.metric).percent else ""
    text = (
        f"Labels of {seen.n_labelled:,} of {seen.n_rows:,} rows show that {seen.metric} is {told[0]}{unit} "
        f"({told[1]} to {told[2]})"
    )
    if seen.expected is not None:
        whose = {"gate": "promised by its gate", "reference": "shown by the reference"}
        by = whose.get(began.promised_by, "shown by its first windows")
        text += f"; {amount(seen.metric, seen.expected, beside)} was {by}"
    version = f"{began.model}@{began.version}"
    if raised.says == "roll back":
        return f"{text}. It never was better since {version} was released."
    window, first = watch.window(raised.window), watch.window(raised.since_window)
    if window is None or first is None:
        return f"{text}."
    since = f"; it is so since {day(first.since)}" if first.number < window.number else ""
    return f"{text}, of requests of {day(window.since)}{since}."


def budget(began: f.MonitorBegan, n: int) -> str:
    """How often a monitor alarms for nothing, and how many alarms it raised in a year.

    >>> budget(f.MonitorBegan(monitor="m", endpoint="e", model="m", version=1, reference="", layout="", window="1 day",
    ...     false_alarms_per_year=2.0), 1)
    'This monitor raises at most 2 false alarms a year; this is the first alarm in 12 months.'
    """
    most = number(_short(began.false_alarms_per_year))
    alarms = "alarm" if most == "1" else "alarms"
    so_far = "the first alarm" if n == 1 else f"alarm {n}"
    return f"This monitor raises at most {most} false {alarms} a year; this is {so_far} in 12 months."


def cause(of: str, moved: float, where: str, shares: Sequence[float], explains: float | None) -> str:
    """A cause in a sentence; `shares` are those of the rows in `where` before and now.

    >>> cause("tenure", 0.31, "up to 3", (0.1, 0.25), 0.6)
    'tenure moved (PSI 0.31): 25 % of rows are up to 3, which were 10 %; it explains 60 % of the estimated loss'
    """
    told = f"{name(of)} moved (PSI {_two(moved)})"
    if where:
        be = "have" if where.startswith("`") else "are"
        told += f": {_percent(shares[1])} of rows {be} {where}, which were {_percent(shares[0])}"
    if explains is not None:
        told += f"; it explains {percent(round(explains, 2))} of the estimated loss"
    return told


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _percent(share: float | None) -> str:
    return percent(float(f"{share or 0.0:.2g}"))


def _two(value: float) -> str:
    """A distance: three digits, and no more than three behind the point.

    >>> _two(0.05), _two(0.14159), _two(12.3456)
    ('0.05', '0.142', '12.3')
    """
    return f"{round(value, 3):.3g}"


def _short(value: float | None) -> float:
    return float(f"{value or 0.0:.3g}")
