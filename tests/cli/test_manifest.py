"""`headway manifest`: what a cluster would be given, without one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PIPELINE = """steps:
  - name: Make
    run: cp model.py made.py
    in: model.py
    out: {model: made.py}
  - name: Register
    uses: register
    with: {model: "${{ steps.make.out.model }}", name: far}
"""
OWN = """# Ours.
apiVersion: apps/v1
kind: Deployment
metadata: {name: model, labels: {app: ml-model}}
spec:
  selector: {matchLabels: {app: ml-model}}
  template:
    metadata: {labels: {app: ml-model}}
    spec:
      containers:
        - {name: server, image: "web:1"}   # set by CI
"""


def headway(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "headway", *words]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "model.py").write_text("def predict(rows): return [1] * len(rows)\n")
    (folder / "pipeline.yaml").write_text(PIPELINE)
    (folder / "headway.toml").write_text('[kubernetes]\nimage = "web:2"\nstore-url = "s3://team/far"\n')
    (folder / "deployment.yaml").write_text(OWN)
    (folder / "latin.yaml").write_bytes(OWN.replace("Ours", "Gr\u00fc\u00dfe").encode("latin-1"))
    done = headway(folder, "run")
    assert done.returncode == 0, done.stderr
    return folder


def test_manifests_are_printed_without_a_cluster_and_the_same_each_time(project: Path) -> None:
    words = ("manifest", "far@1", "--endpoint", "far")
    done = headway(project, *words)
    assert done.returncode == 0, done.stderr
    # Nothing untested ships: whoever applies it themselves is told.
    assert done.stderr == "note: far@1 would not be released by headway: no gate judged it\n"
    made = list(yaml.safe_load_all(done.stdout))
    assert [one["kind"] for one in made] == ["ConfigMap", "Deployment", "Service", "PodDisruptionBudget"]
    import kubernetes_validate  # takes seconds, and each worker collects this file

    for one in made:
        kubernetes_validate.validate(one, "1.33", strict=True)
        assert "namespace" not in one["metadata"]
    assert json.loads(made[0]["data"]["version.json"])["path"] == "/models/made.py"
    assert headway(project, *words).stdout == done.stdout


def test_a_folder_of_them_is_a_base_of_kustomize(project: Path) -> None:
    done = headway(project, "manifest", "far@1", "--endpoint", "far", "--to", "deploy")
    assert (done.returncode, done.stdout) == (0, "wrote 5 files to deploy\n")
    base = yaml.safe_load((project / "deploy" / "kustomization.yaml").read_text())
    assert sorted(base["resources"]) == sorted(p.name for p in (project / "deploy").glob("far-*"))
    assert "far-v1-deployment.yaml" in base["resources"]


def test_a_users_own_file_is_changed_where_it_must_be(project: Path) -> None:
    done = headway(project, "manifest", "far@1", "--endpoint", "far", "--own", "deployment.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# Ours.\n")
    assert '{name: server, image: "web:2"}   # set by CI\n' in done.stdout
    labels = yaml.safe_load(done.stdout)["spec"]["template"]["metadata"]["labels"]
    assert labels["app"] == "ml-model"
    assert labels["headway.dev/version"] == "1"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("far@1", "--endpoint", "far", "--target", "local"), "versions at local are no manifests"),
        (("far@1", "--endpoint", "far", "--own", "none.yaml"), "none.yaml cannot be read"),
        (("far@1", "--endpoint", "far", "--own", "latin.yaml"), "latin.yaml: it is not UTF-8"),
        (("far@1", "--endpoint", "far", "--diff", "--to", "deploy"), "not allowed with argument --diff"),
        (("far@9", "--endpoint", "far"), "far@9"),
        (("far@1", "--endpoint", "f/r"), "cannot be an endpoint's name"),
    ],
)
def test_what_cannot_be_meant_is_named(project: Path, words: tuple[str, ...], said: str) -> None:
    done = headway(project, "manifest", *words)
    assert done.returncode == 2
    assert said in done.stderr
