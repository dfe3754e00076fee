"""What wakes the loop of `headway up` before its time: a signal, a file that changed, a hook that was called."""

import os
import select
from contextlib import suppress


class Bell:
    """Rung from anywhere, signal handlers and threads among it; who waits for it is one."""

    __slots__ = ("_poller", "_r", "_w")

    def __init__(self) -> None:
        self._r, self._w = os.pipe()
        os.set_blocking(self._r, False)
        os.set_blocking(self._w, False)
        # poll, not select: a process with many files open gets numbers that select does not take.
        self._poller = select.poll()
        self._poller.register(self._r, select.POLLIN)

    def ring(self) -> None:
        """End the wait that is under way, or the next one."""
        # BlockingIOError: it was rung more often than anybody could hear. EBADF: nobody waits any more.
        with suppress(OSError):
            os.write(self._w, b"!")

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until it is rung; whether it was."""
        # Rounded up: sleeping a little too short would turn the loop into a busy one.
        if not self._poller.poll(int(max(0.0, seconds) * 1000) + 1):
            return False
        with suppress(BlockingIOError):
            while len(os.read(self._r, 4096)) == 4096:
                pass
        return True

    def close(self) -> None:
        """Let go of it. May be called twice."""
        for fd in (self._r, self._w):
            if fd >= 0:
                os.close(fd)
        self._r = self._w = -1
