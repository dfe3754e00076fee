"""Curves: well-formed, inside their frame, and no peak is lost when points are many."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.codec.curve_svg import HEIGHT, MOST, WIDTH, drawn, thinned

VALUES = st.floats(-1e300, 1e300)


def places(svg: str) -> list[tuple[float, float]]:
    path = next(one for one in ET.fromstring(svg).iter("path") if one.attrib["class"] == "mark")
    return [(float(x), float(y)) for x, y in (point.split() for point in path.attrib["d"][1:].split("L"))]


@given(st.lists(VALUES, min_size=2, max_size=50))
def test_a_curve_lies_in_its_frame_and_goes_from_left_to_right(values: list[float]) -> None:
    found = places(drawn("loss", list(enumerate(values))))
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in found)
    assert [x for x, _ in found] == sorted(x for x, _ in found)


@pytest.mark.parametrize("n", [MOST, MOST + 1, 12_345])
def test_no_peak_is_lost(n: int) -> None:
    points = [(i, 0.0) for i in range(n)]
    points[n // 3], points[n // 2] = (n // 3, 9.0), (n // 2, -9.0)
    kept = thinned(points)
    assert len(kept) <= MOST
    assert {(n // 3, 9.0), (n // 2, -9.0), points[0], points[-1]} <= set(kept)
    assert kept == sorted(kept)


def test_what_does_not_change_is_a_line_in_the_middle_and_names_are_text() -> None:
    svg = drawn("a<b>", [(0, 1.0), (5, 1.0)])
    assert len({y for _, y in places(svg)}) == 1
    assert "a&lt;b&gt;" in svg
