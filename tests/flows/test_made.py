"""Who made what: remembered while the log grows, it is what reading all of it says; and each fact is read once."""

import sys
from array import array
from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headway.backends import connect
from headway.backends.log_memory import MemoryLog
from headway.core import facts as f
from headway.core.ids import Artifact, Digest
from headway.core.made import Graph
from headway.flows import made
from headway.flows.made import STEPS, Made, Remembered, Scanned
from headway.ports import Log

# Also what is no digest as they are written: others might have been, in other versions.
CONTENT = [*(Digest(sign * 64) for sign in "abcd"), Digest("A" * 64), Digest("elsewhere \ud800"[:9])]

steps = st.builds(
    lambda read, made: f.StepFinished(
        step="s",
        outcome="passed",
        parts=tuple(f.KeyPart(kind="in", name="x", value=one) for one in read),
        outputs={str(i): Artifact(path="y", digest=one) for i, one in enumerate(made)},
    ),
    st.lists(st.sampled_from(CONTENT), max_size=3),
    st.lists(st.sampled_from(CONTENT), max_size=2),
)


def empty() -> Log:
    return connect("log", "memory:")  # type: ignore[return-value] # connect answers by name


@given(batches=st.lists(st.lists(steps, min_size=1, max_size=5), max_size=4), asked=st.sets(st.sampled_from(CONTENT)))
def test_what_is_remembered_is_what_the_whole_log_says(batches: list[list[f.Fact]], asked: set[Digest]) -> None:
    log, remembered, scanned = empty(), Remembered(), Scanned()
    for number, batch in enumerate(batches, 1):
        log.append(f"run/{number}", batch, expect=0, at=1.0)
        assert remembered.makers(log, CONTENT) == scanned.makers(log, CONTENT)
        assert remembered.made_of(log, asked) == scanned.made_of(log, asked)


def test_what_was_read_is_not_read_again() -> None:
    log, remembered = empty(), Remembered()
    done = f.StepFinished(step="s", outcome="passed", outputs={"o": Artifact(path="y", digest=CONTENT[0])})
    log.append("run/1", [done] * 3, expect=0, at=1.0)
    assert remembered.makers(log, CONTENT[:1])[CONTENT[0]].run == 1
    # A log that lost all that was read would still be known.
    assert remembered.made_of(empty(), CONTENT[:1]) == {CONTENT[0]}
    log.append("run/2", [done], expect=0, at=1.0)
    assert remembered.makers(log, CONTENT[:1])[CONTENT[0]].run == 1


def test_of_many_contents_each_is_found_again() -> None:
    log, remembered = empty(), Remembered()
    chain = [Digest(f"{n:064x}") for n in range(500)]
    done = [
        f.StepFinished(
            step="s",
            outcome="passed",
            parts=(f.KeyPart(kind="in", name="x", value=one),),
            outputs={"o": Artifact(path="y", digest=other)},
        )
        for one, other in pairwise(chain)
    ]
    log.append("run/1", done, expect=0, at=1.0)
    assert remembered.made_of(log, chain[:1]) == set(chain)
    assert remembered.made_of(log, chain[490:491]) == set(chain[490:])
    assert remembered.makers(log, chain) == Scanned().makers(log, chain)


# --- what is kept -----------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where it is kept, after every step."""
    monkeypatch.setattr(made, "STEPS", 1)
    return str(tmp_path / "cache" / "made")


class Counted(MemoryLog):
    """A log that counts what is read of it."""

    n_read = 0

    def scan(self, *args: Any, **kwargs: Any) -> Iterator[f.Entry]:
        for entry in super().scan(*args, **kwargs):
            self.n_read += 1
            yield entry


def done(read: str, *others: str) -> f.StepFinished:
    return f.StepFinished(
        step="s",
        outcome="passed",
        parts=(f.KeyPart(kind="in", name="x", value=read),),
        outputs={str(i): Artifact(path="y", digest=Digest(one)) for i, one in enumerate(others)},
    )


def log_of(*facts: f.Fact) -> Counted:
    log = Counted()
    log.append("run/1", facts, expect=0, at=1.0)
    return log


def told(log: Log, steps: Made) -> object:
    return steps.makers(log, CONTENT), [steps.made_of(log, {one}) for one in CONTENT]


