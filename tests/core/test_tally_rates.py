"""How often a release is decided falsely, and how soon rightly: from the lines of a log to the verdict."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from headway.core.rollout_judge import Judge
from headway.core.strategy import Strategy
from headway.core.tally import Tally
from logged import NEW, OLD, START, strategy
from simulated_log import World, simulate

EVERYTHING = strategy(
    {"shadow": "100% for 100000 requests"},
    {"canary": "25% for 100000 requests"},
    rollback=["errors", "latency", "quality", "predictions"],
    checks=["new.errors / old.errors <= 1.5 for each region", "disagreement(new, old) <= 0.15"],
    **{"slower-than": "200ms"},
)
ERRORS = strategy({"canary": "10% for 10000000 requests"})
EQUAL = World()


def looks(seed: int, world: World, said: Strategy, minutes: tuple[int, int]) -> Iterator[tuple[int, Judge, float]]:
    """Each minute of a release with what the judge has seen by then, and the time."""
    one, judge, stage = Tally(said, NEW, OLD, None), Judge(said), -1
    first = 0 if minutes[0] else 1
    for i, minute in enumerate(simulate(seed, world, *minutes)):
        if minute.stage - first != stage:
            stage = minute.stage - first
            one.begin(stage, START + 60.0 * i)
            judge.begin(stage, START + 60.0 * i)
        for window in one.after(minute.lines, minute.labels, minute.about):
            judge.after(window)
        yield i + 1, judge, minute.now


def rolled_back(seed: int, world: World, said: Strategy = EVERYTHING, minutes: tuple[int, int] = (5, 25)) -> int:
    """The minute at which the version is rolled back, looked at in each; 0: at none."""
    for minute, judge, now in looks(seed, world, said, minutes):
        if judge.is_alarmed():
            verdict = judge.verdict(now)
            assert verdict.outcome == "roll-back", verdict.why
            return minute
    assert judge.verdict(START).outcome == "keep-looking"
    return 0


def test_the_cheap_alarm_is_that_of_the_verdict_at_every_look() -> None:
    seen = {
        (judge.is_alarmed(), judge.verdict(now).outcome == "roll-back")
        for world in (EQUAL, World(errors_times=6.0))
        for _, judge, now in looks(4, world, EVERYTHING, (5, 10))
    }
    assert seen == {(False, False), (True, True)}


def test_equal_versions_go_through_and_a_worse_one_does_not() -> None:
    assert [rolled_back(seed, EQUAL) for seed in (1, 2, 3)] == [0, 0, 0]
    assert 0 < rolled_back(4, World(errors_times=6.0)) <= 30


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(4))
def test_a_thousand_releases_of_equal_versions_are_rolled_back_as_rarely_as_is_said(part: int) -> None:
    worlds = 250
    falsely = sum(rolled_back(1000 * part + seed, EQUAL) > 0 for seed in range(worlds)) / worlds
    # All four parts together hold the promise within three standard errors of a thousand, if each does within these.
    assert falsely <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "world",
    [World(errors_times=4.0), World(slow_times=3.0), World(wrong_more=0.15), World(errors=0.001, errors_times=20.0)],
    ids=["errors", "slow", "wrong", "rare errors"],
)
def test_a_version_that_is_clearly_worse_in_one_way_is_rolled_back(world: World) -> None:
    assert sum(rolled_back(seed, world) > 0 for seed in range(20)) >= 18


# --- the table of the page, from lines ----------------------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs" / "rollouts.md").read_text()
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and line.count("|") == 6 and line[2].isdigit()
]
ROWS = {row[0]: row for row in TABLE}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["1 %, 1 %", "0.1 %, 0.5 %", "0.5 %, 0.9 %", "1 %, 2 %", "1 %, 4 %", "3 %, 4.5 %"])
def test_the_table_of_the_page_is_what_lines_of_a_log_give(name: str) -> None:
    row, worlds = ROWS[name], 60
    before, now = (float(rate.strip(" %")) / 100 for rate in name.split(","))
    world = World(
        per_minute=1200, share=0.1, errors=before, errors_times=now / before, walks=False, uneven=1.0, label_s=0.0
    )
    minutes = [rolled_back(seed, world, ERRORS, (0, 60)) for seed in range(worlds)]
    caught, said = np.mean(np.array(minutes) > 0), float(row[1].strip(" %")) / 100
    assert caught == pytest.approx(said, abs=3 * math.sqrt(max(said * (1 - said), 0.01) / worlds))
    if row[2]:
        assert np.median([minute or 10**6 for minute in minutes]) == pytest.approx(float(row[2]), abs=3)
