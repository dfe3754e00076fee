"""A gate's verdict as SVG, and as a page that stands alone: sentences, picture, table, what to do, and the record.

Made on the server, without a library; what is good and bad is told by signs and words besides colours. Neighbours:
`core/gate_picture` says what is drawn, `gate_svg` draws it, `page` has the frame.
"""

from collections.abc import Iterator

from headway.codec import page
from headway.codec.gate_svg import STYLE, drawn, figure
from headway.core.gate import Verdict
from headway.core.gate_kept import GateView, headline, next_steps, record
from headway.core.gate_picture import SIGNS, WORDS, Line, Plot, Shown, plots, rest

WIDE, NARROW = 880, 360
"""A page has its pictures twice, and the screen chooses: one that is scaled down to a telephone cannot be read."""

MANY = 50
"""Slices of one check that are drawn; the table has them all."""

_MORE = """
.verdict { font-weight: 600; white-space: nowrap; }
.check { font: 600 1rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; margin: 0; }
section.gate { content-visibility: visible; padding: .9rem 0; }
.narrow { display: none; }
figure { margin: .4rem 0; }
figure svg { max-width: 100%; height: auto; display: block; }
details { margin: .3rem 0; } summary { cursor: pointer; color: var(--soft); }
.scroll { overflow-x: auto; } .scroll th, .scroll td { white-space: nowrap; vertical-align: top; }
.scroll td:first-child, .scroll td:nth-child(2) { white-space: normal; min-width: 11rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .4rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 45rem) { .wide { display: none; } .narrow { display: block; } }
@media print { :root { --ink: #000; --soft: #444; --paper: #fff; --line: #bbb; --row: #fff; }
  body { max-width: none; padding: 0; font-size: 11pt; } figure, h2, tr { break-inside: avoid; }
  .wide { display: block; } .narrow { display: none; } .noprint { display: none; } }
"""


def svg_of(verdict: Verdict, *, width: int = WIDE) -> str:
    """The picture of a verdict as one SVG file, which draws itself for light and dark."""
    return drawn(plots(verdict), title=f"gate: {verdict.outcome}", said=verdict.why, width=width, most=MANY)


def page_of(view: GateView, *, called: str = "") -> Iterator[str]:
    """The page, in pieces; `called` is what the reader knows the gate by."""
    verdict = view.kept.verdict
    found = plots(verdict)
    title = f"{called}: gate {verdict.outcome}" if called else f"gate {verdict.outcome}"
    yield page.head(title, more=_MORE + STYLE)
    yield f"<header><h1>{_sign(verdict.outcome)} {page.text(headline(view))}</h1></header>\n<main>\n"
    yield "<section class=gate aria-labelledby=do><h2 id=do>What to do</h2>"
    yield "".join(f"<p>{_coded(advice)}</p>" for advice in next_steps(view))
    yield (f"<p class=soft>{page.text(verdict.promise)}</p>" if verdict.promise else "") + "</section>\n"
    for i, plot in enumerate(found):
        yield from _check(plot, i)
    yield _table(found)
    yield _record(view)
    yield "</main>\n" + page.end()


def _coded(told: str) -> str:
    """Words, those between backquotes as commands."""
    return "".join(
        f"<code>{page.text(part)}</code>" if i % 2 else page.text(part) for i, part in enumerate(told.split("`"))
    )


def _sign(outcome: Shown) -> str:
    return f'<span class="g-{outcome}" aria-hidden=true>{SIGNS[outcome]}</span>'


def _check(plot: Plot, i: int) -> Iterator[str]:
    yield (
        f'<section class=gate id="check-{i + 1}" aria-labelledby="check-{i + 1}-name">'
        f'<h2 class=check id="check-{i + 1}-name">{_sign(plot.outcome)} '
        f'<span class="verdict g-{plot.outcome}">{WORDS[plot.outcome]}</span> {page.text(plot.check)}</h2>'
        f"<p>{page.text(plot.why.removeprefix(f'{plot.check}: '))}</p>"
    )
    if plot.warning:
        yield f"<p><strong>Look twice:</strong> {page.text(plot.warning)}</p>"
    if plot.axis is not None:
        for kind, width in (("wide", WIDE), ("narrow", NARROW)):
            yield f"<figure class={kind}>{figure(plot, width=width, most=MANY, place=f'{kind}-{i + 1}')}</figure>"
        if left := rest(plot.lines[MANY + 1 :]):
            yield f"<p class=soft>{left}, in the table below</p>"
    if told := [line for line in plot.lines if line.why]:
        yield f"<details class=noprint><summary>What each of {len(told):,} slices says</summary><ul>"
        yield "".join(f"<li>{_sign(line.outcome)} {page.text(_whose(line))}</li>" for line in told)
        yield "</ul></details>"
    yield "</section>\n"


def _whose(line: Line) -> str:
    """What is said of a slice, which names it."""
    return line.why if line.name in line.why else f"{line.name}: {line.why}"


def _table(found: tuple[Plot, ...]) -> str:
    rows = [
        (plot.check if not i else "", line.name, WORDS[line.outcome], line.told, _unit(plot), line.rows)
        for plot in found
        for i, line in enumerate(plot.lines)
    ]
    heads = ("check", "on", "verdict", "value (range)", "in", "rows")
    body = page.table(rows, caption="Every number", heads=heads, numbers=(3, 5))
    head = "<section class=gate aria-labelledby=numbers><h2 id=numbers>Numbers</h2>"
    return f"{head}<div class=scroll>{body}</div></section>\n"


def _unit(plot: Plot) -> str:
    return plot.axis.unit if plot.axis is not None else ""


def _record(view: GateView) -> str:
    lines = "".join(f"<dt>{page.text(word)}</dt><dd>{page.text(value)}</dd>" for word, value in record(view))
    return f"<section class=gate aria-labelledby=record><h2 id=record>Record</h2><dl>{lines}</dl></section>\n"
