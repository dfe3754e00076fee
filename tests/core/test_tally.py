import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json

from headway.core.prediction_log import LabelLine, Line
from headway.core.rollout_judge import OTHERS, judge_of
from headway.core.rollout_window import Compared, Counts, Window
from headway.core.tally import Tally
from headway.core.tally_answers import Bins
from logged import CANARY, NEW, OLD, SHADOW, START, copy, label, line, strategy, total
from tries import tries

CLASSES = Bins(of="classes", classes=("0", "1"))
NUMBERS = Bins(of="numbers", edges=(10.0, 20.0), spread=40.0)
QUALITY = strategy(CANARY, rollback=["errors", "quality"])


def tally(*stages: dict[str, str], bins: Bins | None = CLASSES, **values: Any) -> Tally:
    return Tally(strategy(*(stages or (CANARY,)), **values), NEW, OLD, bins)


def are_bins(one: Tally, bins: Bins | None) -> bool:
    return one.bins == bins


def counted(lines: Sequence[Line], labels: Sequence[LabelLine] = (), *stages: dict[str, str], **values: Any) -> Window:
    """All that a tally counts at one look of these, whose lines the labels' own lookup finds as well."""
    return total(tally(*stages, **values).after(lines, labels, lines if labels else ()))


# --- requests -----------------------------------------------------------------------------------------------------


def test_requests_count_for_the_version_that_was_drawn() -> None:
    lines = [line("a"), line("b"), line("c", NEW), line("d", NEW, status=500), line("e", status=503)]
    found = counted(lines)
    assert found.new == Counts(requests=2, failed=1)
    assert found.old == Counts(requests=3, failed=1)


def test_a_request_that_another_version_answered_is_a_failed_one_of_the_version_that_gave_no_answer() -> None:
    found = counted([line("a", OLD, instead_of=NEW), line("b", OLD)])
    assert (found.new, found.old) == (Counts(requests=1, failed=1), Counts(requests=1))
    # Also where both versions' processes tell of it.
    twice = counted([line("a", OLD, instead_of=NEW), line("a", NEW, status=503)])
    assert (twice.new, twice.old) == (Counts(requests=1, failed=1), Counts())


def test_slow_requests_are_those_over_the_limit_failed_or_not() -> None:
    values: dict[str, Any] = {"rollback": ["latency"], "slower-than": "200ms"}
    lines = [line("a", ms=200.0), line("b", ms=200.1), line("c", NEW, ms=9000.0, status=504)]
    found = counted(lines, (), CANARY, **values)
    assert (found.old.slow, found.new.slow, found.new.failed) == (1, 1, 1)
    assert counted(lines).old.slow == 0


def test_the_first_answers_of_a_release_are_not_slow_and_those_of_its_later_stages_are() -> None:
    values: dict[str, Any] = {"rollback": ["latency"], "slower-than": "200ms"}
    one = tally(CANARY, CANARY, **values)
    one.begin(0, START)
    # Of the first it is the beginning that counts, as for its stage: it ends when no request is excused any more.
    found = total(one.after([line("a", NEW, ms=900.0, after=2.8), line("b", NEW, ms=900.0, after=3.0)]))
    assert (found.new.requests, found.new.slow) == (2, 1)
    one.begin(1, START + 10)
    assert total(one.after([line("c", NEW, ms=900.0, after=11.0)])).new.slow == 1


def test_a_request_that_comes_again_with_its_id_is_one() -> None:
    again = tally()
    found = again.after([line("a", NEW, status=500), line("a", NEW, status=500, after=2.0), line("b", NEW)])
    assert total(found).new == Counts(requests=2, failed=1)
    assert again.told() == ("1 requests came with the id of one just counted, and count as that one",)


def test_other_versions_and_other_times_tell_nothing() -> None:
    one = tally(CANARY)
    one.begin(0, START + 100)
    assert one.after([line("a", 7, after=200.0), line("b", after=99.0), line("c", after=100.4, ms=500.0)]) == ()
    assert total(one.after([line("d", after=100.6, ms=500.0)])).old.requests == 1


