"""The report of a release: how it stands or ended, its stages, what people said of it, and how the evidence went."""

from collections.abc import Sequence

from headway.core.report import Figure, Report, Table, Words, of_story, section, table, when
from headway.core.rollout_picture import headline
from headway.core.rollout_view import ReleaseView
from headway.core.story import Line
from headway.core.telling import duration, number


def of_release(view: ReleaseView, *, now: float, svg: str = "", story: Sequence[Line] = ()) -> Report:
    """The report; `svg` is the picture of its evidence, empty where there is none, `story` what happened to it."""
    stands = stands_of(view, now=now)
    drawn = (Figure(svg=svg, said=stands),) if svg else ()
    sections = (
        section("Stages", _stages(view)),
        section("How the evidence went", *drawn),
        section("What was counted", _counted(view)),
        section("What was said", _said(view)),
        section("What happened", *([of_story(story, about=False)] if story else [])),
        section("What to type", Words(words=f"`headway rollout status {view.endpoint} --release {view.release}`")),
    )
    return Report(
        title=f"Release {view.release} of {view.endpoint}: {view.model}@{view.version}",
        headline=stands,
        is_bad=view.outcome in ("failed", "rolled-back") or bool(view.held),
        facts=tuple((word, value) for word, value in _facts(view, now) if value),
        sections=tuple(one for one in sections if one is not None),
    )


_ENDS = {"rolled-back": "was rolled back", "aborted": "was called off", "failed": "did not come up"}


def stands_of(view: ReleaseView, *, now: float) -> str:
    """How it stands or ended, in words that stay true in a page that is kept: without how long ago that was."""
    if not view.outcome:
        return headline(view, now=now)
    new, old = f"{view.model}@{view.version}", f"{view.model}@{view.old}" if view.old is not None else ""
    if view.outcome == "released":
        return f"{view.endpoint}: {new} took over{f' in place of {old}' if old and old != new else ''}"
    return f"{view.endpoint}: {new} {_ENDS[view.outcome]}, {f'{old} answers everything' if old else 'nobody answers'}"


def _facts(view: ReleaseView, now: float) -> list[tuple[str, str]]:
    before = f"{view.model}@{view.old}" if view.old is not None else "nothing"
    return [
        ("version", f"{view.model}@{view.version}"),
        ("served before", before),
        ("began", f"{when(view.started_at)} UTC"),
        (
            "ended",
            f"{when(view.ended_at)} UTC, after {duration(view.ended_at - view.started_at)}" if view.outcome else "",
        ),
        ("as of", "" if view.outcome else f"{when(now)} UTC"),
        ("asked for by", f"run {view.run}" if view.run is not None else view.by),
        ("because", view.why),
        ("held", view.held),
        ("why it ended so", view.ended_why),
        ("without a passing gate", view.override),
    ]


def _stages(view: ReleaseView) -> Table:
    rows = [
        (
            one.text,
            one.state,
            f"{when(one.began_at)}" if one.began_at else "",
            number(one.counted) if one.counted else "",
        )
        for one in view.stages
    ]
    return table("Times are UTC", ["stage", "", "began", "requests"], rows, numbers=(3,))


def _counted(view: ReleaseView) -> Table:
    totals = view.totals
    rows = [
        (
            name,
            *(f"{number(bad)} of {number(trials)}" for trials, bad in (totals.new[name], totals.old.get(name, (0, 0)))),
        )
        for name in totals.new
        if totals.new[name][0]
    ]
    return table("", ["", f"{view.model}@{view.version}", "before"], rows, numbers=(1, 2))


def _said(view: ReleaseView) -> Table:
    rows = [(when(one.at), one.by or "headway", one.act, one.why) for one in view.said]
    return table("Times are UTC", ["when", "who", "what", "why"], rows)
