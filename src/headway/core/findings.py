"""What was measured for a check becomes a finding: judged with its tolerance, and told in words.

What `tables/` calls when it has counted. The sentences are made of those of `core/finding_words`. Every function gives
one Finding; what could not be measured is `unmeasured`, which is no pass, what has nothing to be compared with is
`not_applicable`. An example's `values` show in the sentence, so they should hold the check's columns first.
"""

import math
from collections.abc import Sequence

from msgspec import Struct

from headway.core import validation as v
from headway.core.finding_words import remedy, rule, tolerated
from headway.core.problem import close_to
from headway.core.telling import apart, duration, listed, number, of_rows, percent, quoted, rows


def finding_of_rows(
    check: v.DataCheck, n_bad: int, n_rows: int, *, examples: Sequence[v.Example] = (), method: str = ""
) -> v.Finding:
    """What so many bad rows of so many mean for a check of rows, of rows together or against other data.

    For `IsUnique` and `NoDuplicates` bad rows are those that repeat an earlier one, for `OneLabel` all rows of a group
    that has more than one label, for `IsIncreasing` those that are lower than the last value before them.

    >>> check = v.DataCheck(asks=v.NotNull(), columns=("temp",), tolerance=v.Tolerance(share=0.01), at="temp.nulls")
    >>> finding_of_rows(check, 12, 1000).why
    'temp must have a value: 12 of 1,000 rows (1.2 %) break this, 1 % may'
    """
    assert 0 <= n_bad <= n_rows, f"{n_bad} bad rows of {n_rows}"
    may = tolerated(check.tolerance)
    if n_bad == 0:
        found = (
            f"it holds in {f'all {rows(n_rows)}' if n_rows > 1 else 'the one row'}" if n_rows else "there are no rows"
        )
        return _finding(check, "pass", found, n_rows=n_rows, n_bad=0, method=method)
    found = f"{of_rows(n_bad, n_rows)} break{'s' * (n_bad == 1)} this"
    if may:
        found += f", {may} may"
    if examples:
        found += f"; {_such_as(check, examples[0])}"
    is_allowed = check.tolerance.allows(n_bad, n_rows)
    return _finding(
        check,
        "pass" if is_allowed else "fail",
        found,
        n_rows=n_rows,
        n_bad=n_bad,
        method=method,
        examples=tuple(examples),
        remedy="" if is_allowed else f"{remedy(check)}{_to_live_with(check, n_bad / n_rows)}",
    )


def finding_of_number(  # noqa: PLR0913 (what was measured, of what, and how)
    check: v.DataCheck,
    value: float,
    n_rows: int,
    *,
    of: str = "",
    reference: float | None = None,
    examples: Sequence[v.Example] = (),
    method: str = "",
) -> v.Finding:
    """What one number means for `RowCount`, `RowChange`, `Statistic`, `IsFresh`, `Varies`, `IsBalanced`, `HidesLabel`.

    `value` in the check's unit: rows; the ratio to the reference's `reference` rows; the statistic (shares 0 to 1); the
    age in seconds, negative in the future; the share of the most frequent value; of the rarest value; what the column
    explains. `of` says which value or column that is. A value that is no number could not be measured.

    >>> check = v.DataCheck(asks=v.Statistic(of="mean", minimum=4, maximum=6), columns=("f2",))
    >>> finding_of_number(check, 6.2, 1000).why
    'the mean of f2 must lie within 4 to 6: it is 6.2'
    """
    if math.isnan(value):
        return unmeasured(check, "there is no value to measure it by", "see why the column has none", n_rows=n_rows)
    low, high = _limits(check.asks)
    holds = (low is None or value >= low) and (high is None or value <= high)
    limits = [limit for limit in (low, high) if limit is not None]
    return _finding(
        check,
        "pass" if holds else "fail",
        _measured(check, value, limits, of, reference),
        n_rows=n_rows,
        value=value,
        method=method,
        examples=tuple(examples),
        remedy="" if holds else remedy(check),
    )


def finding_of_quantile(check: v.DataCheck, share_below: float, share_up_to: float, n_rows: int) -> v.Finding:
    """A bound on a quantile, judged by two counts: the shares of values below its minimum and up to its maximum.

    The quantile q lies within the bounds where `share_below` < q <= `share_up_to`; where one bound is missing its share
    is not looked at. Exact, with no quantile computed.

    >>> check = v.DataCheck(asks=v.Statistic(of="quantile", at=0.95, maximum=6), columns=("f2",))
    >>> finding_of_quantile(check, 0, 0.93, 1000).why
    'the 0.95 quantile of f2 must be at most 6: it is higher, only 93 % of the values are at most 6'
    """
    asked = check.asks
    assert isinstance(asked, v.Statistic)
    at = float(asked.at or 0.0) if asked.of == "quantile" else 0.5
    if math.isnan(share_below) or math.isnan(share_up_to):
        return unmeasured(check, "there is no value to measure it by", "see why the column has none", n_rows=n_rows)
    if asked.minimum is not None and share_below >= at:
        limit = number(asked.minimum)
        found = f"it is lower, {percent(share_below)} of the values are below {limit}"
    elif asked.maximum is not None and share_up_to < at:
        limit = number(asked.maximum)
        found = f"it is higher, only {percent(share_up_to)} of the values are at most {limit}"
    else:
        return _finding(check, "pass", "it does", n_rows=n_rows)
    return _finding(check, "fail", found, n_rows=n_rows, remedy=remedy(check))


