"""Labels that came, held against those of the prediction log: what is news, and where it is put.

What is put there is a segment like those that a server's own files become, whole or not at all. Neighbours: `labels`
reads files of them, `prediction_log` reads what was put. Knows no endpoint and no log of facts.
"""

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from headway.core.prediction_log import sealed_name
from headway.errors import DiskFull, SystemRefused
from headway.tables import prediction_log
from headway.tables.labels import Read
from headway.tables.prediction_lines import common
from headway.tables.prediction_log.files import listed, whole

if TYPE_CHECKING:
    import polars as pl

_KEY = ["request_id", "row"]

_HALF = ".adding"
"""Behind the name of a segment that is not whole."""

_NEW, _CORRECTED, _CONFIRMED, _KNOWN, _OLDER = range(5)


class Counts(Struct, frozen=True, kw_only=True):
    """What became of the labels of one file: of rows that had none, of rows that had another, known, or too old."""

    n_new: int = 0
    n_corrected: int = 0
    n_known: int = 0
    n_older: int = 0


class News(Struct, frozen=True, kw_only=True, eq=False):
    """What is to be put into the log, and of each file what became of its labels.

    What was known of the rows in `frame` came `after` at the latest (UTC seconds).
    """

    # polars.DataFrame, which is not imported before a table is read.
    frame: Any
    counts: tuple[Counts, ...]
    after: float = 0.0


def news(folder: str, files: Sequence[Read]) -> News:
    """Which labels of these files say something new, given those of the prediction log in `folder`.

    A label is known when the newest word on its row says the same, as late as this or later, or when just this was said
    before; one that is older than that word is passed over, so that files may come in any order. Where a file has no
    times, a label that was ever said of its row is known: it may be an old one in a file that grew, which must undo
    no correction. Of what several of these files say of a row, the latest counts. The log is read once for all of them.
    """
    import polars as pl

    said, n_older = _together(files)
    frame = said.join(_before(folder, said), on=_KEY, how="left", maintain_order="left")
    told = frame.with_columns(_verdict().alias("verdict"))
    is_news = pl.col("verdict").is_in([_NEW, _CORRECTED, _CONFIRMED])
    fresh = told.filter(is_news)
    return News(
        frame=fresh.select("request_id", "row", "label", "at"),
        counts=_counted(told, n_older),
        after=max(fresh["received_at"].drop_nulls().to_list(), default=0.0),
    )


def _together(files: Sequence[Read]) -> "tuple[pl.DataFrame, list[int]]":
    """The labels of all files in one table, each row once, and how many of each file another one overruled."""
    import polars as pl

    kinds: pl.DataType = pl.Null()
    for one in files:
        # A column without a label is of any type.
        kinds = common(kinds, one.frame["label"].dtype if one.frame.height else pl.Null())
    frames = [
        one.frame.with_columns(
            _same(one.frame).alias("same"),
            pl.col("label").cast(kinds),
            pl.lit(n, pl.Int64).alias("file"),
            pl.lit(one.is_timed, pl.Boolean).alias("is_timed"),
        )
        for n, one in enumerate(files)
    ]
    every = pl.concat(frames)
    last = every.sort("at", maintain_order=True).unique(subset=_KEY, keep="last", maintain_order=True)
    left = dict(last.group_by("file").len().rows())
    return last, [one.frame.height - left.get(n, 0) for n, one in enumerate(files)]


def _before(folder: str, said: "pl.DataFrame") -> "pl.DataFrame":
    """Of each of these rows of which the log says something: the newest word on it, and whether just this was said."""
    import polars as pl

    found = [
        one.select(*_KEY, "at", "received_at", _same(one).alias("same")).join(said, on=_KEY, how="semi")
        for one in prediction_log.scan(folder, "labels")
    ]
    if not found:
        kinds = {"was": pl.String, "was_at": pl.Float64, "received_at": pl.Float64, "is_again": pl.Boolean}
        return said.select(_KEY).clear().with_columns(pl.lit(None, dtype).alias(name) for name, dtype in kinds.items())
    lines = pl.concat(found).sort("received_at", maintain_order=True)
    newest = lines.unique(subset=_KEY, keep="last").select(
        *_KEY, pl.col("same").alias("was"), pl.col("at").alias("was_at"), "received_at"
    )
    timed, untimed = said.filter(pl.col("is_timed")), said.filter(~pl.col("is_timed"))
    again = pl.concat(
        [
            timed.join(lines, on=[*_KEY, "same", "at"], how="semi").select(_KEY),
            untimed.join(lines, on=[*_KEY, "same"], how="semi").select(_KEY),
        ]
    )
    return newest.join(again.with_columns(is_again=True), on=_KEY, how="left")


