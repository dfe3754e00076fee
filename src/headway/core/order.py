"""Which step waits for which: from the list, from `needs`, or from what steps read and write (`order: graph`).

Works on numbers: node `i` is the i-th step (or instance of a matrix) in the order of the file. Knows no ids and no
expressions; it finds rings and producers, `core/resolve` puts them into words.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

from headway.core.paths import MAGIC

Needs = list[tuple[int, ...]]
"""For each node the nodes that must have ended before it starts."""


def by_list(explicit: Sequence[tuple[int, ...] | None], groups: Sequence[range]) -> Needs:
    """The order of the list: a step without needs of its own waits for everything above it.

    `explicit` holds for each step the nodes it names in `needs`, or None; `groups` its instances. A step waits for
    all above by waiting for those that nothing has waited for yet, so the edges stay few.
    """
    needs: Needs = []
    waiting: dict[int, None] = {}
    for named, group in zip(explicit, groups, strict=True):
        wanted = tuple(waiting) if named is None else named
        for node in wanted:
            waiting.pop(node, None)
        needs += [wanted] * len(group)
        waiting.update(dict.fromkeys(group))
    return needs


class Writers:
    """Which node writes which path; finds the nodes that write what an input means."""

    __slots__ = ("_by_path", "_found", "_sorted")

    def __init__(self) -> None:
        self._by_path: dict[str, int] = {}
        self._found: dict[str, tuple[int, ...]] = {}
        self._sorted: list[str] | None = None

    def add(self, path: str, node: int) -> int | None:
        """Note a writer; gives the other node that writes the same path, if there is one."""
        other = self._by_path.setdefault(path, node)
        self._sorted = None
        return other if other != node else None

    def nested(self) -> Iterable[tuple[str, int, str, int]]:
        """Outputs that lie inside the output of another node: inner path, its node, outer path, its node."""
        for path, node in self._by_path.items():
            for above in _above(path):
                other = self._by_path.get(above)
                if other is not None and other != node:
                    yield path, node, above, other

    def of(self, wanted: str) -> tuple[int, ...]:
        """The nodes that write this path, a folder it lies in, something inside it, or what its glob matches."""
        if not self._by_path:
            return ()
        found = self._found.get(wanted)
        if found is None:
            found = self._found[wanted] = tuple(dict.fromkeys(self._search(wanted)))
        return found

    def _search(self, wanted: str) -> Iterable[int]:
        start = wanted
        if not MAGIC.isdisjoint(wanted):
            first = min(wanted.find(c) for c in MAGIC if c in wanted)
            start = wanted[:first].rpartition("/")[0]
            for path in self._inside(start):
                if _matches(path, wanted):
                    yield self._by_path[path]
        else:
            if wanted in self._by_path:
                yield self._by_path[wanted]
            for path in self._inside(wanted):
                yield self._by_path[path]
        if start != wanted and start in self._by_path:
            yield self._by_path[start]
        for above in _above(start):
            if above in self._by_path:
                yield self._by_path[above]

    def _inside(self, folder: str) -> Iterable[str]:
        if self._sorted is None:
            self._sorted = sorted(self._by_path)
        paths = self._sorted
        prefix = f"{folder}/" if folder else ""
        for i in range(bisect_left(paths, prefix), len(paths)):
            if not paths[i].startswith(prefix):
                break
            yield paths[i]


def _above(path: str) -> Iterable[str]:
    """The folders a path lies in, the nearest first.

    >>> list(_above("a/b/c"))
    ['a/b', 'a']
    """
    end = path.rfind("/")
    while end > 0:
        path = path[:end]
        yield path
        end = path.rfind("/")


def _matches(path: str, glob: str) -> bool:
    """Whether the path, or a folder it lies in, is one that the glob finds; `**` stands for any number of folders."""
    from fnmatch import fnmatchcase

    # Any start of the path may match, for a glob that finds a folder means all that is in it. `reached` holds the
    # places in the glob that the parts read so far lead to.
    parts = glob.split("/")
    reached = _past_stars({0}, parts)
    for part in path.split("/"):
        after = set()
        for at in reached:
            if at == len(parts):
                return True
            if parts[at] == "**":
                after.add(at)
            elif fnmatchcase(part, parts[at]):
                after.add(at + 1)
        reached = _past_stars(after, parts)
    return len(parts) in reached


def _past_stars(places: set[int], parts: Sequence[str]) -> set[int]:
    """The places, and those after any `**` there, which may stand for nothing."""
    past = set(places)
    todo = list(places)
    while todo:
        at = todo.pop()
        if at < len(parts) and parts[at] == "**" and at + 1 not in past:
            past.add(at + 1)
            todo.append(at + 1)
    return past


def by_graph(wanted: Sequence[set[int] | None]) -> Needs:
    """The order that follows from what steps read and write; None marks a step that declares nothing.

    Nobody knows what such a step reads or writes: it waits for all above it, and all below wait for it.
    """
    needs: list[tuple[int, ...]] = [()] * len(wanted)
    barrier: int | None = None
    waiting: dict[int, None] = {}
    for i, some in enumerate(wanted):
        if some is None:
            needs[i] = tuple(waiting) or (() if barrier is None else (barrier,))
            waiting.clear()
            barrier = i
            continue
        for node in some:
            waiting.pop(node, None)
        waiting[i] = None
        needs[i] = tuple(sorted(some if barrier is None else {*some, barrier}))
    return needs


def sequence(needs: Needs) -> tuple[list[int], list[list[int]]]:
    """An order in which every node comes after its needs, nearest to the file's, and the rings that forbid one."""
    if all(not some or max(some) < i for i, some in enumerate(needs)):
        return list(range(len(needs))), []
    after: list[list[int]] = [[] for _ in needs]
    open_needs = [len(some) for some in needs]
    for i, some in enumerate(needs):
        for node in some:
            after[node].append(i)
    ready = [i for i, n in enumerate(open_needs) if not n]
    heapify(ready)
    order: list[int] = []
    while ready:
        node = heappop(ready)
        order.append(node)
        for later in after[node]:
            open_needs[later] -= 1
            if not open_needs[later]:
                heappush(ready, later)
    left = {i for i, n in enumerate(open_needs) if n}
    return order, _rings(needs, left)


def _rings(needs: Needs, left: set[int]) -> list[list[int]]:
    """Rings among the nodes that could not be put in order, each node in one ring at most."""
    rings = []
    while left:
        path: list[int] = []
        places: dict[int, int] = {}
        node: int | None = min(left)
        while node is not None and node not in places:
            places[node] = len(path)
            path.append(node)
            node = next((n for n in needs[node] if n in left), None)
        if node is not None:
            rings.append(path[places[node] :])
        left.difference_update(path)
    return rings


class Ancestors:
    """Whether one node comes after another for certain; made of one number of bits for each node, when first asked."""

    __slots__ = ("_bits", "_needs", "_order")

    def __init__(self, needs: Needs, order: Sequence[int]) -> None:
        self._needs = needs
        self._order = order
        self._bits: list[int] | None = None

    def has(self, node: int, before: int) -> bool:
        """Whether `node` waits for `before`, directly or through others."""
        if before in self._needs[node]:
            return True
        if self._bits is None:
            bits = [0] * len(self._needs)
            for i in self._order:
                mine = 0
                for need in self._needs[i]:
                    mine |= bits[need] | 1 << need
                bits[i] = mine
            self._bits = bits
        return bool(self._bits[node] >> before & 1)