def finding_of_columns(check: v.DataCheck, odd: Sequence[str], there: Sequence[str], *, n_rows: int = 0) -> v.Finding:
    """What the columns mean for `HasColumn` (`odd` are missing) and `NoOthers` (`odd` are new); `there` are all."""
    if not odd:
        return _finding(check, "pass", f"it has {len(there):,} column{'s' * (len(there) != 1)}", n_rows=n_rows)
    if isinstance(check.asks, v.NoOthers):
        found = f"{listed(odd)} {'is' if len(odd) == 1 else 'are'} new"
        return _finding(check, "fail", found, n_rows=n_rows, value=len(odd), remedy=remedy(check))
    found = f"{listed(odd)} {'is' if len(odd) == 1 else 'are'} missing"
    free = [name for name in there if name not in check.columns]
    near = {name: close_to(name, free) for name in odd[:5]} if free else {}
    renamed = [f"`{other}` may be {name}" for name, other in near.items() if other]
    to_do = f"{listed(renamed)}: rename it back, or change the schema" if renamed else remedy(check)
    return _finding(check, "fail", found, n_rows=n_rows, value=len(odd), remedy=to_do)


class Moved(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a column is from the reference.

    `distance` is in standard deviations of the reference for numbers and times (`in_sd`), else the share of rows that
    moved. `p` is the probability of as much by chance, corrected for the columns looked at. `of` is what moved:
    "values", or "missing values"; with it `before` and `after` are shares, else means. `new` are values that the
    reference does not have. `is_told`: beyond chance and beyond what the check calls least; `stats/shift` decides it.
    """

    column: str
    distance: float
    is_told: bool
    in_sd: bool = False
    p: float | None = None
    of: str = "values"
    before: float | None = None
    after: float | None = None
    new: tuple[str, ...] = ()


def finding_of_moves(
    check: v.DataCheck, moves: Sequence[Moved], n_rows: int, n_reference: int, *, method: str = ""
) -> v.Finding:
    """What distances mean for `NoShift` and for `NoSkew` without a key, the farthest first.

    >>> check = v.DataCheck(asks=v.NoShift(), columns=("temp",))
    >>> moved = Moved(column="temp", distance=0.31, in_sd=True, is_told=True, p=1e-9)
    >>> finding_of_moves(check, [moved], 1000, 9000).why
    'temp must be distributed as in the reference: temp moved by 0.31 standard deviations
    (1,000 rows against 9,000)'
    """
    asked = check.asks
    assert isinstance(asked, v.NoShift | v.NoSkew)
    told = sorted((one for one in moves if one.is_told), key=lambda one: -one.distance)
    among = f"({rows(n_rows)} against {n_reference:,})"
    if not moves:
        return not_applicable(check, "no column is in both")
    farthest = max(moves, key=lambda one: one.distance)
    if not told:
        found = f"nothing moved beyond chance and beyond {number(asked.least)}; {_moved(farthest)} {among}"
        return _finding(check, "pass", found, n_rows=n_rows, value=farthest.distance, method=method)
    found = f"{listed([_moved(one) for one in told], 3)} {among}"
    return _finding(check, "fail", found, n_rows=n_rows, value=told[0].distance, method=method, remedy=remedy(check))


def finding_of_truth(check: v.DataCheck, holds: bool, n_rows: int) -> v.Finding:  # noqa: FBT001 (what was found)
    """What a user's function means that says true or false of the whole table."""
    found = "it does" if holds else "it does not"
    return _finding(check, "pass" if holds else "fail", found, n_rows=n_rows, remedy="" if holds else remedy(check))


def unmeasured(check: v.DataCheck, why: str, to_do: str = "", *, n_rows: int = 0) -> v.Finding:
    """What is said of a check that could not be measured, `why`, and what to do about it.

    >>> unmeasured(v.DataCheck(asks=v.NotNull(), columns=("a",)), "there is no column a").why
    'a must have a value: could not be measured, there is no column a'
    """
    return _finding(check, "error", f"could not be measured, {why}", n_rows=n_rows, remedy=to_do)


def not_applicable(check: v.DataCheck, why: str, *, n_rows: int = 0) -> v.Finding:
    """What is said of a check that has nothing to be asked of: no reference yet, a column that may be absent."""
    return _finding(check, "not-applicable", f"not applicable, {why}", n_rows=n_rows)


def _finding(  # noqa: PLR0913 (the parts of a finding)
    check: v.DataCheck,
    outcome: v.Outcome,
    found: str,
    *,
    n_rows: int,
    n_bad: int | None = None,
    value: float | None = None,
    method: str = "",
    examples: tuple[v.Example, ...] = (),
    remedy: str = "",
) -> v.Finding:
    return v.Finding(
        check=check,
        outcome=outcome,
        why=f"{rule(check)}: {found}",
        remedy=remedy,
        n_rows=n_rows,
        n_bad=n_bad,
        value=value,
        method=method,
        examples=examples,
    )


# --- rows -----------------------------------------------------------------------------------------------------------


def _such_as(check: v.DataCheck, example: v.Example) -> str:
    place = f"row {example.row:,}"
    if example.line is not None:
        place += f" ({example.file + ' ' if example.file else ''}line {example.line:,})"
    names = [name for name in check.columns if name in example.values] or list(example.values)
    if not names or isinstance(check.asks, v.NotNull):
        return f"such as {place}"
    if len(names) == 1:
        return f"such as {quoted(example.values[names[0]])} in {place}"
    shown = [f"{name} {quoted(example.values[name])}" for name in names[:4]]
    return f"such as {listed(shown)} in {place}"


_TOLERABLE = 0.1
"""Whoever has a larger share of bad rows is not told how to live with them."""


def _to_live_with(check: v.DataCheck, share: float) -> str:
    if share > _TOLERABLE or not check.at:
        return ""
    allowed = percent(_above(share)).replace(" ", "")
    if isinstance(check.asks, v.NotNull):
        # A key and a label ask it too, of columns that say nothing of it themselves.
        where = "" if check.at.endswith(".nulls") else f" below columns.{listed(check.columns)}"
        return f"; to live with so many, write nulls: {allowed}{where}"
    return f"; to live with so many, write tolerate: {allowed} there"


def _above(share: float) -> float:
    """The share, a tenth more, rounded up to one digit.

    >>> _above(0.0123), _above(0.09)
    (0.02, 0.1)
    """
    unit = 10.0 ** math.floor(math.log10(share * 1.1))
    return float(f"{math.ceil(share * 1.1 / unit - 1e-9) * unit:.1g}")


# --- numbers --------------------------------------------------------------------------------------------------------


def _limits(asked: v.Ask) -> tuple[float | None, float | None]:
    """What the number may be, both bounds within."""
    match asked:
        case v.RowCount() | v.RowChange() | v.Statistic():
            return asked.minimum, asked.maximum
        case v.IsFresh():
            return 0.0, asked.within_s
        case v.IsBalanced():
            return asked.least, None
        case v.Varies() | v.HidesLabel():
            return None, asked.most
        case _:
            raise ValueError(f"{type(asked).__name__} is not judged by one number")


def _measured(  # noqa: PLR0911 (one case a kind)
    check: v.DataCheck, value: float, limits: Sequence[float], of: str, reference: float | None
) -> str:
    told = apart(value, limits)
    match check.asks:
        case v.RowCount():
            return f"it has {told}"
        case v.RowChange():
            return f"it has {told} times" + (f" the {number(reference)} of the reference" if reference else "")
        case v.Statistic(of="nulls" | "share"):
            return f"it is {percent(value)}"
        case v.IsFresh():
            return f"it is {duration(value)} old" if value >= 0 else f"it is {duration(-value)} in the future"
        case v.Varies() | v.IsBalanced():
            return f"{quoted(of) if of else 'one'} makes up {percent(value)}"
        case v.HidesLabel():
            return f"{of or 'the strongest'} tells {percent(value)}"
        case _:
            return f"it is {told}"


def _moved(one: Moved) -> str:
    change = ""
    if one.before is not None and one.after is not None:
        told = (percent(one.before), percent(one.after)) if one.of != "values" else map(number, (one.before, one.after))
        change = ", from {} to {}".format(*told)
    far = f"{number(float(f'{one.distance:.3g}'))} standard deviations" if one.in_sd else percent(one.distance)
    if one.of != "values":
        return f"{one.of} of {one.column} moved by {far}{change}"
    if one.in_sd:
        return f"{one.column} moved by {far}{change}"
    new = f", {listed([quoted(value) for value in one.new], 3)} being new" if one.new else ""
    return f"{far} of {one.column} moved to other values{new}"
