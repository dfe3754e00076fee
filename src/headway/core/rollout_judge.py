"""Judges a release by what was counted: promote, roll back, keep looking, or unsure, with the reason and the evidence.

Windows in, verdict out; may be asked at any moment and as often as one likes. One budget of false rollbacks is split
over all guards, harm and slices, by weight and before anything was seen; a version that breaks nothing is rolled back
with probability `alpha` at most, whatever is looked at and when (Ville's inequality for each, Boole's for all). A check
that must be proved is proved at `alpha` by itself, for all must be (intersection and union). Knows no target, no clock
and no traffic; what holds the promise is told in `stats/arms`.
"""

import math
from typing import Literal

from msgspec import Struct

from headway.core.guard import Guard
from headway.core.rollout_pending import Pending, many_enough
from headway.core.rollout_track import Track, factor_to_prove, track_of
from headway.core.rollout_units_track import UnitsTrack, after
from headway.core.rollout_window import Slice, Window
from headway.core.rollout_words import Totals, of_harm, of_track, three_digits, told_slice
from headway.core.strategy import HARM, WATCHED, Stage, Strategy, budget_of
from headway.core.telling import listed
from headway.stats.arms import Gap, interval_of_gap
from headway.stats.bounds import Interval

Outcome = Literal["promote", "roll-back", "keep-looking", "go-on", "unsure"]
"""`go-on`: the stage is over and another one, or the end, follows; `promote`: the last watched stage is over."""

OTHERS = "all others"
"""The value of the slice of all slices that came when the others were taken."""


