import pytest

from headway.stats.power import MANY, rows_to_decide


@pytest.mark.parametrize(("margin", "rows"), [(0.01, 6183), (0.02, 1546)])
def test_rows_for_a_margin_agree_with_the_textbook(margin: float, rows: int) -> None:
    # Equal models that differ on a tenth of the rows, 80 % power, one-sided 5 %: (1.645 + 0.842)^2 * 0.1 / margin^2.
    assert rows_to_decide(margin, 0.1**0.5, confidence=0.95) == rows


def test_a_value_at_its_limit_is_never_told_from_it() -> None:
    assert rows_to_decide(0.0, 0.3, confidence=0.95) is None
    assert rows_to_decide(1e-9, 0.3, confidence=0.95) is None


def test_a_gap_half_as_wide_takes_four_times_the_rows() -> None:
    wide, narrow = (rows_to_decide(gap, 10.0, confidence=0.99, power=0.9) for gap in (0.2, 0.1))
    assert wide is not None
    assert narrow is not None
    assert narrow / wide == pytest.approx(4, rel=1e-3)
    assert narrow < MANY
