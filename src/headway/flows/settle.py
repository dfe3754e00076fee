"""The one loop: fold the facts of a stream into a machine, ask it for actions, act, append what happened.

It drives a pipeline, a release and whatever comes later; it knows none of them. `act` is a generator of batches:
each batch is appended (with the expected length, so that nobody else can have written meanwhile) before `act` goes
on. So a claim is yielded before the world is touched, and `kill -9` between the two is seen by whoever resumes.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from headway.core.facts import Fact
from headway.errors import AppendConflict
from headway.ports import Log

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)


class Machine(Protocol[A_co]):
    """Decides without doing: told each fact once and in order, it says what to do next; nothing means done."""

    def after(self, fact: Fact, at: float) -> None:
        """Take in what happened."""

    def next(self, now: float) -> Sequence[A_co]:
        """What to do now."""


def settle(
    machine: Machine[A],
    *,
    log: Log,
    stream: str,
    act: Callable[[A], Iterable[Sequence[Fact]]],
    now: Callable[[], float],
    beside: tuple[type[Fact], ...] = (),
) -> int:
    """Drive `machine` until it wants nothing more; returns the length of the stream.

    Facts of the kinds `beside` may be appended by others meanwhile: the machine is told of them before it is asked
    again. Raises AppendConflict when somebody else writes anything else to the stream, and whatever `act` raises; what
    was appended stays, and calling again goes on from there. Synced at the end: what the machine was told is durable on
    return.
    """
    tale = _Tale(machine, log, stream, beside)
    while actions := machine.next(now()):
        for action in actions:
            for facts in act(action):
                tale.add(facts, now())
        if beside:
            tale.catch_up()
    log.sync()
    return tale.length


class _Tale(Generic[A]):
    """A stream and the machine that is told all of it, in order."""

    __slots__ = ("_beside", "_log", "_machine", "_stream", "length")

    def __init__(self, machine: Machine[A], log: Log, stream: str, beside: tuple[type[Fact], ...]) -> None:
        self._machine = machine
        self._log = log
        self._stream = stream
        self._beside = beside
        self.length = fold(machine, log=log, stream=stream)

    def add(self, facts: Sequence[Fact], at: float) -> None:
        """Append what happened, and tell of it; what others were allowed to write before that is told first."""
        while True:
            try:
                length = self._log.append(self._stream, facts, expect=self.length, at=at)
            except AppendConflict:
                if not self._beside or not self.catch_up():
                    raise
            else:
                break
        self.length = length
        for fact in facts:
            self._machine.after(fact, at)

    def catch_up(self) -> bool:
        """Tell what others wrote; whether they wrote anything. Raises AppendConflict where they may not write that."""
        others = self._log.read(self._stream, after=self.length)
        for entry in others:
            if not isinstance(entry.fact, self._beside):
                raise AppendConflict(
                    f"somebody else wrote {type(entry.fact).__name__} to {self._stream}",
                    at=self._stream,
                    remedy="see that one process at a time acts there, then try again",
                )
            self.length += 1
            self._machine.after(entry.fact, entry.at)
        return bool(others)


def fold(machine: Machine[A], *, log: Log, stream: str, after: int = 0) -> int:
    """Tell `machine` all that is in the stream, or what came `after` so many facts; returns its length."""
    entries = log.read(stream, after=after)
    for entry in entries:
        machine.after(entry.fact, entry.at)
    return after + len(entries)
