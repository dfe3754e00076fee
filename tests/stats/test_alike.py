"""Rows in an order of their own."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headway.stats.alike import order_of

numbers = st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0, math.nan])


@given(st.lists(st.tuples(numbers, st.integers(-5, 5)), min_size=1, max_size=30), st.randoms())
def test_rows_come_out_in_one_order_however_they_came(rows: list[tuple[float, int]], random: object) -> None:
    shuffled = rows.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis' own Random
    told = []
    for given_rows in (rows, shuffled):
        columns = np.array([row[0] for row in given_rows]) + 0.0, np.array([row[1] for row in given_rows])
        order = order_of(columns)
        assert sorted(order.tolist()) == list(range(len(rows)))
        told.append((columns[0][order].tobytes(), columns[1][order].tobytes()))
    assert told[0] == told[1]


def test_each_column_counts_and_matrices_do_too() -> None:
    matrix = np.array([[1.0, 2.0], [1.0, 3.0], [0.0, 2.0]])
    turned = matrix[::-1]
    assert np.array_equal(matrix[order_of([matrix])], turned[order_of([turned])])


def test_equal_rows_stand_together() -> None:
    column = np.array([1, 2, 1, 3, 2, 1] * 50)
    ordered = column[order_of([column])]
    assert np.count_nonzero(np.diff(ordered)) == 2
