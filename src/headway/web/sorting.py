"""Lists that are sorted by what their address says: `?sort=name`, or `?sort=-name` for the other way round.

The macro `sorting` of `templates/parts.html` makes the head of a column that does so.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

Row = TypeVar("Row")

By = Callable[..., tuple[object, ...]]
"""What a row is sorted by; the same kinds at the same places for all rows of a list."""


def asks(sorts: Mapping[str, By]) -> dict[str, str]:
    """What an address may have behind its `?`, as the API's document says it.

    >>> asks({"name": lambda row: (row,), "size": lambda row: (row,)})
    {'sort': 'by name or size; with - before it downwards'}
    """
    *others, last = sorts
    named = f"{', '.join(others)} or {last}" if others else last
    return {"sort": f"by {named}; with - before it downwards"}


def ordered(rows: Iterable[Row], sorts: Mapping[str, By], sort: str) -> tuple[Row, ...]:
    """The rows by what `sort` names; as they came where it names nothing of `sorts`, and among those that are equal.

    >>> sorts = {"size": lambda row: (len(row),)}
    >>> ordered(["aa", "b", "c"], sorts, "size"), ordered(["b", "aa", "c"], sorts, "-size")
    (('b', 'c', 'aa'), ('aa', 'b', 'c'))
    >>> ordered(["aa", "b"], sorts, "colour")
    ('aa', 'b')
    """
    by = sorts.get(sort.removeprefix("-"))
    return tuple(rows) if by is None else tuple(sorted(rows, key=by, reverse=sort.startswith("-")))
