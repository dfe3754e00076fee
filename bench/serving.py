"""Promise: of a light model, headway's server takes 0.12 x the processor of a naive FastAPI server for a prediction.

That is for a graph of ONNX and 64 connections; 0.2 x with the very same pickle. Alone, a client waits 0.35 x as long
with the graph. Predictions are logged. The client is Python on the same machine, so that requests per second say less
than the server's processor time, and are not promised here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from harness import Contender, Stage, options, take_turns
from projects.tool import Tool
from report import Promise, Sample
from workers import Worker, chosen

WORKER = Path(__file__).resolve().parent / "serving_worker.py"
HEADWAY = Tool(name="headway[onnx,sklearn]")
FASTAPI = Tool(
    name="fastapi",
    requirements=("fastapi==0.115.6", "uvicorn[standard]==0.34.0", "scikit-learn>=1.4,<2", "joblib", "numpy"),
)
ALONE, MANY = "1 connection", "64 connections"
GRAPH, PICKLE, NAIVE = "headway, onnx", "headway, pickle", "fastapi"


def main() -> int:
    promise = __doc__ or ""
    stage = Stage(name="serving", promise=promise, options=options(promise, n=3))
    folder = stage.scratch() / "models"
    folder.mkdir()
    wanted = chosen(stage.options, [FASTAPI.name])
    brought = stage.bring([HEADWAY, *([FASTAPI] if FASTAPI.name in wanted else [])])
    worker = Worker(stage=stage, script=WORKER)
    made, _ = worker.ask(HEADWAY, folder, "make")
    if made.fault:
        raise SystemExit(f"the model could not be made: {made.fault}")
    contenders = [
        _contender(worker, GRAPH, HEADWAY, folder, "onnx"),
        _contender(worker, PICKLE, HEADWAY, folder, "pickle"),
    ]
    if FASTAPI in brought:
        contenders.append(_contender(worker, NAIVE, FASTAPI, folder, "fastapi"))
    series = take_turns(contenders, stage.options.n)
    return stage.finish(
        series,
        [
            _less("processor a prediction, graph", GRAPH, MANY, "cpu_s", 0.12),
            _less("processor a prediction, the same pickle", PICKLE, MANY, "cpu_s", 0.2),
            _less("median latency, graph", GRAPH, ALONE, "wall_s", 0.35),
        ],
    )


def _less(text: str, tool: str, case: str, measure: str, most: float) -> Promise:
    return Promise(
        text=f"{case}: {text} at most {most} x FastAPI's",
        of=(tool, case),
        over=(NAIVE, case),
        measure=measure,
        most=most,
    )


def _contender(worker: Worker, name: str, tool: Tool, folder: Path, task: str) -> Contender:
    """Seconds are those of a thousand predictions: `wall_s` by their median latency, `cpu_s` of the server."""

    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        sample, said = worker.ask(tool, folder, task)
        for case, key in ((ALONE, "1"), (MANY, "64")):
            if sample.fault:
                yield case, sample
            elif int(said["label"]) not in (0, 1):
                yield case, Sample.broken(f"answered {said['label']}")
            else:
                told = said[key]
                one = Sample(wall_s=told["median_ms"], cpu_s=told["cpu_us"] / 1000, rss_bytes=said["peak_bytes"])
                yield case, one.with_counts({"per second": told["per_second"]})

    return Contender(tool=name, play=play)


if __name__ == "__main__":
    sys.exit(main())
