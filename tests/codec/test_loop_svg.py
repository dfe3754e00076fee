"""The picture of the loop: well-formed, every stage on it once, nothing on top of another, and no colour alone."""

import xml.etree.ElementTree as ET

import pytest
from msgspec.structs import replace

from headway.codec import loop_svg
from headway.core.loop import Loop, Stop

NAMES = ("Data", "Validate <b>", "Train & test", "A step with a very long name indeed", "e", "live")


def made(n: int) -> Loop:
    states = ("well", "running", "waiting", "trouble", "idle")
    stops = tuple(
        Stop(
            kind="step",
            name=NAMES[i % len(NAMES)],
            state=states[i % len(states)],  # type: ignore[arg-type] # a table
            words="passed",
            at=60.0 * i,
            link=f"/runs/{i}" if i % 2 else "",
        )
        for i in range(n)
    )
    return Loop(state="well", headline="", said=(), stops=stops, waiting=(), next="")


def drawn(loop: Loop) -> ET.Element:
    return ET.fromstring(loop_svg.drawn(loop, lambda at: f"{at:.0f} s ago"))


@pytest.mark.parametrize("n", [3, 4, 7, 12, 25])
def test_stages_stand_apart_and_inside(n: int) -> None:
    picture = drawn(made(n))
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    centres = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in picture.iter("circle")]
    assert len(set(centres)) == n
    for i, (x, y) in enumerate(centres):
        assert loop_svg.MARGIN_X <= x <= width - loop_svg.MARGIN_X
        assert loop_svg.RADIUS < y < height - loop_svg.RADIUS
        assert all(abs(x - u) + abs(y - v) >= 100 for u, v in centres[:i])
    for text in picture.iter("text"):
        assert 10 < float(text.attrib["y"]) < height


def test_each_stage_says_its_state_by_a_sign_and_in_words() -> None:
    picture = drawn(made(5))
    marks = [path.attrib["d"] for path in picture.iter("path") if path.attrib.get("class") == "mark"]
    assert len(set(marks)) == 5
    titles = [title.text for title in picture.iter("title")]
    assert titles[1] == "Validate <b>: passed, 60 s ago"


def test_a_stage_without_an_age_or_a_page_has_none() -> None:
    loop = made(3)
    plain = replace(loop, stops=tuple(replace(one, at=None, link="") for one in loop.stops))
    picture = drawn(plain)
    assert list(picture.iter("a")) == []
    assert len(list(picture.iter("text"))) == 6


def test_bars_of_a_run_are_as_long_as_the_steps() -> None:
    bars = [("train", "well", 0.0, 30.0), ("gate", "trouble", 30.0, 10.0), ("a<b", "running", 40.0, 0.0)]
    picture = ET.fromstring(loop_svg.spans(bars, total_s=40.0, said=["passed", "failed", "runs"]))
    widths = [float(rect.attrib["width"]) for rect in picture.iter("rect")]
    assert widths[0] == pytest.approx(3 * widths[1], rel=0.01)
    assert widths[2] == 3.0
    starts = [float(rect.attrib["x"]) for rect in picture.iter("rect")]
    assert starts[1] == pytest.approx(starts[0] + widths[0], abs=0.2)
