"""Schemas of pandera, as `to_yaml` and `to_json` write them, of 0.20 with `checks:` and of today without."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from headway.codec.suites.draft import (
    Draft,
    Suite,
    Terms,
    kind_named,
    literal,
    literally,
    mapping,
    named,
    sequence,
    whole,
)
from headway.core.schema import Custom

_OF_COLUMN = frozenset((
    "title", "description", "dtype", "nullable", "checks", "name", "unique", "coerce", "required", "regex", "default",
    "report_duplicates", "drop_invalid_rows", "alias", "metadata",
))  # fmt: skip
"""Keys of a column that are no checks."""

_SAYS_NOTHING = frozenset(
    ("schema_type", "version", "api", "name", "title", "description", "report_duplicates", "metadata")
)
"""Keys that say nothing of the data."""

_CHANGES = "headway looks at data and does not change them"


# Any (here and below): values of whatever pandera wrote.
def read(written: Mapping[str, Any]) -> Suite:
    """What a schema of pandera means."""
    draft = Draft("pandera")
    for name, column in mapping(written.get("columns")).items():
        _column(draft, str(name), mapping(column))
    _table(draft, written)
    return draft.suite()


def _table(draft: Draft, written: Mapping[str, Any]) -> None:
    strict = written.get("strict")
    if strict is True and any(mapping(column).get("regex") for column in mapping(written.get("columns")).values()):
        draft.leave("strict", "strict", "columns that a pattern names would be forbidden")
    elif strict is True:
        draft.table["extra_columns"] = "error"
    elif strict:
        draft.leave("strict", "strict", _CHANGES)
    unique = written.get("unique")
    if unique:
        draft.checks.append(Custom(unique=unique if isinstance(unique, str) else list(sequence(unique))))
    for check in sequence(written.get("checks")):
        what = check if isinstance(check, str) else "check"
        draft.leave(what, "checks", "checks of a whole frame are code that the file does not hold")
    if written.get("ordered"):
        draft.leave("ordered", "ordered", "the order of columns is not asked")
    _left(draft, written)


def _left(draft: Draft, written: Mapping[str, Any]) -> None:
    """What of a table maps to nothing."""
    for i, index in enumerate(sequence(written.get("index"))):
        name = mapping(index).get("name") or ""
        draft.leave("index", f"index[{i}]{name}", "an index is no column of a file")
    for key in ("coerce", "drop_invalid_rows", "add_missing_columns"):
        if written.get(key):
            draft.leave(key, key, _CHANGES)
    known = {"columns", "strict", "unique", "checks", "ordered", "index", "coerce", "drop_invalid_rows"}
    for key in written.keys() - known - _SAYS_NOTHING - {"add_missing_columns"}:
        if written[key]:
            draft.leave(key, key, "it is not known here")


def _column(draft: Draft, name: str, column: Mapping[str, Any]) -> None:
    at = f"columns.{name}"
    if column.get("regex"):
        draft.leave("regex", at, "columns are listed by name, not by a pattern")
        return
    draft.column(name)
    _properties(draft, name, column, at)
    for key in ("coerce", "default", "drop_invalid_rows"):
        if column.get(key):
            draft.leave(key, at, _CHANGES)
    for what, stats in _checks(column):
        _check(draft, name, what, stats, at=f"{at}.{what}")


def _properties(draft: Draft, name: str, column: Mapping[str, Any], at: str) -> None:
    """Type, nulls and whatever else is asked of a column without a check."""
    dtype = column.get("dtype")
    if dtype is not None:
        kind = kind_named(str(dtype))
        if kind is None:
            draft.leave("dtype", at, f"the type {dtype} says nothing of the values")
        else:
            draft.ask(name, "type", kind, what="dtype", at=at)
    if not column.get("nullable", False):
        draft.ask(name, "nulls", 0, what="nullable", at=at)
    if column.get("unique"):
        draft.ask(name, "unique", True, what="unique", at=at)
    if column.get("required", True) is False:
        draft.ask(name, "required", False, what="required", at=at)
    about = column.get("description") or column.get("title")
    if about:
        draft.ask(name, "about", str(about), what="description", at=at)


def _checks(column: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The checks of a column by name, in any of the three ways in which they were ever written."""
    listed = column.get("checks")
    if isinstance(listed, Mapping):
        yield from listed.items()
    elif isinstance(listed, Sequence) and not isinstance(listed, str):
        for one in listed:
            options = mapping(mapping(one).get("options"))
            yield str(options.get("check_name", "check")), one
    for key, stats in column.items():
        if key not in _OF_COLUMN:
            yield key, stats


_OPTIONS = frozenset(("options", "check_name", "ignore_na", "raise_warning", "n_failure_cases", "error", "name"))


