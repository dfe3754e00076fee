"""Weekends that lie off every week raise nothing, what is new on a day is told: by years of simulated days.

Ten columns, daily windows of 2,400 rows, two false alarms a year allowed, of which columns may make a quarter.
`docs/monitoring.md` has the numbers.
"""

import zlib
from statistics import median

import numpy as np
import numpy.typing as npt
import pytest
from msgspec import Struct
from scipy.stats import norm

from headway.core.ids import Digest
from headway.core.monitor_grammar import DAY_S, Plan
from headway.core.reference import Axis, Layout, Reference
from headway.core.sketch import N_CELLS, Sketch
from headway.core.watch_detail import Guess
from headway.core.watch_drift import Ground, Levels, ground, moves
from headway.core.watch_estimate import Asked
from headway.core.watch_judge import spending
from headway.core.watch_quality import Promise, is_lost
from headway.core.watch_rhythm import Part, besides, lost, news, rhythm_of
from headway.stats.sketch import packed

N_COLUMNS = 10
N_ROWS = 2400
N_REFERENCE = 20_000
EDGES = norm.ppf(np.arange(1, 32) / 32)
LEVELS = Levels(
    inputs=spending(Plan(name="live", endpoint="e"), 365.25).inputs,
    outputs=0.0,
    least=Plan(name="", endpoint="").least_effect,
)

Counts = npt.NDArray[np.int64]


class Days(Struct, frozen=True, kw_only=True):
    """How days differ, in standard deviations: `weekend` on two of seven, `alike` by chance from one to the next."""

    weekend: float = 0.0
    alike: float = 0.0


def of_day(rng: np.random.Generator, days: Days, number: int, *, moved: float = 0.0, n: int = N_ROWS) -> Counts:
    """The counts of a day of `n` rows, shape `(N_COLUMNS, 64)`; the first column is `moved`."""
    at = days.weekend * (number % 7 >= 5) + days.alike * rng.normal(size=N_COLUMNS)
    at[0] += moved
    chances = np.diff(norm.cdf(EDGES[None, :] - at[:, None]), axis=1, prepend=0.0, append=1.0)
    found = np.zeros((N_COLUMNS, N_CELLS), dtype=np.int64)
    found[:, 2:34] = rng.multinomial(n, chances)
    return found


