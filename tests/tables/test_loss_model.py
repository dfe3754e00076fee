"""The loss of a regression estimated without labels: as near as NannyML, and ranges that hold what labels say."""

from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from headway.errors import Unmeasurable
from headway.stats.bins import Floats
from headway.tables.learned import columns_of
from headway.tables.loss_model import LossModel, fit

FUELS = np.array(["gas", "diesel", "electric"])

NANNYML = {"mae": 14.977287312035386, "rmse": 39.86000249758476}
"""How far NannyML 0.13.1's DLE is off on average, on the windows of WINDOWS, after the reference `cars(1, 8000)`."""

WINDOWS = [(10 + at, 2000, moved) for at, moved in enumerate((0, 0, 0.2, 0.4, 0.6, 0.8, 0.8, 0.8))]


class Cars(NamedTuple):
    rows: pl.DataFrame
    said: Floats
    true: Floats

    def measured(self, loss: str) -> float:
        off = self.said - self.true
        found = {
            "mae": np.abs(off).mean(),
            "mape": (np.abs(off) / np.abs(self.true)).mean(),
            "mse": (off**2).mean(),
            "rmse": (off**2).mean() ** 0.5,
        }
        return float(found[loss])


def cars(seed: int, n: int, moved: float = 0.0) -> Cars:
    """Prices of cars: the older ones are known better, and some kinds worse. `moved` makes them older."""
    rng = np.random.default_rng(seed)
    age = np.floor(20 * rng.random(n) ** (1 - moved))
    km = age * 12000 * rng.random(n) + 5000 * rng.random(n)
    new = 15000 + 30000 * rng.random(n)
    fuel = rng.integers(0, 3, n)
    price = new * np.exp(-0.12 * age - km / 400000) * np.array([1.0, 1.05, 0.9])[fuel]
    true = price + (200 + 0.12 * price + 600 * (fuel == 2)) * rng.standard_normal(n)
    rows = pl.DataFrame({"age": age, "km": km, "new": new, "fuel": FUELS[fuel]})
    return Cars(rows, price * (1.02 - 0.004 * age), true)


@pytest.fixture(scope="module")
def model() -> LossModel:
    return fit(*cars(3, 600), "mae")


def test_a_window_that_moved_is_expected_to_have_its_own_loss(model: LossModel) -> None:
    same, older = cars(4, 1000), cars(5, 1000, 0.8)
    found, moved = (model.estimate(one.rows, one.said) for one in (same, older))
    for one, measured in ((found, same.measured("mae")), (moved, older.measured("mae"))):
        assert one.low < one.value < one.high
        assert one.value == pytest.approx(measured, rel=0.15)
        assert one.n_rows == 1000
    assert moved.value < 0.7 * found.value


@pytest.mark.slow
def test_the_same_rows_give_the_same_answer(model: LossModel) -> None:
    window, again = cars(6, 1000), fit(*cars(3, 600), "mae")
    assert again.estimate(window.rows, window.said) == model.estimate(window.rows, window.said)


def test_more_rows_give_a_closer_answer_and_rows_that_are_alike_a_wider_one(model: LossModel) -> None:
    window = cars(6, 1000)
    few = model.estimate(window.rows[:100], window.said[:100])
    many = model.estimate(window.rows, window.said)
    alike = model.estimate(window.rows, window.said, effect=10)
    sure = model.estimate(window.rows, window.said, confidence=0.5)
    assert few.value != many.value
    for wider in (few, alike):
        assert wider.high - wider.low > 1.3 * (many.high - many.low)
    assert sure.high - sure.low < 0.5 * (many.high - many.low)


def test_rows_without_a_label_and_columns_without_a_value_are_passed_over(model: LossModel) -> None:
    rows, said, true = cars(7, 600)
    true[:300] = np.nan
    rows = rows.with_columns(
        fuel=pl.when(pl.int_range(600) % 7 == 0).then(None).otherwise("fuel"),
        tags=pl.lit(["a"]),
        sold=pl.date(2013, 1, 1),
    )
    part = fit(rows, said, true, "mae")
    assert part.columns.names == ("age", "km", "new", "fuel", "sold")
    without = rows.drop("km").with_columns(age=pl.lit("twelve"), fuel=pl.lit("steam"))
    assert np.all(np.isfinite(part.expected(without, said)))


def test_what_cannot_be_learned_is_told() -> None:
    rows, said, true = cars(8, 300)
    with pytest.raises(Unmeasurable, match="accuracy is not estimated"):
        fit(rows, said, true, "accuracy")
    with pytest.raises(Unmeasurable, match="120 rows have a label"):
        fit(rows, said, np.where(np.arange(300) < 120, true, np.nan), "mae")
    with pytest.raises(Unmeasurable, match="no column to learn from"):
        fit(rows.select(x=pl.lit([1])), said, true, "mae")


def test_no_rows_have_no_loss(model: LossModel) -> None:
    rows, said, _ = cars(9, 10)
    with pytest.raises(Unmeasurable, match="no row to estimate by"):
        model.estimate(rows[:0], said[:0])


def test_a_text_is_the_place_of_its_value_and_missing_where_it_is_new() -> None:
    columns = columns_of(pl.DataFrame({"kind": ["b", "a", "b", None], "on": [True, None, False, True]}))
    assert columns.values == (("b", "a"), None)
    assert columns.is_category == [True, False]
    found = columns.matrix(pl.DataFrame({"on": [1, 0], "kind": pl.Series(["a", "c"], dtype=pl.Categorical)}))
    assert np.array_equal(found, np.array([[1, 1], [np.nan, 0]]), equal_nan=True)
    assert np.isnan(columns.matrix(pl.DataFrame({"on": [[1]], "kind": [{"x": 1}]}))).all()


@pytest.mark.slow
@pytest.mark.parametrize("loss", NANNYML)
def test_it_is_no_further_off_than_nannyml(loss: str) -> None:
    model = fit(*cars(1, 8000), loss)
    off = []
    for window in (cars(*case) for case in WINDOWS):
        found = model.estimate(window.rows, window.said)
        off.append(abs(found.value - window.measured(loss)))
    assert np.mean(off) <= NANNYML[loss]


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mape", "rmse"])
def test_ranges_hold_what_the_labels_say_later(loss: str) -> None:
    """Inputs move, what a row means does not. 95 of 100 should; each reference has four windows."""

    def sold(seed: int, n: int, moved: float = 0.0) -> Cars:
        # A part of a price near 0 would have no variance to speak of.
        found = cars(seed, n, moved)
        return found._replace(true=np.maximum(found.true, 0.3 * found.said)) if loss == "mape" else found

    missed = n = 0
    for seed in range(8):
        model = fit(*sold(100 + seed, 2000), loss)
        for at, moved in enumerate((0.0, 0.3, 0.6, 0.6)):
            window = sold(1000 + 10 * seed + at, 500, moved)
            found = model.estimate(window.rows, window.said)
            missed += not found.low <= window.measured(loss) <= found.high
            n += 1
    assert missed / n <= 0.05 + 3 * (0.05 * 0.95 / n) ** 0.5
