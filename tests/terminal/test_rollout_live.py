"""A release as it goes: a picture on a screen, lines anywhere else, nothing beside JSON."""

import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from headway.core.rollout import Rollout
from headway.terminal.rollout_live import Following, left
from releases_told import began, counted, looked, told

ENVIRON = {"TERM": "xterm"}


@contextmanager
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard error is a terminal; gives the side that reads it."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
        patch.setattr("sys.stderr", stream)
        yield ours
    os.close(ours)


def read_until(fd: int, wanted: str) -> str:
    """A terminal gives what was written bit by bit."""
    seen = b""
    while wanted.encode() not in seen or not seen.endswith(b"\x1b[?25h"):
        seen += os.read(fd, 65536)
    return seen.decode()


def test_on_a_screen_the_picture_is_drawn_over_and_lines_stay_above(monkeypatch: pytest.MonkeyPatch) -> None:
    now, rollout = told(began(0), looked(counted(1)))
    with screen(monkeypatch) as ours:
        with Following(ENVIRON, lambda: now, quiet=False) as report:
            report("stage 1 of 4: canary: 10% for 10000 requests", rollout)
            report("", rollout)
            report("nothing was shown to be worse", rollout)
            report("m@2 takes over", Rollout("e"))
        seen = read_until(ours, "m@2 takes over")
    # The cursor is hidden while there is a picture, and shown again.
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") == 1
    assert seen.index("stage 1 of 4: canary") < seen.index("e: m@2 answers 10 %, m@1 90 %")
    assert seen.index("nothing was shown to be worse") < seen.rindex("e: m@2 answers 10 %, m@1 90 %")
    # A picture that was drawn a moment ago is not drawn again for nothing.
    assert seen.count("e: m@2 answers 10 %, m@1 90 %") == 2
    assert seen.rindex("m@2 takes over") > seen.rindex("e: m@2 answers 10 %, m@1 90 %")


def test_anywhere_else_only_lines_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    now, rollout = told(began(0))
    with Following(ENVIRON, lambda: now, quiet=False) as report:
        report("stage 1 of 4", rollout)
        report("", rollout)
        report("a \x1b[31mred line", rollout)
    assert capsys.readouterr() == ("", "stage 1 of 4\na red line\n")


def test_lines_of_what_takes_days_are_stamped(capsys: pytest.CaptureFixture[str]) -> None:
    now, rollout = told(began(0))
    with Following(ENVIRON, lambda: now, quiet=False, stamped=True) as report:
        report("stage 1 of 4", rollout)
    date, _, rest = capsys.readouterr().err.partition("  ")
    assert (len(date), date[-4:], rest) == (23, " UTC", "stage 1 of 4\n")


def test_beside_json_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    now, rollout = told(began(0))
    with Following(ENVIRON, lambda: now, quiet=True) as report:
        report("stage 1 of 4", rollout)
    assert capsys.readouterr() == ("", "")


def test_who_interrupts_is_told_how_to_go_on() -> None:
    now, _ = told(began(0))
    assert left(now) == (
        "headway: interrupted; m@2 answers 10 %, m@1 90 %, and that stays so\n"
        "  to go on: headway rollout watch e\n"
        "  to take it back: headway rollout abort e\n"
    )
