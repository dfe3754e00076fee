"""What `headway demo` sees before it begins; the story itself is told in `end_to_end/test_demo`."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.project import eventually_file
from headway.cli import dispatch
from headway.testing.processes import is_alive
from services import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of this machine on which somebody listens."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen()
        yield made.getsockname()[1]


@pytest.mark.parametrize(
    ("by_make", "again"), [(False, "take another: headway demo --port "), (True, "make demo PORT=")]
)
def test_a_port_that_is_taken_is_told_before_anything_is_made(
    by_make: bool,
    again: str,
    taken: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAKELEVEL", raising=False)
    if by_make:
        monkeypatch.setenv("MAKELEVEL", "1")
    assert dispatch(["demo", "--port", str(taken)]) == 5
    err = capsys.readouterr().err
    assert err.startswith(f"headway: the model cannot be served on port {taken}: address already in use\n")
    assert again in err
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_demo_stays_when_the_port_is_taken(
    taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / ".headway-demo").touch()
    assert dispatch(["demo", "--port", str(taken)]) == 5
    assert (tmp_path / "demo" / ".headway-demo").exists()


BROKEN_OFF = """
import os, signal
from headway.cli import demo
# Under nohup, as some CI is, hangups are ignored, and that is inherited.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
told = demo._Story(".", dict(os.environ))
with demo._broken_off(told, "."):
    told.command("sh", "-c", "trap 'echo ended > ended; exit 1' TERM; echo $$ > pid; while true; do sleep 0.05; done")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_story_that_is_ended_ends_the_command_it_is_at(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", BROKEN_OFF], cwd=tmp_path, stderr=subprocess.PIPE) as story:
        pid = int(eventually_file(tmp_path / "pid"))
        story.send_signal(number)
        _, told = story.communicate(timeout=60)
    assert b"_Terminated" in told
    assert (tmp_path / "ended").exists()
    assert not is_alive(pid)


@pytest.mark.slow
def test_a_story_that_is_ended_leaves_nothing_that_serves(tmp_path: Path) -> None:
    port = free_port()
    words = [sys.executable, "-m", "headway", "demo", "--short", "--port", str(port)]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as story:
        assert story.stdout is not None
        # It asks the model as soon as it serves.
        assert any(line.startswith("$ curl") for line in story.stdout)
        story.terminate()
        rest, _ = story.communicate(timeout=100)
    assert story.returncode == 130
    assert "$ headway endpoints --stop flights" in rest
    with socket.socket() as made, pytest.raises(ConnectionRefusedError):
        made.connect(("127.0.0.1", port))


def test_what_is_no_port_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["demo", "--port", "123456"]) == 2
    assert "123456 is no port" in capsys.readouterr().err
