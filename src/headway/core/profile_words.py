"""What is worth saying of a column of a profile, and how its numbers and times are written, for pages and terminals.

Decides nothing: a schema and its checks say what is bad (`core/validation`). Knows no markup.
"""

from datetime import UTC, datetime, timedelta

from headway.core.profile import ColumnProfile, Counted
from headway.core.telling import HIDDEN, number
from headway.core.validation import Cell

MOST_TOLD = 40
"""Letters of a value that are told in a line."""

QUANTILES = {
    "0.01": "1 %",
    "0.05": "5 %",
    "0.25": "25 %",
    "0.5": "median",
    "0.75": "75 %",
    "0.95": "95 %",
    "0.99": "99 %",
}
"""What the quantiles of a profile are called."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_A_DAY = 86400


def measured(column: ColumnProfile, value: float) -> str:
    """A mean, a quantile or an end of a bin in the words of its column: times are in UTC seconds there.

    >>> measured(ColumnProfile(name="x", kind="date", stored_as="Date", n_rows=1), 86400.0)
    '1970-01-02'
    """
    match column.kind:
        case "date" | "datetime":
            try:
                moment = _EPOCH + timedelta(seconds=value)
            except OverflowError:
                return few_digits(value)
            if column.kind == "date" or (moment - _EPOCH).total_seconds() % _A_DAY == 0:
                return moment.date().isoformat()
            return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")
        case "time":
            return f"{int(value // 3600):02}:{int(value // 60) % 60:02}:{int(value) % 60:02}"
        case "duration":
            return f"{few_digits(value)} s"
        case _:
            return few_digits(value)


def few_digits(value: float) -> str:
    """A number to four digits; whole ones are whole.

    >>> few_digits(0.123456), few_digits(1234567.0), few_digits(123456.7), few_digits(2.0)
    ('0.1235', '1,234,567', '123,457', '2')
    """
    if abs(value) >= 1000 and abs(value) < 1e15:
        return f"{round(value):,}"
    return number(float(f"{value:.4g}"))


def told(column: ColumnProfile, value: Cell | None) -> str:
    """A value of the column: the least, the greatest, a frequent one."""
    match value:
        case None:
            return "-"
        case bool():
            return "true" if value else "false"
        case int() | float() if column.kind == "duration":
            return f"{few_digits(value)} s"
        case int() | float():
            return number(value)
        case _ if column.kind in ("date", "datetime", "time"):
            return value.replace("T", " ")
        case _:
            return value


def distinct(column: ColumnProfile) -> str:
    """How many different values there are; of an estimate only the digits that are known.

    >>> distinct(ColumnProfile(name="x", kind="number", stored_as="", n_rows=9, n_distinct=98765, distinct_error=0.008))
    '~98,800'
    """
    if not column.distinct_error:
        return f"{column.n_distinct:,}"
    return f"~{int(float(f'{column.n_distinct:.3g}')):,}"


def empty(column: ColumnProfile) -> str:
    """The share of rows without a value, or `-` when there are none."""
    return percent_shortly(column.n_null / column.n_rows) if column.n_null else "-"


def percent_shortly(share: float) -> str:
    """A share to a tenth of a percent, never rounded to nothing or to all.

    >>> percent_shortly(0.1234), percent_shortly(0.00001), percent_shortly(0.99999)
    ('12.3 %', '<0.1 %', '>99.9 %')
    """
    if 0 < share < 0.0005:
        return "<0.1 %"
    if 0.9995 <= share < 1:
        return ">99.9 %"
    return f"{share * 100:.1f} %"


def remarks(column: ColumnProfile) -> list[str]:
    """What stands out, the worst first; nothing of most columns."""
    n = column.n_values
    if not n and not column.n_misfit:
        return ["no value at all"] if column.n_rows else []
    found = []
    if column.n_misfit:
        examples = HIDDEN if column.is_private else ", ".join(_quoted(one) for one in column.misfits[:3])
        found.append(f"{column.n_misfit:,} not of its kind: {examples}")
    found += [f"{count:,} {word}" for count, word in ((column.n_nan, "NaN"), (column.n_infinite, "infinite")) if count]
    most = column.top[0] if column.top else None
    if column.n_distinct == 1 and n > 1:
        found.append("always the same")
    elif most is not None and most.count >= 0.99 * n and n > most.count:
        found.append(f"{percent_shortly(most.count / n)} are {_cut(told(column, most.value))}")
    elif column.n_zero >= 0.5 * n > 0:
        found.append(f"{percent_shortly(column.n_zero / n)} zeros")
    if column.is_unique and n > 1:
        found.append("all different")
    if column.is_increasing:
        found.append("in order")
    if column.is_private:
        found.append(f"its values are private: {HIDDEN}")
    return found


def _quoted(one: Counted) -> str:
    times = f" ({one.count:,} times)" if one.count > 1 else ""
    return f'"{_cut(str(one.value))}"{times}'


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TOLD else text[: MOST_TOLD - 1] + "…"
