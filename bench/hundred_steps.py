"""Promise: 100 independent steps with two workers take at most 4 x what make takes, and 12 x less than with DVC."""

from __future__ import annotations

import sys

import pipelines
from harness import Stage, options
from pipelines import FIRST
from report import Promise
from shapes import independent


def main() -> int:
    promise = __doc__ or ""
    stage = Stage(name="hundred_steps", promise=promise, options=options(promise, n=5))
    series = pipelines.measure(stage, independent(100), workers=2)
    make = Promise(text="at most 4 x make", of=("headway", FIRST), over=("make", FIRST), most=4.0)
    return stage.finish(series, [make, *pipelines.promises([(FIRST, "dvc", 12.0)])])


if __name__ == "__main__":
    sys.exit(main())
