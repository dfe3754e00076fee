"""What all leases must do: subclass `LeasesContract` in a test file, and say how yours are made. Needs pytest."""

import os
from abc import ABC, abstractmethod

import pytest

from headway.errors import LeaseHeld
from headway.ports import Leases
from headway.testing.clock import Clock


class LeasesContract(ABC):
    """What holds for all leases. Override `make`. See `LeasesByTimeContract` for those that end when not renewed."""

    @abstractmethod
    def make(self, root: str) -> Leases:
        """Leases; those made with the same `root` are the same, met by another process as it were."""

    @pytest.fixture
    def root(self, tmp_path: "os.PathLike[str]") -> str:
        """The place of one test's leases."""
        return os.path.join(os.path.realpath(tmp_path), "leases")

    @pytest.fixture
    def ours(self, root: str) -> Leases:
        """The leases as our process meets them."""
        return self.make(root)

    @pytest.fixture
    def theirs(self, root: str, ours: Leases) -> Leases:
        """The leases as another process meets them."""
        return self.make(root)

    @pytest.fixture
    def clock(self) -> Clock:
        """The time that both go by."""
        return Clock()

    @pytest.mark.parametrize("name", ["project", "endpoint/churn", "50% off", "é"])
    def test_a_lease_is_held_by_who_took_it(self, ours: Leases, theirs: Leases, clock: Clock, name: str) -> None:
        assert ours.holder(name, now=clock.now()) is None
        ours.acquire(name, holder="us", ttl_s=10, now=clock.now())
        assert ours.holder(name, now=clock.now()) == theirs.holder(name, now=clock.now()) == "us"

    def test_a_held_lease_is_refused_and_the_holder_named(self, ours: Leases, theirs: Leases, clock: Clock) -> None:
        ours.acquire("project", holder="us", ttl_s=10, now=clock.now())
        with pytest.raises(LeaseHeld, match="us") as refused:
            theirs.acquire("project", holder="them", ttl_s=10, now=clock.now())
        assert refused.value.holder == "us"
        assert ours.holder("project", now=clock.now()) == "us"

    def test_leases_of_other_names_are_free(self, ours: Leases, theirs: Leases, clock: Clock) -> None:
        ours.acquire("a", holder="us", ttl_s=10, now=clock.now())
        theirs.acquire("b", holder="them", ttl_s=10, now=clock.now())
        assert ours.holder("b", now=clock.now()) == "them"

    def test_taking_ones_own_again_renews_it(self, ours: Leases, theirs: Leases, clock: Clock) -> None:
        ours.acquire("project", holder="us", ttl_s=10, now=clock.now())
        clock.jump(8)
        ours.acquire("project", holder="us", ttl_s=10, now=clock.now())
        clock.jump(8)
        assert theirs.holder("project", now=clock.now()) == "us"

    def test_within_one_process_another_holder_is_refused_too(self, ours: Leases, clock: Clock) -> None:
        ours.acquire("project", holder="us", ttl_s=10, now=clock.now())
        with pytest.raises(LeaseHeld):
            ours.acquire("project", holder="them", ttl_s=10, now=clock.now())
        with pytest.raises(LeaseHeld):
            ours.renew("project", holder="them", ttl_s=10, now=clock.now())

    def test_a_released_lease_is_free(self, ours: Leases, theirs: Leases, clock: Clock) -> None:
        ours.acquire("project", holder="us", ttl_s=10, now=clock.now())
        ours.release("project", holder="us")
        assert theirs.holder("project", now=clock.now()) is None
        theirs.acquire("project", holder="them", ttl_s=10, now=clock.now())
        assert ours.holder("project", now=clock.now()) == "them"

    def test_releasing_what_one_does_not_hold_is_harmless(self, ours: Leases, theirs: Leases, clock: Clock) -> None:
        theirs.release("project", holder="them")
        ours.acquire("project", holder="us", ttl_s=10, now=clock.now())
        theirs.release("project", holder="them")
        ours.release("project", holder="them")
        assert theirs.holder("project", now=clock.now()) == "us"

    def test_a_renewed_lease_lasts(self, ours: Leases, theirs: Leases, clock: Clock) -> None:
        ours.acquire("project", holder="us", ttl_s=10, now=clock.now())
        for _ in range(5):
            clock.jump(9)
            ours.renew("project", holder="us", ttl_s=10, now=clock.now())
        assert theirs.holder("project", now=clock.now()) == "us"

    def test_what_one_does_not_hold_cannot_be_renewed(self, ours: Leases, clock: Clock) -> None:
        with pytest.raises(LeaseHeld) as lost:
            ours.renew("project", holder="us", ttl_s=10, now=clock.now())
        assert lost.value.holder == ""

    def test_a_lease_that_went_to_another_cannot_be_renewed(self, ours: Leases, theirs: Leases, clock: Clock) -> None:
        ours.acquire("project", holder="us", ttl_s=10, now=clock.now())
        ours.release("project", holder="us")
        theirs.acquire("project", holder="them", ttl_s=10, now=clock.now())
        with pytest.raises(LeaseHeld) as lost:
            ours.renew("project", holder="us", ttl_s=10, now=clock.now())
        assert lost.value.holder == "them"


class LeasesByTimeContract(LeasesContract):
    """What holds, besides, for leases that end when nobody renewed them for `ttl_s`."""

    def test_a_lease_that_nobody_renewed_ends(self, ours: Leases, theirs: Leases, clock: Clock) -> None:
        ours.acquire("project", holder="us", ttl_s=10, now=clock.now())
        clock.jump(10)
        assert theirs.holder("project", now=clock.now()) is None
        theirs.acquire("project", holder="them", ttl_s=10, now=clock.now())
        with pytest.raises(LeaseHeld):
            ours.renew("project", holder="us", ttl_s=10, now=clock.now())
