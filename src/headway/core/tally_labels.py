"""Joins labels with the answers they are about: early and late ones, some rows before others, corrections, strangers.

A row's label counts once, the first that came; a correction changes nothing that was judged already. It counts for the
version whose answer a client got, in the stage in which the request began; of a shadow it is the pair that is judged.
Labels wait for their requests, and those of a shadow for the copy's answer. Owned by one `core/tally.Tally`.
"""

from collections.abc import Callable, Iterator, Sequence

from headway.core.prediction_log import LabelLine, Line
from headway.core.rollout_window import Slice
from headway.core.tally_answers import Measure
from headway.core.tally_known import MOST_CASES, RECENT_S, Labelled, Waiting
from headway.core.tally_sums import Place, Sums
from headway.core.tally_traffic import SHADOW, Drawn, Traffic
from headway.core.tally_units import Customers


class _Case:
    """The labels of a request that are not counted yet, and its lines as far as they are known."""

    __slots__ = ("client", "copy", "drawn", "is_strange", "labels")

    def __init__(self) -> None:
        self.labels: list[LabelLine] = []
        self.client: Line | None = None
        self.copy: Line | None = None
        self.drawn: Drawn | None = None
        self.is_strange = False


class Labels:
    """The labels of one release. `slices` are those of a row; `sums` and `customers` are the tally's own."""

    def __init__(
        self,
        traffic: Traffic,
        slices: Callable[[Line, int], Iterator[Slice]],
        sums: Callable[[Place], Sums],
        customers: Customers,
    ) -> None:
        self._traffic, self._slices, self._sums, self._customers = traffic, slices, sums, customers
        self._known = Labelled()
        self._open: Waiting[_Case] = Waiting(MOST_CASES)
        self._touched: dict[str, None] = {}
        self._n_unknown = 0
        self._n_repeated = 0
        self._n_unlike = 0
        self._n_beyond = 0
        self.now = 0.0

    def take(self, labels: Sequence[LabelLine]) -> Waiting[_Case]:
        """Take new labels; the requests whose lines are looked for, these labels' and those that wait."""
        # Of several in one look the first that came counts, in whatever order the files gave them.
        for label in sorted(labels, key=lambda label: (label.received_at, label.at)):
            self.now = max(self.now, label.received_at)
            if label.request_id not in self._open:
                self._open.put(label.request_id, _Case())
            case = self._open.get(label.request_id)
            assert case is not None
            case.labels.append(label)
            self._touched[label.request_id] = None
        return self._open

    def found(self, line: Line) -> None:
        """A line of a request that is looked for."""
        case = self._open.get(line.request_id)
        if case is None:
            return
        self._touched[line.request_id] = None
        drawn = self._traffic.drawn(line)
        if drawn is None:
            case.is_strange = True
        elif drawn.is_copy:
            case.copy = _better(case.copy, line)
        else:
            case.client = _better(case.client, line)
            case.drawn = self._traffic.drawn(case.client)

    def settle(self, measure: Measure, now: float) -> None:
        """Count what can be counted; `now` is the time of the last line."""
        for request_id in self._touched:
            case = self._open.get(request_id)
            if case is not None and self._is_settled(case, measure, now):
                self._open.pop(request_id)
        self._touched = {}
        gone = self._open.given_up()
        self._n_unknown += sum(len(case.labels) for case in gone if case.client is None)

    def left_out(self) -> Iterator[tuple[int, str]]:
        """How many labels were not counted, and why."""
        yield self._n_repeated, "labels came for rows that had one: the first counts"
        yield self._n_unlike, "labels are of rows that were not asked, or cannot be compared with their predictions"
        yield self._n_unknown, "labels are of requests that the log does not have"
        yield self._n_beyond, "labels came when no more could be told apart"

    # --- one request --------------------------------------------------------------------------------------------

    def _is_settled(self, case: _Case, measure: Measure, now: float) -> bool:
        """Whether nothing more is to be waited for; then what there was is counted."""
        if case.client is None or case.drawn is None:
            return case.is_strange
        if not _is_answered(case.client):
            # A request that failed is counted as such, and has no answer to be right or wrong.
            return now - case.client.at > RECENT_S
        if self._traffic.ways[case.drawn.stage] == SHADOW:
            if case.copy is None:
                # One that was not copied has nothing to be compared with.
                return now - case.client.at > RECENT_S
            if not _is_answered(case.copy):
                return True
        for label in case.labels:
            self._count(label, case.client, case.copy, measure, case.drawn)
        return True

    def _count(self, label: LabelLine, client: Line, copy: Line | None, measure: Measure, drawn: Drawn) -> None:
        losses = _losses(label, client, copy, measure)
        if losses is None:
            self._n_unlike += 1
            return
        if self._known.is_full:
            self._n_beyond += 1
            return
        if not self._known.is_new(label.request_id, label.row):
            self._n_repeated += 1
            return
        weight = 1 / len(client.predictions)
        for place in ((), *self._slices(client, label.row)):
            sums = self._sums((drawn.stage, place))
            if len(losses) == 2:
                sums.pairs.judged(losses[1], losses[0], weight)
                continue
            arm = sums.new if drawn.is_new else sums.old
            arm.labelled += weight
            arm.wrong += weight * losses[0]
            if drawn.span >= 0:
                unit = self._traffic.unit(drawn.stage, client)
                self._customers.judged((drawn.stage, place), drawn.span, unit, losses[0], is_new=drawn.is_new)


def _losses(label: LabelLine, client: Line, copy: Line | None, measure: Measure) -> tuple[float, ...] | None:
    """What the client's answer lost, and the copy's where there is one; None where that cannot be said."""
    lines = [client] if copy is None else [client, copy]
    if label.label is None or not all(0 <= label.row < len(line.predictions) for line in lines):
        return None
    losses = [measure.loss(line.predictions[label.row], label.label) for line in lines]
    known = tuple(loss for loss in losses if loss is not None)
    return known if len(known) == len(losses) else None


def _is_answered(line: Line) -> bool:
    return not line.is_failed and not line.instead_of


def _better(known: Line | None, line: Line) -> Line:
    """Of two lines of a request the one that has an answer, or else the earlier one."""
    if known is None or (_is_answered(line), -line.at) > (_is_answered(known), -known.at):
        return line
    return known
