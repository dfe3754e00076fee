"""What a check of data demands, in a sentence, and what to do where it is broken.

For somebody who knows the data and not statistics. Decides nothing: `core/findings` puts in what was found.
"""

import math

from headway.core import validation as v
from headway.core.telling import duration, listed, number, percent, quoted, rows

_KINDS: dict[v.Kind, str] = {
    "integer": "whole numbers",
    "number": "numbers",
    "decimal": "decimal numbers",
    "boolean": "true or false",
    "string": "texts",
    "date": "dates",
    "time": "times of day",
    "datetime": "dates with times",
    "duration": "lengths of time",
    "binary": "bytes",
    "list": "lists",
    "struct": "records",
    "null": "nothing",
}

_FEW = 6
"""So many allowed values are told one by one."""


def rule(check: v.DataCheck) -> str:
    """What the check demands; its own name where it has one.

    >>> rule(v.DataCheck(asks=v.InRange(maximum=130), columns=("temp",)))
    'temp must be at most 130'
    """
    if check.name:
        return check.name
    found = _of_rows(check) or _of_rows_together(check) or _of_tables(check) or _against_others(check)
    assert found, "every kind of check has a sentence"
    return found


def remedy(check: v.DataCheck) -> str:
    """What to do about a broken check, less how to tolerate it.

    >>> remedy(v.DataCheck(asks=v.OneOf(("a",)), columns=("x",), at="columns.x.values"))
    'if the value is right, add it to `columns.x.values`; else mend it where the data are made'
    """
    told = _REMEDIES.get(type(check.asks), _MEND)
    return told.replace("@", f"`{check.at}`" if check.at else "the schema")


def tolerated(tolerance: v.Tolerance) -> str:
    """How many rows may break a check; empty where none may.

    >>> tolerated(v.Tolerance(share=0.01, count=3))
    '1 % or 3 rows'
    """
    parts = [percent(tolerance.share)] if tolerance.share else []
    parts += [rows(tolerance.count)] if tolerance.count else []
    return " or ".join(parts)


def subject(check: v.DataCheck) -> str:
    """The columns asked about, as they begin a sentence."""
    return listed(check.columns) if check.columns else "each value"


def _of_rows(check: v.DataCheck) -> str:  # noqa: C901, PLR0911, PLR0912 (one case a kind)
    name = subject(check)
    match check.asks:
        case v.IsKind(kind=kind):
            return f"{name} must hold {_KINDS[kind]}"
        case v.NotNull():
            return f"{name} must have a value"
        case v.OneOf(values=values):
            return f"{name} must be {_one_of(values)}"
        case v.InRange() as asked:
            return f"{name} must {_range(asked)}"
        case v.Matches(pattern=pattern):
            return f"{name} must match `{pattern}`"
        case v.HasLength(minimum=low, maximum=high):
            return f"{name} must have {_many(low, high)} characters"
        case v.IsDate(format=form):
            return f"{name} must be a time written like `{form}`"
        case v.IsFinite():
            return f"{name} must be finite numbers"
        case v.IsPlain():
            return f"{name} must be plain text, without control or invisible signs and blanks at its ends"
        case v.OneType():
            return f"{name} must not mix numbers and words"
        case v.OneNull():
            return f"{name} must write what is missing in one way"
        case v.RowHolds(expression=expression):
            return f"`{expression}` must hold"
        case v.NoOutlier(times_iqr=times):
            return f"{name} must lie within {number(times)} times the quartiles' distance around them"
    return ""


def _of_rows_together(check: v.DataCheck) -> str:
    name = subject(check)
    match check.asks:
        case v.IsUnique():
            both = "" if len(check.columns) < 2 else " together"
            return f"{name}{both} must be different in each row"
        case v.NoDuplicates():
            within = f" (by {listed(check.columns)})" if check.columns else ""
            return f"no row may be there twice{within}"
        case v.OneLabel(label=label):
            within = listed(check.columns) if check.columns else "all else"
            return f"rows that are equal in {within} must have the same {label}"
        case v.IsIncreasing(strictly=strictly):
            return f"{name} must rise from each row to the next" if strictly else f"{name} must never fall"
    return ""


def _of_tables(check: v.DataCheck) -> str:  # noqa: PLR0911 (one case a kind)
    name = subject(check)
    match check.asks:
        case v.HasColumn():
            return f"the table must have the column{'s' * (len(check.columns) != 1)} {listed(check.columns)}"
        case v.NoOthers():
            known = "the one of" if len(check.columns) == 1 else f"the {len(check.columns)} of"
            return f"the table must have no columns but {known} the schema"
        case v.RowCount(minimum=low, maximum=high):
            return f"the table must have {_many(low, high)} rows"
        case v.RowChange(minimum=low, maximum=high):
            return f"the table must have {_many(low, high)} times the rows of the reference"
        case v.Statistic() as asked:
            return f"{of_statistic(check)} must {_span(asked.minimum, asked.maximum, _in_percent(asked))}"
        case v.IsFresh(within_s=within_s):
            return f"the newest {name} must be at most {duration(within_s)} old"
        case v.Varies(most=most):
            return f"no single value of {name} may make up more than {percent(most)} of its values"
        case v.IsBalanced(least=least):
            return f"each value of {name} must make up at least {percent(least)} of its values"
        case v.HidesLabel(label=label, most=most):
            which = f"none of {listed(check.columns, last='or')}" if check.columns else "no column"
            return f"{which} may tell {label} all but alone (more than {percent(most)} of it)"
    return ""


