"""A verdict on the terminal: it fits, says the same without colours, and in ASCII."""

import re

import pytest
from msgspec.structs import replace
from syrupy.assertion import SnapshotAssertion

from gate_views import ALL, GOOD, HALF, OPEN, SLICED, UNBOUNDED, sliced, view
from headway.core.gate_kept import GateView
from headway.terminal.gates import MANY, shown
from headway.terminal.paint import Paint
from headway.terminal.width import cells

PLAIN = Paint(colours=False, unicode=True)
ASCII = Paint(colours=False, unicode=False)
WHOLE = view(*ALL, SLICED, promise="holdout data/holdout.csv: ask 31 of 32")


def text(found: GateView, columns: int = 100, paint: Paint = PLAIN) -> str:
    return "\n".join(shown(found, columns=columns, paint=paint))


@pytest.mark.parametrize("columns", [60, 120])
def test_a_verdict_is_drawn(snapshot: SnapshotAssertion, columns: int) -> None:
    assert text(WHOLE, columns) == snapshot


def test_a_verdict_is_drawn_in_ascii(snapshot: SnapshotAssertion) -> None:
    told = text(view(GOOD, OPEN, UNBOUNDED, HALF), 80, ASCII)
    assert told.isascii()
    assert told == snapshot


@pytest.mark.parametrize("columns", [30, 40, 49, 50, 60, 80, 120, 200])
@pytest.mark.parametrize("paint", [PLAIN, ASCII], ids=["unicode", "ascii"])
def test_it_fits_any_width(columns: int, paint: Paint) -> None:
    long = sliced(OPEN, {f"a very long name of a column and its value 数据 {i}": (0.01 * i, 100) for i in range(30)})
    for line in shown(view(*ALL, long), columns=columns, paint=paint):
        assert cells(line) <= columns, line


def test_colours_add_nothing_but_colours() -> None:
    painted = text(WHOLE, paint=Paint(colours=True, unicode=True))
    assert "\x1b[" in painted
    assert re.sub(r"\x1b\[\d*m", "", painted) == text(WHOLE)


def test_the_interval_crosses_the_limit_where_it_does() -> None:
    (line,) = [line for line in text(view(OPEN)).splitlines() if "all rows" in line]
    assert re.search(r"├─+╂─+●─+┤·+ ", line)
    (line,) = [line for line in text(view(GOOD)).splitlines() if "all rows" in line]
    assert re.search(r" +┃·+├─+●─+┤·+ ", line)
    (line,) = [line for line in text(view(UNBOUNDED)).splitlines() if "all rows" in line]
    assert re.search(r"◀╌+●╌+╂╌+▶ ", line)


def test_of_many_slices_the_first_are_drawn() -> None:
    many = view(sliced(OPEN, {f"a={i}": (0.01 * i, 100) for i in range(MANY + 7)}))
    told = text(many)
    assert told.count("a=") == MANY
    assert "and 7 more slices\n" in told


def test_signs_are_explained_where_slices_have_them_alone() -> None:
    assert "? unsure; ✗ FAIL; · too small to tell; ✓ pass" in text(view(SLICED))


def test_a_warning_is_told_and_no_name_moves_the_cursor() -> None:
    told = text(view(replace(GOOD, warning="too good: look for leakage"), sliced(OPEN, {"a=\x1b[31m\n": (0.0, 100)})))
    assert "look twice: too good: look for leakage" in told
    assert "\x1b" not in told


def test_who_was_asked_what_stands_below() -> None:
    told = text(WHOLE)
    for words in ("models/model.pkl (cdcdcdcdcdcd)", "churn@7", "31 times, 1 of 32 left", "12, step gate", "ab" * 32):
        assert words in told
    assert "holdout data/holdout.csv: ask 31 of 32" in told
