"""A version that is a folder, or whose format says of the file whether it runs code: handed over, verified, loaded."""

from pathlib import Path
from typing import Any

import pytest

from headway import formats
from headway.backends import connect
from headway.core.ids import Artifact
from headway.core.registry import Registration
from headway.core.signing import Trust
from headway.core.tree import TreeFile, encode_tree, tree_of
from headway.errors import ModelUntrusted
from headway.flows import models_export, models_trust, registry
from headway.flows.models_export import Imported
from headway.flows.rollout import laid_out
from headway.ports import Blobs, Log

RULE = b"def predict(rows):\n    return [1 for _ in rows]\n"


class Side:
    """One project: its log and its store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log: Log = connect("log", "memory:")  # type: ignore[assignment] # connect answers by name
        self.blobs: Blobs = connect("blobs", "memory:")  # type: ignore[assignment] # as above
        self.trust = Trust()

    def export(self, name: str) -> str:
        to = str(self.folder / name)
        models_export.export(self.log, self.blobs, "churn@1", to)
        return to

    def bring(self, path: str, **words: Any) -> Imported:
        scratch = str(self.folder / "scratch")
        return models_export.bring(self.log, self.blobs, path, self.trust, now=2.0, scratch=scratch, **words)


def keep(side: Side, files: dict[str, bytes], path: str = "models/rule", kind: str = "function") -> Artifact:
    """A folder, registered."""
    tree = tree_of([TreeFile(name, side.blobs.put(data), len(data)) for name, data in files.items()])
    artifact = Artifact(path=path, digest=side.blobs.put(encode_tree(tree)), kind="tree", n_files=len(files))
    registry.register(side.log, Registration(model="churn", artifact=artifact, key="k", format=kind), now=1.0)
    return artifact


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_model_that_is_a_folder_arrives_whole_and_is_loaded_once_somebody_vouched_for_it(
    tmp_path: Path, name: str
) -> None:
    here, there = Side(tmp_path), Side(tmp_path)
    artifact = keep(here, {"model.py": RULE, "data/table.csv": b"a,b"})
    found = there.bring(here.export(name))
    assert (found.version.format, found.version.artifact.digest) == ("function", artifact.digest)
    assert (found.is_trusted, found.runs_code) == (False, True)
    with pytest.raises(ModelUntrusted):
        models_trust.see(there.log, there.blobs, found.version, there.trust)
    found = there.bring(str(tmp_path / name), vouched=artifact.digest[:12])
    models_trust.see(there.log, there.blobs, found.version, there.trust)
    models = str(tmp_path / "models")
    laid = laid_out(there.blobs, models, found.version)
    loaded = formats.load(laid, format="function", digest=artifact.digest, trusted={artifact.digest})
    assert loaded.predict([{"a": 1}]).labels.tolist() == [1]
    verified = models_trust.verify(there.log, there.blobs, found.version, there.trust, copies=models)
    assert verified.is_right
    Path(laid, "data", "table.csv").chmod(0o644)
    Path(laid, "data", "table.csv").write_bytes(b"a,c")
    verified = models_trust.verify(there.log, there.blobs, found.version, there.trust, copies=models)
    assert [(fault.path, fault.what) for fault in verified.faults] == [("rule/data/table.csv", "damaged")]
    with pytest.raises(ModelUntrusted, match="content is another"):
        formats.load(laid, format="function", digest=artifact.digest, trusted={artifact.digest})


@pytest.mark.parametrize("is_harmless", [True, False])
def test_a_file_is_looked_into_before_an_imported_version_is_loaded(tmp_path: Path, is_harmless: bool) -> None:
    here, there = Side(tmp_path), Side(tmp_path)
    harmless = b"flavors: {lightgbm: {data: m.lgb}}\n"
    odd = b"flavors: {python_function: {loader_module: os}}\n"
    booster = b"tree\nversion=v4\nend of trees\n"
    keep(here, {"MLmodel": harmless if is_harmless else odd, "m.lgb": booster}, kind="mlflow")
    found = there.bring(here.export("out"))
    assert (found.version.format, found.runs_code, found.is_trusted) == ("mlflow", not is_harmless, False)
    if is_harmless:
        models_trust.see(there.log, there.blobs, found.version, there.trust)
        return
    with pytest.raises(ModelUntrusted):
        models_trust.see(there.log, there.blobs, found.version, there.trust)
