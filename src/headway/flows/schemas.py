"""Schemas of data that a person names, read from their files: headway's own and suites of other tools.

Neighbours: `codec/suites` says what a file's bytes mean; `flows/review` finds tables. A step reads through its bench.
"""

from headway.codec.suites.draft import Unmapped
from headway.codec.suites.read import read_any
from headway.core.schema import Schema
from headway.errors import FileMissing, SystemRefused


def read_schema_at(path: str, *, called: str) -> tuple[Schema, tuple[Unmapped, ...]]:
    """The schema in the file at `path`, which faults call what it was `called`, and what of a suite is not asked.

    Raises FileMissing, SystemRefused, FileFaulty.
    """
    try:
        with open(path, "rb") as f:
            data = f.read()
    except FileNotFoundError as e:
        raise FileMissing(
            f"there is no schema {called}", at=called, remedy="`headway schema infer DATA > FILE` writes a first one"
        ) from e
    except OSError as e:
        raise SystemRefused(
            f"{called or 'it'} cannot be read: {e.strerror}", at=called or path, remedy="name a file"
        ) from e
    return read_any(data, path=called)
