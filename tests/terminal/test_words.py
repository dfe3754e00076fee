"""Numbers and times in a form for people."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.terminal.words import ago, size, table, took

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s ago"), (0, "0 s ago"), (119.9, "119 s ago"), (120, "2 min ago"), (2 * HOUR - 1, "119 min ago"),
        (2 * HOUR, "2 h ago"), (2 * DAY - 1, "47 h ago"), (2 * DAY, "2 days ago"), (400 * DAY, "400 days ago"),
    ],
)  # fmt: skip
def test_how_long_ago(seconds: float, said: str) -> None:
    assert ago(seconds) == said


@pytest.mark.parametrize(
    ("n_bytes", "said"),
    [
        (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (2**20 - 1, "1.0 MiB"), (2**20, "1.0 MiB"),
        (5 * 2**30, "5.0 GiB"), (2**40 - 1, "1.0 TiB"), (3000 * 2**40, "3000.0 TiB"),
    ],
)  # fmt: skip
def test_a_size(n_bytes: int, said: str) -> None:
    assert size(n_bytes) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.00 s"), (0.234, "0.23 s"), (9.99, "9.99 s"), (9.999, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"),
        (119.6, "2 min 00 s"), (3599.4, "59 min 59 s"), (3599.6, "1 h 00 min"), (7260, "2 h 01 min"),
        (100 * HOUR, "100 h 00 min"),
    ],
)  # fmt: skip
def test_how_long_it_took(seconds: float, said: str) -> None:
    assert took(seconds) == said


@given(st.floats(0, 10**7))
def test_no_duration_has_sixty_seconds_or_minutes(seconds: float) -> None:
    assert not re.search(r"(?<![.\d])60 (s|min)", took(seconds))


@given(st.integers(0, 2**49))
def test_a_size_never_fills_the_next_unit(n_bytes: int) -> None:
    number, unit = size(n_bytes).split()
    assert float(number) < 1024
    scale = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}[unit]
    assert abs(float(number) * scale - n_bytes) <= 0.051 * scale


def test_columns_stand_under_each_other() -> None:
    rows = [["1", "passed", ""], ["12", "ok", "x"]]
    assert table(rows, heads=["run", "outcome", "why"]) == ["run  outcome  why", "1    passed", "12   ok       x"]


def test_a_table_of_nothing_is_empty() -> None:
    assert table([]) == []
    assert table([], heads=["a", "b"]) == ["a  b"]


@given(st.lists(st.lists(st.text("abc é", max_size=5), min_size=3, max_size=3), min_size=1))
def test_every_cell_begins_where_its_column_does(rows: list[list[str]]) -> None:
    lines = table(rows)
    starts = [0]
    for i in range(2):
        starts.append(starts[-1] + max(len(row[i]) for row in rows) + 2)
    for row, line in zip(rows, lines, strict=True):
        assert all(line[at : at + len(cell)].rstrip() == cell.rstrip() for at, cell in zip(starts, row, strict=True))
