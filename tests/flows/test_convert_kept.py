"""A conversion is a part of its version: shown, compared, verified, kept by gc, handed on under the signature."""

from pathlib import Path

import msgspec
import pytest

from headway.backends import connect
from headway.core.card import markdown
from headway.core.facts import Conversion, Latency, ModelConverted
from headway.core.ids import Artifact, Digest
from headway.core.registry import Registration
from headway.core.signature import Field, Signature, outputs_of
from headway.core.signing import Trust
from headway.flows import lineage, models_compare, models_export, models_trust, registry
from headway.flows.needed import needed
from headway.ports import Blobs, Log
from headway.terminal import models as lines

RULE = b"def predict(rows):\n    return [1 for _ in rows]\n"
GRAPH = b"a graph, which nobody reads here"
MACHINE = "x86_64, Linux, 2 cores"


class Side:
    """One project: its log, its store and whom it trusts."""

    def __init__(self, folder: Path, *, has_key: bool = True, keys: tuple[str, ...] = ()) -> None:
        self.log: Log = connect("log", "memory:")  # type: ignore[assignment] # connect answers by name
        self.blobs: Blobs = connect("blobs", "memory:")  # type: ignore[assignment] # as above
        self.trust = Trust(folder=str(folder), keys=keys)
        if has_key:
            models_trust.make(self.trust)

    def register(self, content: bytes = RULE, *, kind: str = "FP64", ms: float = 20.0) -> None:
        graph = self.blobs.put(GRAPH)
        asked = Registration(
            model="churn",
            artifact=Artifact(path="model.py", digest=self.blobs.put(content), size_bytes=len(content)),
            key=content.hex(),
            format="function",
            signature=Signature(
                inputs=(Field(name="age", kind=kind), Field(name="town", kind="BYTES")),  # type: ignore[arg-type] # a kind
                outputs=outputs_of(label="INT64", n_classes=2),
                classes=(0, 1),
            ),
            onnx=Conversion(digest=graph, size_bytes=len(GRAPH), n_rows=300, n_edge_rows=900, max_difference=3e-8),
            latency=(
                Latency(format="sklearn", median_ms=ms, n_rows=180, machine=MACHINE),
                Latency(format="onnx", median_ms=0.04, n_rows=180, machine=MACHINE),
            ),
        )
        registry.register(self.log, asked, now=1.0, sign=models_trust.signer(self.trust, by="ann"))


@pytest.fixture
def side(tmp_path: Path) -> Side:
    side = Side(tmp_path / "ann")
    side.register()
    return side


def test_a_version_shows_what_it_takes_how_it_is_served_and_how_long_it_takes(side: Side) -> None:
    of = lineage.of_version(side.log, side.blobs, "churn@1")
    said = "\n".join(lines.version(of))
    assert "takes       age FP64\n            town BYTES" in said
    assert "gives       label INT64\n            probabilities FP64 x 2" in said
    assert "onnx        answers as ONNX: equal labels on 300 rows of the data and 900 made of them, numbers" in said
    assert "sklearn: 20 ms a row" in said
    card = markdown(of)
    assert "| town | BYTES [-1] |" in card
    assert "| ONNX | answers as ONNX" in card


def test_versions_are_compared_by_signature_size_and_latency(side: Side, tmp_path: Path) -> None:
    side.register(RULE + b"#", kind="INT64", ms=10.0)
    found = models_compare.compared(side.log, side.blobs, str(tmp_path), "churn@1", "churn@2")
    told = {(row.kind, row.name): (row.a, row.b) for row in found.differing}
    assert told["signature", "input age"] == ("FP64 [-1]", "INT64 [-1]")
    assert told["latency", f"row_ms sklearn (n=180, {MACHINE})"] == (20.0, 10.0)
    same = {(row.kind, row.name): row.a for row in found.rows if row.is_same}
    assert same["size", "bytes of ONNX"] == len(GRAPH)
    assert same["onnx", "max difference"] == 3e-8


def test_gc_keeps_it_also_when_it_was_made_later(side: Side, tmp_path: Path) -> None:
    later = side.blobs.put(b"a later one")
    fact = ModelConverted(model="churn", version=1, onnx=Conversion(digest=later))
    registry.converted(side.log, fact, now=2.0)
    kept = needed(side.log, str(tmp_path), keep_runs=20).digests
    assert {side.blobs.put(GRAPH), later} <= kept.keys()
    assert kept[later] == "churn@1 as ONNX"


def test_verify_reads_it(side: Side) -> None:
    made = registry.read(side.log, "churn").version(1)
    assert models_trust.verify(side.log, side.blobs, made, side.trust).is_right
    lost = ModelConverted(model="churn", version=1, onnx=Conversion(digest=Digest("0" * 64)))
    registry.converted(side.log, lost, now=2.0)
    found = models_trust.verify(side.log, side.blobs, made, side.trust)
    assert [(fault.path, fault.what) for fault in found.faults] == [("(onnx)", "missing")]


def test_the_signature_of_a_version_is_of_its_conversion_too(side: Side) -> None:
    made = registry.read(side.log, "churn").version(1)
    signed = registry.read(side.log, "churn").signatures_of(1)
    (right,) = models_trust.checked(made, signed, side.trust)
    assert made.onnx is not None
    other = msgspec.structs.replace(made, onnx=msgspec.structs.replace(made.onnx, digest=Digest("0" * 64)))
    (wrong,) = models_trust.checked(other, signed, side.trust)
    assert (right.is_right, wrong.is_right) == (True, False)


@pytest.mark.parametrize("is_known", [True, False], ids=["signed by a trusted key", "by a stranger"])
def test_another_project_takes_it_only_from_whom_it_trusts(side: Side, tmp_path: Path, is_known: bool) -> None:
    to = str(tmp_path / "out")
    models_export.export(side.log, side.blobs, "churn@1", to)
    assert (tmp_path / "out" / "converted.onnx").read_bytes() == GRAPH
    keys = (models_trust.keys(side.trust).own,) if is_known else ()
    there = Side(tmp_path / "bob", has_key=False, keys=keys)
    scratch = str(tmp_path / "scratch")
    made = models_export.bring(there.log, there.blobs, to, there.trust, now=2.0, scratch=scratch).version
    before = registry.read(side.log, "churn").version(1)
    assert made.signature == before.signature
    assert made.onnx == (before.onnx if is_known else None)
    if is_known:
        assert there.blobs.get(side.blobs.put(GRAPH)) == GRAPH
