"""A report as a page that stands alone. Neighbours: `core/report` has the value, `page` the frame. Knows no file."""

from collections.abc import Iterator

from headway.codec import page
from headway.core.report import Block, Code, Figure, Report, Table, Words

_MORE = """
section { content-visibility: visible; padding: .9rem 0; }
pre { background: var(--row); padding: .6rem .8rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; } .scroll td { vertical-align: top; }
.scroll td:first-child { white-space: nowrap; }
figure { margin: .4rem 0; } figure svg { max-width: 100%; height: auto; display: block; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .6rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.lead { font-size: 1.05rem; }
@media print { :root { --ink: #000; --soft: #444; --paper: #fff; --line: #bbb; --row: #fff; }
  body { max-width: none; padding: 0; font-size: 11pt; } figure, h2, tr, pre { break-inside: avoid; } }
"""


def page_of(report: Report) -> Iterator[str]:
    """The page, in pieces."""
    kind = "lead bad" if report.is_bad else "lead"
    sign = "! " if report.is_bad else ""
    yield page.head(report.title, more=_MORE)
    yield f'<header><h1>{page.text(report.title)}</h1><p class="{kind}">{sign}{page.text(report.headline)}</p>'
    if report.facts:
        facts = "".join(f"<dt>{page.text(word)}</dt><dd>{page.text(value)}</dd>" for word, value in report.facts)
        yield f"<dl>{facts}</dl>"
    yield "</header>\n<main>\n"
    for one in report.sections:
        name = page.anchor("part", one.head)
        yield f'<section aria-labelledby="{name}"><h2 id="{name}">{page.text(one.head)}</h2>\n'
        for block in one.blocks:
            yield _block(block)
        yield "</section>\n"
    yield "</main>\n" + page.end()


def _block(block: Block) -> str:
    match block:
        case Words(words=words):
            return f"<p>{_coded(words)}</p>\n"
        case Code(text=text):
            return f"<pre>{page.text(text)}</pre>\n"
        case Figure(svg=svg, said=said):
            # Made by `codec/rollout_svg`, which escapes what comes from outside.
            return f'<figure role="group" aria-label="{page.text(said)}">{svg}</figure>\n'
        case Table(caption=caption, heads=heads, rows=rows, numbers=numbers):
            return f"<div class=scroll>{page.table(rows, caption=caption, heads=heads, numbers=numbers)}</div>\n"


def _coded(told: str) -> str:
    """Words, those between backquotes as commands."""
    return "".join(
        f"<code>{page.text(part)}</code>" if i % 2 else page.text(part) for i, part in enumerate(told.split("`"))
    )
