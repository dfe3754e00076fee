"""Two histograms over each other: by shares, on one axis, whatever their bins and however many rows they have."""

import re

from headway.codec.histogram_svg import beside
from headway.core.profile import ColumnProfile, Histogram

COLUMN = ColumnProfile(name="age <b>", kind="number", stored_as="text", n_rows=4)


def paths(now: Histogram, before: Histogram) -> dict[str, list[tuple[float, float]]]:
    svg = beside(COLUMN, now, before)
    assert "<b>" not in svg
    found = dict(re.findall(r'<path class="(\w+)" d="([^"]+)"', svg))
    return {
        name: [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", path)] for name, path in found.items()
    }


def test_the_same_shares_are_as_high_however_many_rows_there_are() -> None:
    few, many = Histogram(edges=(0.0, 1.0, 2.0), counts=(1, 3)), Histogram(edges=(0.0, 1.0, 2.0), counts=(100, 300))
    found = paths(few, many)
    assert found["now"] == found["before"]


def test_a_bin_of_twice_the_width_with_twice_the_rows_is_as_high() -> None:
    found = paths(Histogram(edges=(0.0, 1.0, 3.0), counts=(1, 2)), Histogram(edges=(0.0, 3.0), counts=(3,)))
    heights = {y for points in found.values() for _, y in points}
    assert heights == {150.0, 10.0}


def test_both_lie_on_one_axis() -> None:
    found = paths(Histogram(edges=(0.0, 10.0), counts=(1,)), Histogram(edges=(10.0, 20.0), counts=(1,)))
    assert max(x for x, _ in found["now"]) == min(x for x, _ in found["before"]) == 240.0
