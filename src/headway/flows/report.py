"""Reports out of the log: what a run, a release or a span of time came to, with what was kept of it.

Reads; records nothing. `core/report_run`, `core/report_release` and `core/report_span` say what stands there.
"""

import re
from collections import deque
from collections.abc import Iterable

from headway.codec.rollout_svg import drawn
from headway.core import facts as f
from headway.core import report_release, report_run, report_span
from headway.core.gate_kept import GateView
from headway.core.history import RunView, StepView
from headway.core.ids import RunId
from headway.core.report import Report
from headway.core.story import Line, is_detail
from headway.errors import BlobDamaged, BlobMissing, NameUnknown
from headway.flows import gate_show, history, rollout_view
from headway.flows.story import Asked, story
from headway.ports import Blobs, Leases, Log

LINES = 40
"""Lines of the end of what a step printed."""

SUMMARY_BYTES = 20_000
"""So much is shown of what a step wrote for people."""

_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-_])")


def of_run(log: Log, blobs: Blobs, home: str, run: RunId) -> Report:
    """The report of a run. What is gone from the store is left out. Raises NameUnknown."""
    view = history.run_view(run, log)
    bad = [one for one in view.steps.values() if one.state in ("failed", "invalid", "timeout")]
    return report_run.of_run(
        view,
        gates=[gate for one in view.steps.values() if (gate := _gate(log, blobs, view, one)) is not None],
        printed={one.step: text for one in bad if (text := _printed(blobs, home, view, one))},
        summaries={one.step: text for one in view.steps.values() if (text := _summary(blobs, one))},
        after=_after(log, view),
    )


def _gate(log: Log, blobs: Blobs, view: RunView, step: StepView) -> GateView | None:
    if "verdict" not in step.values:
        return None
    try:
        return gate_show.of_run(view.run, step.step, log=log, blobs=blobs)
    except (NameUnknown, BlobMissing, BlobDamaged):
        return None


def _printed(blobs: Blobs, home: str, view: RunView, step: StepView) -> str:
    try:
        return _end_of(history.printed(blobs, home, view, step.step))
    except (BlobMissing, BlobDamaged):
        return ""


def _end_of(blocks: Iterable[bytes]) -> str:
    """The last lines of a text, as they look without colours."""
    kept: deque[bytes] = deque(maxlen=LINES)
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        kept.extend(whole)
    if rest:
        kept.append(rest)
    text = b"\n".join(kept).decode("utf-8", "replace")
    lines = (_ESCAPES.sub("", line.rstrip("\r").rpartition("\r")[2]).expandtabs() for line in text.split("\n"))
    return "\n".join(lines)


def _summary(blobs: Blobs, step: StepView) -> str:
    if step.summary is None:
        return ""
    try:
        return blobs.get(step.summary)[:SUMMARY_BYTES].decode("utf-8", "replace").expandtabs()
    except (BlobMissing, BlobDamaged):
        return ""


def _after(log: Log, view: RunView) -> list[Line]:
    """What the run led to: the versions that it registered, its releases and how they went."""
    its: set[tuple[str, int]] = set()
    lines = []
    for one in story(log, Asked(since=view.at)).told:
        fact, stream = one.entry.fact, one.entry.stream
        if isinstance(fact, f.ModelRegistered | f.ReleaseStarted) and fact.run == view.run:
            lines.append(one.line)
            if isinstance(fact, f.ReleaseStarted):
                its.add((stream, fact.release))
        elif (stream, getattr(fact, "release", 0)) in its:
            lines.append(one.line)
    return lines


def of_release(log: Log, leases: Leases, endpoint: str, *, now: float, release: int | None = None) -> Report:
    """The report of the newest release of an endpoint, or of that of a number. Raises NameUnknown."""
    view = rollout_view.look(log, leases, endpoint, now=now, release=release).release
    lines = [
        one.line
        for one in story(log, Asked(about=f"endpoint/{endpoint}")).told
        if getattr(one.entry.fact, "release", 0) == view.release
    ]
    svg = ""
    if view.stages:
        said = report_release.stands_of(view, now=now)
        course = rollout_view.course(log, endpoint, release=view.release, now=now)
        svg = drawn(course, title=f"release {view.release} of {endpoint}", said=said)
    return report_release.of_release(view, now=now, svg=svg, story=lines)


def of_span(log: Log, *, since: float, until: float, project: str) -> Report:
    """The report of all that happened from `since` up to `until` (UTC seconds)."""
    happened = [
        (one.line, one.entry)
        for one in story(log, Asked(since=since, every=True)).told
        if one.entry.at < until and (isinstance(one.entry.fact, f.QualitySeen) or not is_detail(one.entry.fact))
    ]
    return report_span.of_span(happened, since=since, until=until, project=project)
