"""Start one command from a small process and say what it cost: `launch.py LOG TIMEOUT_S COMMAND...`.

Linux counts a process's peak memory from before its exec, so a child never looks smaller than the process that started
it. This launcher is therefore run with `python -I -S`, imports next to nothing and is the harness's only way to start
what it measures. Prints one line: status (as the shell gives it), wall seconds, CPU seconds of the whole tree that was
waited for, peak resident bytes of the largest process in it.
"""

import os
import signal
import sys
import time


def main(log: str, timeout_s: str, *command: str) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    redirect = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, out, 1),
        (os.POSIX_SPAWN_DUP2, out, 2),
    ]
    start = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=redirect, setpgroup=0)  # noqa: TID251 - a launcher passes its own environment on

    def stop(signum: int, frame: object) -> None:  # noqa: ARG001 - what signal.signal asks for
        os.killpg(child, signal.SIGKILL)

    for signum in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, stop)
    signal.alarm(int(timeout_s))
    _, status, usage = os.wait4(child, 0)
    wall_s = time.perf_counter() - start
    # ru_maxrss is kilobytes on Linux and bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    print(os.waitstatus_to_exitcode(status), wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


main(*sys.argv[1:])
