"""File events that are lost or late, and clocks that jump: a file that arrived is told, and told once."""

import time
from pathlib import Path

import pytest

from events_world import Looking
from headway.core import facts as f

DAY_S = 86_400.0


@pytest.fixture
def looking(tmp_path: Path) -> Looking:
    (tmp_path / "data" / "in").mkdir(parents=True)
    found = Looking(tmp_path, {"data": {"dataset": "data/in"}}, now=time.time())
    found.told()
    # The kernel has promised to tell of this folder, so that it is looked at seldom.
    found.source.pace.is_watched = True
    return found


def arrives(looking: Looking, name: str) -> None:
    (Path(looking.world.folder) / "data" / "in" / name).write_text(name)


def over(looking: Looking, hours: float) -> list[f.EventSeen]:
    """What is told in so long, by a loop that asks each ten seconds who is due."""
    found = []
    for _ in range(round(hours * 360)):
        looking.now += 10
        found += looking.due()
    return found


def test_a_file_whose_event_is_lost_is_told_within_an_hour_and_once(looking: Looking) -> None:
    arrives(looking, "a.csv")
    assert not looking.source.pace.touched
    assert len(over(looking, 1)) == 1
    assert over(looking, 1) == []


def test_an_event_that_is_late_tells_nothing_again(looking: Looking) -> None:
    arrives(looking, "a.csv")
    assert len(over(looking, 1)) == 1
    looking.source.pace.touched = True
    assert over(looking, 1) == []


@pytest.mark.parametrize("jump", [-DAY_S, -3600.0, 3600.0, DAY_S], ids=["a day back", "back", "ahead", "a day ahead"])
def test_a_clock_that_jumps_as_a_file_arrives_loses_and_repeats_nothing(looking: Looking, jump: float) -> None:
    arrives(looking, "a.csv")
    looking.now += jump
    assert len(over(looking, 1)) == 1
    looking.now -= jump
    assert over(looking, 1) == []
    arrives(looking, "b.csv")
    assert len(over(looking, 1)) == 1
