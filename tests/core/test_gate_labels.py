"""What labels of the rows that differ are worth: the gate's own rule on those rows, and in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from headway.core.gate_labels import POWER, Labelling, labels_to_see, needed, smallest_gain, told
from headway.stats.compare import Pairs, tango_corrected

FOUND = Labelling(
    n_rows=1000, n_differ=100, n_labelled=20, n_written=80, key="id", target="late", out="rows.csv", confidence=0.95,
    needed=needed(0.1, 0.95), smallest_gain=smallest_gain(100, 0.1, 0.95),
)  # fmt: skip


@given(gained=st.integers(0, 300), lost=st.integers(0, 300), ties=st.integers(0, 5000))
def test_without_a_margin_the_rows_that_agree_decide_nothing(gained: int, lost: int, ties: int) -> None:
    """What is let through on the rows that differ is what is let through on all: the promise of `gate label`."""
    if gained + lost == 0:
        return
    alone = tango_corrected(Pairs(gained=gained, lost=lost, n_rows=gained + lost), 0.9)
    among = tango_corrected(Pairs(gained=gained, lost=lost, n_rows=gained + lost + ties), 0.9)
    assert (alone.low > 0, alone.high < 0) == (among.low > 0, among.high < 0)


@pytest.mark.parametrize(("gain", "differ"), [(0.02, 0.1), (0.05, 0.1), (0.01, 0.03)])
def test_so_many_labels_show_the_gain_four_times_in_five(gain: float, differ: float) -> None:
    """By chance, with the gate's own interval; three standard errors of 1,000 worlds."""
    labels = labels_to_see(gain, differ, 0.95)
    assert labels is not None
    rng = np.random.default_rng(5)
    gained = rng.binomial(labels, (1 + gain / differ) / 2, 1000)
    shows = {g: tango_corrected(Pairs(gained=g, lost=labels - g, n_rows=labels), 0.9).low > 0 for g in set(gained)}
    share = np.mean([shows[g] for g in gained])
    assert POWER - 0.038 < share < POWER + 0.1


def test_more_labels_show_smaller_gains() -> None:
    found = [smallest_gain(n, 0.1, 0.95) for n in (10, 100, 1000)]
    assert all(one is not None for one in found)
    assert found == sorted(found, reverse=True)  # type: ignore[type-var] # none is None
    assert smallest_gain(4, 0.1, 0.95) is None
    assert smallest_gain(0, 0.1, 0.95) is None
    # The largest gain that can be is that the new model is right wherever they differ.
    assert [one.gain for one in needed(0.02, 0.95)] == [0.01, 0.02]


def test_what_was_found_is_told() -> None:
    lines = told(FOUND)
    assert lines[1] == "they differ on 100 (10 %). 20 of these are labelled already."
    assert lines[2].startswith("wrote 80 rows to rows.csv: fill in the column late")
    assert lines[3] == (
        "labels that show a true gain 4 times in 5, at 95 %: "
        "635 for 1 point, 169 for 2 points, 76 for 3 points, 28 for 5 points"
    )
    assert lines[4] == "with 100 of them labelled, a gain of 2.6 points or more shows"
    assert "one of 0.1 on these" in lines[5]


def test_what_cannot_be_shown_is_told_too() -> None:
    few = replace(FOUND, n_differ=3, n_labelled=0, n_written=3, needed=(), smallest_gain=None)
    assert "with 3 of them labelled, no gain shows surely enough: measure on more rows" in told(few)
    done = replace(FOUND, n_labelled=100, n_written=0)
    assert "nothing is left to label, and nothing was written" in told(done)
    none = replace(FOUND, n_differ=0)
    assert told(none)[1:] == ["they differ nowhere: no label tells which is better"]
