"""The reference of a version: rows of any source, asked of it past its traffic, counted as its live ones will be."""

import math
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from headway.backends.target_memory import MemoryTarget
from headway.core import facts as f
from headway.core.dataset import Snapshot
from headway.core.gate_kept import Asked, KeptGate
from headway.core.ids import Artifact
from headway.core.recording import Recording
from headway.core.reference import MISSING, PREDICTION, Reference
from headway.core.registry import Registration
from headway.core.rollout_order import Order
from headway.core.signature import Field, Signature
from headway.core.sketch import merge
from headway.errors import ColumnMissing, DataUnreadable, FileMissing, NameUnknown
from headway.flows import dataset, reference_data, registry
from headway.flows.delivery import stream
from headway.flows.reference import ALL_MS, LEAST_ROWS, made
from headway.flows.release import release
from headway.ports import Answer, Serving
from headway.stats.interval import wilson
from headway.stats.sketch import numbers
from headway.tables.sketches.counter import Counter
from headway.testing.bench import MemoryParts
from headway.testing.verdicts import kept_verdict

SIGNATURE = Signature(inputs=(Field(name="age", kind="FP64"), Field(name="plan", kind="BYTES")), classes=(0, 1))
ALL = Recording()


class Place:
    """An endpoint `shop`, whose version 1 says yes where `age` is above 50, as surely as it is far from that."""

    def __init__(self, folder: Path) -> None:
        self.target = MemoryTarget(self.answer)
        self.parts = MemoryParts(str(folder), targets={"memory": self.target})
        self.folder = folder
        self.asked: list[int] = []
        self.statuses: list[int] = []
        self.ms = 1.0
        self.slept = 0.0
        self.kind = "classes"
        self.takes: tuple[str, ...] = ()
        self.world = msgspec.structs.replace(self.parts.delivery(by="ann"), sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def answer(self, serving: Serving, body: bytes) -> Answer:
        rows = msgspec.json.decode(body)["inputs"]
        rows = rows if isinstance(rows, list) else [rows]
        self.asked.append(len(rows))
        if self.statuses:
            status = self.statuses.pop(0)
            if status != 200:
                return Answer(status=status, body=b'{"error": "no"}', ms=self.ms)
        unknown = sorted({name for row in rows for name in row} - set(self.takes or rows[0]))
        if unknown:
            faults = [{"row": 0, "field": name, "problem": "unknown"} for name in unknown[:2]]
            return Answer(status=400, body=msgspec.json.encode({"error": "faults", "fields": faults}), ms=self.ms)
        if any(row["plan"] == "refused" for row in rows):
            return Answer(status=400, body=b'{"error": "plan: is refused"}', ms=self.ms)
        chances = [1 / (1 + math.exp((50 - (row["age"] or 50.0)) / 5)) for row in rows]
        told: dict[str, Any] = {"predictions": [int(p > 0.5) for p in chances], "model": "m"}
        if self.kind == "classes":
            told |= {"classes": [0, 1], "probabilities": [[1 - p, p] for p in chances]}
        elif self.kind == "numbers":
            told["predictions"] = [100 * p for p in chances]
        elif self.kind == "chances":
            told["predictions"] = chances
        return Answer(status=200, body=msgspec.json.encode(told), ms=self.ms)

    def keep(self, path: str, frame: pl.DataFrame) -> Artifact:
        held = BytesIO()
        if path.endswith(".csv"):
            frame.write_csv(held)
        else:
            frame.write_parquet(held)
        data = held.getvalue()
        return Artifact(path=path, digest=self.parts.blobs.put(data), size_bytes=len(data))

    def serve(
        self, data: tuple[Artifact, ...] = (), signature: Signature = SIGNATURE, recording: Recording = ALL
    ) -> None:
        """Register and release version 1."""
        content = Artifact(path="m.py", digest=self.parts.blobs.put(b"def predict(rows): return 1"), size_bytes=27)
        asked = Registration(model="m", artifact=content, key="r/1", format="function", data=data, signature=signature)
        verdict = kept_verdict(self.parts.blobs, content)
        registry.register(self.parts.log, msgspec.structs.replace(asked, verdict=verdict), now=0.0)
        order = Order(endpoint="shop", model="m", version=1, key="run/1", target="memory", recording=recording)
        release(self.world, order)
        self.asked.clear()

    def made(self, source: str = "training", target: str = "") -> Reference:
        return made(self.world, "shop", 1, source, target)

    def rows(self, reference: Reference) -> pl.DataFrame:
        return pl.read_parquet(BytesIO(self.parts.blobs.get(reference.rows)))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "project" / ".headway").mkdir(parents=True)
    return Place(tmp_path / "project" / ".headway")


