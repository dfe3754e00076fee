"""Where in a TOML file something stands: the standard library's reader keeps no marks, so it is looked for.

Finds keys of tables (`[store]`) and of the top; knows nothing of what they mean.
"""

import re
from collections.abc import Sequence

from headway.errors import Fault

_TABLE = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""(\s*)((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def place(faults: Sequence[Fault], text: str) -> list[Fault]:
    """The same faults in the order of the file, each where its `where` (`store.url`) or what is above it stands."""
    lines = text.splitlines()
    found = _keys(lines)
    for fault in faults:
        words = fault.where.split(".")
        while words and ".".join(words) not in found:
            # Of a list (`keys[2]`) the key is marked, but each table of a list of tables has a place of its own.
            bare = words[-1].partition("[")[0]
            words = [*words[:-1], bare] if bare not in ("", words[-1]) else words[:-1]
        if words:
            _mark(fault, lines, *found[".".join(words)])
    return sorted(faults, key=lambda fault: (fault.line, fault.column))


def syntax(problem: str, text: str) -> Fault:
    """The fault of a text that is no TOML, from the words of the standard library, which end with its place."""
    lines = text.splitlines()
    at = _AT.search(problem)
    fault = Fault(f"not TOML: {_AT.sub('', problem).lower()}", remedy="mend this place: name = value, texts in quotes")
    if at is not None:
        line, column = (int(at[1]), int(at[2])) if at[1] else (len(lines), len(lines[-1]) + 1 if lines else 1)
        _mark(fault, lines, line, column)
    return fault


def _mark(fault: Fault, lines: Sequence[str], line: int, column: int) -> None:
    fault.line, fault.column = line, column
    fault.excerpt = lines[line - 1] if 0 < line <= len(lines) else ""


def _keys(lines: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Line and column (from 1) of each table and key, by dotted name; the first of each, and with `[n]` the others."""
    found: dict[str, tuple[int, int]] = {}
    n_of: dict[str, int] = {}
    tables = [""]
    for number, line in enumerate(lines, 1):
        if (head := _TABLE.match(line)) is not None:
            name = _plain(head[1])
            tables = [name + "."]
            if line.lstrip().startswith("[["):
                tables.append(f"{name}[{n_of.get(name, 0)}].")
                n_of[name] = n_of.get(name, 0) + 1
            for table in tables:
                found.setdefault(table[:-1], (number, line.index("[") + 1))
        elif (key := _KEY.match(line)) is not None:
            for table in tables:
                found.setdefault(table + _plain(key[2]), (number, len(key[1]) + 1))
    return found


def _plain(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in name.split("."))
