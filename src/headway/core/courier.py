"""Which notices go to whom, and when: notices and receipts in, letters and facts out.

Each of those who are told has a bag of its own: one that does not answer holds up nobody else. Knows no network, no log
and no clock: `flows/notify` carries letters, and appends what happened.
"""

from collections.abc import Sequence

from msgspec import Struct

from headway.core import facts as f
from headway.core.notice import FEW, Notice, digest

FIRST_PAUSE_S = 30.0
"""What was not taken is tried again after so long, and twice as long after each further time."""

LONGEST_PAUSE_S = 3600.0

GIVE_UP_S = 86400.0
"""What is older and is not taken is given up: nobody acts on it any more, and the log has it."""

OLDEST_S = 2 * GIVE_UP_S
"""What is older is told to nobody in the first place: `headway up` was down for long."""

_DOUBLINGS = 16
"""More would not make the pause longer."""


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of a notice: taken, when `why` is empty; else why not, in words without a secret.

    `is_final`: this notice will never be taken, trying again is no use. `wait_s`: so long is asked for before that.
    """

    why: str = ""
    is_final: bool = False
    wait_s: float = 0.0


class Letter(Struct, frozen=True, kw_only=True):
    """What is told at a time: `keys` are the notices that it tells of, more than one when it is a digest."""

    keys: tuple[str, ...]
    notice: Notice


class Bag:
    """What one notifier is to be told. Owned by one courier.

    `trouble` is why the last try came to nothing, empty when it did not; `next_at` when the next one may be (UTC
    seconds).
    """

    __slots__ = ("_done", "_n_bad", "_name", "_tries", "_waiting", "next_at", "trouble")

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: dict[str, Notice] = {}
        self._done: set[str] = set()
        self._tries: dict[str, int] = {}
        self._n_bad = 0
        self.next_at = 0.0
        self.trouble = ""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, notice: Notice) -> None:
        """Take in what is to be told; what was told already is not."""
        if notice.key not in self._done:
            self._waiting[notice.key] = notice

    def done(self, key: str) -> None:
        """A fact says that this was told, or given up."""
        self._done.add(key)
        self._waiting.pop(key, None)
        self._tries.pop(key, None)

    def due(self, now: float) -> list[Letter]:
        """What to tell now, in this order, until one is not taken; nothing while it is too early."""
        # A clock that was set back must not hold them for as long as it was wrong.
        if now < self.next_at <= now + LONGEST_PAUSE_S:
            return []
        if len(self._waiting) > FEW:
            return [Letter(keys=tuple(self._waiting), notice=digest(list(self._waiting.values())))]
        return [Letter(keys=(key,), notice=notice) for key, notice in self._waiting.items()]

    def after(self, letter: Letter, receipt: Receipt, now: float) -> list[f.NoticeSent | f.NoticeFailed]:
        """What to append when a letter came back with this receipt; nothing when it is to be tried again."""
        found: list[f.NoticeSent | f.NoticeFailed] = []
        is_kept = bool(receipt.why) and not receipt.is_final
        for key in letter.keys:
            notice = self._waiting.get(key)
            if notice is None:
                continue
            n_tries = self._tries[key] = self._tries.get(key, 0) + 1
            if not receipt.why:
                found.append(f.NoticeSent(key=key, notifier=self._name, n_tries=n_tries))
            elif receipt.is_final or now - notice.at > GIVE_UP_S:
                found.append(f.NoticeFailed(key=key, notifier=self._name, why=receipt.why, n_tries=n_tries))
        self._n_bad = self._n_bad + 1 if is_kept else 0
        self.trouble = receipt.why
        pause_s = FIRST_PAUSE_S * 2 ** min(self._n_bad - 1, _DOUBLINGS) if self._n_bad else 0.0
        self.next_at = now + min(max(pause_s, receipt.wait_s), LONGEST_PAUSE_S)
        return found


def is_too_old(entry: f.Entry, now: float) -> bool:
    """Whether nobody is told of a fact any more."""
    return now - entry.at > OLDEST_S


def told_of(facts: Sequence[f.Entry], name: str) -> list[str]:
    """The notices that these facts say a notifier was told, or that were given up for it."""
    return [
        entry.fact.key
        for entry in facts
        if isinstance(entry.fact, f.NoticeSent | f.NoticeFailed) and entry.fact.notifier == name
    ]
