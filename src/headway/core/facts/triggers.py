"""Facts of what starts runs without a person: stream `trigger/<pipeline>`."""

from headway.core.facts.runs import RunOutcome
from headway.core.facts.shared import FactBase
from headway.core.ids import RunId


class EventSeen(FactBase, frozen=True, kw_only=True):
    """Something happened that a run may be started for. The same `key` of the same `source` is the same event.

    `source` is a trigger as it is written (`data: data/training.csv`, `schedule: 0 3 * * 1`) or `hand`; `key` names
    what happened there: a version's digest, `<branch>@<commit>` of a push, a time of the table, the number of a
    delivery. `n_rows` is how many rows there are, where new rows are counted.
    """

    source: str
    key: str
    why: str
    by: str = ""
    n_rows: int | None = None


class SourceWatched(FactBase, frozen=True, kw_only=True):
    """A source is watched from now on. What it was like then, `key` as in `EventSeen`, is no event."""

    source: str
    key: str
    n_rows: int | None = None


class TriggerFired(FactBase, frozen=True, kw_only=True):
    """A claim: a run is to be started for all events that waited. `firing` counts from 1."""

    firing: int
    sources: tuple[str, ...]
    why: str


class FiringEnded(FactBase, frozen=True, kw_only=True):
    """The run that a firing started came to an end; `run` is None when it could not even be started."""

    firing: int
    outcome: RunOutcome
    run: RunId | None = None
    why: str = ""