def data(n: int, seed: int = 1) -> pl.DataFrame:
    """Customers; the older ones churn more, as often as the version says."""
    rng = np.random.default_rng(seed)
    age = rng.normal(50, 10, n)
    churned = rng.random(n) < 1 / (1 + np.exp((50 - age) / 5))
    return pl.DataFrame({"age": age, "plan": rng.choice(["a", "b"], n), "churned": churned.astype(int)})


def test_rows_of_training_are_asked_and_counted_as_live_ones_are(place: Place) -> None:
    frame = data(3_000)
    place.serve((place.keep("train.py", data(2)), place.keep("data/training.csv", frame)))
    found = place.made()
    assert (found.model, found.version, found.data, found.n_rows) == ("m", 1, "data/training.csv", 3_000)
    assert (found.label, found.is_in_sample) == ("churned", True)
    layout = found.layout
    assert [axis.name for axis in layout.axes] == ["age", "plan", "prediction", "probability.1"]
    assert [axis.kind for axis in layout.axes] == ["number", "category", "category", "number"]
    assert layout.axes[2].values == (0, 1)
    assert (layout.yes, layout.score) == (1, "probability.1")
    rows = place.rows(found)
    assert rows["feature.age"].to_list() == pytest.approx(frame["age"].to_list())
    assert rows["label"].to_list() == frame["churned"].to_list()
    assert rows["at"].is_sorted()
    assert (rows[PREDICTION] == (rows["feature.age"] > 50)).all()
    # As a window of the same rows would count them.
    counter = Counter(layout)
    counter.add_frame(rows.with_columns(request_id=pl.lit("r"), row=pl.lit(0), ms=pl.lit(1.0)))
    assert merge(counter.cells()).counts == found.counts
    table = numbers(found.counts).reshape(4, 64)
    assert table.sum(axis=1).tolist() == [3_000] * 4
    assert table[:, MISSING].tolist() == [0] * 4
    blocks = msgspec.msgpack.decode(place.parts.blobs.get(found.blocks), type=list[bytes])
    assert len(blocks) == found.n_blocks == 64
    assert sum(numbers(one) for one in blocks).tolist() == numbers(found.counts).tolist()  # type: ignore[union-attr] # there are some


def test_what_labels_say_is_measured_and_the_scores_are_calibrated(place: Place) -> None:
    frame = data(4_000)
    place.serve((place.keep("data/training.csv", frame),))
    found = place.made()
    right = ((frame["age"] > 50) == (frame["churned"] == 1)).mean()
    accuracy = found.realised["accuracy"]
    assert accuracy.value == pytest.approx(right)
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert accuracy.low < accuracy.value < accuracy.high
    assert accuracy.low == pytest.approx(wilson(round(4_000 * accuracy.value), 4_000).low, abs=0.003)
    assert {"precision", "recall", "f1", "auc"} <= found.realised.keys()
    assert found.layout.calibration is not None
    fit = found.layout.calibration.isotonic
    assert len(fit.variances) <= 62
    scores = np.array([0.2, 0.5, 0.8])
    assert fit(scores) == pytest.approx(scores, abs=0.1)
    assert (np.diff(fit.chances) >= 0).all()


def test_a_sketch_covers_what_windows_are_made_of(place: Place) -> None:
    place.serve((place.keep("data/training.csv", data(100)),))
    told = [
        made(place.world, "shop", 1, "training", "", window_rows).layout.cell_rows
        for window_rows in (None, 0, 70, 5000)
    ]
    assert told == [1_000, 2**31, 70, 1_000]


def test_design_effects_tell_clustered_columns_from_independent_ones(place: Place) -> None:
    rng = np.random.default_rng(4)
    ages = np.repeat(rng.normal(50, 10, 100), 60)
    frame = pl.DataFrame({"age": ages, "plan": rng.choice(["a", "b"], 6_000), "churned": rng.integers(0, 2, 6_000)})
    place.serve((place.keep("data/training.parquet", frame),))
    found = place.made()
    age, plan, *_ = found.inflation
    assert age > 10
    assert 1 <= plan < 3


