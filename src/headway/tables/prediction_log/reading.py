"""The prediction log as tables: read by time or by request, with the labels that came.

Neighbours: `following` gives what is new since the last look, `files` has the folder.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from headway.core.prediction_log import Kind, LabelLine, Segment
from headway.tables.prediction_lines import INSTEAD_OF, SHADOW, STATUS, USUAL, common, marked
from headway.tables.prediction_log.files import listed, of_requests_in, whole

if TYPE_CHECKING:
    import polars as pl


class Found(Struct, frozen=True, kw_only=True):
    """A request found by its id: the version that answered it, its rows as a table, the labels that came for it."""

    model: str
    version: int
    at: float
    # polars.DataFrame, which is not imported before a table is read.
    rows: Any
    labels: tuple[LabelLine, ...] = ()


class Joined(Struct, frozen=True, kw_only=True):
    """Predictions with `label` and `label_at` (null where none came yet).

    `n_labelled` rows have one; `n_unknown` labels are of no prediction there (kept: it may have been left out by the
    share, or be older than `since`); `n_repeated` were replaced by one that came later for the same row.
    """

    # polars.DataFrame, as above.
    frame: Any
    n_labelled: int = 0
    n_unknown: int = 0
    n_repeated: int = 0


def scan(
    folder: str,
    kind: Kind = "predictions",
    *,
    since: float = 0.0,
    until: float = float("inf"),
    shadows: bool = False,
    failed: bool = False,
) -> "Iterator[pl.DataFrame]":
    """The log from `since` up to `until` (UTC seconds), a segment at a time, ordered by each one's first entry.

    Predictions are in order of `at`, labels of `received_at`. What a killed writer left twice is given once. Columns
    are those of each segment: a column may have another type in the next, or not be there. With `shadows` the answers
    that no client got are given, too, and `is_shadow` says which those are; with `failed` requests that got no answer,
    and `status` and `instead_of` say which those are, and why.
    """
    import polars as pl

    by = "at" if kind == "predictions" else "received_at"
    keys = ["request_id", "row", by, *(["version"] if kind == "predictions" else [])]
    recent: list[tuple[float, pl.DataFrame]] = []
    for first_at, read in _in_order(folder, kind, since, until):
        frame = read()
        if frame is not None and kind == "predictions":
            frame = _asked_for(frame, shadows=shadows, failed=failed)
        if frame is None or not frame.height:
            continue
        frame = frame.unique(subset=keys, keep="first", maintain_order=True)
        # The same entry has the same time in both files, so that only files whose times overlap can share one.
        recent = [(last_at, seen) for last_at, seen in recent if last_at >= first_at]
        for _, seen in recent:
            frame = frame.join(seen, on=keys, how="anti")
        if not frame.height:
            continue
        recent.append((_number(frame[by].max()), frame.select(keys)))
        frame = frame.filter((pl.col(by) >= since) & (pl.col(by) < until)).sort(by, maintain_order=True)
        if frame.height:
            yield frame


def read(
    folder: str,
    kind: Kind = "predictions",
    *,
    since: float = 0.0,
    until: float = float("inf"),
    shadows: bool = False,
    failed: bool = False,
) -> "pl.DataFrame":
    """All of `scan` in one table, in order of time: columns that a segment lacks are null there.

    A column of numbers in one segment and of texts in another is one of texts.
    """
    import polars as pl

    frames = list(scan(folder, kind, since=since, until=until, shadows=shadows, failed=failed))
    if not frames:
        names = {"request_id": pl.String, "row": pl.Int64, "at": pl.Float64}
        return pl.DataFrame(schema=names | ({} if kind == "predictions" else {"received_at": pl.Float64}))
    kinds: dict[str, pl.DataType] = {}
    for frame in frames:
        for name, dtype in frame.schema.items():
            kinds[name] = common(kinds.get(name, pl.Null()), dtype)
    alike = [frame.cast({n: kinds[n] for n in frame.columns if frame.schema[n] != kinds[n]}) for frame in frames]
    by = "at" if kind == "predictions" else "received_at"
    return pl.concat(alike, how="diagonal").sort(by, maintain_order=True)


def joined(folder: str, *, since: float = 0.0, until: float = float("inf")) -> Joined:
    """Predictions of a time with the labels that came for them until now: of several for one row the last to come."""
    import polars as pl

    frame = read(folder, since=since, until=until)
    labels = read(folder, "labels", since=since)
    if not labels.height:
        missing = [pl.lit(None, pl.Float64).alias("label"), pl.lit(None, pl.Float64).alias("label_at")]
        return Joined(frame=frame.with_columns(missing))
    last = labels.unique(subset=["request_id", "row"], keep="last", maintain_order=True)
    last = last.select("request_id", "row", "label", pl.col("at").alias("label_at"))
    n_unknown = last.join(frame.select("request_id", "row"), on=["request_id", "row"], how="anti").height
    both = frame.join(last, on=["request_id", "row"], how="left")
    return Joined(
        frame=both,
        n_labelled=both.height - both["label_at"].null_count(),
        n_unknown=n_unknown,
        n_repeated=labels.height - last.height,
    )


def find(folder: str, request_id: str) -> Found | None:
    """The newest request of that id, with its labels; None when the log has none. Reads back until it is found."""
    import polars as pl

    for one in reversed(listed(folder, "predictions")):
        rows = _of(os.path.join(folder, one.name), one, request_id)
        rows = None if rows is None else _asked_for(rows)
        if rows is not None and rows.height:
            rows = rows.filter(pl.col("at") == rows["at"].max()).unique(subset="row", maintain_order=True)
            first = rows.row(0, named=True)
            kept = [name for name in rows.columns if rows[name].null_count() < rows.height]
            return Found(
                model=first["model"],
                version=first["version"],
                at=first["at"],
                rows=rows.select(kept),
                labels=_labels_of(folder, request_id),
            )
    return None


def _labels_of(folder: str, request_id: str) -> tuple[LabelLine, ...]:
    found: list[LabelLine] = []
    for one in listed(folder, "labels"):
        rows = _of(os.path.join(folder, one.name), one, request_id)
        if rows is not None:
            found += (LabelLine(**row) for row in rows.to_dicts())
    return tuple(sorted(set(found), key=lambda label: (label.row, label.received_at)))


def _asked_for(frame: "pl.DataFrame", *, shadows: bool = False, failed: bool = False) -> "pl.DataFrame":
    """Without what only a shadow said, and what was no answer, unless they are asked for."""
    import polars as pl

    wanted = {SHADOW} if shadows else set()
    if failed:
        wanted |= {STATUS, INSTEAD_OF}
    # Whoever answered instead of another version gave a client its answer.
    for name in (SHADOW, STATUS):
        if name in frame.columns and name not in wanted:
            frame = frame.filter(pl.col(name) == USUAL[name])
    return marked(frame.drop(USUAL.keys() - wanted, strict=False), wanted)


# --- files ------------------------------------------------------------------------------------------------------


def _in_order(folder: str, kind: Kind, since: float, until: float) -> "Iterator[tuple[float, _Reader]]":
    """Each file's first time and how it is read, by that time. Open ones are read now: only they do not say it."""
    ordered: list[tuple[float, str, _Reader]] = []
    for one in listed(folder, kind):
        reader = _Reader(folder, one)
        if one.is_open:
            frame = reader()
            if frame is not None and frame.height:
                first_at = _number(frame["at" if kind == "predictions" else "received_at"].min())
                ordered.append((first_at, one.name, reader))
        elif one.last_at >= since and one.first_at < until:
            ordered.append((one.first_at, one.name, reader))
    yield from ((first_at, reader) for first_at, _, reader in sorted(ordered, key=lambda item: item[:2]))


class _Reader:
    """Reads a file once it is called; an open one once and for all, since it may be sealed and gone the next time."""

    __slots__ = ("_folder", "_frame", "_segment")

    def __init__(self, folder: str, one: Segment) -> None:
        self._folder = folder
        self._segment = one
        self._frame: pl.DataFrame | None = None

    def __call__(self) -> "pl.DataFrame | None":
        if self._frame is None:
            self._frame = whole(self._folder, self._segment)
        frame, self._frame = self._frame, self._frame if self._segment.is_open else None
        return frame


def _of(path: str, one: Segment, request_id: str) -> "pl.DataFrame | None":
    """The rows of one request in one file."""
    import polars as pl

    if not one.is_open:
        try:
            return of_requests_in(path, (request_id,))
        except FileNotFoundError:
            return None
    frame = whole(os.path.dirname(path), one)
    return None if frame is None else frame.filter(pl.col("request_id") == request_id)


# Any: what Polars says of the type of an extreme.
def _number(value: Any) -> float:  # noqa: ANN401 (as above)
    return float(value)
