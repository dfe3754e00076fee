"""Promise: a gate of 20 checks over a million rows takes under 2 s of processor and 500 MB, besides predicting.

Eight of the checks are for each of 50 regions. The seconds are those from both models' answers to the verdict; the
memory is that of the whole process. Its numbers are those of a loop with NumPy and SciPy by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import Contender, Size, Stage, options, take_turns
from report import MB, Promise, Sample
from workers import HEADWAY, Worker, chosen, unless

WORKER = Path(__file__).resolve().parent / "gate_worker.py"
CASE, FILE = "20 checks, 50 slices", "answers.parquet"
#: SciPy lies beside headway, which needs it.
BY_HAND = "scipy by hand"


def main() -> int:
    promise = __doc__ or ""
    size = Size(name="rows", default=1_000_000, help="rows of the holdout")
    stage = Stage(name="gate", promise=promise, options=options(promise, n=3, size=size))
    scratch = stage.scratch()
    stage.bring([HEADWAY])
    wanted = chosen(stage.options, ["scipy"])
    worker = Worker(stage=stage, script=WORKER)
    folder = scratch / "holdout"
    worker.make(folder, "make", str(stage.options.size))
    sample, exact = worker.ask(HEADWAY, folder, "scipy", FILE)
    if sample.fault:
        raise SystemExit(f"SciPy could not say what is right: {sample.fault}")
    contenders = [Contender(tool="headway", play=lambda _: _played(worker, "headway", folder, exact))]
    if "scipy" in wanted:
        contenders.append(Contender(tool=BY_HAND, play=lambda _: _played(worker, "scipy", folder, exact)))
    return stage.finish(take_turns(contenders, stage.options.n), promises())


def promises() -> list[Promise]:
    """At most 2 s and 500 MB."""
    ours = ("headway", CASE)
    return [
        Promise(text=f"{CASE}: under 2 s of processor from answers to verdict", of=ours, measure="checks_s", most=2.0),
        Promise(text=f"{CASE}: at most 500 MB", of=ours, measure="rss_bytes", most=500 * MB),
    ]


# Any: what a tool says of each check.
def _played(worker: Worker, task: str, folder: Path, exact: dict[str, Any]) -> Iterator[tuple[str, Sample]]:
    sample, said = worker.ask(HEADWAY, folder, task, FILE)
    counted = sample if sample.fault else sample.with_counts({"checks_s": float(said.get("seconds", 0.0))})
    yield CASE, unless(fault_of(said, exact), counted)


def fault_of(said: dict[str, Any], exact: dict[str, Any]) -> str | None:
    """What is wrong with what was measured, by the loop's numbers."""
    for text, value in exact["values"].items():
        found = said.get("values", {}).get(text)
        told, right = (one if isinstance(one, dict) else {"": one} for one in (found, value))
        if set(told) != set(right) or None in told.values():
            return f"says nothing of some rows: {text}"
        for name, number in right.items():
            if abs(told[name] - number) > 1e-9:
                return f"{text} {name}: {told[name]} instead of {number}"
    return None


if __name__ == "__main__":
    sys.exit(main())