@given(
    batches=st.lists(st.lists(steps, min_size=1, max_size=5), max_size=5),
    damage=st.lists(st.sampled_from(["none", "delete", "cut", "flip", "older", "other"]), min_size=5, max_size=5),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_new_process_says_the_same_whatever_became_of_what_was_kept(
    file: str, batches: list[list[f.Fact]], damage: list[str]
) -> None:
    log, before = empty(), b""
    path = Path(file)
    path.unlink(missing_ok=True)
    for number, (batch, harm) in enumerate(zip(batches, damage, strict=False), 1):
        log.append(f"run/{number}", batch, expect=0, at=1.0)
        assert told(log, Remembered(file, keeps=True)) == told(log, Scanned())
        lies = path.read_bytes() if path.exists() else b""
        if harm == "delete":
            path.unlink(missing_ok=True)
        elif harm == "other":
            other = empty()
            other.append("run/1", [done(CONTENT[1], CONTENT[0])] * number, expect=0, at=2.0)
            Remembered(file, keeps=True).made_of(other, CONTENT[:1])
        elif lies:
            changed = {"none": lies, "cut": lies[:-1], "flip": lies[:-1] + bytes([lies[-1] ^ 1]), "older": before}
            path.write_bytes(changed[harm])
        before = lies
        assert told(log, Remembered(file)) == told(log, Scanned())


def test_a_new_process_reads_what_came_after_what_was_kept(file: str) -> None:
    log = log_of(*[done(CONTENT[0], CONTENT[1])] * 50)
    Remembered(file, keeps=True).made_of(log, CONTENT[:1])
    log.append("run/2", [done(CONTENT[1], CONTENT[2])], expect=0, at=1.0)
    log.n_read = 0
    assert Remembered(file).made_of(log, CONTENT[:1]) == set(CONTENT[:3])
    # The last that was read, by which it is known again, and the new one.
    assert log.n_read == 2


def test_who_only_looks_writes_nothing_and_others_write_it_seldom(tmp_path: Path) -> None:
    log = log_of(*[done(CONTENT[0], CONTENT[1])] * (STEPS - 1))
    file = tmp_path / "cache" / "made"
    for keeps in (False, True):
        assert Remembered(str(file), keeps=keeps).made_of(log, CONTENT[:1]) == set(CONTENT[:2])
        assert not file.exists()
    log.append("run/2", [done(CONTENT[0], CONTENT[1])], expect=0, at=1.0)
    Remembered(str(file)).made_of(log, CONTENT[:1])
    assert list(tmp_path.iterdir()) == []
    Remembered(str(file), keeps=True).made_of(log, CONTENT[:1])
    assert [one.name for one in file.parent.iterdir()] == ["made"]


def test_where_it_cannot_be_written_it_is_remembered_all_the_same(tmp_path: Path, file: str) -> None:
    (tmp_path / "cache").write_text("no folder")
    log = log_of(done(CONTENT[0], CONTENT[1]))
    assert Remembered(file, keeps=True).made_of(log, CONTENT[:1]) == set(CONTENT[:2])


def test_a_hundred_thousand_steps_take_below_ten_megabytes() -> None:
    graph = Graph()
    for n in range(20_000):
        graph.add(n + 1, ["e" * 64], [f"{n:064x}"])
    packed = graph.pack()
    assert (packed.keys.nbytes + sum(one.nbytes for one in packed.numbers)) * 5 < 10_000_000


def test_what_is_kept_lies_there_as_it_is_specified(file: str) -> None:
    log = log_of(done(CONTENT[0], CONTENT[1], "odd"), done(CONTENT[1], CONTENT[2]), done(CONTENT[0], CONTENT[2]))
    Remembered(file, keeps=True).made_of(log, CONTENT[:1])
    data = Path(file).read_bytes()
    assert (data[:15], data[15:47]) == (b"headway-made 1\n", blake3(data[47:]).digest())
    seq, hash_, order, (keys, numbers, odd) = msgspec.msgpack.decode(data[47:])
    assert (seq, hash_, order) == (3, list(log.raw())[-1].hash, sys.byteorder)
    # As they were met: what the first step made, then what it read.
    blake = blake2b(b"odd", digest_size=32).hexdigest()
    assert [keys[i : i + 32].hex() for i in range(0, len(keys), 32)] == [CONTENT[1], blake, CONTENT[0], CONTENT[2]]
    assert odd == {1: "odd"}
    slots, *told = (array("Q" if i == 3 else "I", one).tolist() for i, one in enumerate(numbers))
    first, newest, facts, ends, made_, readers, before = told
    assert sorted(one for one in slots if one) == [1, 2, 3, 4]
    assert (first, newest) == ([1, 1, 0, 2], [2, 0, 3, 0])
    assert (facts, ends, made_) == ([1, 2, 3], [2, 3, 4], [0, 1, 3, 3])
    assert (readers, before) == ([1, 2, 3], [0, 0, 1])
