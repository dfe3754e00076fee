"""From a version back to its data, run and verdict; from data on to versions and endpoints, also through other runs."""

import subprocess
from pathlib import Path

import msgspec
import pytest

from gate_views import GOOD
from headway.backends import connect
from headway.core import facts as f
from headway.core.card import markdown
from headway.core.gate import conclude
from headway.core.gate_kept import KeptGate
from headway.core.ids import Artifact, Digest, RunId
from headway.core.registry import Registration
from headway.core.tree import TreeFile, encode_tree, tree_of
from headway.errors import NameUnknown
from headway.flows import lineage, models_compare, registry
from headway.ports import Blobs, Log
from headway.terminal import models


def digest(sign: str) -> Digest:
    return Digest(sign * 64)


def part(path: str, sign: str) -> f.KeyPart:
    return f.KeyPart(kind="in", name=path, value=digest(sign))


class World:
    """Run 1 makes features of training@1; run 2 trains on them, is judged, registers churn@1; it serves on `shop`."""

    def __init__(self) -> None:
        self.log: Log = connect("log", "memory:")  # type: ignore[assignment] # connect answers by name
        self.blobs: Blobs = connect("blobs", "memory:")  # type: ignore[assignment] # as above
        for version, sign in ((1, "a"), (2, "b")):
            data = Artifact(path="data/training.csv", digest=digest(sign))
            fact = f.DatasetVersioned(dataset="training", version=version, artifact=data)
            self.log.append("dataset/training", [fact], expect=version - 1, at=1.0)
        self.packages = self.blobs.put(b"numpy==2.1.0\nscikit-learn==1.7.2")
        self.verdict = self.blobs.put(msgspec.json.encode(KeptGate(verdict=conclude([GOOD]))))
        self.run(1, "features", (part("data/training.csv", "a"),), Artifact(path="f.parquet", digest=digest("c")))
        self.run(2, "train", (part("f.parquet", "c"),), Artifact(path="m.pkl", digest=digest("d"), size_bytes=7))
        self.register(2, "d", (Artifact(path="f.parquet", digest=digest("c")),), auc=0.7)

    def run(self, number: int, step: str, parts: tuple[f.KeyPart, ...], made: Artifact) -> None:
        place = f.Place(python="3.11.7 /bin/python", platform="Linux", packages=self.packages)
        started = f.RunStarted(
            run=RunId(number), name="churn", file="p.yaml", pipeline=digest("0"), options=f.RunOptions(), place=place
        )
        command = f.KeyPart(kind="command", name="", value="python train.py\n")
        done = f.StepFinished(step=step, outcome="passed", parts=(command, *parts), outputs={"out": made})
        end = f.RunFinished(outcome="passed", exit_code=0)
        self.log.append(f"run/{number}", [started, done, end], expect=0, at=float(number))

    def register(self, run: int, sign: str, data: tuple[Artifact, ...], *, auc: float) -> None:
        asked = Registration(
            model="churn",
            artifact=Artifact(path="m.pkl", digest=digest(sign), size_bytes=7),
            key=f"run/{run}/register",
            format="sklearn",
            run=RunId(run),
            step="register",
            source=f.Source(commit="0123456789abcdef"),
            data=data,
            metrics=(f.Metric(name="auc", value=auc),),
            verdict=self.verdict,
        )
        registry.register(self.log, asked, now=float(run))

    def release(self, version: int, *, slowest_ms: float = 12.5) -> None:
        stream = self.log.read("endpoint/shop")
        number = sum(isinstance(entry.fact, f.ReleaseStarted) for entry in stream) + 1
        facts: list[f.Fact] = [
            f.ReleaseStarted(endpoint="shop", release=number, model="churn", version=version, key=str(number)),
            f.VersionStarted(release=number),
            f.GoldenAnswered(release=number, n_requests=3, slowest_ms=slowest_ms),
            f.EndpointSwitched(release=number, url="u"),
            f.ReleaseFinished(release=number, outcome="released"),
        ]
        self.log.append("endpoint/shop", facts, expect=len(stream), at=9.0)


