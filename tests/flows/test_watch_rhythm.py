"""Weekends that are off every week, in a whole monitor: columns, answers, estimates, all together, and slices."""

from pathlib import Path

import numpy as np
import pytest

from watched import HOUR_S, Project, day, rows_of, truth_of

N = 500
OFF = 0.8
"""So many standard deviations ages lie higher on Saturdays and Sundays."""


def off(number: int) -> float:
    return OFF * (number % 7 >= 5)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(str(tmp_path), window="1d", slices=["plan"])
    found.release(1)
    # All days of the week, in no order of time: its blocks show nothing of a rhythm.
    parts = [rows_of(100 + number, 1000, age=off(number)) for number in range(7)]
    order = np.random.default_rng(99).permutation(1000 * len(parts))
    rows = {name: [[value for part in parts for value in part[name]][i] for i in order] for name in parts[0]}
    found.begin(rows, truth_of(np.random.default_rng(98), rows))
    return found


def live(project: Project, numbers: range, *, moved: float = 0.0) -> list[int]:
    """Requests of so many days; which of them show something that counts."""
    n = len(project.windows())
    for number in numbers:
        project.answer(rows_of(1000 + number, N, age=off(number) + moved), at=day(number) + 60, span_s=23 * HOUR_S)
        project.look(day(number + 1) + 120)
    told = project.windows()[n:]
    return [
        number
        for number, one in zip(numbers, told, strict=True)
        if any(reading.is_beyond and reading.about != "traffic" for reading in one.readings)
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_weekends_are_told_in_a_versions_first_week_at_most_and_news_at_once(project: Project) -> None:
    assert {5, 6} <= set(live(project, range(7)))
    assert live(project, range(7, 21)) == []
    # From a Monday on something else: in itself no more than what weekends are.
    assert live(project, range(21, 24), moved=OFF) == [21, 22, 23]
