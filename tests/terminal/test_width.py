"""Texts are made to fit in columns, not in characters."""

from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from headway.terminal.tail import clean
from headway.terminal.width import cells, cut, padded

TEXTS = st.text().map(clean)


@given(TEXTS, st.integers(-3, 50))
def test_what_was_cut_fits(text: str, columns: int) -> None:
    assert cells(cut(text, columns, "…")) <= max(columns, 0)


@given(TEXTS, st.integers(0, 50))
def test_what_fits_is_not_cut(text: str, more: int) -> None:
    assert cut(text, cells(text) + more, "…") == text or not text


@given(TEXTS, st.integers(0, 50))
def test_what_was_padded_is_exactly_as_wide(text: str, columns: int) -> None:
    assert cells(padded(text, columns)) == columns


@given(TEXTS)
def test_the_short_way_for_ascii_gives_the_same(text: str) -> None:
    assert cells(text) == wcswidth(text)
