import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.guard import GUARDS, parse_guard_check
from headway.core.prediction_log import Line
from headway.core.rollout_judge import Judge
from headway.core.rollout_track import RatioTrack, Track, factor_to_prove, track_of
from headway.core.rollout_units_track import UnitsTrack, after
from headway.core.rollout_window import Counts, Risk, Units, Window
from headway.core.tally import Tally
from headway.core.tally_answers import Bins
from headway.core.tally_units import span_of
from headway.stats.arms import Arms, log_evidence_of_ratio_above, ratio_of
from logged import CANARY, NEW, OLD, START, label, line, strategy

STICKY = {"canary": "50% by customer_id for 20000 requests"}
CLASSES = Bins(of="classes", classes=("0", "1"))


def of(customer: object, request_id: str, version: int, answer: int = 0, **more: Any) -> Line:
    return line(request_id, version, answer, row={"customer_id": customer, "region": "south"}, **more)


def tally(**values: Any) -> Tally:
    one = Tally(strategy(STICKY, **values), NEW, OLD, CLASSES)
    one.begin(0, START)
    return one


def units(windows: Sequence[Window]) -> list[Units]:
    return [one for window in windows if not window.slice for one in window.units]


def test_each_customer_counts_once_a_span_and_so_does_his_first_bad_answer() -> None:
    one = tally()
    first = one.after([of(1, "a", NEW), of(1, "b", NEW, status=500), of(1, "c", NEW, status=500), of(2, "d", OLD)])
    [window] = first
    assert (window.by, window.new.requests, window.new.failed) == ("customer_id", 3, 2)
    assert units(first) == [
        Units(span=0, new=Counts(requests=1), old=Counts(requests=1), errors=Risk(n_new=1, bad_new=1, n_old=1),
              slow=Risk(n_new=1, n_old=1))
    ]  # fmt: skip
    second = one.after([of(1, "e", NEW, status=500), of(3, "f", NEW, status=503), of(2, "g", OLD, status=500)])
    [told] = units(second)
    assert told.new == Counts(requests=1, failed=1)
    # The first customer has met his error, and is not at risk any more.
    assert told.errors == Risk(n_new=1, bad_new=1, n_old=1, bad_old=1)
    hour_later = units(one.after([of(1, "h", NEW, status=500, after=3700.0)]))
    assert [(span.span, span.errors.bad_new) for span in hour_later] == [(1, 1)]


def test_the_same_customer_is_one_however_he_is_written_and_without_a_name_each_request_is_one() -> None:
    one = tally()
    found = units(one.after([of(17, "a", NEW), of("17", "b", NEW), of(17.0, "c", NEW), of(None, "d", NEW)]))
    assert found[0].new.requests == 2
    # As where the log leaves the field out.
    told = "1 requests have no value of the field that they stick by, and count each by itself"
    assert one.told() == (told,)
    unreadable = line("e", NEW, rows=[], status=400)
    assert units(one.after([unreadable]))[0].new.requests == 1


def test_the_first_label_of_a_customer_counts_and_may_come_long_after_its_span() -> None:
    one = tally(rollback=["quality"])
    lines = [of(1, "a", NEW, 1), of(1, "b", NEW, 1), of(2, "c", OLD, 1)]
    one.after(lines)
    found = one.after([of(3, "d", NEW, after=9 * 3600.0)], [label("a", 0, after=9e5), label("b", 0, after=9e5)], lines)
    spans = {span.span: span for span in units(found)}
    assert (spans[0].new.labelled, spans[0].new.wrong, spans[0].new.requests) == (1, 1, 0)
    assert spans[span_of(9 * 3600)].new.requests == 1
    [window] = found
    assert window.new.labelled == 2


def test_slices_and_predictions_count_customers_too() -> None:
    one = tally(rollback=["predictions"], checks=["new.errors / old.errors <= 2 for each region"])
    windows = one.after([of(1, "a", NEW, 1), of(1, "b", NEW, 0), of(2, "c", OLD, 0, status=500)])
    south = next(window for window in windows if window.slice)
    assert [unit.errors for unit in south.units] == [Risk(n_new=1, n_old=1, bad_old=1)]
    assert units(windows)[0].new.bins == (0, 1, 0)


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_any_splitting_into_looks_counts_the_same_customers(log: list[tuple[int, bool]], cuts: list[int]) -> None:
    lines = [
        of(who, f"r{i}", NEW if who % 2 else OLD, status=500 if is_bad else 200) for i, (who, is_bad) in enumerate(log)
    ]
    one, found = tally(), list[Units]()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), 40], strict=True):
        found += units(one.after(lines[start:end]))
    who = {name for name, _ in log}
    hit = {name for name, is_bad in log if is_bad}
    assert sum(u.new.requests + u.old.requests for u in found) == len(who)
    assert sum(u.errors.bad_new for u in found) == sum(name % 2 for name in hit)
    assert sum(u.errors.bad_old for u in found) == sum(not name % 2 for name in hit)
    assert all(u.errors.bad_new <= u.errors.n_new and u.errors.bad_old <= u.errors.n_old for u in found)


