"""A file that Polars writes, put into its place as a whole or not at all."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress

from headway.errors import DiskFull, SystemRefused

FULL_BYTES = 2**20
"""A disk that has less room, while what could not be written lies there, is full."""


def put(path: str, write: Callable[[str], object], what: str) -> None:
    """Let `write` make a file beside `path`, then move it there; `what` is in it. Raises DiskFull, SystemRefused."""
    import polars as pl

    # By this name it is part of no folder's content, should we be killed here.
    fresh = os.path.join(os.path.dirname(path), f".headway-{os.urandom(8).hex()}.tmp")
    try:
        write(fresh)
        os.replace(fresh, path)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as e:
        if "No space left" in str(e) or (isinstance(e, pl.exceptions.PanicException) and _is_full(path)):
            raise DiskFull(f"no space is left for {what}", at=path, remedy="free some, or name a file elsewhere") from e
        raise SystemRefused(f"{what} cannot be written: {e}", at=path, remedy="name a file elsewhere") from e
    finally:
        with suppress(FileNotFoundError):
            os.unlink(fresh)


def _is_full(path: str) -> bool:
    """Whether its disk is: older Polars hears of it in a thread of its own, and panics without saying why."""
    try:
        return shutil.disk_usage(os.path.dirname(path) or ".").free < FULL_BYTES
    except OSError:
        return False
