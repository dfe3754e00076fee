"""What is written for an image: the packages that a version needs, headway itself, the version's files."""

import base64
import csv
import hashlib
import io
import os
import pickle
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import msgspec
import pytest
from sklearn.linear_model import LogisticRegression

from headway import __version__
from headway.core import facts as f
from headway.core.environment import Pin
from headway.core.registry import Registration
from headway.errors import Conflict, ExtraMissing, FileMissing, NameUnknown, SystemRefused
from headway.flows import image, registry, wheel
from headway.flows.environment import Wanted
from headway.flows.image import Laid
from headway.flows.statcache import StatCache
from headway.flows.store import keep
from headway.ports import Serving
from headway.testing.bench import MemoryParts

RECORDED = "pytest==1.0\nnumpy==9.9.1\nscikit_learn==9.9.2\nheadway==0.0.1\njoblib==9.9.3\n"


class Side:
    """A project with one model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts = MemoryParts(str(folder / "home"))

    def register(self, path: str, *, kind: str, packages: str = RECORDED, python: str = "3.11.7 /env/python") -> None:
        blobs = self.parts.blobs
        place = f.Place(python=python, packages=blobs.put(packages.encode()) if packages else None)
        artifact = keep(blobs, str(self.folder), path, StatCache())
        asked = Registration(model="churn", artifact=artifact, key=path, format=kind, place=place)
        registry.register(self.parts.log, asked, now=1_000_000.5)

    def plan(self, **wanted: object) -> tuple[Laid, Serving]:
        asked = msgspec.convert(wanted, Wanted)
        return image.plan(self.parts.delivery(), "churn@1", asked, base="", holds_model=False, folder=str(self.folder))

    def pins(self, **wanted: object) -> dict[str, str]:
        return {one.name: one.version for one in self.plan(**wanted)[0].environment.pins}

    def function(self, text: str, **said: str) -> None:
        (self.folder / "model.py").write_text(text)
        self.register("model.py", kind="function", **said)


@pytest.fixture
def side(tmp_path: Path) -> Side:
    return Side(tmp_path)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Side:
    """One that is only looked at."""
    side = Side(tmp_path_factory.mktemp("fitted"))
    (side.folder / "model.pkl").write_bytes(pickle.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1])))
    side.register("model.pkl", kind="sklearn")
    return side


@pytest.fixture(scope="module")
def written(fitted: Side, tmp_path_factory: pytest.TempPathFactory) -> Laid:
    """Its files, only looked at too."""
    return image.write(*fitted.plan(), str(tmp_path_factory.mktemp("written") / "out"))


# --- packages ---------------------------------------------------------------------------------------------------


def test_what_the_model_needs_has_the_versions_that_it_was_made_with(written: Laid) -> None:
    pins = {str(one) for one in written.environment.pins}
    assert {"numpy==9.9.1", "scikit-learn==9.9.2", "joblib==9.9.3"} <= pins


def test_what_headway_needs_and_nobody_recorded_has_the_version_that_is_here(written: Laid) -> None:
    assert Pin("msgspec", metadata.version("msgspec")) in written.environment.pins


def test_what_was_installed_and_is_not_needed_is_left_out_unless_all_is_wanted(fitted: Side, written: Laid) -> None:
    assert "pytest" not in {one.name for one in written.environment.pins}
    pins = fitted.pins(is_whole=True)
    assert pins["pytest"] == "1.0"
    # It is a file beside the list.
    assert "headway" not in pins


def test_what_a_function_imports_is_needed_also_inside_its_functions(side: Side) -> None:
    side.function(
        "import json, headway\ndef predict(rows):\n    from sklearn.utils import shuffle\n    return [1] * len(rows)\n"
    )
    pins = side.pins()
    assert pins["scikit-learn"] == "9.9.2"
    assert side.plan()[0].environment.notes == ()


def test_a_module_that_no_known_package_holds_is_told(side: Side) -> None:
    side.function("import features_of_ours\ndef predict(rows): return [1] * len(rows)\n")
    (note,) = side.plan()[0].environment.notes
    assert "features_of_ours" in note


def test_a_version_without_a_record_gets_what_is_here_and_says_so(side: Side) -> None:
    side.function("import numpy\ndef predict(rows): return [1] * len(rows)\n", packages="")
    laid, _ = side.plan()
    assert Pin("numpy", metadata.version("numpy")) in laid.environment.pins
    assert "not known" in laid.environment.notes[0]


def test_packages_can_be_added_by_name_or_in_a_version(side: Side) -> None:
    side.function("def predict(rows): return [1] * len(rows)\n")
    assert "scikit-learn" not in side.pins()
    assert side.pins(add=["Scikit_learn"])["scikit-learn"] == "9.9.2"
    assert side.pins(add=["scikit-learn==1.5.0"])["scikit-learn"] == "1.5.0"


def test_what_nobody_here_knows_brings_all_that_was_recorded(side: Side) -> None:
    side.function(
        "import unheard_of\ndef predict(rows): return [1] * len(rows)\n", packages=RECORDED + "unheard-of==3\n"
    )
    laid, _ = side.plan()
    names = {one.name for one in laid.environment.pins}
    assert {"unheard-of", "pytest"} <= names
    assert "unheard-of" in laid.environment.notes[-1]


def test_a_package_without_any_version_is_refused_with_what_to_say(side: Side) -> None:
    side.function("def predict(rows): return [1] * len(rows)\n")
    with pytest.raises(NameUnknown, match="no-such-thing") as caught:
        side.plan(add=["no-such-thing"])
    assert "--add no-such-thing==VERSION" in caught.value.remedy


def test_an_extra_of_headway_brings_its_packages(side: Side) -> None:
    side.function("def predict(rows): return [1] * len(rows)\n")
    assert "h2" not in side.pins()
    assert side.pins(extras=["grpc"])["h2"] == metadata.version("h2")


def test_what_a_folder_lists_for_itself_is_needed(side: Side) -> None:
    (side.folder / "model").mkdir()
    (side.folder / "model" / "model.py").write_text("def predict(rows): return [1] * len(rows)\n")
    (side.folder / "model" / "requirements.txt").write_text("# ours\n-r other.txt\nscikit-learn>=1\nnot-here\n")
    side.register("model", kind="function")
    assert side.pins()["scikit-learn"] == "9.9.2"


def test_hashes_come_from_the_lock_file_of_the_project_or_from_the_one_that_is_named(side: Side) -> None:
    side.function("import numpy, joblib\ndef predict(rows): return [1] * len(rows)\n")
    (side.folder / "requirements.txt").write_text("numpy==9.9.1 --hash=sha256:11\njoblib==1 --hash=sha256:22\n")
    laid, _ = side.plan()
    assert [one for one in laid.environment.pins if one.hashes] == [Pin("numpy", "9.9.1", ("sha256:11",))]
    assert laid.texts["hashed.txt"] == "numpy==9.9.1 \\\n    --hash=sha256:11\n"
    assert "numpy" not in laid.texts["pinned.txt"]
    (side.folder / "mine.txt").write_text("joblib==9.9.3 --hash=sha256:33\n")
    laid, _ = side.plan(lock="mine.txt")
    assert [str(one) for one in laid.environment.pins if one.hashes] == ["joblib==9.9.3"]
    with pytest.raises(FileMissing):
        side.plan(lock="none.txt")


# --- the folder -------------------------------------------------------------------------------------------------


def test_all_that_the_build_reads_is_written_and_nothing_else(written: Laid) -> None:
    files = {name.rstrip("/") for name in written.image.files}
    assert {*os.listdir(written.folder)} == {*files, ".containerignore", ".dockerignore"}
    text = (Path(written.folder) / "Containerfile").read_text()
    assert "FROM docker.io/library/python:3.11.7-slim" in text
    for name in files - {"Containerfile"}:
        assert name in text


def test_what_the_image_is_for_is_said_as_a_pod_reads_it(fitted: Side, written: Laid) -> None:
    told = msgspec.json.decode((Path(written.folder) / "version.json").read_bytes(), type=Serving)
    assert (told.endpoint, told.version, told.path, told.format) == ("churn", 1, "/models/model.pkl", "sklearn")
    inside = Path(written.folder) / told.path.lstrip("/")
    assert inside.read_bytes() == (fitted.folder / "model.pkl").read_bytes()
    assert inside.stat().st_mode & 0o777 == 0o644


def test_a_folder_is_readable_for_another_user_and_keeps_its_digest(side: Side, tmp_path: Path) -> None:
    (side.folder / "model").mkdir(mode=0o700)
    (side.folder / "model" / "model.py").write_text("def predict(rows): return [1] * len(rows)\n")
    (side.folder / "model" / "tool").write_text("#!/bin/sh\n")
    (side.folder / "model" / "tool").chmod(0o700)
    side.register("model", kind="function")
    laid = image.write(*side.plan(), str(tmp_path / "out"))
    told = msgspec.json.decode((tmp_path / "out" / "version.json").read_bytes(), type=Serving)
    assert told.path == "/models/model/"
    at = Path(laid.folder) / "models" / "model"
    assert at.stat().st_mode & 0o055 == 0o055
    assert (at / "tool").stat().st_mode & 0o144 == 0o144
    assert keep(side.parts.blobs, str(at.parent), "model", StatCache()).digest == told.digest


def test_a_folder_that_holds_something_is_left_alone(fitted: Side, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(Conflict):
        image.write(*fitted.plan(), str(tmp_path / "out"))
    assert os.listdir(tmp_path / "out") == ["mine"]


def test_writing_twice_gives_the_same_bytes(fitted: Side, tmp_path: Path) -> None:
    first, again = (image.write(*fitted.plan(), str(tmp_path / name)) for name in ("a", "b"))
    for name in os.listdir(again.folder):
        path = Path(again.folder) / name
        if path.is_file():
            assert path.read_bytes() == (Path(first.folder) / name).read_bytes(), name


def test_the_wheel_is_headway_as_it_runs_and_its_record_is_right(tmp_path: Path) -> None:
    path = wheel.write(str(tmp_path))
    with zipfile.ZipFile(path) as packed:
        names = packed.namelist()
        info = f"headway-{__version__}.dist-info"
        record = list(csv.reader(io.StringIO(packed.read(f"{info}/RECORD").decode())))
        assert [name for name, *_ in record] == names
        for name, digest, size in record[:-1]:
            data = packed.read(name)
            told = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            assert (digest, size) == (f"sha256={told}", str(len(data))), name
        assert f"Version: {__version__}" in packed.read(f"{info}/METADATA").decode()
        assert "headway = headway.__main__:main" in packed.read(f"{info}/entry_points.txt").decode()
    assert not [name for name in names if "__pycache__" in name]
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {path!r}); import headway; print(headway.__file__)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(path)


# --- building ---------------------------------------------------------------------------------------------------


def program(folder: Path, name: str, script: str) -> dict[str, str]:
    """An environment in which a builder of that name does what the script says."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def built(laid: Laid, by: str, environ: dict[str, str], **words: object) -> tuple[image.Built, list[str]]:
    lines: list[str] = []
    return image.build(laid, by, "churn:1", environ=environ, tell=lines.append, **words), lines  # type: ignore[arg-type] # words of the test


