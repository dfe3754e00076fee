import math
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import norm

from headway.stats.arms import Arms, log_evidence_of_ratio_above, ratio_bets, ratio_of
from headway.stats.power_arms import (
    Traffic,
    caught_by_errors,
    chance_of_harm,
    chance_to_catch,
    least_ratio,
    requests_to_catch,
)

CANARY = Traffic(share=0.1, rate=0.01, alpha=0.05, per_look=1200)


def simulated(traffic: Traffic, ratio: float, n_looks: int, worlds: int, seed: int) -> npt.NDArray[np.float64]:
    """The share of worlds in which evidence was enough by each look, with requests drawn one by one."""
    rng = np.random.default_rng(seed)
    n = int(traffic.per_look)
    news = rng.binomial(n, traffic.share, (worlds, n_looks))
    bad_new = rng.binomial(news, traffic.rate * ratio)
    bad_old = rng.binomial(n - news, traffic.rate)
    share = news / n
    e_values = np.zeros(news.shape)
    for bet, weight in zip(*ratio_bets(), strict=True):
        log = np.cumsum(bad_new * math.log(bet) - (bad_new + bad_old) * np.log(share * bet + 1 - share), axis=1)
        e_values += weight * np.exp(np.minimum(log, 50))
    reached = np.maximum.accumulate(e_values >= 1 / traffic.alpha, axis=1)
    return np.asarray(np.mean(reached, axis=0), dtype=np.float64)


def test_the_walk_is_that_of_the_evidence() -> None:
    # By hand: the first errors that are enough when all are the new version's.
    caught = caught_by_errors(Traffic(share=0.1, rate=0.01, alpha=0.05), 6, 1.0)
    for n in range(1, 7):
        evidence = log_evidence_of_ratio_above(ratio_of([Arms(n_new=100, bad_new=n, n_old=900, bad_old=0)]), 1.0)
        if evidence >= math.log(20):
            assert caught[n] >= 0.1**n
            break
        assert caught[n] == 0.0
    assert np.all(np.diff(caught) >= 0)


def test_errors_followed_one_by_one_are_those_of_a_drawn_walk() -> None:
    rng = np.random.default_rng(51)
    chance = 0.2 / 1.1
    drawn = np.cumsum(rng.random((4000, 200)) < chance, axis=1)
    n = np.arange(1, 201)
    e_values = sum(
        weight * np.exp(np.minimum(drawn * math.log(bet) - n * math.log(0.1 * bet + 0.9), 50))
        for bet, weight in zip(*ratio_bets(), strict=True)
    )
    by_then = np.mean(np.maximum.accumulate(np.asarray(e_values) >= 20, axis=1), axis=0)
    caught = caught_by_errors(Traffic(share=0.1, rate=0.01, alpha=0.05), 200, 2.0)
    assert caught[1:] == pytest.approx(by_then, abs=0.03)


@pytest.mark.parametrize(
    ("traffic", "ratio"),
    [(CANARY, 2.0), (CANARY, 4.0), (Traffic(share=0.05, rate=0.02, alpha=0.05, per_look=100), 5.0)],
)
def test_the_chance_is_what_a_simulation_finds(traffic: Traffic, ratio: float) -> None:
    found = simulated(traffic, ratio, 12, 3000, 52)
    for look in (3, 6, 12):
        reckoned = chance_to_catch(traffic, look * traffic.per_look, ratio)
        assert reckoned == pytest.approx(float(found[look - 1]), abs=0.05)


def test_an_equal_version_is_caught_as_rarely_as_is_promised() -> None:
    for n in (1e4, 1e5, 3e5):
        assert chance_to_catch(CANARY, n, 1.0) <= 0.05


def test_the_goals_of_the_issue_are_kept() -> None:
    minutes = {
        (0.01, 2.0): 10,
        (0.001, 5.0): 12,
    }
    for (rate, ratio), most in minutes.items():
        for alpha in (0.05, 0.05 * 4 / 6):
            traffic = Traffic(share=0.1, rate=rate, alpha=alpha, per_look=1200)
            n = requests_to_catch(traffic, ratio)
            assert n is not None
            assert math.ceil(n / 1200) <= most


def test_a_stage_that_is_too_short_sees_nothing() -> None:
    short = Traffic(share=0.05, rate=0.02, alpha=0.05, per_look=100)
    assert chance_to_catch(short, 500, 2.0) < 0.03
    assert least_ratio(short, 500) == pytest.approx(13, rel=0.2)
    assert least_ratio(short, 20) is None
    assert chance_to_catch(short, 0, 2.0) == 0.0
    assert requests_to_catch(short, 1.01) is None


def test_a_champion_that_never_errs_or_always_does_is_no_fault() -> None:
    never, always = (Traffic(share=0.1, rate=rate, alpha=0.05, per_look=1200) for rate in (0.0, 1.0))
    for traffic in (never, always):
        assert chance_to_catch(traffic, 20_000, 2.0) <= 0.05
        assert requests_to_catch(traffic, 2.0) is None
        assert least_ratio(traffic, 20_000) is None
    # Nothing is more than all.
    often = Traffic(share=0.1, rate=0.5, alpha=0.05, per_look=1200)
    assert often.most_ratio == 2
    assert chance_to_catch(often, 20_000, 64.0) == chance_to_catch(often, 20_000, 2.0) > 0.99


def test_what_is_reckoned_agrees_with_itself() -> None:
    n = requests_to_catch(CANARY, 2.0, chance=0.8)
    assert n is not None
    assert chance_to_catch(CANARY, n, 2.0) == pytest.approx(0.8, abs=0.01)
    least = least_ratio(CANARY, n, chance=0.8)
    assert least == pytest.approx(2.0, rel=0.04)


def test_the_chance_that_an_equal_version_seems_to_harm() -> None:
    # A walk of 200 minutes of 120 requests, at 1 %, against a champion with nine times as many.
    rng = np.random.default_rng(53)
    extra = rng.binomial(120, 0.01, (4000, 200)) - rng.binomial(1080, 0.01, (4000, 200)) / 9
    found = np.mean(np.any(np.cumsum(extra, axis=1) >= 20, axis=1))
    assert chance_of_harm(24_000, 0.1, 0.01, 20) == pytest.approx(found, abs=0.03)
    assert chance_of_harm(0, 0.1, 0.01, 20) == 0.0
    assert chance_of_harm(1e9, 0.1, 0.01, 1e-9) == pytest.approx(2 * norm.cdf(0.0), abs=1e-6)


PAGE = (Path(__file__).parents[2] / "docs" / "rollouts.md").read_text()
STAGES = ((0.05, 500), (0.1, 10_000), (0.5, 20_000))


@pytest.mark.parametrize("percent", ["0.1", "1", "5"])
def test_the_page_says_what_stages_see(percent: str) -> None:
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| {percent} % | x2"))
    for cell, (share, n_requests) in zip(line.split("|")[2:5], STAGES, strict=True):
        traffic = Traffic(share=share, rate=float(percent) / 100, alpha=0.05, per_look=min(n_requests, 1200))
        chance = re.search(r"x2 ([0-9]+) %", cell)
        assert chance
        assert round(100 * chance_to_catch(traffic, n_requests, 2.0)) == int(chance[1])
        least, said = least_ratio(traffic, n_requests), re.search(r"from x([0-9.]+)", cell)
        assert (least is None) == (said is None)
        if least and said:
            assert least == pytest.approx(float(said[1]), rel=0.04)
