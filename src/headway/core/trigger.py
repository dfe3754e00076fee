"""Which events start a run of a pipeline, and when: facts in, firings out.

Events wait until a run may begin, and one run is started for all that wait. A run is started at most so often as the
limits say, never beside another of the same pipeline, and ever more seldom while all of them fail. What a person asks
for is not held back by limits. Knows no file, no clock and no time table: who watches tells what happened, and when.
"""

from collections.abc import Sequence

from msgspec import Struct

from headway.core import facts as f
from headway.core.telling import listed

HAND = "hand"
"""The source of what a person asked for."""

PUSH = "push"
"""The source of commits: their keys are `<branch>@<commit>`, so that whoever tells of one tells the same."""

DAY_S = 86400.0
WEEK_S = 7 * DAY_S

FIRST_PAUSE_S = 600.0
"""After a run that came to nothing the next waits so long, and twice as long after each further one."""

LONGEST_PAUSE_S = DAY_S

_REMEMBERED = 1000
"""Events of one source that are known again when they are told twice: more than anybody delivers again."""

_DOUBLINGS = 16
"""More would not make the pause longer, and would become a number without end."""


class Limits(Struct, frozen=True, kw_only=True):
    """How often all triggers together may start a run: so many seconds between two, so many in 24 hours, in 7 days."""

    cooldown_s: float = 0.0
    per_day: int | None = None
    per_week: int | None = None


class Fire(Struct, frozen=True, kw_only=True):
    """Start a run: claim it by `TriggerFired` first."""

    firing: int
    sources: tuple[str, ...]
    why: str


class Start(Struct, frozen=True, kw_only=True):
    """A firing was claimed and its run did not end: see whether it was started, start it if not, and see it through."""

    fired: f.TriggerFired


Action = Fire | Start


class Standing(Struct, frozen=True, kw_only=True):
    """How things are now. `due`: when what waits will start a run, in UTC seconds; None while nothing waits."""

    waiting: tuple[f.EventSeen, ...]
    due: float | None
    why: str
    last: f.TriggerFired | None = None
    last_ended: f.FiringEnded | None = None


class Firings:
    """All firings of one pipeline. Owned by one loop, or by one reader."""

    __slots__ = ("_at", "_ended", "_fired", "_known", "_limits", "_n_bad", "_running", "_waiting")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: dict[str, f.EventSeen] = {}
        self._known: dict[str, dict[str, None]] = {}
        self._fired: f.TriggerFired | None = None
        self._running: f.TriggerFired | None = None
        self._ended: f.FiringEnded | None = None
        self._at: list[float] = []
        self._n_bad = 0

    # --- facts --------------------------------------------------------------------------------------------------

    def is_new(self, event: f.EventSeen | f.SourceWatched) -> bool:
        """Whether this was not told before. A state that comes back (data as they were once) is new after another."""
        known = self._known.get(event.source, {})
        state = _state(event)
        if state is not None:
            return next((key for key in reversed(known) if key.startswith(state)), None) != event.key
        return event.key not in known

    def after(self, fact: f.Fact, at: float) -> None:
        """Take in what happened."""
        match fact:
            case f.SourceWatched():
                self._remember(fact)
            case f.EventSeen() if self.is_new(fact):
                self._remember(fact)
                # The newest of a source says all: a run sees what is there when it begins.
                self._waiting.pop(fact.source, None)
                self._waiting[fact.source] = fact
            case f.TriggerFired():
                self._fired = self._running = fact
                self._at = [one for one in self._at if one > at - WEEK_S] + [at]
                for source in fact.sources:
                    self._waiting.pop(source, None)
            case f.FiringEnded():
                self._ended, self._running = fact, None
                self._n_bad = 0 if fact.outcome == "passed" else self._n_bad + 1
            case _:
                pass

    def _remember(self, fact: f.EventSeen | f.SourceWatched) -> None:
        known = self._known.setdefault(fact.source, {})
        known.pop(fact.key, None)
        known[fact.key] = None
        if len(known) > _REMEMBERED:
            del known[next(iter(known))]

    # --- deciding -----------------------------------------------------------------------------------------------

    def next(self, now: float) -> Sequence[Action]:
        """What to do now."""
        if self._running is not None:
            return (Start(fired=self._running),)
        due = self._due(now)
        if due is None or due[0] > now:
            return ()
        n = 1 if self._fired is None else self._fired.firing + 1
        why = listed([event.why for event in self._waiting.values()])
        return (Fire(firing=n, sources=tuple(self._waiting), why=why),)

    def standing(self, now: float) -> Standing:
        """How things are, for people."""
        due = self._due(now)
        if self._running is not None:
            why = f"firing {self._running.firing} is under way"
        elif due is None:
            why = "nothing waits"
        else:
            why = due[1] if due[0] > now else "a run may begin"
        return Standing(
            waiting=tuple(self._waiting.values()),
            due=None if due is None else max(due[0], now),
            why=why,
            last=self._fired,
            last_ended=self._ended,
        )

    def _due(self, now: float) -> tuple[float, str] | None:
        """When a run may begin for what waits, and what holds it back longest until then."""
        if not self._waiting:
            return None
        if HAND in self._waiting:
            return now, ""
        return max([(now, ""), *self._holds(now)])

    def _is_other_data(self) -> bool:
        """Whether the last run refused its data, and others came: what it came to says nothing of those."""
        is_refused = self._ended is not None and self._ended.outcome == "invalid"
        return is_refused and any(source.startswith("data:") for source in self._waiting)

    def _holds(self, now: float) -> list[tuple[float, str]]:
        # A clock that was set back leaves firings in the future. They do not count, or nothing would run for as long as
        # it was wrong.
        fired = sorted(at for at in self._at if at <= now)
        limits = self._limits
        holds = [(fired[-1] + limits.cooldown_s, "the cooldown after the last run")] if fired else []
        if self._n_bad and fired and not self._is_other_data():
            pause = min(FIRST_PAUSE_S * 2 ** min(self._n_bad - 1, _DOUBLINGS), LONGEST_PAUSE_S)
            many = f"the last {self._n_bad} runs" if self._n_bad > 1 else "the last run"
            holds.append((fired[-1] + pause, f"{many} did not pass, so that the next one waits longer"))
        for most, span_s, words in ((limits.per_day, DAY_S, "a day"), (limits.per_week, WEEK_S, "a week")):
            if most is not None and most <= 0:
                holds.append((float("inf"), f"no run {words} is allowed"))
            elif most is not None and len(fired) >= most:
                holds.append((fired[-most] + span_s, f"{most} run{'s' * (most != 1)} {words} at most"))
        return holds


def push_key(branch: str, commit: str) -> str:
    """The key of the event that a branch (or a tag) came to a commit, whoever tells of it.

    >>> push_key("main", "9f1c0de")
    'main@9f1c0de'
    """
    return f"{branch}@{commit}"


def _state(event: f.EventSeen | f.SourceWatched) -> str | None:
    """What the keys begin with that name a state of the same thing as this one: "" for any; None: it names no state."""
    if event.source.startswith("data:"):
        return ""
    # A branch that is pushed back to where it was is news, too.
    branch, at, _ = event.key.rpartition("@")
    return branch + at if event.source == PUSH and at else None
