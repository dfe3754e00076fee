"""The picture and the page of a verdict: well-formed, alone, told without colours, and no place for anybody's code."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from gate_views import ALL, APART, BAD, BROKEN, GOOD, HALF, OPEN, SLICED, UNBOUNDED, sliced, view
from headway.codec.page_gate import MANY, page_of, svg_of
from headway.core.gate import CheckVerdict, conclude

EVIL = "\"><script>alert(1)</script>\x1b[31m'&"
SVG = "{http://www.w3.org/2000/svg}"


def drawn(*checks: CheckVerdict, width: int = 880) -> ET.Element:
    text = svg_of(conclude(checks), width=width)
    assert not re.search(r"url\(|@import|<image|<script|\son\w+=", text)
    assert "//" not in text.replace("http://www.w3.org/2000/svg", "")
    return ET.fromstring(text)


def words(of: ET.Element) -> str:
    return " ".join(found.text or "" for found in of.iter(f"{SVG}text"))


@pytest.mark.parametrize("width", [360, 880, 1200])
@pytest.mark.parametrize("check", [*ALL, SLICED], ids=lambda one: one.check.text + one.outcome)
def test_nothing_is_drawn_beyond_the_picture(check: CheckVerdict, width: int) -> None:
    picture = drawn(check, width=width)
    height = float(picture.get("height", 0))
    for one in picture.iter():
        for name, most in (("x", width), ("x1", width), ("x2", width), ("cx", width), ("y", height), ("y2", height)):
            assert 0 <= float(one.get(name, 0)) <= most
        for place in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", one.get("d", "")):
            assert 0 <= float(place[0]) <= width
            assert 0 <= float(place[1]) <= height


def test_a_picture_is_told_to_who_does_not_see_it() -> None:
    picture = drawn(GOOD, SLICED)
    assert picture.get("role") == "img"
    by = (picture.get("aria-labelledby") or "").split()
    named = {one.get("id"): one.text or "" for one in picture if one.get("id")}
    assert set(by) == set(named)
    told = " ".join(named[one] for one in by)
    assert "new.accuracy >= 0.8: pass; limit 80 %; all rows 84.1 (82.4 to 85.7) %, pass." in told
    assert "region=东京 0.0 (-22.4 to +22.4) points, too small to tell" in told


def test_each_outcome_has_a_sign_a_word_and_a_shape_of_its_own() -> None:
    shapes = {}
    for check in (GOOD, BAD, OPEN):
        picture = drawn(check)
        assert {"pass": "✓ pass", "fail": "✗ FAIL", "unsure": "? unsure"}[check.outcome] in words(picture)
        dots = [one for one in picture.iter() if one.get("class") in ("g-dot", "g-open")]
        shapes[check.outcome] = [one.tag.removeprefix(SVG) for one in dots]
    assert shapes == {"pass": ["circle"], "fail": ["rect"], "unsure": ["path"]}
    assert "! ERROR" in words(drawn(BROKEN))
    assert "- not applicable" in words(drawn(APART))
    assert "too small to tell" in words(drawn(SLICED))


def test_the_good_side_and_the_limit_are_where_they_are() -> None:
    for check, is_right in ((GOOD, True), (BAD, False)):
        picture = drawn(check)
        (limit,) = [float(one.get("x1", 0)) for one in picture.iter() if one.get("class") == "g-limit"]
        (good,) = [one for one in picture.iter() if one.get("class") == "g-good"]
        begin, width = float(good.get("x", 0)), float(good.get("width", 0))
        assert limit == pytest.approx(begin if is_right else begin + width, abs=0.2)
        (dot,) = [one for one in picture.iter() if one.get("class") == "g-dot"]
        at = float(dot.get("cx") or float(dot.get("x", 0)) + 5)
        assert (begin < at < begin + width) is (check.outcome == "pass")


def test_an_end_that_nothing_bounds_is_an_arrow() -> None:
    arrows = {
        name: sum("g-open" not in (one.get("class") or "") for one in drawn(check).iter(f"{SVG}path"))
        for name, check in (("both", UNBOUNDED), ("half", HALF), ("none", OPEN))
    }
    assert arrows == {"both": 2, "half": 1, "none": 0}
    assert 'stroke-dasharray="3 4"' in svg_of(conclude([UNBOUNDED]))


# --- the page ----------------------------------------------------------------------------------------------------


class Read(HTMLParser):
    """A page's tags in balance, its places and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.places: list[str] = []
        self.labels: list[str] = []
        self.scripts = 0
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        if tag != "meta":
            self.open.append(tag)
        for name, value in attrs:
            self.places += [value or ""] if name == "id" else []
            self.labels += (value or "").split() if name == "aria-labelledby" else []
            assert not name.startswith("on")
            assert name not in ("src", "srcset", "href")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("rect", "line", "path", "circle")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def page(*checks: CheckVerdict, promise: str = "") -> tuple[str, Read]:
    text = "".join(page_of(view(*checks, promise=promise), called="run 12"))
    return text, Read(text)


def test_the_page_stands_alone_and_is_whole() -> None:
    text, found = page(*ALL, SLICED, promise="holdout data/holdout.csv: ask 31 of 32")
    assert found.open == []
    assert found.scripts == 0
    assert not re.search(r"(https?:)?//|url\(|@import", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert len(found.places) == len(set(found.places))
    assert set(found.labels) <= set(found.places)
    for said in (
        "gate: error, could not be measured",
        "Mend what could not be measured",
        "accuracy must be at least 80 %: it is 84.1 %",
        "82.4 to 85.7",
        "churn@7",
        "31 times, 1 of 32 left",
        "ask 31 of 32",
        "12, step gate",
        "ab" * 32,
    ):
        assert said in found.words


def test_words_of_the_data_are_words() -> None:
    check = replace(OPEN.check, text=f"new.recall - old.recall > -0.02 for each {EVIL}")
    evil = replace(sliced(OPEN, {f"a={EVIL}": (0.0, 100)}), check=check, why=EVIL, warning=EVIL)
    text, found = page(evil)
    assert found.scripts == 0
    assert "\x1b" not in text
    assert "Look twice:" in found.words
    drawn(evil)


def test_slices_beyond_what_can_be_drawn_are_in_the_table() -> None:
    many = sliced(OPEN, {f"a={i}": (0.001 * i, 100) for i in range(MANY + 5)})
    _, found = page(many)
    assert "and 5 more slices, in the table below" in found.words
    assert f"a={MANY + 4}" in found.words
    assert f"a={MANY + 4}" not in words(drawn(many))


def test_twenty_checks_of_fifty_slices_are_a_page_of_some_megabytes() -> None:
    checks = [sliced(OPEN, {f"a={i}": (0.001 * i, 100) for i in range(50)})] * 20
    text, _ = page(*checks)
    assert len(text) < 4 << 20
