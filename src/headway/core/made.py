"""Which step made what, and what was made of it, of hundreds of thousands of steps in a few megabytes.

A fold of all finished steps in which everything is a number: content by its place among all that was met, steps in the
order of the log. Neighbour: `flows/made` reads the log and keeps this. Remembers digests and where facts stand, and no
fact.
"""

from array import array
from collections.abc import Collection, Iterable
from contextlib import suppress
from hashlib import blake2b
from heapq import heappop, heappush
from struct import iter_unpack

from msgspec import Struct

KEY_BYTES = 32

_LEAST_SLOTS = 64
_RECENT = 1000


class Packed(Struct, frozen=True, array_like=True):
    """A `Graph` as bytes: numbers of 4 bytes, those of facts of 8, in the order of bytes of the machine.

    Views of the memory that they lie in, of which nothing is copied twice.
    """

    keys: memoryview
    numbers: tuple[memoryview, ...]
    odd: dict[int, str]


class Graph:
    """Steps with what they read and made. Some 75 bytes for a step that reads one thing and makes a new one.

    >>> graph = Graph()
    >>> graph.add(7, read=["d" * 64], made=["e" * 64])
    >>> graph.maker("e" * 64), graph.maker("d" * 64), len(graph.reached(["d" * 64]))
    (7, None, 2)
    """

    __slots__ = (
        "_before",
        "_ends",
        "_facts",
        "_first",
        "_keys",
        "_made",
        "_newest",
        "_odd",
        "_readers",
        "_recent",
        "_slots",
    )

    def __init__(self) -> None:
        # Of each content, by its place: its digest, the first step that made it (from 1), and the newest that read it
        # (a place in `_readers`, from 1), before which others may have.
        self._keys = bytearray()
        self._first = array("I")
        self._newest = array("I")
        self._odd: dict[int, str] = {}  # What is no digest as we write them, as it was written.
        # Where to find a content: places (from 1) in slots, by their digests, the next free one being taken.
        self._slots = array("I", bytes(4 * _LEAST_SLOTS))
        # Of each step: its fact, and where in `_made` what it made ends.
        self._facts = array("Q")
        self._ends = array("I")
        self._made = array("I")
        # Each time that a step read something: the step, and the reading of the same content before it (from 1).
        self._readers = array("I")
        self._before = array("I")
        # What was met last is met again soon: a run reads what the one before it read, and what its own steps made.
        self._recent: dict[str, int] = {}

    @classmethod
    def of(cls, packed: Packed) -> "Graph":
        """The graph that `pack` gave."""
        graph = cls()
        graph._keys += packed.keys
        graph._odd.update(packed.odd)
        del graph._slots[:]
        for numbers, view in zip(graph._numbers(), packed.numbers, strict=True):
            numbers.frombytes(view)
        return graph

    def pack(self) -> Packed:
        """All of it as bytes; it must not grow as long as they are used."""
        return Packed(keys=memoryview(self._keys), numbers=tuple(map(memoryview, self._numbers())), odd=self._odd)

    def _numbers(self) -> "tuple[array[int], ...]":
        first, steps = (self._slots, self._first, self._newest), (self._facts, self._ends, self._made)
        return (*first, *steps, self._readers, self._before)

    @property
    def n_steps(self) -> int:
        """Steps that made something."""
        return len(self._facts)

    def add(self, fact: int, read: Collection[str], made: Iterable[str]) -> None:
        """A step, by the number of its fact (above those before), with digests of what it read and made."""
        self._facts.append(fact)
        step = len(self._facts)
        for digest in made:
            place = self._put(digest)
            self._made.append(place)
            if not self._first[place]:
                self._first[place] = step
        self._ends.append(len(self._made))
        for digest in set(read):
            place = self._put(digest)
            self._before.append(self._newest[place])
            self._readers.append(step)
            self._newest[place] = len(self._readers)

    def maker(self, digest: str) -> int | None:
        """The fact of the step that made it first; None where no step made it."""
        place = self._slots[self._slot(_key(digest))]
        step = self._first[place - 1] if place else 0
        return self._facts[step - 1] if step else None

    def reached(self, digests: Collection[str]) -> set[str]:
        """These and all that steps made of them, and of that again: of what was read when it was reached already."""
        # Since which step each is reached: what read it before then read something else that was the same.
        since: dict[int, int] = {}
        for digest in digests:
            if place := self._slots[self._slot(_key(digest))]:
                since[place - 1] = 0
        due = sorted((0, place) for place in since)
        made, ends, readers, before, newest = self._made, self._ends, self._readers, self._before, self._newest
        while due:
            begun, place = heappop(due)
            if begun != since[place]:
                continue
            reading = newest[place]
            # The newest first: those before it was reached are all behind the first such.
            while reading and (step := readers[reading - 1]) > begun:
                for i in range(ends[step - 2] if step > 1 else 0, ends[step - 1]):
                    one = made[i]
                    if step < since.get(one, step + 1):
                        since[one] = step
                        if newest[one]:
                            heappush(due, (step, one))
                reading = before[reading - 1]
        keys, odd = self._keys, self._odd
        found = {keys[KEY_BYTES * one : KEY_BYTES * (one + 1)].hex() for one in since if one not in odd}
        found.update(digests, (odd[one] for one in since if one in odd))
        return found

    def _put(self, digest: str) -> int:
        """Its place, a new one for what was not met before."""
        place = self._recent.get(digest, -1)
        if place < 0:
            if len(self._recent) >= _RECENT:
                self._recent.clear()
            place = self._recent[digest] = self._met(digest)
        return place

    def _met(self, digest: str) -> int:
        key = _key(digest)
        slot = self._slot(key)
        if self._slots[slot]:
            return self._slots[slot] - 1
        place = len(self._first)
        self._keys += key
        self._first.append(0)
        self._newest.append(0)
        if key.hex() != digest:
            self._odd[place] = digest
        self._slots[slot] = place + 1
        if 3 * place > 2 * len(self._slots):
            self._widen()
        return place

    def _slot(self, key: bytes) -> int:
        """Where it is in the slots, or the free one where it would be."""
        slots, keys = self._slots, self._keys
        mask = len(slots) - 1
        slot = int.from_bytes(key[-8:], "big") & mask
        while (place := slots[slot]) and not keys.startswith(key, KEY_BYTES * place - KEY_BYTES):
            slot = (slot + 1) & mask
        return slot

    def _widen(self) -> None:
        slots = self._slots = array("I", bytes(16 * len(self._slots)))
        mask = len(slots) - 1
        # No two are the same, so that each takes the next free slot.
        for place, (*_, number) in enumerate(iter_unpack(">QQQQ", self._keys), 1):
            slot = number & mask
            while slots[slot]:
                slot = (slot + 1) & mask
            slots[slot] = place


def _key(digest: str) -> bytes:
    """The 32 bytes that a digest stands for; of what is none as we write them, some that stand for that text."""
    with suppress(ValueError):
        key = bytes.fromhex(digest)
        if len(key) == KEY_BYTES and key.hex() == digest:
            return key
    return blake2b(digest.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()