SAYS = 'echo "$@"; while [ "$1" != --iidfile ]; do shift; done; echo sha256:abc > "$2"'


def test_a_builder_is_told_what_to_build_and_its_words_are_heard(written: Laid, tmp_path: Path) -> None:
    environ = program(tmp_path / "bin", "podman", f'[ "$1" = image ] && echo sha256:def && exit\n{SAYS}')
    (tmp_path / "pip.conf").write_text("")
    found, lines = built(written, "podman", environ, pip_conf=str(tmp_path / "pip.conf"), options=["--network=host"])
    assert found == image.Built(tag="churn:1", builder="podman", id="sha256:abc", digest="sha256:def")
    (line,) = lines
    assert "-t churn:1" in line
    # The version's time, so that the same files give the same image.
    assert "--timestamp 1000000" in line
    assert f"--secret id=pip,src={tmp_path}/pip.conf --network=host {written.folder}" in line
    assert ".image-id" not in os.listdir(written.folder)


def test_docker_is_told_the_time_in_its_own_way_and_knows_no_digest_yet(written: Laid, tmp_path: Path) -> None:
    environ = program(tmp_path / "bin", "docker", f"echo $SOURCE_DATE_EPOCH $DOCKER_BUILDKIT; {SAYS}")
    found, lines = built(written, "docker", environ)
    assert (found.id, found.digest) == ("sha256:abc", "")
    assert lines[0] == "1000000 1"
    assert "--timestamp" not in lines[1]


