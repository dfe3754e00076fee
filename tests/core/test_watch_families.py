"""Whether families of alarms keep their parts of the budget over simulated years, and after how many windows they tell.

Columns, answers and estimates are in `test_watch_rates` and `stats/test_alarm_rates`. Here: traffic with weekends, days
and nights and days that are alike, missing and unknown values that come in spells, all columns together by night. Two
false alarms a year are allowed; `docs/monitoring.md` has the numbers.
"""

import zlib
from statistics import median

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from msgspec import Struct

from headway.core import facts as f
from headway.core.monitor_grammar import Plan
from headway.core.watch_detail import Traffic
from headway.core.watch_judge import spending
from headway.core.watch_spans import Span
from headway.core.watch_traffic import MOST_BEFORE, traffic_readings
from headway.stats.alarm import axis_effects
from headway.stats.shift import holm, share_shift
from headway.tables.domain import ToldApart, tell_apart

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

Random = np.random.Generator
PLAN = Plan(name="live", endpoint="churn")


def chance(*case: object) -> Random:
    """A source of chance for each case, named by it: none was chosen for what it gives."""
    return np.random.default_rng(zlib.crc32(repr(case).encode()))


# --- traffic ------------------------------------------------------------------------------------------------------


class Flow(Struct, frozen=True, kw_only=True):
    """How requests come. Logarithms: `swing` within a day, `weekend` more on two days of seven, `alike` from one
    window to the next. `jam`: how much longer answers take when twice as many ask. `errors` is a share, which varies
    by a third from day to day; times by a tenth.
    """  # noqa: D205 - one sentence after the other

    hours: float
    mean: float
    swing: float = 0.0
    weekend: float = 0.0
    alike: float = 0.0
    errors: float = 0.01
    jam: float = 0.0


class Now(Struct, frozen=True, kw_only=True):
    """What is otherwise from a window on: so many times as many requests, errors, milliseconds."""

    requests: float = 1.0
    errors: float = 1.0
    ms: float = 1.0


class Stream:
    """Windows of traffic, one after the other, each judged beside those before."""

    def __init__(self, rng: Random, flow: Flow) -> None:
        self._rng = rng
        self._flow = flow
        self._span = Span(since=0.0, until=flow.hours * 3600, cells=())
        self.alpha = spending(PLAN, self._span.per_year).traffic
        self._before: list[f.WindowClosed] = []
        self._spells = np.zeros(2)
        self._n = 0

    def next(self, now: Now) -> set[str]:
        """What of one more window is beyond what is usual."""
        flow, rng = self._flow, self._rng
        at = (self._n + 0.5) * flow.hours / 24
        self._spells = flow.alike * self._spells + (1 - flow.alike**2) ** 0.5 * rng.normal(size=2)
        day = flow.swing * np.sin(2 * np.pi * at) + flow.weekend * (at % 7 >= 5)
        times = np.exp(day + 0.05 * self._spells[0])
        n = int(rng.poisson(flow.mean * times * now.requests))
        failed = int(rng.binomial(n, min(flow.errors * np.exp(0.3 * self._spells[1]) * now.errors, 1.0)))
        ms = 50 * np.exp(0.1 * rng.normal()) * (1 + flow.jam * max(times - 1, 0.0)) * now.ms
        # As cells do, which tell times apart by a quarter.
        ms = float(1.25 ** np.round(np.log(ms) / np.log(1.25)))
        traffic = Traffic(n_requests=n, n_failed=failed, p95_ms=ms if n else None)
        readings = traffic_readings(traffic, self._span, self._before, alpha=self.alpha)
        self._n += 1
        window = f.WindowClosed(
            monitor="live", number=self._n, version=1, since=0.0, until=self._span.until, n_requests=n, n_rows=n,
            n_failed=failed, readings=readings,
        )  # fmt: skip
        self._before = [*self._before, window][-MOST_BEFORE:]
        return {reading.of for reading in readings if reading.is_beyond}


FLOWS = [
    pytest.param(Flow(hours=24, mean=5000, weekend=-0.7), 50, id="days and weekends"),
    pytest.param(Flow(hours=24, mean=5000, weekend=-0.4, alike=0.7, jam=0.3), 50, id="days that are alike"),
    pytest.param(Flow(hours=24, mean=200, errors=0.0005), 40, id="few, which seldom fail"),
    pytest.param(Flow(hours=6, mean=2000, swing=1.0, weekend=-0.5, alike=0.8, jam=0.3), 10, id="quarters of a day"),
    pytest.param(Flow(hours=1, mean=500, swing=1.5, weekend=-0.5, alike=0.8, jam=0.3), 2, id="hours"),
]


@pytest.mark.parametrize(("flow", "n_years"), FLOWS)
def test_traffic_as_it_always_is_raises_no_more_than_its_part(flow: Flow, n_years: int) -> None:
    stream = Stream(chance("traffic", flow), flow)
    n_windows = round(n_years * 365.25 * 24 / flow.hours)
    n_alarms = sum(bool(stream.next(Now())) for _ in range(n_windows))
    allowed = n_windows * stream.alpha
    assert n_alarms <= max(allowed, 1), f"{n_alarms} windows in {n_years} years, {allowed:.1f} allowed"


