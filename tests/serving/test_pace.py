"""When a model is asked on the event loop: what it shows there, and in its thread."""

import time

from headway.serving.pace import FIRST_TRY, HANGS_S, LAST_TRY, QUICK_S, SETTLED, SLOW_IN_A_ROW, Pace

QUICK, SLOW = QUICK_S / 10, QUICK_S * 2


def quick() -> Pace:
    pace = Pace()
    for _ in range(FIRST_TRY):
        pace.in_thread(QUICK)
    assert pace.is_quick
    return pace


def test_a_model_is_slow_until_it_has_shown_that_it_is_not() -> None:
    pace = Pace()
    for _ in range(FIRST_TRY - 1):
        pace.in_thread(QUICK)
    assert not pace.is_quick
    pace.in_thread(SLOW)
    pace.in_thread(QUICK)
    assert not pace.is_quick


def test_what_the_machine_sets_aside_now_and_then_stays_quick() -> None:
    pace = quick()
    for _ in range(1000):
        for _ in range(SLOW_IN_A_ROW - 1):
            pace.on_loop(SLOW)
        pace.on_loop(QUICK)
    assert pace.is_quick


def test_a_model_that_hangs_on_the_loop_leaves_it_at_once_and_one_that_slows_down_soon() -> None:
    pace = quick()
    pace.on_loop(HANGS_S)
    assert not pace.is_quick
    pace = quick()
    for _ in range(SLOW_IN_A_ROW):
        pace.on_loop(SLOW)
    assert not pace.is_quick


def test_a_model_that_waits_for_something_is_tried_ever_more_rarely() -> None:
    pace = Pace()
    n_blocked = 0
    for _ in range(50_000):
        if pace.is_quick:
            pace.on_loop(HANGS_S)
            n_blocked += 1
        else:
            pace.in_thread(QUICK)
    assert n_blocked <= 10 + 50_000 / LAST_TRY


def test_a_model_that_settled_is_tried_soon_again() -> None:
    pace = quick()
    for _ in range(5):
        pace.on_loop(HANGS_S)
        while not pace.is_quick:
            pace.in_thread(QUICK)
    for _ in range(SETTLED):
        pace.on_loop(QUICK)
    pace.on_loop(HANGS_S)
    n = 0
    while not pace.is_quick:
        pace.in_thread(QUICK)
        n += 1
    assert n == 2 * FIRST_TRY


def test_the_time_of_a_thread_leaves_out_its_waits() -> None:
    # What `batch` relies on.
    before = time.thread_time()
    time.sleep(0.05)
    assert time.thread_time() - before < 0.04
