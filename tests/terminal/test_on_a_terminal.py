"""`headway run` on a pseudo-terminal of its own, from the outside."""

import os
import pty
import signal
import sys
import time
from pathlib import Path

import pytest

PIPELINE = """
steps:
  - name: Quick
    run: echo quick
  - name: Slow
    run: echo 'at work'; sleep 20
"""


def read_until(fd: int, wanted: bytes, *, within_s: float = 20.0) -> bytes:
    seen = b""
    give_up_at = time.monotonic() + within_s
    while wanted not in seen:
        assert time.monotonic() < give_up_at, seen
        try:
            seen += os.read(fd, 65536)
        except OSError:  # the other side was closed
            break
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_gives_the_terminal_back(tmp_path: Path, number: int) -> None:
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    ours, theirs = pty.openpty()
    env = {"PATH": os.environ["PATH"], "TERM": "xterm", "LANG": "C.UTF-8", "PYTHONUTF8": "1"}  # noqa: TID251 (a child's)
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "headway", "run", "-C", str(tmp_path)],
        env,
        file_actions=[(os.POSIX_SPAWN_DUP2, theirs, fd) for fd in range(3)],
        setsid=True,
    )
    os.close(theirs)
    seen = read_until(ours, b"at work")
    assert b"\x1b[?25l" in seen
    os.kill(pid, number)
    seen = read_until(ours, b"next: headway resume")
    assert b"\x1b[?25h" in seen
    assert b"interrupted" in seen
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    os.close(ours)
