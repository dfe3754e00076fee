"""Files of a prediction log read from a place on, as lines; of a segment its rows are put together to requests again.

Neighbour: `following` says which piece is read next. Does not know what was told before.
"""

import math
import os
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
from msgspec import Struct

from headway.core.prediction_log import OK, Kind, LabelLine, Line, Place, Segment
from headway.tables.prediction_lines import (
    DAMAGED,
    DECODE,
    FEATURE,
    INSTEAD_OF,
    OUTPUT,
    PREDICTION,
    PROBABILITY,
    SHADOW,
    STATUS,
    USUAL,
)
from headway.tables.prediction_log.files import of_requests_in

if TYPE_CHECKING:
    import polars as pl

PIECE_BYTES = 2**20
PIECE_ROWS = 5_000
"""What is read of a file at a time."""

BACK_BYTES = 2**16
"""What is read at a time backwards."""

DISORDER_S = 5.0
"""How much earlier than those before it an entry of a file may be: a client may be slow to take its answer."""

Entry = Line | LabelLine
Key = tuple[str, float, int]
"""What makes an entry one: request, time, and version (of a label: row)."""


class Gone(Exception):
    """A file is not there any more: it was sealed or deleted since it was listed."""


class Piece(Struct, frozen=True, kw_only=True):
    """Entries behind a place, the place behind them, how many bytes they took, and whether there is no more now."""

    entries: Sequence[Entry]
    place: Place
    n_bytes: int
    is_end: bool


class _KeyOnly(Struct):
    """What is read of a line when only its key is asked for."""

    request_id: str
    at: float = 0.0
    version: int = 0
    row: int = 0
    received_at: float | None = None

    @property
    def key(self) -> Key:
        if self.received_at is None:
            return self.request_id, self.at, self.version
        return self.request_id, self.received_at, self.row


_keys = msgspec.json.Decoder(_KeyOnly)


def key(entry: Entry) -> Key:
    """What makes it one with another."""
    if isinstance(entry, Line):
        return entry.request_id, entry.at, entry.version
    return entry.request_id, entry.received_at, entry.row


def piece(folder: str, one: Segment, place: Place) -> Piece:
    """The next entries of a file. Raises Gone."""
    entries: Sequence[Entry]
    if one.is_open:
        entries, n_bytes, is_end = _lines_behind(_path(folder, one), one.kind, place.n_bytes)
        place = msgspec.structs.replace(place, n_bytes=place.n_bytes + n_bytes)
    else:
        entries, is_end = _requests_behind(_path(folder, one), one.kind, place.n_rows)
        n_bytes = 200 * sum(_n_rows(entry) for entry in entries)
        place = msgspec.structs.replace(place, is_done=is_end)
    if entries:
        times = [key(entry)[1] for entry in entries]
        first_at = min(times) if not place.n_rows else min(place.first_at, *times)
        version = entries[0].version if isinstance(entries[0], Line) else 0
        place = msgspec.structs.replace(
            place,
            n_rows=place.n_rows + sum(map(_n_rows, entries)),
            version=version,
            first_at=first_at,
            last_at=max(place.last_at, *times),
        )
    return Piece(entries=entries, place=place, n_bytes=n_bytes, is_end=is_end)


def first_of(folder: str, one: Segment) -> float:
    """When the first entry of an open file was; infinite when it has none yet. Raises Gone."""
    with _opened(_path(folder, one)) as f:
        for line in f:
            if line.endswith(b"\n"):
                try:
                    return _keys.decode(line).key[1]
                except DAMAGED:
                    continue
    return math.inf


def keys_between(folder: str, one: Segment, place: Place, first_at: float, last_at: float) -> set[Key]:
    """The entries of a time among those of a file before a place. Raises Gone."""
    path = _path(folder, one)
    if not one.is_open:
        return _keys_of_segment(path, one.kind, place.n_rows, first_at, last_at)
    found: set[Key] = set()
    with _opened(path) as f:
        for block in _blocks_before(f, place.n_bytes):
            newest = -math.inf
            for line in block.split(b"\n"):
                try:
                    own = _keys.decode(line).key
                except DAMAGED:
                    continue
                newest = max(newest, own[1])
                if first_at <= own[1] <= last_at:
                    found.add(own)
            if -math.inf < newest < first_at - DISORDER_S:
                break
    return found


def entries_of(folder: str, one: Segment, ids: Collection[str]) -> Iterator[Line]:
    """The lines of these requests in a file. Raises Gone."""
    path = _path(folder, one)
    if not one.is_open:
        try:
            frame = of_requests_in(path, ids)
        except FileNotFoundError as e:
            raise Gone from e
        yield from () if frame is None else _as_lines(frame)
        return
    decode = DECODE[one.kind]
    with _opened(path) as f:
        for line in f:
            try:
                if line.endswith(b"\n") and _keys.decode(line).request_id in ids:
                    yield decode(line)
            except DAMAGED:
                continue


# --- open files -------------------------------------------------------------------------------------------------


def _path(folder: str, one: Segment) -> str:
    return os.path.join(folder, one.name)


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except FileNotFoundError as e:
        raise Gone from e


