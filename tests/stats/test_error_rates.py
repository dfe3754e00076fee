"""How often a gate lets a model through that breaks its check, or refuses one that keeps it, by simulation."""

from collections.abc import Callable

import numpy as np
import pytest

from headway.core.check import Check, Evidence
from headway.core.check_grammar import parse_check
from headway.core.gate import judge
from headway.errors import Unmeasurable
from headway.stats.answers import Answers, Column
from headway.stats.metrics import measure

pytestmark = pytest.mark.slow

N_RUNS = 2000
ALPHA = 0.05
# Three standard errors of a simulated rate of 5 %.
MOST = ALPHA + 3 * (ALPHA * (1 - ALPHA) / N_RUNS) ** 0.5

World = Callable[[np.random.Generator], tuple[Column, Answers, Answers]]


def rates(text: str, world: World, n_runs: int = N_RUNS) -> dict[str, float]:
    """How often each outcome comes up when worlds are drawn anew."""
    check, rng = parse_check(text), np.random.default_rng(20130101)
    counts = dict.fromkeys(("pass", "fail", "unsure", "error"), 0)
    for _ in range(n_runs):
        counts[outcome(check, *world(rng))] += 1
    return {name: count / n_runs for name, count in counts.items()}


def outcome(check: Check, truth: Column, new: Answers, old: Answers) -> str:
    try:
        found = measure(check.metric, truth, new, old if check.compares else None, 1 - ALPHA)
    except Unmeasurable:
        return "error"
    evidence = Evidence(
        metric=check.metric,
        estimate=found.value,
        low=found.low,
        high=found.high,
        n_rows=found.n_rows,
        method=found.method,
        confidence=1 - ALPHA,
    )
    return judge(check, evidence).outcome


def equals(n_rows: int, positive: float, noise: float) -> World:
    """Two models of equal quality: the same signal, each with noise of its own."""

    def draw(rng: np.random.Generator) -> tuple[Column, Answers, Answers]:
        truth = (rng.random(n_rows) < positive).astype(int)
        shared = rng.standard_normal(n_rows) + 2.5 * truth - 1.5
        answers = []
        for _ in range(2):
            chances = 1 / (1 + np.exp(-shared - noise * rng.standard_normal(n_rows)))
            answers.append(Answers(labels=(chances >= 0.5).astype(int), chances=chances))
        return truth, answers[0], answers[1]

    return draw


def apart(n_rows: int, gained: float, lost: float, both: float = 0.7) -> World:
    """Two models of which only the new one is right with chance `gained`, only the old one with `lost`."""

    def draw(rng: np.random.Generator) -> tuple[Column, Answers, Answers]:
        u = rng.random(n_rows)
        new = (u < both + gained).astype(int)
        old = ((u < both) | ((u >= both + gained) & (u < both + gained + lost))).astype(int)
        return np.ones(n_rows, dtype=int), Answers(labels=new), Answers(labels=old)

    return draw


WORLDS = {
    "100 rows": equals(100, 0.4, 0.6),
    "1000 rows": equals(1000, 0.4, 0.6),
    "1000 rows, rare": equals(1000, 0.05, 0.6),
    "1000 rows, nearly the same model": equals(1000, 0.4, 0.1),
    "3000 rows, very different": equals(3000, 0.3, 2.0),
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(
    "metric", ["accuracy", "recall", "specificity", "precision", "f1", "auc", "log_loss", "brier", "mse"]
)
def test_models_of_equal_quality_seldom_pass_or_fail_a_strict_comparison(metric: str, world: str) -> None:
    found = rates(f"new.{metric} - old.{metric} > 0", WORLDS[world])
    assert found["pass"] <= MOST
    assert found["fail"] <= MOST


@pytest.mark.parametrize("n_rows", [200, 2000])
@pytest.mark.parametrize(
    ("limit", "gained", "lost"),
    [(0.0, 0.05, 0.05), (0.0, 0.005, 0.005), (-0.01, 0.045, 0.055), (-0.01, 0.0, 0.01), (0.02, 0.06, 0.04)],
)
def test_a_model_at_the_limit_seldom_gets_through(n_rows: int, limit: float, gained: float, lost: float) -> None:
    found = rates(f"new.accuracy - old.accuracy > {limit}", apart(n_rows, gained, lost), 4000)
    assert found["pass"] <= MOST
    assert found["fail"] <= MOST


@pytest.mark.parametrize("share", [0.5, 0.8, 0.97])
@pytest.mark.parametrize("n_rows", [50, 1000])
def test_a_share_at_its_limit_seldom_gets_through(share: float, n_rows: int) -> None:
    found = rates(f"new.accuracy >= {share}", apart(n_rows, 0.0, 0.0, both=share))
    assert found["pass"] <= MOST
    assert found["fail"] <= MOST


def test_a_better_model_usually_gets_through_and_a_worse_one_is_refused() -> None:
    better = rates("new.accuracy - old.accuracy > 0", apart(2000, 0.065, 0.035))
    worse = rates("new.accuracy - old.accuracy > 0", apart(2000, 0.035, 0.065))
    assert better["pass"] > 0.95
    assert worse["fail"] > 0.95
    # The gain of 2 points that 2,000 rows show with 87 % by the exact McNemar test.
    assert rates("new.accuracy - old.accuracy > 0", apart(2000, 0.06, 0.04))["pass"] > 0.85


@pytest.mark.parametrize("metric", ["accuracy", "recall", "f1", "auc", "log_loss", "brier"])
def test_a_model_against_itself_never_passes_a_strict_comparison(metric: str) -> None:
    draw = equals(500, 0.4, 0.6)

    def itself(rng: np.random.Generator) -> tuple[Column, Answers, Answers]:
        truth, new, _ = draw(rng)
        return truth, new, new

    for op in (">", "<"):
        found = rates(f"new.{metric} - old.{metric} {op} 0", itself, 200)
        assert found == {"pass": 0, "fail": 0, "unsure": 1, "error": 0}
