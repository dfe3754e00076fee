"""What bench/daemon.py runs in a process of its own: `headway up` on a project, idle or with data that arrive.

    python daemon_worker.py idle 100 60       100 pipelines and monitors, idle for 60 s
    python daemon_worker.py arrival 20        20 arrivals of data, one after the other

Writes counts.json into the working directory. Only headway's commands and the standard library are used.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 600.0
SETTLED_S = 10.0
LOOK_S = 2.0
N_ROWS = 2000

FIRST = """pipeline: first
steps:
  - {id: register, uses: register, with: {model: model.py, name: churn, data: reference.csv}}
  - id: deploy
    uses: deploy
    with: {endpoint: live, model: "${{ steps.register.out.version }}", override: a benchmark}
"""

WATCHED = """pipeline: p%(n)d
triggers:
  data: {dataset: data/%(n)d.csv}
  schedule: "0 3 1 1 *"
  drift: {monitor: m%(n)d}
monitors:
  m%(n)d: {endpoint: live, reference: reference.csv, target: y, window: 7d}
steps:
  - {id: train, run: "true"}
"""

ARRIVING = """pipeline: arriving
triggers: {data: {dataset: day.csv}}
steps:
  - {id: first, run: date +%s.%N >> began}
"""

MODEL = """def predict(rows):
    return [int(row["x"] > 0.5) for row in rows]
"""


def main() -> int:
    task, size = sys.argv[1], int(sys.argv[2])
    counts = idle(size, float(sys.argv[3])) if task == "idle" else arrival(size)
    Path("counts.json").write_text(json.dumps(counts))
    return 0


# --- idle -----------------------------------------------------------------------------------------------------------


def idle(size: int, seconds: float) -> dict[str, float]:
    """What `headway up` and the process of its monitors take while nothing happens."""
    files = prepared(size)
    subprocess.run(["headway", "run", "first.yaml"], check=True, capture_output=True)
    try:
        ask_something()
        with up(*files) as daemon:
            until(lambda: known("SourceWatched") >= size and known("MonitorBegan") >= size, "something is watched")
            time.sleep(SETTLED_S)
            return measured(daemon.pid, seconds)
    finally:
        subprocess.run(["headway", "endpoints", "--stop", "live"], check=False, capture_output=True)


def measured(pid: int, seconds: float) -> dict[str, float]:
    """All processes from `headway up` downwards: their CPU over the time, and their memory when it was most."""
    before, began, most, own, whole = sum(map(cpu_s, tree(pid))), time.monotonic(), 0.0, 0.0, 0.0
    while time.monotonic() - began < seconds:
        time.sleep(min(LOOK_S, seconds))
        sizes = {one: memory_mb(one, "Pss") for one in tree(pid)}
        most, own = max(most, sum(sizes.values())), max(own, sizes[pid])
        whole = max(whole, sum(memory_mb(one, "Rss") for one in sizes))
    # What ended meanwhile was waited for, and so is in the count of whoever started it.
    spent, took = sum(map(cpu_s, tree(pid))) - before, time.monotonic() - began
    return {"% of a core": 100 * spent / took, "MB": most, "daemon MB": own, "MB, what is shared counted twice": whole}


def prepared(size: int) -> list[str]:
    """The project; gives the pipelines' files."""
    rows = "".join(f"{n % 97 / 97:.4f},{int(n % 97 > 48)}\n" for n in range(N_ROWS))
    Path("reference.csv").write_text(f"x,y\n{rows}")
    Path("model.py").write_text(MODEL)
    Path("first.yaml").write_text(FIRST)
    Path("data").mkdir()
    files = []
    for n in range(size):
        Path(f"data/{n}.csv").write_text("x,y\n1,2\n" * 100)
        Path(f"p{n}.yaml").write_text(WATCHED % {"n": n})
        files.append(f"p{n}.yaml")
    return files


def ask_something() -> None:
    """A hundred requests, so that there is a log to read."""
    told = subprocess.run(["headway", "endpoints", "--json"], check=True, capture_output=True, text=True)
    url = json.loads(told.stdout)[0]["url"]
    for n in range(100):
        body = json.dumps({"inputs": [{"x": n % 97 / 97}]}).encode()
        asked = urllib.request.Request(f"{url}/predict", data=body, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            answer.read()


# --- arrival --------------------------------------------------------------------------------------------------------


def arrival(times: int) -> dict[str, float]:
    """How long it takes from data that are whole to the first step of the run that they start."""
    Path("pipeline.yaml").write_text(ARRIVING)
    Path("day.csv").write_text("x,y\n1,2\n")
    began = Path("began")
    took = []
    with up("pipeline.yaml"):
        until(lambda: known("SourceWatched") >= 1, "the data are watched")
        time.sleep(SETTLED_S)
        for n in range(times):
            with Path("day.csv").open("a") as file:
                file.write(f"{n},{n}\n")
            arrived = time.time()
            until(lambda n=n: known("FiringEnded") > n, "a run ended")  # type: ignore[misc] # as a default it is bound
            took.append(float(began.read_text().split()[-1]) - arrived)
            time.sleep(1.0)
    return {"s to a step": statistics.median(took), "longest s": max(took)}


# --- what both need -------------------------------------------------------------------------------------------------


@contextmanager
def up(*files: str) -> Iterator[subprocess.Popen[bytes]]:
    with Path("up.txt").open("wb") as log:
        daemon = subprocess.Popen(["headway", "up", *files], stdout=log, stderr=log, start_new_session=True)
        try:
            yield daemon
        finally:
            # Not SIGINT, which is ignored by what is started in the background.
            daemon.terminate()
            daemon.wait(60)


def until(is_so: Callable[[], bool], what: str) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > give_up_at:
            sys.exit(f"not within {PATIENCE_S:.0f} s: {what}\n{Path('up.txt').read_text()[-2000:]}")
        time.sleep(0.1)


def known(kind: str) -> int:
    """How many facts of a kind there are."""
    if not Path(".headway/log.sqlite").exists():
        return 0
    with closing(sqlite3.connect("file:.headway/log.sqlite?mode=ro", uri=True)) as log:
        (found,) = log.execute("select count(*) from facts where kind = ?", [kind]).fetchone()
    return int(found)


def tree(pid: int) -> list[int]:
    """A process and all below it, whichever thread started them."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            with suppress(OSError):
                found += map(int, task.read_text().split())
    return found


def cpu_s(pid: int) -> float:
    """Seconds of processor that a process took, and the children that it waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / TICKS


def memory_mb(pid: int, kind: str) -> float:
    """Memory of a process: all of it (`Rss`), or its share of what it has with others (`Pss`). None when it ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    (line,) = (one for one in lines if one.startswith(f"{kind}:"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
