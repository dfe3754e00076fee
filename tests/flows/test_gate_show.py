"""What a gate kept is found by its digest, with the ledger of its holdout; anything else is told to be none."""

import msgspec
import pytest

from gate_views import GOOD
from headway.backends import connect
from headway.core.facts import ModelRegistered, RunOptions, RunStarted, StepFinished
from headway.core.gate import conclude
from headway.core.gate_kept import GateView, KeptGate
from headway.core.holdout import Asking, Reuse
from headway.core.ids import Artifact, Digest, RunId
from headway.errors import BlobMissing, NameUnknown
from headway.flows import gate_show, holdouts
from headway.ports import Blobs, Log

HOLDOUT = Artifact(path="holdout.csv", digest=Digest("d" * 64))


class Store:
    """A log and a store in memory, with verdicts that a registered model names."""

    def __init__(self) -> None:
        self.log: Log = connect("log", "memory:")  # type: ignore[assignment] # connect answers by name
        self.blobs: Blobs = connect("blobs", "memory:")  # type: ignore[assignment] # as above

    def keep(self, record: bytes, version: int = 1) -> Digest:
        digest = self.blobs.put(record)
        fact = ModelRegistered(model="late", version=version, artifact=HOLDOUT, key=str(version), verdict=digest)
        self.log.append("model/late", [fact], expect=version - 1, at=1.0)
        return digest

    def found(self, text: str) -> GateView:
        return gate_show.of_digest(text, log=self.log, blobs=self.blobs)


RECORD = msgspec.json.encode(KeptGate(verdict=conclude([GOOD]), data=HOLDOUT))


def test_a_verdict_of_the_registry_is_found_by_its_first_digits() -> None:
    store = Store()
    digest = store.keep(RECORD)
    found = store.found(digest[:8])
    assert (found.digest, found.kept.verdict, found.run, found.asked) == (digest, conclude([GOOD]), None, "")


def test_what_a_later_headway_keeps_besides_is_passed_over() -> None:
    store = Store()
    later = {**msgspec.json.decode(RECORD), "later": [1], "step": {"challenger": "m.pkl", "moods": {}}}
    assert store.found(store.keep(msgspec.json.encode(later))).kept.step.challenger == "m.pkl"


def test_how_often_the_holdout_was_asked_since_is_told() -> None:
    store = Store()
    digest = store.keep(RECORD)
    for i in range(3):
        asking = Asking(
            holdout=HOLDOUT.digest, path="holdout.csv", question=Digest(str(i)), key="gate", confidence=0.95,
            reuse=Reuse(budget=5),
        )  # fmt: skip
        holdouts.ask(store.log, asking, now=1.0)
    assert store.found(digest).asked == "3 times, 2 of 5 left"


def test_what_is_no_verdict_of_a_gate_is_told() -> None:
    store = Store()
    digest = store.keep(b'{"outcome": "pass"}')
    for text in (digest[:10], digest):
        with pytest.raises(NameUnknown, match="is no verdict of a gate"):
            store.found(text)
    with pytest.raises(NameUnknown, match="is no verdict of a gate"):
        store.found("0123456789")
    with pytest.raises(BlobMissing):
        store.found("0" * 64)


def test_digits_that_name_several_are_too_few() -> None:
    store = Store()
    store.keep(RECORD)
    store.keep(RECORD + b" ", version=2)
    with pytest.raises(NameUnknown, match="2 verdicts begin with"):
        store.found("")


def test_what_another_step_calls_a_verdict_is_no_gate() -> None:
    store = Store()
    digests = {
        "script": store.blobs.put(b"all is well"),
        "gate": store.blobs.put(RECORD),
        "words": Digest("all is well"),
    }
    started = RunStarted(run=RunId(1), name="x", file="x.yaml", pipeline=Digest("0" * 64), options=RunOptions())
    ended = [StepFinished(step=step, outcome="passed", values={"verdict": one}) for step, one in digests.items()]
    store.log.append("run/1", [started, *ended], expect=0, at=1.0)
    found = gate_show.of_run(None, None, log=store.log, blobs=store.blobs)
    assert (found.run, found.step, found.digest) == (1, "gate", digests["gate"])


def test_a_gate_whose_record_is_gone_is_told_to_be_so() -> None:
    store = Store()
    started = RunStarted(run=RunId(1), name="x", file="x.yaml", pipeline=Digest("0" * 64), options=RunOptions())
    ended = StepFinished(step="gate", outcome="passed", values={"verdict": "1" * 64})
    store.log.append("run/1", [started, ended], expect=0, at=1.0)
    with pytest.raises(BlobMissing):
        gate_show.of_run(RunId(1), None, log=store.log, blobs=store.blobs)