def test_each_stage_has_its_own_windows_by_when_a_request_began() -> None:
    half = {"canary": "50% for 1000 requests"}
    one = tally(CANARY, {"pause": "approval"}, half)
    for stage, at in enumerate((0.0, 100.0, 200.0, 300.0, 310.0)):
        one.begin(stage, START + at)
    lines = [
        line("a", NEW, after=10.0),
        line("b", after=150.0),  # The pause leaves the traffic as it is.
        line("c", NEW, after=201.0, ms=2000.0),
        line("d", NEW, after=210.0),
        line("e", NEW, after=305.0),
        line("f", NEW, after=400.0),
        line("g", after=400.0),  # The champion is not asked any more: this tells nothing.
    ]
    found = one.after(lines)
    assert [(w.stage, w.new.requests, w.old.requests) for w in found] == [(0, 2, 1), (2, 1, 0), (3, 1, 0), (4, 1, 0)]
    assert {w.at for w in found} == {START + 400.0}


def test_windows_go_through_a_fact_and_back() -> None:
    found = counted([line("a", NEW), line("b")], [label("a", 0)], rollback=["quality"])
    assert json.decode(json.encode(found), type=Window) == found


# --- shadows ------------------------------------------------------------------------------------------------------


def test_a_shadows_answers_are_compared_whichever_comes_first() -> None:
    one = tally(SHADOW)
    first = one.after([line("a", answer=1), copy("b", 1), line("c"), copy("d", status=500)])
    second = one.after([copy("a", 1), line("b", answer=0), copy("c", status=500), line("d")])
    found = total([*first, *second])
    assert found.new == Counts(requests=4, failed=2)
    assert found.old == Counts(requests=4)
    assert found.compared == Compared(answered=2, differ=1)


def test_a_copy_that_waited_until_the_next_stage_is_still_one() -> None:
    one = tally(SHADOW, CANARY)
    one.begin(0, START)
    one.begin(1, START + 60)
    found = one.after([line("a", after=59.0), copy("a", 1, after=61.0), line("b", NEW, after=62.0)])
    assert [(w.stage, w.new.requests, w.compared.differ) for w in found] == [(0, 1, 1), (1, 1, 0)]


def test_a_canary_knows_no_copies() -> None:
    assert tally(CANARY).after([copy("a")]) == ()


def test_answers_that_never_meet_are_given_up_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.core.tally.MOST_HALVES", 10)
    one = tally(SHADOW)
    one.after([line(f"only-{i}") for i in range(10)])
    one.after([copy(f"lost-{i}") for i in range(15)])
    assert one.told() == ("5 answers of the shadow met none of the champion's and were not compared",)


# --- answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [None, "no number", True])
def test_what_is_no_number_is_a_failed_answer_where_the_champion_gives_numbers(answer: Any) -> None:
    found = counted([line("a", NEW, answer), line("b", NEW, 3), line("c", NEW, 2.5)], bins=NUMBERS)
    assert found.new == Counts(requests=3, failed=1)


def test_no_value_is_an_answer_only_of_a_champion_that_gives_none() -> None:
    lines = [line("a", NEW, None), line("b", NEW, "1")]
    assert counted(lines).new.failed == 1
    assert counted(lines, bins=Bins(of="classes", classes=("0", "null"))).new.failed == 0
    assert counted(lines, bins=None).new.failed == 1
    followed = tally(CANARY, bins=None)
    followed.after([line(f"o{i}", answer=None if i % 10 == 0 else "1") for i in range(50)])
    assert total(followed.after(lines)).new.failed == 0


def test_predictions_are_counted_in_bins_of_the_champions_first_answers() -> None:
    one = tally(CANARY, bins=None, rollback=["predictions"])
    before = one.after([line(f"n{i}", NEW) for i in range(5)])
    assert are_bins(one, None)
    one.after([line(f"o{i}", answer=i % 2) for i in range(50)])
    assert are_bins(one, CLASSES)
    after = one.after([line("a", NEW, 1), line("b", answer=0), line("c", NEW, 7)])
    found = total([*before, *after])
    assert (found.new.bins, found.old.bins) == ((0, 1, 1), (1, 0, 0))


