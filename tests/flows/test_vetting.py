"""Nothing untested ships: what is refused before anything starts, and what before any traffic moves."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headway.backends.target_memory import MemoryTarget
from headway.codec.model_export import FORM, Manifest, write_manifest
from headway.core import facts as f
from headway.core.facts import Conversion
from headway.core.ids import Artifact, Digest
from headway.core.kept_answers import KeptAnswers
from headway.core.limits import Limits
from headway.core.registry import Registration
from headway.core.rollout import Order, Released
from headway.core.signature import Field, Signature
from headway.core.signing import Trust
from headway.core.vetting import ASKS
from headway.errors import BlobDamaged, BlobMissing, GoldenRefused, VersionUnproven
from headway.flows import models_trust, registry, vetting
from headway.flows.release import release, rollback
from headway.flows.rollout import Delivery
from headway.ports import Answer, Serving
from headway.testing.bench import MemoryParts
from headway.testing.verdicts import kept_verdict

ROWS: list[dict[str, Any]] = [{"x": float(at)} for at in range(40)]
DOUBLED = KeptAnswers(rows=ROWS, predictions=[2 * row["x"] for row in ROWS])


class Place:
    """An endpoint `shop` of the model `m`, on memory, whose versions double `x` unless `odd` says otherwise."""

    def __init__(self, folder: Path) -> None:
        self.target = MemoryTarget(self.answer)
        self.parts = MemoryParts(str(folder), targets={"memory": self.target})
        self.folder = folder
        self.asked: list[list[dict[str, Any]]] = []
        self.odd: dict[float, Any] = {}
        self.ms: list[float] = []
        self.world = self.parts.delivery(by="ann")

    def answer(self, serving: Serving, body: bytes) -> Answer:
        rows = msgspec.json.decode(body)["inputs"]
        rows = rows if isinstance(rows, list) else [rows]
        self.asked.append(rows)
        if any(self.odd.get(row["x"]) == "refused" for row in rows):
            return Answer(status=400, body=b'{"error": "x: is no number"}', ms=1.0)
        told = {"predictions": [self.odd.get(row["x"], 2 * row["x"]) for row in rows], "model": "m"}
        return Answer(status=200, body=msgspec.json.encode(told), ms=self.ms.pop(0) if self.ms else 1.0)

    def content(self, version: int) -> Artifact:
        text = f"def predict(rows): return {version}".encode()
        return Artifact(path="models/model.py", digest=self.parts.blobs.put(text), size_bytes=len(text))

    def register(self, version: int, **fields: Any) -> f.ModelRegistered:
        asked = Registration(model="m", artifact=self.content(version), key=f"r/{version}", format="function")
        asked = msgspec.structs.replace(asked, **fields)
        return registry.register(self.parts.log, asked, now=0.0).version

    def passed(self, version: int, **given: Any) -> Digest:
        return kept_verdict(self.parts.blobs, self.content(version), **given)

    def keep(self, answers: KeptAnswers) -> Digest:
        return self.parts.blobs.put(msgspec.json.encode(answers))

    def release(self, version: int, world: Delivery | None = None, **fields: Any) -> Released:
        order = Order(endpoint="shop", model="m", version=version, key=f"run/{version}", target="memory")
        golden = fields.pop("golden_file", "")
        return release(world or self.world, msgspec.structs.replace(order, **fields), golden_file=golden)

    def golden(self, *requests: dict[str, Any]) -> str:
        path = self.folder / "golden.jsonl"
        path.write_bytes(b"\n".join(msgspec.json.encode(one) for one in requests))
        return str(path)

    def facts(self) -> list[f.Fact]:
        return [entry.fact for entry in self.parts.log.read("endpoint/shop")]

    def newest(self) -> f.GoldenAnswered:
        return [fact for fact in self.facts() if isinstance(fact, f.GoldenAnswered)][-1]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# --- verdicts ---------------------------------------------------------------------------------------------------


def refused(place: Place, version: int, why: str, **fields: Any) -> VersionUnproven:
    with pytest.raises(VersionUnproven, match=why) as caught:
        place.release(version, **fields)
    # Nothing began: no fact, no process.
    assert (place.facts(), place.target.live) == ([], {})
    return caught.value


def test_a_version_that_its_gate_let_pass_is_released(place: Place) -> None:
    place.register(1, verdict=place.passed(1))
    assert place.release(1).outcome == "released"


def test_a_version_that_no_gate_judged_is_refused_with_what_to_do(place: Place) -> None:
    place.register(1)
    error = refused(place, 1, "m@1 is not released: no gate judged it")
    assert (error.exit_code, error.at) == (3, "endpoint: shop")
    assert "`gate` step before the `register` step" in error.remedy
    assert "--override" in error.remedy


@pytest.mark.parametrize(
    ("accuracy", "exit_code", "why"),
    [(0.5, 3, "said fail"), (0.8, 6, "said unsure"), (0.8, 0, "said unsure and let it through")],
)
def test_what_is_no_pass_is_refused(place: Place, accuracy: float, exit_code: int, why: str) -> None:
    place.register(1, verdict=place.passed(1, accuracy=accuracy, exit_code=exit_code))
    refused(place, 1, why)


def test_a_verdict_about_another_model_is_none(place: Place) -> None:
    place.register(1, verdict=place.passed(2))
    refused(place, 1, "its verdict is about other content, models/model.py")


def test_a_verdict_that_cannot_be_read_is_none(place: Place) -> None:
    place.register(1, verdict=Digest("0" * 64))
    refused(place, 1, "its verdict cannot be read")


def test_what_is_no_record_of_a_gate_is_none(place: Place) -> None:
    place.register(1, verdict=place.parts.blobs.put(b'{"outcome": "pass"}'))
    refused(place, 1, "no record of a gate")


def test_the_newest_verdict_stands(place: Place) -> None:
    place.register(1)
    place.register(1, key="later", verdict=place.passed(1))
    assert place.release(1).outcome == "released"
    place.register(2, verdict=place.passed(2))
    place.register(2, key="later still", verdict=place.passed(2, accuracy=0.5))
    with pytest.raises(VersionUnproven, match="said fail"):
        place.release(2)


def test_where_signatures_are_asked_for_only_the_verdict_that_was_signed_counts(place: Place, tmp_path: Path) -> None:
    trust = Trust(is_required=True, folder=str(tmp_path / "keys"))
    models_trust.make(trust)
    place.register(1)
    assert models_trust.sign(place.parts.log, "m@1", trust, now=0.0, by="ann") is not None
    place.register(1, key="later", verdict=place.passed(1))
    refused(place, 1, "no gate judged it", world=msgspec.structs.replace(place.world, trust=trust))
    assert place.release(1).outcome == "released"


def test_a_verdict_of_another_project_counts_only_with_somebody_who_vouches(place: Place) -> None:
    there = f.ModelRegistered(model="m", version=8, artifact=place.content(1), key="r/8", verdict=place.passed(1))
    origin = place.parts.blobs.put(write_manifest(Manifest(form=FORM, version=there)))
    place.register(1, verdict=place.passed(1), origin=origin, format="onnx")
    refused(place, 1, "its verdict came with it from another project")
    registry.trust(place.parts.log, "m", 1, now=0.0, by="ann")
    assert place.release(1).outcome == "released"


# --- without a verdict ------------------------------------------------------------------------------------------


def test_an_override_is_recorded_with_who_and_why(place: Place) -> None:
    place.register(1)
    done = place.release(1, override="the holdout is a month old", by="ann")
    assert done.override == "the holdout is a month old"
    started = place.facts()[0]
    assert isinstance(started, f.ReleaseStarted)
    assert (started.override, started.by) == ("the holdout is a month old", "ann")


def test_only_those_who_are_named_may_override(place: Place) -> None:
    place.register(1)
    world = msgspec.structs.replace(place.world, may_override=("alice", "carol"))
    error = refused(place, 1, "and bob may not override that", world=world, override="I know better", by="bob")
    assert "(release.override): alice, carol" in error.remedy
    assert place.release(1, world, override="I answer for it", by="alice").outcome == "released"


def test_whoever_asks_is_asked_for_where_an_order_names_nobody(place: Place) -> None:
    place.register(1)
    nobody = msgspec.structs.replace(place.world, may_override=())
    refused(place, 1, "and ann may not override that", world=nobody, override="x")


def test_what_serves_there_and_what_is_gone_back_to_needs_no_verdict_again(place: Place) -> None:
    place.register(1)
    place.register(2, verdict=place.passed(2))
    place.release(1, override="the first one")
    # After a restart of the machine.
    place.target.stop("shop", None)
    assert place.release(1, key="by hand").release == 2
    place.release(2)
    assert rollback(place.world, "shop").version == 1
    claims = [fact for fact in place.facts() if isinstance(fact, f.ReleaseStarted)]
    assert claims[-1].override == ""
    with pytest.raises(VersionUnproven):
        place.release(1, key="elsewhere", endpoint="other")


# --- files ------------------------------------------------------------------------------------------------------


class Broken:
    """The store, in which some blobs have become what `what` says."""

    def __init__(self, blobs: Any, digest: Digest, what: str) -> None:
        self._blobs, self._digest, self._what = blobs, digest, what

    def check(self, digests: Sequence[Digest]) -> list[tuple[Digest, str]]:
        return [(digest, self._what) for digest in digests if digest == self._digest]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)


@pytest.mark.parametrize(
    ("what", "error", "said"),
    [("missing", BlobMissing, "is not there"), ("damaged", BlobDamaged, "does not hold what was registered")],
)
def test_a_version_whose_content_is_not_what_was_registered_is_refused(
    place: Place, what: str, error: type[Exception], said: str
) -> None:
    made = place.register(1, verdict=place.passed(1))
    blobs: Any = Broken(place.parts.blobs, made.artifact.digest, what)
    with pytest.raises(error, match=f"m@1 is not released: model.py in the store {said}"):
        place.release(1, msgspec.structs.replace(place.world, blobs=blobs), override="whatever")
    assert place.facts() == []


def test_a_copy_that_would_be_served_is_looked_at_too(place: Place) -> None:
    made = place.register(1, verdict=place.passed(1))
    place.release(1)
    copy = Path(place.target.live["shop"][1].path)
    assert made.artifact.digest[:32] in str(copy)
    os.chmod(copy, 0o644)
    copy.write_text("def predict(rows): return 666")
    with pytest.raises(BlobDamaged, match="does not hold what was registered") as caught:
        place.release(1, key="again", limits=Limits(max_waiting=5))
    assert caught.value.remedy.startswith("delete that copy")
    assert str(copy) in caught.value.problem


# --- rows that it answered before -------------------------------------------------------------------------------


def test_a_served_model_is_held_to_its_answers_at_the_gate_row_by_row(place: Place) -> None:
    place.register(1, verdict=place.passed(1), answers=place.keep(DOUBLED))
    done = place.release(1)
    assert str(done).endswith("(no golden requests, 40 rows answered as at its gate)")
    # Twice one row, to see how long it takes.
    asked = [row for rows in place.asked[2:] for row in rows]
    assert (place.asked[:2], asked) == ([ROWS[:1], ROWS[:1]], ROWS)
    assert max(map(len, place.asked)) == vetting.AT_ONCE
    assert (place.newest().n_compared, place.newest().n_unlike, place.newest().compared_by) == (40, 0, "gate")


def test_one_row_that_is_answered_otherwise_stops_the_release_and_is_told(place: Place) -> None:
    place.register(1, verdict=place.passed(1), answers=place.keep(DOUBLED))
    place.odd = {17.0: 34.5}
    with pytest.raises(GoldenRefused) as caught:
        place.release(1)
    assert "1 of 40 rows are answered otherwise than at its gate" in caught.value.problem
    assert "row 17 {'x': 17.0}: answered 34.5, and 34.0 at its gate" in caught.value.problem
    assert "versions of libraries" in caught.value.remedy
    assert (place.target.live, place.target.serving) == ({}, {})
    assert (place.newest().n_unlike, place.newest().unlike) == (
        1,
        ("row 17 {'x': 17.0}: answered 34.5, and 34.0 at its gate",),
    )
    assert isinstance(place.facts()[-1], f.ReleaseFinished)


def test_numbers_may_differ_by_what_the_conversion_may(place: Place) -> None:
    onnx = Conversion(digest=place.parts.blobs.put(b"graph"), n_rows=40, tolerance=0.01)
    place.odd = {17.0: 34.005}
    place.register(1, verdict=place.passed(1), answers=place.keep(DOUBLED))
    with pytest.raises(GoldenRefused):
        place.release(1)
    place.register(2, verdict=place.passed(2), answers=place.keep(DOUBLED), onnx=onnx)
    assert place.release(2).n_compared == 40
    assert place.newest().max_difference == pytest.approx(0.005 / 34)


def test_of_a_slow_model_fewer_rows_are_asked_and_fewer_at_once(place: Place) -> None:
    place.register(1, verdict=place.passed(1), answers=place.keep(DOUBLED))
    place.ms = [9000.0, 3000.0]
    done = place.release(1)
    assert done.n_compared == 20
    assert [row["x"] for rows in place.asked[2:] for row in rows] == [float(at) for at in range(0, 40, 2)]
    assert max(map(len, place.asked)) == 1


def test_of_a_model_that_is_slower_still_one_row_is_asked(place: Place) -> None:
    place.register(1, verdict=place.passed(1), answers=place.keep(DOUBLED))
    place.ms = [90_000.0, 70_000.0]
    assert place.release(1).n_compared == 1


def test_rows_that_are_refused_are_found_one_by_one(place: Place) -> None:
    place.register(1, verdict=place.passed(1), answers=place.keep(DOUBLED))
    place.odd = {3.0: "refused"}
    with pytest.raises(GoldenRefused, match="row 3: was refused with status 400") as caught:
        place.release(1)
    assert "1 of 40 rows" in caught.value.problem


def test_rows_are_asked_with_the_columns_of_the_registered_signature(place: Place) -> None:
    wide = msgspec.structs.replace(DOUBLED, rows=[{**row, "id": 7} for row in ROWS], by="file")
    takes_x = Signature(inputs=(Field(name="x", kind="FP64"),))
    place.register(1, verdict=place.passed(1), answers=place.keep(wide), signature=takes_x)
    assert place.release(1).compared == "40 rows answered as in the file its gate read"
    assert place.asked[0][0] == {"x": 0.0}


@pytest.mark.parametrize(
    ("answers", "columns", "why"),
    [
        (None, (), "no gate and no rows at its registration kept any"),
        (DOUBLED, ("x", "y"), "the rows that were kept lack y, which it takes"),
        (msgspec.structs.replace(DOUBLED, by="file"), (), "which columns it takes is not known"),
        (
            KeptAnswers(why="the column at is of type Date, which a request cannot carry"),
            (),
            "the column at is of type",
        ),
    ],
    ids=["none", "lacking", "file", "why"],
)
def test_why_nothing_was_compared_is_recorded_and_told(
    place: Place, answers: KeptAnswers | None, columns: tuple[str, ...], why: str
) -> None:
    place.register(
        1,
        verdict=place.passed(1),
        answers=None if answers is None else place.keep(answers),
        signature=Signature(inputs=tuple(Field(name=name) for name in columns)),
    )
    done = place.release(1)
    assert place.newest().not_compared.startswith(why)
    assert done.compared.startswith(f"its answers were not compared: {why}")


def test_answers_that_are_gone_stop_nothing_and_are_told(place: Place) -> None:
    place.register(1, verdict=place.passed(1), answers=Digest("0" * 64))
    assert "cannot be read" in place.release(1).compared


def test_an_override_does_without_a_verdict_and_not_without_the_same_answers(place: Place) -> None:
    place.register(1, answers=place.keep(DOUBLED))
    place.odd = {17.0: 34.5}
    with pytest.raises(GoldenRefused):
        place.release(1, override="it is urgent")


# --- golden requests: what they promise, how long they take -----------------------------------------------------


def test_a_golden_answer_must_be_what_the_registered_signature_promises(place: Place) -> None:
    gives_texts = Signature(outputs=(Field(name="label", kind="BYTES"),))
    place.register(1, verdict=place.passed(1), signature=gives_texts)
    with pytest.raises(GoldenRefused, match=r"answered 2, which is no BYTES, as the registered signature promises"):
        place.release(1, golden_file=place.golden({"inputs": {"x": 1}}))


def test_a_request_that_is_too_slow_most_times_is_wrong(place: Place) -> None:
    place.register(1, verdict=place.passed(1))
    golden = place.golden({"inputs": {"x": 1}, "within_ms": 50}, {"inputs": {"x": 2}})
    place.ms = [200.0, 900.0, 60.0, 70.0, 80.0, 1.0]
    with pytest.raises(GoldenRefused, match=r"request 1: took 70 ms \(the median of 5\), and may take 50"):
        place.release(1, golden_file=golden)
    assert len(place.asked) == 2 + ASKS - 1


def test_one_slow_moment_is_none_of_the_versions(place: Place) -> None:
    place.register(1, verdict=place.passed(1))
    golden = place.golden({"inputs": {"x": 1}}, {"inputs": {"x": 2}, "within_ms": 500})
    place.ms = [400.0, 400.0, 5.0, 400.0, 5.0, 5.0, 5.0, 400.0]
    assert place.release(1, golden_file=golden, within_ms=50.0).n_golden == 2
    started = place.facts()[0]
    assert isinstance(started, f.ReleaseStarted)
    assert started.within_ms == 50.0
