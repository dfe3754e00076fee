"""A run in lines: what a build server's log and a pipe get to see."""

from pathlib import Path

import pytest

from headway.terminal.lines import EXCERPT, Lines
from headway.terminal.paint import Paint


class Told(list[str]):
    """The lines that were told."""

    def __str__(self) -> str:
        return "\n".join(self)


@pytest.fixture
def told() -> Told:
    return Told()


def lines(told: Told, *, why: bool = False, announce: bool = True, colours: bool = False) -> Lines:
    return Lines(told.append, Paint(colours=colours, unicode=True), why=why, announce=announce)


def a_run(shown: Lines, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"line {i}\n" for i in range(1, 31)))
    with shown:
        shown.reused("data-validation", "as in run 3, 1 output restored")
        shown.started("train-model", "Train Model", 2, 5, "train.py changed")
        shown.output_at("train-model", "/no/log")
        shown.tick(1.0)
        shown.ended("train-model", "passed", 75.2, "rmse 0.42")
        shown.started("test-model", "Test Model", 3, 5, "its input models/model.pkl changed")
        shown.output_at("test-model", str(tmp_path / "log"))
        (tmp_path / "log").unlink()
        shown.ended("test-model", "failed", 0.314, "exit code 3")
        shown.skipped("gate", "an earlier step did not pass: Test Model")
        shown.skipped("deploy", "an earlier step did not pass: Test Model")


EXCERPTED = """
Test Model, the end of its output:
  | line 16
  | line 17
  | line 18
  | line 19
  | line 20
  | line 21
  | line 22
  | line 23
  | line 24
  | line 25
  | line 26
  | line 27
  | line 28
  | line 29
  | line 30
"""


def test_a_run_is_told_in_words(told: Told, tmp_path: Path) -> None:
    a_run(lines(told), tmp_path)
    assert str(told) == (
        """\
reused   data-validation: as in run 3, 1 output restored
started  [2/5] Train Model
passed   [2/5] Train Model (1 min 15 s): rmse 0.42
started  [3/5] Test Model
failed   [3/5] Test Model (0.31 s): exit code 3
skipped  gate: an earlier step did not pass: Test Model
skipped  deploy: an earlier step did not pass: Test Model
"""
        + EXCERPTED
    )


def test_why_each_step_runs_is_told_when_asked(told: Told, tmp_path: Path) -> None:
    a_run(lines(told, why=True), tmp_path)
    assert "started  [2/5] Train Model: train.py changed" in told
    assert "started  [3/5] Test Model: its input models/model.pkl changed" in told


def test_on_a_screen_there_are_signs_and_no_beginnings(told: Told, tmp_path: Path) -> None:
    a_run(lines(told, announce=False), tmp_path)
    assert str(told) == (
        """\
= data-validation  as in run 3, 1 output restored
✓ Train Model              1 min 15 s  rmse 0.42
✗ Test Model                 0.31 s  exit code 3
- gate  an earlier step did not pass: Test Model
- deploy  an earlier step did not pass: Test Model
"""
        + EXCERPTED
    )


def test_without_colours_there_is_no_escape_code(told: Told, tmp_path: Path) -> None:
    a_run(lines(told, why=True), tmp_path)
    assert "\x1b" not in str(told)


def test_colours_are_kept_to_the_word_that_says_what_happened(told: Told, tmp_path: Path) -> None:
    a_run(lines(told, colours=True), tmp_path)
    assert "\x1b[32mpassed  \x1b[0m [2/5] Train Model (1 min 15 s): rmse 0.42" in told


def test_a_thousand_known_steps_are_one_line(told: Told) -> None:
    with lines(told) as shown:
        for i in range(998):
            shown.reused(f"step-{i}", "as in run 1")
        for i in range(2):
            shown.started(f"new-{i}", f"new {i}", 999 + i, 1000, "")
            shown.ended(f"new-{i}", "passed", 0.5, "")
    assert told[0] == "reused   998 steps reused"
    assert len(told) == 5


def test_known_steps_between_others_are_counted_once_they_are_many(told: Told) -> None:
    with lines(told) as shown:
        for i in range(500):
            shown.reused(f"old-{i}", "as in run 1")
            shown.started(f"new-{i}", f"new {i}", i, 1000, "")
            shown.ended(f"new-{i}", "passed", 0.5, "")
    unrun = [line for line in told if line.startswith("reused")]
    assert len(unrun) < 60
    named = sum("as in run" in line for line in unrun)
    counted = sum(int(line.split()[1]) for line in unrun if "as in run" not in line)
    assert named + counted == 500


def test_many_skipped_steps_are_one_line_with_the_reason(told: Told) -> None:
    with lines(told) as shown:
        for i in range(500):
            shown.skipped(f"step-{i}", "an earlier step did not pass: Train")
    assert told == ["skipped  500 steps skipped: an earlier step did not pass: Train"]


def test_a_failure_that_a_retry_mended_is_not_excerpted(told: Told, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("flaky\n")
    with lines(told) as shown:
        for outcome in ("failed", "passed"):
            shown.started("a", "A", 1, 1, "")
            shown.output_at("a", str(tmp_path / "log"))
            shown.ended("a", outcome, 1.0, "")
        assert shown.n_done == {"failed": 0, "passed": 1}
    assert not any("flaky" in line for line in told)


def test_of_many_failures_the_first_are_excerpted_and_the_others_named(told: Told, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("broke\n")
    with lines(told) as shown:
        for i in range(30):
            shown.started(f"s{i}", f"S{i}", i + 1, 30, "")
            shown.output_at(f"s{i}", str(tmp_path / "log"))
            shown.ended(f"s{i}", "failed", 1.0, "exit code 1")
    assert sum("broke" in line for line in told) == 3
    assert told[-2] == f"not passed either: {', '.join(f'S{i}' for i in range(3, 15))} and 15 more"


def test_an_interrupted_step_is_not_excerpted(told: Told, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("half\n")
    with lines(told) as shown:
        shown.started("a", "A", 1, 1, "")
        shown.output_at("a", str(tmp_path / "log"))
        shown.ended("a", "interrupted", 1.0, "")
    assert told == ["started  [1/1] A", "interrupted [1/1] A (1.00 s)"]


def test_a_step_that_was_never_started_has_no_output(told: Told) -> None:
    with lines(told) as shown:
        shown.started("a", "A", 1, 1, "")
        shown.ended("a", "failed", 0.0, "there is no command 'train'")
    assert told == ["started  [1/1] A", "failed   [1/1] A (0.00 s): there is no command 'train'"]


def test_names_and_notes_cannot_touch_the_terminal(told: Told) -> None:
    with lines(told) as shown:
        shown.started("a", "A\x1b[2J\n", 1, 1, "")
        shown.ended("a", "failed", 0.0, "two\nlines\x07")
        shown.reused("b\x1b[1A", "as\x1bin")
    assert all(line.isprintable() for line in told)


def test_the_excerpt_is_short(told: Told, tmp_path: Path) -> None:
    a_run(lines(told), tmp_path)
    assert sum(line.startswith("  | ") for line in told) == EXCERPT == 15
