"""What must be typed first, so that a shell finds what was advertised."""

import sys
from pathlib import Path

import pytest

from headway.terminal.found import to_type_first


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment below the working directory, whose python runs."""
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "headway"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    return folder


def test_nothing_where_it_is_on_the_path(environment: Path) -> None:
    assert to_type_first({"PATH": f"{environment}:/usr/bin"}) == ""


@pytest.mark.parametrize("path", ["/usr/bin:/bin", ""])
def test_an_environment_is_activated_by_its_path_from_here(environment: Path, path: str) -> None:
    (environment / "activate").touch()
    assert to_type_first({"PATH": path}) == "source .venv/bin/activate"


def test_from_elsewhere_by_its_whole_path(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (environment / "activate").touch()
    (environment.parent.parent / "other").mkdir()
    monkeypatch.chdir(environment.parent.parent / "other")
    assert to_type_first({"PATH": "/usr/bin"}) == f"source {environment}/activate"


def test_where_another_python_comes_first_it_is_told_too(environment: Path, tmp_path: Path) -> None:
    (environment / "activate").touch()
    (tmp_path / "python").write_text("#!/bin/sh\n")
    (tmp_path / "python").chmod(0o755)
    assert to_type_first({"PATH": f"{tmp_path}:{environment}"}) == "source .venv/bin/activate"


def test_what_has_no_activate_is_put_on_the_path(environment: Path) -> None:
    assert to_type_first({"PATH": "/usr/bin"}) == f'export PATH={environment}:"$PATH"'
