"""The process that makes Parquet segments of open files, and ends: `python -m headway.serving.seal FILE…`."""

import os
import sys


def main(paths: list[str]) -> int:
    """Seal each; one that cannot be sealed stays as it is, and is read as it is."""
    os.nice(5)
    from headway.tables.prediction_log import seal

    for path in paths:
        try:
            seal(path)
        except OSError as e:
            sys.stderr.write(f"prediction log: {os.path.basename(path)} could not be sealed: {e}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