def test_the_rows_of_a_request_are_parts_of_it() -> None:
    lines = [
        line("a", NEW, answers=[0, 0, 1, 1], rows=[{}] * 4),
        line("b", answers=[0, 1], rows=[{}] * 2),
    ]
    labels = [label("a", 0, row=i) for i in range(3)] + [label("b", 0, row=0), label("b", 0, row=9)]
    found = counted(lines, labels, rollback=["quality", "predictions"])
    assert found.new == Counts(requests=1, labelled=0.75, wrong=0.25, bins=(0.5, 0.5, 0))
    assert found.old == Counts(requests=1, labelled=0.5, bins=(0.5, 0.5, 0))
    pair = counted([line("a", answers=[0, 1], rows=[{}] * 2), copy("a", answers=[1, 1], rows=[{}] * 2)], (), SHADOW)
    assert pair.compared == Compared(answered=1, differ=0.5)


def test_rows_are_compared_in_the_slice_that_they_are_in() -> None:
    rows: list[dict[str, Any]] = [{"region": "north"}, {"region": "south"}, {"region": "south"}]
    values: dict[str, Any] = {"checks": ["disagreement(new, old) <= 0.5 for each region"]}
    lines = [line("a", answers=[0, 0, 0], rows=rows), copy("a", answers=[0, 1, 0], rows=rows)]
    windows = tally(SHADOW, **values).after(lines)
    told = {w.slice: (w.compared.answered, w.compared.differ) for w in windows}
    assert told == {
        (): (1, pytest.approx(1 / 3)),
        (("region", "north"),): (1, 0),
        (("region", "south"),): (1, 0.5),
    }
    # An answer that has rows too few differs in those.
    short = tally(SHADOW).after([line("b", answers=[0, 0], rows=[{}] * 2), copy("b", answers=[0], rows=[{}] * 2)])
    assert total(short).compared.differ == 0.5


def test_several_outputs_are_alike_if_all_are() -> None:
    lines = [line("a", answer=[1, "x"]), copy("a", [1, "y"]), line("b", answer=[1, "x"]), copy("b", [1, "x"])]
    assert counted(lines, (), SHADOW).compared == Compared(answered=2, differ=1)


# --- labels -------------------------------------------------------------------------------------------------------


def test_labels_are_counted_for_the_answer_that_the_client_got() -> None:
    lines = [line("a", NEW, 1), line("b", answer=1), line("c", NEW, 1), line("d", OLD, 1, instead_of=NEW)]
    found = counted(lines, [label("a", 1), label("b", 0), label("c", "1"), label("d", 1)])
    assert (found.new.labelled, found.new.wrong) == (2, 0)
    assert (found.old.labelled, found.old.wrong) == (1, 1)


def test_labels_come_early_late_again_and_for_nobody() -> None:
    one = Tally(QUALITY, NEW, OLD, CLASSES)
    windows = [*one.after([], [label("a", 0), label("x", 0)])]
    windows += one.after([line("a", NEW, 1), line("b", NEW, 1)])
    assert total(windows).new.wrong == 1
    windows += one.after([], [label("a", 1, after=20.0)], [line("a", NEW, 1)])
    windows += one.after([], [label("b", 1, after=86400.0), label("b", 0, after=86401.0)], [line("b", NEW, 1)])
    assert (total(windows).new.labelled, total(windows).new.wrong) == (2, 1)
    assert one.told() == ("2 labels came for rows that had one: the first counts",)


def test_labels_of_requests_that_are_nowhere_are_told_when_they_make_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.core.tally_labels.MOST_CASES", 3)
    one = Tally(QUALITY, NEW, OLD, CLASSES)
    assert one.after([], [label(f"x{i}", 0) for i in range(8)]) == ()
    assert one.told() == ("5 labels are of requests that the log does not have",)


def test_labels_of_a_shadow_judge_both_versions() -> None:
    truth = {"a": (1, 0), "b": (0, 1), "c": (0, 0), "d": (1, 1)}
    one = tally(SHADOW, rollback=["quality"])
    windows = [*one.after([line(i, answer=old) for i, (old, _) in truth.items()], [label(i, 1) for i in truth])]
    # Labels wait for the copies' answers.
    assert total(windows).compared.labelled == 0
    windows += one.after([copy(i, new) for i, (_, new) in truth.items()])
    found = total(windows)
    assert found.compared == Compared(answered=4, differ=2, labelled=4, only_new=1, only_old=1, neither=1)
    assert (found.new.labelled, found.old.labelled) == (0, 0)


