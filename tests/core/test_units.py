"""Times and amounts of memory."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.grammar import DURATION, SIZE
from headway.core.units import duration_s, size_bytes


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (90, 90.0), ("90", 90.0), ("30s", 30.0), ("10m", 600.0), ("1h30m", 5400.0), ("1.5h", 5400.0), ("7d", 604800.0),
        ("2w", 1209600.0), ("250ms", 0.25), (0, 0.0), ("1h 30m", None), ("1.5h30m", None), ("h", None), ("", None),
        ("-1s", None), (-1, None), ("1y", None), ("1.s", None), (".5s", None), ("1..5s", None), ("1h30", None),
        ("1e3s", None), (1e12, None), ("9" * 18, None), (float("nan"), None), (float("inf"), None),
    ],
)  # fmt: skip
def test_times(written: float | str, seconds: float | None) -> None:
    assert duration_s(written) == seconds


@pytest.mark.parametrize(
    ("written", "n_bytes"),
    [
        (5, 5), ("5", 5), ("5B", 5), ("1kB", 1000), ("1 KB", 1000), ("1KiB", 1024), ("4GiB", 4 << 30), ("4Gi", 4 << 30),
        ("1.5M", 1_500_000), ("2tib", 2 << 40), ("GiB", None), ("4 Gib/s", None), ("-1", None), (-1, None), ("", None),
        ("4XB", None), ("1e3", None), ("9" * 20, None),
    ],
)  # fmt: skip
def test_sizes(written: int | str, n_bytes: int | None) -> None:
    assert size_bytes(written) == n_bytes


@given(st.text(st.sampled_from("0129.smhdwkKMGiB "), max_size=7))
def test_editors_and_the_reader_take_the_same_texts(text: str) -> None:
    assert (duration_s(text) is not None) is (re.search(DURATION, text) is not None)
    assert (size_bytes(text) is not None) is (re.search(SIZE, text) is not None)
