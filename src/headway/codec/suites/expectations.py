"""Suites of Great Expectations as JSON, of 0.x (`expectation_type`) and 1.x (`type`, `severity`)."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import UNSET, UnsetType

from headway.codec.suites.draft import (
    Draft,
    Suite,
    Terms,
    kind_named,
    literal,
    mapping,
    named,
    percent_of,
    sequence,
    whole,
)
from headway.core.schema import Custom, Order, Range
from headway.core.validation import Severity


# Any (here and below): values of whatever was written.
def read(written: Mapping[str, Any]) -> Suite:
    """What a suite means."""
    draft = Draft("Great Expectations")
    for i, each in enumerate(sequence(written.get("expectations"))):
        one = mapping(each)
        what = str(one.get("type") or one.get("expectation_type") or "expectation")
        given = mapping(one.get("kwargs"))
        at = f"expectations[{i}]" + (f" {given['column']}" if isinstance(given.get("column"), str) else "")
        why = _why_not(what, given)
        if why:
            draft.leave(what, at, why)
            continue
        with draft.part(what, at):
            _expected(draft, what, at, one)
    return draft.suite()


def _expected(draft: Draft, what: str, at: str, one: Mapping[str, Any]) -> None:
    given = mapping(one.get("kwargs"))
    severity: Severity | UnsetType = "warn" if one.get("severity") in ("warning", "info") else UNSET
    # There it is a share of the rows that have a value, here of all.
    mostly = given.get("mostly", 1)
    terms = Terms(tolerate=percent_of(1 - mostly) if mostly < 1 else 0, severity=severity)
    name = str(one.get("description") or given.get("description") or "")
    _KNOWN[what](_Expected(draft, what, at, given, terms, name))


def _why_not(what: str, given: Mapping[str, Any]) -> str:
    """Why an expectation cannot be read, or nothing."""
    if what not in _KNOWN:
        return "this expectation is not known here"
    if given.get("row_condition"):
        return "conditions on rows are not built; write a check with `row:`"
    if any(isinstance(value, Mapping) and "$PARAMETER" in value for value in given.values()):
        return "its value is given only when it runs"
    if what in _OF_ONE_COLUMN and not isinstance(given.get("column"), str):
        return "it names no column"
    return ""


class _Expected:
    """One expectation, handed to what translates it."""

    __slots__ = ("at", "draft", "given", "name", "terms", "what")

    def __init__(self, draft: Draft, what: str, at: str, given: Mapping[str, Any], terms: Terms, name: str) -> None:
        self.draft, self.what, self.at, self.given, self.terms, self.name = draft, what, at, given, terms, name

    @property
    def column(self) -> str:
        return str(self.given["column"])

    def ask(self, key: str, value: Any) -> None:  # noqa: ANN401 (as above)
        self.draft.ask(self.column, key, value, what=self.what, at=self.at)

    def row(self, condition: str) -> None:
        self.draft.row(condition, what=self.what, at=self.at, name=self.name, more=self.terms)

    def pattern(self, pattern: str) -> None:
        self.draft.pattern(self.column, pattern, what=self.what, at=self.at, more=self.terms)

    def leave(self, why: str) -> None:
        self.draft.leave(self.what, self.at, why)

    def range(self) -> Range | None:
        """The bounds of one number."""
        if self.given.get("strict_min") or self.given.get("strict_max"):
            self.draft.leave("strict bounds", self.at, "bounds of one number belong to what it may be")
        # Any: whatever was written.
        both: dict[str, Any] = {key: self.given.get(f"{key}_value") for key in ("min", "max")}
        ends = {key: end for key, end in both.items() if end is not None}
        if not all(isinstance(end, int | float) for end in ends.values()):
            self.leave("only numbers bound a number")
            return None
        return Range(**ends, severity=self.terms.severity) if ends else None


_Translates = Callable[[_Expected], None]


# --- the table --------------------------------------------------------------------------------------------------------


def _present(it: _Expected, names: Iterable[str]) -> None:
    for name in names:
        it.draft.column(name)
    if it.terms.severity == "warn":
        # Something else may be asked of it too, which fails without it.
        it.leave("a column that is missing is an error; write required: warn")


def _exists(it: _Expected) -> None:
    _present(it, [it.column])
    if it.given.get("column_index") is not None:
        it.leave("the order of columns is not asked; that it is there is")


def _columns(it: _Expected) -> None:
    _present(it, map(str, it.given.get("column_set") or it.given.get("column_list") or ()))
    if it.given.get("exact_match", True):
        it.draft.table["extra_columns"] = "warn" if it.terms.severity == "warn" else "error"
    if "ordered" in it.what:
        it.leave("the order of columns is not asked; that they are there is")


def _row_count(it: _Expected) -> None:
    exact = it.given.get("value")
    rows = it.range() if exact is None else it.terms.exactly(int(exact))
    if rows is None:
        return
    if "rows" in it.draft.table:
        it.leave("the number of rows is asked already")
    else:
        it.draft.table["rows"] = rows


def _compound(it: _Expected) -> None:
    unique = [str(name) for name in it.given.get("column_list") or ()]
    for name in unique:
        it.draft.column(name)
    it.draft.checks.append(Custom(unique=unique, tolerate=it.terms.tolerate, severity=it.terms.severity))


def _pair(sign: str) -> _Translates:
    def translate(it: _Expected) -> None:
        or_equal = "=" if it.given.get("or_equal") else ""
        it.row(f"{named(str(it.given.get('column_A')))} {sign}{or_equal} {named(str(it.given.get('column_B')))}")

    return translate


def _sum_of_columns(it: _Expected) -> None:
    columns = [named(str(name)) for name in it.given.get("column_list") or ()]
    it.row(f"{' + '.join(columns)} = {literal(it.given.get('sum_total', 0))}")


def _differ_within_row(it: _Expected) -> None:
    columns = [named(str(name)) for name in it.given.get("column_list") or ()]
    pairs = [f"{one} <> {other}" for i, one in enumerate(columns) for other in columns[i + 1 :]]
    it.row(" AND ".join(pairs))


def _query(it: _Expected) -> None:
    query = str(it.given.get("unexpected_rows_query") or "")
    query = re.sub(r"\{batch\}", "data", query)
    if not query:
        it.leave("it has no query")
        return
    it.draft.checks.append(Custom(name=it.name, sql=query, severity=it.terms.severity))


# --- a column ---------------------------------------------------------------------------------------------------------


def _flag(key: str) -> _Translates:
    return lambda it: it.ask(key, it.terms.flag())


def _not_null(it: _Expected) -> None:
    it.ask("nulls", it.terms.nulls(it.terms.tolerate))


def _null(it: _Expected) -> None:
    it.row(f"{named(it.column)} IS NULL")


def _non_null_share(it: _Expected) -> None:
    low, high = it.given.get("min_value"), it.given.get("max_value")
    if low is not None:
        it.ask("nulls", it.terms.nulls(percent_of(1 - low) if low < 1 else 0))
    if high is not None and high < 1:
        it.leave("that values must be missing is not asked")


def _unique_share(it: _Expected) -> None:
    if it.given.get("min_value") == 1:
        it.ask("unique", it.terms.flag())
    else:
        it.leave("a share of different values is not asked; write `distinct`")


def _between(it: _Expected) -> None:
    for end, closed, opened in (("min", "min", "above"), ("max", "max", "below")):
        bound = it.given.get(f"{end}_value")
        if bound is not None:
            it.ask(opened if it.given.get(f"strict_{end}") else closed, it.terms.bound(_plain(bound)))


def _plain(value: Any) -> Any:  # noqa: ANN401 (as above)
    """A whole number as one; 1.x writes all bounds with a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _in_set(it: _Expected) -> None:
    it.ask("values", it.terms.values(list(it.given.get("value_set") or ())))


