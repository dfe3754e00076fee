"""Promise: with 1,000 steps in ten layers, each reading two of the layer below, a no-op takes at most 150 ms."""

from __future__ import annotations

import sys

import pipelines
from harness import Stage, options
from pipelines import AGAIN
from report import Promise
from shapes import layers


def main() -> int:
    promise = __doc__ or ""
    stage = Stage(name="thousand_steps", promise=promise, options=options(promise, n=5))
    series = pipelines.measure(stage, layers(10, 100), workers=2)
    return stage.finish(series, [Promise(text="a no-op takes at most 0.150 s", of=("headway", AGAIN), most=0.150)])


if __name__ == "__main__":
    sys.exit(main())
