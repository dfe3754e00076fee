"""Whether requests come, fail and take as long as they usually do, by the windows before. No reference knows of that.

Three questions share the level: how many came (an hour), which share got no answer, how long the slower ones took. Each
needs evidence and a change that people would call one. In a version's first windows nothing is usual yet.
"""

import math
from collections.abc import Sequence

import numpy as np

from headway.core import facts as f
from headway.core.facts import Reading
from headway.core.sketch import Sketch, ms_edges
from headway.core.watch_detail import Traffic
from headway.core.watch_spans import Span
from headway.stats.usual import Usual, angle, noise_of_angle, of_angle, usual

MOST_BEFORE = 28
"""So many windows before are remembered: of days four weeks, so that weekends are known."""

TIMES = 2.0
"""Requests are told to have changed if twice or half as many come."""

SLOWER = 1.5
"""Times are told to have grown if they are so many times longer; cells tell them apart by a quarter."""

POINT = 0.01
"""Errors are told to have grown if of a hundred requests one more fails."""

MANY = 10
"""So many failures a window, on average, are many."""

_LEAST_SPREAD = 0.1
"""Of logarithms: a tenth up and down is nothing, however regular it was before."""

_RATE, _ERRORS, _TIME = ("requests", "an hour"), ("errors", "share"), ("latency", "p95 ms")


def traffic_of(cells: Sketch | None) -> Traffic:
    """What came in a window, of which the cells were added up; None: nothing did."""
    if cells is None:
        return Traffic()
    times = cells.times
    return Traffic(
        n_requests=cells.n_requests,
        n_failed=cells.n_failed,
        failures=cells.failures,
        p50_ms=_quantile(times, 0.5),
        p95_ms=_quantile(times, 0.95),
        p99_ms=_quantile(times, 0.99),
    )


def traffic_readings(
    traffic: Traffic, span: Span, before: Sequence[f.WindowClosed], *, alpha: float
) -> tuple[Reading, ...]:
    """The numbers of a window beside those of the windows before (the newest last), at the level `alpha` of all three.

    >>> from headway.core.watch_spans import Span
    >>> day = Span(since=0.0, until=86400.0, cells=())
    >>> [reading.value for reading in traffic_readings(Traffic(n_requests=240, n_failed=6), day, (), alpha=0.01)]
    [10.0, 0.025]
    """
    level, past = 1 - alpha / 3, before[-MOST_BEFORE:]
    hours = max((span.until - span.since) / 3600, 1 / 3600)
    found = [_rate(traffic.n_requests / hours, _told(past, _RATE), level)]
    if traffic.n_requests:
        found.append(_errors(traffic, [one for one in past if one.n_requests], level))
    if traffic.p95_ms is not None:
        found.append(_slow(traffic.p95_ms, _told(past, _TIME), level))
    return tuple(found)


def _rate(rate: float, before: list[float], level: float) -> Reading:
    found = usual(_logs(before), math.log1p(rate), level=level, least_spread=_LEAST_SPREAD)
    if found is None:
        return _reading(_RATE, rate)
    was = math.expm1(found.middle)
    is_other = rate > TIMES * was or rate < was / TIMES
    ends = (max(math.expm1(found.low), 0.0), _expm1(found.high))
    return _reading(_RATE, rate, was, ends, found, is_beyond=is_other and found.p <= 1 - level)


def _errors(traffic: Traffic, before: list[f.WindowClosed], level: float) -> Reading:
    n, share = traffic.n_requests, traffic.n_failed / traffic.n_requests
    angles = np.array([angle(one.n_failed / one.n_requests, one.n_requests) for one in before], dtype=np.float64)
    found = usual(angles, angle(share, n), level=level, least_spread=noise_of_angle(n))
    if found is None:
        return _reading(_ERRORS, share)
    was = of_angle(found.middle)
    ends = (of_angle(found.low), of_angle(found.high))
    times = _times_as_many(share, before, level)
    if times is not None and times.p > found.p:
        ends, found = (ends[0], max(ends[1], min(math.exp(times.high), 1.0))), times
    return _reading(_ERRORS, share, was, ends, found, is_beyond=share >= was + POINT and found.p <= 1 - level)


def _times_as_many(share: float, before: list[f.WindowClosed], level: float) -> Usual | None:
    """The same by logarithms: where many fail every day, twice as many is as near as half as many.

    None where few do: of them chance has more to say than what they are usually multiplied by.
    """
    if not before or sum(one.n_failed for one in before) < MANY * len(before):
        return None
    logs = np.log([(one.n_failed + 0.5) / one.n_requests for one in before])
    return usual(logs, math.log(max(share, 1e-9)), level=level)


def _slow(ms: float, before: list[float], level: float) -> Reading:
    found = usual(_logs(before), math.log1p(ms), level=level, least_spread=_LEAST_SPREAD)
    if found is None:
        return _reading(_TIME, ms)
    was = math.expm1(found.middle)
    ends = (max(math.expm1(found.low), 0.0), _expm1(found.high))
    return _reading(_TIME, ms, was, ends, found, is_beyond=ms >= SLOWER * was and found.p <= 1 - level)


def _reading(
    what: tuple[str, str],
    value: float,
    was: float | None = None,
    ends: tuple[float, float] | None = None,
    found: Usual | None = None,
    *,
    is_beyond: bool = False,
) -> Reading:
    return Reading(
        of=what[0],
        measure=what[1],
        value=value,
        about="traffic",
        was=was,
        usual_low=None if ends is None else ends[0],
        usual_high=None if ends is None else ends[1],
        p=None if found is None else found.p,
        is_beyond=is_beyond,
    )


def _told(before: Sequence[f.WindowClosed], what: tuple[str, str]) -> list[float]:
    readings = [reading for one in before for reading in one.readings]
    return [reading.value for reading in readings if not reading.slice and (reading.of, reading.measure) == what]


def _logs(values: Sequence[float]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.log1p(np.array(values, dtype=np.float64))


def _expm1(value: float) -> float:
    """As `math.expm1`, of what is too large the largest number: facts hold finite ones."""
    return math.expm1(min(value, 700.0))


def _quantile(times: "np.ndarray[tuple[int], np.dtype[np.int64]]", share: float) -> float | None:
    """The upper end of the cell in which that quantile lies, in ms; None where nothing was answered."""
    total = int(times.sum())
    if not total:
        return None
    cell = int(np.searchsorted(np.cumsum(times), share * total))
    edges = ms_edges()
    return edges[min(cell, len(edges) - 1)]
