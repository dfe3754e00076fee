"""Promise: headway serves many times the predictions that a hand-made FastAPI server or MLServer does.

Goals, with predictions logged: of a light model 9 x FastAPI's answers per second and 11 x MLServer's in its best
setting as a graph of ONNX, 6 x and 8 x with the very same pickle; 0.12 x the processor; half of what a server that
says hello does; a forest of 100 trees 10 x the best peer; batches of 100 rows 2 x, in the binary form 4 x. Alone, a
client waits 0.35 x as long. No request fails while versions change. The load comes from `wrk` on the same machine.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness import Contender, Size, Stage, options, take_turns
from projects.tool import Tool
from report import Promise, Sample, Series
from serving_peers import FASTAPI, MLSERVER
from workers import Worker, chosen

WORKER = Path(__file__).resolve().parent / "serving_worker.py"
HEADWAY = Tool(name="headway[onnx,sklearn]")
GRAPH, PICKLE, NAIVE, HELLO = "headway, onnx", "headway, pickle", "fastapi", "bare uvicorn"
#: MLServer's settings, and what the worker calls each.
SETTINGS = {
    "mlserver, in process": "mlserver-0",
    "mlserver, in process, batching": "mlserver-0-batching",
    "mlserver, a worker": "mlserver-1",
    "mlserver, a worker, batching": "mlserver-1-batching",
}
#: Those that a forest is asked in, too: the quickest ones with one row and with many.
OF_FOREST = ("mlserver, in process", "mlserver, a worker, batching")
CASES = {
    "light": {"1": "light, 1 connection", "64": "light, 64 connections", "rows": "light, 100 rows, 4 connections"},
    "forest": {"1": "forest, 1 connection", "16": "forest, 16 connections"},
}
ALONE, MANY, ROWS = CASES["light"].values()
BINARY, LOG = "light, 100 rows in binary, 4 connections", "prediction log, 64 connections"
START = "start to first answer"
SWAPS, POINTS = "versions change, 32 connections", "points of the protocol"
RATE, CPU, MEMORY = "per second", "CPU us", "PSS MB"
SIDES = ("logged", "not logged")

# Any: what the worker tells.
Told = dict[str, Any]


class Bench:
    """The worker in its folder, and for how long each load is."""

    def __init__(self, stage: Stage) -> None:
        self._worker = Worker(stage=stage, script=WORKER)
        self._folder = stage.scratch() / "models"
        self._folder.mkdir()
        self._seconds = str(stage.options.size)

    def make(self) -> None:
        """The models, which all share."""
        fault, _ = self._ask(HEADWAY, "make")
        if fault:
            raise SystemExit(f"the models could not be made: {fault}")

    # Any: as above.
    def _ask(self, tool: Tool, *words: str) -> tuple[str | None, Told]:
        sample, said = self._worker.ask(tool, self._folder, *words)
        return sample.fault, said

    def server(self, name: str, tool: Tool, word: str, model: str) -> Contender:
        """One server with one model: its start and its loads. The warm-up's are short."""

        def play(repetition: int) -> Iterator[tuple[str, Sample]]:
            seconds = self._seconds if repetition else "1"
            fault, said = self._ask(tool, "measure", word, model, seconds)
            cases = {**CASES[model], **({"binary": BINARY} if "binary" in said else {})}
            for key, case in cases.items():
                if fault or said.get("label", 0) not in (0, 1):
                    yield case, Sample.broken(fault or f"answered {said['label']}")
                elif key in said:
                    yield case, _loaded(said[key])
            if model == "light" and not fault:
                start = said["start"]
                counts = {MEMORY: start["pss_bytes"] / 1e6}
                yield START, _sample(start["s"], start["cpu_s"], start["pss_bytes"], counts)

        return Contender(tool=name, play=play)

    def log(self) -> Contender:
        """With and without the log, in turns in one run: two tools of one case."""

        def play(repetition: int) -> Iterator[tuple[str, Sample]]:
            fault, said = self._ask(HEADWAY, "log", self._seconds if repetition else "1")
            if fault:
                yield LOG, Sample.broken(fault)
                return
            logged, bare = (statistics.median(one["per_second"] for one in said[side]) for side in SIDES)
            loads = said["logged"]
            counts = {
                RATE: logged,
                "x without": logged / bare,
                "rows": said["counts"]["noted"],
                "lost": said["counts"]["noted"] - said["counts"]["written"],
            }
            cpu_us = statistics.median(one["cpu_us"] for one in loads)
            p50_ms = statistics.median(one["p50_ms"] for one in loads)
            yield LOG, _sample(p50_ms, cpu_us / 1000, max(one["pss_bytes"] for one in loads), counts)

        return Contender(tool=GRAPH, play=play)

    def once(self, name: str, case: str, ask: Callable[[], Sample]) -> Contender:
        """What counts, and does not time: it is asked once."""

        def play(repetition: int) -> Iterator[tuple[str, Sample]]:
            if repetition == 1:
                yield case, ask()

        return Contender(tool=name, play=play)

    def swaps(self) -> Sample:
        """Requests that failed while versions changed, and how much longer the slowest took."""
        fault, said = self._ask(HEADWAY, "swaps", self._seconds)
        if fault:
            return Sample.broken(fault)
        steady: Told = said["steady"]
        counts: dict[str, float] = {}
        for part in ("swaps", "handovers"):
            counts |= {f"{part}: requests": said[part]["n"], f"{part}: failed": said[part]["failed"]}
            counts[f"{part}: p99, x steady"] = said[part]["p99_ms"] / steady["p99_ms"]
        return _loaded(steady).with_counts({"steady p99 ms": steady["p99_ms"], **counts})

    def points(self, tool: Tool, word: str) -> Callable[[], Sample]:
        """How many points of the protocol hold."""

        def ask() -> Sample:
            fault, said = self._ask(tool, "points", word)
            if fault:
                return Sample.broken(fault)
            for point, why in said["wrong"].items():
                print(f"  {word} {point}: {why[:200]}", file=sys.stderr)
            return _sample(0, 0, 0, {"points": said["n"], "of": said["of"]})

        return ask


