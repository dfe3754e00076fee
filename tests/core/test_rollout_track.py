import math

import pytest

from headway.core.guard import GUARDS, Guard, parse_guard_check
from headway.core.rollout_share_track import ShareTrack
from headway.core.rollout_shift_track import ShiftTrack
from headway.core.rollout_track import GapTrack, RatioTrack, Track, factor_to_prove, track_of
from headway.core.rollout_window import Compared, Counts, Window
from headway.stats.arms import gap_of, log_evidence_of_gap_above, log_evidence_of_ratio_above, ratio_of
from headway.stats.betting import log_evidence_above
from headway.stats.compare import Pairs

CANARY = Window(
    new=Counts(requests=120, failed=3, slow=6, labelled=60, wrong=12, bins=(20, 100)),
    old=Counts(requests=1080, failed=11, slow=40, labelled=500, wrong=80, bins=(180, 900)),
)
SHADOW = Window(
    new=Counts(requests=500, failed=5),
    old=Counts(requests=500, failed=5),
    compared=Compared(answered=500, differ=40, labelled=300, only_new=10, only_old=20, neither=30),
)


def seen(guard: Guard, *windows: Window, burst: float = 1) -> Track:
    track = track_of(guard)
    for window in windows:
        track = track.after(window, burst)
    return track


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("new.errors / old.errors <= 1.5", RatioTrack),
        ("new.errors - old.errors <= 0.01", GapTrack),
        ("new.slow <= 0.01", ShareTrack),
        ("disagreement(new, old) <= 0.1", ShareTrack),
        ("shift(new, old) <= 0.1", ShiftTrack),
    ],
)
def test_each_form_is_followed_in_its_own_way(text: str, kind: type[Track]) -> None:
    assert isinstance(seen(parse_guard_check(text), CANARY), kind)


def test_a_guard_sees_what_the_statistics_say() -> None:
    errors = seen(GUARDS["errors"], CANARY, CANARY)
    assert errors.worse() == log_evidence_of_ratio_above(ratio_of([CANARY.arms("errors", 1)] * 2), 1.0)
    assert errors.estimate() == pytest.approx((3 / 120) / (11 / 1080))
    quality = seen(GUARDS["quality"], CANARY)
    assert quality.worse() == log_evidence_of_gap_above(gap_of([CANARY.arms("wrong", 1)]), 0.0)
    assert quality.estimate() == pytest.approx(12 / 60 - 80 / 500)


def test_labels_of_a_shadow_are_compared_request_by_request() -> None:
    quality = seen(GUARDS["quality"], SHADOW)
    assert quality.worse() == pytest.approx(log_evidence_above(Pairs(gained=20, lost=10, n_rows=300), 0.0))
    assert quality.estimate() == pytest.approx(10 / 300)
    assert quality.interval(0.9).low < 10 / 300 < quality.interval(0.9).high
    # With a canary's labels besides, evidence is the mean of both.
    both = seen(GUARDS["quality"], SHADOW, CANARY)
    parts = [math.exp(quality.worse()), math.exp(seen(GUARDS["quality"], CANARY).worse())]
    assert math.exp(both.worse()) == pytest.approx(sum(parts) / 2)
    assert 10 / 300 < both.estimate() < 12 / 60 - 80 / 500


def test_a_share_of_the_new_version_counts_its_labels_in_a_shadow_too() -> None:
    wrong = seen(parse_guard_check("new.accuracy >= 0.8"), SHADOW, CANARY)
    assert wrong.estimate() == pytest.approx((20 + 30 + 12) / (300 + 60))
    differ = seen(parse_guard_check("disagreement(new, old) <= 0.1"), SHADOW, CANARY)
    assert differ.estimate() == pytest.approx(40 / 500)


@pytest.mark.parametrize("to", [(60, 60), (4, 116)], ids=["up", "down"])
def test_predictions_that_move_either_way_are_seen_and_others_not(to: tuple[int, int]) -> None:
    moved = Window(new=Counts(requests=120, bins=to), old=Counts(requests=1080, bins=(180, 900)))
    assert seen(GUARDS["predictions"], *[moved] * 15).worse() > math.log(20)
    alike = seen(GUARDS["predictions"], *[CANARY] * 30)
    assert alike.worse() < 0
    assert alike.kept() > math.log(20)
    assert alike.estimate() == pytest.approx(0.0, abs=1e-9)
    assert isinstance(alike, ShiftTrack)
    assert alike.interval(0.9).low == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "new.errors / old.errors <= 1.5",
        "new.errors - old.errors <= 0.001",
        "new.wrong - old.wrong <= 0.01",
        "disagreement(new, old) <= 0.05",
        "shift(new, old) <= 0.01",
    ],
)
def test_bursts_cost_as_many_times_the_evidence(text: str) -> None:
    guard = parse_guard_check(text)
    once, of_five = seen(guard, SHADOW, CANARY), seen(guard, *[SHADOW, CANARY] * 5, burst=5)
    assert of_five.worse() == pytest.approx(once.worse(), abs=1e-6)
    assert of_five.kept() == pytest.approx(once.kept(), abs=1e-6)
    assert of_five.estimate() == pytest.approx(once.estimate())


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("new.errors / old.errors <= 4", CANARY),
        ("new.errors - old.errors <= 0.03", CANARY),
        ("new.wrong - old.wrong <= 0.06", SHADOW),
        ("disagreement(new, old) <= 0.1", SHADOW),
        ("shift(new, old) <= 0.1", CANARY),
    ],
)
def test_what_is_said_to_be_needed_proves_it(text: str, window: Window) -> None:
    guard = parse_guard_check(text)
    factor = factor_to_prove(seen(guard, window), 0.05)
    assert factor is not None
    assert factor > 1
    assert seen(guard, *[window] * math.ceil(factor)).kept() >= math.log(20)
    assert seen(guard, *[window] * max(1, math.floor(factor / 1.1) - 1)).kept() < math.log(20)


def test_what_goes_the_wrong_way_is_never_proved() -> None:
    worse = parse_guard_check("new.errors / old.errors <= 1.1")
    assert factor_to_prove(seen(worse, CANARY), 0.05) is None
    assert factor_to_prove(track_of(worse), 0.05) is None
    proved = parse_guard_check("new.errors <= 0.2")
    assert factor_to_prove(seen(proved, *[CANARY] * 5), 0.05) == 1.0


@pytest.mark.parametrize("name", list(GUARDS))
def test_nothing_seen_is_no_evidence(name: str) -> None:
    track = seen(GUARDS[name], Window())
    assert track.worse() == pytest.approx(0.0, abs=1e-12)
    assert track.kept() <= 1e-12
    assert math.isnan(track.estimate())
    assert track.interval(0.9).high >= 0.99


def test_intervals_agree_with_the_evidence() -> None:
    for text in ("new.errors - old.errors <= 0.001", "new.errors / old.errors <= 1", "new.wrong - old.wrong <= 0.01"):
        track = seen(parse_guard_check(text), *[CANARY] * 40)
        bounds = track.interval(0.9)
        assert (track.worse() >= math.log(20)) == (bounds.low > track.guard.limit)
        assert bounds.low <= track.estimate() <= bounds.high
