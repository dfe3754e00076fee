import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from headway.core.guard import GUARDS, parse_guard_check
from headway.core.rollout_judge import Judge
from headway.core.rollout_pending import LEAST, Pending, many_enough
from headway.core.rollout_share_track import ShareTrack
from headway.core.rollout_track import Track, track_of
from headway.core.rollout_window import Compared, Counts, Window
from headway.stats.arms import Arms
from headway.stats.share import log_evidence_of_blocks_above
from logged import CANARY, SHADOW, START, strategy

counts = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(
    lambda n: Arms(n_new=n[0], bad_new=n[0] // 3, n_old=n[1], bad_old=n[1] // 4)
)


def window(n_new: int, failed_new: int, n_old: int, failed_old: int, *, stage: int = -1, at: float = 0.0) -> Window:
    new, old = Counts(requests=n_new, failed=failed_new), Counts(requests=n_old, failed=failed_old)
    return Window(new=new, old=old, stage=stage, at=at)


def after(track: Track, windows: Sequence[Window]) -> Track:
    for one in windows:
        track = track.after(one, 1)
    return track


@given(st.lists(st.tuples(st.integers(0, 2), counts), max_size=30))
def test_nothing_that_waits_is_lost_or_told_twice_and_stages_stay_apart(looks: list[tuple[int, Arms]]) -> None:
    waiting: Pending = ()
    told = dict.fromkeys(range(3), 0.0)
    for stage, arms in looks:
        found, waiting = many_enough(waiting, stage, [arms], 1)
        for one in found:
            assert one.n_new > 0
            assert one.n_old > 0
            assert one.n_new + one.n_old >= LEAST
            told[stage] += one.n_new + 1000 * one.bad_old
    waits = {one.stage: one.arms[0].n_new + 1000 * one.arms[0].bad_old for one in waiting}
    for stage in range(3):
        given_to = sum(arms.n_new + 1000 * arms.bad_old for at, arms in looks if at == stage)
        assert told[stage] + waits.get(stage, 0) == given_to


def test_looks_at_each_second_see_as_much_as_looks_at_each_minute() -> None:
    # 5 requests a second, of which 10 % are the new version's: most seconds have none of them.
    rng = np.random.default_rng(61)
    by_second, by_minute = track_of(GUARDS["errors"]), track_of(GUARDS["errors"])
    for _ in range(120):
        is_new = rng.random(300) < 0.1
        is_bad = rng.random(300) < np.where(is_new, 0.06, 0.02)
        for second in range(60):
            part = slice(5 * second, 5 * second + 5)
            n_new, bad = int(is_new[part].sum()), is_bad[part]
            one = window(n_new, int((bad & is_new[part]).sum()), 5 - n_new, int((bad & ~is_new[part]).sum()))
            by_second = by_second.after(one, 1)
        n_new = int(is_new.sum())
        by_minute = by_minute.after(
            window(n_new, int((is_bad & is_new).sum()), 300 - n_new, int((is_bad & ~is_new).sum())), 1
        )
    assert by_minute.worse() > math.log(1e6)
    assert by_second.worse() == pytest.approx(by_minute.worse(), rel=0.15)


def test_requests_of_two_stages_are_never_put_together() -> None:
    # An outage when half of the requests are the new version's, after a calm time in which a tenth was.
    calm, outage = window(1, 0, 9, 0, stage=0), window(5, 5, 5, 5, stage=2)
    apart = after(track_of(GUARDS["errors"]), [calm, outage] * 4)
    assert apart.worse() < math.log(1.5)
    mixed = after(track_of(GUARDS["errors"]), [window(6, 5, 14, 5)] * 4)
    assert mixed.worse() > apart.worse() + 1


# --- shares -------------------------------------------------------------------------------------------------------

SLOW = parse_guard_check("new.errors <= 0.01")


def test_a_stall_of_a_minute_is_one_event_however_often_one_looks() -> None:
    stall = [window(10, 5, 0, 0, at=START + second) for second in range(60)]
    calm = [window(10, 0, 0, 0, at=START + second) for second in range(60, 600)]
    often = after(track_of(SLOW), [*stall, *calm])
    # Nine minutes are over; the tenth is not.
    minutes = log_evidence_of_blocks_above([0.5, *[0.0] * 8], 0.01)
    assert often.worse() == pytest.approx(minutes)
    at_once = after(track_of(SLOW), [*stall, window(5400, 0, 0, 0, at=START + 60), window(1, 0, 0, 0, at=START + 120)])
    assert at_once.worse() == pytest.approx(log_evidence_of_blocks_above([0.5, 0.0], 0.01))
    assert often.estimate() == pytest.approx(0.05)


def test_what_is_kept_in_mind_does_not_grow_with_the_looks() -> None:
    few = after(track_of(SLOW), [window(10, 1, 0, 0, at=START + i) for i in range(100)])
    many = after(track_of(SLOW), [window(10, 1, 0, 0, at=START + i) for i in range(5000)])
    assert isinstance(many, ShareTrack)
    assert len(json.encode(many)) < len(json.encode(few)) + 50
    for guard in (GUARDS["errors"], GUARDS["quality"], GUARDS["predictions"]):
        sizes = [len(json.encode(after(track_of(guard), [window(1, 0, 9, 1)] * n))) for n in (50, 500)]
        assert sizes[1] < 1.5 * sizes[0]


# --- stages -------------------------------------------------------------------------------------------------------


def test_what_comes_late_from_a_shadow_is_neither_progress_of_the_canary_nor_harm() -> None:
    judge = Judge(strategy(SHADOW, CANARY, harm=5))
    judge.begin(1, at=0.0)
    late = Window(
        new=Counts(requests=500, failed=100),
        old=Counts(requests=500, failed=5),
        compared=Compared(answered=395),
        stage=0,
    )
    judge.after(late)
    judge.after(window(12, 0, 108, 1, stage=1))
    verdict = judge.verdict(1.0)
    assert verdict.n_requests == 120
    assert verdict.harm.expected < 1
    assert verdict.outcome == "roll-back"
    assert verdict.why.startswith("errors")


def test_harm_is_counted_from_small_looks_too() -> None:
    judge = Judge(strategy(CANARY, harm="20", rollback=["not-ready"]))
    for i in range(4000):
        # The new version fails each time; one request in ten is its own.
        judge.after(window(1, 1, 0, 0) if i % 10 == 0 else window(0, 0, 1, 0))
        if judge.verdict(0.0).outcome != "keep-looking":
            break
    verdict = judge.verdict(0.0)
    assert 20 <= verdict.harm.expected <= 24
    assert judge.verdict(0.0).outcome in ("unsure", "roll-back")
