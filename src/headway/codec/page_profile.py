"""The profile of a table as a page that stands alone: an index of the columns, then all that is known of each.

What is far down is laid out when it is looked at, so that five thousand columns open at once. Neighbour: `page` has the
frame and the colours.
"""

from collections.abc import Iterator

from headway.codec import page
from headway.core.profile import ColumnProfile, Counted, Histogram, Profile
from headway.core.profile_words import QUANTILES, distinct, empty, measured, percent_shortly, remarks, told
from headway.core.telling import rows

SHOWN = 20
"""Frequent values of a column that are shown; half as many patterns."""

FEW = 3
"""In the index so many values are told, and more are drawn."""

MANY = 500
"""Of more columns than this, only the index has a histogram, and fewer values are shown."""

PAIRS = 200

_FIND = """<p><label for="find" class="soft">Columns named</label>
<input id="find" type="search" autocomplete="off"></p>
<script>
document.getElementById("find").addEventListener("input", function (event) {
  var word = event.target.value.toLowerCase();
  document.querySelectorAll("[data-name]").forEach(function (one) {
    one.hidden = one.dataset.name.toLowerCase().indexOf(word) < 0;
  });
});
</script>
"""


def page_of(profile: Profile, *, called: str) -> Iterator[str]:
    """The page, in pieces; `called` is what the data are called."""
    n = len(profile.columns)
    size = f"{rows(profile.n_rows)}, {n:,} column{'s' * (n != 1)}"
    yield page.head(f"{called}: profile")
    yield f"<header><h1>{page.text(called)}</h1><p class=soft>{size}</p></header>\n<main>\n"
    yield _FIND
    yield "<table class=index><caption>Columns</caption><thead><tr>"
    for name, side in (
        ("column", ""),
        ("kind", ""),
        ("empty", "n"),
        ("distinct", "n"),
        ("values", ""),
        ("remarks", ""),
    ):
        yield f'<th scope=col class="{side}">{name}</th>'
    yield "</tr></thead><tbody>\n"
    for column in profile.columns:
        yield _row(column)
    yield "</tbody></table>\n"
    for column in profile.columns:
        yield from _section(column, is_short=n > MANY)
    if profile.correlations:
        yield _correlations(profile)
    yield "</main>\n" + page.end()


def _row(column: ColumnProfile) -> str:
    name = page.text(column.name)
    shape = ""
    if column.histogram is not None and (column.n_distinct > FEW or column.is_unique):
        shape = _small(column.histogram)
    elif column.top and column.n_values:
        few = [
            f"{told(column, one.value)[:24]} {percent_shortly(one.count / column.n_values)}" for one in column.top[:FEW]
        ]
        shape = page.text(", ".join(few))
    seen = ", ".join(remarks(column))
    kind = "bad" if column.n_misfit or column.n_nan or not column.n_values else "soft"
    return (
        f'<tr data-name="{name}"><th scope=row><a href="#{page.anchor("column", column.name)}">{name}</a></th>'
        f"<td>{column.kind}</td><td class=n>{page.text(empty(column))}</td><td class=n>{distinct(column)}</td>"
        f"<td>{shape}</td><td class={kind}>{page.text(seen)}</td></tr>\n"
    )


def _small(histogram: Histogram) -> str:
    n, most = len(histogram.counts), max(*histogram.counts, 1)
    bars = "".join(
        f"<rect x={i} y={20 - _height(count, most, 20)} width=.9 height={_height(count, most, 20)} />"
        for i, count in enumerate(histogram.counts)
        if count
    )
    return f'<svg viewBox="0 0 {n} 20" preserveAspectRatio=none aria-hidden=true>{bars}</svg>'


def _height(count: int, most: int, whole: int) -> float:
    """What is not nothing is seen."""
    return round(max(count / most * whole, whole / 25), 1)


