"""Counts the prediction log of a release as its judge wants it: windows of both versions, over all and by slices.

A request is counted once, for the version that was drawn for it: one that another version answered instead is a failed
one of the version that gave no answer. The answers of a shadow are matched with the client's, labels with the requests
they are about (`core/tally_labels`), whichever comes first. Which stage a request belongs to is told by when it began.
Deterministic: the same lines and labels, fed again since the release began, give the same counts and the same memory of
what was counted. Whoever goes on with a release feeds them again and throws the windows away. Knows no file, no clock.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from headway.core.prediction_log import OK, LabelLine, Line
from headway.core.rollout_judge import OTHERS
from headway.core.rollout_window import Slice, Window
from headway.core.strategy import Strategy
from headway.core.tally_answers import FIRST, Answer, Bins, Measure, bins_of, text
from headway.core.tally_known import MOST_HALVES, Recent, Waiting
from headway.core.tally_labels import Labels
from headway.core.tally_sums import Arm, Place, Sums, windows
from headway.core.tally_traffic import SHADOW, Drawn, Traffic
from headway.core.tally_units import Customers

WARM_S = 2.0
"""So long after the first stage began no request counts as slow: a version's first answers take what no later one does,
and all copies that are under way then wait together, which is one cause and not sixteen."""


class _Half(NamedTuple):
    """One version's part of a shadow's request: its answers, None where it failed, and the rows of each place."""

    is_new: bool
    stage: int
    answers: list[Answer] | None
    places: Mapping[Place, Sequence[int]]


class Tally:
    """Counts for one release. Owned by one loop.

    `new` and `old` are the versions. `bins` fix how predictions are told apart; None: the champion's first answers do,
    and `bins` says how, so that it can be written down for whoever goes on.
    """

    def __init__(self, strategy: Strategy, new: int, old: int, bins: Bins | None) -> None:
        self._strategy = strategy
        self._measure = None if bins is None else _measure(strategy, bins)
        self._traffic = Traffic(strategy, new, old)
        self._has_begun, self._warm_at = False, -float("inf")
        self._slow_ms = 1000 * strategy.slower_than_s or float("inf")
        self._are_binned = any(guard.metric == "predictions" for guard in strategy.guards)
        self._taken: dict[tuple[str, ...], set[Slice]] = {guard.each: set() for guard in strategy.guards if guard.each}
        self._sums: dict[Place, Sums] = {}
        self._recent = (Recent(), Recent())
        self._halves: Waiting[_Half] = Waiting(MOST_HALVES)
        self._customers = Customers()
        self._labels = Labels(self._traffic, self._slices_of, self._at, self._customers)
        self._first: list[Answer] = []
        self._held: list[Callable[[Measure], None]] = []
        self._now = 0.0
        self._n_repeated = 0
        self._n_unpaired = 0
        self._n_keyless = 0

    @property
    def bins(self) -> Bins | None:
        """How predictions are told apart; None as long as that is not fixed."""
        return None if self._measure is None else self._measure.bins

    def begin(self, stage: int, at: float) -> None:
        """A stage began, at a time (UTC seconds): requests that begin from then on are its own.

        Until this is called for the first time all are the first stage's; requests from before it are nobody's.
        """
        if not self._has_begun:
            self._has_begun, self._warm_at = True, at + WARM_S
        self._traffic.begin(stage, at)

    def after(
        self, lines: Iterable[Line], labels: Sequence[LabelLine] = (), of_labels: Iterable[Line] = ()
    ) -> tuple[Window, ...]:
        """What these lines and labels add, each of which is new: windows of each stage and slice that was touched.

        `of_labels` are the lines of the requests that the labels are about, as far as the log has them. Two to four
        microseconds for a line.
        """
        wanted = self._labels.take(labels)
        for line in lines:
            self._take(line)
            if wanted and line.request_id in wanted:
                self._labels.found(line)
        for line in of_labels:
            self._labels.found(line)
        if self._measure is not None:
            self._labels.settle(self._measure, self._now)
        self._n_unpaired += sum(half.is_new and half.answers is not None for half in self._halves.given_up())
        now = max(self._now, self._labels.now)
        found = tuple(windows(self._sums, self._customers.told(), self._traffic.by, now))
        self._sums = {}
        return found

    def told(self) -> tuple[str, ...]:
        """What was left out of the counts so far, a sentence for each reason."""
        left = [
            (self._n_repeated, "requests came with the id of one just counted, and count as that one"),
            (self._n_unpaired, "answers of the shadow met none of the champion's and were not compared"),
            (
                self._n_keyless,
                "requests have no value of the field that they stick by, and count each by itself",
            ),
            *self._labels.left_out(),
        ]
        return tuple(f"{n:,} {words}" for n, words in left if n)

    # --- a line -------------------------------------------------------------------------------------------------

    def _take(self, line: Line) -> None:
        drawn = self._traffic.drawn(line)
        if drawn is None:
            return
        stage, is_new, is_copy, span = drawn
        self._now = max(self._now, line.at)
        if not self._recent[is_new].is_new(line.request_id, line.at):
            self._n_repeated += 1
            return
        is_lost = line.status != OK or line.instead_of != 0
        is_failed = is_lost or not self._is_answered(line)
        is_slow = line.ms > self._slow_ms and line.at - line.ms / 1000 >= self._warm_at
        places = self._rows_by_place(stage, line)
        for place in places:
            sums = self._sums.get(place) or self._at(place)
            arm = sums.new if is_new else sums.old
            arm.requests += 1
            arm.failed += is_failed
            arm.slow += is_slow
        if span >= 0:
            self._count_customer(line, drawn, places, is_failed=is_failed, is_slow=is_slow)
        elif not is_failed and self._are_binned and self._measure is not None:
            arm = self._at((stage, ())).new if is_new else self._at((stage, ())).old
            self._bin(arm, line)
        if self._measure is None and not is_new and not is_lost:
            self._learn(line.predictions)
        if is_copy or self._traffic.ways[stage] == SHADOW:
            self._match(line.request_id, _Half(is_new, stage, None if is_failed else line.predictions, places))

    def _count_customer(
        self, line: Line, drawn: Drawn, places: Iterable[Place], *, is_failed: bool, is_slow: bool
    ) -> None:
        unit = self._traffic.unit(drawn.stage, line)
        self._n_keyless += unit == line.request_id
        for place in places:
            arm = self._customers.count(
                place, drawn.span, unit, is_new=drawn.is_new, is_failed=is_failed, is_slow=is_slow
            )
            if arm is not None and not is_failed:
                self._bin(arm, line)

    def _is_answered(self, line: Line) -> bool:
        """Whether each row has an answer; what is none is known when it is known what the champion gives."""
        measure = self._measure
        if measure is None:
            return None not in line.predictions
        return all(map(measure.is_one, line.predictions))

    def _at(self, place: Place) -> Sums:
        """The sums of a place, which may begin here."""
        found = self._sums.get(place)
        if found is None:
            found = self._sums[place] = Sums()
        return found

    # --- slices -------------------------------------------------------------------------------------------------

    def _rows_by_place(self, stage: int, line: Line) -> Mapping[Place, Sequence[int]]:
        """The stage with all rows of a request, and each slice that some of them are in, with those."""
        if not self._taken:
            return {(stage, ()): range(len(line.predictions))}
        n_rows = max(len(line.rows), len(line.predictions), 1)
        found: dict[Slice, list[int]] = {}
        for row in range(n_rows):
            for place in self._slices_of(line, row):
                found.setdefault(place, []).append(row)
        return {(stage, ()): range(n_rows), **{(stage, place): rows for place, rows in found.items()}}

    def _slices_of(self, line: Line, row: int) -> Iterator[Slice]:
        """The slices that a row is in: itself while there is room for slices of its columns, then that of all others.

        A value that is missing, or of a request that could not be read, is `null`.
        """
        values = line.rows[row] if row < len(line.rows) else {}
        for columns, taken in self._taken.items():
            found = tuple((name, text(values.get(name))) for name in columns)
            if found not in taken and len(taken) >= self._strategy.n_slices - 1:
                found = tuple((column, OTHERS) for column in columns)
            else:
                taken.add(found)
            yield found

    # --- answers ------------------------------------------------------------------------------------------------

    def _bin(self, arm: Arm, line: Line) -> None:
        """Count predictions in their bins; those from before the bins are fixed in none, of either version."""
        measure = self._measure
        if measure is not None and self._are_binned and line.predictions:
            arm.binned([measure.bins.place(answer) for answer in line.predictions], measure.bins.n)

    def _learn(self, answers: list[Answer]) -> None:
        """Learn from an answer of the champion how predictions are told apart."""
        self._first += answers[: FIRST - len(self._first)]
        if len(self._first) == FIRST:
            self._fix(_measure(self._strategy, bins_of(self._first)))

    def _fix(self, measure: Measure) -> None:
        self._measure = measure
        for compare in self._held:
            compare(measure)
        self._held = []

    def _match(self, request_id: str, half: _Half) -> None:
        """Compare the two answers to a request of a shadow when both are there."""
        other = self._halves.get(request_id)
        if other is None or other.is_new == half.is_new:
            self._halves.put(request_id, half)
            return
        self._halves.pop(request_id)
        new, old = (half, other) if half.is_new else (other, half)
        if new.answers is None or old.answers is None:
            return
        # The copy's stage is that of the pair, and the client's rows are what was asked.
        one, two, places = (
            new.answers,
            old.answers,
            {(new.stage, place): rows for (_, place), rows in old.places.items()},
        )

        def compare(measure: Measure) -> None:
            self._compare(measure, one, two, places)

        if self._measure is None:
            self._held.append(compare)
        else:
            compare(self._measure)

    def _compare(
        self, measure: Measure, new: list[Answer], old: list[Answer], places: Mapping[Place, Sequence[int]]
    ) -> None:
        n = max(len(old), len(new))
        is_other = [i >= len(new) or i >= len(old) or measure.differ(old[i], new[i]) for i in range(n)]
        for place, rows in places.items() if n else ():
            pairs = self._at(place).pairs
            pairs.answered += 1
            pairs.differ += sum(is_other[i] for i in rows if i < n) / max(len(rows), 1)


def _measure(strategy: Strategy, bins: Bins) -> Measure:
    return Measure(bins=bins, off_by=strategy.off_by, is_relative=strategy.is_off_relative)