def _against_others(check: v.DataCheck) -> str:  # noqa: PLR0911 (one case a kind)
    name = subject(check)
    match check.asks:
        case v.IsKnown(other=other, columns=columns):
            return f"{name} must be among the values of {listed(columns or check.columns)} in {other}"
        case v.NotShared(other=other):
            return f"no {listed(check.columns) if check.columns else 'row'} may be in {other} too"
        case v.IsAfter(other=other):
            return f"{name} must be later than all of {other}"
        case v.NoShift():
            return f"{name if check.columns else 'each column'} must be distributed as in the reference"
        case v.NoSkew(log=log):
            return f"{name if check.columns else 'each column'} must be as in the requests of {log}"
        case v.SqlFinds(query=query):
            return f"`{query}` must find nothing"
        case v.FunctionHolds(function=function):
            return f"`{function}` must hold"
    return ""


def of_statistic(check: v.DataCheck) -> str:
    """What a check of a statistic measures: `the mean of temp`."""
    asked = check.asks
    assert isinstance(asked, v.Statistic)
    name = subject(check)
    words = {
        "mean": "the mean",
        "std": "the standard deviation",
        "min": "the smallest value",
        "max": "the largest value",
        "sum": "the sum",
        "median": "the median",
        "distinct": "the number of different values",
        "nulls": "the share of missing values",
        "quantile": f"the {number(asked.at)} quantile" if isinstance(asked.at, int | float) else "the quantile",
        "share": f"the share of {quoted(asked.at)}",
    }
    return f"{words[asked.of]} of {name}" if asked.of != "share" else f"{words[asked.of]} in {name}"


def _in_percent(asked: v.Statistic) -> bool:
    return asked.of in ("nulls", "share")


def _one_of(values: tuple[v.Cell, ...]) -> str:
    told = [quoted(value) for value in values[:_FEW]]
    if len(values) > _FEW:
        return f"one of {len(values):,} values ({', '.join(told[: _FEW // 2])}, …)"
    return listed(told, _FEW, last="or") if told else "none of any value"


def cell(value: v.Cell) -> str:
    """A bound as it stands in a sentence: numbers plain, texts as they are."""
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _range(asked: v.InRange) -> str:
    low = "" if asked.minimum is None else cell(asked.minimum)
    high = "" if asked.maximum is None else cell(asked.maximum)
    if low and high and not asked.open_minimum and not asked.open_maximum:
        return f"lie within {low} to {high}"
    parts = []
    if low:
        parts.append(f"{'more than' if asked.open_minimum else 'at least'} {low}")
    if high:
        parts.append(f"{'less than' if asked.open_maximum else 'at most'} {high}")
    return f"be {' and '.join(parts) or 'a number'}"


def _span(low: float | None, high: float | None, in_percent: bool) -> str:  # noqa: FBT001 (how numbers are told)
    told = [None if one is None else percent(one) if in_percent else number(one) for one in (low, high)]
    if told[0] is not None and told[1] is not None:
        return f"be {told[0]}" if low == high else f"lie within {told[0]} to {told[1]}"
    return f"be at least {told[0]}" if told[1] is None else f"be at most {told[1]}"


def _many(low: float, high: float | None) -> str:
    """How many: `at least 3`, `2 to 5`, `3`."""
    if high is None or math.isinf(high):
        return f"at least {number(low)}"
    if low == high:
        return number(low)
    return f"{number(low)} to {number(high)}" if low else f"at most {number(high)}"


_MEND = "mend the rows where the data are made"

_REMEDIES: dict[type, str] = {
    v.IsKind: "mend the values where the data are made, or change @ if they are right",
    v.NotNull: "fill the values or leave the rows out where the data are made",
    v.OneOf: "if the value is right, add it to @; else mend it where the data are made",
    v.InRange: "mend the values where the data are made, or widen @ if they are right",
    v.Matches: "mend the values where the data are made, or widen @ if they are right",
    v.HasLength: "mend the values where the data are made, or widen @ if they are right",
    v.IsDate: "write all times in one way where the data are made",
    v.IsFinite: "find the division by nothing or the overflow that made them, or leave the value out",
    v.IsPlain: "strip the texts where the data are made; such signs often come from a wrong encoding",
    v.OneType: "write all values in one way where the data are made, and leave out what is missing",
    v.OneNull: "leave out what is missing instead of writing a word for it",
    v.NoOutlier: "look at these rows; mend them, or widen @ if such values do happen",
    v.IsUnique: "leave the repeated rows out; a delivery or a join may have been done twice",
    v.NoDuplicates: "leave the repeated rows out; a delivery or a join may have been done twice",
    v.OneLabel: "find out which label is right; a model cannot learn both",
    v.IsIncreasing: "sort the rows, or find out why late ones were put in between",
    v.HasColumn: "bring the columns back where the data are made, or take them out of the schema",
    v.NoOthers: "add them to the schema if they are meant, else leave them out",
    v.RowCount: "see whether the delivery is whole, or change @ if so many are right",
    v.RowChange: "see whether the delivery is whole or was done twice, or change @ if so many are right",
    v.Statistic: "look at how the column is made; change @ if the value is right",
    v.IsFresh: "see whether the delivery stands still, and whether the clock and time zone of its source are right",
    v.Varies: "leave the column out, for a model learns nothing from it, or see whether its source is broken",
    v.IsBalanced: "gather more rows of the rare value, or lower @ and train with weights",
    v.HidesLabel: "leave the column out if it is known only after the label is",
    v.IsKnown: "bring both tables up to date with each other, or mend the values",
    v.NotShared: "take these rows out of one of the two, for a test on trained rows proves nothing",
    v.IsAfter: "cut the two tables at one point in time, for a model must not have seen the future",
    v.NoShift: "find out what changed in the world or the source; if it is right, make this data the reference",
    v.NoSkew: "make the features in training and serving by the same code",
    v.SqlFinds: "mend the rows that the query finds where the data are made",
}
"""What to do; `@` is where the check is written."""
