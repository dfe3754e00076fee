"""The files of a prediction log: which there are, each as a table, and how an open one is sealed.

Neighbour: `prediction_lines` makes tables of lines. Does not know what is asked of them.
"""

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from headway.core.prediction_log import Kind, Segment, sealed_name, segment, segments
from headway.tables.prediction_lines import table

if TYPE_CHECKING:
    import polars as pl


def listed(folder: str, kind: Kind) -> list[Segment]:
    """The files of a kind in order of time, open ones last; none when there is no such folder."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [one for one in segments(names) if one.kind == kind]


def whole(folder: str, one: Segment) -> "pl.DataFrame | None":
    """All of a file; None when it is gone: deleted because it was too old."""
    import polars as pl

    path = os.path.join(folder, one.name)
    try:
        if not one.is_open:
            return pl.read_parquet(path)
        return table(path, one.kind)[0]
    except FileNotFoundError:
        sealed = [other for other in listed(folder, one.kind) if other.token == one.token and not other.is_open]
        return whole(folder, sealed[0]) if one.is_open and sealed else None


def of_requests_in(path: str, ids: Collection[str]) -> "pl.DataFrame | None":
    """The rows of these requests in a segment; None when it has none of them. Raises FileNotFoundError."""
    import polars as pl

    wanted = pl.Series(list(ids), dtype=pl.String)
    # By far the most segments have none, and this column alone says so in a fraction of the time.
    is_there = pl.read_parquet(path, columns=["request_id"])["request_id"].is_in(wanted).any()
    return pl.scan_parquet(path).filter(pl.col("request_id").is_in(wanted)).collect() if is_there else None


def seal(path: str) -> str | None:
    """Make a segment of an open file that nobody writes to any more; its path, None when there was nothing in it.

    Killed anywhere, doing it again does the rest. Lines that cannot be read are kept beside it, in `….damaged`.
    Raises OSError.
    """
    folder, name = os.path.split(path)
    one = segment(name)
    assert one is not None
    try:
        frame, damaged = table(path, one.kind)
    except FileNotFoundError:
        return None
    if damaged:
        with open(path.removesuffix(".jsonl") + ".damaged", "ab") as f:
            f.write(b"".join(damaged))
    sealed = None
    if frame is not None:
        times = frame["at" if one.kind == "predictions" else "received_at"]
        ends = (_number(times.min()), _number(times.max()))
        version = frame["version"][-1] if one.kind == "predictions" else 0
        sealed = os.path.join(
            folder, sealed_name(one.kind, one.token, first_at=ends[0], last_at=ends[1], version=version)
        )
        made = f"{sealed}.{os.getpid()}"
        with open(made, "wb") as f:
            frame.write_parquet(f, compression="zstd", compression_level=3)
            f.flush()
            os.fsync(f.fileno())
        os.rename(made, sealed)
    try:
        os.unlink(path)
    except FileNotFoundError:
        # Two writers took over the same file: both made the same segment of it.
        return sealed
    return sealed


# Any: what Polars says of the type of an extreme.
def _number(value: Any) -> float:  # noqa: ANN401 (as above)
    return float(value)
