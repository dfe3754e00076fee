"""How often a monitor alarms for nothing, and how surely it sees what there is: windows by the thousand."""

import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import replace

from headway.core.ids import Digest
from headway.core.monitor_grammar import DAY_S, YEAR_S, Plan
from headway.core.reference import FIRST, Axis, Calibration, Layout, Realised, Reference, layout_id
from headway.core.sketch import N_CELLS, UNIT, Sketch
from headway.core.watch_drift import Ground, ground
from headway.core.watch_estimate import Asked, guesses
from headway.core.watch_judge import Around, Extra, Judged, judge, spending
from headway.core.watch_quality import Promise
from headway.core.watch_slices import Cells, Place, Rules, promises, seen
from headway.core.watch_spans import Span
from headway.stats.sketch import packed
from headway.stats.sketch_chances import Scored, calibrated, chances

pytestmark = pytest.mark.slow

Floats = npt.NDArray[np.float64]

N_COLUMNS = 10
N_REFERENCE = 8000
MANY = Plan(name="live", endpoint="churn", false_alarms_per_year=0.05 * 365.25)
"""A budget that is used up: one window in 20 may alarm for nothing."""

USUAL = Plan(name="live", endpoint="churn")
DAY = Span(since=0.0, until=DAY_S, cells=())


