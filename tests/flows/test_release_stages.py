"""Releases in stages under traffic, on memory: what is decided, by what was logged, and what is left behind."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from headway.backends.log_memory import MemoryLog
from headway.core import facts as f
from headway.core.facts import Entry
from headway.core.prediction_log import Cursor, Line
from headway.errors import LeaseHeld, NameUnknown, ReleaseTrouble, TargetUnavailable, UsageMistaken
from headway.flows import evidence
from headway.flows.release import direct, rollback, watch
from headway.flows.rollout import read
from headway.tables import prediction_log
from headway.tables.prediction_log import Followed
from staged import ENDPOINT, Behaviour, Staged, strategy

CANARY = strategy({"canary": "20% for 1000 requests"}, "promote")
SHADOWED = strategy({"shadow": "100% for 500 requests"}, {"canary": "20% for 1000 requests"}, "promote", {"bake": "5m"})


@pytest.fixture
def place(tmp_path: Path) -> Staged:
    made = Staged(tmp_path)
    made.release(1)
    return made


def test_a_good_version_goes_through_shadow_and_canary_and_takes_over(place: Staged) -> None:
    done = place.release(2, SHADOWED)
    assert (done.outcome, done.exit_code, done.version, done.previous) == ("baking", 0, 2, 1)
    assert "headway rollout watch flights" in str(done)
    assert (place.target.serving[ENDPOINT], place.champion) == (2, 2)
    assert sorted(place.target.live[ENDPOINT]) == [1, 2]
    assert place.said[0] == "stage 1 of 4: shadow: 100% for 500 requests"
    done = watch(place.world, ENDPOINT, place.report)
    assert done.outcome == "released"
    place.assert_alone(2)
    assert sorted(place.target.live[ENDPOINT]) == [1, 2]


def test_a_version_that_fails_is_rolled_back_in_its_canary_and_the_reason_is_told(place: Staged) -> None:
    place.like[2] = Behaviour(fails=0.2)
    with pytest.raises(ReleaseTrouble, match="m@2 was rolled back: errors: ") as e:
        place.release(2, CANARY)
    assert e.value.exit_code == 7
    assert "m@1 still serves" in e.value.remedy
    assert place.ended.outcome == "rolled-back"
    assert any(line.startswith("rolls back: errors: ") for line in place.said)
    # Looked at each second in the beginning: not the whole canary was needed.
    assert place.answered[2] < 150
    place.assert_alone(1)


def test_a_shadow_that_fails_harms_no_client(place: Staged) -> None:
    place.like[2] = Behaviour(fails=0.2)
    with pytest.raises(ReleaseTrouble, match="rolled back: errors"):
        place.release(2, SHADOWED)
    assert 2 not in place.answered
    place.assert_alone(1)


def test_a_version_that_is_slow_is_rolled_back(place: Staged) -> None:
    place.like[2] = Behaviour(ms=500)
    plan = strategy({"canary": "20% for 1000 requests"}, "promote", rollback=("latency",), slower_than="200ms")
    with pytest.raises(ReleaseTrouble, match="rolled back: latency"):
        place.release(2, plan)
    place.assert_alone(1)


def test_a_version_that_answers_otherwise_is_rolled_back_in_its_shadow(place: Staged) -> None:
    place.like[2] = Behaviour(wrong=0.5)
    plan = strategy({"shadow": "100% for 2000 requests"}, "promote", checks=["disagreement(new, old) <= 0.1"])
    with pytest.raises(ReleaseTrouble, match=r"disagreement\(new, old\) <= 0.1: "):
        place.release(2, plan)
    assert 2 not in place.answered
    place.assert_alone(1)


def test_a_version_that_is_wrong_is_rolled_back_as_labels_arrive(place: Staged) -> None:
    place.like[2] = Behaviour(wrong=0.5)
    place.like[1] = Behaviour(wrong=0.1)
    place.label_after_s = 5.0
    plan = strategy({"canary": "20% for 20000 requests"}, "promote", rollback=("quality",))
    with pytest.raises(ReleaseTrouble, match="rolled back: quality"):
        place.release(2, plan)
    place.assert_alone(1)


def test_labels_that_come_in_the_bake_bring_the_old_version_back(place: Staged) -> None:
    place.like[2] = Behaviour(wrong=0.5)
    place.like[1] = Behaviour(wrong=0.1)
    place.label_after_s = 100.0
    plan = strategy({"canary": "50% for 2000 requests"}, "promote", {"bake": "1h"}, rollback=("quality",))
    assert place.release(2, plan).outcome == "baking"
    assert place.target.serving[ENDPOINT] == 2
    with pytest.raises(ReleaseTrouble, match="rolled back: quality"):
        watch(place.world, ENDPOINT, place.report)
    place.assert_alone(1)
    # As good as if it had never been: under the same key it may be tried again.
    assert read(place.parts.log, ENDPOINT).succeeded("run/2") is None


def test_what_is_not_proved_is_held_and_said_with_exit_code_6(place: Staged) -> None:
    plan = strategy({"canary": "20% for 500 requests"}, "promote", checks=["new.errors / old.errors <= 1.5"])
    done = place.release(2, plan)
    assert (done.outcome, done.exit_code, done.previous) == ("held", 6, 1)
    assert "not proved" in str(done)
    assert place.target.tables[ENDPOINT].shares == {1: 0.8, 2: 0.2}
    assert direct(place.world, ENDPOINT, "promote", why="good enough").open is None
    place.assert_alone(2)


def test_an_approval_is_waited_for_while_both_serve(place: Staged) -> None:
    plan = strategy({"canary": "20% for 500 requests"}, {"pause": "approval by alice"}, "promote", {"bake": "1m"})
    assert place.release(2, plan).why == "pause: approval by alice: waits for alice"
    with pytest.raises(UsageMistaken, match="waits for alice, not for ann"):
        direct(place.world, ENDPOINT, "promote")
    alice = place.parts.delivery(by="alice")
    assert direct(alice, ENDPOINT, "promote").is_baking
    said = [fact for fact in place.facts if isinstance(fact, f.ReleaseDirected)]
    assert [(one.act, one.by) for one in said] == [("promote", "alice")]
    watch(place.world, ENDPOINT)
    place.assert_alone(2)


def test_the_same_key_goes_on_where_the_release_is_held(place: Staged) -> None:
    plan = strategy({"canary": "20% for 500 requests"}, {"pause": "approval"}, "promote")
    assert place.release(2, plan).outcome == "held"
    n_facts = len(place.facts)
    assert place.release(2, plan).outcome == "held"
    assert len(place.facts) == n_facts
    direct(place.world, ENDPOINT, "promote")
    assert place.release(2, plan).outcome == "released"
    place.assert_alone(2)


def test_a_live_driver_hears_an_abort_at_once(place: Staged) -> None:
    heard: list[float] = []

    def abort() -> None:
        heard.append(place.clock)
        _say(place, "abort")

    place.at(5.0, abort)
    with pytest.raises(ReleaseTrouble, match="ann aborted it: enough"):
        place.release(2, CANARY)
    assert place.clock - heard[0] <= 1.0
    assert place.ended.outcome == "aborted"
    place.assert_alone(1)


def test_a_live_driver_hears_a_pause_and_goes_on_when_it_is_resumed(place: Staged) -> None:
    place.at(5.0, lambda: _say(place, "pause"))
    place.at(60.0, lambda: _say(place, "resume"))
    began = place.clock
    assert place.release(2, CANARY).outcome == "released"
    # Without the pause 1,000 requests take 20 s.
    assert 60 <= place.clock - began < 65
    place.assert_alone(2)


def _say(place: Staged, act: f.Act) -> None:
    """What a person's command writes, without the lease that the driver has."""
    facts = place.facts
    number = next(fact.release for fact in reversed(facts) if isinstance(fact, f.ReleaseStarted))
    said = f.ReleaseDirected(release=number, act=act, by="ann", why="enough")
    place.parts.log.append(f"endpoint/{ENDPOINT}", [said], expect=len(facts), at=place.clock)