def test_a_release_tells_who_answers_for_it_and_what_was_compared() -> None:
    world = World()
    facts: list[f.Fact] = [
        f.ReleaseStarted(
            endpoint="shop", release=1, model="churn", version=1, key="k", override="it is urgent", by="ann"
        ),
        f.GoldenAnswered(release=1, n_requests=0, n_compared=256, n_unlike=3),
    ]
    world.log.append("endpoint/shop", facts, expect=0, at=9.0)
    found = lineage.of_version(world.log, world.blobs, "churn@1")
    (one,) = found.releases
    assert (one.override, one.by, one.n_compared, one.n_unlike, one.slowest_ms) == ("it is urgent", "ann", 256, 3, None)
    told = "no gate let it pass, ann answers for it: it is urgent"
    assert told in "\n".join(models.lineage(found))
    assert told in "\n".join(models.version(found))


def test_a_later_verdict_of_a_gate_is_the_versions() -> None:
    world = World()
    other = world.blobs.put(b"{}")
    n_facts = len(world.log.read("model/churn"))
    world.log.append("model/churn", [f.ModelJudged(model="churn", version=1, verdict=other)], expect=n_facts, at=9.0)
    found = lineage.of_version(world.log, world.blobs, "churn@1").verdict
    assert found is not None
    assert found.digest == other


def test_a_version_is_followed_back_to_run_verdict_packages_and_data() -> None:
    world = World()
    found = lineage.of_version(world.log, world.blobs, "churn@1")
    assert found.run is not None
    assert (found.run.run, found.run.outcome, found.run.name) == (2, "passed", "churn")
    assert found.run.made_by is not None
    assert (found.run.made_by.run, found.run.made_by.step) == (2, "train")
    assert found.verdict is not None
    assert (found.verdict.digest, found.verdict.outcome) == (world.verdict, "pass")
    assert found.packages == ("numpy==2.1.0", "scikit-learn==1.7.2")
    (use,) = found.data
    assert use.made_by is not None
    assert (use.versions, use.made_by.run, use.made_by.step) == ((), 1, "features")


def test_data_that_is_a_version_of_a_dataset_is_named_by_it() -> None:
    world = World()
    world.register(3, "e", (Artifact(path="data/training.csv", digest=digest("b")),), auc=0.8)
    (use,) = lineage.of_version(world.log, world.blobs, "churn@2").data
    assert use.versions == ("training@2",)


@pytest.mark.parametrize("text", ["training@1", "aaaaaaaa", "data/training.csv", "f.parquet"])
def test_data_is_followed_through_what_steps_of_other_runs_made_of_it(text: str) -> None:
    world = World()
    assert [one.version for one in lineage.of_data(world.log, world.blobs, text).touched] == ["churn@1"]


def test_a_version_of_the_data_that_nothing_was_made_of_reaches_nothing() -> None:
    world = World()
    for text in ("training@2", "training"):
        assert lineage.of_data(world.log, world.blobs, text).touched == ()


def test_the_endpoints_that_data_reached_are_told_and_which_serve_now() -> None:
    world = World()
    world.release(1)
    assert lineage.of_data(world.log, world.blobs, "training@1").endpoints == ("shop",)
    world.register(3, "e", (Artifact(path="data/training.csv", digest=digest("b")),), auc=0.8)
    world.release(2)
    before = lineage.of_data(world.log, world.blobs, "training@1")
    assert before.endpoints == ()
    (touched,) = before.touched
    assert [(one.endpoint, one.outcome, one.is_serving) for one in touched.releases] == [("shop", "released", False)]
    assert lineage.of_data(world.log, world.blobs, "training@2").endpoints == ("shop",)


def test_a_file_of_a_folder_that_is_a_dataset_counts_but_not_an_empty_one() -> None:
    world = World()
    tree = tree_of([TreeFile("x.csv", digest("e"), 5), TreeFile("__init__.py", digest("f"), 0)])
    folder = Artifact(path="images", digest=world.blobs.put(encode_tree(tree)), kind="tree")
    fact = f.DatasetVersioned(dataset="images", version=1, artifact=folder)
    world.log.append("dataset/images", [fact], expect=0, at=1.0)
    world.register(3, "7", (Artifact(path="images/x.csv", digest=digest("e")),), auc=0.8)
    world.register(4, "8", (Artifact(path="images/__init__.py", digest=digest("f")),), auc=0.8)
    touched = lineage.of_data(world.log, world.blobs, "images@1").touched
    assert [one.version for one in touched] == ["churn@2"]


