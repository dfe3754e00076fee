"""Releases for people: a plan, and how one that is under way goes, drawn in letters. Decides nothing.

Fits the width it is given, in Unicode or ASCII; signs and words tell all, colours only add to them. Neighbour:
`core/rollout_picture` says what is drawn.
"""

from collections.abc import Iterable, Sequence
from textwrap import wrap

from headway.core.rollout_picture import (
    FEW,
    SIGNS,
    Mark,
    Picture,
    Row,
    coming,
    headline,
    picture,
    shorter,
    to_type,
    told_end,
    waits_for,
)
from headway.core.rollout_view import ReleaseView
from headway.flows.rollout_view import Looked
from headway.terminal.paint import Paint
from headway.terminal.tail import clean
from headway.terminal.width import cells, cut, padded
from headway.terminal.words import ago, table

_ASCII: dict[Mark, str] = {"broken": "x", "near": "!", "proved": "+", "unproved": "?", "quiet": "."}
_COLOURS: dict[Mark, str] = {"broken": "red", "near": "yellow", "proved": "green", "unproved": "dim", "quiet": "dim"}

_NAME = 34
"""Columns of a guard's name at most."""

MOST_ROWS = 10_000
"""As many rows as there can be."""

_BAR = 12
_LONG_BAR = 20


def wrapped(lines: Iterable[str], columns: int) -> list[str]:
    """The lines in so many columns of the screen; what goes on stands deeper than where it began.

    >>> wrapped(["canary: 10%", "  errors: caught now and then"], 18)
    ['canary: 10%', '  errors: caught', '    now and then']
    """
    folded = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        folded += wrap(
            line, columns, subsequent_indent=f"{indent}  ", break_long_words=False, break_on_hyphens=False
        ) or [""]
    return folded


