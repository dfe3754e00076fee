"""A file that Polars writes, put into its place as a whole or not at all."""

import os
from collections.abc import Callable
from contextlib import suppress

from headway.errors import DiskFull, SystemRefused


def put(path: str, write: Callable[[str], object], what: str) -> None:
    """Let `write` make a file beside `path`, then move it there; `what` is in it. Raises DiskFull, SystemRefused."""
    import polars as pl

    # By this name it is part of no folder's content, should we be killed here.
    fresh = os.path.join(os.path.dirname(path), f".headway-{os.urandom(8).hex()}.tmp")
    try:
        write(fresh)
        os.replace(fresh, path)
    except (OSError, pl.exceptions.PolarsError) as e:
        if "No space left" in str(e):
            raise DiskFull(f"no space is left for {what}", at=path, remedy="free some, or name a file elsewhere") from e
        raise SystemRefused(f"{what} cannot be written: {e}", at=path, remedy="name a file elsewhere") from e
    finally:
        with suppress(FileNotFoundError):
            os.unlink(fresh)