def test_without_labels_nothing_is_realised_nor_calibrated(place: Place) -> None:
    frame = data(200)
    place.serve((place.keep("data/training.csv", frame.drop("churned")),))
    found = place.made()
    assert (found.label, found.realised, found.layout.calibration) == ("", {}, None)
    # One of two columns that are no inputs is the truth, but which?
    more = frame.rename({"churned": "left"}).with_columns(id=pl.int_range(200))
    (place.folder.parent / "more.csv").write_text(more.write_csv())
    assert place.made("more.csv").label == ""
    assert place.made("more.csv", "left").label == "left"


def test_the_column_that_the_gate_named_is_the_truth(place: Place) -> None:
    frame = data(300).with_columns(id=pl.int_range(300))
    place.serve((place.keep("data/training.csv", frame),))
    assert place.made().label == "churned"


def test_rows_of_the_gates_holdout_are_none_that_were_learned_from(place: Place) -> None:
    holdout = place.keep("data/holdout.csv", data(500, seed=9))
    kept = msgspec.json.decode(place.parts.blobs.get(kept_verdict(place.parts.blobs, holdout)), type=KeptGate)
    kept = msgspec.structs.replace(kept, data=holdout, step=Asked(data=holdout.path, target="churned"))
    place.serve((place.keep("data/training.csv", data(900)),))
    with pytest.raises(DataUnreadable, match="kept what it measured on"):
        place.made("holdout")
    judged = f.ModelJudged(model="m", version=1, verdict=place.parts.blobs.put(msgspec.json.encode(kept)))
    log = place.parts.log
    log.append("model/m", [judged], expect=len(log.read("model/m")), at=1.0)
    found = place.made("holdout")
    assert (found.n_rows, found.is_in_sample, found.data) == (500, False, "data/holdout.csv (the gate's)")


def test_a_dataset_a_path_and_what_a_run_read_are_named_as_everywhere(place: Place) -> None:
    old, new = place.keep("data/live.csv", data(100)), place.keep("data/live.csv", data(120))
    place.serve((place.keep("data/other.csv", data(130)),))
    for artifact in (old, new):
        dataset.record(place.parts.log, Snapshot(dataset="live", artifact=artifact), None, now=1.0)
    (place.folder.parent / "mine.csv").write_text(data(140).write_csv())
    assert [place.made(source).n_rows for source in ("live", "live@1", "mine.csv", "data/other.csv")] == [
        120, 100, 140, 130,
    ]  # fmt: skip
    assert place.made("live@1").data == "live@1"
    with pytest.raises(FileMissing, match="no nowhere"):
        place.made("nowhere")


def test_of_several_tables_the_one_called_after_training_is_it(place: Place) -> None:
    place.serve(
        (
            place.keep("big.csv", data(400)),
            place.keep("train.csv", data(200)),
            place.keep("x.csv", data(300).drop("age")),
        )
    )
    assert place.made().data == "train.csv"


def test_of_a_large_table_blocks_of_neighbours_are_asked(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_data, "MOST_ROWS", 2_000)
    frame = data(10_000).with_columns(age=pl.int_range(10_000) / 200)
    for name in ("data/training.csv", "data/training.parquet"):
        other = Place(place.folder)
        other.serve((other.keep(name, frame),))
        found = other.made()
        assert 1_900 <= found.n_rows <= 2_000
        ages = other.rows(found)["feature.age"].to_numpy() * 200
        steps = np.diff(ages)
        assert (steps > 0).all()
        assert np.isclose(steps, 1).sum() == found.n_rows - 64
        assert ages[-1] > 9_800


def test_of_a_slow_version_fewer_rows_of_every_block_are_asked(place: Place) -> None:
    place.serve((place.keep("data/training.csv", data(4_000)),))
    place.ms = 16 * ALL_MS / 2_000
    found = place.made()
    assert 900 <= found.n_rows <= 1_000
    assert found.n_blocks == 64
    assert place.rows(found)["at"].max() == found.n_rows - 1
    place.ms = 1e6
    assert 0.8 * LEAST_ROWS <= place.made().n_rows <= LEAST_ROWS


def test_live_traffic_has_half_of_the_version(place: Place) -> None:
    place.serve((place.keep("data/training.csv", data(1_600)),))
    place.ms = 20.0
    place.made()
    assert place.slept == pytest.approx(len(place.asked) * 0.02)


def test_a_full_version_is_asked_again_and_refused_rows_are_left_out(place: Place) -> None:
    frame = data(160).with_columns(
        plan=pl.when(pl.int_range(160) % 40 == 5).then(pl.lit("refused")).otherwise(pl.col("plan"))
    )
    place.serve((place.keep("data/training.csv", frame),))
    place.statuses = [200, 200, 503, 503]
    found = place.made()
    assert found.n_rows == 156
    assert place.rows(found)["feature.age"].to_list() == pytest.approx(
        frame.filter(pl.col("plan") != "refused")["age"].to_list()
    )


