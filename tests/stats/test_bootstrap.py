"""Resampling against SciPy's, and the user's own metrics, which go by it."""

import sys

import numpy as np
import pytest
from scipy import stats

from headway.errors import Unmeasurable
from headway.stats import bootstrap
from headway.stats.answers import Answers, Column, Rows, Values
from headway.stats.auc import place
from headway.stats.metrics import measure


def roots(sums: Values) -> Values:
    """The root of the mean square."""
    return np.asarray(np.sqrt(sums[..., 0] / sums[..., 1]))


def squares(n_rows: int, seed: int = 1) -> Values:
    """Skewed errors, squared, and ones."""
    errors = np.random.default_rng(seed).standard_normal(n_rows) ** 3
    return np.stack([errors**2, np.ones(n_rows)], axis=1)


@pytest.mark.parametrize("n_rows", [50, 400])
def test_the_range_is_that_of_scipy_within_the_noise_of_resampling(n_rows: int) -> None:
    columns = squares(n_rows)
    ours = bootstrap.bca(columns, roots, level=0.9, seed=3)
    theirs = stats.bootstrap(
        (columns[:, 0],),
        lambda x, axis: np.sqrt(x.mean(axis=axis)),
        confidence_level=0.9,
        n_resamples=9999,
        method="BCa",
        vectorized=True,
        random_state=np.random.default_rng(4),
    ).confidence_interval
    assert ours is not None
    width = theirs.high - theirs.low
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.08 * width)


def test_more_resamples_come_nearer_to_scipy() -> None:
    columns = squares(200)
    many = bootstrap.bca(columns, roots, level=0.9, seed=3, n_resamples=40_000)
    theirs = stats.bootstrap(
        (columns[:, 0],),
        lambda x, axis: np.sqrt(x.mean(axis=axis)),
        confidence_level=0.9,
        n_resamples=40_000,
        method="BCa",
        vectorized=True,
        batch=2000,
        random_state=np.random.default_rng(4),
    ).confidence_interval
    assert many is not None
    assert (many.low, many.high) == pytest.approx((theirs.low, theirs.high), abs=0.02 * (theirs.high - theirs.low))


def test_the_same_seed_gives_the_same_range_whatever_the_order_of_rows() -> None:
    columns = squares(300)
    shuffled = columns[np.random.default_rng(2).permutation(300)]
    assert bootstrap.bca(columns, roots, 0.9, seed=3) == bootstrap.bca(columns, roots, 0.9, seed=3)
    assert bootstrap.bca(columns, roots, 0.9, seed=3) != bootstrap.bca(columns, roots, 0.9, seed=4)
    found, moved = (bootstrap.bca(c, roots, 0.9, seed=3) for c in (columns, shuffled))
    assert found is not None
    assert moved is not None
    assert (found.low, found.high) == pytest.approx((moved.low, moved.high), rel=1e-12)


def test_the_drawn_numbers_are_those_of_every_machine() -> None:
    assert bootstrap.draw(bootstrap.generator(7), 6, 1000).tolist() == [944, 684, 578, 625, 897, 775]
    assert np.round(bootstrap.uniform(bootstrap.generator(7), 3), 6).tolist() == [0.625095, 0.897214, 0.775686]


def test_many_rows_are_added_up_in_blocks_and_keep_their_spread() -> None:
    n_rows = 4 * bootstrap.MOST_BLOCKS + 7
    values = np.random.default_rng(5).standard_normal(n_rows) + 1
    columns = np.stack([values, np.ones(n_rows)], axis=1)
    found = bootstrap.bca(columns, lambda sums: np.asarray(sums[..., 0] / sums[..., 1]), 0.9, seed=1)
    assert found is not None
    half = 1.645 * values.std() / n_rows**0.5
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_what_does_not_vary_has_no_range() -> None:
    columns = np.ones((100, 2))
    assert bootstrap.bca(columns, roots, 0.9, seed=1) is None


def test_numbers_are_drawn_evenly() -> None:
    drawn = bootstrap.draw(bootstrap.generator(1), 100_000, 7)
    assert stats.chisquare(np.bincount(drawn, minlength=7)).pvalue > 0.001
    assert stats.kstest(bootstrap.uniform(bootstrap.generator(1), 10_000), "uniform").pvalue > 0.001


# --- the user's own metrics --------------------------------------------------------------------------------------


def world(n_rows: int = 300, seed: int = 0) -> tuple[Rows, Answers, Answers]:
    rng = np.random.default_rng(seed)
    truth = (rng.random(n_rows) < 0.4).astype(int)
    shared = rng.standard_normal(n_rows) + 2 * truth - 1
    answers = []
    for _ in range(2):
        chances = 1 / (1 + np.exp(-shared - 0.8 * rng.standard_normal(n_rows)))
        answers.append(Answers(labels=(chances >= 0.5).astype(int), chances=chances))
    return Rows(truth=truth), answers[0], answers[1]


def profit(truth: Column, labels: Column) -> Values:
    """Ten for a customer kept, one paid for each call."""
    said = labels.astype(float)
    return np.asarray(10.0 * truth.astype(float) * said - said)


def mean_profit(truth: Column, labels: Column) -> float:
    return float(np.mean(profit(truth, labels)))


def area(truth: Column, labels: Column, probabilities: Column) -> float:
    # scikit-learn's takes 4 ms a call, and is called 4,400 times.
    return place(truth.astype(bool), probabilities.astype(float)).area


def test_a_number_for_each_row_is_a_mean_of_rows() -> None:
    rows, new, old = world()
    found = measure("profit", rows, new, old, 0.95, own={"profit": profit})
    differences = profit(rows.truth, new.labels) - profit(rows.truth, old.labels)
    error = differences.std(ddof=1) / len(rows) ** 0.5
    assert found.value == pytest.approx(differences.mean())
    assert (found.low, found.high) == pytest.approx(
        stats.t.interval(0.9, len(rows) - 1, loc=differences.mean(), scale=error)
    )


