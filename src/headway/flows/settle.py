"""The one loop: fold the facts of a stream into a machine, ask it for actions, act, append what happened.

It drives a pipeline, a release and whatever comes later; it knows none of them. `act` is a generator of batches:
each batch is appended (with the expected length, so that nobody else can have written meanwhile) before `act` goes
on. So a claim is yielded before the world is touched, and `kill -9` between the two is seen by whoever resumes.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from headway.core.facts import Fact
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
) -> int:
    """Drive `machine` until it wants nothing more; returns the length of the stream.

    Raises AppendConflict when somebody else writes to the stream, and whatever `act` raises; what was appended stays,
    and calling again goes on from there. Synced at the end: what the machine was told is durable on return.
    """
    length = fold(machine, log=log, stream=stream)
    while actions := machine.next(now()):
        for action in actions:
            for facts in act(action):
                at = now()
                length = log.append(stream, facts, expect=length, at=at)
                for fact in facts:
                    machine.after(fact, at)
    log.sync()
    return length


def fold(machine: Machine[A], *, log: Log, stream: str) -> int:
    """Tell `machine` all that is in the stream; returns its length."""
    entries = log.read(stream)
    for entry in entries:
        machine.after(entry.fact, entry.at)
    return len(entries)