def test_when_most_rows_are_refused_they_are_not_what_it_is_asked_about(place: Place) -> None:
    frame = data(300).with_columns(plan=pl.lit("refused"))
    place.serve((place.keep("data/training.csv", frame),))
    with pytest.raises(DataUnreadable, match="plan: is refused"):
        place.made()


def test_of_a_version_without_a_signature_it_is_asked_which_columns_it_takes(place: Place) -> None:
    frame = data(300).with_columns(id=pl.int_range(300), day=pl.lit("monday"), note=pl.lit("x"))
    place.serve((place.keep("data/training.csv", frame),), signature=Signature())
    place.takes = ("age", "plan")
    found = place.made(target="churned")
    assert [axis.name for axis in found.layout.inputs] == ["age", "plan"]
    assert (found.n_rows, found.label) == (300, "churned")


def test_a_classifier_without_probabilities_has_classes_and_no_calibration(place: Place) -> None:
    place.kind = "labels"
    place.serve((place.keep("data/training.csv", data(400)),))
    found = place.made()
    assert [axis.name for axis in found.layout.outputs] == [PREDICTION]
    assert (found.layout.yes, found.layout.score, found.layout.calibration) == (1, "", None)
    assert {"accuracy", "precision", "recall"} <= found.realised.keys()
    assert "auc" not in found.realised


def test_numbers_are_binned_and_measured_as_numbers(place: Place) -> None:
    place.kind = "numbers"
    frame = data(500).with_columns(churned=pl.col("age") * 1.0)
    signature = Signature(inputs=SIGNATURE.inputs)
    place.serve((place.keep("data/training.csv", frame),), signature)
    found = place.made()
    assert (found.layout.yes, found.layout.calibration, found.layout.score) == (None, None, "")
    assert found.layout.outputs[0].kind == "number"
    assert {"mae", "rmse"} <= found.realised.keys()
    assert found.realised["mae"].value == pytest.approx(
        np.abs(place.rows(found)[PREDICTION].to_numpy() - frame["age"].to_numpy()).mean()
    )


def test_a_version_that_answers_with_the_chance_itself_is_calibrated_by_it(place: Place) -> None:
    place.kind = "chances"
    place.serve((place.keep("data/training.csv", data(500)),), Signature(inputs=SIGNATURE.inputs))
    found = place.made()
    assert (found.layout.yes, found.layout.score, found.layout.threshold) == (1, PREDICTION, 0.5)
    assert found.layout.calibration is not None
    assert "accuracy" in found.realised


def test_what_the_log_must_not_hold_is_asked_with_and_neither_counted_nor_kept(place: Place) -> None:
    place.serve(
        (place.keep("data/training.csv", data(100)),), recording=Recording(leave_out=("age",), hashed=("plan",))
    )
    found = place.made()
    assert found.layout.inputs == ()
    assert place.rows(found).columns == ["prediction", "probability.0", "probability.1", "label", "at"]
    assert place.rows(found)[PREDICTION].n_unique() == 2


def test_values_that_json_cannot_tell_are_missing(place: Place) -> None:
    frame = data(100).with_columns(age=pl.when(pl.int_range(100) < 3).then(float("inf")).otherwise(pl.col("age")))
    place.serve((place.keep("data/training.parquet", frame),))
    found = place.made()
    assert numbers(found.counts).reshape(-1, 64)[0, MISSING] == 3


def test_what_is_missing_is_told_with_what_to_do(place: Place) -> None:
    place.serve((place.keep("train.py", data(2).drop("age")),))
    with pytest.raises(DataUnreadable, match="no table with the columns"):
        place.made()
    (place.folder.parent / "a.csv").write_text(data(20).drop("age").write_csv())
    with pytest.raises(ColumnMissing, match="lacks age"):
        place.made("a.csv")
    (place.folder.parent / "b.csv").write_text(data(20).write_csv())
    with pytest.raises(ColumnMissing, match="lacks late"):
        place.made("b.csv", "late")
    (place.folder.parent / "c.csv").write_text("age,plan,churned\n")
    with pytest.raises(DataUnreadable, match="no row"):
        place.made("c.csv")
    with pytest.raises(NameUnknown, match="never released"):
        made(place.world, "shop", 7, "training", "")
    assert place.parts.log.read(stream("shop"))
