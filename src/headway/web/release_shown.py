"""What the page of a release shows: traffic, stages, evidence by where it leads, golden requests, events.

Values and words; what is drawn of them, `codec/traffic_svg` knows. Decides nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from headway.codec.traffic_svg import Side, meter, split
from headway.core import facts as f
from headway.core.rollout_picture import Picture, Row, traffic
from headway.core.rollout_view import ReleaseView, StageView
from headway.core.story import line_of
from headway.core.telling import number
from headway.core.vetting import compared
from headway.ports import Log

MOST = 60
"""Events of a release, the newest."""

StageState = Literal["done", "skipped", "now", "ahead", "stopped"]
"""`stopped`: the release ended there."""


class StageShown(Struct, frozen=True, kw_only=True):
    """One stage: how it stands in a word, what was counted, and how far it is (0 to 1; below 0: that is not known)."""

    text: str
    state: StageState
    words: str
    counted: str = ""
    began_at: float = 0.0
    share: float = -1.0


class Part(Struct, frozen=True, kw_only=True):
    """A share of the requests (0 to 1), and who answers it or gets copies of it."""

    side: Side
    version: str
    share: float


class Traffic(Struct, frozen=True, kw_only=True):
    """Who answers what: `said` in a sentence, `picture` as an SVG."""

    said: str
    parts: tuple[Part, ...]
    picture: str


class EvidenceRow(Struct, frozen=True, kw_only=True):
    """A guard or check as a row, and its way to the bound as an SVG."""

    row: Row
    picture: str


class Evidence(Struct, frozen=True, kw_only=True):
    """`against` leads to rolling back, `proofs` to going on; so many more rows are quiet."""

    against: tuple[EvidenceRow, ...] = ()
    proofs: tuple[EvidenceRow, ...] = ()
    n_more: int = 0


class Golden(Struct, frozen=True, kw_only=True):
    """What real requests were asked of the version before any traffic, and the first few that it answered wrongly."""

    said: str
    is_right: bool
    at: float
    wrong: tuple[str, ...] = ()


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened to the release."""

    at: float
    text: str
    is_bad: bool = False


# --- stages and traffic -----------------------------------------------------------------------------------------


_STATES: dict[StageState, str] = {"done": "passed", "skipped": "skipped", "now": "now", "ahead": "ahead"}

_STOPPED = {"rolled-back": "rolled back here", "aborted": "called off here", "failed": "failed here"}


def stages(view: ReleaseView, picture: Picture | None) -> tuple[StageShown, ...]:
    """The stages of a release; one that ended badly stopped in the last that it came to."""
    stopped = max((i for i, stage in enumerate(view.stages) if stage.began_at), default=-1)
    is_stopped = view.outcome in _STOPPED
    return tuple(
        _stage(stage, view, picture, is_stopped=is_stopped and i == stopped) for i, stage in enumerate(view.stages)
    )


def _stage(stage: StageView, view: ReleaseView, picture: Picture | None, *, is_stopped: bool) -> StageShown:
    state: StageState = "stopped" if is_stopped else stage.state
    words = _STOPPED[view.outcome] if is_stopped else _STATES[state]
    if state == "ahead" and view.outcome:
        words = "not reached"
    share = 1.0 if state == "done" else -1.0
    if state == "now" and picture is not None:
        share = picture.progress
    counted = f"{number(stage.counted)} requests" if stage.counted else ""
    if stage.requests and state == "now":
        counted = f"{number(stage.counted)} of {number(stage.requests)} requests"
    elif state == "now" and picture is not None and picture.progress_told:
        counted = picture.progress_told
    return StageShown(text=stage.text, state=state, words=words, counted=counted, began_at=stage.began_at, share=share)


def traffic_of(view: ReleaseView) -> Traffic | None:
    """Who answers what while a release is under way; None when it ended."""
    if view.outcome:
        return None
    answered, copied = view.shares
    new = f"{view.model}@{view.version}"
    parts = []
    if answered:
        parts.append(Part(side="new", version=new, share=answered))
    if view.old is not None and answered < 1:
        parts.append(Part(side="old", version=f"{view.model}@{view.old}", share=1 - answered))
    if copied:
        parts.append(Part(side="copies", version=new, share=copied))
    said = traffic(view)
    return Traffic(said=said, parts=tuple(parts), picture=split([(one.side, one.share) for one in parts], said))


# --- evidence ---------------------------------------------------------------------------------------------------


def evidence(picture: Picture | None) -> Evidence | None:
    """The rows of a picture by where they lead; None where nothing is judged yet."""
    if picture is None or not picture.rows:
        return None
    proofs = [row for row in picture.rows if row.mark in ("proved", "unproved")]
    against = [row for row in picture.rows if row not in proofs]
    return Evidence(
        against=tuple(_drawn(against, "rolls back at the line")),
        proofs=tuple(_drawn(proofs, "is proved at the line")),
        n_more=picture.n_more,
    )


def _drawn(rows: Sequence[Row], bound: str) -> Iterator[EvidenceRow]:
    for row in rows:
        label = f"{row.name}: {row.told}, {round(100 * row.share)} % of the way; {bound}"
        yield EvidenceRow(row=row, picture=meter(row.share, row.mark, label))


# --- what happened ----------------------------------------------------------------------------------------------


def happened(log: Log, view: ReleaseView) -> tuple[Golden | None, tuple[Event, ...]]:
    """How its golden requests were answered, and what happened to it, newest first."""
    golden: Golden | None = None
    releases: dict[tuple[str, int], f.ReleaseStarted] = {}
    events: list[Event] = []
    for entry in log.read(f"endpoint/{view.endpoint}"):
        fact = entry.fact
        # What headway decides is told by what comes of it, with the same reason.
        is_told = not isinstance(fact, f.StageLooked) and not (isinstance(fact, f.ReleaseDirected) and not fact.by)
        if not is_told or getattr(fact, "release", 0) != view.release:
            continue
        if isinstance(fact, f.ReleaseStarted):
            releases[view.endpoint, fact.release] = fact
        if isinstance(fact, f.GoldenAnswered):
            golden = _golden(fact, entry.at)
        line = line_of(entry, releases)
        if line is not None:
            events.append(Event(at=entry.at, text=line.text, is_bad=line.is_bad))
    return golden, tuple(reversed(events[-MOST:]))


def _golden(fact: f.GoldenAnswered, at: float) -> Golden:
    right = fact.n_requests - fact.n_wrong
    told = [f"{number(right)} of {number(fact.n_requests)} answered right" if fact.n_requests else "none were asked"]
    if fact.slowest_ms:
        told.append(f"the slowest in {fact.slowest_ms:,.3g} ms")
    told.append(compared(fact))
    if fact.n_unlike:
        told[-1] = f"{number(fact.n_unlike)} of {number(fact.n_compared)} rows answered otherwise than before"
    said = "; ".join(one for one in told if one)
    return Golden(said=said, is_right=fact.is_right, at=at, wrong=(*fact.wrong, *fact.unlike))
