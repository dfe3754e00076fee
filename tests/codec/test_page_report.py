"""The page of a report: tags in balance, alone, and no place for anybody's code."""

from html.parser import HTMLParser

from headway.codec.page_report import page_of
from headway.core.report import Code, Figure, Report, Section, Words, table

EVIL = "\"><script>alert(1)</script>\x1b[31m'&"


class Read(HTMLParser):
    """A page's tags in balance, its places and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.places: list[str] = []
        self.labels: list[str] = []
        self.seen: set[str] = set()
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag != "meta":
            self.open.append(tag)
        for name, value in attrs:
            self.places += [value or ""] if name == "id" else []
            self.labels += [value or ""] if name == "aria-labelledby" else []
            assert not name.startswith("on")
            assert name not in ("src", "srcset", "href")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def report(*, is_bad: bool = True) -> Report:
    blocks = (
        Words(words=f"type `headway run` {EVIL}"),
        table(EVIL, [EVIL, "n"], [[EVIL, "1"]], numbers=(1,)),
        Code(text=f"line\n{EVIL}"),
        Figure(svg="<svg></svg>", said=EVIL),
    )
    sections = (Section(head=EVIL, blocks=blocks), Section(head="Steps", blocks=blocks))
    return Report(title=EVIL, headline=EVIL, is_bad=is_bad, facts=((EVIL, EVIL),), sections=sections)


def test_a_page_is_whole_and_stands_alone() -> None:
    text = "".join(page_of(report()))
    page = Read(text)
    assert page.open == []
    assert "script" not in page.seen
    assert "http" not in text.replace("http-equiv", "")
    assert len(page.places) == len(set(page.places)) == 2
    assert page.labels == page.places
    assert "<code>headway run</code>" in text
    assert "alert(1)" in page.words
    assert "\x1b" not in text


def test_what_did_not_go_well_is_told_by_a_sign_besides_the_colour() -> None:
    assert '<p class="lead bad">! ' in "".join(page_of(report()))
    assert '<p class="lead">' in "".join(page_of(report(is_bad=False)))
