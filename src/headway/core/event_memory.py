"""What is known of each source of events: facts of a trigger's stream in, the states that were told of out.

Neighbour: `core/trigger` decides from the same facts when a run starts. Knows no source, no file and no clock.
"""

from collections.abc import Iterator

from msgspec import Struct

from headway.core import facts as f

REMEMBERED = 1000
"""Of one source the newest so many states are remembered."""


class Remembered(Struct, frozen=True, kw_only=True):
    """A state of a source that was told of: `n_rows` as in `EventSeen`; when, and where in the log (`seq`)."""

    key: str
    at: float
    seq: int
    n_rows: int | None = None


class Memory:
    """The states of all sources of one pipeline, newest last."""

    __slots__ = ("_fired", "_known", "length")

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Remembered]] = {}
        self._fired: dict[str, int] = {}
        self.length = 0

    def after(self, entry: f.Entry) -> None:
        """Take in what the stream holds next."""
        self.length = entry.n
        fact = entry.fact
        if isinstance(fact, f.TriggerFired):
            self._fired.update(dict.fromkeys(fact.sources, entry.seq))
        if isinstance(fact, f.EventSeen | f.SourceWatched):
            known = self._known.setdefault(fact.source, {})
            known.pop(fact.key, None)
            known[fact.key] = Remembered(key=fact.key, at=entry.at, seq=entry.seq, n_rows=fact.n_rows)
            if len(known) > REMEMBERED:
                del known[next(iter(known))]

    def newest(self, source: str, prefix: str = "") -> Remembered | None:
        """The last state that was told of a source, of those whose key begins so; None when there is none."""
        return next((one for one in self.states(source) if one.key.startswith(prefix)), None)

    def is_fired(self, source: str) -> bool:
        """Whether a run was due for the last state of a source, and is no more: it was claimed."""
        newest = self.newest(source)
        return newest is not None and self._fired.get(source, 0) > newest.seq

    def states(self, source: str) -> Iterator[Remembered]:
        """The states of a source, newest first."""
        return iter(reversed(self._known.get(source, {}).values()))
