"""What is drawn of a release that is under way: the traffic, how far its stage is, each guard's evidence on its way.

Values and words only. Evidence is drawn by its logarithm, since it grows by factors: at half of the way to 25 it is 5.
Neighbours: `terminal/rollouts` draws it in letters, `core/rollout_words` has the whole sentences. Decides nothing.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from headway.core.guard import Guard
from headway.core.rollout_judge import Seen, Verdict
from headway.core.rollout_view import ReleaseView, StageView
from headway.core.rollout_words import Totals, told_slice
from headway.core.strategy import WATCHED, Strategy
from headway.core.telling import duration, number, percent

Mark = Literal["broken", "near", "proved", "unproved", "quiet"]
"""What a row says: rolled back for, more than half of the way there, proved, yet to be proved, nothing to be seen."""

SIGNS: dict[Mark, str] = {"broken": "✗", "near": "!", "proved": "✓", "unproved": "?", "quiet": "·"}

_ORDER: tuple[Mark, ...] = ("broken", "near", "unproved", "quiet", "proved")

LOUD = frozenset({"broken", "near"})
"""What is always drawn."""

NEAR = 0.5

_UNITS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))

FEW = 3
"""Rows that are drawn where all is quiet, so that the whole is six lines."""


class Row(Struct, frozen=True, kw_only=True):
    """One guard, over all requests or in a slice: `share` (0 to 1) of the way to rolling back, or of a check to proof.

    `told` are the numbers of that; `counts` what was counted, in short.
    """

    name: str
    mark: Mark
    share: float
    told: str
    counts: str = ""
    is_slice: bool = False


class Picture(Struct, frozen=True, kw_only=True):
    """What is drawn: rows that matter most first, how many more there are, how far the stage is (below 0: unknown)."""

    rows: tuple[Row, ...]
    n_more: int = 0
    progress: float = -1.0
    progress_told: str = ""


def picture(view: ReleaseView, strategy: Strategy, verdict: Verdict, *, now: float, most: int = FEW) -> Picture:
    """The picture of a release; more than `most` quiet rows are only counted."""
    guards = {guard.text: guard for guard in strategy.guards}
    rows = [_row(one, guards[one.guard], view.totals) for one in verdict.seen if one.guard in guards]
    rows += _harm(verdict)
    ranked = sorted(rows, key=_rank)
    n_loud = sum(row.mark in LOUD for row in rows)
    # A line that counts the others takes the place of one.
    shown = ranked[: max(most if len(rows) <= most else most - 1, n_loud)]
    share, told = _progress(view, verdict, now)
    kept = [row for row in rows if row in shown]
    return Picture(rows=tuple(kept), n_more=len(rows) - len(kept), progress=share, progress_told=told)


def _rank(row: Row) -> tuple[int, bool, int, float]:
    """What matters first, then whole guards before slices, what is waited for, and the nearest to rolling back."""
    place = _ORDER.index(row.mark)
    return (place if row.mark in LOUD else len(LOUD)), row.is_slice, place, -row.share


# --- rows ---------------------------------------------------------------------------------------------------------


def _row(seen: Seen, guard: Guard, totals: Totals) -> Row:
    against = way(seen.evidence, seen.rolls_back_at)
    if seen.state == "broken":
        mark: Mark = "broken"
    elif against >= NEAR:
        mark = "near"
    else:
        is_check = seen.proved_at and not seen.slice
        mark = "quiet" if not is_check else "proved" if seen.state == "proved" else "unproved"
    is_proof = mark in ("proved", "unproved")
    return Row(
        name=short_name(seen, guard),
        mark=mark,
        share=way(seen.proof, seen.proved_at) if is_proof else against,
        told=f"proof {_of_way(seen.proof, seen.proved_at)}" if is_proof else _of_way(seen.evidence, seen.rolls_back_at),
        counts="" if seen.slice else _counts(seen, guard, totals),
        is_slice=bool(seen.slice),
    )


def short_name(seen: Seen, guard: Guard) -> str:
    """What a guard or slice is called in a picture: the whole text of a slice's guard stands in its sentence."""
    if seen.slice:
        return f"{guard.metric}{told_slice(seen.slice)}"
    return seen.guard.partition(" for each ")[0]


def way(evidence: float, enough: float) -> float:
    """How much of its way evidence has gone, from 1 to what is enough.

    >>> way(5.0, 25.0).__round__(2), way(0.2, 25.0), way(1000.0, 25.0)
    (0.5, 0.0, 1.0)
    """
    if not evidence > 1 or enough <= 1:
        return 0.0
    return min(math.log(evidence) / math.log(enough), 1.0)


