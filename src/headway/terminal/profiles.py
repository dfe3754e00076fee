"""Profiles of tables for people: a line for each column with a small histogram, or all that is known of some columns.

Fits the width it is given; no escape codes.
"""

from collections.abc import Sequence
from textwrap import wrap

from headway.core.profile import ColumnProfile, Counted, Histogram, Profile
from headway.core.profile_words import QUANTILES, distinct, empty, measured, percent_shortly, remarks, told
from headway.core.telling import rows
from headway.core.validation import Cell
from headway.terminal.tail import clean
from headway.terminal.width import cells, cut, padded

BARS = "▁▂▃▄▅▆▇█"
_ASCII = "_.:-=+*#"

BIG = 20
"""Columns of a name that are shown at most."""

FEW = 3
OFTEN = 0.005
"""A line shows so many frequent values, if the first makes up this share of the rows; else what they look like."""

SHOWN = 10
"""Frequent values and patterns that are shown of one column."""

PAIRS = 20

_HISTOGRAM = 24


def table(profile: Profile, *, called: str, columns: int, unicode: bool) -> list[str]:
    """A line for each column, in so many columns of the screen; correlations below when there are any."""
    head = ("column", "kind", "empty", "distinct", "values")
    lines = [
        (clean(one.name), one.kind, empty(one), distinct(one), _values(one, unicode=unicode)) for one in profile.columns
    ]
    widths = [max(cells(line[i]) for line in (head, *lines)) for i in range(4)]
    widths[0] = min(widths[0], BIG)
    ellipsis = "…" if unicode else "."
    shown = [f"{clean(called)}: {rows(profile.n_rows)}, {_columns(len(profile.columns))}", ""]
    for line in (head, *lines):
        fields = [padded(cut(line[0], widths[0], ellipsis), widths[0]), padded(line[1], widths[1])]
        fields += [line[i].rjust(widths[i]) for i in (2, 3)]
        shown.append(cut("  ".join([*fields, line[4]]).rstrip(), columns, ellipsis))
    return [*shown, *correlations(profile)]


def _columns(n: int) -> str:
    return f"{n:,} column{'s' * (n != 1)}"


def _values(column: ColumnProfile, *, unicode: bool) -> str:
    parts = []
    if column.histogram is not None and (column.n_distinct > FEW or column.is_unique):
        bars = sparkline(column.histogram, _HISTOGRAM, unicode=unicode)
        parts.append(f"{_end(column, column.minimum)} {bars} {_end(column, column.maximum)}")
    elif column.top and (column.top[0].count >= OFTEN * column.n_values or column.n_distinct <= FEW):
        few = [f"{_cut(column, one.value, unicode)} {_share(one, column)}" for one in column.top[:FEW]]
        parts.append(", ".join(few) + (" and more" if column.n_distinct > len(few) else ""))
    elif column.patterns:
        parts.append("like " + ", ".join(clean(str(one.value)) for one in column.patterns[:2]))
    parts += [clean(remark) for remark in remarks(column)]
    return "; ".join(parts)


def _cut(column: ColumnProfile, value: Cell, unicode: bool) -> str:  # noqa: FBT001 (as everywhere here)
    return cut(clean(told(column, value)), BIG, "…" if unicode else ".")


def _share(one: Counted, column: ColumnProfile) -> str:
    return percent_shortly(one.count / column.n_values)


