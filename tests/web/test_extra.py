"""Where the libraries of pages and hooks are not installed it is told, and all else goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

LACKING = "import sys; sys.modules[{lacking!r}] = None; from headway.cli import dispatch; sys.exit(dispatch({words!r}))"


def words_of(lacking: str, *words: str) -> list[str]:
    return [sys.executable, "-c", LACKING.format(lacking=lacking, words=[*words])]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pipeline.yaml").write_text("steps:\n  - run: echo hi\n")
    return tmp_path


@pytest.mark.parametrize("lacking", ["starlette", "jinja2"])
def test_pages_are_refused_with_what_to_install(project: Path, lacking: str) -> None:
    words = words_of(lacking, "ui", "--no-browser")
    ended = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 2
    assert "headway: pages and web hooks need starlette and jinja2" in ended.stderr
    assert "pip install 'headway[ui]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_headway_up_says_so_and_does_the_rest(project: Path) -> None:
    hand = [sys.executable, "-m", "headway", "trigger", "--why", "try"]
    subprocess.run(hand, cwd=project, capture_output=True, check=True, timeout=120)
    words = words_of("starlette", "up", "--port", "0")
    with subprocess.Popen(words, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        said = ""
        try:
            for line in running.stdout:
                said += line
                if "pip install 'headway[ui]'" in said and "run 1 passed" in said:
                    break
        finally:
            running.terminate()
    assert "pages and web hooks need starlette and jinja2" in said


def test_where_nobody_signs_in_with_a_provider_nothing_of_it_is_imported(project: Path) -> None:
    code = (
        "import sys; from headway import config; from headway.web.app import make; from headway.web.site import Site; "
        "make(Site(settings=config.load())); names = ('headway.web.oidc', 'headway.web.provider', 'urllib.request'); "
        "sys.exit(', '.join(name for name in (*names, 'joserfc') if name in sys.modules) or 0)"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_pages_are_there_before_anything_that_reckons_is_imported() -> None:
    """It is half of the memory and of the time to start; only evidence that is on its way needs it."""
    code = (
        "import sys; from headway.web import app, pages; pages.modules(); "
        "sys.exit(', '.join(sorted({'numpy', 'scipy', 'polars', 'pyarrow'} & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
