"""The firings of one pipeline, acted out: what waits is claimed, and each claim is seen through to the end of its run.

`core/trigger` says when a run is due, `core/daemon` what its process needs; `flows/launch` sees to it that a firing
never has two runs. The claim is in the log before any process is started, and the process is found again by its key and
by the lease of the working tree: so whoever leads after a SIGKILL goes on, and starts nothing twice.
"""

from collections.abc import Callable
from math import inf

import msgspec

from headway.core import facts as f
from headway.core.daemon import Case, Kind, Told, decide, moment
from headway.core.facts import Fact
from headway.core.ids import RunId
from headway.core.lease import of_run
from headway.core.trigger import Fire, Firings
from headway.errors import AppendConflict
from headway.flows import firing
from headway.flows.daemon_children import Children
from headway.flows.daemon_files import Watched
from headway.flows.launch import LEASE, find
from headway.flows.settle import fold
from headway.ports import Exit, Leases, Log

LOOK_S = 1.0
"""How soon it is seen that the working tree is free, or that a process is gone that another daemon started."""


class Starter:
    """Starts the runs of one pipeline, one after the other. Owned by the daemon's loop."""

    __slots__ = (
        "_began", "_case", "_children", "_known", "_leases", "_length", "_log", "_machine", "_pause_s", "_said",
        "_stream", "_tell", "_watched",
    )  # fmt: skip

    def __init__(
        self, watched: Watched, *, log: Log, leases: Leases, children: Children, tell: Callable[[Told], None]
    ) -> None:
        self._watched = watched
        self._log = log
        self._leases = leases
        self._children = children
        self._tell = tell
        self._stream = firing.stream(self.name)
        self._machine = Firings(firing.limits_of(watched.pipeline))
        self._length = 0
        self._case = Case(firing=0)
        # Its run, and how that ended: read again when a run began or ended, for a run may have many facts.
        self._known: tuple[RunId | None, f.RunFinished | None] | None = None
        self._began = self._pause_s = 0.0
        self._said = ""

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self._watched.pipeline.name

    def do(self, now: float) -> float:
        """Do what is due; gives when to be asked again if nothing happens until then. May be called at any time."""
        self._catch_up()
        while True:
            actions = self._machine.next(now)
            if not actions:
                return self._held_back(now)
            action = actions[0]
            if isinstance(action, Fire):
                self._claim(action, now)
                continue
            again = self._see_through(action.fired, now)
            if again > now:
                return again

    def after(self, entry: f.Entry) -> bool:
        """Whether a fact may let it start a run, or end a firing; events of its pipeline are told."""
        if isinstance(entry.fact, f.RunStarted | f.RunFinished):
            self._known = None
            if isinstance(entry.fact, f.RunStarted) and entry.fact.options.firing.rpartition("/")[0] == self.name:
                self._say("run", f"run {entry.fact.run} began", entry.at, entry.fact.run)
            return self._case.firing > 0
        if entry.stream != self._stream:
            return False
        if isinstance(entry.fact, f.EventSeen):
            self._say("event", entry.fact.why, entry.at)
        return True

    def _held_back(self, now: float) -> float:
        """When what waits will start a run; until when it is held back, and by what, is told once."""
        standing = self._machine.standing(now)
        if standing.due is None:
            return inf
        until = f" until {moment(standing.due)}" if standing.due < inf else ""
        self._say_once("firing", f"the next run waits{until}: {standing.why}", now)
        return standing.due

    def ended(self, exit_: Exit, now: float) -> bool:  # noqa: ARG002 (when does not matter here)
        """Take in that a process ended; whether it was the one of this pipeline's firing."""
        if exit_.key != self._key(self._case.firing):
            return False
        complaint = self._children.complaint(exit_.key)
        n = self._case.n_starts + (0 if complaint is not None and complaint.is_passing else 1)
        self._known = None
        self._case = msgspec.structs.replace(self._case, code=exit_.code, complaint=complaint, n_starts=n)
        return True

    # --- the log ------------------------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        self._length = fold(self._machine, log=self._log, stream=self._stream, after=self._length)

    def _append(self, fact: Fact, now: float) -> bool:
        """Append it where nothing came before it that the machine does not know; whether that was done."""
        try:
            self._length = self._log.append(self._stream, [fact], expect=self._length, at=now)
        except AppendConflict:
            self._catch_up()
            return False
        self._machine.after(fact, now)
        self._log.sync()
        return True

    def _claim(self, fire: Fire, now: float) -> None:
        if self._append(f.TriggerFired(firing=fire.firing, sources=fire.sources, why=fire.why), now):
            self._say("firing", f"firing {fire.firing}: {fire.why}", now)

    # --- the run ------------------------------------------------------------------------------------------------

    def _see_through(self, fired: f.TriggerFired, now: float) -> float:
        """Do what the run of a firing needs; when to look again, which is now when the firing is over."""
        number = fired.firing
        if self._case.firing != number:
            self._case, self._pause_s, self._known = Case(firing=number), 0.0, None
        key = self._key(number)
        if self._children.is_mine(key):
            return inf
        if self._known is None:
            run = firing.run_of(self._log, firing.name(self.name, number))
            self._known = run, None if run is None else find(run, self._log)[1]
        case = msgspec.structs.replace(self._case, run=self._known[0], finished=self._known[1])
        decided = decide(case)
        if isinstance(decided, f.FiringEnded):
            self._end(decided, now)
            return now
        if decided.pause_s:
            # From when its process ended, and told once.
            self._began, self._pause_s = now, decided.pause_s
            self._case = msgspec.structs.replace(self._case, code=None)
            self._say_once("process", f"{decided.why}: it is started again in {decided.pause_s:.0f} s", now)
        # A clock that was set back since is no reason to wait for an hour.
        if self._began <= now < self._began + self._pause_s:
            return self._began + self._pause_s
        return self._begin(case, now)

    def _begin(self, case: Case, now: float) -> float:
        key = self._key(case.firing)
        # A run that was begun is alive as long as somebody holds the working tree; before that, only its process tells.
        if case.run is None and self._children.is_left(key):
            return now + LOOK_S
        holder = self._leases.holder(LEASE, now=now)
        if holder is None and case.run is not None:
            # It may be at work where another `headway up` led, which shares the log.
            holder = self._leases.holder(of_run(case.run), now=now)
        if holder is not None:
            which = "a run" if case.run is None else f"run {case.run} or another one"
            self._say_once("run", f"waits: {which} is at work in this folder ({holder or 'another process'})", now)
            return now + LOOK_S
        file = self._watched.file
        self._children.start(key, ["run", file, "--firing", firing.name(self.name, case.firing), "--json"])
        if case.run is not None:
            self._say("run", f"goes on with run {case.run}", now, case.run)
        return inf

    def _end(self, fact: f.FiringEnded, now: float) -> None:
        if self._append(fact, now):
            self._children.forget(self._key(fact.firing))
            self._said = ""
            self._say("run", _ending(fact), now, fact.run)

    def _key(self, number: int) -> str:
        return f"firing/{firing.name(self.name, number)}"

    def _say(self, kind: Kind, says: str, now: float, run: RunId | None = None) -> None:
        self._tell(Told(at=now, kind=kind, says=says, about=self.name, run=run))

    def _say_once(self, kind: Kind, says: str, now: float) -> None:
        if says != self._said:
            self._said = says
            self._say(kind, says, now)


def _ending(fact: f.FiringEnded) -> str:
    """How a firing ended, in a line, with the command to go on with."""
    if fact.run is None:
        return f"no run could be started: {fact.why}"
    words = f"run {fact.run} {fact.outcome}" + f": {fact.why}" * bool(fact.why)
    return words if fact.outcome == "passed" else f"{words}; headway show {fact.run}"
