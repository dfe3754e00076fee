"""Windows shorter than a day: mornings are not like nights, and nobody is told of that; what changed is told."""

import math
from pathlib import Path

import numpy as np
import pytest

from headway.flows.watch_kept import detail_of
from watched import HOUR_S, Project, day, rows_of, truth_of

N, STEP = 600, 6
SWING = 0.6
"""At night the age is so many standard deviations lower than at noon, twice over."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(str(tmp_path), window="6h")
    found.release(1)
    # A reference of all hours, in no order of time: its blocks show nothing of a rhythm.
    parts = [rows_of(100 + hour, 1000, age=swing(hour)) for hour in range(0, 24, STEP)]
    order = np.random.default_rng(99).permutation(1000 * len(parts))
    rows = {name: [[value for part in parts for value in part[name]][i] for i in order] for name in parts[0]}
    found.begin(rows, truth_of(np.random.default_rng(98), rows))
    return found


def swing(hour: float) -> float:
    return SWING * math.sin(2 * math.pi * (hour + STEP / 2) / 24)


def live(project: Project, hours: range, *, moved: float = 0.0) -> None:
    """Requests of so many hours; afterwards the monitor looks."""
    for hour in hours:
        rows = rows_of(1000 + hour, N, age=swing(hour) + moved)
        project.answer(rows, at=day(0) + hour * HOUR_S + 60, span_s=(STEP - 1) * HOUR_S)
        project.look(day(0) + (hour + STEP) * HOUR_S + 120)


@pytest.mark.slow
def test_the_rhythm_of_a_day_raises_nothing_and_a_change_is_told_within_it(project: Project) -> None:
    live(project, range(0, 72, STEP))
    assert project.alarms() == []
    # A window alone is far from the reference, the day that ends with it is not.
    assert {one.n_rows for one in project.windows()} == {N}
    assert all(detail_of(project.blobs, one).moved[0].psi < 0.05 for one in project.windows()[4:])
    live(project, range(72, 96, STEP), moved=0.8)
    assert [one.split(" at ")[0] for one in project.alarms()] == ["drift: look"]
    assert int(project.alarms()[0].split(" at ")[1]) in {13, 14}


def test_in_its_first_hours_nobody_knows_the_nights_of_a_version(project: Project) -> None:
    live(project, range(0, 18, STEP), moved=0.8)
    assert project.alarms() == []
    # With the fourth its first day is whole.
    live(project, range(18, 24, STEP), moved=0.8)
    assert project.alarms() == ["drift: look at 4"]