def _sample(wall_s: float, cpu_s: float, rss_bytes: int, counts: dict[str, float]) -> Sample:
    return Sample(wall_s=wall_s, cpu_s=cpu_s, rss_bytes=rss_bytes, counts=counts)


def _loaded(told: Told) -> Sample:
    """Seconds are those of a thousand predictions: `wall_s` by their median latency, `cpu_s` of the server."""
    if told["failed"]:
        return Sample.broken(f"{told['failed']} of {told['n']} requests failed")
    counts = {RATE: told["per_second"], CPU: told["cpu_us"], "p99 ms": told["p99_ms"]}
    counts[MEMORY] = told["pss_bytes"] / 1e6
    return _sample(told["p50_ms"], told["cpu_us"] / 1000, told["pss_bytes"], counts)


def best(series: Sequence[Series], tools: Sequence[str], case: str, *, least: bool = False) -> str:
    """The peer that does most in a case (or starts first); the first one when none was measured."""
    good = [one for one in series if one.is_good and one.tool in tools and one.case == case]
    if least:
        return min(good, key=Series.median).tool if good else tools[0]
    return max(good, key=lambda one: one.median(RATE)).tool if good else tools[0]


def promises(series: Sequence[Series]) -> list[Promise]:
    """All goals, the best peer in each case found first."""
    peers, theirs = (NAIVE, *SETTINGS), tuple(SETTINGS)

    def rate(tool: str, goal: float, case: str, over: str, *, of_case: str = "") -> Promise:
        text = f"{of_case or case}: {tool} answers at least {goal:g} x {over}'s a second"
        return Promise(text=text, of=(tool, of_case or case), over=(over, case), measure=RATE, least=goal)

    def most(text: str, of: tuple[str, str], goal: float, measure: str, over: str = "") -> Promise:
        return Promise(text=text, of=of, over=(over, of[1]) if over else None, measure=measure, most=goal)

    mlserver, batch = best(series, theirs, MANY), best(series, peers, ROWS)
    quickest, changed = best(series, peers, START, least=True), (GRAPH, SWAPS)
    found = [
        rate(GRAPH, 9, MANY, NAIVE),
        rate(GRAPH, 11, MANY, mlserver),
        rate(PICKLE, 6, MANY, NAIVE),
        rate(PICKLE, 8, MANY, mlserver),
        rate(GRAPH, 0.5, MANY, HELLO),
        most(f"{MANY}: processor, {GRAPH}, at most 0.12 x {NAIVE}'s", (GRAPH, MANY), 0.12, CPU, NAIVE),
        most(f"{ALONE}: median latency, {GRAPH}, at most 0.35 x {NAIVE}'s", (GRAPH, ALONE), 0.35, "wall_s", NAIVE),
        rate(GRAPH, 2, ROWS, batch),
        rate(GRAPH, 4, ROWS, batch, of_case=BINARY),
        *(rate(GRAPH, 10, case, best(series, peers, case)) for case in CASES["forest"].values()),
        Promise(text="the log takes at most 3 % of the rate", of=(GRAPH, LOG), measure="x without", least=0.97),
        most("no row of the log is lost", (GRAPH, LOG), 0, "lost"),
        most(f"{START}: {GRAPH}, at most 2 s", (GRAPH, START), 2, "wall_s"),
        most(f"{START}: {GRAPH}, at most 0.5 x {quickest}'s", (GRAPH, START), 0.5, "wall_s", quickest),
        most(f"{MANY}: memory, {GRAPH}, at most {NAIVE}'s", (GRAPH, MANY), 1, MEMORY, NAIVE),
        Promise(text="all points of the protocol hold", of=(GRAPH, POINTS), measure="points", least=23),
    ]
    for part in ("swaps", "handovers"):
        found.append(most(f"no request fails in {part}", changed, 0, f"{part}: failed"))
        found.append(most(f"99 % of requests in {part}: at most 3 x as slow", changed, 3, f"{part}: p99, x steady"))
    return found


