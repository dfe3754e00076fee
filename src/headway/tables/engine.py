"""DuckDB as this room uses it: so much memory and no more, a private folder for the rest, nothing fetched from outside.

Neighbours: `scan` opens files with it, `cells` cuts what is too large. Knows no comparison.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headway.errors import DiskFull, HeadwayError, TableUnreadable
from headway.tables.scratch import scratch

if TYPE_CHECKING:
    import duckdb

Row = tuple[object, ...]


class TooLarge(Exception):
    """The memory does not suffice; with more of it, it may."""


class Engine:
    """A database in memory with a folder of its own; `memory_bytes` is what DuckDB may use at a time."""

    __slots__ = ("_db", "folder", "memory_bytes", "paths")

    def __init__(self, db: "duckdb.DuckDBPyConnection", folder: str, memory_bytes: int) -> None:
        self._db = db
        self.folder = folder
        self.memory_bytes = memory_bytes
        self.paths: tuple[str, ...] = ()
        """The files that are being read: one of them is at fault when reading fails."""

    def run(self, sql: str) -> list[Row]:
        """The rows that a statement gives. Raises TooLarge, TableUnreadable, DiskFull."""
        import duckdb

        try:
            return self._db.execute(sql).fetchall()
        except duckdb.OutOfMemoryException as e:
            raise TooLarge from e
        except (duckdb.InterruptException, RuntimeError) as e:
            # Ctrl-C while DuckDB is at work.
            if "interrupt" in str(e).lower():
                raise KeyboardInterrupt from e
            raise
        except duckdb.Error as e:
            if "maximum line size" in str(e).lower() or "maximum_object_size" in str(e):
                raise TooLarge from e
            raise _translate(e, self.paths, self.folder) from e


@contextmanager
def opened(memory_bytes: int) -> Iterator[Engine]:
    """An engine; its folder is gone when the block is left, however it is left."""
    import duckdb

    with scratch(tempfile.gettempdir(), "headway-tables-") as folder:
        db = duckdb.connect(
            config={
                "memory_limit": f"{memory_bytes}B",
                # More of them hold more at a time, and would be no quicker than the disk.
                "threads": "2",
                "temp_directory": f"{folder}/spill",
                "preserve_insertion_order": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            }
        )
        try:
            yield Engine(db, folder, memory_bytes)
        finally:
            db.close()


def text(value: str) -> str:
    """A literal of SQL."""
    return "'" + value.replace("'", "''") + "'"


def listed(values: Sequence[str]) -> str:
    """A list of literals of SQL."""
    return "[" + ", ".join(map(text, values)) + "]"


def _translate(e: "duckdb.Error", paths: Sequence[str], folder: str) -> HeadwayError:
    import re

    said = str(e)
    if "No space left" in said or "max_temp_directory_size" in said:
        return DiskFull(
            "no space is left to compare tables that are larger than memory",
            at=folder,
            remedy="free some, or let TMPDIR name a folder with more room",
        )
    path = next((path for path in paths if path in said), paths[0] if paths else "a table")
    line = re.search(r"\b[Ll]ine:? (\d+)", said)
    first = said.split("\n", maxsplit=1)[0].removeprefix("Invalid Input Error: ")
    more = re.search(r"(?m)^(?!Original Line|Possible|CSV Error)(.*(?:Expected|expected|unicode|quote).*)$", said)
    if more and more.group(1) not in first:
        first = f"{first}: {more.group(1).strip()}"
    return TableUnreadable(
        f"a table cannot be read: {first}",
        at=f"{path}:{line.group(1)}" if line else path,
        remedy="mend the file, or bring it back from a version that is whole",
    )