def test_a_rollback_during_a_canary_takes_it_back(place: Staged) -> None:
    plan = strategy({"canary": "20% for 500 requests"}, {"pause": "approval"}, "promote")
    place.release(2, plan)
    done = rollback(place.world, ENDPOINT, why="I do not like it")
    assert (done.version, done.why) == (1, "release 2 was taken back")
    place.assert_alone(1)


def test_a_rollback_during_a_bake_goes_back_to_the_warm_version(place: Staged) -> None:
    place.release(2, strategy("promote", {"bake": "1d"}))
    assert rollback(place.world, ENDPOINT).version == 1
    place.assert_alone(1)


def test_another_release_ends_a_bake_and_aborts_what_is_held(place: Staged) -> None:
    place.release(2, strategy("promote", {"bake": "1d"}))
    assert (
        place.release(3, strategy({"canary": "20% for 500 requests"}, {"pause": "approval"}, "promote")).exit_code == 6
    )
    outcomes = [fact.outcome for fact in place.facts if isinstance(fact, f.ReleaseFinished)]
    assert outcomes == ["released", "released"]
    assert place.release(4).previous == 2
    place.assert_alone(4)
    outcomes = [fact.outcome for fact in place.facts if isinstance(fact, f.ReleaseFinished)]
    assert outcomes == ["released", "released", "aborted", "released"]


