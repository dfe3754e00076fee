"""The end of a log is shown as it grows, and nothing in it can touch the terminal."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.terminal.tail import Tail, clean


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("", ""),
        ("one\ntwo\n", "two"),
        ("one\ntwo", "two"),
        ("one\n\n  \n", "one"),
        ("10%\r20%\r30%", "30%"),
        ("10%\r20%\r", "20%"),
        ("loss 0.1\r\n", "loss 0.1"),
        ("\x1b[1;31mred\x1b[0m and \x1b]0;a title\x07rest", "red and rest"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\tb\x08\x00c", "a    bc"),
        ("safe\u202eelif\u2066", "safeelif"),
        ("cut\x1b[3", "cut"),
        ("x" * 1000, "x" * 299 + "…"),
    ],
    ids=[
        *("empty", "lines", "unended", "blank-lines", "progress-bar", "ended-bar", "windows", "colours"),
        *("link", "controls", "reordering", "cut-code", "long"),
    ],
)
def test_the_last_line_is_shown_clean(tmp_path: Path, written: str, shown: str) -> None:
    path = tmp_path / "log"
    path.write_text(written, newline="")
    tail = Tail(str(path))
    assert tail.line() == shown
    tail.close()


@given(st.text())
def test_nothing_that_a_step_prints_can_move_the_cursor(text: str) -> None:
    assert clean(text).isprintable()


@given(data=st.binary(max_size=200))
def test_any_bytes_can_be_shown(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-bytes"
    path.write_bytes(data)
    tail = Tail(str(path))
    assert all(line.isprintable() for line in [tail.line(), *tail.lines(15)])
    tail.close()


def test_a_growing_log_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as log:
        tail = Tail(str(path))
        for line in ("one", "two", "three"):
            log.write(line + "\n")
            log.flush()
            assert tail.line() == line
            assert tail.line() == line
    tail.close()


def test_a_log_that_was_moved_away_can_still_be_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("said\n")
    tail = Tail(str(tmp_path / "log"))
    (tmp_path / "log").unlink()
    assert tail.lines(15) == ["said"]
    tail.close()
    tail.close()
    assert (tail.line(), tail.lines(15)) == ("", [])


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"line {i:06} {'x' * 80}\n" for i in range(100_000)) + "\n\n")
    tail = Tail(str(path))
    lines = tail.lines(15)
    assert [line.split()[1] for line in lines] == [f"{i:06}" for i in range(99_985, 100_000)]
    tail.close()


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    tail = Tail(str(tmp_path / "none"))
    assert (tail.line(), tail.lines(15)) == ("", [])
    tail.close()
