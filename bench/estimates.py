"""Promise: quality estimated without labels is NannyML's within a millionth (CBPE), and no further off than its DLE.

On the data that NannyML ships: ten windows of its car loans, five metrics each; ten windows of its car prices, whose
mean absolute errors are known from the labels that come later. Everything is counted from an empty process.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import environments
from estimates_worker import METRICS
from harness import Contender, Stage, options, take_turns
from projects.tool import Tool
from report import Promise, Sample
from workers import Worker, unless

WORKER = Path(__file__).resolve().parent / "estimates_worker.py"
LOANS, CARS = "accuracy and four more of a classifier", "the mean absolute error of numbers"
HEADWAY = Tool(name="headway[sklearn]")
NANNYML = Tool(
    name="nannyml",
    # As in `drift`: it imports statsmodels without asking for it; newer ones of the others break it.
    requirements=("nannyml==0.13.1", "statsmodels", "pandas<3", "scikit-learn<1.7", "pyarrow"),
    variables={"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "PYTHONWARNINGS": "ignore"},
)
ALIKE = 1e-6
N_WINDOWS = 10


def main() -> int:
    promise = __doc__ or ""
    stage = Stage(name="estimates", promise=promise, options=options(promise, n=3))
    work = stage.scratch() / "work"
    stage.bring([HEADWAY, NANNYML])
    worker = Worker(stage=stage, script=WORKER)
    environments.empty(work)
    for task in ("data", "loans"):
        sample, exact = worker.ask(NANNYML, work, "nannyml", task)
        if sample.fault:
            raise SystemExit(f"NannyML could not give its {task}: {sample.fault}")

    def play(tool: Tool, name: str) -> Iterator[tuple[str, Sample]]:
        sample, said = worker.ask(tool, work, name, "loans")
        yield LOANS, unless(_fault(said, exact), sample)
        sample, said = worker.ask(tool, work, name, "cars")
        fault = None if said.get("windows") == N_WINDOWS else "not all windows were estimated"
        yield CARS, unless(fault, sample if sample.fault else sample.with_counts({"mean error": said["mean error"]}))

    contenders = [
        Contender(tool="headway", play=lambda _: play(HEADWAY, "headway")),
        Contender(tool="nannyml", play=lambda _: play(NANNYML, "nannyml")),
    ]
    return stage.finish(take_turns(contenders, stage.options.n), _promises())


def _promises() -> list[Promise]:
    return [
        Promise(text="DLE: no further off than nannyml", of=("headway", CARS), over=("nannyml", CARS),
                measure="mean error", most=1),
        Promise(text="CBPE (equal within 1e-6 or no number): less CPU than nannyml", of=("nannyml", LOANS),
                over=("headway", LOANS), measure="cpu_s", least=1),
    ]  # fmt: skip


# Any: what a tool says of each metric.
def _fault(said: dict[str, Any], exact: dict[str, Any]) -> str | None:
    """What is not as NannyML says."""
    for metric in METRICS:
        pairs = list(zip(said.get(metric, ()), exact[metric], strict=False))
        if len(pairs) != N_WINDOWS:
            return f"{metric} was estimated of {len(pairs)} windows instead of {N_WINDOWS}"
        furthest = max(abs(one - other) for one, other in pairs)
        if furthest > ALIKE:
            return f"{metric} is {furthest:.2g} away from NannyML's"
    return None


if __name__ == "__main__":
    sys.exit(main())
