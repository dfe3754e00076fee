from hypothesis import given
from hypothesis import strategies as st

from headway.core.spans import end, share, span
from headway.core.validation import Tolerance


@given(st.integers(1, 10**6), st.integers(0, 6))
def test_as_many_rows_as_a_share_is_may_break_a_check_and_not_one_more(n_bad: int, places: int) -> None:
    """In decimal digits there is no rounding: 0.7 % of 1,000 rows are 7."""
    n_rows = 10**6
    n_bad -= n_bad % 10 ** (6 - places)
    written = f"{n_bad // 10**4}.{n_bad % 10**4:04}%"
    read = share(written)
    assert read == end(written) == n_bad / n_rows
    assert Tolerance(share=read).allows(n_bad, n_rows)
    assert not Tolerance(share=read).allows(n_bad + 1, n_rows)


def test_what_is_no_finite_number_is_no_end() -> None:
    assert [end(text) for text in ("1e999", "1e999%", "9" * 5000, "1e5000", "inf", ".nan")] == [None] * 6
    assert span("0..1e999") is None
    assert share("1e999%") is None