def test_labels_of_a_time_in_which_the_new_version_is_alone_compare_nothing() -> None:
    one = Tally(QUALITY, NEW, OLD, CLASSES)
    for stage, at in enumerate((0.0, 100.0, 101.0)):
        one.begin(stage, START + at)
    lines = [line("a", NEW, after=50.0), line("b", after=50.0), line("c", NEW, after=500.0)]
    one.after(lines)
    found = one.after([], [label(i, 0, after=9e5) for i in "abc"], lines)
    assert [(w.stage, w.new.labelled, w.old.labelled) for w in found] == [(0, 1, 1), (2, 1, 0)]


@pytest.mark.parametrize(
    ("values", "losses"),
    [({}, (0.25, 1.0)), ({"wrong": "off by 15"}, (0.0, 1.0)), ({"wrong": "off by 5%"}, (1.0, 1.0))],
    ids=["in parts of the spread", "off by an amount", "off by a part"],
)
def test_a_number_is_wrong_by_how_far_it_is_off(values: dict[str, Any], losses: tuple[float, float]) -> None:
    for answer, loss in zip((110.0, 300.0), losses, strict=True):
        found = counted([line("a", NEW, answer)], [label("a", 100)], CANARY, bins=NUMBERS, **values)
        assert found.new.wrong == pytest.approx(loss)
    assert counted([line("a", NEW, 7.0)], [label("a", "n/a")], bins=NUMBERS).new.labelled == 0


def test_labels_wait_until_it_is_known_what_the_champion_gives() -> None:
    one = Tally(QUALITY, NEW, OLD, None)
    assert total(one.after([line("a", NEW, 1)], [label("a", 0)])).new.labelled == 0
    windows = one.after([line(f"o{i}", answer=i % 2) for i in range(60)])
    assert (total(windows).new.labelled, total(windows).new.wrong) == (1, 1)


# --- slices -------------------------------------------------------------------------------------------------------

EACH = ["new.errors / old.errors <= 2 for each region"]


def test_slices_are_counted_besides_and_missing_values_are_one() -> None:
    lines = [
        line("a", NEW, row={"region": "south"}),
        line("b", NEW, row={"region": None}, status=500),
        line("c", row={"plan": "x"}),
        line("d", NEW, rows=[], status=400),
        line("e", answers=[0, 0], rows=[{"region": "south"}, {"region": "north"}]),
    ]
    one = tally(CANARY, checks=EACH)
    windows = one.after(lines, [label("e", 1, row=1)], lines)
    assert total(windows).new == Counts(requests=3, failed=2)
    places = {w.slice: (w.new.requests, w.new.failed, w.old.requests, w.old.wrong) for w in windows if w.slice}
    assert places == {
        (("region", "south"),): (1, 0, 1, 0),
        (("region", "north"),): (0, 0, 1, 0.5),
        (("region", "null"),): (2, 2, 1, 0),
    }


def test_many_values_make_no_more_windows_than_there_are_slices() -> None:
    one = tally(CANARY, checks=EACH, slices=5)
    windows = one.after([line(f"r{i}", row={"region": f"r{i}"}) for i in range(100)])
    assert len(windows) == 6
    assert total(windows, (("region", OTHERS),)).old.requests == 96
    judge = judge_of(strategy(CANARY, checks=EACH, slices=5))
    for window in windows:
        judge.after(window)
    assert {seen.slice for seen in judge.verdict(START).seen if seen.slice} == {w.slice for w in windows if w.slice}


# --- laws ---------------------------------------------------------------------------------------------------------

