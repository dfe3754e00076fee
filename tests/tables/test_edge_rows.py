"""Rows at which two models part: found where there are such, by asking alone."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headway.core.prediction import Prediction
from headway.core.signature import Signature
from headway.errors import DataUnreadable
from headway.tables.edge_rows import answered, apart, at_jumps, at_splits, beside, of_columns, refusal


class Step:
    """1 where x is above a place, else 0; it refuses gaps."""

    format, notes, columns, signature = "test", (), ("x", "z"), Signature()

    def __init__(self, place: float) -> None:
        self.place = place

    # Any: as in `LoadedModel.predict`.
    def predict(self, rows: Sequence[Mapping[str, Any]]) -> Prediction:
        if any(row["x"] is None for row in rows):
            raise DataUnreadable("a gap", at="x", remedy="fill it")
        return Prediction(labels=np.array([float(row["x"] > self.place) for row in rows]))


ROWS = [{"x": float(x), "z": "a"} for x in np.linspace(-1, 1, 50)]


@given(st.floats(-0.9, 0.9).filter(lambda place: abs(place) > 1e-6))
def test_both_sides_of_a_jump_are_found_wherever_it_is(place: float) -> None:
    found = [row["x"] for row in at_jumps(Step(place), ROWS, ["x", "z"])]  # type: ignore[arg-type] # of rows alone
    assert place in found
    assert math.nextafter(place, math.inf) in found


def test_a_model_that_jumps_one_bit_beside_is_told_apart() -> None:
    place = 0.1
    near = Step(float(np.float32(place)))
    rows = at_jumps(Step(place), ROWS, ["x"])  # type: ignore[arg-type] # as above
    seen = []

    def compare(one: Prediction, other: Prediction, _: int) -> None:
        seen.append((one.labels != other.labels).any())

    assert apart(rows, Step(place), near, compare) == ""  # type: ignore[arg-type] # as above
    assert any(seen)


@given(st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_beside_a_split_there_are_its_neighbours_in_both_precisions(value: float) -> None:
    found = beside(value)
    assert value in found
    assert all(math.isfinite(one) for one in found)
    if abs(value) < 1e38:
        with np.errstate(over="ignore"):
            singles = [one for one in found if float(np.float32(one)) == one]
        assert min(singles) <= value <= max(singles)


def test_splits_become_rows_of_their_column() -> None:
    rows = at_splits(ROWS, ["x", "z"], [(0, 0.5)])
    assert {row["z"] for row in rows} == {"a"}
    assert 0.5 in [row["x"] for row in rows]


def test_each_column_gets_what_is_odd_for_it() -> None:
    found = of_columns(ROWS, ["x", "z"])
    assert {what for name, what in found if name == "x"} == {"gap", "extreme", "large", "infinite"}
    assert {what for name, what in found if name == "z"} == {"gap", "extreme", "unseen", "empty"}
    assert all(row["x"] is None for row in found["x", "gap"])


def test_who_alone_refuses_a_row_is_told() -> None:
    class Careless(Step):
        def predict(self, rows: Sequence[Mapping[str, Any]]) -> Prediction:
            return Prediction(labels=np.zeros(len(rows)))

    rows = [*ROWS[:3], {"x": None, "z": "a"}]
    assert refusal(Step(0), rows) == "a gap"  # type: ignore[arg-type] # as above
    said = apart(rows, Step(0), Careless(0), lambda *_: None)  # type: ignore[arg-type] # as above
    assert said == "row 3: only it refuses it (a gap)"
    assert apart(rows, Step(0), Step(0), lambda *_: None) == ""  # type: ignore[arg-type] # as above


def test_rows_that_are_answered_are_counted_until_there_are_enough() -> None:
    rows = [*ROWS[:3], {"x": None, "z": "a"}, *ROWS[3:]]
    assert answered(Step(0), rows, 1000) == (50, "a gap")  # type: ignore[arg-type] # as above
    assert answered(Step(0), ROWS, 10) == (50, "")  # type: ignore[arg-type] # as above
    assert answered(Step(0), rows[3:4], 10) == (0, "a gap")  # type: ignore[arg-type] # as above
