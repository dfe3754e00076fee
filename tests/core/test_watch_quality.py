"""What is a loss: only what is worse than promised, and by enough; by one window, or by several together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.watch_quality import WELL, Promise, adds_up, deviate, is_lost, loss, matters
from headway.stats.detector import Detector, log_e_of_deviate, step

LEAST, PER_ALARM = 0.02, 365.0

PROMISES = {
    "accuracy": Promise(metric="accuracy", value=0.8, low=0.78, high=0.82),
    "mae": Promise(metric="mae", value=0.8, low=0.78, high=0.82),
    "nobody's": Promise(metric="accuracy", value=0.8),
}

values = st.floats(0.5, 1.1).flatmap(
    lambda value: st.floats(0.0, 0.1).map(lambda half: (value, value - half, value + half))
)


def together(promise: Promise, seen: list[tuple[float, float, float]]) -> bool:
    """Whether all of them are evidence, whatever the newest one is and however long that is ago."""
    found = Detector()
    for value, low, high in seen:
        found = step(found, log_e_of_deviate(deviate(promise, value, low, high, least_loss=LEAST)))
    return found.is_alarm(PER_ALARM)


def told(promise: Promise, seen: list[tuple[float, float, float]]) -> bool:
    return adds_up(promise, seen, least_loss=LEAST, windows_per_alarm=PER_ALARM)


@pytest.mark.parametrize("promise", PROMISES.values(), ids=PROMISES)
@given(seen=st.lists(values, max_size=12))
def test_only_a_window_that_lost_is_one_and_never_without_the_evidence(
    promise: Promise, seen: list[tuple[float, float, float]]
) -> None:
    if told(promise, seen):
        assert loss(promise.metric, seen[-1][0], promise.value) >= LEAST * promise.value
        # Whatever begins anew has less evidence: false alarms are no more often than those of the plain sum.
        assert together(promise, seen)


@pytest.mark.parametrize("promise", PROMISES.values(), ids=PROMISES)
@given(seen=st.lists(values, max_size=12))
def test_until_it_is_told_for_the_first_time_nothing_is_forgotten(
    promise: Promise, seen: list[tuple[float, float, float]]
) -> None:
    if not any(together(promise, seen[:n]) for n in range(1, len(seen))):
        assert told(promise, seen) == (bool(seen) and together(promise, seen) and _lost(promise, seen[-1]))


def _lost(promise: Promise, one: tuple[float, float, float]) -> bool:
    return matters(promise, one[0], least_loss=LEAST)


@pytest.mark.parametrize(
    ("metric", "bad", "good"), [("accuracy", 0.74, 0.86), ("mae", 0.86, 0.74)], ids=["more is better", "less is"]
)
def test_what_is_better_than_promised_is_no_loss_after_however_long_a_loss(
    metric: str, bad: float, good: float
) -> None:
    promise = Promise(metric=metric, value=0.8)
    lost, well = (bad, bad - 0.03, bad + 0.03), (good, good - 0.03, good + 0.03)
    assert told(promise, [lost] * 9)
    assert together(promise, [*[lost] * 9, well])
    assert not told(promise, [*[lost] * 9, well])
    # One good window does not undo a loss that goes on; so many in a row do, until it is proven anew.
    assert told(promise, [*[lost] * 9, well, lost])
    again = [*[lost] * 9, *[well] * WELL, lost]
    assert not told(promise, again)
    assert together(promise, again)
    assert told(promise, [*again, lost, lost])


@pytest.mark.parametrize(("value", "is_one"), [(0.825, False), (0.79, False), (0.7, True)])
def test_a_window_alone_is_a_loss_by_its_value_and_by_its_whole_range(value: float, is_one: bool) -> None:
    for promise in (PROMISES["accuracy"], PROMISES["nobody's"]):
        assert is_lost(promise, value, value - 0.001, value + 0.001, least_loss=LEAST) == is_one
