"""Who is at work: on the files of a folder, and on a run where folders share a log. `launch` holds both."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from headway.core.ids import RunId
from headway.core.lease import WORKSPACE, of_run
from headway.errors import LeaseHeld
from headway.ports import Leases

LEASE = WORKSPACE
"""One run at a time may change a working tree."""


class Workplace:
    """Holds the working tree; says who has it when somebody does."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self._holder = f"process {os.getpid()} on {os.uname().nodename}"

    def __enter__(self) -> None:
        try:
            self._leases.acquire(LEASE, holder=self._holder, ttl_s=60.0, now=time.time())
        except LeaseHeld as e:
            raise LeaseHeld(
                f"another run is at work in this folder: {e.holder}",
                at="workspace",
                remedy="wait for it (`headway status`), stop it, or use a checkout of your own",
                holder=e.holder,
            ) from e

    def __exit__(self, *_: object) -> None:
        self._leases.release(LEASE, holder=self._holder)


@contextmanager
def beyond(name: str, leases: Leases) -> Iterator[None]:
    """Hold what other folders with the same log must keep off; no name: there are none. Raises LeaseHeld."""
    if not name:
        yield
        return
    holder = f"process {os.getpid()} on {os.uname().nodename}"
    try:
        leases.acquire(name, holder=holder, ttl_s=60.0, now=time.time())
    except LeaseHeld as e:
        raise LeaseHeld(
            f"{name} is at work in another folder: {e.holder}",
            at="log.url",
            remedy="wait for it (`headway runs`), or stop it there",
            holder=e.holder,
        ) from e
    try:
        yield
    finally:
        leases.release(name, holder=holder)


def is_at_work(leases: Leases, run: RunId, *, now: float) -> bool:
    """Whether somebody may be at work on a run that has not ended: in this folder, or elsewhere by the same log."""
    return leases.holder(LEASE, now=now) is not None or leases.holder(of_run(run), now=now) is not None
