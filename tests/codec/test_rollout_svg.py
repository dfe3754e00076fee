"""The course of a release's evidence as a picture that stands alone."""

from xml.etree import ElementTree as ET

import pytest

from headway.codec.rollout_svg import drawn
from headway.core.rollout_course import Course, Moment

SVG = "{http://www.w3.org/2000/svg}"

COURSE = Course(
    names=("errors", 'slow <in> "south" & east', "harm"),
    moments=tuple(Moment(at=60.0 * i, ways=(i / 10, 0.0 if i < 5 else 0.5, min(i / 8, 1.0))) for i in range(1, 11)),
    stages=((0.0, "shadow: 100% for 2000 requests"), (240.0, "canary: 10% for 10000 requests"), (598.0, "promote")),
    ended_at=600.0,
)


def picture(course: Course = COURSE) -> ET.Element:
    return ET.fromstring(drawn(course, title="release 2 of <e>", said="m@2 was rolled back"))


def test_each_line_is_drawn_and_named_where_it_ends() -> None:
    svg = picture()
    assert len(svg.findall(f"{SVG}path")) == 3
    words = [element.text or "" for element in svg.iter(f"{SVG}text")]
    assert {"errors", 'slow <in> "south" & east', "harm", "rolls back", "release 2 of <e>"} <= set(words)
    # Two lines end at the top: their names stand below one another.
    places = {e.text: float(e.attrib["y"]) for e in svg.iter(f"{SVG}text") if e.text in ("errors", "harm")}
    assert abs(places["errors"] - places["harm"]) >= 15


def test_stages_stand_where_they_began_and_are_named_where_there_is_room() -> None:
    words = [element.text or "" for element in picture().iter(f"{SVG}text")]
    assert "shadow: 100% for 2000 requests" in words
    assert "promote" not in words
    assert any(word.startswith("evidence, by its logarithm; 10 minutes") for word in words)


MANY = Course(
    names=tuple(f"errors in region={i}" for i in range(40)),
    moments=(Moment(at=1.0, ways=(0.1,) * 40),),
    stages=COURSE.stages,
    ended_at=600.0,
)


@pytest.mark.parametrize("course", [COURSE, MANY], ids=["few", "many"])
def test_all_is_inside_the_picture(course: Course) -> None:
    svg = picture(course)
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    for element in svg.iter():
        for name, most in (("x", width), ("x1", width), ("x2", width), ("y", height), ("y1", height), ("y2", height)):
            assert 0 <= float(element.attrib.get(name, 0)) <= most


def test_who_does_not_see_it_is_told_the_same() -> None:
    (told,) = picture().findall(f"{SVG}desc")
    assert told.text == (
        "m@2 was rolled back errors came 100 % of its way to rolling back. "
        'slow <in> "south" & east came 50 % of its way to rolling back. harm came 100 % of its way to rolling back.'
    )


def test_before_the_first_look_there_is_nothing_but_the_frame() -> None:
    svg = picture(Course(names=(), moments=(), stages=((0.0, "canary: 10% for 2h"),), ended_at=0.0))
    assert svg.findall(f"{SVG}path") == []
    (told,) = svg.findall(f"{SVG}desc")
    assert (told.text or "").endswith("Nothing was looked at yet.")


def test_a_release_that_is_starting_has_a_picture_too() -> None:
    svg = picture(Course(names=(), moments=(), stages=(), ended_at=600.0))
    assert "rolls back" in [element.text for element in svg.iter(f"{SVG}text")]