def test_a_version_whose_process_ends_is_rolled_back(place: Staged) -> None:
    place.at(5.0, lambda: place.end(2))
    with pytest.raises(ReleaseTrouble, match="not-ready: version 2: it has no live process any more"):
        place.release(2, CANARY)
    place.assert_alone(1)
    assert 0 not in place.answered


def test_a_version_whose_process_ends_in_the_bake_is_rolled_back(place: Staged) -> None:
    place.release(2, strategy("promote", {"bake": "1d"}))
    place.at(5.0, lambda: place.end(2))
    with pytest.raises(ReleaseTrouble, match="not-ready: version 2"):
        watch(place.world, ENDPOINT)
    place.assert_alone(1)


def test_a_champion_whose_process_ends_is_brought_back_and_the_stage_goes_on(place: Staged) -> None:
    place.at(5.0, lambda: place.end(1))
    assert place.release(2, CANARY).outcome == "released"
    place.assert_alone(2)
    assert 1 in place.target.live[ENDPOINT]


def test_an_endpoint_that_is_gone_whole_is_brought_back_with_its_stage(place: Staged) -> None:
    def gone() -> None:
        place.target.stop(ENDPOINT, None)

    place.at(5.0, gone)
    assert place.release(2, CANARY).outcome == "released"
    place.assert_alone(2)