class Seen(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one guard sees in one slice: evidence, the estimate and where it lies, in the guard's own numbers.

    `evidence` that the limit is broken rolls back at `rolls_back_at`; `proof` that it is kept suffices at `proved_at`
    (0: none is asked for). Each end of `low` to `high` is missed with the guard's part of the budget at most, ever;
    infinite or NaN where nothing is known. `needed`: about so many more requests of the endpoint would prove it, if
    they are like those before; -1: not to be said.
    """

    guard: str
    slice: Slice
    state: Literal["broken", "proved", "open"]
    evidence: float
    rolls_back_at: float
    proof: float
    proved_at: float
    estimate: float
    low: float
    high: float
    needed: int = -1
    words: str = ""


class Harm(Struct, frozen=True, kw_only=True):
    """Requests that failed on the new version and would not have on the champion: expected, and proved at least."""

    expected: float
    proved: float
    most: float


class Verdict(Struct, frozen=True, kw_only=True):
    """What is to be done now, and why. `then` says what an unsure one does, as the file has it."""

    outcome: Outcome
    why: str
    seen: tuple[Seen, ...]
    harm: Harm
    n_requests: int
    then: str = ""


class Judge:
    """The judge of one release. Owned by one loop; the same windows in the same order give the same verdicts."""

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self._parts = dict(budget_of(strategy))
        self._tracks: dict[tuple[Guard, Slice], Track | UnitsTrack] = {
            (guard, ()): track_of(guard) for guard in strategy.guards
        }
        self._totals: dict[Slice, Totals] = {(): Totals()}
        self._slices: dict[tuple[str, ...], set[Slice]] = {}
        self._stage = 0
        self._began_at = 0.0
        self._n_requests = 0
        self._n_new = 0
        self._expected_harm = 0.0
        self._n_harmed = 0.0
        self._harm = Gap()
        self._unharmed: Pending = ()
        self._is_pardoned = False

    # --- facts --------------------------------------------------------------------------------------------------

    def begin(self, stage: int, at: float) -> None:
        """A stage begins, at a time in seconds. What was seen before counts on."""
        self._stage, self._began_at, self._n_requests, self._n_new = stage, at, 0, 0

    def pardon(self) -> None:
        """Somebody has seen the estimate of the harm: from now on only what is proved of it counts."""
        self._is_pardoned = True

    def after(self, window: Window) -> None:
        """Take in what was counted: one window of all requests, or one of a slice."""
        columns = tuple(column for column, _ in window.slice)
        place = self._place(columns, window.slice) if columns else ()
        if not place:
            self._count(window)
        self._totals[place] = self._totals.get(place, Totals()).after(window)
        for guard in self._strategy.guards:
            if not place or columns == guard.each:
                before = self._tracks.get((guard, place)) or track_of(guard)
                self._tracks[guard, place] = after(before, window, self._strategy.burst)

    def _place(self, columns: tuple[str, ...], found: Slice) -> Slice:
        """The slice itself while there is room for slices of these columns, then that of all others."""
        taken = self._slices.setdefault(columns, set())
        others = tuple((column, OTHERS) for column in columns)
        if found == others or (found not in taken and len(taken) == self._strategy.n_slices - 1):
            return others
        taken.add(found)
        return found

    def _count(self, window: Window) -> None:
        """Requests of the stage that is on, and what those of any stage have harmed."""
        at = self._stage if window.stage < 0 else window.stage
        shadowed = self._strategy.stages[at].kind == "shadow"
        if at == self._stage:
            self._n_requests += window.old.requests + (0 if shadowed else window.new.requests)
            self._n_new += window.new.requests
        if shadowed:
            # Nobody waits for the answers of a shadow: they harm no one.
            return
        told, self._unharmed = many_enough(self._unharmed, at, [window.arms("errors", 1)], 1)
        for arms in told:
            self._expected_harm += arms.bad_new - arms.n_new * arms.bad_old / arms.n_old
            if not window.by:
                # Requests of one customer fail together, and prove nothing by their number.
                self._n_harmed += arms.n_new
                self._harm = self._harm.after(arms.in_bursts(self._strategy.burst))

    # --- judging ------------------------------------------------------------------------------------------------

    def verdict(self, now: float) -> Verdict:
        """What is to be done at this time, in seconds."""
        seen = tuple(self._see(guard, place, track) for (guard, place), track in self._tracks.items())
        harm = self._harm_done()
        outcome, why = _alarm(seen, harm, is_pardoned=self._is_pardoned) or self._progress(seen, now)
        then = self._strategy.unsure if outcome == "unsure" else ""
        return Verdict(outcome=outcome, why=why, seen=seen, harm=harm, n_requests=self._n_requests, then=then)

    def is_alarmed(self) -> bool:
        """Whether the verdict is to roll back, for less than its words cost: for whoever asks each second."""
        if any(track.worse() >= -math.log(self._part(guard, place)) for (guard, place), track in self._tracks.items()):
            return True
        return self._strategy.most_harm > 0 and self._harm_done().proved >= self._strategy.most_harm

    def _progress(self, seen: tuple[Seen, ...], now: float) -> tuple[Outcome, str]:
        """What is to be done where nothing was shown to be worse."""
        stage = self._strategy.stages[self._stage]
        is_over, is_late = self._is_over(stage, now)
        if is_late:
            missing = stage.n_requests - self._n_requests
            return "unsure", f"{stage.text}: its time is over and {missing:,} requests are missing"
        if not is_over:
            return "keep-looking", self._until(stage)
        if stage.kind in WATCHED and not self._n_new:
            return "unsure", f"{stage.text}: over, and no answer of the new version was counted"
        if self._stage != self._strategy.last_watched:
            return "go-on", f"{stage.text}: over, and nothing was shown to be worse"
        return self._at_the_end(seen)

    def _at_the_end(self, seen: tuple[Seen, ...]) -> tuple[Outcome, str]:
        unproved = [one for one in seen if one.proved_at and not one.slice and one.state != "proved"]
        if not unproved:
            n = sum(1 for one in seen if one.proved_at and not one.slice)
            proved = f"{n} of {n} checks proved, " if n else ""
            return (
                "promote",
                f"{proved}nothing was shown to be worse in {self._n_requests:,} requests of the last stage",
            )
        needed = [one.needed for one in unproved]
        # One that cannot be proved is not proved by what the others need.
        is_known = min(needed) >= 0 and max(needed) > 0
        more = f"; about {max(needed):,} more requests would, if they are alike" if is_known else ""
        return "unsure", f"{listed([one.guard for one in unproved])}: not proved at the end of the stages{more}"

    def _is_over(self, stage: Stage, now: float) -> tuple[bool, bool]:
        """Whether a stage is over, and whether its time is without its requests."""
        timed_out = stage.time_s > 0 and now - self._began_at >= stage.time_s
        if stage.n_requests:
            has_all = self._n_requests >= stage.n_requests
            return has_all, timed_out and not has_all
        return timed_out or stage.kind == "promote", False

    def _until(self, stage: Stage) -> str:
        if stage.kind in WATCHED and stage.n_requests:
            return f"{stage.text}: {self._n_requests:,} of {stage.n_requests:,} requests; nothing was shown to be worse"
        return f"{stage.text}: not over yet, and nothing was shown to be worse"

    # --- evidence -----------------------------------------------------------------------------------------------

    def _part(self, guard: Guard, place: Slice) -> float:
        """The part of the budget for one guard in one slice: half for all requests, half for its slices."""
        whole = self._parts[guard]
        if not guard.each:
            return whole
        return whole / 2 / self._strategy.n_slices if place else whole / 2

    def _see(self, guard: Guard, place: Slice, track: Track | UnitsTrack) -> Seen:
        part, alpha = self._part(guard, place), self._strategy.alpha
        worse, kept = track.worse(), track.kept()
        is_proved = guard.must_be_proved and kept >= -math.log(alpha)
        state: Literal["broken", "proved", "open"] = "proved" if is_proved else "open"
        if worse >= -math.log(part):
            state = "broken"
        bounds = track.interval(1 - 2 * part)
        return Seen(
            guard=guard.text,
            slice=place,
            state=state,
            evidence=_from_log(worse),
            rolls_back_at=1 / part,
            proof=_from_log(kept),
            proved_at=1 / alpha if guard.must_be_proved else 0.0,
            estimate=track.estimate(),
            low=bounds.low,
            high=bounds.high,
            needed=self._needed(track) if guard.must_be_proved and not place else -1,
            words=self._words(guard, place, track, bounds, worse),
        )

    def _words(self, guard: Guard, place: Slice, track: Track | UnitsTrack, bounds: Interval, worse: float) -> str:
        said = of_track(track, self._totals[place], bounds)
        at = 1 / self._part(guard, place)
        evidence = f"evidence {three_digits(_from_log(worse))}, rolls back at {three_digits(at)}"
        return f"{guard.text}{told_slice(place)}: {said}; {evidence}"

    def _needed(self, track: Track | UnitsTrack) -> int:
        factor = factor_to_prove(track, self._strategy.alpha)
        done = self._totals[()].n_endpoint
        return -1 if factor is None else math.ceil((factor - 1) * done)

    def _harm_done(self) -> Harm:
        most = self._strategy.most_harm
        if not most:
            return Harm(expected=self._expected_harm, proved=0.0, most=0.0)
        low = interval_of_gap(self._harm, 1 - 2 * self._parts[HARM]).low
        return Harm(expected=self._expected_harm, proved=max(low, 0.0) * self._n_harmed, most=most)


def _alarm(seen: tuple[Seen, ...], harm: Harm, *, is_pardoned: bool) -> tuple[Outcome, str] | None:
    """What was shown to be worse, the surest first, or that the budget of harm is used up."""
    broken = sorted((one for one in seen if one.state == "broken"), key=lambda one: one.rolls_back_at / one.evidence)
    if broken:
        return "roll-back", broken[0].words
    if harm.most and harm.proved >= harm.most:
        return "roll-back", of_harm(harm.proved, harm.most, is_proved=True)
    if harm.most and harm.expected >= harm.most and not is_pardoned:
        return "unsure", of_harm(harm.expected, harm.most, is_proved=False)
    return None


def _from_log(log: float) -> float:
    return math.exp(min(log, 690.0))


def judge_of(strategy: Strategy) -> Judge:
    """A judge at the first stage, whose time begins at 0.

    >>> from headway.core.rollout_window import Counts
    >>> from headway.core.strategy_grammar import read_strategy
    >>> said = {"strategy": [{"canary": "10% for 1200 requests"}, "promote"], "rollback": ["errors"]}
    >>> judge = judge_of(read_strategy(said).strategy)
    >>> judge.after(Window(new=Counts(requests=120, failed=9), old=Counts(requests=1080, failed=9)))
    >>> judge.verdict(60.0).outcome
    'roll-back'
    """
    return Judge(strategy)