@pytest.mark.parametrize(
    ("of", "now", "most"),
    [
        ("requests", Now(requests=0.1), 1),
        ("errors", Now(errors=6.0), 1),
        ("latency", Now(ms=3.0), 1),
    ],
    ids=["a tenth as many", "6 % fail, which was 1 %", "three times as long"],
)
def test_traffic_that_changes_is_told_at_once(of: str, now: Now, most: int) -> None:
    """By daily windows of 5,000 requests with weekends of two thirds of that."""
    waits = []
    for case in range(15):
        stream = Stream(chance("delay", of, case), Flow(hours=24, mean=5000, weekend=-0.4))
        for _ in range(35 + case):
            stream.next(Now())
        waits.append(next((n for n in range(1, 15) if of in stream.next(now)), 99))
    assert median(waits) <= most, waits


# --- schema: missing and unknown values ---------------------------------------------------------------------------


N_COLUMNS = 30
BLOCK = 300


def gaps(rng: Random, n_blocks: int, share: float, spells: float) -> npt.NDArray[np.int64]:
    """How many of BLOCK rows have no value, block by block; logarithms of the share vary by `spells`."""
    shares = np.minimum(share * np.exp(spells * rng.normal(size=(N_COLUMNS, n_blocks)) - spells**2 / 2), 1.0)
    return rng.binomial(BLOCK, shares)


@pytest.mark.parametrize(
    ("share", "spells"),
    [(0.001, 0.0), (0.02, 0.0), (0.2, 0.0), (0.001, 0.2), (0.02, 0.2), (0.02, 0.5), (0.2, 0.5), (0.05, 0.8)],
)
def test_missing_values_as_always_raise_no_more_than_the_part_of_columns(share: float, spells: float) -> None:
    """Daily windows of 2,100 rows, 60 years: 30 columns, references of 64 blocks drawn anew every three years."""
    rng, n_years, n_alarms = chance("missing", share, spells), 60, 0
    level = spending(PLAN, 365.25).inputs
    n, m = 64 * BLOCK, 7 * BLOCK
    for _ in range(n_years // 3):
        reference = gaps(rng, 64, share, spells)
        effects = [axis_effects(np.stack([one, 0 * one, BLOCK - one], axis=1)) for one in reference]
        before = reference.sum(axis=1)
        wide = np.sqrt(np.array([one.missing for one in effects]) * np.maximum(before, 1) / n * (1 / n + 1 / m))
        now = gaps(rng, 7 * 3 * 365, share, spells).reshape(N_COLUMNS, -1, 7).sum(axis=2)
        apart = np.abs(now / m - (before / n)[:, None])
        # What is less than a hundredth does not count, and nothing within three standard errors is so seldom.
        is_far = (apart >= 0.01) & (apart > 3 * wide[:, None])
        for day in np.flatnonzero(is_far.any(axis=0)):
            p = np.ones(3 * N_COLUMNS)
            for at in np.flatnonzero(is_far[:, day]):
                own, counts = effects[at], (int(now[at, day]), m)
                p[at] = share_shift((int(before[at]), n), counts, effect=own.missing, n_blocks=own.n_blocks).p
            n_alarms += bool((holm(p) <= level).any())
    assert n_alarms <= 0.5 * n_years, f"{n_alarms} windows in {n_years} years"


# --- all columns together -----------------------------------------------------------------------------------------


def rows(rng: Random, n: int, *, together: float = 0.3, alike: int = 1) -> pl.DataFrame:
    """Four columns that go together so much; of `alike` rows in a row half of the variance is their place's own."""
    common, own = rng.normal(size=(n, 1)), rng.normal(size=(n, 4))
    found = together**0.5 * common + (1 - together) ** 0.5 * own
    if alike > 1:
        found = 0.5**0.5 * (found + np.repeat(rng.normal(size=(-(-n // alike), 4)), alike, axis=0)[:n])
    return pl.DataFrame({f"feature.x{at}": found[:, at] for at in range(4)})


def told(reference: pl.DataFrame, window: pl.DataFrame) -> ToldApart:
    """As a monitor asks: with the largest design effect of the columns, measured on 64 blocks."""
    effects = []
    for name in reference.columns:
        values = reference[name].to_numpy()
        cells = np.searchsorted(np.quantile(values, np.arange(1, 16) / 16), values)
        blocks = np.stack([np.bincount(part, minlength=16) for part in np.array_split(cells, 64)])
        effects.append(axis_effects(np.pad(blocks, ((0, 0), (2, 0)))).values)
    return tell_apart(reference, window, effect=max(effects), n_blocks=64)


@pytest.mark.parametrize("alike", [1, 10])
def test_nights_at_which_nothing_changed_are_told_apart_as_seldom_as_the_level_says(alike: int) -> None:
    """40 nights, each with a reference of its own: at a level that is used up, since they have no year's tail."""
    rng = chance("nights", alike)
    found = np.array([told(rows(rng, 2000, alike=alike), rows(rng, 400, alike=alike)).p for _ in range(40)])
    for level in (0.5, 0.2, 0.05):
        assert np.sum(found <= level) <= 40 * level + 3 * (40 * level * (1 - level)) ** 0.5
    assert found.min() > spending(PLAN, 365.25).together


def test_columns_that_come_apart_are_told_in_the_first_night() -> None:
    rng = chance("apart")
    level = spending(PLAN, 365.25).together
    found = [told(rows(rng, 4000, together=0.6), rows(rng, 2000, together=0.0)).p for _ in range(8)]
    assert sum(p <= level for p in found) >= 7
