"""Open files of the prediction log as tables: their lines, and the columns that these become.

A file is read in pieces: as Python's objects rows take some ten times the room that they take as a table, and whoever
seals a file must not need it all at once. Neighbour: `prediction_log` has the folder, and what is asked of it.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from headway.core.prediction_log import Kind, LabelLine, Line

if TYPE_CHECKING:
    import polars as pl

FEATURE = "feature."
PREDICTION = "prediction"
SHADOW = "is_shadow"
PROBABILITY = "probability."
OUTPUT = "output."

PIECE_BYTES = 4 * 2**20
"""What is read at a time: some 15,000 rows of 30 numbers, which take 50 MB until they are a table."""

_INT64 = 2**63


def table(path: str, kind: Kind) -> "tuple[pl.DataFrame | None, list[bytes]]":
    """All rows of an open file, and the lines of it that are damaged: a power failure, not a kill, can leave such.

    None when it has no row. Raises OSError.
    """
    frames, damaged = [], []
    for good, bad in _pieces(path, kind):
        damaged += bad
        if good:
            frames.append(_frame(good, kind))
    if len(frames) < 2:
        return (frames[0] if frames else None), damaged
    whole = _joined(frames)
    if whole is None:
        # A column of numbers here and of texts there: all of it at once, so that each value is written as it came.
        whole = _frame([line for good, _ in _pieces(path, kind) for line in good], kind)
    return whole, damaged


def _joined(frames: "list[pl.DataFrame]") -> "pl.DataFrame | None":
    """The pieces as one table; None when they do not have the same columns."""
    import polars as pl

    if any(SHADOW in frame.columns for frame in frames):
        frames = [shadowed(frame) for frame in frames]
    columns = frames[0].columns
    kinds: dict[str, pl.DataType] = {}
    for frame in frames:
        if sorted(frame.columns) != sorted(columns):
            return None
        for name, dtype in frame.schema.items():
            kinds[name] = common(kinds.get(name, pl.Null()), dtype)
    texts = {name for name, kind in kinds.items() if kind == pl.String()}
    fit = (pl.String(), pl.Null())
    if any(dtype not in fit for frame in frames for name, dtype in frame.schema.items() if name in texts):
        return None
    return pl.concat([frame.select(pl.col(name).cast(kinds[name]) for name in columns) for frame in frames])


def shadowed(frame: "pl.DataFrame") -> "pl.DataFrame":
    """With a column that says of each row whether only a shadow said it."""
    import polars as pl

    return frame if SHADOW in frame.columns else frame.with_columns(pl.lit(value=False).alias(SHADOW))


def common(one: "pl.DataType", other: "pl.DataType") -> "pl.DataType":
    """The type of a column that is `one` in one table and `other` in the next: texts when nothing else fits both."""
    import polars as pl

    if other in (one, pl.Null()):
        return one
    if one == pl.Null():
        return other
    if {one, other} == {pl.Int64(), pl.Float64()}:
        return pl.Float64()
    return pl.String()


# Any: lines of either kind.
def _pieces(path: str, kind: Kind) -> Iterator[tuple[list[Any], list[bytes]]]:
    """The lines of an open file, and those that are damaged, a piece at a time."""
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Line if kind == "predictions" else LabelLine)
    with open(path, "rb") as f:
        while raw := f.readlines(PIECE_BYTES):
            good, damaged = [], []
            for line in raw:
                # What stands behind the last newline is being written, or was when the writer was killed.
                if not line.endswith(b"\n"):
                    continue
                try:
                    good.append(decoder.decode(line))
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    damaged.append(line)
            yield good, damaged


def _frame(lines: Sequence[Any], kind: Kind) -> "pl.DataFrame":
    import polars as pl

    if kind == "labels":
        names = LabelLine.__struct_fields__
        return pl.DataFrame([_series(name, [getattr(line, name) for line in lines]) for name in names])
    columns: dict[str, list[Any]] = {}
    n_rows = [max(len(line.rows), len(line.predictions)) for line in lines]
    # Most logs know no shadow; their files need no column that says so.
    has_shadow = any(line.is_shadow for line in lines)
    for name in ("request_id", "at", "ms", "model", "version", *([SHADOW] if has_shadow else [])):
        values = (getattr(line, name) for line in lines)
        columns[name] = [value for value, n in zip(values, n_rows, strict=True) for _ in range(n)]
    columns["row"] = [i for n in n_rows for i in range(n)]
    cells = [_cells(line, n) for line, n in zip(lines, n_rows, strict=True)]
    flat = [row for rows in cells for row in rows]
    seen = dict.fromkeys(name for row in flat for name in row)
    columns |= {name: [row.get(name) for row in flat] for name in seen}
    order = ["request_id", "row", *(name for name in columns if name not in ("request_id", "row"))]
    return pl.DataFrame([_series(name, columns[name]) for name in order])


# Any: cells are what JSON has.
def _cells(line: Line, n_rows: int) -> list[dict[str, Any]]:
    """Each row's features and outputs under the names of their columns."""
    rows: list[dict[str, Any]] = [{} for _ in range(n_rows)]
    for row, features in zip(rows, line.rows, strict=False):
        row.update((FEATURE + name, value) for name, value in features.items())
    for row, told in zip(rows, line.predictions, strict=False):
        if isinstance(told, list):
            row.update((f"{PREDICTION}.{i}", value) for i, value in enumerate(told))
        else:
            row[PREDICTION] = told
    if line.probabilities:
        names = [f"{PROBABILITY}{c}" for c in (line.classes or range(len(line.probabilities[0])))]
        for row, chances in zip(rows, line.probabilities, strict=False):
            row.update(zip(names, chances, strict=False))
    for name, values in line.outputs.items():
        for row, value in zip(rows, values, strict=False):
            row[OUTPUT + name] = value
    return rows


# Any: as above.
def _series(name: str, values: list[Any]) -> "pl.Series":
    """A column of the one type that fits all of its values; of texts when there is none."""
    import polars as pl

    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return pl.Series(name, values, dtype=pl.Null)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {int} and all(value is None or -_INT64 <= value < _INT64 for value in values):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds <= {int, float}:
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    return pl.Series(name, [_text(value) for value in values], dtype=pl.String)


# Any: as above.
def _text(value: Any) -> str | None:  # noqa: ANN401 (as above)
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
