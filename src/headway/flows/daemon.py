"""The loop behind `headway up`: one process that leads, and does each of its duties when that is due.

A duty (`daemon_firings` and its neighbours) does what can be done now and says when to ask it again; the log tells all
of them what happened, whoever wrote it. Trouble of one duty is told, and tried again ever more seldom; the others go
on. Nothing is remembered here that the log does not say: whoever takes over folds the same facts.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from typing import Protocol

from msgspec import Struct

from headway.core.daemon import Told, pause_s
from headway.core.facts import Entry
from headway.errors import HeadwayError, LeaseHeld, RemoteUnreachable, SystemRefused
from headway.flows.daemon_children import Children
from headway.flows.daemon_log import QuietLog
from headway.ports import Exit, Leases

LEASE = "up"
"""One daemon leads in a project."""

TTL_S = 15.0
RENEW_S = 5.0
"""How long the lease of a leader lasts that cannot be seen to die, and how often it says that it lives."""

READ_S = 0.5
"""How soon it is seen that somebody appended a fact."""

LEAST_S = 0.2
"""What is due within so long is done together: a hundred duties, each at a time of its own, must not keep it busy."""

AGAIN_S = 1.0
"""How soon one that waits sees that nobody leads."""

HEARD = (
    "EventSeen", "SourceWatched", "TriggerFired", "FiringEnded", "RunStarted", "RunFinished",
    "ReleaseStarted", "StageBegan", "EndpointSwitched", "ReleaseHeld", "ReleaseDirected", "ReleaseFinished",
    "EndpointStopped", "MonitorBegan", "WindowClosed", "QualitySeen", "AlarmRaised", "AlarmEnded", "AliasMoved",
    "DatasetVersioned",
)  # fmt: skip
"""The facts that duties hear of. Those of steps and of looks at a release are many, and nothing follows from them."""

_JUMP_S = 2.0
"""A clock that is behind where it was by more than this was set back: what was to be done later is looked at now."""


class Duty(Protocol):
    """Something the daemon does again and again. One object, one owner."""

    @property
    def name(self) -> str:
        """What trouble with it is told about: a pipeline, an endpoint; empty for the daemon's own."""

    def do(self, now: float) -> float:
        """Do what is due; gives when to be asked again, in UTC seconds. May be called any time, and killed anywhere."""

    def after(self, entry: Entry) -> bool:
        """Take in what somebody appended; whether there may be something to do now."""

    def ended(self, exit_: Exit, now: float) -> bool:
        """Take in that a process ended; whether it was this duty's, and there is something to do now."""


class World(Struct, frozen=True, kw_only=True):
    """What the loop works with. `pause` lets so many seconds go by, or less, when something happens; whether it did."""

    log: QuietLog
    leases: Leases
    children: Children
    now: Callable[[], float]
    pause: Callable[[float], bool]
    tell: Callable[[Told], None]
    holder: str = f"process {os.getpid()} on {os.uname().nodename}"


class Daemon:
    """One leader's work, from taking the lease to losing it. Made anew by whoever leads next."""

    __slots__ = ("_duties", "_is_eager", "_n_read", "_own", "_renewed_at", "_was", "_world")

    def __init__(self, world: World, duties: Sequence[Duty]) -> None:
        self._world = world
        self._duties = [_Kept(duty) for duty in duties]
        self._own = _Trouble()
        self._is_eager = False
        self._renewed_at = -inf
        self._was = -inf
        # What was appended before is folded by each duty itself.
        self._n_read = next((entry.seq for entry in world.log.scan(newest_first=True, limit=1)), 0)

    def round(self) -> float:
        """Do all that is due; gives when something will be. Raises LeaseHeld when somebody else leads."""
        now = self._world.now()
        if now < self._was - _JUMP_S:
            self._stir()
            self._renewed_at = -inf
        self._was = now
        if now - self._renewed_at >= RENEW_S:
            # Taken, not renewed: where its time went by on a machine that slept, nobody may have taken it.
            self._world.leases.acquire(LEASE, holder=self._world.holder, ttl_s=TTL_S, now=now)
            self._renewed_at = now
        self._hear(now)
        due = [kept for kept in self._duties if kept.due_at <= now]
        for kept in due:
            self._do(kept, now)
        # What was done may have consequences for others, which need not wait.
        self._is_eager = bool(due)
        return min((kept.due_at for kept in self._duties), default=inf)

    def settle(self) -> None:
        """Do all that is due, and what is due in consequence."""
        while self.round() <= self._world.now() or self._is_unread():
            pass

    def wait(self, until: float) -> None:
        """Let time go by until something is due, or somebody may have appended something."""
        if self._is_eager and self._is_unread():
            return
        if self._world.pause(min(max(LEAST_S, until - self._world.now()), READ_S)):
            self._stir()

    def _stir(self) -> None:
        for kept in self._duties:
            kept.due_at = -inf

    def _is_unread(self) -> bool:
        """Whether somebody appended anything. One look, where a look for each kind would cost as many."""
        try:
            return next(iter(self._world.log.scan(after_seq=self._n_read, limit=1)), None) is not None
        except HeadwayError as e:
            self._troubled(self._own, e, self._world.now())
            return False

    def _hear(self, now: float) -> None:
        """Let the duties know what happened since."""
        for exit_ in self._world.children.ended():
            for kept in self._duties:
                if kept.duty.ended(exit_, now):
                    kept.due_at = now
        if not self._is_unread():
            return
        self._world.log.stirred()
        try:
            newest = next(entry.seq for entry in self._world.log.scan(newest_first=True, limit=1))
            for entry in self._world.log.scan(HEARD, after_seq=self._n_read):
                self._n_read = entry.seq
                for kept in self._duties:
                    if kept.duty.after(entry):
                        kept.due_at = min(kept.due_at, now)
            # What lies between was of kinds that nobody hears of.
            self._n_read = max(self._n_read, newest)
        except HeadwayError as e:
            self._troubled(self._own, e, now)
        else:
            self._own.is_over()

    def _do(self, kept: "_Kept", now: float) -> None:
        try:
            kept.due_at = kept.duty.do(now)
        except HeadwayError as e:
            kept.due_at = now + self._troubled(kept.trouble, e, now, about=kept.duty.name)
        except OSError as e:
            place = str(e.filename) if e.filename is not None else "the operating system"
            told = SystemRefused(
                (e.strerror or str(e)).lower(), at=place, remedy="see that it is there and may be used"
            )
            kept.due_at = now + self._troubled(kept.trouble, told, now, about=kept.duty.name)
        except Exception as e:  # noqa: BLE001 (a fault of ours in one duty must not end all others, night after night)
            kept.due_at = now + self._troubled(kept.trouble, _fault(e), now, about=kept.duty.name)
        else:
            kept.trouble.is_over()

    def _troubled(self, trouble: "_Trouble", error: HeadwayError, now: float, about: str = "") -> float:
        """How long to wait before it is tried again. Told once: what lasts an hour would else be all that is read."""
        if trouble.is_news(error):
            says = f"{error.problem} ({error.at}); it is tried again. {error.remedy}"
            self._world.tell(Told(at=now, kind="trouble", says=says, about=about))
        return max(error.retry_after_s or 0.0, pause_s(trouble.n))


