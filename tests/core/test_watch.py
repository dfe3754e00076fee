"""The machine of a monitor: when an alarm is raised, what it says, and when it is over."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import facts as f
from headway.core.facts import AlarmKind
from headway.core.ids import Digest
from headway.core.watch import KEPT, End, Raise, Watch

BEGAN = f.MonitorBegan(
    monitor="live",
    endpoint="churn",
    model="churn",
    version=13,
    reference=Digest("r"),
    layout="l",
    window="1 day",
    false_alarms_per_year=2.0,
    previous=12,
)


class Play:
    """A monitor whose windows are told by hand; alarms that the machine wants are raised and ended at once."""

    def __init__(self, version: int = 13) -> None:
        self.watch = Watch()
        self.told: list[str] = []
        self.at = 0.0
        self.facts: list[f.Fact] = []
        self.begin(version)

    def begin(self, version: int, previous: int | None = 12, key: str = "") -> None:
        self._tell(msgspec.structs.replace(BEGAN, version=version, previous=previous, key=key))
        self.settle()

    def window(self, *about: AlarmKind, rows: int = 1000) -> None:
        assert self.watch.began is not None
        readings = tuple(f.Reading(of="x", measure="psi", value=0.5, about=one, is_beyond=True) for one in about)
        number = self.watch.n_windows + 1
        self._tell(
            f.WindowClosed(
                monitor="live",
                number=number,
                version=self.watch.began.version,
                since=number - 1.0,
                until=float(number),
                n_requests=rows,
                n_rows=rows,
                readings=(f.Reading(of="y", measure="psi", value=0.0), *readings),
            )
        )
        self.settle()

    def labels(self, number: int, *, bad: bool, value: float | None = None) -> None:
        seen = f.QualitySeen(
            monitor="live",
            number=number,
            metric="accuracy",
            value=value or (0.7 if bad else 0.84),
            low=0.6,
            high=0.9,
            n_labelled=900,
            n_rows=1000,
            expected=0.84,
            is_beyond=bad,
        )
        self._tell(seen)
        self.settle()

    def settle(self) -> None:
        while actions := self.watch.next(self.at):
            for action in actions:
                if isinstance(action, Raise):
                    self.told.append(f"{action.alarm} {action.about}: {action.says} since {action.since_window}")
                    self._tell(_raised(action, self.watch))
                else:
                    self.told.append(f"{action.alarm.alarm} ended: {action.why}")
                    self._tell(f.AlarmEnded(monitor="live", alarm=action.alarm.alarm, why=action.why))

    def _tell(self, fact: f.Fact) -> None:
        self.at += 1.0
        self.facts.append(fact)
        self.watch.after(fact, self.at)


def _raised(action: Raise, watch: Watch) -> f.AlarmRaised:
    assert watch.began is not None
    return f.AlarmRaised(
        monitor="live",
        alarm=action.alarm,
        about=action.about,
        says=action.says,
        since_window=action.since_window,
        window=action.window,
        why="w",
        version=watch.began.version,
    )


def test_nothing_is_wanted_before_a_version_is_watched() -> None:
    assert Watch().next(0.0) == ()


def test_drift_alone_says_look() -> None:
    play = Play()
    play.window()
    play.window("drift")
    assert play.told == ["1 drift: look since 2"]


def test_drift_with_an_estimated_loss_is_one_alarm_that_says_retrain() -> None:
    play = Play()
    play.window("drift", "estimate")
    play.window("drift", "estimate")
    assert play.told == ["1 estimate: retrain since 1"]


def test_drift_that_comes_to_cost_quality_says_look_and_then_retrain() -> None:
    play = Play()
    play.window("drift")
    play.window("drift", "estimate")
    assert play.told == ["1 drift: look since 1", "2 estimate: retrain since 2"]


def test_a_loss_that_labels_prove_after_good_windows_says_retrain() -> None:
    play = Play()
    for _ in range(2):
        play.window()
    play.labels(1, bad=False)
    play.labels(2, bad=True)
    assert play.told == ["1 quality: retrain since 2"]


def test_a_loss_since_the_release_says_roll_back() -> None:
    play = Play()
    play.window()
    play.labels(1, bad=True)
    assert play.told == ["1 quality: roll back since 1"]


def test_a_loss_since_the_release_that_took_windows_to_be_sure_of_says_roll_back_as_well() -> None:
    play = Play()
    for number in range(1, 4):
        play.window()
        play.labels(number, bad=number == 3, value=0.8)
    assert play.told == ["1 quality: roll back since 3"]


def test_nothing_is_rolled_back_to_where_nothing_was_before() -> None:
    play = Play()
    play.begin(13, previous=None)
    play.window()
    play.labels(1, bad=True)
    assert play.told == ["1 quality: retrain since 1"]


def test_a_rollback_does_not_help_where_the_version_before_had_lost_as_well() -> None:
    play = Play(version=12)
    play.window()
    play.labels(1, bad=False)
    play.window()
    play.begin(13)
    play.window()
    play.labels(2, bad=True)
    play.labels(3, bad=True)
    assert play.told == ["1 quality: retrain since 3"]


def test_late_labels_of_the_version_before_raise_nothing() -> None:
    play = Play(version=12)
    play.window()
    play.begin(13)
    play.labels(1, bad=True)
    assert play.told == []


@pytest.mark.parametrize("about", ["schema", "traffic", "drift", "estimate"])
def test_no_second_alarm_of_a_kind_while_one_is_open_and_it_ends_after_two_usual_windows(about: AlarmKind) -> None:
    play = Play()
    play.window(about)
    play.window(about)
    play.window()
    play.window(about)
    assert len(play.told) == 1
    play.window()
    play.window()
    play.window(about)
    says = "retrain" if about == "estimate" else "look"
    assert play.told == [
        f"1 {about}: {says} since 1",
        "1 ended: the last 2 windows were as usual again",
        f"2 {about}: {says} since 7",
    ]


def test_several_kinds_are_raised_at_once() -> None:
    play = Play()
    play.window("drift", "schema", "traffic")
    assert play.told == ["1 schema: look since 1", "2 traffic: look since 1", "3 drift: look since 1"]


def test_windows_without_rows_end_no_alarm_about_what_is_in_them() -> None:
    play = Play()
    play.window("drift")
    play.window("traffic", rows=0)
    play.window("traffic", rows=0)
    assert play.told == ["1 drift: look since 1", "2 traffic: look since 2"]


def test_a_proven_loss_ends_when_two_later_windows_were_proven_well() -> None:
    play = Play()
    for _ in range(4):
        play.window()
    play.labels(1, bad=False)
    play.labels(2, bad=True)
    play.labels(4, bad=False)
    assert len(play.told) == 1
    play.labels(3, bad=False)
    assert play.told[1:] == ["1 ended: the last 2 windows were as usual again"]


def test_labels_that_are_corrected_change_what_was_proven() -> None:
    play = Play()
    play.window()
    play.labels(1, bad=False)
    play.labels(1, bad=True)
    assert play.told == ["1 quality: roll back since 1"]


def test_another_version_ends_all_alarms() -> None:
    play = Play()
    play.window("drift", "traffic")
    play.begin(14)
    play.window()
    assert play.told[2:] == ["1 ended: churn@14 answers now", "2 ended: churn@14 answers now"]
    assert play.watch.open_alarms == []


def test_another_way_to_watch_ends_all_alarms() -> None:
    play = Play()
    play.window("drift")
    play.begin(13, key="another")
    assert play.told[1:] == ["1 ended: it is watched in another way now"]


def test_windows_are_remembered_up_to_a_number() -> None:
    play = Play()
    for _ in range(KEPT + 5):
        play.window()
    assert (len(play.watch.windows), play.watch.n_windows) == (KEPT, KEPT + 5)
    assert play.watch.window(5) is None
    kept = play.watch.window(6)
    assert kept is not None
    assert kept.number == 6


Event = set[AlarmKind] | tuple[int, bool] | int
"""A window with what it shows, labels of a window and whether they prove a loss, another version."""

_kinds: list[AlarmKind] = ["schema", "traffic", "drift", "estimate"]
_windows = st.sets(st.sampled_from(_kinds))
_labels = st.tuples(st.integers(1, 6), st.booleans())
_versions = st.sampled_from([14, 15])
_events: st.SearchStrategy[list[Event]] = st.lists(st.one_of(_windows, _labels, _versions), max_size=25)


@given(_events)
def test_whoever_takes_it_up_anywhere_wants_the_same(events: list[Event]) -> None:
    play = Play()
    for event in events:
        if isinstance(event, set):
            play.window(*sorted(event))
        elif isinstance(event, int):
            play.begin(event)
        elif event[0] <= play.watch.n_windows:
            play.labels(event[0], bad=event[1])
    # Killed after any fact: the next one folds what there is, and wants what comes next in the facts.
    for n in range(1, len(play.facts)):
        watch = Watch()
        for at, fact in enumerate(play.facts[:n]):
            watch.after(fact, float(at))
        wanted, after = watch.next(float(n)), play.facts[n]
        if isinstance(after, f.AlarmRaised):
            first = wanted[0]
            assert isinstance(first, Raise)
            assert (first.alarm, first.about, first.says) == (after.alarm, after.about, after.says)
        elif isinstance(after, f.AlarmEnded):
            first = wanted[0]
            assert isinstance(first, End)
            assert (first.alarm.alarm, first.why) == (after.alarm, after.why)
        else:
            assert wanted == ()
    open_kinds = [alarm.raised.about for alarm in play.watch.open_alarms]
    assert len(open_kinds) == len(set(open_kinds))