# --- evidence -----------------------------------------------------------------------------------------------------


def risk(n_new: int, bad_new: int, n_old: int, bad_old: int, span: int = 0, stage: int = 1) -> Window:
    errors = Risk(n_new=n_new, bad_new=bad_new, n_old=n_old, bad_old=bad_old)
    return Window(stage=stage, by="customer_id", units=(Units(span=span, errors=errors),))


def seen(*windows: Window) -> UnitsTrack:
    track: Track | UnitsTrack = track_of(GUARDS["errors"])
    for window in windows:
        track = after(track, window, 1)
    assert isinstance(track, UnitsTrack)
    return track


def evidence(*arms: tuple[int, int, int, int]) -> float:
    windows = [Arms(n_new=a, bad_new=b, n_old=c, bad_old=d) for a, b, c, d in arms]
    return math.exp(log_evidence_of_ratio_above(ratio_of(windows), 1.0))


def test_spans_are_averaged_and_requests_of_other_stages_times_that() -> None:
    requests = Window(new=Counts(requests=120, failed=4), old=Counts(requests=1080, failed=11), stage=0)
    counts = [(200, 8, 200, 3), (190, 9, 195, 4), (300, 30, 300, 20)]
    spans = [risk(*counts[0]), risk(*counts[1]), risk(*counts[2], span=1)]
    track = seen(requests, *spans)
    first, second = evidence(counts[0], counts[1]), evidence(counts[2])
    expected = evidence((120, 4, 1080, 11)) * (first / 2 + second / 6 + 1 / 3)
    assert math.exp(track.worse()) == pytest.approx(expected)
    # In whatever order the stages' windows come.
    assert math.exp(seen(*spans, requests).worse()) == pytest.approx(expected)


def test_what_is_said_of_customers_agrees_with_the_evidence() -> None:
    track = seen(*[risk(500, 12, 500, 3), risk(490, 13, 497, 4)] * 3)
    bounds = track.interval(0.9)
    assert track.worse() > math.log(20)
    assert 1 < bounds.low < track.estimate() < bounds.high
    assert track.estimate() == pytest.approx(25 / 7, rel=0.05)
    assert track.interval(0.99).low <= bounds.low
    factor = factor_to_prove(seen(*[risk(500, 5, 500, 5)] * 4), 0.05)
    assert factor is None or factor > 1
    gap = after(track_of(GUARDS["quality"]), Window(by="customer_id", stage=1, units=(
        Units(span=0, new=Counts(labelled=500, wrong=150), old=Counts(labelled=500, wrong=50)),
    )), 1)  # fmt: skip
    assert gap.worse() > math.log(20)
    assert 0 < gap.interval(0.9).low < 0.2 < gap.interval(0.9).high
    moved = after(track_of(GUARDS["predictions"]), Window(by="customer_id", stage=1, units=(
        Units(span=0, new=Counts(bins=(400, 100)), old=Counts(bins=(250, 250))),
    )), 1)  # fmt: skip
    assert moved.interval(0.9).low > 0.05


@pytest.mark.parametrize(
    ("window", "low", "high"),
    [
        (risk(10**6, 10**6, 10**6, 1), 58, math.inf),
        (risk(10**6, 1, 10**6, 10**6), 0.0, 0.02),
        (risk(9, 0, 9, 0), 0, math.inf),
    ],
    ids=["far above", "far below", "nothing seen"],
)
def test_ranges_end_where_nothing_is_tested(window: Window, low: float, high: float) -> None:
    bounds = seen(window).interval(0.9)
    assert bounds.low == pytest.approx(low, abs=1)
    assert bounds.high == pytest.approx(high, abs=0.01)


