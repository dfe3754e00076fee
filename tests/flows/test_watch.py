"""A monitor over a prediction log: what it tells day by day, whoever kills it, whatever the clock does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from headway.core import facts as f
from headway.core.reference import PREDICTION
from headway.core.story import line_of
from headway.errors import DiskFull
from headway.flows.needed import needed
from headway.flows.watch import look
from headway.flows.watch_kept import detail_of
from headway.flows.watch_news import names, read
from headway.flows.watch_view import view
from headway.terminal.monitors import status
from headway.terminal.paint import Paint
from watched import HOUR_S, Killed, Project, day, rows_of, truth_of

N = 1000


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(str(tmp_path))
    found.release(1)
    rows = rows_of(100, 4000)
    found.begin(rows, truth_of(np.random.default_rng(101), rows))
    return found


def story(project: Project, ages: Sequence[float], *, labels: Sequence[float] = ()) -> None:
    """Days of requests, in which the age is so many standard deviations higher; and the truth turned round so often."""
    for number, age in enumerate(ages):
        rows = rows_of(number, N, age=age)
        first = project.answer(rows, at=day(number) + HOUR_S)
        if number < len(labels):
            truth = truth_of(np.random.default_rng(500 + number), rows, flipped=labels[number])
            project.label(first, truth, at=day(number + 1) - HOUR_S)


def test_nothing_is_watched_where_nothing_serves(tmp_path: Path) -> None:
    project = Project(str(tmp_path))
    looked = project.look()
    assert (looked.version, looked.facts) == (None, ())
    assert looked.notes == ("nothing serves at churn; it is watched when something is released there",)


def test_usual_days_are_judged_and_raise_nothing(project: Project) -> None:
    story(project, [0.0] * 4)
    for number in range(1, 5):
        project.look(day(number) + 120)
    assert [(one.number, one.n_rows, one.n_failed) for one in project.windows()] == [(n, N, 0) for n in range(1, 5)]
    assert project.alarms() == []
    measures = {(one.of, one.measure) for one in project.windows()[-1].readings}
    assert {("requests", "an hour"), ("errors", "share"), ("latency", "p95 ms"), ("quality", "accuracy")} < measures


def test_a_pass_that_finds_nothing_new_tells_nothing(project: Project) -> None:
    story(project, [0.0])
    assert len(project.look(day(1) + 120).facts) == 1
    assert project.look(day(1) + 180).facts == ()
    assert project.look_anew(day(1) + 240).facts == ()


def test_drift_says_look_and_is_over_when_it_is(project: Project) -> None:
    # So little that the answers are as sure as before, about.
    story(project, [0.0, 0.4, 0.4, 0.0, 0.0])
    for number in range(1, 6):
        project.look(day(number) + 120)
    assert project.alarms() == ["drift: look at 2", "ended 1"]
    raised = next(fact for fact in project.facts() if isinstance(fact, f.AlarmRaised))
    assert [cause.of for cause in raised.causes] == ["age"]
    assert raised.why.split("\n")[-1].startswith("This monitor raises at most 2 false alarms a year")
    assert (raised.endpoint, raised.model, raised.version, raised.since_window) == ("churn", "churn", 1, 2)


def test_answers_that_are_less_sure_say_retrain(tmp_path: Path) -> None:
    project = Project(str(tmp_path))
    project.release(1)
    # A reference of old and young, of whom the version is sure; those in between come later.
    sure = [rows_of(200, 2000, age=2.5), rows_of(201, 2000, age=-2.5)]
    rows = {name: [*sure[0][name], *sure[1][name]] for name in sure[0]}
    order = np.random.default_rng(202).permutation(4000)
    rows = {name: [values[i] for i in order] for name, values in rows.items()}
    project.begin(rows, truth_of(np.random.default_rng(203), rows))
    story(project, [0.0])
    project.look(day(1) + 120)
    assert project.alarms() == ["estimate: retrain at 1"]
    raised = next(fact for fact in project.facts() if isinstance(fact, f.AlarmRaised))
    assert "Estimated accuracy" in raised.why.split("\n")[1]
    (cause,) = raised.causes
    assert cause.of == "age"
    assert cause.explains is not None
    assert cause.explains > 0.8
    assert cause.words.endswith(" of the estimated loss")


def test_labels_that_prove_a_loss_since_the_release_say_roll_back(project: Project) -> None:
    project.now = day(0)
    project.release(2)
    rows = rows_of(300, 4000)
    project.begin(rows, truth_of(np.random.default_rng(301), rows))
    rows = rows_of(1, N)
    first = project.answer(rows, at=day(0) + HOUR_S, version=2)
    project.label(first, truth_of(np.random.default_rng(2), rows, flipped=0.3), at=day(1))
    project.look(day(1) + 120)
    assert project.alarms() == ["quality: roll back at 1"]
    seen = next(fact for fact in project.facts() if isinstance(fact, f.QualitySeen))
    assert (seen.n_labelled, seen.n_rows, seen.is_beyond) == (N, N, True)
    assert seen.low < seen.value < seen.high < (seen.expected or 0.0)


@pytest.mark.slow
def test_labels_that_prove_a_loss_later_say_retrain(project: Project) -> None:
    story(project, [0.0] * 3, labels=[0.0, 0.0, 0.3])
    for number in range(1, 4):
        project.look(day(number) + 120)
    assert project.alarms() == ["quality: retrain at 3"]


@pytest.mark.slow
def test_a_loss_that_is_small_in_each_window_adds_up(project: Project) -> None:
    # Some 5 points less: no window alone is sure of it.
    story(project, [0.0] * 9, labels=[0.14] * 9)
    project.look(day(9) + 120)
    (raised,) = [fact for fact in project.facts() if isinstance(fact, f.AlarmRaised)]
    assert raised.about == "quality"
    assert raised.window > 2
    assert [seen.is_beyond for seen in project.watcher.watch.quality.values()][-2:] == [True, True]


@pytest.mark.slow
def test_days_that_lost_nothing_are_not_counted_with_the_loss_before_them(project: Project) -> None:
    rights = [0.57, 0.57, 0.57, 0.57, 0.57, 0.74, 0.74, 0.66]
    for number, right in enumerate(rights):
        rows = rows_of(number, N)
        is_right = np.random.default_rng(500 + number).permutation(N) < right * N
        answers = [int(str(one)) for one in rows[PREDICTION]]
        truth = [one if ok else 1 - one for one, ok in zip(answers, is_right, strict=True)]
        project.label(project.answer(rows, at=day(number) + HOUR_S), truth, at=day(number + 1) - HOUR_S)
        project.look(day(number + 1) + 120)
    seen = list(project.watcher.watch.quality.values())
    assert [one.value for one in seen] == rights
    assert {one.expected for one in seen} == {0.69625}
    assert [one.is_beyond for one in seen] == [True] * 5 + [False] * 3
    # It is over after two of them, and what was told is not told again at the first day that is a little worse.
    assert project.alarms() == ["quality: retrain at 1", "ended 1"]
    # The story, the pages and what a terminal shows say the same of each day.
    told = [line_of(entry, {}) for entry in project.log.scan(("QualitySeen",))]
    assert [line is not None and line.is_bad for line in told] == [one.is_beyond for one in seen]
    shown = view(project.log, project.blobs, "live", now=day(8) + 120)
    (by_labels,) = (one for one in shown.series if one.name == "accuracy by labels")
    assert [one.is_beyond for one in by_labels.points] == [one.is_beyond for one in seen]


@pytest.mark.slow
def test_labels_are_waited_for_as_long_as_they_take(tmp_path: Path) -> None:
    project = Project(str(tmp_path), labels={"path": "labels", "delay": "3d"})
    project.release(1)
    rows = rows_of(100, 4000)
    project.begin(rows, truth_of(np.random.default_rng(101), rows))
    story(project, [0.0], labels=[0.3])
    for number in range(1, 5):
        project.look(day(number) + 120)
        proven = [fact for fact in project.facts() if isinstance(fact, f.QualitySeen)]
        assert len(proven) == (number >= 4)


def test_slices_calibration_and_the_labels_themselves_are_told(tmp_path: Path) -> None:
    project = Project(str(tmp_path), slices=["plan"])
    project.release(1)
    rows = rows_of(100, 4000)
    project.begin(rows, truth_of(np.random.default_rng(101), rows))
    rows = rows_of(1, N, age=1.0)
    first = project.answer(rows, at=day(0) + HOUR_S)
    project.label(first, [str(one) for one in truth_of(np.random.default_rng(2), rows)], at=day(1))
    project.look(day(1) + 120)
    shown = view(project.log, project.blobs, "live", now=day(1) + 120)
    assert shown.proven is not None
    assert [(one.column, one.value) for one in shown.proven.slices] == [
        ("plan", "basic"),
        ("plan", "plus"),
        ("plan", "pro"),
    ]
    assert {one.metric for one in shown.proven.metrics} == {"accuracy", "auc", "recall", "precision"}
    # What it says comes true as often as it says.
    assert len(shown.proven.calibration) == 10
    assert all(abs(one.said - one.held) < 0.16 for one in shown.proven.calibration)
    moved = shown.proven.label_moved
    assert moved is not None
    assert moved.psi > 3 * moved.psi_usual
    assert moved.where in ("`0`", "`1`")
    told = "\n".join(line for line, _ in status(shown, columns=100, paint=Paint(colours=False, unicode=True)))
    assert "the truth moved (PSI " in told
    assert "worst of its slices is plan=" in told


def test_more_labels_and_corrected_ones_are_told_again_and_the_same_ones_are_not(project: Project) -> None:
    rows = rows_of(1, N)
    first = project.answer(rows, at=day(0) + HOUR_S)
    truth = truth_of(np.random.default_rng(2), rows)
    project.label(first, truth[:500], at=day(1))
    project.look(day(1) + 120)
    # The same again, out of order and late.
    project.label(first, truth[:500], at=day(1) + 200)
    project.look_anew(day(1) + 300)
    project.label(first, truth[:505], at=day(1) + 400)
    project.look_anew(day(1) + 500)
    assert [fact.n_labelled for fact in project.facts() if isinstance(fact, f.QualitySeen)] == [500]
    project.label(first, truth, at=day(2))
    project.look_anew(day(2) + 600)
    project.label(first, [1 - truth[0], *truth[1:]], at=day(3))
    project.look_anew(day(3) + 600)
    seen = [fact for fact in project.facts() if isinstance(fact, f.QualitySeen)]
    assert [one.n_labelled for one in seen] == [500, N, N]
    right = np.array(rows["prediction"]) == np.array(truth)
    assert seen[1].value == pytest.approx(float(right.mean()))
    assert abs(seen[2].value - seen[1].value) == pytest.approx(1 / N)


def test_another_version_in_the_middle_of_a_window_begins_anew(project: Project) -> None:
    project.answer(rows_of(0, N), at=day(0) + HOUR_S)
    project.look(day(1) + 120)
    # Half a day of the old version, then the new one.
    project.answer(rows_of(1, 500), at=day(1) + HOUR_S, span_s=10 * HOUR_S)
    project.now = day(1) + 12 * HOUR_S
    project.release(2)
    rows = rows_of(400, 4000)
    project.begin(rows, truth_of(np.random.default_rng(401), rows))
    project.answer(rows_of(2, 700), at=day(1) + 13 * HOUR_S, span_s=8 * HOUR_S, version=2)
    project.look(day(2) + 120)
    told = [(one.number, one.version, one.n_rows, one.since) for one in project.windows()]
    assert told == [(1, 1, N, day(0)), (2, 2, 700, day(1) + 12 * HOUR_S)]
    assert project.alarms() == []


def test_alarms_end_with_the_version_that_they_are_about(project: Project) -> None:
    story(project, [0.4])
    project.look(day(1) + 120)
    assert project.alarms() == ["drift: look at 1"]
    project.release(2)
    rows = rows_of(400, 4000)
    project.begin(rows, truth_of(np.random.default_rng(401), rows))
    project.look(day(1) + 240)
    assert project.alarms() == ["drift: look at 1", "ended 1"]
    ended = next(fact for fact in project.facts() if isinstance(fact, f.AlarmEnded))
    assert ended.why == "churn@2 answers now"


def test_missing_values_say_look(project: Project) -> None:
    rows = rows_of(0, N)
    rows["plan"] = [None if i % 10 == 0 else plan for i, plan in enumerate(rows["plan"])]
    project.answer(rows, at=day(0) + HOUR_S)
    project.look(day(1) + 120)
    assert project.alarms() == ["schema: look at 1"]
    raised = next(fact for fact in project.facts() if isinstance(fact, f.AlarmRaised))
    assert raised.why.startswith("Plan is missing in 10 % of rows (was 0 %) since 2025-12-01.")


@pytest.mark.slow
def test_an_endpoint_that_is_not_asked_any_more_is_told_once(project: Project) -> None:
    story(project, [0.0] * 6)
    for number in range(1, 12):
        project.look(day(number) + 120)
    assert [one.n_rows for one in project.windows()] == [N] * 6 + [0]
    assert project.alarms() == ["traffic: look at 7"]


@pytest.mark.slow
def test_failures_say_look(project: Project) -> None:
    story(project, [0.0] * 5)
    project.answer(rows_of(9, N), at=day(5) + HOUR_S, failed=100)
    for number in range(1, 7):
        project.look(day(number) + 120)
    assert project.alarms() == ["traffic: look at 6"]
    assert project.windows()[-1].n_failed == 100


def test_a_clock_that_was_set_back_or_jumps_ahead_changes_nothing(project: Project) -> None:
    story(project, [0.0] * 3)
    project.look(day(1) + 120)
    project.look(day(-200))
    assert len(project.windows()) == 1
    project.look(day(700))
    project.look(day(3) + 120)
    assert [(one.since, one.n_rows) for one in project.windows()] == [
        (day(0), N),
        (day(1), N),
        (day(2), N),
        (day(3), 0),
    ]


def test_rows_that_come_after_their_window_was_judged_are_counted_as_such(project: Project) -> None:
    story(project, [0.0])
    project.look(day(1) + 120)
    project.answer(rows_of(50, 30), at=day(0) + 2 * HOUR_S)
    project.answer(rows_of(51, N), at=day(1) + HOUR_S)
    project.look(day(2) + 120)
    assert [(one.n_rows, one.n_unjudged) for one in project.windows()] == [(N, 0), (N, 30)]


def test_windows_of_rows_are_full_with_whole_cells(tmp_path: Path) -> None:
    project = Project(str(tmp_path), window=2000)
    project.release(1)
    rows = rows_of(100, 4000)
    project.begin(rows)
    for minute in range(5):
        project.answer(rows_of(minute, N), at=day(0) + 60.0 * minute, span_s=50.0)
    project.look(day(0) + 600)
    assert [one.n_rows for one in project.windows()] == [2000, 2000]
    assert project.alarms() == []


@pytest.mark.slow
def test_a_reference_that_was_learned_from_lends_nothing_to_what_comes_out(tmp_path: Path) -> None:
    project = Project(str(tmp_path))
    project.release(1)
    rows = rows_of(100, 4000)
    sure = np.where(np.array(rows["probability.1"], dtype=float) > 0.5, 0.95, 0.05)
    learned = {**rows, "probability.1": (sure + np.random.default_rng(1).normal(0, 0.001, 4000)).tolist()}
    project.begin(learned, truth_of(np.random.default_rng(101), learned), is_in_sample=True)
    story(project, [0.0, 0.0, 0.0])
    for number in range(1, 4):
        project.look(day(number) + 120)
    assert project.alarms() == []
    detail = detail_of(project.blobs, project.windows()[-1])
    assert "is what the version learned from" in detail.notes[0]
    assert detail.guesses[0].was == pytest.approx(detail_of(project.blobs, project.windows()[0]).guesses[0].value)


def test_what_every_column_did_is_kept(project: Project) -> None:
    story(project, [0.0, 0.4])
    project.look(day(2) + 120)
    detail = detail_of(project.blobs, project.windows()[-1])
    assert [(one.of, one.side) for one in detail.moved] == [
        ("age", "input"),
        ("plan", "input"),
        ("prediction", "output"),
        ("probability.1", "output"),
    ]
    # Against the day before, too.
    assert all(one.since_weeks is not None for one in detail.moved)
    assert detail.alpha == pytest.approx(2 / 365.25)
    assert names(project.log) == ("live",)


def test_two_who_look_at_the_same_time_tell_all_of_it_once(project: Project) -> None:
    story(project, [0.0, 0.4])
    other = look(project.world, project.plan, "live", day(1) + 120)
    assert len(other.facts) == 1
    # This one had read the log before the other wrote.
    project.look(day(2) + 120)
    look(project.world, project.plan, "live", day(2) + 130)
    assert [one.number for one in project.windows()] == [1, 2]
    assert project.alarms() == ["drift: look at 2"]


KILLS = [
    pytest.param([0.4], [0.3], True, id="before it is appended"),
    pytest.param([0.4, 0.0], [0.0, 0.3], False, id="after it is appended", marks=pytest.mark.slow),
    pytest.param([0.0, 0.4, 0.0, 0.0], [0.0, 0.0, 0.3, 0.3], True, id="long, before", marks=pytest.mark.slow),
    pytest.param([0.0, 0.4, 0.0, 0.0], [0.0, 0.0, 0.3, 0.3], False, id="long, after", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("ages", "labels", "is_before"), KILLS)
def test_killed_at_every_fact_it_tells_the_same_in_the_end(
    tmp_path: Path,
    ages: list[float],
    labels: list[float],
    is_before: bool,
) -> None:
    def played(folder: Path, kill_at: int) -> list[f.Fact]:
        folder.mkdir()
        project = Project(str(folder))
        project.release(1)
        rows = rows_of(100, 2000)
        project.begin(rows, truth_of(np.random.default_rng(101), rows))
        story(project, ages, labels=labels)
        project.log.kill_at, project.log.is_before = kill_at, is_before
        for _ in range(2):
            try:
                project.look_anew(day(len(ages)) + 120)
            except Killed:
                continue
        return project.facts()

    usual = played(tmp_path / "usual", 0)
    assert len(usual) > 2 * len(ages) + 1
    for kill_at in range(1, len(usual)):
        assert played(tmp_path / str(kill_at), kill_at) == usual


def test_a_disk_that_is_full_leaves_nothing_half_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    story(project, [0.4])
    full = True
    put = project.blobs.put

    def no_room(data: bytes) -> object:
        if full:
            raise DiskFull("no room", at="blobs", remedy="make some")
        return put(data)

    monkeypatch.setattr(type(project.blobs), "put", lambda _self, data: no_room(data))
    with pytest.raises(DiskFull):
        project.look(day(1) + 120)
    assert project.windows() == []
    full = False
    monkeypatch.undo()
    project.look(day(1) + 180)
    assert project.alarms() == ["drift: look at 1"]


def test_gc_keeps_what_a_monitor_compares_with_and_shows(project: Project) -> None:
    story(project, [0.0, 0.4], labels=[0.0])
    project.look(day(2) + 120)
    kept = needed(project.log, project.home, keep_runs=1).digests
    assert set(kept.values()) == {"what monitor live compares with", "what monitor live saw"}
    assert set(kept) == {one.digest for one in project.blobs.list()}


def test_the_fold_is_what_the_watcher_remembers(project: Project) -> None:
    story(project, [0.0, 0.4], labels=[0.0])
    project.look(day(2) + 120)
    there, kept = read(project.log, "live"), project.watcher.watch
    assert (there.windows, there.quality, there.alarms) == (kept.windows, kept.quality, kept.alarms)