def test_names_that_nobody_knows_are_told() -> None:
    world = World()
    with pytest.raises(NameUnknown):
        lineage.of_data(world.log, world.blobs, "training@9")
    with pytest.raises(NameUnknown):
        lineage.of_data(world.log, world.blobs, "no/such.csv")
    with pytest.raises(NameUnknown):
        lineage.of_version(world.log, world.blobs, "churn@9")


def test_what_the_store_lost_leaves_the_rest_to_be_told() -> None:
    world = World()
    empty: Blobs = connect("blobs", "memory:")  # type: ignore[assignment] # as above
    found = lineage.of_version(world.log, empty, "churn@1")
    assert found.packages == ()
    assert found.verdict is not None
    assert found.verdict.outcome == ""
    assert "its record is not in the store" in markdown(found)


def test_a_card_tells_gate_data_run_and_environment() -> None:
    world = World()
    world.release(1)
    card = markdown(lineage.of_version(world.log, world.blobs, "churn@1"))
    for line in (
        "| run | 2 of churn, written by step `train` of run 2 |",
        "| serves | shop |",
        "| `f.parquet` | run 1, step features | `cccccccccccc` |",
        "| scikit-learn | 1.7.2 |",
        "| Python | 3.11.7 |",
    ):
        assert line in card.splitlines()
    assert "/bin/python" not in card
    assert "## Gate\n\npass" in card


def test_versions_are_compared_in_metrics_latency_and_data() -> None:
    world = World()
    world.release(1, slowest_ms=10.0)
    world.register(3, "e", (Artifact(path="data/training.csv", digest=digest("b")),), auc=0.8)
    world.release(2, slowest_ms=12.0)
    found = models_compare.compared(world.log, world.blobs, "/", "churn@1", "churn@2")
    rows = {(row.kind, row.name): row for row in found.rows}
    assert rows["metric", "auc"].change == pytest.approx(0.1)
    assert (rows["latency", "slowest_golden_ms"].a, rows["latency", "slowest_golden_ms"].change) == (10.0, 2.0)
    assert (rows["data", "f.parquet"].a, rows["data", "f.parquet"].b) == ("cccccccccccc", None)
    assert rows["data", "data/training.csv"].b == "training@2 bbbbbbbbbbbb"
    # Run 3 told nothing of where it ran.
    assert (rows["package", "numpy"].a, rows["package", "numpy"].b) == ("2.1.0", None)
    assert rows["size", "bytes"].is_same
    assert found.code == ""


def git(folder: Path, *words: str) -> str:
    author = ("-c", "user.name=ann", "-c", "user.email=ann@example.com")
    done = subprocess.run(["git", "-C", str(folder), *author, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_what_the_code_differs_in_is_asked_of_git(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    commits = []
    for rate in ("0.1", "0.2"):
        (tmp_path / "train.py").write_text(f"rate = {rate}\n")
        (tmp_path / "headway.lock").write_text(rate)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", rate)
        commits.append(git(tmp_path, "rev-parse", "HEAD"))
    world = World()
    for run, commit in zip((3, 4, 5), (*commits, "--output=x"), strict=True):
        artifact = Artifact(path="m.pkl", digest=digest(str(run)))
        source = f.Source(commit=commit)
        registry.register(
            world.log, Registration(model="rated", artifact=artifact, key=str(run), source=source), now=1.0
        )
    told = models_compare.compared(world.log, world.blobs, str(tmp_path), "rated@1", "rated@2").code
    assert told is not None
    assert "train.py" in told
    assert "headway.lock" not in told
    full = models_compare.compared(world.log, world.blobs, str(tmp_path), "rated@1", "rated@2", full=True).code
    assert full is not None
    assert "+rate = 0.2" in full
    none = models_compare.compared(world.log, world.blobs, str(tmp_path), "rated@1", "rated@3")
    assert (none.code, none.why_no_code) == (None, "Git does not have both commits here: git fetch")