def test_a_share_against_a_limit_is_one_of_requests() -> None:
    guard = parse_guard_check("new.errors <= 0.5")
    window = Window(new=Counts(requests=100, failed=40), by="customer_id", stage=0)
    assert after(track_of(guard), window, 1).estimate() == pytest.approx(0.4)
    assert isinstance(after(track_of(GUARDS["errors"]), CANARY_WINDOW, 1), RatioTrack)


CANARY_WINDOW = Window(new=Counts(requests=100, failed=4), old=Counts(requests=900, failed=9))


def test_the_judge_tells_that_customers_were_counted_and_that_one_of_them_proves_no_harm() -> None:
    judge = Judge(strategy(STICKY, harm=20))
    one = tally(harm=20)
    lines = [of(1, f"a{i}", NEW, status=500) for i in range(300)]
    lines += [of(100 + i, f"b{i}", OLD if i % 2 else NEW) for i in range(300)]
    for window in one.after(lines):
        judge.after(window)
    verdict = judge.verdict(0.0)
    # Three hundred failures of one customer are estimated to be harm, and prove nothing.
    assert (verdict.outcome, verdict.harm.proved) == ("unsure", 0.0)
    assert "each customer_id counted once" in verdict.seen[0].words
    assert verdict.seen[0].evidence < 2
    for window in one.after([of(1000 + i, f"c{i}", NEW, status=500) for i in range(60)]):
        judge.after(window)
    assert judge.verdict(0.0).outcome == "roll-back"


def test_a_stage_by_requests_and_one_by_customers_are_told_apart() -> None:
    one = Tally(strategy(CANARY, STICKY), NEW, OLD, CLASSES)
    one.begin(0, START)
    one.begin(1, START + 100)
    found = one.after([of(1, "a", NEW, after=50.0), of(1, "b", NEW, after=150.0)])
    assert [(window.stage, window.by, len(window.units)) for window in found] == [(0, "", 0), (1, "customer_id", 1)]


# --- how often they are wrong -------------------------------------------------------------------------------------

MINUTES = 90


def rolled_back(seed: int, by: str, *, worse: float = 0.0) -> int:
    """The minute at which a version is rolled back, 0: never; `worse` is added to the share of failures of all.

    400 customers, each always with one version: a few ask for most of what is asked, and five in a hundred fail nearly
    always. That is so with either version. There are outages of both.
    """
    rng = np.random.default_rng(seed)
    n = 400
    asks = np.minimum(rng.pareto(1.2, n) * 0.1, 20.0)
    fails = np.where(rng.random(n) < 0.05, 0.8, 0.002)
    is_new = rng.random(n) < 0.5
    said = {"canary": f"50% {by} for 200000 requests"}
    judge = Judge(strategy(said))
    one = Tally(strategy(said), NEW, OLD, CLASSES)
    one.begin(0, START)
    for minute in range(MINUTES):
        times = rng.poisson(asks)
        outage = 0.3 if rng.random() < 1 / 60 else 0.0
        who = np.repeat(np.arange(n), times)
        is_bad = rng.random(len(who)) < np.maximum(fails[who] + worse * is_new[who], outage)
        lines = [
            of(f"c{i}", f"{minute}-{j}", NEW if is_new[i] else OLD, status=500 if bad else 200, after=60.0 * minute + 1)
            for j, (i, bad) in enumerate(zip(who.tolist(), is_bad.tolist(), strict=True))
        ]
        for window in one.after(lines):
            judge.after(window)
        if judge.is_alarmed():
            assert judge.verdict(START).outcome == "roll-back"
            return minute + 1
    assert judge.verdict(START).outcome == "keep-looking"
    return 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_errors_that_go_by_customers_roll_back_equal_versions_as_rarely_as_is_said() -> None:
    worlds = 160
    falsely = sum(rolled_back(seed, "by customer_id") > 0 for seed in range(worlds)) / worlds
    assert falsely <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / worlds)
    # Counted by requests they would be rolled back several times as often.
    assert sum(rolled_back(seed, "") > 0 for seed in range(40)) / 40 > 0.15


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_version_that_fails_more_customers_is_rolled_back_soon() -> None:
    minutes = [rolled_back(seed, "by customer_id", worse=0.05) or 10**6 for seed in range(30)]
    assert float(np.median(minutes)) <= 20


def test_a_customer_whose_requests_all_fail_is_one_event() -> None:
    assert rolled_back(3, "by customer_id") == 0
