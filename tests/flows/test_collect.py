"""What is told in one line of a built-in step that ended: its result, not how far it was."""

from pathlib import Path

import pytest

from headway.flows.collect import _first_said, _reason


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("m@2 serves\nback to m@1\n", "m@2 serves"),
        ("  stage 1 of 2\n  nothing was shown\nm@2 serves\nback to m@1\n", "m@2 serves"),
        ("\n  stage 1 of 2\n\nm@2 serves\n", "m@2 serves"),
        ("  stage 1 of 2\n  nothing was shown\n", "stage 1 of 2"),
        ("", ""),
        ("x" * 1000 + "\n", "x" * 400),
    ],
)
def test_the_first_line_that_tells_no_progress_is_the_result(tmp_path: Path, log: str, said: str) -> None:
    file = tmp_path / "log"
    file.write_text(log)
    assert _first_said(str(file)) == said


def test_of_an_error_its_problem_is_told_and_else_the_result(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("  stage 1 of 2\nheadway: m@2 was rolled back: errors\n  at: endpoint: e\n  do: look\n")
    assert _reason(str(file)) == "m@2 was rolled back: errors"
    file.write_text("  stage 1 of 2\nit said something\n")
    assert _reason(str(file)) == "it said something"
    assert _first_said(str(tmp_path / "none")) == _reason(str(tmp_path / "none")) == ""
