"""What the first bytes of a table's file say: its format, how it is compressed, the names of a CSV's columns.

Neighbour: `scan` lets DuckDB read the rest. Names are read here, because DuckDB changes those that it finds odd.
"""

import csv
import gzip
import io
import os
import stat
from collections import Counter
from functools import lru_cache
from typing import IO, Literal

from msgspec import Struct

from headway.errors import FileMissing, SystemRefused, TableUnreadable

_START = 1 << 18
"""So much of a file is read to know it."""

_SEPARATORS = ",\t;|"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_MAGIC = {b"PAR1": "parquet", b"ARROW1": "arrow"}
_ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}


class Head(Struct, frozen=True, kw_only=True):
    """What is known of a file: `names` of a CSV or an Arrow file.

    `delimiter` and `newline` are a CSV's; `[` stands for JSON in one list. `expands`: how many bytes in memory one of
    the file takes, about.
    """

    kind: Literal["csv", "parquet", "json", "arrow"]
    names: tuple[str, ...] = ()
    delimiter: str = ""
    newline: Literal["\\n", "\\r\\n", "\\r"] = "\\n"
    compression: Literal["none", "gzip", "zstd"] = "none"
    expands: int = 1
    row_bytes: int = 0


def kind_of(path: str) -> str | None:
    """`csv`, `parquet`, `json` or `arrow`, or None when the file's first bytes and name say that it is no table."""
    with _opened(path) as f:
        magic = f.read(6)
    for start, kind in _MAGIC.items():
        if magic.startswith(start):
            return kind
    stem, ending = os.path.splitext(path.lower())
    if ending in (".gz", ".zst"):
        ending = os.path.splitext(stem)[1]
    return _ENDINGS.get(ending)


def head_of(path: str) -> Head:
    """What the first bytes say. Raises FileMissing, SystemRefused, TableUnreadable."""
    with _opened(path) as f:
        status = os.fstat(f.fileno())
    return _head(path, status.st_size, status.st_mtime_ns)


# A file is asked for its head several times while it is opened; the sizes make sure that it is the same file.
@lru_cache(maxsize=4096)
def _head(path: str, _size: int, _mtime_ns: int) -> Head:
    kind = kind_of(path)
    if kind == "arrow":
        from headway.tables.arrow import names_of

        return Head(kind="arrow", names=names_of(path), expands=4)
    with _opened(path) as f:
        magic = f.read(6)
        if magic.startswith(b"PAR1"):
            return Head(kind="parquet", expands=6)
        if kind in ("parquet", "arrow"):
            raise _unreadable(f"the file is no {kind.capitalize()}: it does not begin like one", path)
        f.seek(0)
        compression, stream = _plain(f, magic)
        try:
            start = stream.read(_START)
        except (OSError, EOFError, ValueError) as e:
            raise _unreadable(f"the file cannot be decompressed: {e}", path) from e
    expands = 1 if compression == "none" else 8
    row_bytes = len(start) // max(start.count(b"\n"), 1)
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if kind == "json" or (kind is None and first == b"{"):
        return Head(
            kind="json",
            delimiter="[" if first == b"[" else "",
            compression=compression,
            expands=expands,
            row_bytes=row_bytes,
        )
    names, delimiter, newline = _columns(path, start)
    return Head(
        kind="csv",
        names=names,
        delimiter=delimiter,
        newline=newline,
        compression=compression,
        expands=expands,
        row_bytes=row_bytes,
    )


def _plain(f: IO[bytes], magic: bytes) -> tuple[Literal["none", "gzip", "zstd"], IO[bytes] | io.BufferedReader]:
    if magic.startswith(_GZIP):
        return "gzip", io.BufferedReader(gzip.GzipFile(fileobj=f))
    if magic.startswith(_ZSTD):
        from zstandard import ZstdDecompressor, ZstdError

        try:
            start = ZstdDecompressor().stream_reader(f).read(_START)
        except ZstdError as e:
            raise _unreadable(f"the file cannot be decompressed: {e}", str(f.name)) from e
        return "zstd", io.BytesIO(start)
    return "none", f


def _columns(path: str, start: bytes) -> tuple[tuple[str, ...], str, Literal["\\n", "\\r\\n", "\\r"]]:
    """The names in a CSV's first row, what stands between them, and how the row ends."""
    try:
        # The end may be cut in the middle of a sign.
        text = start.decode("utf-8-sig", errors="strict" if len(start) < _START else "ignore")
    except UnicodeDecodeError as e:
        line = start[: e.start].count(b"\n") + 1
        raise _unreadable("the file is not UTF-8", f"{path}:{line}") from e
    delimiter, newline = _form(text)
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error as e:
        raise _unreadable(f"the first row cannot be read: {e}", f"{path}:1") from e
    if not names:
        raise _unreadable("the file has no first row with the names of its columns", path)
    twice = sorted(name for name, n in Counter(names).items() if n > 1)
    if twice:
        raise _unreadable(f"several columns are named {', '.join(map(repr, twice))}", f"{path}:1")
    return tuple(names), delimiter, newline


def _form(text: str) -> tuple[str, Literal["\\n", "\\r\\n", "\\r"]]:
    """The separator that stands most often in the first row outside quotes (a comma when none does), and its end.

    DuckDB would take a line's end in quotes for a row's, and then reads no rows at all and says nothing.
    """
    counts = dict.fromkeys(_SEPARATORS, 0)
    is_quoted = False
    newline: Literal["\\n", "\\r\\n", "\\r"] = "\\n"
    for at, sign in enumerate(text):
        if sign == '"':
            is_quoted = not is_quoted
        elif is_quoted:
            continue
        elif sign == "\n":
            break
        elif sign == "\r":
            newline = "\\r\\n" if text[at + 1 : at + 2] == "\n" else "\\r"
            break
        elif sign in counts:
            counts[sign] += 1
    return max(counts, key=lambda sign: counts[sign]), newline


def _opened(path: str) -> IO[bytes]:
    try:
        # A table is read several times, which a pipe cannot be; and one that nobody writes to would be waited for.
        is_file = stat.S_ISREG(os.stat(path).st_mode)
        if not is_file and not os.path.isdir(path):
            raise TableUnreadable(
                "this is a pipe or a device, and no file", at=path, remedy="write it into a file first"
            )
        return open(path, "rb")
    except FileNotFoundError as e:
        raise FileMissing("there is no such table", at=path, remedy="check the path") from e
    except OSError as e:
        raise SystemRefused(f"a table cannot be opened: {e.strerror}", at=path, remedy="check the file") from e


def _unreadable(problem: str, at: str) -> TableUnreadable:
    return TableUnreadable(problem, at=at, remedy="mend the file, or bring it back from a version that is whole")