def test_a_build_that_fails_ends_with_the_builders_last_words(written: Laid, tmp_path: Path) -> None:
    script = "for i in $(seq 40); do echo line $i; done; echo 'no matching distribution for numpy==9.9.1' >&2; exit 125"
    with pytest.raises(SystemRefused) as caught:
        built(written, "podman", program(tmp_path / "bin", "podman", script))
    assert "exit code 125" in caught.value.problem
    assert caught.value.problem.endswith("no matching distribution for numpy==9.9.1")
    assert "line 40" in caught.value.problem
    assert "line 20" not in caught.value.problem


def test_a_builder_that_cannot_be_started_is_told(written: Laid, tmp_path: Path) -> None:
    with pytest.raises(SystemRefused, match="cannot be started"):
        built(written, "podman", {"PATH": str(tmp_path)})


def test_the_first_builder_that_is_here_is_taken(tmp_path: Path) -> None:
    nothing = {"PATH": str(tmp_path / "bin")}
    (tmp_path / "bin").mkdir()
    with pytest.raises(ExtraMissing, match="none of podman, buildah, docker"):
        image.builder("", nothing)
    with pytest.raises(ExtraMissing, match="buildah is not here"):
        image.builder("buildah", nothing)
    # A client of docker without its daemon is none, unless it is asked for.
    program(tmp_path / "bin", "docker", "exit 1")
    with pytest.raises(ExtraMissing):
        image.builder("", nothing)
    assert image.builder("docker", nothing) == "docker"
    program(tmp_path / "bin", "docker", "echo 28.0")
    assert image.builder("", nothing) == "docker"
    program(tmp_path / "bin", "buildah", "exit 1")
    assert image.builder("", nothing) == "buildah"
    program(tmp_path / "bin", "podman", "exit 1")
    assert image.builder("", nothing) == "podman"
