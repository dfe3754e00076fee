"""An image that is really built, started as a cluster would start it, and asked.

Packages come from a folder of wheels, as where builds have no network; pip's settings are a secret of the build. This
takes minutes, so that CI does not install what it needs: apt-get install podman buildah runc slirp4netns.
"""

import hashlib
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from containers import BASE, Containers, containers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

TRAIN = """import pickle
from sklearn.linear_model import LogisticRegression
rows = [[float(i % 7), float(i % 3)] for i in range(50)]
with open("model.pkl", "wb") as f:
    pickle.dump(LogisticRegression().fit(rows, [i % 2 for i in range(50)]), f)
"""
PIPELINE = """steps:
  - name: Train
    run: python train.py
    in: train.py
    out: {model: model.pkl}
  - name: Register
    uses: register
    with: {model: "${{ steps.train.out.model }}", name: churn}
"""
ROWS = [[0.0, 1.0], [3.0, 2.0], [6.0, 0.0], [1.5, -1.0]]
TAG = "localhost/churn:1"


class Project(NamedTuple):
    """A project with a version, a podman, and what a build is told beside."""

    folder: Path
    containers: Containers
    options: tuple[str, ...]

    def headway(self, *words: str) -> "subprocess.CompletedProcess[str]":
        path = f"{os.path.dirname(sys.executable)}:{self.containers.environ['PATH']}"
        return subprocess.run(
            [sys.executable, "-m", "headway", *words],
            cwd=self.folder,
            env={**self.containers.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    def image(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return self.headway("image", "churn@1", "--base", BASE, "--json", *self.options, *words)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with containers(tmp_path_factory.mktemp("containers")) as ours:
        folder = tmp_path_factory.mktemp("project")
        (folder / "train.py").write_text(TRAIN)
        (folder / "pipeline.yaml").write_text(PIPELINE)
        (folder / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        wheels = folder / "wheels"
        options = ("--pip-conf", "pip.conf", f"--build-option=--volume={wheels}:/wheels:ro")
        made = Project(folder, ours, options)
        done = made.headway("run")
        assert done.returncode == 0, done.stderr
        done = made.image("--dry-run")
        assert done.returncode == 0, done.stderr
        packages = json.loads(done.stdout)["packages"]
        fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels), *packages]
        subprocess.run(fetch, check=True, timeout=900)
        # All but one are held to the hashes of a lock file, so that there is a list of each kind.
        (folder / "requirements.txt").write_text("".join(_locked(sorted(wheels.iterdir())[1:])))
        yield made


def _locked(wheels: list[Path]) -> Iterator[str]:
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        yield f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


@pytest.fixture(scope="module")
def built(project: Project) -> dict[str, Any]:
    """The image, with the model in it."""
    done = project.image("--tag", TAG, "--with-model")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_it_is_told_as_its_builder_knows_it(project: Project, built: dict[str, Any]) -> None:
    assert (built["builder"], built["tag"], built["hashed"]) == ("podman", TAG, len(built["packages"]) - 1)
    known = project.containers.run(
        "podman", "image", "inspect", "--format", "sha256:{{.Id}} {{.Digest}} {{.User}}", TAG
    )
    assert known.stdout.split() == [built["id"], built["digest"], "10001:10001"]


def test_it_holds_nothing_of_how_it_was_built(project: Project, built: dict[str, Any]) -> None:
    run = ("podman", "run", "--rm", "--network=none")
    # Of the folder that the build was given to look into there is but the place.
    look = "ls -A /wheels; cd /work && touch mine && ls; id -u"
    done = project.containers.run(*run, TAG, "sh", "-c", look)
    assert done.stdout.split() == ["mine", "10001"], done.stderr
    # Into its home but root itself may look.
    look = "for one in /etc/pip.conf /tmp/environment ~root/.cache; do test ! -e $one || echo $one; done; "
    look += "id -u"
    done = project.containers.run(*run, "--user=0", TAG, "sh", "-c", look)
    assert done.stdout.split() == ["0"], done.stderr
    kept = project.containers.run("podman", "history", "--no-trunc", TAG).stdout
    assert "no-index" not in kept


def test_it_serves_by_itself(project: Project, built: dict[str, Any]) -> None:
    run = project.containers.run
    started = run("podman", "run", "-d", "--network=none", TAG)
    assert started.returncode == 0, started.stderr
    name = started.stdout.strip()
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/').read().decode())"
    try:
        _until(lambda: run("podman", "exec", name, "python3", "-c", ask).returncode == 0)
        told = json.loads(run("podman", "exec", name, "python3", "-c", ask).stdout)
        assert (told["model"], told["version"], told["format"]) == ("churn", 1, "sklearn")
    finally:
        run("podman", "rm", "-f", "-t", "2", name)


def test_a_deployment_of_it_answers_as_the_model_does_here(project: Project, built: dict[str, Any]) -> None:
    (project.folder / "headway.toml").write_text(f'[kubernetes]\nimage = "{TAG}"\nreplicas = 1\n')
    done = project.headway("manifest", "churn@1", "--endpoint", "churn")
    assert done.returncode == 0, done.stderr
    manifests = [one for one in yaml.safe_load_all(done.stdout) if one["kind"] in ("ConfigMap", "Deployment")]
    (deployment,) = (one for one in manifests if one["kind"] == "Deployment")
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        for port in container["ports"]:
            # Where a cluster would have an address for the pod, this machine has but a port of its own.
            port.update(hostIP="127.0.0.1", hostPort=_free())
            if port["name"] == "http":
                url = f"http://127.0.0.1:{port['hostPort']}"
    file = project.folder / "play.yaml"
    file.write_text(yaml.safe_dump_all(manifests))
    run = project.containers.run
    done = run("podman", "kube", "play", "--network=slirp4netns", str(file))
    try:
        assert done.returncode == 0, done.stderr
        _until(lambda: _answers(f"{url}/v2/health/ready"))
        with (project.folder / "model.pkl").open("rb") as f:
            model = pickle.load(f)
        rows = [{f"c{n}": value for n, value in enumerate(row)} for row in ROWS]
        request = urllib.request.Request(f"{url}/predict", json.dumps(rows).encode())
        with urllib.request.urlopen(request, timeout=30) as response:
            told = json.load(response)
        assert told["predictions"] == model.predict(ROWS).tolist()
        assert told["probabilities"] == model.predict_proba(ROWS).tolist()
        with urllib.request.urlopen(url, timeout=30) as response:
            assert json.load(response)["digest"] == json.loads(_config(manifests))["digest"]
    finally:
        run("podman", "kube", "down", str(file))


def test_the_same_files_give_the_same_image(project: Project, built: dict[str, Any]) -> None:
    done = project.image("--tag", "localhost/churn:again", "--with-model", "--build-option=--no-cache")
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    assert (again["id"], again["digest"]) == (built["id"], built["digest"])


def test_files_that_are_not_those_of_the_lock_never_become_an_image(project: Project, built: dict[str, Any]) -> None:
    (project.folder / "other.txt").write_text(f"{built['packages'][0]} --hash=sha256:{'0' * 64}\n")
    done = project.image("--tag", "localhost/churn:other", "--lock", "other.txt")
    told = json.loads(done.stdout)
    assert (done.returncode, told["error"]) == (1, "system")
    assert "DO NOT MATCH THE HASHES" in told["problem"] + done.stderr
    assert project.containers.run("podman", "image", "exists", "localhost/churn:other").returncode == 1


def test_buildah_builds_it_too(project: Project, built: dict[str, Any]) -> None:
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not here: apt-get install buildah")
    done = project.image("--tag", "localhost/churn:buildah", "--with-model", "--builder", "buildah")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["builder"] == "buildah"
    known = project.containers.run("podman", "image", "inspect", "--format", "sha256:{{.Id}} {{.Digest}}", told["tag"])
    assert known.stdout.split() == [told["id"], told["digest"]]


def _config(manifests: list[dict[str, Any]]) -> str:
    return next(str(one["data"]["version.json"]) for one in manifests if one["kind"] == "ConfigMap")


def _free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 240
    while not is_so():
        assert time.monotonic() < end, "it never answered"
        time.sleep(0.5)
