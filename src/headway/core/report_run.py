"""The report of a run: how it ended and why, its steps, tests, metrics and gates, and what it made."""

from collections.abc import Mapping, Sequence

from headway.core.gate_kept import GateView, headline
from headway.core.history import RunView, StepView
from headway.core.ids import SHORT
from headway.core.report import Code, Report, Table, Words, of_story, section, table, when
from headway.core.story import Line
from headway.core.telling import number

_ENDS = {
    "passed": "passed",
    "running": "is under way",
    "refused": "was refused by its gate",
    "held": "is held",
    "invalid": "was stopped at invalid data",
    "rolled-back": "ended with a release that was rolled back",
    "interrupted": "was interrupted",
}

MOST_TESTS = 20
"""Tests that did not pass and are shown with what they said."""


def of_run(
    run: RunView,
    *,
    gates: Sequence[GateView] = (),
    printed: Mapping[str, str] | None = None,
    summaries: Mapping[str, str] | None = None,
    after: Sequence[Line] = (),
) -> Report:
    """The report. `printed` has the end of what steps printed that did not pass, `summaries` what steps wrote.

    `after` tells what the run led to: versions, releases.
    """
    ended = _ENDS.get(run.outcome, run.outcome)
    why = f": {run.why}" if run.why else ""
    sections = (
        section("What did not pass", *_failing(run, printed or {})),
        section("Steps", _steps(run)),
        section("Gates", *[block for view in gates for block in _gate(view)]),
        section("Tests", *_tests(run)),
        section("Metrics", table("", ["metric", "value"], _metrics(run), numbers=(1,))),
        section("Parameters", table("", ["parameter", "value"], _params(run))),
        section("Outputs", table("", ["step", "path", "content"], _outputs(run))),
        section("What steps wrote", *_written(summaries or {})),
        section("What came of it", *([of_story(after, about=True)] if after else [])),
    )
    return Report(
        title=f"Run {run.run} of {run.started.name}",
        headline=f"Run {run.run} of {run.started.name} {ended}{why}",
        is_bad=run.outcome not in ("passed", "running"),
        facts=tuple((word, value) for word, value in _facts(run) if value),
        sections=tuple(one for one in sections if one is not None),
    )


def _facts(run: RunView) -> list[tuple[str, str]]:
    started = run.started
    source, place = started.source, started.place
    branch = f" on {source.branch}" if source.branch else ""
    changed = " with uncommitted changes" if source.diff else ""
    return [
        ("began", f"{when(run.at)} UTC"),
        ("took", f"{run.seconds:.1f} s" if run.outcome != "running" else ""),
        ("started by", "hand" if started.trigger == "person" else started.trigger),
        ("commit", f"{source.commit[:12]}{changed}{branch}" if source.commit else ""),
        ("file", started.file),
        ("on", ", ".join(filter(None, (place.host, place.platform, place.python)))),
        ("taken up again", f"{run.n_resumed} times" if run.n_resumed else ""),
    ]


def _steps(run: RunView) -> Table:
    rows = [(one.step, one.state, f"{one.seconds:.1f}" if one.seconds else "", one.why) for one in run.steps.values()]
    return table("", ["step", "state", "s", "why"], rows, numbers=(2,))


def _failing(run: RunView, printed: Mapping[str, str]) -> list[Words | Code]:
    blocks: list[Words | Code] = []
    for step, text in printed.items():
        view = run.steps.get(step)
        state = view.state if view is not None else ""
        told = f"the end of what it printed; all of it: `headway logs {run.run} {step}`"
        blocks.append(Words(words=f"{step} {state}: {told}"))
        blocks.append(Code(text=text))
    return blocks


def _gate(view: GateView) -> list[Words | Table]:
    verdict = view.kept.verdict
    rows = [(one.check.text, one.outcome, one.why) for one in verdict.checks]
    said = Words(words=f"{headline(view)} (`headway gate show {view.digest[:SHORT]}`)")
    return [said, table("", ["check", "verdict", "why"], rows)]


def _tests(run: RunView) -> list[Words | Table]:
    tests = [(step, test) for step in run.steps.values() for test in step.tests]
    if not tests:
        return []
    counts: dict[str, int] = {}
    for _, test in tests:
        counts[test.outcome] = counts.get(test.outcome, 0) + 1
    bad = [
        (step.step, test.name, test.outcome, test.message)
        for step, test in tests
        if test.outcome in ("failed", "error")
    ]
    said = ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()))
    return [Words(words=said), table("", ["step", "test", "outcome", "said"], bad[:MOST_TESTS])]


def _metrics(run: RunView) -> list[tuple[str, str]]:
    return [(name, number(value)) for name, value in sorted(run.metrics.items())]


def _params(run: RunView) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in sorted(run.started.params.items())]


def _outputs(run: RunView) -> list[tuple[str, str, str]]:
    def of(step: StepView) -> list[tuple[str, str, str]]:
        return [(step.step, one.path, one.digest[:SHORT]) for one in step.outputs.values()]

    return [row for step in run.steps.values() for row in of(step)]


def _written(summaries: Mapping[str, str]) -> list[Words | Code]:
    return [block for step, text in summaries.items() for block in (Words(words=step), Code(text=text))]
