"""Schemas of data that people write, `schemas/training.yaml`: bytes to a Schema with all faults at once.

Each fault has its line, its column and what was probably meant. What is senseless `core/schema_faults` says; whether
regular expressions and conditions can be read at all, the engine that will run them. `schema_text` writes such files.
"""

import re
from collections.abc import Iterator
from typing import Any

from headway.codec import marks
from headway.codec.human import converted, decoded, faulty, unfit, where
from headway.codec.kinds import problems_of
from headway.core.problem import Path, Problem
from headway.core.schema import FOREIGN, Column, Schema, Text
from headway.core.schema_faults import problems_in
from headway.errors import Fault

_PAGE = "docs/validation.md"


def read_schema(data: bytes, *, path: str) -> Schema:
    """The schema that a file's bytes mean; an empty file asks nothing. `path` is what faults call the file.

    Raises FileFaulty with all faults.
    """
    text = decoded(data, path)
    lines = text.splitlines()
    try:
        root = marks.compose(text)
    except marks.Unreadable as e:
        e.fault.excerpt = _excerpt(lines, e.fault.line)
        raise faulty(path, [e.fault], page=_PAGE) from e
    if root is None:
        return Schema()
    values = marks.Values(has_aliases="&" in text)
    value = values.of(root)
    faults = [
        marks.fault_at(node, problem, remedy, where=where(marks.path_to(root, node), value))
        for node, problem, remedy in values.faults
    ]
    schema, problems = _schema_of(value)
    for problem in problems:
        node = marks.find(root, problem.path, at_key=problem.at_key)
        line, column = marks.place(node, lines, problem.offset)
        said = where(problem.path, value)
        faults.append(Fault(problem.problem, line=line, column=column, where=said, remedy=problem.remedy))
    if faults:
        for fault in faults:
            fault.excerpt = _excerpt(lines, fault.line)
        raise faulty(path, faults, page=_PAGE)
    assert schema is not None, "kinds refuses whatever msgspec refuses"
    return schema


# Any (here and below): plain values of whatever was written.
def _schema_of(value: Any) -> tuple[Schema | None, list[Problem]]:  # noqa: ANN401 (as above)
    """The schema that plain values mean, and everything that is wrong with them."""
    if not isinstance(value, dict):
        remedy = "write columns: and below it the columns of the table"
        return None, [Problem(path=(), problem="its top is not a mapping", remedy=remedy)]
    problems, left = problems_of(value, Schema, FOREIGN)
    problems += beyond_numbers(value)
    schema = converted(left, Schema)
    if schema is not None:
        problems += problems_in(schema)
        problems += _unreadable(schema)
    return schema, problems


def beyond_numbers(value: Any) -> list[Problem]:  # noqa: ANN401 (as above)
    """Numbers with which nothing can be compared."""
    return [
        Problem(path=at, problem=f"{number} is no number to compare with", remedy="write a finite one of 64 bits")
        for at, number in unfit(value)
    ]


# --- what the engine cannot read --------------------------------------------------------------------------------------


def _unreadable(schema: Schema) -> Iterator[Problem]:
    """Regular expressions and conditions that cannot be compiled; loads the engine only if there is one."""
    for name in schema.columns:
        column = schema.column(name)
        if column is not None:
            yield from _unreadable_pattern(column, ("columns", name))
    for i, custom in enumerate(schema.checks):
        if isinstance(custom.each, Column):
            yield from _unreadable_pattern(custom.each, ("checks", i, "each"))
        if custom.row and (said := fault_of_condition(custom.row)):
            remedy = "write a condition over columns, such as arrival >= departure"
            yield Problem(path=("checks", i, "row"), problem=said, remedy=remedy)


def _unreadable_pattern(column: Column, path: Path) -> Iterator[Problem]:
    written = column.matches
    at: Path = (*path, "matches")
    if isinstance(written, Text):
        written, at = written.is_, (*at, "is")
    if isinstance(written, str) and (found := fault_of_pattern(written)) is not None:
        said, offset = found
        remedy = "write it as Rust's `regex` has it: without look-around and backreferences"
        yield Problem(path=at, problem=f"the regular expression cannot be read: {said}", remedy=remedy, offset=offset)


def fault_of_pattern(pattern: str) -> tuple[str, int] | None:
    """What is wrong with a regular expression, and at which of its characters (-1 when that is not said)."""
    import polars as pl

    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.PolarsError as e:
        told = str(e)
        said = re.search(r"^error: (.+)$", told, re.MULTILINE)
        caret = re.search(r"^ {4}( *)\^+$", told, re.MULTILINE)
        return said[1] if said else told.partition("\n")[0], len(caret[1]) if caret else -1
    return None


def fault_of_condition(condition: str) -> str:
    """What is wrong with a condition over the columns of a row; nothing if it can be read."""
    import polars as pl

    try:
        pl.sql_expr(condition)
    except pl.exceptions.PolarsError as e:
        return f"the condition cannot be read: {str(e).partition(chr(10))[0]}"
    return ""


def _excerpt(lines: list[str], line: int) -> str:
    return lines[line - 1] if 0 < line <= len(lines) else ""