def _verdict() -> "pl.Expr":
    """What a label is beside the newest word on its row, as one of the numbers above."""
    import polars as pl

    is_same, is_older = pl.col("was") == pl.col("same"), pl.col("at") < pl.col("was_at")
    # That it was still so at a later time is written down where a file has times: what another file says of the time
    # between is older then.
    is_late = pl.col("is_timed") & (pl.col("at") > pl.col("was_at"))
    is_known = pl.col("is_again").fill_null(value=False) | (is_same & ~is_late)
    return (
        pl.when(pl.col("was_at").is_null())
        .then(_NEW)
        .when(is_known)
        .then(_KNOWN)
        .when(is_older)
        .then(_OLDER)
        .when(is_same)
        .then(_CONFIRMED)
        .otherwise(_CORRECTED)
    )


def _counted(told: "pl.DataFrame", n_older: Sequence[int]) -> tuple[Counts, ...]:
    found = {(file, verdict): n for file, verdict, n in told.group_by("file", "verdict").len().rows()}
    return tuple(
        Counts(
            n_new=found.get((file, _NEW), 0),
            n_corrected=found.get((file, _CORRECTED), 0),
            n_known=found.get((file, _KNOWN), 0) + found.get((file, _CONFIRMED), 0),
            n_older=found.get((file, _OLDER), 0) + older,
        )
        for file, older in enumerate(n_older)
    )


def _same(frame: "pl.DataFrame") -> "pl.Expr":
    """The label as a text that is the same for what means the same: `1`, `1.0` and `"1"` are one."""
    import polars as pl

    column = pl.col("label")
    if frame["label"].dtype != pl.String:
        return column.cast(pl.Float64).cast(pl.String)
    number = column.cast(pl.Float64, strict=False)
    return pl.when(number.is_not_null()).then(number.cast(pl.String)).otherwise(column)


def n_unasked(folder: str, said: Read) -> int:
    """How many of them are of requests that the prediction log does not have. Reads back until all are found."""
    import polars as pl

    left = said.frame.select("request_id").unique()
    for one in reversed(listed(folder, "predictions")):
        if not left.height:
            break
        if one.is_open:
            there = whole(folder, one)
        else:
            try:
                there = pl.read_parquet(os.path.join(folder, one.name), columns=["request_id"])
            except FileNotFoundError:
                there = None
        if there is not None:
            left = left.join(there, on="request_id", how="anti")
    return int(said.frame.join(left, on="request_id", how="semi").height)


def put(folder: str, found: News, *, received_at: float) -> str | None:
    """Write them into the prediction log as one segment, whole or not at all; its path, None when there are none.

    `received_at` is now, in UTC seconds. Readers let the last to come count: by a clock that was set back a correction
    must not have come before what it corrects. Nobody else may put labels there meanwhile: what somebody who was killed
    left half done is removed. Raises DiskFull, SystemRefused.
    """
    import polars as pl

    if not found.frame.height:
        return None
    received_at = max(received_at, found.after + 0.001)
    frame = found.frame.with_columns(pl.lit(received_at, pl.Float64).alias("received_at"))
    name = sealed_name("labels", os.urandom(8).hex(), first_at=received_at, last_at=received_at, version=0)
    path = os.path.join(folder, name)
    made = path + _HALF
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        _clear(folder)
        with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
            frame.write_parquet(f, compression="zstd", compression_level=3)
            f.flush()
            os.fsync(f.fileno())
        os.rename(made, path)
    except OSError as e:
        if os.path.exists(made):
            os.unlink(made)
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("no space is left for labels", at=folder, remedy="free some, then add them again") from e
        raise SystemRefused(f"labels cannot be written: {e.strerror or e}", at=folder, remedy="check the folder") from e
    return path


def _clear(folder: str) -> None:
    for name in os.listdir(folder):
        if name.endswith(_HALF):
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name))
