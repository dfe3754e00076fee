"""How many rows a table has, counted in a process of its own, whose memory goes when it ends.

`python -m headway.flows.event_rows PATH…` prints the number.
"""

import subprocess
import sys
from collections.abc import Sequence

from headway.errors import TableUnreadable

LONGEST_S = 3600.0


def count(paths: Sequence[str]) -> int:
    """The rows of the tables at these paths together; of a folder, of all tables in it. Raises TableUnreadable."""
    argv = [sys.executable, "-P", "-W", "ignore", "-m", "headway.flows.event_rows", *paths]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired as e:
        raise TableUnreadable(
            f"its rows were not counted within {LONGEST_S:g} s", at=paths[0], remedy="leave `new-rows` out"
        ) from e
    if done.returncode == 0:
        return int(done.stdout)
    said = done.stderr.strip().splitlines() or [f"the process that counts ended with {done.returncode}"]
    raise TableUnreadable(
        f"its rows cannot be counted: {said[-1]}", at=paths[0], remedy="see that it is a table, or leave `new-rows` out"
    )


def _main(paths: Sequence[str]) -> int:
    from headway.errors import HeadwayError
    from headway.tables.batches import open_data

    try:
        with open_data(paths) as data:
            n = data.n_rows if data.n_rows is not None else sum(batch.n_rows for batch in data.batches([]))
    except HeadwayError as e:
        sys.stderr.write(f"{e.problem} ({e.at})\n")
        return 1
    print(n)
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
