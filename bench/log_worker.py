"""Runs in headway's own environment: `log_worker.py TASK N_FACTS` appends to a log here, reads it or folds it.

Tasks: `append one` (a call, and so a commit, for each fact), `append ten` (ten facts a call), `read` (all streams back
as facts), `fold` (read, then each run's machine takes its facts in), `sqlite one` and `sqlite ten` (the floor: the same
bytes into a bare table of the same SQLite settings, no chain, no keys). Writes counts.json: facts and seconds by the
clock, the process's start not counted. Raises when what is read is not what was written.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from pathlib import Path

from headway.backends import connect
from headway.codec.wire import encode_fact
from headway.core import facts as f
from headway.core.ids import Artifact, Digest, RunId
from headway.core.pipeline import Pipeline, StepSpec
from headway.core.run import Run
from headway.ports import Log

#: Steps of one run; each gives two facts, and the run itself two more.
N_STEPS = 999
AT = 1_780_000_000.0


def facts_of(run: int) -> list[f.Fact]:
    """What a run of ordinary cacheable steps writes."""
    digest = Digest(f"{run:064x}")
    started: f.Fact = f.RunStarted(
        run=RunId(run), name="bench", file="pipeline.yaml", pipeline=digest, options=f.RunOptions(jobs=2)
    )
    facts = [started]
    for step in range(N_STEPS):
        name = f"s{step:04}"
        parts = (
            f.KeyPart(kind="command", name="run", value=f"cp a{step} b{step}"),
            f.KeyPart(kind="in", name=f"a{step}.txt", value=digest),
        )
        output = Artifact(path=f"b{step}.txt", digest=digest, size_bytes=23)
        key = f"{run:016x}{step:048x}"
        facts.append(f.StepStarted(step=name, why="never run"))
        facts.append(
            f.StepFinished(
                step=name,
                outcome="passed",
                exit_code=0,
                seconds=0.01,
                cache_key=key,
                parts=parts,
                outputs={"b": output},
            )
        )
    facts.append(f.RunFinished(outcome="passed", exit_code=0, seconds=1.0))
    return facts


def work(n_facts: int) -> dict[str, list[f.Fact]]:
    """The streams to write: whole runs, `n_facts` or a little more in all."""
    n_runs = -(-n_facts // (2 * N_STEPS + 2))
    return {f"run/{run}": facts_of(run) for run in range(1, n_runs + 1)}


def open_log() -> Log:
    """The SQLite back-end on a file of the working directory."""
    return connect("log", f"sqlite:{Path('log.sqlite').absolute()}")  # type: ignore[return-value] # connect answers by name


def append(streams: dict[str, list[f.Fact]], size: int) -> float:
    """Append everything in calls of `size` facts; gives the seconds, the last sync included."""
    log = open_log()
    started = time.perf_counter()
    for stream, facts in streams.items():
        for at in range(0, len(facts), size):
            log.append(stream, facts[at : at + size], expect=at, at=AT + at)
    log.sync()
    seconds = time.perf_counter() - started
    log.close()
    return seconds


def floor(streams: dict[str, list[f.Fact]], size: int) -> float:
    """The same bytes into a bare table; WAL and NORMAL as in headway's log."""
    database = sqlite3.connect("floor.sqlite", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.execute("CREATE TABLE facts (seq INTEGER PRIMARY KEY, stream TEXT, n INTEGER, body BLOB)")
    started = time.perf_counter()
    for stream, facts in streams.items():
        for at in range(0, len(facts), size):
            database.execute("BEGIN IMMEDIATE")
            rows = [(stream, at + i, encode_fact(fact)) for i, fact in enumerate(facts[at : at + size])]
            database.executemany("INSERT INTO facts (stream, n, body) VALUES (?, ?, ?)", rows)
            database.execute("COMMIT")
    seconds = time.perf_counter() - started
    database.close()
    return seconds


def read(streams: dict[str, list[f.Fact]], *, is_folded: bool) -> float:
    """Read every stream back, and fold it when asked; the log was written before, untimed."""
    append(streams, len(next(iter(streams.values()))))
    log = open_log()
    steps = tuple(StepSpec(id=f"s{step:04}", name=f"s{step:04}", run="true") for step in range(N_STEPS))
    pipeline = Pipeline(name="bench", steps=steps)
    started = time.perf_counter()
    for stream, facts in streams.items():
        entries = log.read(stream)
        if len(entries) != len(facts) or entries[-1].fact != facts[-1]:
            raise SystemExit(f"{stream} reads back otherwise than it was written")
        if is_folded:
            run = Run(pipeline, jobs=2, run_id=stream.partition("/")[2])
            for entry in entries:
                run.after(entry.fact, entry.at)
            if run.finished != facts[-1]:
                raise SystemExit(f"{stream} folds to a run that did not finish")
    seconds = time.perf_counter() - started
    log.close()
    return seconds


def main(task: str, n_facts: str) -> None:
    streams = work(int(n_facts))
    what, _, size = task.partition(" ")
    match what:
        case "append":
            seconds = append(streams, 1 if size == "one" else 10)
        case "sqlite":
            seconds = floor(streams, 1 if size == "one" else 10)
        case _:
            seconds = read(streams, is_folded=what == "fold")
    n = sum(len(facts) for facts in streams.values())
    Path("counts.json").write_text(json.dumps({"facts": n, "facts/s": n / seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