def _equals_set(it: _Expected) -> None:
    values = list(it.given.get("value_set") or ())
    it.ask("values", it.terms.values(values))
    it.ask("distinct", it.terms.exactly(len(values)))


def _not_in_set(it: _Expected) -> None:
    it.row(f"{named(it.column)} NOT IN ({', '.join(map(literal, it.given.get('value_set') or ()))})")


def _regex(it: _Expected) -> None:
    it.pattern(whole(str(it.given.get("regex") or "")))


def _regexes(it: _Expected) -> None:
    patterns = [f"(?:{pattern})" for pattern in it.given.get("regex_list") or ()]
    if it.given.get("match_on") == "all":
        for pattern in it.given.get("regex_list") or ():
            it.pattern(whole(str(pattern)))
    else:
        it.pattern(f"(?s:.*)(?:{'|'.join(patterns)})(?s:.*)")


def _not_regex(it: _Expected) -> None:
    for pattern in it.given.get("regex_list") or [it.given.get("regex") or ""]:
        it.row(f"NOT REGEXP_LIKE({named(it.column)}, {literal(str(pattern))})")


def _like(it: _Expected) -> None:
    negated = "NOT " if "not" in it.what else ""
    for pattern in it.given.get("like_pattern_list") or [it.given.get("like_pattern") or ""]:
        it.row(f"{named(it.column)} {negated}LIKE {literal(str(pattern))}")