def test_without_a_champion_nothing_is_promoted(place: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        place.target.live[ENDPOINT].pop(1)
        serving: Any = place.target.start

        def start(asked: object, **kwargs: object) -> str:
            if getattr(asked, "version", 0) == 1:
                raise NameUnknown("its file is gone", at="store", remedy="none")
            return str(serving(asked, **kwargs))

        monkeypatch.setattr(type(place.target), "start", lambda _, asked, **kwargs: start(asked, **kwargs))

    place.at(5.0, gone)
    done = place.release(2, CANARY)
    assert done.outcome == "held"
    assert done.why == "version 1, which served, gives no answer: its file is gone"
    assert place.champion == 1
    direct(place.world, ENDPOINT, "promote", why="there is no other")
    place.assert_alone(2)


def test_a_target_that_is_away_when_a_stage_begins_is_waited_for(place: Staged) -> None:
    target = Unreachable(place)
    place.world = msgspec.structs.replace(place.world, target=lambda _: target)

    def away() -> None:
        target.until = place.clock + 60

    # 500 requests take some 10 s: it is away when the canary is to begin.
    place.at(9.0, away)
    assert place.release(2, SHADOWED).outcome == "baking"
    assert any("the target cannot be reached, and is tried again" in line for line in place.said)


def test_the_way_back_is_tried_at_the_beginning_of_a_bake_and_recorded(place: Staged) -> None:
    place.release(2, strategy("promote", {"bake": "1d"}))
    (began,) = [fact for fact in place.facts if isinstance(fact, f.StageBegan)]
    assert began.rehearsal == "the way back was tried: m@1 is kept warm"
    assert began.rehearsal in place.said


class Unreachable:
    """A target that cannot be reached for a while: what is asked of it is refused, and it goes on as it is."""

    def __init__(self, place: Staged) -> None:
        self._place = place
        self.until = 0.0

    def __getattr__(self, name: str) -> Any:
        if self._place.clock < self.until:
            raise TargetUnavailable("the network is away", at="target", remedy="wait")
        return getattr(self._place.target, name)


def test_a_target_that_is_away_for_a_while_neither_stops_a_stage_nor_keeps_a_bad_version(place: Staged) -> None:
    target = Unreachable(place)
    place.world = msgspec.structs.replace(place.world, target=lambda _: target)
    place.like[2] = Behaviour(fails=0.3)

    def away() -> None:
        target.until = place.clock + 300

    place.at(2.0, away)
    began = place.clock
    with pytest.raises(ReleaseTrouble, match="rolled back: errors"):
        place.release(2, strategy({"canary": "20% for 100000 requests"}, "promote"))
    assert any("the target cannot be reached, and is tried again: the network is away" in line for line in place.said)
    assert 300 <= place.clock - began < 320
    place.assert_alone(1)


def test_a_first_release_is_compared_with_nothing_and_says_so(tmp_path: Path) -> None:
    made = Staged(tmp_path)
    done = made.release(1, SHADOWED)
    assert "nothing served beside it" in str(done)
    assert done.outcome == "released"
    made.assert_alone(1)


def test_nothing_can_be_said_or_watched_where_nothing_is_under_way(place: Staged) -> None:
    for act in (lambda: direct(place.world, ENDPOINT, "abort"), lambda: watch(place.world, ENDPOINT)):
        with pytest.raises(NameUnknown, match="no release is under way on flights"):
            act()


def test_who_watches_beside_a_driver_looks_on_and_takes_over_when_it_is_gone(place: Staged) -> None:
    plan = strategy({"canary": "20% for 500 requests"}, {"pause": "approval"}, "promote")
    place.release(2, plan)
    place.parts.leases.acquire(f"endpoint/{ENDPOINT}", holder="bob (process 1)", ttl_s=20, now=place.clock)
    with pytest.raises(LeaseHeld):
        place.release(3)
    place.at(30.0, lambda: _say(place, "promote"))
    assert watch(place.world, ENDPOINT, place.report).outcome == "released"
    assert "bob (process 1) drives it; this only looks on" in place.said
    place.assert_alone(2)


def test_who_looks_on_reads_only_what_is_new(place: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    place.release(2, strategy({"canary": "20% for 500 requests"}, {"pause": "approval"}, "promote"))
    place.parts.leases.acquire(f"endpoint/{ENDPOINT}", holder="bob (process 1)", ttl_s=20, now=place.clock)
    n_read: list[int] = []
    of_log = MemoryLog.read

    def counted(log: MemoryLog, stream: str, *, after: int = 0) -> list[Entry]:
        found = of_log(log, stream, after=after)
        n_read.append(len(found))
        return found

    monkeypatch.setattr(MemoryLog, "read", counted)
    place.at(30.0, lambda: _say(place, "promote"))
    assert watch(place.world, ENDPOINT, place.report).outcome == "released"
    assert n_read[0] > 0
    assert not any(n_read[1:15])


def test_looks_become_rare_and_each_tells_only_what_is_new(place: Staged) -> None:
    plan = strategy({"canary": "20% for 10m"}, "promote")
    place.release(2, plan)
    looks = [fact for fact in place.facts if isinstance(fact, f.StageLooked)]
    n_asked = place.answered[1] + place.answered[2]
    assert 60 < len(looks) < 200
    assert n_asked > 28_000
    # Each once: none is left out but what came with the last second.
    assert 0 <= n_asked - place.n_counted <= place.rate


def test_a_driver_that_dies_in_a_canary_loses_and_doubles_no_count(place: Staged) -> None:
    class Killed(BaseException):
        """Stands for SIGKILL."""

    def die() -> None:
        raise Killed

    place.label_after_s = 1.5
    plan = strategy({"shadow": "100% for 10s"}, {"canary": "50% for 20s"}, "promote", rollback=("errors", "quality"))
    for after_s in (3.3, 2.0, 4.7, 3.1):
        place.at(after_s, die)
        with pytest.raises(Killed):
            place.release(2, plan)
        # Clients and labels go on coming while nobody drives.
        place.sleep(1.3)
    assert place.release(2, plan).outcome == "released"
    windows = [w for fact in place.facts if isinstance(fact, f.StageLooked) for w in fact.windows if not w.slice]
    assert 0 <= place.n_logged - place.n_counted <= place.rate
    n_labelled = sum(w.new.labelled + w.old.labelled + w.compared.labelled for w in windows)
    n_pairs = sum(w.compared.answered for w in windows)
    n_requests = place.answered[1] + place.answered[2]
    # All but the requests that began before their stage did.
    assert 0 <= place.n_logged - n_requests - n_pairs <= place.rate / 2
    # Labels of the last second and a half were not there yet.
    assert 0 <= n_requests - n_labelled <= 3 * place.rate


def test_requests_that_come_while_a_driver_counts_anew_are_each_told_once(
    place: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Stands for SIGKILL."""

    def die() -> None:
        raise Killed

    plan = strategy({"shadow": "100% for 10s"}, {"canary": "50% for 20s"}, "promote")
    place.at(15.0, die)
    with pytest.raises(Killed):
        place.release(2, plan)
    through = prediction_log.follow

    def follow(*args: Any, **more: Any) -> Any:
        """Reading takes a while, and clients go on."""
        place.sleep(0.05)
        return through(*args, **more)

    monkeypatch.setattr(evidence, "follow", follow)
    assert place.release(2, plan).outcome == "released"
    assert [line for line in place.said if "not counted" in line] == []
    assert 0 <= place.n_logged - place.n_counted <= 2 * place.rate


def test_a_canary_in_which_nobody_asked_promotes_nothing(tmp_path: Path) -> None:
    made = Staged(tmp_path, rate=0)
    made.release(1)
    done = made.release(2, strategy({"canary": "20% for 1m"}, "promote"))
    assert (done.outcome, done.why) == (
        "held",
        "canary: 20% for 1m: over, and no answer of the new version was counted",
    )
    assert made.champion == 1


def test_what_goes_on_is_told_now_and_then_and_the_same_words_seldom(place: Staged) -> None:
    place.release(2, strategy({"canary": "20% for 100000 requests within 5m"}, "promote"))
    told = [line for line in place.said if "of 100,000 requests" in line]
    assert 8 <= len(told) <= 11
    assert len(set(told)) == len(told)


def test_requests_that_never_cease_do_not_keep_a_driver_from_deciding(
    place: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(place.home) / "endpoints" / ENDPOINT / "predictions" / "predictions-t2.jsonl"
    arrived: list[Line] = []

    def follow(folder: str, cursor: Cursor, *, since: float = 0.0) -> Followed:
        # While what was read is counted, somebody asks again.
        line = Line(
            request_id=f"t{len(arrived)}", at=place.clock, ms=5.0, model="m", version=1, rows=[], predictions=[1]
        )
        if len(arrived) < 2000:
            arrived.append(line)
            with path.open("ab") as file:
                file.write(msgspec.json.encode(line) + b"\n")
        return prediction_log.follow(folder, cursor, since=since)

    monkeypatch.setattr(evidence, "follow", follow)
    place.like[2] = Behaviour(fails=0.5)
    with pytest.raises(ReleaseTrouble, match="rolled back: errors"):
        place.release(2, CANARY)
    assert len(arrived) < 200
    place.assert_alone(1)