def _section(column: ColumnProfile, *, is_short: bool) -> Iterator[str]:
    name = page.text(column.name)
    place = page.anchor("column", column.name)
    stored = f", stored as {column.stored_as}" if column.stored_as.lower() != column.kind else ""
    yield (
        f'<section id="{place}" data-name="{name}" aria-labelledby="{place}-name">'
        f'<h2 id="{place}-name">{name} <small>{page.text(column.kind + stored)}</small></h2>'
    )
    if found := remarks(column):
        yield f"<p>{page.text('; '.join(found))}</p>"
    yield "<div class=parts>"
    yield page.table(_facts(column), caption="In short", heads=("what", "value"), numbers=(1,))
    if column.histogram is not None and column.n_distinct > 1 and not is_short:
        yield histogram(column, column.histogram)
    most = SHOWN // 4 if is_short else SHOWN
    if column.top and (column.top[0].count > 1 or column.histogram is None):
        yield _counts(column, column.top[:most], "Most frequent values")
    if column.patterns:
        yield _counts(column, column.patterns[: most // 2], "Patterns (A a capital, a a small letter, 9 a digit)")
    if column.misfits:
        yield _counts(column, column.misfits, "Not of its kind")
    yield "</div></section>\n"


def _facts(column: ColumnProfile) -> list[tuple[str, str]]:
    found = [("rows", f"{column.n_rows:,}"), ("empty", f"{column.n_null:,}"), ("distinct", distinct(column))]
    for word, count in (("not of its kind", column.n_misfit), ("NaN", column.n_nan), ("infinite", column.n_infinite)):
        found += [(word, f"{count:,}")] if count else []
    if column.n_zero:
        found.append(("zeros", f"{column.n_zero:,}"))
    if column.minimum is not None:
        found += [("least", told(column, column.minimum)), ("greatest", told(column, column.maximum))]
    if column.mean is not None:
        found.append(("mean", measured(column, column.mean)))
    if column.std is not None and column.kind not in ("date", "datetime", "time"):
        found.append(("standard deviation", measured(column, column.std)))
    found += [(QUANTILES.get(at, at), measured(column, value)) for at, value in column.quantiles.items()]
    if column.lengths is not None:
        unit = "elements" if column.kind == "list" else "letters"
        found += [
            (f"fewest {unit}", f"{column.lengths.minimum:,}"),
            (f"most {unit}", f"{column.lengths.maximum:,}"),
            (f"{unit} on average", f"{column.lengths.mean:,.1f}"),
        ]
    return found


def _counts(column: ColumnProfile, found: tuple[Counted, ...], caption: str) -> str:
    shown = [
        (told(column, one.value)[:200], f"{one.count:,}", percent_shortly(one.count / max(column.n_values, 1)))
        for one in found
    ]
    return page.table(shown, caption=caption, heads=("value", "rows", "share"), numbers=(1, 2))


def histogram(column: ColumnProfile, found: Histogram) -> str:
    """Bars of one width; the first or last may be a tail, which is wider than the others, and is paler."""
    n, most = len(found.counts), max(*found.counts, 1)
    widths = [high - low for low, high in zip(found.edges, found.edges[1:], strict=False)]
    usual = sorted(widths)[n // 2]
    wide = 480 / n
    parts = []
    for i, count in enumerate(found.counts):
        span = f"{measured(column, found.edges[i])} to {measured(column, found.edges[i + 1])}"
        said = page.text(f"{span}: {count:,} ({percent_shortly(count / max(sum(found.counts), 1))})")
        height = _height(count, most, 140) if count else 0
        tail = " class=tail" if widths[i] > 1.5 * usual else ""
        parts.append(
            f"<g><title>{said}</title><rect{tail} x={i * wide:.1f} y={150 - height:.1f} width={wide * 0.92:.1f} "
            f"height={height} /></g>"
        )
    marks = [
        (0, "start", found.edges[0]),
        (n // 2, "middle", found.edges[n // 2]),
        (n, "end", found.edges[-1]),
    ]
    parts += [
        f'<text x={i * wide:.1f} y=166 text-anchor="{side}">{page.text(measured(column, value))}</text>'
        for i, side, value in marks
    ]
    said = page.text(f"Histogram of {column.name}, {n} bins, the fullest with {most:,} rows")
    return f'<svg viewBox="0 0 480 170" role=img aria-label="{said}">{"".join(parts)}</svg>'


def _correlations(profile: Profile) -> str:
    shown = [(one.one, one.other, f"{one.r:.3f}") for one in profile.correlations[:PAIRS]]
    body = page.table(shown, caption="Pearson's r, the closest first", heads=("column", "other", "r"), numbers=(2,))
    return f'<section id="correlations"><h2>Correlations</h2>{body}</section>\n'