def drawn(drawing: Picture, stage: str, *, columns: int, paint: Paint) -> list[tuple[str, str]]:
    """The stage and the rows, each line as plain text and with its colours."""
    lines = []
    if stage:
        lines.append(_stage(drawing, stage, columns, paint))
    names = [clean(row.name) for row in drawing.rows]
    wide = min(max((cells(name) for name in names), default=0), max(2 * columns // 5, 8), _NAME)
    beside = max((len(row.told) for row in drawing.rows), default=0)
    lines += [
        _row(row, padded(cut(name, wide, paint.ellipsis), wide), beside, columns, paint)
        for row, name in zip(drawing.rows, names, strict=True)
    ]
    return lines


def _stage(drawing: Picture, stage: str, columns: int, paint: Paint) -> tuple[str, str]:
    text = f"  {stage}"
    if drawing.progress < 0:
        whole = cut(f"{text}, {drawing.progress_told}" if drawing.progress_told else text, columns, paint.ellipsis)
        return whole, whole
    told = f" {drawing.progress_told}"
    long = min(_LONG_BAR, max(columns // 8, 4))
    bar = _bar(drawing.progress, long, paint)
    room = columns - cells(told) - long - 2
    if room < len("  stage 1 of 9"):
        short = cut(f"{text}:{told}", columns, paint.ellipsis)
        return short, short
    head = cut(text, room, paint.ellipsis)
    return f"{head}  {bar}{told}", f"{head}  {paint(bar, 'cyan')}{told}"


def _row(row: Row, name: str, beside: int, columns: int, paint: Paint) -> tuple[str, str]:
    sign = (SIGNS if paint.ellipsis == "…" else _ASCII)[row.mark]
    colour = _COLOURS[row.mark]
    bar = _bar(row.share, _BAR, paint)
    told = row.told.ljust(beside)
    plain, painted = f"  {sign} {name} {bar} {told}", f"  {paint(sign, colour)} {name} {paint(bar, colour)} {told}"
    room = columns - cells(plain)
    counts = next((said for said in (row.counts, shorter(row.counts)) if said and cells(said) + 2 <= room), "")
    if counts:
        plain, painted = f"{plain}  {counts}", f"{painted}  {counts}"
    short = cut(plain.rstrip(), columns, paint.ellipsis)
    return short, painted.rstrip() if short == plain.rstrip() else short


def _bar(share: float, columns: int, paint: Paint) -> str:
    """A bar; what is not nothing is seen, and only the whole is full."""
    full, empty = "━╌" if paint.ellipsis == "…" else "#-"
    n = round(share * columns)
    if 0 < share < 1:
        n = min(max(n, 1), columns - 1)
    return full * n + empty * (columns - n)


# --- a whole release ----------------------------------------------------------------------------------------------


def status(looked: Looked, *, columns: int, paint: Paint, every: bool = False) -> list[tuple[str, str]]:
    """How a release stands: six lines where all is quiet, more where there is more to say. Plain, and with colours.

    `every` guard and slice, whether or not it is quiet.
    """
    view, verdict, now = looked.release, looked.verdict, looked.at
    head = told_end(view, now=now) if view.outcome else headline(view, now=now)
    lines = [(line, paint(line, "bold")) for line in wrap(clean(head), columns, subsequent_indent="  ")]
    if verdict is not None and looked.strategy is not None and not view.is_alone:
        stage = view.stage
        where = f"stage {view.number} of {len(view.stages)}, {stage.text}" if stage is not None else ""
        seen = picture(view, looked.strategy, verdict, now=now, most=MOST_ROWS if every else FEW)
        lines += drawn(seen, clean(where), columns=columns, paint=paint)
        if seen.n_more:
            lines += _alike([f"and {seen.n_more} more, less near to rolling back"], columns)
    return [*lines, *_alike(_said(looked), columns)]


def briefly(looked: Looked, columns: int) -> list[str]:
    """How a release stands, without its evidence: who answers what, what comes next, who is waited for."""
    view, now = looked.release, looked.at
    head = told_end(view, now=now) if view.outcome else headline(view, now=now)
    return [*wrap(clean(head), columns, subsequent_indent="  "), *(line for line, _ in _alike(_said(looked), columns))]


def _said(looked: Looked) -> list[str]:
    """What it means, what comes next, and who is waited for."""
    view, verdict, now = looked.release, looked.verdict, looked.at
    alone = ["nothing served beside it that it could be compared with"] if view.is_alone else []
    if view.outcome:
        return [*alone, *([view.ended_why] if view.ended_why else [])]
    lines = []
    if verdict is not None and verdict.outcome in ("roll-back", "unsure"):
        lines.append(f"{verdict.outcome.replace('-', ' ')}: {verdict.why}")
    waiting = waits_for(view)
    if waiting:
        if view.held and view.held != (verdict.why if verdict else "") and not view.held.endswith(waiting):
            lines.append(view.held)
        lines.append(f"{waiting}: {' or '.join(to_type(view))}" if to_type(view) else waiting)
        if view.held_by == "unsure" and view.held and looked.driver is None:
            lines.append(f"or see whether more requests suffice: headway rollout watch {view.endpoint}")
        return lines
    if verdict is not None and not lines:
        quiet = "; ".join(alone) or "nothing shown to be worse"
        lines.append(f"{quiet}; {coming(view, verdict, now=now)}")
    if looked.driver is None:
        lines.append(f"nobody drives it now: headway rollout watch {view.endpoint}")
    elif not lines:
        lines.append(coming(view, verdict, now=now) or f"driven by {looked.driver}")
    return lines


def _alike(lines: Iterable[str], columns: int) -> list[tuple[str, str]]:
    """Lines without colours, folded."""
    folded = wrapped((f"  {clean(line)}" for line in lines), columns)
    return [(line, line) for line in folded]


def listed(views: Sequence[ReleaseView], *, now: float, columns: int = 0) -> list[str]:
    """Releases, a line each: number, version, how it ended, when, by whom, why. As wide as it gets with 0 columns."""
    rows = [
        [
            str(view.release),
            f"{view.model}@{view.version}",
            view.outcome or (f"stage {view.number} of {len(view.stages)}" if view.number else "starting"),
            ago(now - (view.ended_at or view.started_at)),
            view.by or "-",
            clean(_reason(view)),
        ]
        for view in views
    ]
    lines = table(rows, heads=["release", "version", "outcome", "", "by", "why"])
    return [cut(line, columns, "…") if columns else line for line in lines]


def _reason(view: ReleaseView) -> str:
    override = f"without a passing verdict: {view.override}" if view.override else ""
    goes_back = "rollback" if view.cause == "rollback" else ""
    return "; ".join(part for part in (view.ended_why or view.held, goes_back, view.why, override) if part)
