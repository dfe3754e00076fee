"""The house itself: what import-linter cannot see, sizes, and that nothing heavy is loaded before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "headway"
FILES = sorted(p for p in SOURCE.rglob("*.py") if "examples" not in p.parts)
PURE = sorted(p for room in ("core", "stats") for p in (SOURCE / room).rglob("*.py"))

FORBIDDEN_CALLS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}


@pytest.mark.parametrize("path", PURE, ids=lambda p: str(p.relative_to(SOURCE)))
def test_pure_rooms_call_nothing_that_touches_the_world(path: Path) -> None:
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & FORBIDDEN_CALLS


def test_no_file_is_longer_than_400_lines() -> None:
    long = {str(p.relative_to(SOURCE)): n for p in FILES if (n := len(p.read_text().splitlines())) > 400}
    assert not long


def test_every_room_and_file_says_what_it_is() -> None:
    silent = [str(p.relative_to(SOURCE)) for p in FILES if not ast.get_docstring(ast.parse(p.read_text()))]
    assert not silent


def loaded(code: str, folder: Path) -> set[str]:
    """The modules that are loaded when `code` has run in a fresh interpreter."""
    script = f"import sys\n{code}\nsys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=folder, check=True)
    return set(done.stderr.rsplit("\n", 1)[-1].split())


def test_help_and_version_import_nothing_but_themselves(tmp_path: Path) -> None:
    own = {"headway", "headway.cli"}
    before = loaded("import typing", tmp_path)
    for words in (["--help"], ["--version"]):
        after = loaded(f"from headway.cli import dispatch\ndispatch({words!r})", tmp_path)
        assert after - before <= own


HEAVY = ("numpy", "scipy", "polars", "rich", "uvicorn", "asyncio", "yaml", "subprocess", "shutil", "sklearn")


def test_a_run_of_known_steps_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "pipeline.yaml").write_text("steps:\n  - run: cp a b\n    in: a\n    out: b\n")
    run = "from headway.cli import dispatch\nassert dispatch(['run']) == 0"
    loaded(run, tmp_path)
    assert not [name for name in loaded(run, tmp_path) if name.split(".")[0] in HEAVY]