LAWS: dict[str, Any] = {
    "rollback": ["errors", "latency", "quality", "predictions"],
    "checks": [*EACH, "disagreement(new, old) <= 0.1", "new.wrong <= 0.5 for each region"],
    "slower-than": "200ms",
    "slices": 30,
}
answers = st.sampled_from([0, 1, 2, "1", None])
regions = st.sampled_from([{}, {"region": "a"}, {"region": "b"}, {"region": None}])


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Line], list[LabelLine]]:
    """The log of a shadow of a minute, and the labels of its requests and of others."""
    lines: list[Line] = []
    for i in range(draw(st.integers(1, 8))):
        rows = draw(st.lists(regions, min_size=1, max_size=3))
        made = {"rows": rows, "after": draw(st.floats(1, 50)), "ms": draw(st.sampled_from([1.0, 300.0]))}
        for version in draw(st.sampled_from([(OLD,), (OLD, NEW), (NEW,)])):
            status = draw(st.sampled_from([200, 200, 200, 500]))
            said = [draw(answers) for _ in rows]
            is_shadow = version == NEW
            lines.append(line(f"r{i}", version, answers=said, status=status, is_shadow=is_shadow, **made))
    ids = st.sampled_from([f"r{i}" for i in range(9)])
    labels = draw(
        st.lists(
            st.builds(label, ids, st.sampled_from([0, 1]), st.integers(0, 3), st.floats(1, 50)),
            max_size=12,
            unique_by=(lambda one: one.received_at, lambda one: (one.request_id, one.row)),
        )
    )
    return lines, labels


@settings(max_examples=tries(60))
@given(logs(), st.data())
def test_any_order_and_any_splitting_into_looks_gives_the_same_totals(
    log: tuple[list[Line], list[LabelLine]], data: st.DataObject
) -> None:
    lines, labels = log
    at_once = tally(SHADOW, **LAWS).after(lines, labels, lines)
    entries: list[Line | LabelLine] = [*lines, *labels]
    # What a killed writer left twice is there twice.
    entries += data.draw(st.lists(st.sampled_from(entries), max_size=3))
    order = data.draw(st.permutations(entries))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=4)))
    one, windows, logged = tally(SHADOW, **LAWS), list[Window](), list[Line]()
    for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True):
        new_lines = [entry for entry in order[start:end] if isinstance(entry, Line)]
        new_labels = [entry for entry in order[start:end] if isinstance(entry, LabelLine)]
        logged += new_lines
        ids = {entry.request_id for entry in new_labels}
        windows += one.after(new_lines, new_labels, [entry for entry in logged if entry.request_id in ids])
    places = {w.slice for w in (*at_once, *windows)}
    assert {place: total(windows, place) for place in places} == {place: total(at_once, place) for place in places}


@settings(max_examples=tries(30))
@given(logs(), st.integers(1, 5))
def test_no_count_is_more_than_there_is(log: tuple[list[Line], list[LabelLine]], n_looks: int) -> None:
    lines, labels = log
    one, windows = tally(SHADOW, **LAWS), list[Window]()
    for i in range(n_looks):
        windows += one.after(lines[i::n_looks], labels, lines)
    found = total(windows)
    n_clients = sum(not entry.is_shadow for entry in lines)
    assert (found.old.requests, found.new.requests) == (n_clients, len(lines) - n_clients)
    assert found.compared.answered <= min(n_clients, len(lines) - n_clients)
    assert found.compared.labelled <= min(n_clients, len(lines) - n_clients) + 1e-9
    pairs = found.compared
    assert pairs.only_new + pairs.only_old + pairs.neither <= pairs.labelled + 1e-9


def test_the_same_lines_again_give_the_same_state() -> None:
    lines = [line(f"r{i}", NEW if i % 3 else OLD, i % 2) for i in range(300)]
    first, second = tally(SHADOW, CANARY, bins=None, **LAWS), tally(SHADOW, CANARY, bins=None, **LAWS)
    for one in (first, second):
        one.begin(1, START)
    for i in range(0, 300, 20):
        first.after(lines[i : i + 20])
    second.after(lines)
    assert first.bins == second.bins
    more = [line("r5", NEW, 1), line("x", NEW, 1), line("y", OLD, 0)]
    assert first.after(more, [label("r7", 0)], lines) == second.after(more, [label("r7", 0)], lines)


def test_nothing_in_a_window_is_more_than_its_whole() -> None:
    lines = [line(f"r{i}", NEW, answers=[1, 1, 1], rows=[{}] * 3) for i in range(7)]
    labels = [label(f"r{i}", 0, row) for i in range(7) for row in range(3)]
    found = counted(lines, labels)
    assert found.new.wrong <= found.new.labelled
    assert math.isclose(found.new.labelled, 7)