def _fault(error: Exception) -> HeadwayError:
    from traceback import extract_tb

    last = extract_tb(error.__traceback__)[-1]
    return HeadwayError(
        f"this is a fault in headway itself: {type(error).__name__}: {error}",
        at=f"{os.path.basename(last.filename)}:{last.lineno} in {last.name}",
        remedy="Nothing recorded is lost; report it",
    )


class _Trouble:
    """What keeps a duty from being done, and how often it was tried in vain."""

    __slots__ = ("_problem", "n")

    def __init__(self) -> None:
        self.is_over()

    def is_over(self) -> None:
        self.n, self._problem = 0, ""

    def is_news(self, error: HeadwayError) -> bool:
        self.n += 1
        before, self._problem = self._problem, error.problem
        return before != error.problem


class _Kept:
    """A duty with when it is due, and its trouble."""

    __slots__ = ("due_at", "duty", "trouble")

    def __init__(self, duty: Duty) -> None:
        self.duty = duty
        self.due_at = -inf
        self.trouble = _Trouble()


class Work(Protocol):
    """What a daemon has to do, which may become something else while it does it."""

    def begin(self) -> Sequence[Duty]:
        """The duties as they are now."""

    def is_other(self, now: float) -> bool:
        """Whether the duties that were made last are no longer what is to be done."""

    def is_over(self) -> bool:
        """Whether somebody asked this process to end."""

    def rest(self) -> None:
        """Let go of what only a leader has. May be called twice, and be followed by `begin`."""


def lead(world: World, work: Work, *, once: bool = False) -> None:
    """Wait for the lease, then do the work until it is over, or only `once`: what is due now, and what follows of it.

    Raises LeaseHeld where somebody else leads and it was to be done once.
    """
    told = ""
    while not work.is_over():
        waits = _kept_from_leading(world, once=once)
        if waits is not None:
            if told != waits.says:
                told = waits.says
                world.tell(waits)
            world.pause(AGAIN_S)
            continue
        told = ""
        try:
            _led(world, work, once=once)
        except (LeaseHeld, RemoteUnreachable) as e:
            if once and not isinstance(e, LeaseHeld):
                raise
            world.tell(Told(at=world.now(), kind="daemon", says=f"no longer leads: {e.problem}"))
        finally:
            work.rest()
            # Where the database is gone, the lease ends by itself.
            with suppress(RemoteUnreachable):
                world.leases.release(LEASE, holder=world.holder)
        if once:
            return
    world.tell(Told(at=world.now(), kind="daemon", says="ends; what it started goes on by itself"))


def _kept_from_leading(world: World, *, once: bool) -> Told | None:
    """Take the lease; or why it must be asked for again. Raises LeaseHeld, RemoteUnreachable to lead `once`."""
    try:
        world.leases.acquire(LEASE, holder=world.holder, ttl_s=TTL_S, now=world.now())
    except RemoteUnreachable as e:
        if once:
            raise
        says = f"{e.problem} ({e.at}); it is tried again. {e.remedy}"
        return Told(at=world.now(), kind="trouble", says=says)
    except LeaseHeld as e:
        if once:
            raise LeaseHeld(
                f"another `headway up` leads in this project: {e.holder}",
                at="up",
                remedy="leave it to that one, which does all that is due; or end it first",
                holder=e.holder,
            ) from e
        says = f"{e.holder or 'another process'} leads in this project; this one takes over when it ends"
        return Told(at=world.now(), kind="daemon", says=says)
    return None


def _led(world: World, work: Work, *, once: bool) -> None:
    daemon = Daemon(world, work.begin())
    if once:
        daemon.settle()
        return
    while not work.is_over():
        if work.is_other(world.now()):
            daemon = Daemon(world, work.begin())
        daemon.wait(daemon.round())