def _end(column: ColumnProfile, value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return measured(column, value) if column.kind != "duration" else told(column, value)
    return clean(told(column, value if isinstance(value, str) else None)).split("+", 1)[0].split(".", 1)[0]


def sparkline(histogram: Histogram, width: int, *, unicode: bool) -> str:
    """The counts as blocks of eight heights, in at most so many columns; what is not nothing is seen.

    >>> sparkline(Histogram(edges=(0.0, 1.0, 2.0, 3.0), counts=(1, 0, 8)), 16, unicode=True)
    '▂ █'
    """
    signs = BARS if unicode else _ASCII
    # Neighbours are joined until they fit.
    joined = -(-len(histogram.counts) // width)
    counts = [sum(histogram.counts[i : i + joined]) for i in range(0, len(histogram.counts), joined)]
    most = max(*counts, 1)
    return "".join(signs[min(round(count / most * 7), 7)] if count else " " for count in counts)


# --- one column ---------------------------------------------------------------------------------------------------


def details(column: ColumnProfile, *, columns: int, unicode: bool) -> list[str]:
    """All that is known of a column, in so many columns of the screen."""
    stored = f", stored as {column.stored_as}" if column.stored_as.lower() != column.kind else ""
    lines = [f"{clean(column.name)}: {column.kind}{clean(stored)}"]
    gaps = f"{column.n_null:,} ({empty(column)}) empty" if column.n_null else "none empty"
    lines.append(f"  {rows(column.n_rows)}, {gaps}, {distinct(column)} distinct")
    lines += [f"  {clean(remark)}" for remark in remarks(column)]
    lines += _numbers(column, columns)
    if column.lengths is not None:
        low, high = column.lengths.minimum, column.lengths.maximum
        span = f"{low:,}" if low == high else f"{low:,} to {high:,}, {column.lengths.mean:,.1f} on average"
        lines.append(f"  {'elements' if column.kind == 'list' else 'letters'}: {span}")
    lines += _bars(column, columns, unicode=unicode)
    for word, found in (("most frequent", column.top), ("patterns", column.patterns)):
        if found and (found[0].count > 1 or column.histogram is None):
            lines.append(f"  {word}:")
            lines += _counts(column, found[:SHOWN], columns, "…" if unicode else ".")
    return lines


def _numbers(column: ColumnProfile, columns: int) -> list[str]:
    if column.mean is None:
        return []
    spread = f", standard deviation {_spread(column)}" if column.std is not None else ""
    ends = f"least {_end(column, column.minimum)}, greatest {_end(column, column.maximum)}"
    quantiles = ", ".join(f"{QUANTILES.get(k, k)} {measured(column, v)}" for k, v in column.quantiles.items())
    texts = (ends, f"mean {measured(column, column.mean)}{spread}", quantiles)
    return [line for text in texts for line in wrap(text, columns, initial_indent="  ", subsequent_indent="    ")]


def _counts(column: ColumnProfile, found: Sequence[Counted], columns: int, ellipsis: str) -> list[str]:
    names = [clean(told(column, one.value)) for one in found]
    wide = max(min(max(map(cells, names)), columns - 30), 4)
    return [
        f"    {padded(cut(name, wide, ellipsis), wide)}  {one.count:>11,}  {_share(one, column):>7}"
        for name, one in zip(names, found, strict=True)
    ]


def _spread(column: ColumnProfile) -> str:
    spread = column.std or 0.0
    if column.kind not in ("date", "datetime", "time"):
        return measured(column, spread)
    for unit_s, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if spread >= 2 * unit_s:
            return f"{spread / unit_s:,.1f} {unit}"
    return f"{spread:,.1f} s"


def _bars(column: ColumnProfile, columns: int, *, unicode: bool) -> list[str]:
    histogram = column.histogram
    if histogram is None or column.n_distinct < 2:
        return []
    spans = [
        f"{measured(column, low)} to {measured(column, high)}"
        for low, high in zip(histogram.edges, histogram.edges[1:], strict=False)
    ]
    wide = max(map(cells, spans))
    room = max(columns - wide - 30, 5)
    most = max(histogram.counts)
    whole = sum(histogram.counts)
    lines = []
    for span, count in zip(spans, histogram.counts, strict=True):
        bar = ("█" if unicode else "#") * -(-count * room // most)
        lines.append(
            f"    {padded(span, wide)}  {padded(bar, room)}  {count:>11,}  {percent_shortly(count / whole):>7}"
        )
    return lines


def correlations(profile: Profile) -> list[str]:
    """The columns that go together most."""
    if not profile.correlations:
        return []
    pairs = profile.correlations[:PAIRS]
    lines = [f"{one.r:>7.3f}  {clean(one.one)}, {clean(one.other)}" for one in pairs]
    left = len(profile.correlations) - len(pairs)
    return ["", "correlations (Pearson's r):", *lines, *([f"and {left:,} weaker ones"] if left else [])]


def written(profile: Profile, path: str) -> str:
    """What is said of a page."""
    return f"wrote {clean(path)}: {rows(profile.n_rows)}, {_columns(len(profile.columns))}"


def together(found: Sequence[str]) -> str:
    """What several paths are called."""
    return found[0] if len(found) == 1 else f"{found[0]} and {len(found) - 1:,} more"