class World:
    """Columns of numbers that go together a little, and a score of them; `alike` rows in a row come from one place."""

    def __init__(self, seed: int, *, alike: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.alike = alike
        rows = self.rows(N_REFERENCE)
        scores = self._scores(rows)
        truth = self.rng.random(N_REFERENCE) < scores
        fit = calibrated(scores, truth, most=62)
        self.layout = Layout(
            version=1,
            inputs=tuple(_axis(f"x{i}", rows[:, i]) for i in range(N_COLUMNS)),
            outputs=(_axis("probability.1", scores),),
            yes=1,
            calibration=Calibration(
                at=tuple(fit.at.tolist()),
                chances=tuple(fit.chances.tolist()),
                blocks=tuple(fit.blocks.tolist()),
                variances=tuple(fit.variances.tolist()),
            ),
        )
        share = float(np.mean(truth == (scores > 0.5)))
        half = 1.96 * (share * (1 - share) * alike / N_REFERENCE) ** 0.5
        self.realised = Realised(value=share, low=share - half, high=share + half)
        self.reference = rows
        parts = np.stack([self.counted(part) for part in np.array_split(rows, 64)])
        made = Reference(
            model="churn",
            version=1,
            data="d.csv",
            n_rows=N_REFERENCE,
            layout=self.layout,
            counts=b"",
            rows=Digest(""),
            blocks=Digest(""),
        )
        self.ground: Ground = ground(made, parts.sum(axis=0), parts)

    def rows(self, n: int, *, moved: float = 0.0) -> Floats:
        """So many rows; the first column is `moved`, in standard deviations."""
        common = self.rng.normal(size=(n, 1))
        own = self.rng.normal(size=(n, N_COLUMNS))
        of_place = np.repeat(self.rng.normal(size=(-(-n // self.alike), N_COLUMNS)), self.alike, axis=0)[:n]
        found = 0.3 * common + own + (of_place if self.alike > 1 else 0.0)
        found[:, 0] += moved * found[:, 0].std()
        return np.asarray(found, dtype=np.float64)

    @staticmethod
    def _scores(rows: Floats) -> Floats:
        return np.asarray(1 / (1 + np.exp(-rows.sum(axis=1) / 2)), dtype=np.float64)

    def counted(self, rows: Floats) -> npt.NDArray[np.int64]:
        columns = [*rows.T, self._scores(rows)]
        cells = [FIRST + np.searchsorted(axis.edges, own) for axis, own in zip(self.layout.axes, columns, strict=True)]
        return np.stack([np.bincount(one, minlength=N_CELLS) for one in cells])

    def sketch(self, rows: Floats) -> Sketch:
        assert self.layout.calibration is not None
        scores = self._scores(rows)
        # At most so many at a time, as whoever counts does.
        sums, weights = [], []
        for part in np.array_split(scores, -(-len(scores) // 60_000)):
            scored = Scored(scores=part, says_yes=part > 0.5, places=np.zeros(len(part), dtype=np.intp))
            kept = chances(self.layout.calibration.isotonic, scored, 1, unit=UNIT)
            sums.append(kept.sums.reshape(-1))
            weights.append(kept.weights)
        return Sketch(
            layout=layout_id(self.layout),
            version=1,
            first_at=0.0,
            last_at=1.0,
            n_requests=len(rows),
            n_rows=len(rows),
            counts=packed(self.counted(rows)),
            ms=packed(np.zeros(N_CELLS, dtype=np.int64)),
            sums=tuple(int(one) for one in np.sum(sums, axis=0)),
            weights=np.sum(weights, axis=0).astype("<i8").tobytes(),
        )

    def judged(self, rows: Floats, plan: Plan) -> Judged:
        cells = self.sketch(rows)
        told = self.realised
        promise = Promise(metric="accuracy", value=told.value, low=told.low, high=told.high)
        asked = Asked(
            metric="accuracy",
            was={"accuracy": promise},
            alpha=spending(plan, DAY.per_year).estimate,
            least_loss=0.0,
        )
        extra = Extra(guesses=guesses(cells, self.layout, self.ground, asked))
        return judge(DAY, cells, plan, Around(ground=self.ground), extra)


def _axis(name: str, values: Floats) -> Axis:
    edges = np.unique(np.quantile(values, np.arange(1, 62) / 62))
    return Axis(name=name, kind="number", edges=tuple(edges.tolist()))


RATES = [
    pytest.param(200, 1, 20, id="200 rows"),
    pytest.param(2000, 1, 20, id="2,000 rows"),
    pytest.param(20_000, 1, 6, id="20,000 rows"),
    pytest.param(2000, 10, 20, id="ten alike"),
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("n_rows", "alike", "n_windows"), RATES)
def test_with_nothing_changed_no_more_windows_alarm_than_the_budget_has(
    n_rows: int, alike: int, n_windows: int
) -> None:
    # Whatever little is beyond chance counts here, and a reference is drawn anew for every few windows.
    plan = replace(MANY, least_effect=0.0)
    n_worlds, n_alarms = 20, 0
    for seed in range(n_worlds):
        world = World(seed, alike=alike)
        for _ in range(n_windows):
            judged = world.judged(world.rows(n_rows), plan)
            n_alarms += any(reading.is_beyond for reading in judged.readings)
    spends = spending(plan, DAY.per_year)
    allowed = n_worlds * n_windows * (spends.inputs + spends.outputs + spends.estimate)
    # Windows that share a reference share its noise: more than a binomial's spread is left for that.
    assert n_alarms <= allowed + 3 * (2 * allowed) ** 0.5


N_SLICES = 5


def slices_of(world: World, rows: Floats) -> list[Floats]:
    """Rows by the first column: a slice is about things that go together with what is compared."""
    edges = np.array(world.layout.inputs[0].edges)
    at = np.searchsorted(np.quantile(edges, np.arange(1, N_SLICES) / N_SLICES), rows[:, 0])
    return [rows[at == one] for one in range(N_SLICES)]


def both(cells: Sketch) -> Cells:
    """A window of a day."""
    return Cells(own=cells, day=cells)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("alike", "n_windows"), [(1, 8), (10, 8)], ids=["each by itself", "ten alike"])
def test_slices_and_the_whole_together_alarm_no_more_than_the_budget_has(alike: int, n_windows: int) -> None:
    plan = replace(MANY, least_effect=0.0, slices=("region",))
    n_worlds, n_alarms, spends = 12, 0, spending(plan, DAY.per_year)
    for seed in range(n_worlds):
        world = World(seed, alike=alike)
        rules = Rules(
            spends=spends, n_slices=N_SLICES, layout=world.layout, metric="accuracy", least_effect=0.0, least_loss=0.0
        )
        places = []
        for at, part in enumerate(slices_of(world, world.reference)):
            on = world.ground.of_rows(world.counted(part))
            was = promises(world.sketch(part), on, world.layout, "accuracy")
            places.append(Place(column="region", value=str(at), ground=on, was=was))
        for _ in range(n_windows):
            rows = world.rows(2000)
            told = list(world.judged(rows, plan).readings)
            for place, part in zip(places, slices_of(world, rows), strict=True):
                told += seen(place, both(world.sketch(part)), DAY, (), rules).readings
            n_alarms += any(reading.is_beyond for reading in told)
    allowed = n_worlds * n_windows * 2 * (spends.inputs + spends.outputs + spends.estimate)
    assert n_alarms <= allowed + 3 * (2 * allowed) ** 0.5


def test_what_moved_in_one_slice_alone_is_seen_at_2_false_alarms_a_year() -> None:
    plan = replace(USUAL, slices=("region",))
    found = []
    for seed in range(5):
        world = World(200 + seed)
        rules = Rules(
            spends=spending(plan, DAY.per_year), n_slices=N_SLICES, layout=world.layout, metric="accuracy",
            least_effect=plan.least_effect, least_loss=plan.least_loss,
        )  # fmt: skip
        on = world.ground.of_rows(world.counted(slices_of(world, world.reference)[0]))
        place = Place(column="region", value="0", ground=on)
        part = slices_of(world, world.rows(2000))[0]
        part[:, 1] += 0.5 * part[:, 1].std()
        readings = seen(place, both(world.sketch(part)), DAY, (), rules).readings
        found.append([one.of for one in readings if one.is_beyond and one.of.startswith("x")] == ["x1"])
    assert np.mean(found) >= 0.8


# Ten alike of each place: a fifth as much is known of the reference, and of the window.
@pytest.mark.parametrize(("alike", "moved"), [(1, 0.2), (10, 0.5)])
def test_what_moved_is_seen_in_2000_rows_at_2_false_alarms_a_year(alike: int, moved: float) -> None:
    found = []
    for seed in range(10):
        world = World(100 + seed, alike=alike)
        judged = [world.judged(world.rows(2000, moved=moved), USUAL) for _ in range(5)]
        found += [any(one.of == "x0" and one.is_beyond for one in each.readings) for each in judged]
    assert np.mean(found) >= 0.9


def test_what_a_year_of_windows_may_spend_is_the_budget_however_long_they_are() -> None:
    for window_s in (3600.0, DAY_S, 7 * DAY_S, 28 * DAY_S):
        span = Span(since=0.0, until=window_s, cells=())
        spent = spending(USUAL, span.per_year).whole * YEAR_S / window_s
        assert spent <= 2.0 + 1e-9
        assert spent > 0.3
