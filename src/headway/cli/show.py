"""Show one run: its steps and why each ran, parameters, metrics, tests, what it made.

Group: Looking back

    headway show        the newest run
    headway show 12     run 12
"""

import argparse
import time

from headway import wiring
from headway.cli import outcome_of, print_json, run_number
from headway.config import Settings
from headway.core.history import RunView, StepView
from headway.errors import BlobMissing
from headway.flows import history
from headway.ports import Blobs
from headway.terminal import words

MOST_TESTS = 40
"""Tests listed one by one; of more only those that did not pass."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="its number (default: the newest)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print it."""
    with wiring.look(settings) as parts:
        view = history.run_view(run_number(args.run, parts.log), parts.log)
        if args.json:
            print_json(view)
            return 0
        view.outcome = outcome_of(view.outcome, view.run, parts)
        print("\n".join([*_head(view), *_steps(view), *_numbers(view), *_tests(view), *_made(view)]))
        for step in view.steps.values():
            _summary(step, parts.blobs)
    return 0


def _head(view: RunView) -> list[str]:
    started, source, place = view.started, view.started.source, view.started.place
    took = f", took {words.took(view.seconds)}" if view.seconds else ""
    lines = [f"run {view.run} of {started.name}: {view.outcome}, {words.ago(time.time() - view.at)}{took}"]
    if view.why:
        lines.append(f"  {view.why}")
    if view.n_resumed:
        lines.append(f"  taken up again {view.n_resumed} time{'s' * (view.n_resumed > 1)}")
    if source.commit:
        dirty = " with uncommitted changes" if source.diff else ""
        lines.append(f"  commit {source.commit[:12]}{f' on {source.branch}' if source.branch else ''}{dirty}")
    lines.append(f"  python {place.python}; {place.platform}; {place.user}@{place.host}; seed {started.seed}")
    return lines


def _steps(view: RunView) -> list[str]:
    rows = [
        ["", step.step, step.state, words.took(step.seconds) if step.seconds else "", step.why]
        for step in view.steps.values()
    ]
    return ["", *words.table(rows)] if rows else []


def _numbers(view: RunView) -> list[str]:
    lines = []
    if view.started.params:
        lines += ["", "params:", *words.table([["", n, str(v)] for n, v in view.started.params.items()])]
    if view.metrics:
        lines += ["", "metrics:", *words.table([["", n, f"{v:.6g}"] for n, v in view.metrics.items()])]
    return lines


def _tests(view: RunView) -> list[str]:
    tests = [test for step in view.steps.values() for test in step.tests]
    shown = tests if len(tests) <= MOST_TESTS else [t for t in tests if t.outcome != "passed"]
    rows = [
        ["", t.outcome, t.name, words.took(t.seconds), t.message.splitlines()[0][:80] if t.message else ""]
        for t in shown
    ]
    passed = sum(t.outcome == "passed" for t in tests)
    return ["", f"tests: {passed} of {len(tests)} passed", *words.table(rows)] if tests else []


def _made(view: RunView) -> list[str]:
    rows = [
        ["", a.path, a.digest[:12], words.size(a.size_bytes), f"by {step.step}"]
        for step in view.steps.values()
        for a in step.outputs.values()
    ]
    values = [["", f"{s.step}: {name}", value] for s in view.steps.values() for name, value in s.values.items()]
    lines = ["", "outputs:", *words.table(rows)] if rows else []
    return lines + (["", "values:", *words.table(values)] if values else [])


def _summary(step: StepView, blobs: Blobs) -> None:
    if step.summary is None:
        return
    try:
        text = blobs.get(step.summary).decode("utf-8", "replace")
    except BlobMissing:
        # Of an old run `headway gc` keeps how it came about, not what its steps wrote.
        text = "(its summary is no longer in the store)"
    print(f"\n{step.step} says:")
    print("\n".join(f"  {line}" for line in text.splitlines()))
