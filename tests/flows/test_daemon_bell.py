"""The bell ends a wait, from a thread or before it began, and many rings are one."""

import threading
import time

from headway.flows.daemon_bell import Bell

LONG_S = 60.0


def test_a_wait_is_over_in_its_time() -> None:
    bell = Bell()
    began = time.monotonic()
    assert not bell.wait(0.02)
    assert time.monotonic() - began >= 0.02
    bell.close()


def test_rung_by_a_thread_it_ends_the_wait() -> None:
    bell = Bell()
    threading.Timer(0.02, bell.ring).start()
    assert bell.wait(LONG_S)
    bell.close()


def test_rung_before_anybody_waits_it_is_heard_once() -> None:
    bell = Bell()
    for _ in range(66_000):
        bell.ring()
    assert bell.wait(LONG_S)
    assert not bell.wait(0.0)
    bell.close()
    bell.close()
    bell.ring()