def _of_way(value: float, enough: float) -> str:
    """Evidence in two digits, and what is enough; how much more it is than enough says nothing.

    >>> _of_way(0.0173, 45.0), _of_way(2.134, 45.0), _of_way(1.6e9, 45.0)
    ('0.02 of 45', '2.1 of 45', '45+ of 45')
    """
    told = f"{value:.2f}" if value < 0.995 else number(float(f"{value:.2g}"))
    limit = number(float(f"{enough:.2g}"))
    return f"{limit}+ of {limit}" if value > enough else f"{told} of {limit}"


def _harm(verdict: Verdict) -> Iterator[Row]:
    harm = verdict.harm
    if harm.most:
        share = min(max(harm.expected, 0.0) / harm.most, 1.0)
        mark: Mark = "broken" if share >= 1 else "near" if share >= NEAR else "quiet"
        told = f"{max(harm.expected, 0.0):.0f} of {harm.most:.0f}"
        counts = "failed and would not have with the old one"
        yield Row(name="harm", mark=mark, share=share, told=told, counts=counts)


def _counts(seen: Seen, guard: Guard, totals: Totals) -> str:
    if guard.metric == "disagreement":
        answered, differ = totals.compared
        return f"{_of(answered, differ)} differ" if answered else "nothing to compare yet"
    if guard.metric == "predictions":
        moved = "nothing to compare yet" if math.isnan(seen.estimate) else f"by {100 * seen.estimate:.2g} points"
        return f"a bin moved {moved}" if moved.startswith("by") else moved
    labelled, only_new, only_old = totals.labelled
    if guard.metric == "wrong" and labelled:
        return f"right alone: new {number(only_new)}, champion {number(only_old)} of {number(labelled)}"
    new, old = totals.new.get(guard.metric, (0, 0)), totals.old.get(guard.metric, (0, 0))
    if not new[0]:
        return "no label yet" if guard.metric == "wrong" else "no answer yet"
    return f"{_of(*new)}, champion {_of(*old)}" if old[0] else _of(*new)


def shorter(counts: str) -> str:
    """Counts without their shares, for narrow screens.

    >>> shorter("12 of 1,200 (1 %), champion 11 of 1,200 (0.92 %)")
    '12 of 1,200, champion 11 of 1,200'
    """
    return re.sub(r" \([^)]* %\)", "", counts)


def _of(trials: float, bad: float) -> str:
    share = f" ({percent(float(f'{bad / trials:.2g}'))})" if trials and bad else ""
    return f"{number(float(f'{bad:.4g}'))} of {trials:,.0f}{share}"


# --- how far the stage is -----------------------------------------------------------------------------------------


def _progress(view: ReleaseView, verdict: Verdict, now: float) -> tuple[float, str]:
    stage = view.stage
    if stage is None:
        return -1.0, ""
    spent = max(now - stage.began_at, 0.0)
    if stage.requests:
        n = verdict.n_requests if stage.kind in WATCHED else stage.counted
        return min(n / stage.requests, 1.0), f"{n:,} of {stage.requests:,} requests"
    if stage.time_s:
        return min(spent / stage.time_s, 1.0), f"{rounded(spent)} of {duration(stage.time_s)}"
    return -1.0, f"for {rounded(spent)}"


def rounded(seconds: float) -> str:
    """A time in two digits or whole units: more would be noise.

    >>> rounded(440.0), rounded(42.3), rounded(86400 * 12.25), rounded(3600)
    ('7.3 minutes', '42 seconds', '12 days', '60 minutes')
    """
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= 2 * size), (1.0, "second"))
    many = max(seconds, 0.0) / size
    told = f"{many:.0f}" if many >= 10 or unit == "second" else f"{many:.2g}"
    return f"{told} {unit}{'s' * (told != '1')}"


def left_s(view: ReleaseView, verdict: Verdict | None, now: float) -> float:
    """So many seconds are left of its stage, if requests go on as they did; NaN where that is not known."""
    stage = view.stage
    if stage is None:
        return math.nan
    spent = now - stage.began_at
    left = stage.time_s - spent if stage.time_s else math.nan
    if stage.requests:
        n = verdict.n_requests if verdict is not None else stage.counted
        by_count = (stage.requests - n) * spent / n if n > 0 and spent > 0 else math.nan
        left = by_count if math.isnan(left) else min(left, by_count)
    return max(left, 0.0) if not math.isnan(left) else math.nan