def _length(it: _Expected) -> None:
    exact = it.given.get("value")
    low, high = it.given.get("min_value", exact), it.given.get("max_value", exact)
    least = None if low is None else int(low) + bool(it.given.get("strict_min"))
    most = None if high is None else int(high) - bool(it.given.get("strict_max"))
    it.ask("length", it.terms.length(least, most))


def _type(it: _Expected) -> None:
    listed = it.given.get("type_list") or [it.given.get("type_")]
    kinds = {kind_named(str(one)) for one in listed}
    kind = next(iter(kinds))
    if len(kinds) != 1 or kind is None:
        it.leave(f"{', '.join(map(str, listed))} are not of one kind here")
    else:
        it.ask("type", it.terms.type(kind))


def _date_format(it: _Expected) -> None:
    it.ask("date_format", it.terms.text(str(it.given.get("strftime_format"))))


def _increasing(it: _Expected) -> None:
    order: bool | str = "strictly" if it.given.get("strictly") else True
    if it.terms == Terms():
        it.ask("increasing", order)
    else:
        it.ask("increasing", Order(is_=order, tolerate=it.terms.tolerate, severity=it.terms.severity))  # type: ignore[arg-type]  # one of the two


def _number(key: str) -> _Translates:
    def translate(it: _Expected) -> None:
        found = it.range()
        if found is not None:
            it.ask(key, found)

    return translate


def _quantiles(it: _Expected) -> None:
    ranges = it.given.get("quantile_ranges") or {}
    found = {}
    for at, (low, high) in zip(ranges.get("quantiles") or (), ranges.get("value_ranges") or (), strict=False):
        ends = {key: end for key, end in (("min", low), ("max", high)) if end is not None}
        if ends:
            found[f"{at:g}"] = Range(**ends, severity=it.terms.severity)
    it.ask("quantiles", found)


_OF_ONE_COLUMN: dict[str, _Translates] = {
    "expect_column_to_exist": _exists,
    "expect_column_values_to_be_unique": _flag("unique"),
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_null": _null,
    "expect_column_proportion_of_non_null_values_to_be_between": _non_null_share,
    "expect_column_proportion_of_unique_values_to_be_between": _unique_share,
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_distinct_values_to_be_in_set": _in_set,
    "expect_column_distinct_values_to_equal_set": _equals_set,
    "expect_column_values_to_not_be_in_set": _not_in_set,
    "expect_column_values_to_match_regex": _regex,
    "expect_column_values_to_match_regex_list": _regexes,
    "expect_column_values_to_not_match_regex": _not_regex,
    "expect_column_values_to_not_match_regex_list": _not_regex,
    "expect_column_values_to_match_like_pattern": _like,
    "expect_column_values_to_not_match_like_pattern": _like,
    "expect_column_values_to_not_match_like_pattern_list": _like,
    "expect_column_value_lengths_to_be_between": _length,
    "expect_column_value_lengths_to_equal": _length,
    "expect_column_values_to_be_of_type": _type,
    "expect_column_values_to_be_in_type_list": _type,
    "expect_column_values_to_match_strftime_format": _date_format,
    "expect_column_values_to_be_increasing": _increasing,
    "expect_column_mean_to_be_between": _number("mean"),
    "expect_column_median_to_be_between": _number("median"),
    "expect_column_stdev_to_be_between": _number("std"),
    "expect_column_sum_to_be_between": _number("sum"),
    "expect_column_min_to_be_between": _number("smallest"),
    "expect_column_max_to_be_between": _number("largest"),
    "expect_column_unique_value_count_to_be_between": _number("distinct"),
    "expect_column_quantile_values_to_be_between": _quantiles,
}

_KNOWN: dict[str, _Translates] = _OF_ONE_COLUMN | {
    "expect_table_columns_to_match_set": _columns,
    "expect_table_columns_to_match_ordered_list": _columns,
    "expect_table_row_count_to_be_between": _row_count,
    "expect_table_row_count_to_equal": _row_count,
    "expect_compound_columns_to_be_unique": _compound,
    "expect_column_pair_values_a_to_be_greater_than_b": _pair(">"),
    "expect_column_pair_values_to_be_equal": _pair("="),
    "expect_multicolumn_sum_to_equal": _sum_of_columns,
    "expect_select_column_values_to_be_unique_within_record": _differ_within_row,
    "unexpected_rows_expectation": _query,
}
"""What each expectation says here."""