@pytest.mark.parametrize("compares", [False, True])
def test_one_number_is_resampled_and_agrees_with_the_same_as_a_mean(compares: bool) -> None:
    rows, new, old = world()
    against = old if compares else None
    one = measure("profit", rows, new, against, 0.95, own={"profit": mean_profit})
    each = measure("profit", rows, new, against, 0.95, own={"profit": profit})
    assert one.method == "bootstrap (BCa)"
    assert one.value == pytest.approx(each.value)
    assert one.low is not None
    assert one.high is not None
    assert each.low is not None
    assert each.high is not None
    width = each.high - each.low
    assert (one.low, one.high) == pytest.approx((each.low, each.high), abs=0.12 * width)
    assert one.spread == pytest.approx(each.spread, rel=0.15)


def test_probabilities_are_handed_to_a_function_that_takes_them() -> None:
    rows, new, old = world()
    own = measure("area", rows, new, old, 0.95, own={"area": area})
    ours = measure("auc", rows, new, old, 0.95)
    assert own.value == pytest.approx(ours.value, abs=1e-12)
    assert (own.low, own.high) == pytest.approx((ours.low, ours.high), abs=0.01)


def test_many_rows_are_left_out_a_hundredth_at_a_time() -> None:
    rows, new, old = world(n_rows=12_000)
    calls: list[int] = []

    def counted(truth: Column, labels: Column) -> float:
        calls.append(len(truth))
        return mean_profit(truth, labels)

    one = measure("profit", rows, new, old, 0.95, own={"profit": counted})
    each = measure("profit", rows, new, old, 0.95, own={"profit": profit})
    assert one.method == "jackknife of groups"
    assert len(calls) < 250
    assert one.low is not None
    assert one.high is not None
    assert each.low is not None
    assert each.high is not None
    assert one.high - one.low == pytest.approx(each.high - each.low, rel=0.25)


def test_units_are_resampled_whole() -> None:
    rows, new, old = world(n_rows=1000)
    tenfold = np.repeat(np.arange(100), 10)
    same = np.arange(100).repeat(10)
    alike = Rows(truth=rows.truth[same], units=tenfold)
    ours, theirs = new.take(same), old.take(same)
    naive = measure("profit", Rows(truth=alike.truth), ours, theirs, 0.95, own={"profit": mean_profit})
    careful = measure("profit", alike, ours, theirs, 0.95, own={"profit": mean_profit})
    assert careful.method == "bootstrap (BCa) over units"
    assert careful.low is not None
    assert careful.high is not None
    assert naive.low is not None
    assert naive.high is not None
    assert (careful.high - careful.low) / (naive.high - naive.low) == pytest.approx(10**0.5, rel=0.15)


@pytest.mark.parametrize(("n_rows", "said"), [(49, "fewer than 50 rows"), (60, "fewer than 30 rows tell")])
def test_few_rows_are_not_resampled(n_rows: int, said: str) -> None:
    rows, new, _ = world(n_rows=n_rows)
    assert new.chances is not None
    chances = new.chances.astype(float)
    chances[:29] = 0.5
    same = Answers(labels=new.labels, chances=chances)
    found = measure("profit", rows, new, same, 0.95, own={"profit": mean_profit})
    assert (found.low, found.high) == (None, None)
    assert said in found.method


def test_the_users_name_goes_before_ours() -> None:
    rows, new, _ = world()
    assert measure("f1", rows, new, None, 0.95, own={"f1": lambda t, _: t * 0.0 + 5}).value == 5


def failing(truth: Column, labels: Column) -> float:
    raise KeyError("price")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda _, __: sys.exit(0), "your metric mine raises SystemExit: 0"),
        (failing, "your metric mine raises KeyError: 'price'"),
        (lambda t, _: t[:5], r"your metric mine gives shape \(5,\) for 300 rows"),
        (lambda t, _: np.where(t, np.nan, 1.0), "your metric mine gives [0-9]+ numbers that are not finite"),
        (lambda _, __: float("nan"), "your metric mine gives 1 numbers that are not finite"),
        (lambda _, __: "good", "your metric mine gives str, no number"),
        (lambda _, __: None, "your metric mine"),
        (lambda t: t, "your metric mine raises TypeError"),
    ],
    ids=["leaves", "raises", "short", "nan", "nan for all", "text", "none", "takes one"],
)
def test_what_a_function_gets_wrong_is_said_to_be_its_own(function: object, said: str) -> None:
    rows, new, _ = world()
    assert callable(function)
    with pytest.raises(Unmeasurable, match=said):
        measure("mine", rows, new, None, 0.95, own={"mine": function})


def test_probabilities_that_are_not_there_are_missed() -> None:
    rows, new, _ = world()
    with pytest.raises(Unmeasurable, match="takes probabilities, and the model gives none"):
        measure("area", rows, Answers(labels=new.labels), None, 0.95, own={"area": area})


def test_a_name_that_means_nothing_gets_the_nearest() -> None:
    rows, new, _ = world()
    for name, said in [
        ("acuracy", "did you mean accuracy"),
        ("ndgc@10", "did you mean ndcg@10"),
        ("profits", "did you mean profit?"),
        ("ndcg@0", "ndcg@0 is not a metric"),
        ("pinball@2", "pinball@2 is not a metric"),
        ("zzzz", "the metrics are profit, accuracy"),
    ]:
        with pytest.raises(Unmeasurable) as trouble:
            measure(name, rows, new, None, 0.95, own={"profit": profit})
        assert said in f"{trouble.value.problem}; {trouble.value.remedy}"