def made(rng: np.random.Generator, days: Days, n_days: int) -> Ground:
    """A reference of N_REFERENCE rows of so many days, in the order of time: with a year, a sample of each day."""
    axes = tuple(Axis(name=f"x{i}", kind="number", edges=tuple(EDGES.tolist())) for i in range(N_COLUMNS))
    each = [of_day(rng, days, number, n=N_REFERENCE // n_days) for number in range(n_days)]
    # A day at most is in a block of its own; the blocks of a year hold most of a week.
    parts = [sum(each[at] for at in part) for part in np.array_split(np.arange(n_days), min(64, n_days))]
    blocks = np.stack(parts)
    reference = Reference(
        model="m", version=1, data="d", n_rows=N_REFERENCE, layout=Layout(version=1, inputs=axes, outputs=()),
        counts=b"", rows=Digest(""), blocks=Digest(""),
    )  # fmt: skip
    return ground(reference, blocks.sum(axis=0), blocks)


def cell(number: int, counts: Counts) -> Sketch:
    return Sketch(
        layout="l", version=1, first_at=number * DAY_S, last_at=number * DAY_S + 80_000, n_requests=N_ROWS,
        n_rows=N_ROWS, counts=packed(counts), ms=packed(np.zeros(N_CELLS, dtype=np.int64)),
    )  # fmt: skip


class Live:
    """Days of a version, one after the other; the first is a Monday."""

    def __init__(self, name: str, days: Days, n_days: int) -> None:
        self.rng = np.random.default_rng(zlib.crc32(repr((name, days, n_days)).encode()))
        self.days = days
        self.on = made(self.rng, days, n_days)
        self.cells: list[Sketch] = []
        self.number = 0

    def next(self, *, moved: float = 0.0) -> bool:
        """Whether a day shows something that counts."""
        counts = of_day(self.rng, self.days, self.number, moved=moved)
        self.cells = [*self.cells, cell(self.number, counts)][-29:]
        since = self.number * DAY_S
        self.number += 1
        found = moves(self.on, counts, LEVELS)
        rhythm = rhythm_of(self.cells, since, since + DAY_S, began=0.0)
        return any(one.beyond for one in news(self.on, found, counts, LEVELS, lambda: besides(rhythm)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("days", "n_days"),
    [(Days(weekend=0.3), 365), (Days(weekend=0.8), 365), (Days(weekend=0.3, alike=0.03), 90)],
    ids=["a year", "a year, far off", "three months"],
)
def test_weekends_that_are_off_every_week_keep_the_budget(days: Days, n_days: int) -> None:
    n_years, n_alarms, n_first = 2, 0, 0
    for year in range(n_years):
        live = Live(f"year {year}", days, n_days)
        told = [live.next() for _ in range(7 + 365)]
        n_first += sum(told[:7])
        n_alarms += sum(told[7:])
    assert n_alarms <= n_years / 2, f"{n_alarms} days in {n_years} years"
    # Which is what they are by themselves.
    assert n_first or n_days == 90


@pytest.mark.slow
@pytest.mark.parametrize(("moved", "n_days"), [(0.3, 365), (0.5, 365), (0.5, 90), (1.0, 30)])
def test_what_comes_suddenly_is_told_on_its_first_day(moved: float, n_days: int) -> None:
    waits = []
    for case in range(9):
        live = Live(f"sudden {case}", Days(weekend=0.3), n_days)
        for _ in range(30 + case):
            live.next()
        waits.append(next((n for n in range(1, 30) if live.next(moved=moved)), 99))
    assert median(waits) == 1, waits


def test_what_stays_goes_on_to_count_when_all_weeks_before_know_it() -> None:
    live = Live("stays", Days(weekend=0.3), 30)
    for _ in range(30):
        live.next()
    assert all(live.next(moved=0.6) for _ in range(45))


@pytest.mark.slow
@pytest.mark.parametrize("days_long", [14, 60])
def test_what_comes_slowly_is_told_on_its_way(days_long: int) -> None:
    """By half a standard deviation in so many days: told before it has come whole, or a week after."""
    waits = []
    for case in range(9):
        live = Live(f"slow {case}", Days(weekend=0.3), 365)
        for _ in range(30 + case):
            live.next()
        day = next(n for n in range(1, 200) if live.next(moved=0.5 * min(n / days_long, 1.0)))
        waits.append(day)
    assert median(waits) <= 0.8 * days_long + 3, waits


def test_a_first_week_has_nothing_to_be_held_against() -> None:
    assert rhythm_of([], 7 * DAY_S, 8 * DAY_S, began=DAY_S) is None
    assert rhythm_of([], 8 * DAY_S, 9 * DAY_S, began=DAY_S) is not None
    assert rhythm_of([], 14 * DAY_S, 21 * DAY_S, began=0.0) is None


def test_the_same_days_are_those_that_were_answered_in() -> None:
    cells = [cell(number, np.zeros((1, N_CELLS), dtype=np.int64)) for number in range(29) if number != 14]
    rhythm = rhythm_of(cells, 28 * DAY_S, 29 * DAY_S, began=0.0)
    assert rhythm is not None
    assert [one.since / DAY_S for one in rhythm.same] == [21, 7, 0]
    assert [one.first_at / DAY_S for one in rhythm.week.cells] == [*range(22, 29)]


@pytest.mark.parametrize(
    ("week", "same", "is_told"),
    [(0.895, 0.80, False), (0.86, 0.80, True), (0.895, 0.88, True)],
    ids=["as on each such day", "all week", "not on such days"],
)
def test_an_estimated_loss_counts_if_the_week_or_the_days_before_show_it(
    week: float, same: float, is_told: bool
) -> None:
    """0.80 on a day where 0.90 was promised; as `flows` asks for them."""
    values: dict[Part, float] = {"day": 0.80, "week": week, "same": same}

    def ask(part: Part, asked: Asked) -> tuple[Guess, ...]:
        value, promise = values[part], asked.was.get("accuracy")
        is_lost_ = promise is not None and is_lost(promise, value, None, value + 0.01, least_loss=asked.least_loss)
        return (Guess(metric="accuracy", value=value, low=value - 0.01, high=value + 0.01, is_beyond=is_lost_),)

    promise = Promise(metric="accuracy", value=0.9, low=0.89)
    asked = Asked(metric="accuracy", was={"accuracy": promise}, alpha=1e-3, least_loss=0.02)
    rhythm = rhythm_of([], 8 * DAY_S, 9 * DAY_S, began=0.0)
    assert [one.is_beyond for one in lost(asked, None, ask)] == [True]
    assert [one.is_beyond for one in lost(asked, rhythm, ask)] == [is_told]
