"""The files of sketches, beside the segments that they are of, and of layouts: written once, whole or not at all.

Whatever is wrong with such a file, it is made again from the rows of its segment. docs/formats/predictions.md has the
bytes. Neighbour: `reading` says which files count.
"""

import contextlib
import os

import msgspec
from msgspec import Struct

from headway.codec.wire import digest_of
from headway.core.prediction_log import Segment, segment, sketch_name
from headway.core.reference import Layout, layout_id, layout_name
from headway.core.sketch import N_CELLS, Sketch
from headway.tables.sketches.batches import columns_of
from headway.tables.sketches.counter import Counter
from headway.tables.sketches.edges import Edge, Ends, Entry, key

MAGIC = b"headway-sketch-1\n"

_PIECE_ROWS = 262_144
"""Rows of a segment that are read at a time."""


class Counted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a file of the log holds, counted on a layout; `head` and `tail` are the entries at its ends."""

    layout: str
    n_entries: int
    cells: tuple[Sketch, ...]
    head: Edge = Edge()
    tail: Edge = Edge()


def write_layout(folder: str, layout: Layout) -> None:
    """Put a layout where whoever seals finds it; nothing is done when it is there. Raises OSError."""
    path = os.path.join(folder, layout_name(layout.version))
    content = msgspec.json.format(msgspec.json.encode(layout, order="deterministic"), indent=2) + b"\n"
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as f:
        if f.read() == content:
            return
    os.makedirs(folder, mode=0o700, exist_ok=True)
    _write(path, content)


def read_layout(folder: str, version: int) -> Layout | None:
    """The layout that a version's predictions are counted on; None when there is none, or none that can be read."""
    try:
        with open(os.path.join(folder, layout_name(version)), "rb") as f:
            return msgspec.json.decode(f.read(), type=Layout)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None


def sketch(path: str) -> None:
    """Write the sketches of a segment beside it, where its version has a layout; what seals a segment calls this.

    Killed anywhere, whoever reads makes them. Raises OSError, and what Polars does for a damaged segment.
    """
    folder, name = os.path.split(path)
    one = segment(name)
    if one is None or one.is_open or one.kind != "predictions":
        return
    layout = read_layout(folder, one.version)
    if layout is not None:
        write(folder, one, count(path, layout))


def count(path: str, layout: Layout, without: frozenset[bytes] = frozenset()) -> Counted:
    """Count the rows of a segment, but for entries that count elsewhere: their keys (see `edges`).

    Raises FileNotFoundError, and what Polars does for a damaged file.
    """
    import polars as pl

    wanted = columns_of(layout)
    scan = pl.scan_parquet(path)
    names = scan.collect_schema().names()
    scan = scan.select([name for name in wanted if name in names])
    counter, ends = Counter(layout), Ends()
    gone: list[Entry] = []
    begins = 0
    while True:
        frame = scan.slice(begins, _PIECE_ROWS).collect()
        begins += frame.height
        is_last = frame.height < _PIECE_ROWS
        firsts = frame.filter(pl.col("row") == 0)
        entries = list(zip(firsts["request_id"].to_list(), firsts["at"].to_list(), strict=True))
        ends.add(entries)
        gone += [entry for entry in entries if key(*entry) in without] if without else []
        if gone:
            others = pl.DataFrame(gone, schema={"request_id": pl.String, "at": pl.Float64}, orient="row")
            frame = frame.join(others, on=["request_id", "at"], how="anti", maintain_order="left")
        counter.add_frame(frame)
        if is_last:
            break
    return Counted(
        layout=layout_id(layout),
        n_entries=ends.n_entries,
        cells=tuple(counter.cells()),
        head=ends.head,
        tail=ends.tail,
    )


def write(folder: str, one: Segment, counted: Counted) -> None:
    """Keep what was counted beside its segment, unless that was deleted meanwhile. Raises OSError."""
    from zstandard import ZstdCompressor

    path = os.path.join(folder, sketch_name(one.name))
    body = ZstdCompressor(level=3).compress(msgspec.msgpack.encode(counted))
    _write(path, MAGIC + digest_of(body).encode() + b"\n" + body)
    if not os.path.exists(os.path.join(folder, one.name)):
        # It was too old; nobody looks for what is left of it.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def read(folder: str, one: Segment, layout: Layout, layout_digest: str) -> Counted | None:
    """What is kept beside a segment; None when there is nothing, of another layout, or damaged."""
    from zstandard import ZstdDecompressor, ZstdError

    try:
        with open(os.path.join(folder, sketch_name(one.name)), "rb") as f:
            content = f.read()
    except OSError:
        return None
    head, body = content[: len(MAGIC) + _DIGITS + 1], content[len(MAGIC) + _DIGITS + 1 :]
    if head != MAGIC + digest_of(body).encode() + b"\n":
        return None
    try:
        counted = msgspec.msgpack.decode(ZstdDecompressor().decompress(body), type=Counted)
    except (ZstdError, msgspec.MsgspecError):
        return None
    n_bytes = 4 * N_CELLS * len(layout.axes)
    is_whole = all(len(cell.counts) == n_bytes for cell in counted.cells)
    return counted if counted.layout == layout_digest and is_whole else None


_DIGITS = 64


def _write(path: str, content: bytes) -> None:
    made = f"{path}.{os.getpid()}"
    try:
        with open(made, "wb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        os.rename(made, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(made)
        raise
