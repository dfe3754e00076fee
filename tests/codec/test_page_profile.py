"""The page of a profile: it stands alone, says what there is, and lets nothing of the data be more than words."""

import re
from html.parser import HTMLParser

import pytest

from headway.codec import page
from headway.codec.page_profile import page_of
from headway.core.profile import ColumnProfile, Correlation, Counted, Histogram, Profile

EVIL = '"><script>alert(1)</script>'


def column(name: str, **values: object) -> ColumnProfile:
    given: dict[str, object] = {
        "name": name, "kind": "number", "stored_as": "Float64", "n_rows": 100, "n_null": 1, "n_distinct": 50,
        "minimum": -1.5, "maximum": 9.0, "mean": 2.0, "std": 1.0, "quantiles": {"0.5": 2.25},
        "histogram": Histogram(edges=(-2.0, 0.0, 2.0, 9.0), counts=(10, 80, 9)), **values,
    }  # fmt: skip
    return ColumnProfile(**given)  # type: ignore[arg-type] # each test gives what it is about


class Read(HTMLParser):
    """What a page holds: its tags in balance, places, links, words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.places: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.labels: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "input"):
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.places.append(value or "")
            elif name == "href":
                self.links.append(value or "")
            elif name == "aria-label":
                self.labels.append(value or "")
            assert not name.startswith("on")
            assert name not in ("src", "srcset")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Of SVG, which has no other tags that end themselves.
        assert tag == "rect"
        assert all(value is not None for _, value in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(*columns: ColumnProfile, **values: object) -> tuple[str, Read]:
    profile = Profile(n_rows=100, columns=columns, **values)  # type: ignore[arg-type] # as above
    text = "".join(page_of(profile, called=f"trips {EVIL}"))
    return text, Read(text)


def test_the_page_stands_alone_and_is_whole() -> None:
    text, found = read(column("fare"), column("tip", top=(Counted(1.5, 7),)))
    assert found.open == []
    assert not re.search(r"(src|href)=[\"']?(https?:)?//|url\(|@import", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert [link[1:] for link in found.links] == ["column-fare", "column-tip"]
    assert {link[1:] for link in found.links} <= set(found.places)
    assert len(found.places) == len(set(found.places))
    assert found.labels == [
        "Histogram of fare, 3 bins, the fullest with 80 rows",
        "Histogram of tip, 3 bins, the fullest with 80 rows",
    ]
    assert "<title>0 to 2: 80 (80.8 %)</title>" in text
    assert "<td >25" not in text
    assert "2.25" in text
    assert found.tags.count("caption") == found.tags.count("table")


def test_words_of_the_data_are_words() -> None:
    text, found = read(
        column(EVIL, kind="string", histogram=None, top=(Counted(EVIL, 7),), patterns=(Counted(EVIL, 7),)),
        column("x", n_misfit=1, misfits=(Counted(EVIL + "\x00\x1b[0m\ud800", 1),)),
        correlations=(Correlation(one=EVIL, other="x", r=0.5),),
    )
    assert found.tags.count("script") == 1
    assert "<script>alert" not in text
    assert not re.search(r"[\x00\x1b\ud800]", text)
    assert "0.500" in text


@pytest.mark.parametrize("name", ["fare", "fare (net)", "", "é", "a b", "a_b", "#", '"'])
def test_places_are_the_same_for_the_same_name_and_no_other(name: str) -> None:
    place = page.anchor("column", name)
    assert re.fullmatch(r"column-[A-Za-z0-9_-]*", place)
    assert place == page.anchor("column", name)
    assert place not in {page.anchor("column", other) for other in ("Fare", "a_20_b", "_5f_", name + "x")}


def test_five_thousand_columns_are_a_page_of_some_megabytes() -> None:
    top = tuple(Counted(float(j), 5) for j in range(50))
    profile = Profile(n_rows=100, columns=tuple(column(f"x{i}", top=top) for i in range(5000)))
    pieces = list(page_of(profile, called="wide"))
    assert sum(map(len, pieces)) < 20 << 20
    assert sum("<section" in piece for piece in pieces) == 5000
    assert "content-visibility: auto" in pieces[0]
