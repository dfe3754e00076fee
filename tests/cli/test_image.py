"""`headway image`: what it shows and writes without a builder, and what it says where there is none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODEL = "def predict(rows): return [1] * len(rows)\n"
PIPELINE = """steps:
  - name: Make
    run: cp model.py made.py
    in: model.py
    out: {model: made.py}
  - name: Register
    uses: register
    with: {model: "${{ steps.make.out.model }}", name: far}
"""


def headway(folder: Path, *words: str, path: str = "/nowhere") -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "headway", *words]
    environ = {**os.environ, "PATH": path} if path else None  # noqa: TID251 (what a shell inherits)
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=100, check=False, env=environ)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "model.py").write_text(MODEL)
    (folder / "pipeline.yaml").write_text(PIPELINE)
    done = headway(folder, "run", path="")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_dry_run_shows_the_containerfile_and_the_packages(project: Path) -> None:
    done = headway(project, "image", "far@1", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "# --- Containerfile\n# Made by `headway image far@1`" in done.stdout
    assert "\nmsgspec==" in done.stdout
    assert not (project / "Containerfile").exists()


def test_a_dry_run_for_machines_is_one_document(project: Path) -> None:
    done = headway(project, "image", "far@1", "--dry-run", "--json", "--base", "mine:2", "--with-model")
    told = json.loads(done.stdout)
    assert (told["version"], told["base"], told["holds_model"], told["hashed"]) == ("far@1", "mine:2", True, 0)
    assert told["texts"]["Containerfile"].startswith("# Made by")


def test_the_files_are_written_for_another_machine(project: Path, tmp_path: Path) -> None:
    done = headway(project, "image", "far@1", "--dry-run", "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"wrote {tmp_path}/out for far@1: ")
    assert (tmp_path / "out" / "models" / "made.py").read_text() == MODEL
    again = headway(project, "image", "far@1", "--dry-run", "--output", str(tmp_path / "out"))
    assert (again.returncode, "something is there already" in again.stderr) == (5, True)


def test_a_pod_that_fetches_from_a_store_gets_what_it_speaks_to_it_with(project: Path, tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "model.py").write_text(MODEL)
    assert headway(tmp_path, "run", path="").returncode == 0
    (tmp_path / "headway.toml").write_text('[kubernetes]\nimage = "web:2"\nstore-url = "s3://team/far"\n')
    done = headway(tmp_path, "image", "far@1", "--dry-run")
    assert "\nobstore==" in done.stdout
    done = headway(tmp_path, "image", "far@1", "--dry-run", "--with-model")
    assert "\nobstore==" not in done.stdout


def test_where_nothing_builds_images_it_says_what_to_install_before_anything_is_done(project: Path) -> None:
    done = headway(project, "image", "far@1", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["error"]) == (2, "extra-missing")
    assert "podman" in told["remedy"]
    assert "--dry-run --output" in told["remedy"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tag", "Not A Name"), "is no name of an image"),
        (("--base", "UPPER"), "is no name of an image"),
        (("--pip-conf", "none.conf"), "there is no file none.conf"),
        (("--lock", "none.lock"), "none.lock cannot be read"),
        (("--add", "no-such-package"), "no-such-package (for the model)"),
        (("--extra", "no_such"), "headway has no extra no_such"),
    ],
)
def test_words_that_cannot_be_meant_are_refused(project: Path, words: tuple[str, ...], said: str) -> None:
    done = headway(project, "image", "far@1", "--dry-run", *words)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_build_ends_where_the_model_cannot_be_loaded(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert headway(project, "image", "far@1", "--dry-run", "--output", str(out)).returncode == 0
    spec = json.loads((out / "version.json").read_text()) | {"path": str(out / "models" / "made.py")}
    (out / "version.json").write_text(json.dumps(spec))
    done = headway(project, "image-check", str(out / "version.json"))
    assert (done.returncode, done.stdout) == (0, "far@1 loads (function)\n"), done.stderr
    (out / "models" / "made.py").write_text(MODEL + "\n")
    done = headway(project, "image-check", str(out / "version.json"))
    assert (done.returncode, "has the digest" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("def predict(rows):\n    import not_installed\n    return [1]\n", 1, "not_installed"),
        ("def predict(rows): raise ValueError('what a row')\n", 0, ""),
        ("import not_installed\ndef predict(rows): return [1]\n", 1, "not_installed"),
    ],
    ids=["imported to answer", "a row refused", "imported to load"],
)
def test_a_package_that_is_missing_is_found_and_a_row_that_is_refused_is_no_fault(
    project: Path, tmp_path: Path, text: str, code: int, said: str
) -> None:
    from blake3 import blake3

    (tmp_path / "model.py").write_text(text)
    spec = {"endpoint": "far", "model": "far", "version": 1, "path": str(tmp_path / "model.py"), "format": "function",
            "digest": blake3(text.encode()).hexdigest()}  # fmt: skip
    (tmp_path / "version.json").write_text(json.dumps(spec))
    done = headway(tmp_path, "image-check", str(tmp_path / "version.json"))
    assert done.returncode == code, done.stderr
    assert said in done.stderr
