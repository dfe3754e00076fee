"""Whole copies make the shares that they can, the version that serves keeps its own, and the rest is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.copies import TOLERANCE, apportioned, chosen, reachable
from headway.core.problem import Problem

SHARES = st.lists(st.floats(0.01, 1), min_size=2, max_size=5).map(
    lambda parts: {version: part / sum(parts) for version, part in enumerate(parts)}
)


@given(shares=SHARES, n=st.integers(1, 200))
def test_all_copies_are_shared_out_and_nobody_is_off_by_a_whole_one(shares: dict[int, float], n: int) -> None:
    found = apportioned(shares, n)
    assert sum(found.values()) == n
    assert all(abs(found[version] - share * n) < 1 for version, share in shares.items())


@given(shares=SHARES, least=st.integers(1, 10), most=st.integers(2, 40))
def test_what_is_chosen_keeps_every_promise_and_what_is_refused_cannot_be_had(
    shares: dict[int, float], least: int, most: int
) -> None:
    found = chosen(shares, serving=0, least=least, most=most)
    if not isinstance(found, Problem):
        n = sum(found.values())
        assert n <= most
        assert found[0] >= least
        assert min(found.values()) >= 1
        assert all(abs(found[v] / n - share) <= TOLERANCE * share * (1 + 1e-9) for v, share in shares.items())
    elif len(shares) == 2:
        for share in reachable(least=least, most=most):
            assert max(abs(share - shares[1]) / shares[1], abs(share - shares[1]) / shares[0]) > TOLERANCE * (1 - 1e-9)


@pytest.mark.parametrize(
    ("share", "least", "most", "remedy"),
    [
        (0.01, 2, 20, "choose 5% (19 and 1 copies), "),
        (0.118, 2, 9, "choose 11.1% (8 and 1 copies) or 12.5% (7 and 1 copies), "),
        (0.95, 2, 20, "choose 90% (2 and 18 copies), "),
        (0.5, 20, 20, ""),
    ],
)
def test_a_refusal_names_the_nearest_shares_that_can_be_had(share: float, least: int, most: int, remedy: str) -> None:
    found = chosen({1: 1 - share, 2: share}, serving=1, least=least, most=most)
    assert isinstance(found, Problem)
    assert found.remedy.startswith(f"{remedy}write `gateway`")


@given(least=st.integers(1, 30), most=st.integers(2, 60))
def test_each_reachable_share_is_had_by_the_copies_that_are_named(least: int, most: int) -> None:
    for share, (old, new) in reachable(least=least, most=most).items():
        assert new / (old + new) == share
        assert old >= least
        assert old + new <= most
