"""What counts as a passing verdict, who may do without, and what a started version's answers must be."""

from typing import Any

import msgspec
import pytest

from headway.core.facts import GoldenAnswered
from headway.core.gate_kept import KeptGate
from headway.core.golden import GoldenReply, GoldenRequest
from headway.core.ids import Artifact, Digest
from headway.core.signature import PROBABILITIES, Field, Signature
from headway.core.vetting import (
    answered_otherwise,
    bound_of,
    broken_promise,
    compared,
    doubt,
    late,
    may_override,
)
from headway.testing.bench import MemoryParts
from headway.testing.verdicts import kept_verdict

CONTENT, OTHER = Digest("c" * 64), Digest("d" * 64)
MODEL = Artifact(path="models/m.pkl", digest=CONTENT)


def kept(**given: Any) -> KeptGate:
    blobs = MemoryParts("").blobs
    return msgspec.json.decode(blobs.get(kept_verdict(blobs, MODEL, **given)), type=KeptGate)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (kept(), ""),
        (kept(accuracy=0.5, exit_code=3), "its gate said fail: 1 of 1 check failed"),
        (kept(accuracy=0.8, exit_code=6), "its gate said unsure: 1 of 1 check could not be told"),
        (kept(accuracy=0.8), "its gate said unsure and let it through: 1 of 1 check could not be told"),
        (kept(accuracy=float("nan"), exit_code=1), "its gate said error: 1 of 1 check could not be measured"),
        (None, "what was recorded as its verdict is no record of a gate"),
    ],
    ids=["pass", "fail", "unsure", "let through", "error", "no gate"],
)
def test_only_a_pass_is_a_passing_verdict(record: KeptGate | None, why: str) -> None:
    assert doubt(record, CONTENT).startswith(why)
    assert bool(doubt(record, CONTENT)) == bool(why)


def test_a_verdict_about_other_content_is_none() -> None:
    assert doubt(kept(), OTHER) == (
        f"its verdict is about other content, models/m.pkl ({'c' * 12}), and it holds {'d' * 12}"
    )


def test_a_verdict_that_names_nothing_it_judged_is_none() -> None:
    assert doubt(msgspec.structs.replace(kept(), challenger=None), CONTENT) == "its verdict does not say what it judged"


def test_a_verdict_on_answers_alone_names_no_content() -> None:
    record = kept()
    on_a_file = msgspec.structs.replace(record, step=msgspec.structs.replace(record.step, challenger=""))
    assert not doubt(on_a_file, OTHER)


def test_who_may_override_is_named_or_everybody() -> None:
    assert may_override("bob", None)
    assert may_override("alice", ("alice", "carol"))
    assert not may_override("bob", ("alice", "carol"))
    assert not may_override("bob", ())


LABELS = Signature(
    outputs=(Field(name="label", kind="INT64"), Field(name=PROBABILITIES, kind="FP64", width=2)), classes=(0, 1)
)


def promise(kind: Any) -> Signature:
    return Signature(outputs=(Field(name="label", kind=kind),))


@pytest.mark.parametrize(
    ("signature", "reply", "said"),
    [
        (LABELS, GoldenReply(predictions=[1], classes=[0, 1], probabilities=[[0.1, 0.9]]), ""),
        (LABELS, GoldenReply(predictions=[1]), "answered without the classes 0, 1, "),
        (
            LABELS,
            GoldenReply(predictions=[1], classes=[1, 0], probabilities=[[0.1, 0.9]]),
            "answered with the classes 1, 0, and not 0, 1, ",
        ),
        (
            LABELS,
            GoldenReply(predictions=[1], classes=[0, 1], probabilities=[[0.1]]),
            "answered without a probability for each of 2 classes",
        ),
        (promise("FP64"), GoldenReply(predictions=["x"]), "answered 'x', which is no FP64, "),
        (promise("FP32"), GoldenReply(predictions=[0.5, 1]), ""),
        (promise("INT64"), GoldenReply(predictions=[1.5]), "answered 1.5, which is no INT64, "),
        (promise("INT64"), GoldenReply(predictions=[1.0, None]), ""),
        (promise("BYTES"), GoldenReply(predictions=["a", 1]), "answered 1, which is no BYTES, "),
        (promise("BOOL"), GoldenReply(predictions=[True, 0]), ""),
        (promise("FP64"), GoldenReply(predictions=[[0.5, "x"]]), "answered [0.5, 'x'], which is no FP64, "),
        (Signature(), GoldenReply(predictions=["anything"]), ""),
    ],
)
def test_an_answer_is_what_the_registered_signature_promises(
    signature: Signature, reply: GoldenReply, said: str
) -> None:
    told = broken_promise(signature, reply)
    assert told.startswith(said)
    assert bool(told) == bool(said)


def test_a_requests_own_bound_goes_before_that_of_all() -> None:
    assert bound_of(GoldenRequest(inputs={}), 50.0) == 50.0
    assert bound_of(GoldenRequest(inputs={}, within_ms=5.0), 50.0) == 5.0
    assert bound_of(GoldenRequest(inputs={}), 0.0) == 0.0


@pytest.mark.parametrize(
    ("taken", "bound", "is_late"),
    [
        ([10.0, 500.0, 500.0, 10.0, 10.0], 50.0, False),
        ([10.0, 500.0, 500.0, 10.0, 500.0], 50.0, True),
        ([50.0], 50.0, False),
        ([1e6], 0.0, False),
    ],
)
def test_two_slow_moments_of_five_are_none_of_the_versions(taken: list[float], bound: float, *, is_late: bool) -> None:
    assert bool(late(taken, bound)) == is_late


def test_what_was_answered_otherwise_is_told_with_where_to_look() -> None:
    golden = GoldenAnswered(
        release=1, n_requests=0, n_compared=256, n_unlike=3, unlike=("row 4: a", "row 5: b"), compared_by="gate"
    )
    assert not golden.is_right
    problem, remedy = answered_otherwise(golden)
    assert problem == "3 of 256 rows are answered otherwise than at its gate: row 4: a; row 5: b …"
    assert "versions of libraries" in remedy


def test_what_was_compared_is_told() -> None:
    golden = GoldenAnswered(release=1, n_requests=0, n_compared=5, compared_by="register")
    assert compared(golden) == "5 rows answered as when it was registered"
    none = GoldenAnswered(release=1, n_requests=0, not_compared="no gate kept any")
    assert compared(none) == "its answers were not compared: no gate kept any"
    assert not compared(GoldenAnswered(release=1, n_requests=0))
