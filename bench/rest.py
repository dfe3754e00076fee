"""A file system at rest: what was deleted just now is not in the way of what is measured next.

ext4 gives the number of a freed inode to nobody for some 40 s, and walks past every such inode whenever it makes a
file. A hundred thousand files deleted therefore make the next hundred thousand cost many times more. So what would be
deleted between measurements is moved aside, and before the first one we wait.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

N_FILES = 500
#: How long to look at least for the best, when no earlier run has seen one: measured, the inodes come back after 41 s.
FREED_S = 50.0
LONGEST_S = 90.0
PAUSE_S = 2.0
#: A cost of so many times the best is about as little: freed inodes make it ten times and more.
ABOUT = 3.0


def put_away(path: Path, aside: Path | None) -> None:
    """Take a file or folder out of the way: into `aside` on the same file system, or off the disk without one."""
    if aside is None:
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists():
        path.rename(Path(tempfile.mkdtemp(dir=aside)) / path.name)


def wait(probe: Callable[[], float], known: Path) -> str:
    """Wait until the probe costs about as little as the best seen so far; gives what came of it, in words.

    The best is kept in the file `known` for the next run on this disk.
    """
    best_s, started = _read(known), time.monotonic()
    least_s = 0.0 if best_s else FREED_S
    while True:
        cost_s, past_s = probe(), time.monotonic() - started
        best_s = min(best_s or cost_s, cost_s)
        is_at_rest = cost_s <= ABOUT * best_s
        if past_s >= LONGEST_S or (past_s >= least_s and is_at_rest):
            break
        time.sleep(PAUSE_S)
    known.write_text(json.dumps({"files": N_FILES, "best_s": best_s}))
    costs = f"{N_FILES} new files cost {1000 * cost_s:.0f} ms, at best {1000 * best_s:.0f} ms"
    return f"file system {'at rest' if is_at_rest else 'NOT at rest'} after {past_s:.0f} s ({costs})"


def making_files(aside: Path) -> Callable[[], float]:
    """A probe: the seconds that it takes to make files in a fresh folder. They are left lying in `aside`."""

    def probe() -> float:
        folder = tempfile.mkdtemp(dir=aside)
        started = time.perf_counter()
        for number in range(N_FILES):
            os.close(os.open(f"{folder}/{number}", os.O_CREAT | os.O_WRONLY))
        return time.perf_counter() - started

    return probe


def _read(known: Path) -> float | None:
    try:
        read = json.loads(known.read_text())
        return float(read["best_s"]) if read["files"] == N_FILES else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
