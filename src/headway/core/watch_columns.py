"""Columns that requests bring and the reference does not have: those that come newly, and those that stop coming.

What comes from a version's first window on is usual. A column counts if it is in enough of the rows, and if so many
rows would not all lie on one side of the window's beginning by chance. Columns that the model takes are told by
`watch_drift` where they go missing. Neighbour: `tables/new_columns` counts.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from headway.core.facts import Reading

NEW, GONE = "new", "gone"
"""What a reading measures: the share of rows that have the column now, and that had it before."""

STEADY = 4
"""A column that was in each of at least so many windows before is missed when it does not come."""

MOST_TOLD = 3
"""So many columns are in a headline; all of them are in the detail."""


class Come(Struct, frozen=True, kw_only=True):
    """A window's rows, and how many of them have a value in each column that the reference does not have."""

    n_rows: int
    columns: Mapping[str, int] = {}


class Rules(Struct, frozen=True, kw_only=True):
    """At which level columns are judged, of which share of rows they must be, and how alike rows are (1 or more)."""

    alpha: float
    least: float
    effect: float = 1.0


def columns(now: Come, before: Sequence[Come], rules: Rules) -> tuple[Reading, ...]:
    """The columns that count, the least likely first; `before` are the windows of the version before, the newest last.

    Of two samples of n and m rows that are alike, k rows that have something all lie in the first with a probability of
    (n / (n + m))^k at most.

    >>> usual = [Come(n_rows=1000, columns={"id": 1000})] * 4
    >>> rules = Rules(alpha=1e-4, least=0.01)
    >>> [(one.of, one.measure, one.value) for one in columns(Come(n_rows=1000, columns={"id": 1000}), usual, rules)]
    []
    >>> [(one.of, one.measure, one.value) for one in columns(Come(n_rows=1000, columns={"age2": 40}), usual, rules)]
    [('id', 'gone', 1.0), ('age2', 'new', 0.04)]
    """
    n_before = sum(one.n_rows for one in before)
    if not now.n_rows or not n_before:
        return ()
    both = now.n_rows + n_before
    known = {name for one in before for name in one.columns}
    asked = [(name, NEW, n, now.n_rows) for name, n in now.columns.items() if name not in known]
    steady = {name for name in known if len(before) >= STEADY and all(one.columns.get(name) for one in before)}
    missed = sorted(steady - now.columns.keys())
    asked += [(name, GONE, sum(one.columns[name] for one in before), n_before) for name in missed]
    # Each that ever came is asked about: had it come for the first time now, it would have been new.
    n_names = len(known | now.columns.keys())
    found = []
    for name, measure, n, of in asked:
        p = min(n_names * (of / both) ** (n / rules.effect), 1.0)
        if n / of >= rules.least and p <= rules.alpha:
            reading = Reading(of=name, measure=measure, value=min(n / of, 1.0), about="schema", p=p, is_beyond=True)
            found.append(reading)
    return tuple(sorted(found, key=lambda one: (one.p or 0.0, one.of)))
