"""The process that makes Parquet segments of open files, and ends: `python -m headway.serving.seal FILE…`."""

import fcntl
import os
import sys
import time

N_TRIES = 5
TRY_S = 0.02
"""Whoever only looks whether a file is abandoned holds its lock for a moment."""


def main(paths: list[str]) -> int:
    """Seal each; one that cannot be sealed stays as it is, and is read as it is."""
    os.nice(5)
    from headway.tables.prediction_log import seal

    for path in paths:
        try:
            with open(path, "rb") as f:
                if _is_taken(f.fileno()):
                    continue
                seal(path)
        except FileNotFoundError:
            # Sealed already, or deleted.
            continue
        except OSError as e:
            sys.stderr.write(f"prediction log: {os.path.basename(path)} could not be sealed: {e}\n")
    return 0


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