def _lines_behind(path: str, kind: Kind, begins: int) -> tuple[list[Entry], int, bool]:
    """The whole lines behind a byte, how many bytes they are, and whether there was nothing more."""
    decode = DECODE[kind]
    entries: list[Entry] = []
    with _opened(path) as f:
        f.seek(begins)
        raw = f.read(PIECE_BYTES)
        is_end = len(raw) < PIECE_BYTES
        # A line may be longer than a piece.
        while not is_end and b"\n" not in raw:
            more = f.read(len(raw))
            is_end = len(more) < len(raw)
            raw += more
    whole = raw[: raw.rfind(b"\n") + 1]
    for line in whole.split(b"\n")[:-1]:
        try:
            entries.append(decode(line))
        except DAMAGED:
            # Whoever seals the file keeps it beside.
            continue
    return entries, len(whole), is_end


def _blocks_before(f: BinaryIO, end: int) -> Iterator[bytes]:
    """Whole lines of the first `end` bytes, the last ones first."""
    rest = b""
    while end:
        begins = max(0, end - BACK_BYTES)
        f.seek(begins)
        block = f.read(end - begins) + rest
        # The first line of it may have begun before.
        cut = block.find(b"\n") + 1 if begins else 0
        rest = block[:cut] if cut else b"" if not begins else block
        if cut or not begins:
            yield block[cut:]
        end = begins


# --- segments ---------------------------------------------------------------------------------------------------


def _n_rows(entry: Entry) -> int:
    return entry.n_rows if isinstance(entry, Line) else 1


def _requests_behind(path: str, kind: Kind, begins: int) -> tuple[Sequence[Entry], bool]:
    """The whole requests behind a row, and whether there was nothing more."""
    import polars as pl

    n_rows = PIECE_ROWS
    while True:
        try:
            frame = pl.scan_parquet(path).slice(begins, n_rows).collect()
        except FileNotFoundError as e:
            raise Gone from e
        is_end = frame.height < n_rows
        if kind == "labels":
            return [LabelLine(**row) for row in frame.to_dicts()], is_end
        if is_end:
            return _as_lines(frame), True
        # The last request may go on.
        starts = frame["row"].eq(0).arg_true()
        if len(starts) > 1:
            return _as_lines(frame.head(starts[-1])), False
        n_rows *= 4


def _keys_of_segment(path: str, kind: Kind, n_rows: int, first_at: float, last_at: float) -> set[Key]:
    import polars as pl

    names = ("request_id", "at", "version") if kind == "predictions" else ("request_id", "received_at", "row")
    try:
        frame = pl.scan_parquet(path).select(names).head(n_rows)
        return set(frame.filter(pl.col(names[1]).is_between(first_at, last_at)).unique().collect().iter_rows())
    except FileNotFoundError as e:
        raise Gone from e


def _as_lines(frame: "pl.DataFrame") -> list[Line]:
    """The requests whose rows these are: one after the other, each from its row 0 on."""
    height, columns = frame.height, frame.columns
    features = [(name.removeprefix(FEATURE), frame[name].to_list()) for name in columns if name.startswith(FEATURE)]
    chances = [
        (name.removeprefix(PROBABILITY), frame[name].to_list()) for name in columns if name.startswith(PROBABILITY)
    ]
    outputs = [(name.removeprefix(OUTPUT), frame[name].to_list()) for name in columns if name.startswith(OUTPUT)]
    told = _predictions(frame)
    heads = [frame[name].to_list() for name in ("request_id", "at", "ms", "model", "version")]
    marks = {name: frame[name].to_list() if name in columns else [usual] * height for name, usual in USUAL.items()}
    starts = frame["row"].eq(0).arg_true().to_list()
    lines = []
    for begins, ends in zip(starts, [*starts[1:], height][: len(starts)], strict=True):
        request_id, at, ms, model, version = (column[begins] for column in heads)
        here = range(begins, ends)
        rows = [{name: values[i] for name, values in features if values[i] is not None} for i in here]
        status = marks[STATUS][begins]
        is_failed = status != OK
        has_chances = bool(chances) and any(values[begins] is not None for _, values in chances)
        lines.append(
            Line(
                request_id=request_id,
                at=at,
                ms=ms,
                model=model,
                version=version,
                # What could not be read has a row without anything in a table.
                rows=[] if is_failed and rows == [{}] else rows,
                predictions=[] if is_failed else [told[i] for i in here],
                classes=[name for name, _ in chances] if has_chances else [],
                probabilities=[[values[i] for _, values in chances] for i in here] if has_chances else [],
                outputs={
                    name: [values[i] for i in here]
                    for name, values in outputs
                    if any(values[i] is not None for i in here)
                },
                is_shadow=marks[SHADOW][begins],
                status=status,
                instead_of=marks[INSTEAD_OF][begins],
            )
        )
    return lines


# Any: what models say.
def _predictions(frame: "pl.DataFrame") -> list[Any]:
    """The answer to each row: one value, or a list of a model with several outputs."""
    plain = frame[PREDICTION].to_list() if PREDICTION in frame.columns else [None] * frame.height
    several = [frame[name].to_list() for name in frame.columns if name.startswith(f"{PREDICTION}.")]
    if not several:
        return plain
    lists = [list(values) for values in zip(*several, strict=True)]
    return [
        one if one is not None or all(v is None for v in many) else many for one, many in zip(plain, lists, strict=True)
    ]
