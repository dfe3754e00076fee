"""What became of a release's requests: the prediction log followed, counted, and told as facts.

The log is the only evidence: versions on this machine write there, those elsewhere are brought (`Target.collect`).
`core/tally` counts, `core/rollout_judge` judges. Whoever takes a release up again counts anew what was counted before,
so that shadows and labels find their requests, and tells only what is new.
"""

from collections.abc import Iterator

from headway.core import facts as f
from headway.core.prediction_log import Cursor, LabelLine, Line
from headway.core.rollout_stages import Stages
from headway.core.tally import Tally
from headway.errors import TargetUnavailable
from headway.flows.delivery import Delivery
from headway.flows.predictions import folder_of
from headway.tables.prediction_log import follow, of_requests

EARLIER_S = 1.0
"""So long before its stage began a request may have been answered that is looked for: clocks of two machines differ."""

MOST_RECOUNTED = 3_000_000
"""So many answers are counted anew, in a minute or two, by who takes a release up again."""

RECOUNTED_S = 3600.0
"""Of more, those of this time before the last look: a copy's answer comes in seconds. What is lost is that a label for
a row that has one already may count again."""

_FEW = 1000
YOUNG_S = 60.0
"""So few entries, not older than that, are all that there was when they were read."""

DOUBT_S = 600.0
"""So long after it was answered a request may be written down, by a writer that was held up."""

Key = tuple[str, int, float]
"""Tells entries of the log apart: request, version or row, time."""


class Evidence:
    """The counts of one release, in this process. Reads what others write; writes nothing."""

    __slots__ = ("_cursor", "_folder", "_n_begun", "_number", "_since", "_tally", "_target", "_untold", "_world")

    def __init__(self, world: Delivery, stages: Stages) -> None:
        release = stages.release
        self._world = world
        self._number = release.release
        self._target = world.target(release.target)
        self._folder = folder_of(world.home, release.endpoint)
        self._since = min(at for _, at in stages.begun) - EARLIER_S
        self._tally = self._new_tally(stages)
        self._n_begun = 0
        self._untold: tuple[str, ...] = ()
        self._cursor = Cursor()
        if stages.looked is not None:
            self._recount(stages, stages.looked.cursor)

    @staticmethod
    def _new_tally(stages: Stages) -> Tally:
        assert stages.old is not None
        return Tally(stages.strategy, stages.release.version, stages.old.version, stages.bins)

    def is_of(self, stages: Stages) -> bool:
        """Whether it counts for this release."""
        return stages.release.release == self._number

    def look(self, stages: Stages) -> Iterator[f.StageLooked]:
        """What was logged since the look before, in one or more facts; nothing where nothing is told by it.

        What is logged meanwhile is left for the next look: an endpoint is asked all the time, and counting takes some.
        """
        self._begin(stages)
        try:
            self._untold = tuple(self._target.collect(stages.release.endpoint))
        except TargetUnavailable as e:
            # What cannot be brought now is brought at the next look.
            self._untold = (e.problem,)
        for lines, labels, cursor in self._followed(self._cursor, self._since):
            had_bins = self._tally.bins is not None
            windows = self._tally.after(lines, labels, self._about(labels))
            self._cursor = cursor
            if windows:
                bins = None if had_bins else self._tally.bins
                yield f.StageLooked(release=self._number, stage=stages.stage, windows=windows, cursor=cursor, bins=bins)

    @property
    def left_out(self) -> tuple[str, ...]:
        """What was left out of the counts so far, a sentence for each reason; and what could not be brought now."""
        return (*self._tally.told(), *self._untold)

    def _begin(self, stages: Stages) -> None:
        for stage, at in stages.begun[self._n_begun :]:
            self._tally.begin(stage, at)
        self._n_begun = len(stages.begun)

    def _followed(self, cursor: Cursor, since: float) -> Iterator[tuple[list[Line], list[LabelLine], Cursor]]:
        """All that was logged after a place, up to about now: what comes meanwhile might have no end."""
        began = self._world.now()
        while True:
            found = follow(self._folder, cursor, since=since)
            if not found.lines and not found.labels:
                return
            cursor = found.cursor
            yield found.lines, found.labels, cursor
            if _is_caught_up(found.lines, found.labels, began):
                return

    def _about(self, labels: list[LabelLine]) -> list[Line]:
        """The lines that labels are about, which may have been logged long before."""
        if not labels:
            return []
        return of_requests(self._folder, {label.request_id for label in labels}, self._since)

    def _recount(self, stages: Stages, until: Cursor) -> None:
        """Count anew what was told already, so that what is half known finds its other half.

        What is logged meanwhile, and what was since that place, is told by the next look: it must not be counted here.
        """
        later = self._logged_after(until)
        while True:
            counted = self._counted_until(stages, later)
            now = self._logged_after(until)
            if counted.isdisjoint(now):
                break
            # Somebody wrote down late what was answered before the last look, just while this counted.
            later = now
            self._tally = self._new_tally(stages)
            self._n_begun = 0
        self._cursor = until

    def _logged_after(self, cursor: Cursor) -> set[Key]:
        followed = self._followed(cursor, self._since)
        return {key for lines, labels, _ in followed for key in (*map(_key, lines), *map(_label_key, labels))}

    def _counted_until(self, stages: Stages, later: set[Key]) -> set[Key]:
        """Count what was before the last look and not logged `later`; returns what of it is young enough for a doubt.

        That is what a writer that was held up may have written down while this was counted.
        """
        self._begin(stages)
        until, since = stages.looked_at, self._since
        if stages.n_counted > MOST_RECOUNTED:
            since = max(since, until - RECOUNTED_S)
        counted: set[Key] = set()
        for all_lines, all_labels, _ in self._followed(Cursor(), since):
            lines = [line for line in all_lines if line.at <= until and _key(line) not in later]
            labels = [one for one in all_labels if one.received_at <= until and _label_key(one) not in later]
            self._tally.after(lines, labels, self._about(labels))
            counted.update(_key(line) for line in lines if line.at > until - DOUBT_S)
            counted.update(_label_key(one) for one in labels if one.received_at > until - DOUBT_S)
        return counted


def _is_caught_up(lines: list[Line], labels: list[LabelLine], began: float) -> bool:
    """Whether what was read reaches to this time: it holds newer entries, or few and young ones."""
    newest = max([*(line.at for line in lines), *(label.received_at for label in labels)])
    return newest > began or (len(lines) + len(labels) < _FEW and newest > began - YOUNG_S)


def _key(line: Line) -> Key:
    return line.request_id, line.version, line.at


def _label_key(label: LabelLine) -> Key:
    # No version has a negative number.
    return label.request_id, -1 - label.row, label.received_at
