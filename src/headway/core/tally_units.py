"""Counts customers of stages in which they stick to a version, each once a span: see `core/rollout_units_track`.

A span is an hour, the next one as long as all before it: an hour, an hour, two, four. Owned by one `core/tally.Tally`.
"""

import math
from collections.abc import Iterator

from msgspec.structs import replace

from headway.core.rollout_window import Counts, Risk, Units
from headway.core.tally_known import Labelled
from headway.core.tally_sums import Arm, Place, plain

FIRST_SPAN_S = 3600.0

MOST_UNITS = 1_000_000
"""So many customers of a version are told apart in a span; others are not counted in it."""

MOST_SPANS = 3
"""So many spans are kept in mind of each place; a request that comes later than that is no customer's."""

FAILED, SLOW = 1, 2


def span_of(elapsed_s: float) -> int:
    """The span of what happened so long after its stage began.

    >>> [span_of(3600.0 * hours) for hours in (0.5, 1, 2, 3.9, 4)]
    [0, 1, 2, 2, 3]
    """
    return 0 if elapsed_s < FIRST_SPAN_S else 1 + int(math.log2(elapsed_s / FIRST_SPAN_S))


class _Side:
    """One version's customers in a span: what each has met, and what was counted since the last look."""

    __slots__ = ("arm", "known", "n_failed", "n_slow", "now_failed", "now_slow")

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.n_failed = 0
        self.n_slow = 0
        self.now_failed = 0
        self.now_slow = 0
        self.arm = Arm()

    def is_first(self, unit: str, *, is_failed: bool, is_slow: bool) -> bool:
        """One request of a customer; whether it is the first of the span."""
        before = self.known.get(unit)
        if before is None and len(self.known) >= MOST_UNITS:
            return False
        met = before or 0
        if is_failed and not met & FAILED:
            met |= FAILED
            self.now_failed += 1
        if is_slow and not met & SLOW:
            met |= SLOW
            self.now_slow += 1
        self.known[unit] = met
        if before is None:
            self.arm.requests += 1
            self.arm.failed += is_failed
            self.arm.slow += is_slow
        return before is None

    def close(self) -> None:
        """After a look: who met a bad answer meets his first one no more."""
        self.n_failed += self.now_failed
        self.n_slow += self.now_slow
        self.now_failed = self.now_slow = 0
        self.arm = Arm()


class _Spans:
    """The spans of one place: customers of the last ones, and labels that were judged since the last look."""

    __slots__ = ("judged", "sides", "touched")

    def __init__(self) -> None:
        self.sides: dict[int, tuple[_Side, _Side]] = {}
        self.judged: dict[int, tuple[Arm, Arm]] = {}
        self.touched: set[int] = set()

    def at(self, span: int) -> tuple[_Side, _Side] | None:
        """Both versions' customers, old and new; None when the span is too long ago."""
        found = self.sides.get(span)
        if found is None:
            if len(self.sides) >= MOST_SPANS and span < min(self.sides):
                return None
            found = self.sides[span] = (_Side(), _Side())
        self.touched.add(span)
        return found

    def told(self) -> Iterator[Units]:
        """What was counted since the last look, span by span."""
        for span in sorted(self.touched | set(self.judged)):
            old, new = self.sides.get(span) or (_Side(), _Side())
            of_old, of_new = self.judged.get(span) or (Arm(), Arm())
            yield Units(
                span=span,
                new=_both(new.arm, of_new),
                old=_both(old.arm, of_old),
                errors=Risk(
                    n_new=len(new.known) - new.n_failed,
                    bad_new=new.now_failed,
                    n_old=len(old.known) - old.n_failed,
                    bad_old=old.now_failed,
                ),
                slow=Risk(
                    n_new=len(new.known) - new.n_slow,
                    bad_new=new.now_slow,
                    n_old=len(old.known) - old.n_slow,
                    bad_old=old.now_slow,
                ),
            )
            old.close()
            new.close()
        self.touched, self.judged = set(), {}
        while len(self.sides) > MOST_SPANS:
            del self.sides[min(self.sides)]


class Customers:
    """All customers of one release, place by place."""

    def __init__(self) -> None:
        self._places: dict[Place, _Spans] = {}
        self._labelled = Labelled()

    def count(self, place: Place, span: int, unit: str, *, is_new: bool, is_failed: bool, is_slow: bool) -> Arm | None:
        """One request; where its answers are to be counted, if it is the customer's first of the span."""
        sides = self._at(place).at(span)
        if sides is None:
            return None
        side = sides[is_new]
        return side.arm if side.is_first(unit, is_failed=is_failed, is_slow=is_slow) else None

    def judged(self, place: Place, span: int, unit: str, loss: float, *, is_new: bool) -> None:
        """One label; the customer's first of the span counts, however long after it it comes."""
        if self._labelled.is_full or not self._labelled.is_new(f"{place} {span} {unit}", int(is_new)):
            return
        arm = self._at(place).judged.setdefault(span, (Arm(), Arm()))[is_new]
        arm.labelled += 1
        arm.wrong += loss

    def told(self) -> dict[Place, tuple[Units, ...]]:
        """What was counted since the last look, of each place where something was."""
        told = {place: tuple(spans.told()) for place, spans in self._places.items()}
        return {place: units for place, units in told.items() if units}

    def _at(self, place: Place) -> _Spans:
        found = self._places.get(place)
        if found is None:
            found = self._places[place] = _Spans()
        return found


def _both(first: Arm, labels: Arm) -> Counts:
    return replace(first.counted(), labelled=plain(labels.labelled), wrong=plain(labels.wrong))
