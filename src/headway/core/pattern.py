"""Patterns of names in an object store or a folder: `*` is anything but `/`, `**` any number of folders, `?` one sign.

Every other sign is itself, brackets too: unlike the globs of a pipeline, names here are other people's.
"""

import re
from collections.abc import Callable

MAGIC = frozenset("*?")
"""Signs that make a name a pattern."""


def split(pattern: str) -> tuple[str, str]:
    """The folder that everything a pattern finds lies in (empty, or with `/` at its end), and the rest.

    Without magic the rest is the last name.

    >>> split("events/2024-*/part-?.parquet"), split("a/b.csv"), split("*.csv")
    (('events/', '2024-*/part-?.parquet'), ('a/', 'b.csv'), ('', '*.csv'))
    """
    at = next((i for i, sign in enumerate(pattern) if sign in MAGIC), len(pattern))
    cut = pattern.rfind("/", 0, at) + 1
    return pattern[:cut], pattern[cut:]


def matcher(pattern: str) -> Callable[[str], bool]:
    """What tells whether a whole name answers to the pattern.

    >>> [matcher("a/**/*.csv")(name) for name in ("a/x.csv", "a/b/c/x.csv", "b/x.csv")]
    [True, True, False]
    """
    parts = pattern.split("/")
    said = ""
    for i, part in enumerate(parts):
        is_last = i == len(parts) - 1
        if part == "**":
            said += ".*" if is_last else "(?:[^/]+/)*"
            continue
        for sign in re.split(r"(\*+|\?)", part):
            said += "[^/]*" if sign.startswith("*") else "[^/]" if sign == "?" else re.escape(sign)
        said += "" if is_last else "/"
    compiled = re.compile(said, re.DOTALL)
    return lambda name: compiled.fullmatch(name) is not None
