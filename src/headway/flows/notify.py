"""Tell people what they should know: read the log, send notices, append what was sent.

`Courier.step` never waits: each notifier is told by a thread of its own, which touches no log; what came of it is
appended at the next step. `core/notice` says what is worth telling, `core/courier` when it goes to whom.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice

from msgspec import Struct

from headway.core import facts as f
from headway.core.courier import Bag, Letter, Receipt, is_too_old, told_of
from headway.core.notice import KINDS, Notice, notice_of
from headway.core.notifier import Notifying
from headway.errors import AppendConflict, HeadwayError, LeaseHeld
from headway.ports import Leases, Log, Notifier

STREAM = "notices"
LEASE = "notices"
LEASE_S = 300.0

_TOLD = ("NoticeSent", "NoticeFailed")


class Member(Struct, frozen=True, kw_only=True):
    """One of those who are told, and how it is reached; `connect` raises HeadwayError when it cannot be."""

    written: Notifying
    connect: Callable[[], Notifier]


class Post(Struct, frozen=True, kw_only=True):
    """What a courier works with. `holder` names it to others: two couriers would tell everything twice."""

    log: Log
    leases: Leases
    members: tuple[Member, ...]
    now: Callable[[], float]
    holder: str


class Standing(Struct, frozen=True, kw_only=True):
    """How it stands: so many notices were sent by this courier, given up, and wait to be sent.

    `trouble` says why not, by the notifier's name; `elsewhere` who tells notices instead of us, empty: we do.
    `n_busy` notifiers are being told something just now.
    """

    n_sent: int = 0
    n_failed: int = 0
    n_waiting: int = 0
    n_busy: int = 0
    trouble: dict[str, str] = {}
    elsewhere: str = ""


class Courier:
    """Tells notices for as long as it is stepped. Owned by one thread; `close` gives the lease back."""

    __slots__ = (
        "_bags",
        "_begins",
        "_busy",
        "_came_back",
        "_elsewhere",
        "_is_fresh",
        "_length",
        "_n",
        "_post",
        "_seq",
        "_unwritten",
    )

    def __init__(self, post: Post) -> None:
        self._post = post
        self._bags: dict[str, Bag] = {}
        self._begins: dict[str, int] = {}
        self._busy: set[str] = set()
        self._came_back: queue.SimpleQueue[tuple[str, list[tuple[Letter, Receipt]]]] = queue.SimpleQueue()
        self._elsewhere = ""
        # Whether all that others may have told is known.
        self._is_fresh = False
        self._length = 0
        self._n = {"NoticeSent": 0, "NoticeFailed": 0}
        self._seq = 0
        self._unwritten: list[f.NoticeSent | f.NoticeFailed] = []

    def step(self) -> Standing:
        """Append what came back, read what is new, send what is due. Never waits for who is told.

        Cheap when nothing is new. Raises what the log raises: what was sent is kept in mind then, and nothing more is
        sent until that stands in the log.
        """
        self._take_back()
        self._write()
        if self._post.members and self._leads():
            self._read()
            self._send()
        return self.standing

    @property
    def standing(self) -> Standing:
        """How it stands."""
        return Standing(
            n_sent=self._n["NoticeSent"],
            n_failed=self._n["NoticeFailed"],
            n_waiting=sum(len(bag) for bag in self._bags.values()),
            n_busy=len(self._busy),
            trouble={name: bag.trouble for name, bag in self._bags.items() if bag.trouble},
            elsewhere=self._elsewhere,
        )

    def wait(self, timeout_s: float) -> None:
        """Wait until somebody was told, or it failed, and append that; no longer than this."""
        if self._busy:
            with suppress(queue.Empty):
                self._back(*self._came_back.get(timeout=timeout_s))
            self._write()

    def close(self) -> None:
        """Append what came back, and let others tell. Who is being told something just now may be told it again."""
        try:
            self._take_back()
            self._write()
        finally:
            self._is_fresh = False
            self._post.leases.release(LEASE, holder=self._post.holder)

    # --- the log ------------------------------------------------------------------------------------------------

    def _leads(self) -> bool:
        post = self._post
        try:
            post.leases.acquire(LEASE, holder=post.holder, ttl_s=LEASE_S, now=post.now())
        except LeaseHeld as e:
            self._elsewhere = e.holder or "another process"
            self._is_fresh = False
            return False
        self._elsewhere = ""
        if not self._is_fresh:
            self._begin()
            self._is_fresh = True
        return True

    def _begin(self) -> None:
        """Where each notifier begins, and what it was told already."""
        post = self._post
        names = [member.written.called for member in post.members]
        met = post.log.find("NoticeSent", names)
        new = [f.NoticeSent(key="", notifier=name, n_tries=0) for name in names if name not in met]
        if new:
            self._unwritten += new
            self._write()
            met = post.log.find("NoticeSent", names)
        self._begins = {name: met[name].seq for name in names}
        self._bags = {name: Bag(name) for name in names}
        newest = list(post.log.scan((*KINDS, *_TOLD), newest_first=True, limit=1))
        self._seq = newest[0].seq
        self._take_in(_recent(post.log, post.now())[::-1])

    def _read(self) -> None:
        entries = list(self._post.log.scan((*KINDS, *_TOLD), after_seq=self._seq))
        if entries:
            self._seq = entries[-1].seq
            self._take_in(entries)

    def _take_in(self, entries: Sequence[f.Entry]) -> None:
        for name, bag in self._bags.items():
            for key in told_of(entries, name):
                bag.done(key)
        for entry in entries:
            notice = self._notice(entry)
            for member in self._post.members if notice is not None else ():
                name = member.written.called
                if notice is not None and entry.seq > self._begins[name] and member.written.wants(notice.topic):
                    self._bags[name].add(notice)

    def _notice(self, entry: f.Entry) -> Notice | None:
        if f.kind_of(entry.fact) in _TOLD or entry.seq <= min(self._begins.values()):
            return None
        return notice_of(entry, _around(self._post.log, entry))

    def _write(self) -> None:
        """Append what was told. While that cannot be, it is not forgotten: else it would be told again and again."""
        log = self._post.log
        while self._unwritten:
            try:
                self._length = log.append(STREAM, self._unwritten, expect=self._length, at=self._post.now())
            except AppendConflict:
                # An earlier courier, or one that is about to lose its lease: it says nothing that contradicts us.
                self._length = len(log.read(STREAM))
            else:
                self._unwritten.clear()

    # --- sending ------------------------------------------------------------------------------------------------

    def _send(self) -> None:
        now = self._post.now()
        for member in self._post.members:
            name = member.written.called
            letters = [] if name in self._busy else self._bags[name].due(now)
            if letters:
                self._busy.add(name)
                # A daemon: who hangs must not keep `headway up` from ending.
                threading.Thread(target=_tell, args=(member, letters, self._came_back), daemon=True).start()

    def _take_back(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._back(*self._came_back.get_nowait())

    def _back(self, name: str, came: Sequence[tuple[Letter, Receipt]]) -> None:
        self._busy.discard(name)
        bag = self._bags[name]
        now = self._post.now()
        for letter, receipt in came:
            for fact in bag.after(letter, receipt, now):
                bag.done(fact.key)
                self._n[f.kind_of(fact)] += 1
                self._unwritten.append(fact)


_OLD_IN_A_ROW = 100
"""After so many facts that are too old no newer ones come; fewer may have been written by a clock that was wrong."""


def _recent(log: Log, now: float) -> list[f.Entry]:
    """The facts that somebody may have to be told of, and those that say who was told; newest first."""
    found = []
    n_old = 0
    for entry in log.scan((*KINDS, *_TOLD), newest_first=True):
        n_old = n_old + 1 if is_too_old(entry, now) else 0
        if n_old > _OLD_IN_A_ROW:
            break
        if not n_old:
            found.append(entry)
    return found


def _around(log: Log, entry: f.Entry) -> list[f.Entry]:
    """The facts of its stream that a notice needs to be told by: of a run all, of a release how it began."""
    match entry.fact:
        case f.RunFinished():
            return [one for one in log.read(entry.stream) if one.n <= entry.n]
        case f.ReleaseHeld() | f.ReleaseFinished():
            # Not the whole stream: an endpoint that was looked at for weeks has many facts.
            began = log.scan(("ReleaseStarted",), newest_first=True)
            return [*islice((one for one in began if one.stream == entry.stream and one.seq < entry.seq), 1), entry]
        case _:
            return [entry]


def deliver(post: Post, *, patience_s: float = 60.0) -> Standing:
    """Tell everything that is due now, once, and give back how it stands; waits no longer than `patience_s` for each.

    Raises what the log raises.
    """
    courier = Courier(post)
    try:
        standing = courier.step()
        while standing.n_busy:
            courier.wait(patience_s)
            if courier.standing.n_busy >= standing.n_busy:
                break
            standing = courier.standing
        return courier.standing
    finally:
        courier.close()


def tell(member: Member, notice: Notice) -> Receipt:
    """Tell one notifier one thing; whatever goes wrong is in the receipt."""
    try:
        return member.connect().send(notice)
    except HeadwayError as e:
        return Receipt(why=f"{e.problem} ({e.at})")
    except Exception as e:  # noqa: BLE001 (a notifier may come from another package: it must not end the daemon)
        return Receipt(why=f"the notifier failed: {type(e).__name__}")


def _tell(
    member: Member, letters: Sequence[Letter], came_back: "queue.SimpleQueue[tuple[str, list[tuple[Letter, Receipt]]]]"
) -> None:
    """Tell one after the other, until one is not taken; runs in a thread of its own."""
    came = []
    for letter in letters:
        receipt = tell(member, letter.notice)
        came.append((letter, receipt))
        if receipt.why and not receipt.is_final:
            break
    came_back.put((member.written.called, came))
