"""The process that makes Parquet segments of open files, and ends: `python -m headway.serving.seal [--hurry] FILE…`.

It does so when nobody else wants the processor, for that is what it needs most of: several times what it takes to write
the lines. `--hurry`: as other background work. Where somebody watches the version, it counts each segment as well, and
keeps the sketches beside it (`tables/sketches`).
"""

import fcntl
import gc
import os
import sys
import time

HURRY = "--hurry"

N_TRIES = 5
TRY_S = 0.02
"""Whoever only looks whether a file is abandoned holds its lock for a moment."""


def main(paths: list[str]) -> int:
    """Seal each; one that cannot be sealed stays as it is, and is read as it is."""
    is_hurried = paths[:1] == [HURRY]
    os.nice(5 if is_hurried else 19)
    # Rows by the thousand, and none of them in a circle.
    gc.disable()
    from headway.tables.prediction_log import seal

    for path in paths[is_hurried:]:
        try:
            with open(path, "rb") as f:
                if _is_taken(f.fileno()):
                    continue
                _count(seal(path))
        except FileNotFoundError:
            # Sealed already, or deleted.
            continue
        except OSError as e:
            sys.stderr.write(f"prediction log: {os.path.basename(path)} could not be sealed: {e}\n")
    return 0


def _count(sealed: str | None) -> None:
    """Keep the sketches of a segment beside it; where that fails, whoever reads them makes them."""
    if sealed is None:
        return
    from polars.exceptions import PolarsError

    from headway.tables.sketches.files import sketch

    try:
        sketch(sealed)
    except (OSError, PolarsError) as e:
        sys.stderr.write(f"prediction log: {os.path.basename(sealed)} could not be counted: {e}\n")


def _is_taken(fd: int) -> bool:
    """Whether another process seals a file already, or writes to it; if not, it is locked until it is closed.

    Each version that starts takes over what is abandoned: many at once must not all do the same work.
    """
    for _ in range(N_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(TRY_S)
        else:
            return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