def main() -> int:
    promise = __doc__ or ""
    size = Size(name="seconds", default=2, help="seconds of each load; 1 for a trial, with few swaps")
    stage = Stage(name="serving", promise=promise, options=options(promise, n=3, size=size))
    if shutil.which("wrk") is None:
        stage.skip("all", "wrk is not on the PATH")
        return stage.finish([], promises([]))
    wanted = chosen(stage.options, [FASTAPI.name, MLSERVER.name])
    brought = stage.bring([HEADWAY, *(peer for peer in (FASTAPI, MLSERVER) if peer.name in wanted)])
    bench = Bench(stage)
    bench.make()
    series = take_turns([one for model in CASES for one in contenders(bench, brought, model)], stage.options.n)
    return stage.finish(series, promises(series))


def contenders(bench: Bench, brought: Sequence[Tool], model: str) -> list[Contender]:
    """Who takes turns with a model."""
    found = [bench.server(GRAPH, HEADWAY, "onnx", model), bench.server(PICKLE, HEADWAY, "pickle", model)]
    if FASTAPI in brought:
        found.append(bench.server(NAIVE, FASTAPI, "fastapi", model))
    if MLSERVER in brought:
        names = SETTINGS if model == "light" else OF_FOREST
        found += [bench.server(name, MLSERVER, SETTINGS[name], model) for name in names]
    if model == "light":
        found += [bench.server(HELLO, HEADWAY, "hello", model), bench.log()]
        found.append(bench.once(GRAPH, SWAPS, bench.swaps))
        found.append(bench.once(GRAPH, POINTS, bench.points(HEADWAY, "onnx")))
        if MLSERVER in brought:
            found.append(bench.once("mlserver", POINTS, bench.points(MLSERVER, "mlserver-0")))
    return found


if __name__ == "__main__":
    sys.exit(main())
