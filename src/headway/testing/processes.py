"""What tests see of files and processes with their own eyes, not with those of what they test. Looks into /proc."""

import os
import time
from collections.abc import Callable
from contextlib import suppress


def read(path: str) -> bytes:
    """A file's bytes."""
    with open(path, "rb") as file:
        return file.read()


def write(path: str, text: str) -> None:
    """Make a file, and its folder."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def script(path: str, text: str) -> None:
    """Make an executable file."""
    write(path, text)
    os.chmod(path, 0o700)


def eventually(holds: Callable[[], bool], *, within_s: float = 60.0) -> None:
    """Wait until something holds; fails when it does not."""
    give_up_at = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up_at, f"not within {within_s} s"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(OSError):
        return read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[0] != b"Z"
    return os.path.isdir("/proc") is False


def marked(root: str) -> list[int]:
    """The pids of all processes whose environment tells of this root: the suite's own look, not the runner's."""
    found = []
    for name in os.listdir("/proc"):
        with suppress(OSError):
            if name.isdigit() and f"={root}/".encode() in read(f"/proc/{name}/environ"):
                found.append(int(name))
    return found


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self") else "/dev/fd"))


def own_memory() -> int:
    """The resident memory of this process, in bytes; 0 where /proc does not tell."""
    with suppress(OSError):
        return int(read("/proc/self/statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def is_inheritable(fd: int) -> bool:
    """Whether this process would hand a descriptor on to what it starts."""
    with suppress(OSError):
        return os.get_inheritable(fd)
    return False
