"""A schema of data as the text that a person goes on writing: one line a column where it fits, comments beside.

The same schema gives the same text, and `schema_file` reads the same schema back from it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from headway.codec.quote import scalar
from headway.core.schema import Schema

_WIDTH = 118
"""A line that would be longer is written over several; a comment for which there is no room stands above it."""

_SAFE = re.compile(
    r"[0-9.+-]*[0-9]%"
    r"|[0-9.eE+-]*[0-9]%?\.\.|\.\.[0-9.eE+-]*[0-9]%?|[0-9.eE+-]*[0-9]%?\.\.[0-9.eE+-]*[0-9]%?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]{5,8})?"
    r"|[0-9.]*[0-9][smhdw]"
)
"""Spans, shares, days and times, which no reader of YAML 1.2 takes for a number: they need no quotes."""

_NO_QUOTES = re.compile(r"[A-Za-z_/][A-Za-z0-9_./ -]*[A-Za-z0-9_/.]")


def schema_text(schema: Schema, notes: Mapping[str, str] | None = None, head: str = "") -> str:
    """The text of a schema. `notes` are comments by the place they belong to (`columns.temp`); `head` begins the file.

    >>> from headway.core.schema import Column
    >>> print(schema_text(Schema(rows="1000..", columns={"temp": Column(type="number", max=130)}), {"rows": "1,203"}))
    rows: 1000..  # 1,203
    columns:
      temp: {type: number, max: 130}
    """
    notes = notes or {}
    lines = [f"# {line}".rstrip() for line in head.splitlines()]
    for key, value in msgspec.to_builtins(schema).items():
        lines += _entry(key, value, notes)
    return "".join(line + "\n" for line in lines) or "{}\n"


# Any (here and below): plain values.
def _entry(key: str, value: Any, notes: Mapping[str, str]) -> Iterator[str]:  # noqa: ANN401 (as above)
    """One key of the top: columns and lists one below the other, the rest in a line."""
    note = notes.get(key, "")
    if key == "columns" and value:
        yield _with("columns:", note)
        for name, column in value.items():
            yield from _lines(f"  {plain(name)}:", column, notes.get(f"columns.{name}", ""))
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        yield _with(f"{key}:", note)
        for i, one in enumerate(value):
            yield from _lines("  -", one, notes.get(f"{key}[{i}]", ""))
    else:
        yield from _lines(f"{key}:", value, note)


def _lines(lead: str, value: Any, note: str) -> Iterator[str]:  # noqa: ANN401 (as above)
    """A value behind its key, in one line if that is not too long."""
    if value is None:
        yield _with(lead, note)
        return
    one = f"{lead} {flow(value)}"
    is_short = len(one) <= _WIDTH or not isinstance(value, dict | list) or not value
    if is_short and len(_with(one, note)) <= _WIDTH:
        yield _with(one, note)
        return
    if note:
        yield f"{' ' * (len(lead) - len(lead.lstrip()))}# {note}"
    if is_short:
        yield one
        return
    inner = " " * (len(lead) - len(lead.lstrip()) + 2)
    if isinstance(value, list):
        yield f"{lead} ["
        yield from _wrapped([flow(one) for one in value], inner)
        yield f"{inner[2:]}]"
    elif lead.endswith("-"):
        first, *more = [line for key, below in value.items() for line in _lines(f"{inner}{plain(key)}:", below, "")]
        yield f"{lead} {first.lstrip()}"
        yield from more
    else:
        yield lead
        for key, below in value.items():
            yield from _lines(f"{inner}{plain(key)}:", below, "")


def _wrapped(words: list[str], inner: str) -> Iterator[str]:
    line = inner
    for word in words:
        if len(line) + len(word) + 1 > _WIDTH and line.strip():
            yield line.rstrip()
            line = inner
        line += word + ", "
    yield line.rstrip().removesuffix(",")


def flow(value: Any) -> str:  # noqa: ANN401 (as above)
    """A value in one line.

    >>> flow({"type": "number", "nulls": "1%", "values": [1, 2.5, "a b", True], "matches": r"[A-Z]+"})
    '{type: number, nulls: 1%, values: [1, 2.5, a b, true], matches: "[A-Z]+"}'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{plain(key)}: {flow(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return plain(value) if isinstance(value, str) else "null" if value is None else scalar(value)


def plain(text: str) -> str:
    r"""A text without quotes where that is safe, in single ones where double ones would need backslashes.

    >>> plain("1000.."), plain("air time"), plain("no"), plain(r"\d+"), plain("a: b")
    ('1000..', 'air time', '"no"', "'\\d+'", '"a: b"')
    """
    if _SAFE.fullmatch(text) or (_NO_QUOTES.fullmatch(text) and scalar(text.replace(" ", "_"))[:1] != '"'):
        return text
    if "\\" in text and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return scalar(text)


def _with(line: str, note: str) -> str:
    return f"{line}  # {note}" if note else line
