"""Small forms of numbers and times for people, and plain tables; no escape codes, no library."""

from collections.abc import Sequence


def ago(seconds: float) -> str:
    """How long ago, in one unit.

    >>> ago(5), ago(600), ago(90000)
    ('5 s ago', '10 min ago', '25 h ago')
    """
    for limit, unit_s, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{max(seconds, 0) // unit_s:.0f} {unit} ago"
    return f"{seconds // 86400:.0f} days ago"


def size(n_bytes: int) -> str:
    """A size in the unit that suits it.

    >>> size(512), size(2_500_000)
    ('512 B', '2.4 MiB')
    """
    if n_bytes < 1024:
        return f"{n_bytes} B"
    value = n_bytes / 1024
    for unit in ("KiB", "MiB", "GiB"):
        # What would be shown as 1024.0 belongs to the next unit.
        if value < 1023.95:
            return f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def took(seconds: float) -> str:
    """A duration.

    >>> took(0.234), took(75), took(4000)
    ('0.23 s', '1 min 15 s', '1 h 06 min')
    """
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def table(rows: Sequence[Sequence[str]], *, heads: Sequence[str] = ()) -> list[str]:
    """Columns under each other, two blanks between, nothing at the end of a line.

    >>> table([["a", "1"], ["bb", "2"]])
    ['a   1', 'bb  2']
    """
    everything = [heads, *rows] if heads else list(rows)
    widths = [max(len(row[i]) for row in everything) for i in range(len(everything[0]))] if everything else []
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in everything]