def _check(draft: Draft, name: str, what: str, stats: Any, *, at: str) -> None:  # noqa: ANN401 (as above)
    given = dict(stats) if isinstance(stats, Mapping) else {"value": stats}
    options = {**given, **mapping(given.get("options"))}
    given = {key: value for key, value in given.items() if key not in _OPTIONS and value is not None}
    if options.get("groupby") or options.get("groups"):
        draft.leave(what, at, "checks of groups are not built")
        return
    terms = Terms(severity="warn") if options.get("raise_warning") else Terms()
    one = next(iter(given.values()), None)
    known = _KNOWN.get(what)
    if known is None or not given:
        draft.leave(what, at, "this check is not known here" if known is None else "it says no value")
        return
    with draft.part(what, at):
        known(_At(draft, name, what, at, terms), given, one)


class _At:
    """Where a check stands, handed to what translates it."""

    __slots__ = ("at", "draft", "name", "terms", "what")

    def __init__(self, draft: Draft, name: str, what: str, at: str, terms: Terms) -> None:
        self.draft, self.name, self.what, self.at, self.terms = draft, name, what, at, terms

    def ask(self, key: str, value: Any) -> None:  # noqa: ANN401 (as above)
        self.draft.ask(self.name, key, value, what=self.what, at=self.at)

    def row(self, condition: str) -> None:
        self.draft.row(condition, what=self.what, at=self.at, more=self.terms)

    def pattern(self, pattern: str) -> None:
        self.draft.pattern(self.name, pattern, what=self.what, at=self.at, more=self.terms)


_Translates = Callable[[_At, Mapping[str, Any], Any], None]


def _bound(key: str) -> _Translates:
    def translate(at: _At, _: Mapping[str, Any], one: Any) -> None:  # noqa: ANN401 (as above)
        at.ask(key, at.terms.bound(_cell(one)))

    return translate


def _cell(value: Any) -> Any:  # noqa: ANN401 (as above)
    """A day at midnight is that day; pandera writes all times in full."""
    return re.sub(r"^(\d{4}-\d\d-\d\d) 00:00:00$", r"\1", value) if isinstance(value, str) else value


def _in_range(at: _At, given: Mapping[str, Any], _: Any) -> None:  # noqa: ANN401 (as above)
    low, high = given.get("min_value"), given.get("max_value")
    if low is not None:
        at.ask("min" if given.get("include_min", True) else "above", at.terms.bound(_cell(low)))
    if high is not None:
        at.ask("max" if given.get("include_max", True) else "below", at.terms.bound(_cell(high)))


def _several(one: Any) -> list[Any]:  # noqa: ANN401 (as above)
    return [_cell(value) for value in one] if isinstance(one, list | tuple) else [_cell(one)]


def _isin(at: _At, _: Mapping[str, Any], one: Any) -> None:  # noqa: ANN401 (as above)
    at.ask("values", at.terms.values(_several(one)))


def _notin(at: _At, _: Mapping[str, Any], one: Any) -> None:  # noqa: ANN401 (as above)
    at.row(f"{named(at.name)} NOT IN ({', '.join(map(literal, _several(one)))})")


def _differs(at: _At, _: Mapping[str, Any], one: Any) -> None:  # noqa: ANN401 (as above)
    at.row(f"{named(at.name)} <> {literal(_cell(one))}")


def _length(at: _At, given: Mapping[str, Any], _: Any) -> None:  # noqa: ANN401 (as above)
    low, high = given.get("min_value"), given.get("max_value")
    exact = given.get("exact_value", given.get("value"))
    if exact is not None:
        low = high = exact
    at.ask("length", at.terms.length(low, high))


def _values_eq(at: _At, _: Mapping[str, Any], one: Any) -> None:  # noqa: ANN401 (as above)
    values = _several(one)
    at.ask("values", at.terms.values(values))
    at.ask("distinct", at.terms.exactly(len(values)))


_KNOWN: dict[str, _Translates] = {
    "equal_to": _isin,
    "not_equal_to": _differs,
    "greater_than": _bound("above"),
    "greater_than_or_equal_to": _bound("min"),
    "less_than": _bound("below"),
    "less_than_or_equal_to": _bound("max"),
    "in_range": _in_range,
    "isin": _isin,
    "notin": _notin,
    "str_matches": lambda at, _, one: at.pattern(whole(str(one), from_start=True)),
    "str_contains": lambda at, _, one: at.pattern(whole(str(one))),
    "str_startswith": lambda at, _, one: at.pattern(f"{literally(str(one))}(?s:.*)"),
    "str_endswith": lambda at, _, one: at.pattern(f"(?s:.*){literally(str(one))}"),
    "str_length": _length,
    "unique_values_eq": _values_eq,
}
"""What each check of pandera says here."""
