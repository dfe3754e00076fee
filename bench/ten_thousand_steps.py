"""Promise: a DAG of 10,000 steps runs in at most twice make's time; with nothing to do it takes under 1.5 s."""

from __future__ import annotations

import sys

import pipelines
from harness import Stage, options
from pipelines import AGAIN, FIRST
from report import Promise
from shapes import layers


def main() -> int:
    promise = __doc__ or ""
    stage = Stage(name="ten_thousand_steps", promise=promise, options=options(promise, n=3, peers="make"))
    series = pipelines.measure(stage, layers(10, 1_000), workers=2)
    bounds = [
        Promise(text="a first run takes at most 2 x make", of=("headway", FIRST), over=("make", FIRST), most=2.0),
        Promise(text="a no-op takes at most 1.5 s", of=("headway", AGAIN), most=1.5),
    ]
    return stage.finish(series, bounds)


if __name__ == "__main__":
    sys.exit(main())
