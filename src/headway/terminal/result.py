"""What is said when a run has ended, and what a plan looks like; the same for machines as JSON."""

import sys
from typing import TYPE_CHECKING

from headway.codec import wire
from headway.core.facts import StepFinished
from headway.core.ids import slug
from headway.flows.launch import Ended
from headway.terminal.out import Out

if TYPE_CHECKING:
    from headway.flows.plan import Planned

_NEXT = {
    "passed": "headway show {run}",
    "failed": "headway logs {run} {step}",
    "refused": "headway show {run}",
    "held": "headway show {run}",
    "invalid": "headway logs {run} {step}",
    "rolled-back": "headway rollout status",
    "interrupted": "headway resume {run}",
}
"""The one command to go on with, by outcome."""

_NOTES = {
    "failed": "then mend it and: headway resume {run}",
    "refused": "the reasons; production is as it was",
    "held": "nothing is decided: a gate could not tell, or a person is waited for",
    "invalid": "the data's faults; nothing was trained on them",
    "rolled-back": "production is as it was",
}
"""What a person should know beside it."""


def ended(run: Ended, *, as_json: bool) -> None:
    """Say how a run ended and what to do next: to stderr for people, as JSON on stdout for machines."""
    if as_json:
        # What became of the run stands in the exit code, whether or not anybody reads on.
        Out(sys.stdout).line(_json(run))
        return
    counts = _counts(run)
    took = f"{'in' if run.outcome in ('passed', 'failed') else 'after'} {run.seconds:.1f} s"
    lines = [f"run {run.run} {_outcome(run)} {took}" + (f": {counts}" if counts else "")]
    if run.why and run.outcome != "interrupted":
        lines.append(f"  {run.why}")
    note = _NOTES.get(run.outcome, "").format(run=run.run)
    lines.append(f"  next: {_next(run)}" + (f"    {note}" if note else ""))
    Out(sys.stderr).line("\n".join(lines))


def _next(run: Ended) -> str:
    failed = {s: one for s, one in run.results.items() if isinstance(one, StepFinished) and one.outcome != "passed"}
    # The sentence why a run did not pass begins with the step's name; others may have failed and been allowed to.
    named = (s for s, one in failed.items() if slug(run.why.removesuffix(f": {one.why or one.outcome}")) == s)
    return _NEXT[run.outcome].format(run=run.run, step=next(named, next(iter(failed), "")))


def _outcome(run: Ended) -> str:
    words = {
        "refused": "was refused",
        "held": "is held",
        "invalid": "stopped at invalid data",
    }
    words |= {"rolled-back": "was rolled back", "interrupted": "was interrupted"}
    return words.get(run.outcome, run.outcome)


def _counts(run: Ended) -> str:
    done = list(run.results.values())
    ran = sum(isinstance(one, StepFinished) for one in done)
    counts = {"ran": ran, "reused": len(done) - ran, "skipped": len(run.skipped)}
    return ", ".join(f"{n} {what}" for what, n in counts.items() if n)


def _json(run: Ended) -> str:
    steps = []
    for step, done in run.results.items():
        if isinstance(done, StepFinished):
            steps.append({"step": step, "state": done.outcome, "why": done.why, "seconds": done.seconds})
        else:
            steps.append({"step": step, "state": "reused", "why": f"as in run {done.of_run}", "seconds": 0.0})
        steps[-1] |= {
            "outputs": {name: {"path": a.path, "digest": a.digest} for name, a in done.outputs.items()},
            "values": done.values,
            "metrics": {m.name: m.value for m in done.metrics},
        }
    for step, why in run.skipped.items():
        steps.append({"step": step, "state": "skipped", "why": why, "seconds": 0.0})
        steps[-1] |= {"outputs": {}, "values": {}, "metrics": {}}
    document = {
        "run": run.run,
        "outcome": run.outcome,
        "exit_code": run.exit_code,
        "why": run.why,
        "seconds": run.seconds,
        "steps": steps,
        "next": _next(run),
    }
    return wire.encode(document).decode()


def planned(steps: "tuple[Planned, ...]", *, as_json: bool) -> None:
    """Print a plan: a line a step with what would happen and why."""
    if as_json:
        sys.stdout.write(wire.encode({"steps": steps}).decode() + "\n")
        return
    width = max((len(one.step) for one in steps), default=0)
    for one in steps:
        sys.stdout.write(f"{one.action:<8} {one.step:<{width}}  {one.why}\n")
    runs = sum(one.action in ("run", "depends") for one in steps)
    sys.stdout.write(f"{runs} of {len(steps)} step{'s' * (len(steps) != 1)} would run; nothing was done\n")
