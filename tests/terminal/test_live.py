"""What is on the screen while a run goes on, drawn on a real pseudo-terminal and read by a small screen of our own."""

import errno
import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from wcwidth import wcswidth

from headway.terminal.live import Live
from headway.terminal.out import Out
from headway.terminal.paint import Paint
from headway.terminal.progress import choose


class Screen:
    """A terminal that wraps again when it is resized; knows what `live` sends, and refuses anything else."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        # Rows, and of each whether it goes on in the next.
        self.rows: list[tuple[str, bool]] = [("", False)]
        self.at = 0
        self.fresh = True
        self.cursor_is_shown = True
        self.n_drawn = 0

    def feed(self, text: str) -> None:
        for code, plain in re.findall(r"(\x1b\[[?0-9]*[A-Za-z]|\r\n|\r|\n)|([^\x1b\r\n]+)", text):
            if plain:
                self._put(plain)
            elif code in ("\r\n", "\n"):
                self.at += 1
                if self.at == len(self.rows):
                    self.rows.append(("", False))
                self.fresh = True
            elif code == "\r":
                self.fresh = True
            else:
                self._obey(code)

    def _obey(self, code: str) -> None:
        number = re.sub(r"\D", "", code)
        match code[-1]:
            case "A":
                self.at = max(0, self.at - int(number))
                self.n_drawn += 1
            case "J":
                del self.rows[self.at + (not self.fresh) :]
                if self.fresh:
                    self.rows.append(("", False))
            case "K" if self.fresh:
                self.rows[self.at] = ("", False)
            case "K" | "m":
                pass
            case "h" | "l" if number == "25":
                self.cursor_is_shown = code[-1] == "h"
            case _:
                raise AssertionError(code)

    def _put(self, text: str) -> None:
        for c in text:
            row = "" if self.fresh else self.rows[self.at][0]
            self.fresh = False
            if wcswidth(row + c) > self.columns:
                self.rows[self.at] = (row, True)
                self.at += 1
                self.rows[self.at : self.at + 1] = [("", False)]
                row = ""
            self.rows[self.at] = (row + c, False)

    def resize(self, columns: int) -> None:
        text = "".join(row + ("" if goes_on else "\n") for row, goes_on in self.rows)
        self.columns = columns
        self.rows = [("", False)]
        self.at = 0
        self.fresh = True
        self._replay(text.removesuffix("\n"))

    def _replay(self, text: str) -> None:
        for i, line in enumerate(text.split("\n")):
            if i:
                self.feed("\n")
            self._put(line)
        self.fresh = True

    @property
    def shown(self) -> list[str]:
        rows = [row.rstrip() for row, _ in self.rows]
        while rows and not rows[-1]:
            rows.pop()
        return rows


class Terminal:
    """A pseudo-terminal with a screen."""

    def __init__(self, columns: int = 60, rows: int = 24) -> None:
        self.ours, theirs = pty.openpty()
        self.stream = io.TextIOWrapper(os.fdopen(theirs, "wb", buffering=0), encoding="utf-8", write_through=True)
        self.screen = Screen(columns)
        self.n_rows = rows
        self._set_size(columns)

    def _set_size(self, columns: int) -> None:
        fcntl.ioctl(self.stream.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", self.n_rows, columns, 0, 0))

    def resize(self, columns: int) -> None:
        self.read()
        self.screen.resize(columns)
        self._set_size(columns)

    def read(self) -> list[str]:
        os.set_blocking(self.ours, False)
        data = b""
        try:
            while part := os.read(self.ours, 65536):
                data += part
        except BlockingIOError:
            pass
        self.screen.feed(data.decode())
        return self.screen.shown

    def close(self) -> None:
        self.stream.close()
        os.close(self.ours)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def live(terminal: Terminal, *, colours: bool = True, why: bool = False) -> Live:
    return Live(Out(terminal.stream), Paint(colours=colours, unicode=True), why=why)


def log(tmp_path: Path, text: str, name: str = "log") -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_what_is_at_work_is_shown_with_its_time_and_last_output(terminal: Terminal, tmp_path: Path) -> None:
    with live(terminal) as shown:
        shown.started("a", "Train Model", 1, 2, "")
        shown.output_at("a", log(tmp_path, "epoch 1\n\x1b[31mepoch 2\x1b[0m\n"))
        shown.tick(100.0)
        assert terminal.read() == []
        shown.tick(102.5)
        assert terminal.read() == ["⠴ Train Model   0:02  epoch 2", "  0 of 2 steps done; 0:02"]
        assert not terminal.screen.cursor_is_shown
        shown.ended("a", "passed", 3.1, "rmse 0.42")
        shown.started("b", "Test Model", 2, 2, "")
        shown.tick(103.0)
        assert terminal.read() == [
            "✓ Train Model                3.10 s  rmse 0.42",
            "⠋ Test Model   0:00",
            "  1 of 2 steps done; 0:03",
        ]
        shown.ended("b", "passed", 0.2, "")
    assert terminal.read() == [
        "✓ Train Model                3.10 s  rmse 0.42",
        "✓ Test Model                 0.20 s",
    ]
    assert terminal.screen.cursor_is_shown


def test_a_quick_run_is_only_lines(terminal: Terminal) -> None:
    with live(terminal, colours=False) as shown:
        for i in range(20):
            shown.started(f"s{i}", f"S{i}", i + 1, 20, "")
            shown.tick(100.0 + i / 10)
            shown.ended(f"s{i}", "passed", 0.05, "")
            shown.tick(100.05 + i / 10)
    sent = terminal.read()
    assert len(sent) == 20
    assert terminal.screen.n_drawn == 0


def test_it_is_drawn_at_most_ten_times_a_second(terminal: Terminal) -> None:
    with live(terminal) as shown:
        shown.started("long", "Long", 1, 1001, "")
        shown.tick(0.0)
        for i in range(1000):
            shown.started(f"s{i}", f"S{i}", i + 2, 1001, "")
            shown.ended(f"s{i}", "passed", 0.001, "")
            shown.tick(1 + i / 1000)
            terminal.read()
        shown.ended("long", "passed", 2.0, "")
        assert terminal.screen.n_drawn <= 11
    assert len(terminal.read()) == 1001


def test_lines_are_cut_to_the_width_of_the_screen(terminal: Terminal, tmp_path: Path) -> None:
    with live(terminal) as shown:
        shown.started("a", "訓練モデル" * 10, 1, 1, "")
        shown.output_at("a", log(tmp_path, "数据 " * 100))
        shown.tick(0.0)
        shown.tick(1.0)
        for columns in (60, 61, 33, 20, 12, 5, 2, 1):
            terminal.resize(columns)
            shown.tick(columns * 10.0)
            rows = terminal.read()
            assert all(wcswidth(row) <= columns for row in rows)
            assert len(rows) <= 2


@pytest.mark.parametrize("to", [40, 23, 100])
def test_a_resized_window_shows_each_line_once(terminal: Terminal, tmp_path: Path, to: int) -> None:
    with live(terminal) as shown:
        shown.started("first", "First", 1, 3, "")
        shown.ended("first", "passed", 0.1, "")
        for step in "ab":
            shown.started(step, step.upper(), 2, 3, "")
            shown.output_at(step, log(tmp_path, f"{step}:" + "x" * 200, step))
        shown.tick(0.0)
        shown.tick(1.0)
        assert len(terminal.read()) == 4
        terminal.resize(to)
        shown.tick(2.0)
        text = "".join(terminal.read())
        assert [text.count(what) for what in ("First", "a:", "b:", "done")] == [1, 1, 1, 1]
        for step in "ab":
            shown.ended(step, "passed", 2.0, "")
    text = "".join(terminal.read())
    assert [text.count(what) for what in ("First", "✓ A", "✓ B", "done")] == [1, 1, 1, 0]


def test_a_hundred_at_work_do_not_flood_the_screen(terminal: Terminal) -> None:
    with live(terminal) as shown:
        for i in range(900):
            shown.reused(f"r{i}", "as in run 1")
        for i in range(100):
            shown.started(f"s{i}", f"S{i}", 901 + i, 1000, "")
        shown.tick(0.0)
        shown.tick(1.0)
        rows = terminal.read()
        assert rows[0] == "= 900 steps reused"
        assert rows[-2:] == ["  and 85 more at work", "  900 of 1000 steps done, 900 reused; 0:01"]
        assert len(rows) == 1 + 16 + 1


def test_a_low_screen_is_not_overrun() -> None:
    terminal = Terminal(rows=6)
    with live(terminal) as shown:
        for i in range(10):
            shown.started(f"s{i}", f"S{i}", i, 10, "")
        shown.tick(0.0)
        shown.tick(1.0)
        assert terminal.read()[1:] == ["  and 9 more at work", "  0 of 10 steps done; 0:01"]
    terminal.close()


def test_without_colours_only_the_cursor_is_told_what_to_do(terminal: Terminal) -> None:
    sent = io.StringIO()
    with Live(Out(sent), Paint(colours=False, unicode=True), why=False) as shown:
        shown.started("a", "A", 1, 1, "")
        shown.tick(0.0)
        shown.tick(1.0)
        shown.ended("a", "failed", 1.0, "exit code 1")
    assert not re.search(r"\x1b\[[0-9;]*m", sent.getvalue())


def test_the_cursor_comes_back_after_an_exception(terminal: Terminal) -> None:
    def interrupted() -> None:
        with live(terminal) as shown:
            shown.started("a", "A", 1, 1, "")
            shown.tick(0.0)
            shown.tick(1.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert terminal.read() == []
    assert terminal.screen.cursor_is_shown


def test_a_failing_steps_output_is_the_last_thing(terminal: Terminal, tmp_path: Path) -> None:
    with live(terminal) as shown:
        shown.started("a", "Train", 1, 1, "")
        shown.output_at("a", log(tmp_path, "Traceback\nValueError: no rows\n"))
        shown.tick(0.0)
        shown.tick(1.0)
        shown.ended("a", "failed", 1.0, "exit code 1")
    assert terminal.read() == [
        "✗ Train                      1.00 s  exit code 1",
        "",
        "Train, the end of its output:",
        "  | Traceback",
        "  | ValueError: no rows",
    ]


def test_why_a_step_runs_stays_when_asked(terminal: Terminal) -> None:
    with live(terminal, why=True) as shown:
        shown.started("a", "Train", 1, 1, "train.py changed")
        shown.ended("a", "passed", 1.0, "")
    assert terminal.read() == ["  Train: train.py changed", "✓ Train                      1.00 s"]


def test_a_clock_put_back_does_not_stop_the_drawing(terminal: Terminal) -> None:
    with live(terminal) as shown:
        shown.started("a", "A", 1, 1, "")
        for now in (1000.0, 1001.0, 500.0):
            shown.tick(now)
        assert terminal.screen.n_drawn == 0
        terminal.read()
        assert terminal.screen.n_drawn == 1


def test_a_terminal_that_goes_away_does_not_end_the_run(tmp_path: Path) -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.EIO, "hung up")

    with Live(Out(Gone()), Paint(colours=True, unicode=True), why=False) as shown:
        shown.started("a", "A", 1, 1, "")
        for now in range(5):
            shown.tick(float(now))
        shown.ended("a", "failed", 1.0, "")


@pytest.mark.parametrize(
    ("environ", "kind"), [({"TERM": "xterm"}, "Live"), ({"TERM": "dumb"}, "Lines"), ({"CI": "1"}, "Lines")], ids=str
)
def test_a_terminal_is_drawn_on_unless_it_is_none(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], kind: str
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    assert type(choose(environ, why=False, quiet=False)).__name__ == kind


def test_beside_json_nothing_is_shown(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    with choose({"TERM": "xterm"}, why=True, quiet=True) as shown:
        shown.started("a", "A", 1, 1, "changed")
        shown.ended("a", "failed", 1.0, "")
    assert terminal.read() == []
