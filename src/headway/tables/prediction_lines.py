"""Open files of the prediction log as tables: their lines, and the columns that these become.

A file is read in pieces: as Python's objects rows take some ten times the room that they take as a table, and whoever
seals a file must not need it all at once. Neighbour: `prediction_log` has the folder, and what is asked of it.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from operator import attrgetter, eq, itemgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from headway.codec import prediction_line
from headway.codec.prediction_line import Written
from headway.core.prediction_log import OK, Kind, LabelLine

if TYPE_CHECKING:
    import polars as pl

FEATURE = "feature."
PREDICTION = "prediction"
SHADOW = "is_shadow"
STATUS = "status"
INSTEAD_OF = "instead_of"
PROBABILITY = "probability."
OUTPUT = "output."

USUAL: dict[str, bool | int] = {SHADOW: False, STATUS: OK, INSTEAD_OF: 0}
"""Columns that a table has only where some row is not as usual, and what is usual."""

PIECE_BYTES = 4 * 2**20
"""What is read at a time: some 15,000 rows of 30 numbers, which take 50 MB until they are a table."""

DAMAGED = (msgspec.MsgspecError, ValueError, TypeError, LookupError, RecursionError)
"""What is raised for a line that is none."""

# Any: a line of either kind.
DECODE: dict[Kind, Callable[[bytes], Any]] = {
    "predictions": prediction_line.read,
    "labels": msgspec.json.Decoder(LabelLine).decode,
}
"""A line of a file of that kind."""

_INT64 = 2**63


def table(path: str, kind: Kind) -> "tuple[pl.DataFrame | None, list[bytes]]":
    """All rows of an open file, and the lines of it that are damaged: a power failure, not a kill, can leave such.

    None when it has no row. Raises OSError.
    """
    frames: list[pl.DataFrame] = []
    damaged: list[bytes] = []
    for piece in _pieces(path, kind):
        damaged += piece.damaged
        frame = _frame_of_alike(piece.lines) if kind == "predictions" else _frame_of_labels(piece.lines)
        if frame is None:
            good, bad = _opened(piece)
            damaged += bad
            frame = _frame(good) if good else None
        if frame is not None:
            frames.append(frame)
    if len(frames) < 2:
        return (frames[0] if frames else None), damaged
    whole = _joined(frames)
    if whole is None:
        # A column of numbers here and of texts there: all of it at once, so that each value is written as it came.
        pieces = _pieces(path, kind)
        if kind == "labels":
            whole = _frame_of_labels([line for piece in pieces for line in piece.lines])
        else:
            whole = _frame([line for piece in pieces for line in _opened(piece)[0]])
    return whole, damaged


def _joined(frames: "list[pl.DataFrame]") -> "pl.DataFrame | None":
    """The pieces as one table; None when they do not have the same columns."""
    import polars as pl

    marks = {name for frame in frames for name in USUAL if name in frame.columns}
    frames = [marked(frame, marks) for frame in frames]
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


def marked(frame: "pl.DataFrame", marks: Collection[str]) -> "pl.DataFrame":
    """With these of the columns that a table has only where some row is not as usual."""
    import polars as pl

    missing = [name for name in USUAL if name in marks and name not in frame.columns]
    return frame.with_columns(
        pl.lit(USUAL[name], pl.Boolean if name == SHADOW else pl.Int64).alias(name) for name in missing
    )


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
class _Piece(Struct):
    """Lines of an open file, as bytes and as values, and those that are damaged."""

    raw: list[bytes]
    lines: list[Any]
    damaged: list[bytes]


def _pieces(path: str, kind: Kind) -> Iterator[_Piece]:
    # Any: as above.
    decode: Callable[[bytes], Any] = prediction_line.decode if kind == "predictions" else DECODE[kind]
    with open(path, "rb") as f:
        while read := f.readlines(PIECE_BYTES):
            piece = _Piece([], [], [])
            for line in read:
                # What stands behind the last newline is being written, or was when the writer was killed.
                if not line.endswith(b"\n"):
                    continue
                try:
                    piece.lines.append(decode(line))
                    piece.raw.append(line)
                except DAMAGED:
                    piece.damaged.append(line)
            yield piece


def _opened(piece: _Piece) -> tuple[list[Written], list[bytes]]:
    """The lines with rows and answers in their places, and those that are damaged."""
    good, damaged = [], []
    for raw, line in zip(piece.raw, piece.lines, strict=True):
        try:
            good.append(prediction_line.opened(line))
        except DAMAGED:
            damaged.append(raw)
    return good, damaged


def _frame_of_labels(lines: Sequence[LabelLine]) -> "pl.DataFrame | None":
    import polars as pl

    names = LabelLine.__struct_fields__ if lines else ()
    return pl.DataFrame([series(name, [getattr(line, name) for line in lines]) for name in names]) if names else None


def _frame_of_alike(lines: Sequence[Written]) -> "pl.DataFrame | None":
    found = prediction_line.alike(lines) if lines else None
    if found is None:
        return None
    columns = _heads(lines, found.n_rows)
    columns |= {FEATURE + name: values for name, values in found.features.items()}
    columns |= {PREDICTION: found.predictions, **{PROBABILITY + name: v for name, v in found.chances.items()}}
    return _of_columns(columns)


def _frame(lines: Sequence[Written]) -> "pl.DataFrame":
    n_rows = [line.n_rows for line in lines]
    columns = _heads(lines, n_rows)
    columns |= {
        FEATURE + name: values for name, values in _columns(_each([line.rows for line in lines], n_rows)).items()
    }
    columns |= _told(_each([line.predictions for line in lines], n_rows))
    if any(line.probabilities for line in lines):
        columns |= _chances(lines, n_rows)
    if any(line.outputs for line in lines):
        outputs = [
            {name: told[i] for name, told in line.outputs.items() if i < len(told)}
            for line, n in zip(lines, n_rows, strict=True)
            for i in range(n)
        ]
        columns |= {OUTPUT + name: values for name, values in _columns(outputs).items()}
    return _of_columns(columns)


# Any: cells are what JSON has.
def _heads(lines: Sequence[Written], n_rows: Sequence[int]) -> dict[str, Sequence[Any]]:
    """The columns that tell of the request, for each of its rows."""
    # Most logs know no shadow and no failure; their files need no columns that say so.
    marks = [name for name, usual in USUAL.items() if set(map(attrgetter(name), lines)) != {usual}]
    columns: dict[str, Sequence[Any]] = {}
    for name in ("request_id", "at", "ms", "model", "version", *marks):
        values = list(map(attrgetter(name), lines))
        columns[name] = values if set(n_rows) == {1} else _repeated(values, n_rows)
    columns["row"] = [i for n in n_rows for i in range(n)]
    return columns


# Any: as above.
def _of_columns(columns: dict[str, Sequence[Any]]) -> "pl.DataFrame":
    import polars as pl

    order = ["request_id", "row", *(name for name in columns if name not in ("request_id", "row"))]
    return pl.DataFrame([series(name, columns[name]) for name in order])


# Any: cells are what JSON has.
def _repeated(values: Sequence[Any], n_rows: Sequence[int]) -> list[Any]:
    return [value for value, n in zip(values, n_rows, strict=True) for _ in range(n)]


# Any: as above.
def _each(of_lines: Sequence[list[Any]], n_rows: Sequence[int]) -> list[Any]:
    """What lines have for each of their rows, one after the other; None where one has less."""
    if all(map(eq, map(len, of_lines), n_rows)):
        return list(chain.from_iterable(of_lines))
    return [
        values[i] if i < len(values) else None for values, n in zip(of_lines, n_rows, strict=True) for i in range(n)
    ]


# Any: as above.
def _columns(rows: Sequence[dict[str, Any] | None]) -> dict[str, Sequence[Any]]:
    """Rows with names as columns; None where a row has none of that name."""
    first = next(filter(None, rows), {})
    names = tuple(first)
    if len(names) > 1:
        # Nearly always all rows have the same names: then each is asked for all of them at once.
        try:
            if all(map(len(names).__eq__, map(len, rows))):  # type: ignore[arg-type] # None is caught
                return dict(zip(names, zip(*map(itemgetter(*names), rows), strict=True), strict=True))  # type: ignore[arg-type] # as above
        except (KeyError, TypeError):
            pass
    seen = dict.fromkeys(name for row in rows for name in row or ())
    return {name: [None if row is None else row.get(name) for row in rows] for name in seen}


# Any: as above.
def _told(predictions: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """The answer to each row as columns: one, or several of a model with several outputs."""
    if list not in set(map(type, predictions)):
        return {PREDICTION: predictions}
    cells: list[dict[str, Any]] = []
    for told in predictions:
        several = {f"{PREDICTION}.{i}": value for i, value in enumerate(told)} if isinstance(told, list) else {}
        cells.append(several or ({} if told is None else {PREDICTION: told}))
    return _columns(cells)


# Any: as above.
def _chances(lines: Sequence[Written], n_rows: Sequence[int]) -> dict[str, Sequence[Any]]:
    """The probability of each class as a column."""
    first = lines[0]
    named = [line.classes or list(range(len(line.probabilities[0]))) if line.probabilities else [] for line in lines]
    each = _each([line.probabilities for line in lines], n_rows)
    if all(map(named[0].__eq__, named)) and None not in each and {len(first.classes)} == set(map(len, each)):
        return {f"{PROBABILITY}{c}": values for c, values in zip(named[0], zip(*each, strict=True), strict=True)}
    names = _repeated(named, n_rows)
    cells = [dict(zip(map(str, own), told or (), strict=False)) for own, told in zip(names, each, strict=True)]
    return {PROBABILITY + name: values for name, values in _columns(cells).items()}


# Any: as above.
def series(name: str, values: Sequence[Any]) -> "pl.Series":
    """A column of the one type that fits all of its values; of texts when there is none."""
    import polars as pl

    kinds = set(map(type, values)) - {type(None)}
    fit = {float: pl.Float64, bool: pl.Boolean, str: pl.String, int: pl.Int64}
    if not kinds:
        return pl.Series(name, values, dtype=pl.Null)
    if len(kinds) == 1 and kinds <= fit.keys() and (int not in kinds or _are_small(values)):
        return pl.Series(name, values, dtype=fit[kinds.pop()])
    if kinds <= {int, float}:
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    return pl.Series(name, [_text(value) for value in values], dtype=pl.String)


def _are_small(values: Sequence[int | None]) -> bool:
    whole = [value for value in values if value is not None]
    return min(whole) >= -_INT64 and max(whole) < _INT64


# Any: as above.
def _text(value: Any) -> str | None:  # noqa: ANN401 (as above)
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
