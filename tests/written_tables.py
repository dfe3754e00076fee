"""Tables written as every format that is read, for tests that must hold for all of them."""

import json
import math
from pathlib import Path

import polars as pl

FORMATS = ("csv", "csv.gz", "jsonl", "parquet", "arrow")


def write(frame: pl.DataFrame, folder: Path, form: str, name: str = "data") -> str:
    """The path of a file of that format with the frame in it."""
    path = folder / f"{name}.{form}"
    match form:
        case "parquet":
            frame.write_parquet(path, row_group_size=7)
        case "arrow":
            frame.write_ipc(path)
        case "jsonl":
            rows = [json.dumps(_plain(row)) for row in frame.to_dicts()]
            path.write_text("".join(row + "\n" for row in rows))
        case "csv.gz":
            import gzip

            path.write_bytes(gzip.compress(frame.write_csv().encode()))
        case _:
            frame.write_csv(path)
    return str(path)


def _plain(row: dict[str, object]) -> dict[str, object]:
    """A row as JSON has it: times as texts, NaN and infinities as texts, too."""
    return {
        name: value if isinstance(value, bool | int | str | None) else _number(value) for name, value in row.items()
    }


def _number(value: object) -> object:
    if isinstance(value, float) and math.isfinite(value):
        return value
    return str(value)
