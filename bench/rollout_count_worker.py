"""Runs in headway's own environment: `rollout_count_worker.py TASK N_LINES` counts a log made here, look by look.

Tasks: `plain` (a canary, errors and latency), `shadow` (every other line is a copy's, and answers are compared),
`sticky` (a canary by customer), `everything` (a canary with predictions in bins, a label for each request a look later,
and 20 slices). Writes counts.json: lines and lines a second of processor, of counting alone. Raises when the counts are
not those of the log.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from headway.core.prediction_log import LabelLine, Line
from headway.core.strategy import Strategy
from headway.core.strategy_grammar import read_strategy
from headway.core.tally import Tally
from headway.core.tally_answers import Bins

OLD, NEW = 1, 2
PER_LOOK = 1200
AT = 1_780_000_000.0
PLAIN: dict[str, object] = {"rollback": ["errors", "latency"], "slower-than": "200ms"}
EVERYTHING: dict[str, object] = {
    "rollback": ["errors", "latency", "quality", "predictions"],
    "checks": ["new.errors / old.errors <= 1.5 for each region"],
    "slower-than": "200ms",
}
STAGES = {
    "plain": "canary: 10% for 10000 requests",
    "shadow": "shadow: 100% for 10000 requests",
    "sticky": "canary: 10% by customer for 10000 requests",
    "everything": "canary: 10% for 10000 requests",
}


def strategy(task: str) -> Strategy:
    """The strategy whose log is counted."""
    kind, said = STAGES[task].split(": ")
    values = EVERYTHING if task == "everything" else PLAIN
    read = read_strategy({"strategy": [{kind: said}, "promote"], **values})
    if read.strategy is None:
        raise SystemExit(f"the strategy is not read: {read.problems}")
    return read.strategy


def log(task: str, n_lines: int) -> list[Line]:
    """Lines of requests, 20 a second; one in fifty fails, and each tenth (of a shadow each other) is the new one's."""
    lines = []
    for i in range(n_lines):
        is_copy = task == "shadow" and i % 2 == 1
        is_new = is_copy or (task != "shadow" and i % 10 == 0)
        is_failed = i % 50 == 49
        lines.append(
            Line(
                request_id=f"request-{i // 2 if task == 'shadow' else i}",
                at=AT + i / 20,
                ms=300.0 if i % 40 == 0 else 20.0,
                model="bench",
                version=NEW if is_new else OLD,
                rows=[{"customer": i % 5000, "region": f"r{i % 25}", "amount": i * 0.5}],
                predictions=[] if is_failed else [i % 3],
                status=500 if is_failed else 200,
                is_shadow=is_copy,
            )
        )
    return lines


def main(task: str, n_lines: str) -> None:
    lines = log(task, int(n_lines))
    tally = Tally(strategy(task), NEW, OLD, Bins(of="classes", classes=("0", "1", "2")))
    looks = [lines[start : start + PER_LOOK] for start in range(0, len(lines), PER_LOOK)]
    labels = [_labels(before) if task == "everything" else [] for before in [[], *looks]]
    n = failed = slow = 0
    started = time.process_time()
    for i, look in enumerate(looks):
        for window in tally.after(look, labels[i], looks[i - 1] if labels[i] else ()):
            if not window.slice:
                n += window.new.requests + window.old.requests
                failed += window.new.failed + window.old.failed
                slow += window.new.slow + window.old.slow
    seconds = time.process_time() - started
    right = (len(lines), sum(line.status != 200 for line in lines), sum(line.ms > 200 for line in lines))
    if (n, failed, slow) != right:
        raise SystemExit(f"counted {(n, failed, slow)} instead of {right}")
    Path("counts.json").write_text(json.dumps({"lines": n, "lines/s": n / seconds}))


def _labels(look: list[Line]) -> list[LabelLine]:
    return [LabelLine(request_id=x.request_id, row=0, label=1, at=x.at, received_at=x.at + 60) for x in look]


if __name__ == "__main__":
    main(*sys.argv[1:])
