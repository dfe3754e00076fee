"""Who waits for whom: the quick ways against the plain ones."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.order import Ancestors, Needs, Writers, by_list, sequence

PATHS = st.lists(st.sampled_from(["a", "b", "c.csv"]), min_size=1, max_size=4).map("/".join)
GRAPHS = st.integers(0, 9).flatmap(
    lambda n: st.lists(st.sets(st.integers(0, max(n - 1, 0)), max_size=3).map(tuple), min_size=n, max_size=n)
)


def matches(path: list[str], glob: list[str]) -> bool:
    """Whether a glob finds the path or a folder above it, as it is defined."""
    if not glob:
        return True
    if glob[0] == "**":
        return matches(path, glob[1:]) or (bool(path) and matches(path[1:], glob))
    return bool(path) and fnmatchcase(path[0], glob[0]) and matches(path[1:], glob[1:])


GLOBS = st.lists(st.sampled_from(["a", "b", "*", "**", "*.csv", "[ab]", "?"]), min_size=1, max_size=4).map("/".join)


@given(st.lists(PATHS, unique=True, max_size=8), PATHS | GLOBS)
def test_writers_are_found_by_path_folder_and_glob(outputs: list[str], wanted: str) -> None:
    writers = Writers()
    for node, path in enumerate(outputs):
        assert writers.add(path, node) is None
    found = set(writers.of(wanted))
    plain = {
        node
        for node, path in enumerate(outputs)
        if path == wanted or path.startswith(f"{wanted}/") or wanted.startswith(f"{path}/")
    }
    parts = wanted.split("/")
    globbed = {node for node, path in enumerate(outputs) if matches(path.split("/"), parts)}
    is_glob = any(c in wanted for c in "*?[")
    assert found >= (globbed if is_glob else plain)
    if not is_glob:
        assert found == plain
        return
    # A glob also means what lies in a folder that is written as a whole.
    fixed = wanted[: min(wanted.find(c) for c in "*?[" if c in wanted)].rpartition("/")[0]
    holders = {node for node, path in enumerate(outputs) if fixed == path or fixed.startswith(f"{path}/")}
    assert found == globbed | holders


@given(GRAPHS)
def test_the_sequence_is_an_order_or_there_are_rings(needs: Needs) -> None:
    order, rings = sequence(needs)
    seen: set[int] = set()
    for node in order:
        assert seen.issuperset(needs[node])
        seen.add(node)
    assert bool(rings) is (len(order) < len(needs))
    for ring in rings:
        assert all(after in needs[node] for node, after in zip(ring, [*ring[1:], ring[0]], strict=True))
    if all(all(n < i for n in some) for i, some in enumerate(needs)):
        assert order == list(range(len(needs)))


@given(GRAPHS)
def test_ancestors_are_all_that_is_waited_for(needs: Needs) -> None:
    order, rings = sequence(needs)
    if rings:
        return
    above: dict[int, set[int]] = {}
    for node in order:
        above[node] = set(needs[node]).union(*(above[n] for n in needs[node]))
    ancestors = Ancestors(needs, order)
    assert all(ancestors.has(a, b) is (b in above[a]) for a in above for b in above)


@pytest.mark.parametrize(("n", "most"), [(1000, 2000)])
def test_a_list_has_few_edges(n: int, most: int) -> None:
    explicit = [() if i % 10 else None for i in range(n)]
    needs = by_list(explicit, [range(i, i + 1) for i in range(n)])
    assert sum(len(some) for some in needs) < most


def test_nested_outputs_are_found() -> None:
    writers = Writers()
    for node, path in enumerate(["a/b/c", "a", "ab", "a/b"]):
        writers.add(path, node)
    assert set(writers.nested()) == {("a/b/c", 0, "a", 1), ("a/b/c", 0, "a/b", 3), ("a/b", 3, "a", 1)}
    assert writers.add("ab", 9) == 2
