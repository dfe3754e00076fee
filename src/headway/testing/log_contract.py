"""What every log must do: subclass `LogContract` in a test file, and say how your log is made. Needs pytest.

`stateful` adds a machine that compares a log with a plain list over many random steps.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import pytest

from headway.codec import wire
from headway.core import facts as f
from headway.core.ids import Artifact, Digest, RunId
from headway.errors import AppendConflict
from headway.ports import Log

_DIGEST = Digest("a" * 64)


def started(step: str = "train") -> f.StepStarted:
    """A small fact."""
    return f.StepStarted(step=step)


def finished(key: str | None, *, outcome: f.Outcome = "passed") -> f.StepFinished:
    """A fact that is found by its key, if it has one and passed."""
    return f.StepFinished(step="train", outcome=outcome, cache_key=key)


def one_of_each() -> list[f.Fact]:
    """Facts with every type of field in them, texts beyond ASCII among them."""
    artifact = Artifact(path="models/modèle.pkl", digest=_DIGEST, size_bytes=2**40, executable=True)
    return [
        f.RunStarted(
            run=RunId(1),
            name="churn",
            file="pipeline.yaml",
            pipeline=_DIGEST,
            options=f.RunOptions(jobs=2, overrides={"lr": "0.1"}),
            params={"lr": 0.1, "on": True, "n": 3, "name": "ab\0c\n", "none": None},
        ),
        f.StepFinished(
            step="train",
            outcome="passed",
            exit_code=0,
            seconds=1.5,
            cache_key="k",
            parts=(f.KeyPart(kind="in", name="data.csv", value=_DIGEST),),
            outputs={"model": artifact},
            metrics=(f.Metric(name="auc", value=1e-300, at_step=7),),
            tests=(f.TestResult(name="test_é", outcome="failed", message="\U0001f4a5"),),
        ),
        f.ModelRegistered(model="churn", version=1, artifact=artifact, key="m", data=(artifact, artifact)),
        f.RunFinished(outcome="passed", exit_code=0),
    ]


class LogContract(ABC):
    """What holds for every log. Override `make`."""

    @abstractmethod
    def make(self, root: str) -> Log:
        """A log; those made with the same `root` are the same log, met by another process as it were."""

    @pytest.fixture
    def root(self, tmp_path: "os.PathLike[str]") -> str:
        """The place of one test's log."""
        return os.path.join(os.path.realpath(tmp_path), "log")

    @pytest.fixture
    def log(self, root: str) -> Iterator[Log]:
        """An empty log, closed after the test."""
        made = self.make(root)
        yield made
        made.close()

    @pytest.fixture
    def other(self, root: str, log: Log) -> Iterator[Log]:
        """The same log once more."""
        made = self.make(root)
        yield made
        made.close()

    def test_a_new_log_is_empty(self, log: Log) -> None:
        assert log.read("run/1") == []
        assert list(log.scan()) == []
        assert list(log.raw()) == []
        assert log.find("StepFinished", ["k"]) == {}

    def test_facts_come_back_as_they_were_in_order(self, log: Log) -> None:
        facts = one_of_each()
        assert log.append("run/1", facts, expect=0, at=12.5) == len(facts)
        entries = log.read("run/1")
        assert [e.fact for e in entries] == facts
        assert [e.n for e in entries] == [e.seq for e in entries] == [1, 2, 3, 4]
        assert {(e.stream, e.at) for e in entries} == {("run/1", 12.5)}

    @pytest.mark.parametrize("at", [0, 1, -0.0, 1700000000, 1700000000.1234567, 1e-9], ids=repr)
    def test_a_time_comes_back_as_it_was_and_so_does_its_hash(self, log: Log, at: float) -> None:
        log.append("run/1", [started()], expect=0, at=at)
        assert [e.at for e in log.read("run/1")] == [at]
        assert wire.verify(log.raw())[0] == 1

    def test_streams_are_numbered_apart_and_the_log_as_a_whole(self, log: Log) -> None:
        assert log.append("run/1", [started("a")], expect=0, at=1.0) == 1
        assert log.append("run/2", [started("b"), started("c")], expect=0, at=2.0) == 2
        assert log.append("run/1", [started("d")], expect=1, at=3.0) == 2
        assert [(e.seq, e.n) for e in log.read("run/1")] == [(1, 1), (4, 2)]
        assert [(e.seq, e.n) for e in log.read("run/2")] == [(2, 1), (3, 2)]

    def test_a_stream_is_read_on_from_where_one_was(self, log: Log) -> None:
        log.append("run/1", [started("a"), started("b"), started("c")], expect=0, at=1.0)
        assert [e.n for e in log.read("run/1", after=1)] == [2, 3]
        assert log.read("run/1", after=3) == []
        assert log.read("run/1", after=9) == []

    def test_appending_nothing_does_nothing(self, log: Log) -> None:
        assert log.append("run/1", [], expect=0, at=1.0) == 0
        assert list(log.raw()) == []

    @pytest.mark.parametrize("expect", [0, 1, 3])
    def test_a_stream_of_another_length_takes_nothing(self, log: Log, expect: int) -> None:
        log.append("run/1", [started(), started()], expect=0, at=1.0)
        before = list(log.raw())
        with pytest.raises(AppendConflict, match="run/1 has 2 facts"):
            log.append("run/1", [started(), started()], expect=expect, at=2.0)
        assert list(log.raw()) == before

    def test_one_goes_on_after_a_conflict(self, log: Log) -> None:
        with pytest.raises(AppendConflict):
            log.append("run/1", [started()], expect=7, at=1.0)
        assert log.append("run/1", [started()], expect=0, at=1.0) == 1

    def test_a_fact_that_cannot_be_written_leaves_none_of_its_batch(self, log: Log) -> None:
        bad = f.StepFinished(step="s", outcome="passed", metrics=(f.Metric(name="loss", value=float("nan")),))
        with pytest.raises(Exception, match="not finite"):
            log.append("run/1", [started(), bad], expect=0, at=1.0)
        assert list(log.raw()) == []
        assert log.append("run/1", [started()], expect=0, at=1.0) == 1

    def test_a_large_fact_and_a_large_batch_are_taken(self, log: Log) -> None:
        log.append("run/1", [f.RunResumed(by="x" * 2_000_000)], expect=0, at=1.0)
        log.append("run/1", [started(str(i)) for i in range(2000)], expect=1, at=1.0)
        assert len(log.read("run/1")) == 2001
        assert wire.verify(log.raw())[0] == 2001

    def test_the_chain_of_hashes_holds_over_all_streams(self, log: Log) -> None:
        for i, fact in enumerate(one_of_each()):
            log.append(f"run/{i % 2}", [fact], expect=i // 2, at=float(i))
        rows = list(log.raw())
        assert wire.verify(rows) == (len(rows), rows[-1].hash)
        after = wire.verify(log.raw(after_seq=2), after_seq=2, before=rows[1].hash)
        assert after == (len(rows), rows[-1].hash)

    def test_raw_rows_are_what_entries_are_decoded_from(self, log: Log) -> None:
        log.append("run/1", one_of_each(), expect=0, at=1.0)
        rows = list(log.raw())
        assert [wire.entry_of(row) for row in rows] == log.read("run/1")
        assert [row.kind for row in rows] == ["RunStarted", "StepFinished", "ModelRegistered", "RunFinished"]
        assert [row.key for row in rows] == [None, "k", "m", None]

    @pytest.mark.parametrize(
        ("kinds", "after_seq", "newest_first", "limit", "seqs"),
        [
            ((), 0, False, None, [1, 2, 3, 4, 5, 6]),
            ((), 4, False, None, [5, 6]),
            ((), 0, True, None, [6, 5, 4, 3, 2, 1]),
            ((), 2, True, 2, [6, 5]),
            ((), 0, False, 0, []),
            (("StepStarted",), 0, False, None, [1, 3, 6]),
            (("StepStarted",), 1, True, 1, [6]),
            (("StepStarted", "RunResumed"), 0, False, None, [1, 3, 4, 6]),
            (("RunResumed", "StepStarted"), 1, True, 2, [6, 4]),
            (("RunResumed", "RunResumed"), 0, False, None, [4]),
            (("RunFinished",), 0, False, None, []),
        ],
    )
    def test_a_scan_gives_what_was_asked_for(
        self, log: Log, kinds: Sequence[str], after_seq: int, newest_first: bool, limit: int | None, seqs: list[int]
    ) -> None:
        one, two, three = started(), finished("a"), f.RunResumed()
        log.append("run/1", [one, two], expect=0, at=1.0)
        log.append("run/2", [one, three], expect=0, at=1.0)
        log.append("run/1", [two, one], expect=2, at=1.0)
        found = log.scan(kinds, after_seq=after_seq, newest_first=newest_first, limit=limit)
        assert [e.seq for e in found] == seqs

    @pytest.mark.parametrize(
        ("kinds", "between", "newest_first", "limit", "seqs"),
        [
            ((), (0, 4), False, None, [1, 2, 3]),
            ((), (0, 4), True, 2, [3, 2]),
            ((), (2, 5), True, None, [4, 3]),
            ((), (0, 1), True, None, []),
            ((), (0, 0), False, None, []),
            ((), (0, 99), False, None, [1, 2, 3, 4, 5, 6]),
            ((), (5, 3), False, None, []),
            (("StepStarted", "RunResumed"), (0, 6), True, None, [4, 3, 1]),
            (("StepStarted",), (1, 6), False, None, [3]),
        ],
    )
    def test_a_scan_ends_before_what_was_asked_for(
        self,
        log: Log,
        kinds: Sequence[str],
        between: tuple[int, int],
        newest_first: bool,
        limit: int | None,
        seqs: list[int],
    ) -> None:
        after_seq, before_seq = between
        one, two, three = started(), finished("a"), f.RunResumed()
        log.append("run/1", [one, two], expect=0, at=1.0)
        log.append("run/2", [one, three], expect=0, at=1.0)
        log.append("run/1", [two, one], expect=2, at=1.0)
        found = log.scan(kinds, after_seq=after_seq, before_seq=before_seq, newest_first=newest_first, limit=limit)
        assert [e.seq for e in found] == seqs

    def test_a_long_scan_misses_nothing_in_either_direction(self, log: Log) -> None:
        facts: list[f.Fact] = [started(str(i)) if i % 3 else f.RunResumed() for i in range(1500)]
        log.append("run/1", facts, expect=0, at=1.0)
        every = list(range(1, 1501))
        assert [e.seq for e in log.scan()] == every
        assert [e.seq for e in log.scan(newest_first=True)] == every[::-1]
        assert [e.seq for e in log.scan(before_seq=1100, newest_first=True)] == every[1098::-1]
        assert [e.seq for e in log.scan(["StepStarted", "RunResumed"])] == every
        assert [e.seq for e in log.scan(["StepStarted", "RunResumed"], newest_first=True, limit=700)] == every[:799:-1]

    def test_one_may_append_while_a_scan_is_under_way(self, log: Log) -> None:
        log.append("run/1", [started(str(i)) for i in range(600)], expect=0, at=1.0)
        scan = log.scan()
        first = next(scan)
        log.append("run/2", [started()], expect=0, at=1.0)
        seqs = [first.seq, *(e.seq for e in scan)]
        assert seqs[:600] == list(range(1, 601))

    def test_the_newest_fact_of_a_key_is_found(self, log: Log) -> None:
        log.append("run/1", [finished("a"), finished("b"), finished(None)], expect=0, at=1.0)
        log.append("run/2", [finished("a"), finished("a", outcome="failed")], expect=0, at=2.0)
        found = log.find("StepFinished", ["a", "b", "c"])
        assert {key: e.seq for key, e in found.items()} == {"a": 4, "b": 2}
        assert log.find("ModelRegistered", ["a"]) == {}
        assert log.find("StepFinished", []) == {}

    def test_keys_of_any_characters_are_told_apart(self, log: Log) -> None:
        keys = ["a", "a\0", "a\0b", "\0", "'", '"', "\\", "ü\x92\U0001f680"]
        log.append("run/1", [finished(key) for key in keys], expect=0, at=1.0)
        assert {key: e.seq for key, e in log.find("StepFinished", keys).items()} == {
            key: seq for seq, key in enumerate(keys, 1)
        }
        assert set(log.find("StepFinished", ["a\0b"])) == {"a\0b"}

    def test_many_keys_are_found_at_once(self, log: Log) -> None:
        keys = [f"key-{i}" for i in range(3000)]
        log.append("run/1", [finished(key) for key in keys], expect=0, at=1.0)
        assert set(log.find("StepFinished", [*keys, "none"])) == set(keys)

    def test_another_process_sees_what_was_appended(self, log: Log, other: Log) -> None:
        log.append("run/1", [started("a")], expect=0, at=1.0)
        assert [e.fact for e in other.read("run/1")] == [started("a")]

    def test_two_processes_carry_on_each_others_chain(self, log: Log, other: Log) -> None:
        for i in range(6):
            (log, other)[i % 2].append("run/1", [started(str(i))], expect=i, at=float(i))
        assert wire.verify(log.raw()) == wire.verify(other.raw())
        assert [e.n for e in log.read("run/1")] == [1, 2, 3, 4, 5, 6]

    def test_of_two_who_expect_the_same_one_is_told(self, log: Log, other: Log) -> None:
        log.append("run/1", [started("mine")], expect=0, at=1.0)
        with pytest.raises(AppendConflict):
            other.append("run/1", [started("theirs")], expect=0, at=1.0)
        assert [e.fact for e in other.read("run/1")] == [started("mine")]

    def test_syncing_is_allowed_at_any_time(self, log: Log) -> None:
        log.sync()
        log.append("run/1", [started()], expect=0, at=1.0)
        log.sync()
        log.sync()
        assert len(log.read("run/1")) == 1

    def test_a_log_outlives_its_closing_and_is_closed_twice(self, log: Log, root: str) -> None:
        log.append("run/1", one_of_each(), expect=0, at=1.0)
        again = self.make(root)
        log.close()
        log.close()
        assert [e.fact for e in again.read("run/1")] == one_of_each()
        again.close()
