"""A report as a value: a headline, facts, and sections of words, tables and pictures; and as Markdown.

Neighbours: `report_run`, `report_release` and `report_span` fill one, `codec/page_report` makes a page of it. Knows no
file.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from headway.core.story import Line

MOST_ROWS = 200
"""Rows of a table that are shown; how many more there are is said."""


class Table(Struct, frozen=True, kw_only=True):
    """A table; the columns `numbers` (from 0) stand to the right."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()


class Words(Struct, frozen=True, kw_only=True):
    """A paragraph; what stands between backquotes is a command."""

    words: str


class Code(Struct, frozen=True, kw_only=True):
    """Lines as they were printed or written."""

    text: str


class Figure(Struct, frozen=True, kw_only=True):
    """A picture as SVG, which was made here and may stand in a page as it is; `said` says the same in words."""

    svg: str
    said: str


Block = Table | Words | Code | Figure


class Section(Struct, frozen=True, kw_only=True):
    """What stands under one head."""

    head: str
    blocks: tuple[Block, ...]


class Report(Struct, frozen=True, kw_only=True):
    """A whole report. `facts` are words and values that stand above all sections. `is_bad`: it did not go well."""

    title: str
    headline: str
    is_bad: bool
    facts: tuple[tuple[str, str], ...] = ()
    sections: tuple[Section, ...] = ()


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()) -> Table:
    """A table that is not longer than anybody reads.

    >>> table("t", ["a"], [[str(n)] for n in range(300)]).rows[-1]
    ('and 100 more',)
    """
    shown = [tuple(row) for row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        shown.append((f"and {len(rows) - MOST_ROWS} more", *("" for _ in heads[1:])))
    return Table(caption=caption, heads=tuple(heads), rows=tuple(shown), numbers=tuple(numbers))


def section(head: str, *blocks: Block) -> Section | None:
    """A section, or None when it would be empty."""
    kept = tuple(block for block in blocks if not isinstance(block, Table) or block.rows)
    return Section(head=head, blocks=kept) if kept else None


def of_story(lines: Sequence[Line], *, about: bool) -> Table:
    """What happened, line by line; with `about` each says what it is about."""
    rows = [
        (when(one.at), *([one.about] if about else []), f"! {one.text}" if one.is_bad else one.text) for one in lines
    ]
    return table("Times are UTC", ["when", *(["about"] if about else []), "what"], rows)


def when(at: float) -> str:
    """A time in UTC, to the second.

    >>> when(0.0)
    '1970-01-01 00:00:00'
    """
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


# --- Markdown ---------------------------------------------------------------------------------------------------


def markdown(report: Report) -> str:
    """The report as Markdown, for a pull request or a wiki."""
    lines = [f"# {_plain(report.title)}", "", f"**{_plain(report.headline)}**", ""]
    if report.facts:
        lines += ["| | |", "|---|---|", *(f"| {_cell(word)} | {_cell(value)} |" for word, value in report.facts), ""]
    for one in report.sections:
        lines += [f"## {_plain(one.head)}", ""]
        for block in one.blocks:
            lines += [*_markdown(block), ""]
    return "\n".join(lines).rstrip() + "\n"


def _markdown(block: Block) -> Iterator[str]:
    match block:
        case Words(words=words):
            yield _plain(words)
        case Code(text=text):
            fence = "```"
            while fence in text:
                fence += "`"
            yield from (fence, *text.rstrip("\n").split("\n"), fence)
        case Figure(said=said):
            yield _plain(said)
        case Table(caption=caption, heads=heads, rows=rows, numbers=numbers):
            yield from (f"{_plain(caption)}:", "") if caption else ()
            yield f"| {' | '.join(map(_cell, heads))} |"
            yield f"|{'|'.join('---:' if i in numbers else '---' for i in range(len(heads)))}|"
            for row in rows:
                yield f"| {' | '.join(map(_cell, row))} |"


def _plain(words: str) -> str:
    """Words in which HTML is none; what stands between backquotes stays as it is."""
    parts = " ".join(words.split()).split("`")
    return "`".join(part if i % 2 else part.replace("<", "&lt;") for i, part in enumerate(parts))


def _cell(words: str) -> str:
    """As a table's cell takes it: neither a bar nor a line break ends it."""
    return _plain(words).replace("|", "\\|")
