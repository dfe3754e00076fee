"""What `headway demo` sees before it begins; the story itself is told in `end_to_end/test_demo`."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from headway.cli import dispatch


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


def test_what_is_no_port_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["demo", "--port", "123456"]) == 2
    assert "123456 is no port" in capsys.readouterr().err
