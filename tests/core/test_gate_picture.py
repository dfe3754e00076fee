"""What is drawn of a verdict: the limit, the good side and all estimates are on the axis, in the reader's unit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gate_views import ALL, APART, BAD, BROKEN, GOOD, OPEN, SLICED, UNBOUNDED, judged, sliced
from headway.core.check_grammar import parse_check
from headway.core.gate import CheckVerdict, conclude
from headway.core.gate_picture import Axis, Plot, plots, shortened, tick_told


def plot(verdict: CheckVerdict) -> tuple[Plot, Axis]:
    (found,) = plots(conclude([verdict]))
    assert found.axis is not None
    return found, found.axis


def test_shares_are_drawn_in_percent_and_their_differences_in_points() -> None:
    found, axis = plot(GOOD)
    assert (axis.unit, found.limit, found.limits) == ("%", "limit 80 %", (80.0,))
    assert found.lines[0].told == "84.1 (82.4 to 85.7)"
    found, axis = plot(OPEN)
    assert (axis.unit, found.limit, found.still) == ("points", "limit -2 points", 0.0)
    assert found.lines[0].told == "-1.0 (-3.5 to +1.4)"
    found, axis = plot(BAD)
    assert (axis.unit, found.lines[0].rows) == ("", "2,000 rows, 200 differ")


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("new.accuracy > 0.8", (80.0, None)),
        ("new.log_loss < 0.5", (None, 0.5)),
        ("new.accuracy - old.accuracy within +/- 0.01", (-1.0, 1.0)),
    ],
)
def test_the_good_side_is_that_of_the_check(text: str, good: tuple[float | None, float | None]) -> None:
    found, _ = plot(judged(text, 0.4, 0.3, 0.5))
    assert found.good == pytest.approx(good)


def test_what_was_not_measured_has_no_axis() -> None:
    for verdict in (BROKEN, APART):
        (found,) = plots(conclude([verdict]))
        assert found.axis is None
        assert [line.outcome for line in found.lines] == [verdict.outcome]


def test_bounds_that_are_not_there_are_said_to_be_unknown() -> None:
    assert plot(UNBOUNDED)[0].lines[0].told.endswith("(range unknown)")
    assert plot(judged("new.mae <= 12.5", 11.2, None, 13.0))[0].lines[0].told == "11.2 (from below to 13.0)"
    assert plot(judged("new.auc >= 0.5", 0.7, 0.6, None))[0].lines[0].told == "0.700 (0.600 and up)"


def test_slices_keep_their_order_and_the_small_ones_are_told() -> None:
    found, _ = plot(SLICED)
    assert [line.name for line in found.lines] == ["all rows", *(one.name for one in SLICED.slices)]
    assert [line.outcome for line in found.lines] == ["unsure", "fail", "unsure", "small", "pass"]


def test_a_check_for_each_slice_has_no_line_for_all_rows() -> None:
    found, _ = plot(replace(SLICED, evidence=None))
    assert [line.name for line in found.lines] == [one.name for one in SLICED.slices]


def test_one_wide_slice_does_not_flatten_all_others() -> None:
    _, axis = plot(sliced(OPEN, {"a=1": (0.0, 31)}))
    assert axis.high - axis.low < 30


def test_what_is_too_small_to_tell_does_not_stretch_the_axis() -> None:
    small = sliced(OPEN, {"a=1": (0.9, 4)})
    assert plot(small)[1] == plot(OPEN)[1]
    _, axis = plot(replace(small, evidence=None))
    assert 0 <= axis.place(90) <= 1


@given(
    estimate=st.floats(-1, 1),
    low=st.none() | st.floats(-1, 1),
    high=st.none() | st.floats(-1, 1),
    limit=st.floats(-0.99, 0.99),
    parts=st.lists(st.tuples(st.floats(-1, 1), st.integers(1, 10**6)), max_size=5),
)
def test_whatever_was_measured_the_limit_and_all_estimates_are_on_the_axis(
    estimate: float, low: float | None, high: float | None, limit: float, parts: list[tuple[float, int]]
) -> None:
    low = None if low is None else min(low, estimate)
    high = None if high is None else max(high, estimate)
    check = replace(parse_check("new.accuracy - old.accuracy > 0.1"), limit=limit)
    verdict = sliced(
        replace(judged("new.accuracy - old.accuracy > 0.1", estimate, low, high), check=check),
        {f"a={i}": part for i, part in enumerate(parts)},
    )
    found, axis = plot(verdict)
    assert math.isfinite(axis.low)
    assert axis.low < axis.high
    drawn = [line.estimate for line in found.lines if line.estimate is not None and line.outcome != "small"]
    for value in (*found.limits, *drawn):
        assert -1e-9 <= axis.place(value) <= 1 + 1e-9
    assert all(-1e-6 <= axis.place(tick) <= 1 + 1e-6 for tick in axis.ticks)
    assert len({tick_told(axis, tick) for tick in axis.ticks}) == len(axis.ticks) <= 12


@given(value=st.floats(-1e9, 1e9), limit=st.floats(-1e9, 1e9))
def test_numbers_of_any_size_have_an_axis(value: float, limit: float) -> None:
    check = replace(parse_check("new.mse - old.mse < 1"), limit=limit)
    _, axis = plot(replace(judged("new.mse - old.mse < 1", value, value, value), check=check))
    assert 0 <= axis.place(value) <= 1
    assert 0 <= axis.place(limit) <= 1


def test_a_long_name_keeps_both_ends() -> None:
    assert shortened("short", 9, len, "…") == "short"
    assert shortened("x" * 50 + "1", 5, len, "…") == "xx…x1"
    assert shortened("abc", 1, len, "…") == "…"


def test_every_kind_is_drawn() -> None:
    assert [one.outcome for one in plots(conclude(ALL))] == [
        "pass", "unsure", "fail", "unsure", "unsure", "error", "not-applicable",
    ]  # fmt: skip