# --- words --------------------------------------------------------------------------------------------------------


def headline(view: ReleaseView, *, now: float) -> str:
    """Who answers what, and which release that is.

    >>> view = ReleaseView(endpoint="churn", release=2, model="churn", version=4, old=3, started_at=0.0, by="ann")
    >>> headline(view, now=600.0)
    'churn: churn@3 answers everything, churn@4 is starting (release 2 by ann, 10 minutes ago)'
    """
    by = f" by {view.by}" if view.by else ""
    told = f"release {view.release}{by}, {rounded(now - view.started_at)} ago"
    return f"{view.endpoint}: {traffic(view)} ({told})"


def told_end(view: ReleaseView, *, now: float) -> str:
    """How a release ended.

    >>> from msgspec.structs import replace
    >>> view = ReleaseView(endpoint="churn", release=2, model="churn", version=4, old=3, started_at=0.0, by="ann")
    >>> told_end(replace(view, outcome="rolled-back", ended_at=60.0), now=660.0)
    'churn: churn@4 was rolled back 10 minutes ago, churn@3 answers everything (release 2 by ann)'
    """
    new = f"{view.model}@{view.version}"
    at = view.switched_at if view.outcome == "released" else view.ended_at
    ago = f"{rounded(now - at)} ago"
    by = f" by {view.by}" if view.by else ""
    told = f"(release {view.release}{by})"
    if view.outcome == "released":
        place = f" in place of {view.model}@{view.old}" if view.old not in (None, view.version) else ""
        return f"{view.endpoint}: {new} took over{place} {ago} {told}"
    verb = {"rolled-back": "was rolled back", "aborted": "was called off"}.get(view.outcome, "did not come up")
    then = f"{view.model}@{view.old} answers everything" if view.old is not None else "nobody answers"
    return f"{view.endpoint}: {new} {verb} {ago}, {then} {told}"


def traffic(view: ReleaseView) -> str:
    """Which version answers which share of the requests."""
    new = f"{view.model}@{view.version}"
    old = f"{view.model}@{view.old}" if view.old is not None else "nobody"
    answered, copied = view.shares
    if view.phase == "starting":
        begin = f"{old} answers everything" if view.old is not None else "nobody answers yet"
        return f"{begin}, {new} is starting"
    if copied:
        return f"{old} answers everything, {new} gets copies of {percent(copied)}"
    if answered >= 1:
        warm = f", {old} stays warm" if view.phase == "baking" and view.old is not None else ""
        return f"{new} answers everything{warm}"
    if not answered:
        return f"{old} answers everything, {new} waits"
    return f"{new} answers {percent(answered)}, {old} {percent(1 - answered)}"


def coming(view: ReleaseView, verdict: Verdict | None, *, now: float) -> str:
    """What comes next, and about when."""
    stage, ahead = view.stage, [one for one in view.stages if one.state == "ahead"]
    if stage is None:
        return f"next: {ahead[0].text}" if ahead else ""
    left = left_s(view, verdict, now)
    when = "" if math.isnan(left) else f" in about {rounded(left)}" if left >= 1 else " now"
    if stage.kind == "bake":
        return f"next: the end{when}, and the old version is ended"
    return f"next: {_named(ahead)}{when}"


def _named(ahead: Sequence[StageView]) -> str:
    return ahead[0].text if ahead else "the end"


def waits_for(view: ReleaseView) -> str:
    """Who is waited for; nothing where nobody is."""
    stage = view.stage
    if view.phase != "waiting" or stage is None:
        return ""
    if view.is_paused:
        last = next((said for said in reversed(view.said) if said.act == "pause"), None)
        by = f" by {last.by}" if last is not None and last.by else ""
        return f"paused{by}{f': {last.why}' if last is not None and last.why else ''}"
    if stage.kind == "pause" and stage.approver not in ("", "*"):
        return f"waits for {stage.approver}"
    if view.held or stage.approver:
        return "waits for a person"
    return ""


def to_type(view: ReleaseView) -> tuple[str, ...]:
    """What may be typed to a release that waits."""
    if not waits_for(view):
        return ()
    if view.is_paused:
        return (f"headway rollout resume {view.endpoint}", f"headway rollout abort {view.endpoint}")
    return (f"headway rollout promote {view.endpoint}", f"headway rollout abort {view.endpoint}")
