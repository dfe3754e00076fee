"""`headway` and `python -m headway`: help and version without importing anything, else the one command asked for."""

import os
import sys


def main() -> int:
    """Run one command; returns its exit code (design, section 6), or leaves the interpreter with it."""
    import gc

    if None in (sys.stdin, sys.stdout, sys.stderr):
        _open_streams()
    for stream in (sys.stdout, sys.stderr):
        # Names of files and what steps print may hold what the terminal's encoding does not.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # the interpreter's own streams
    # Commands make many values and few cycles: the default looks for cycles so often that it costs a tenth of a run.
    # Ten times as seldom, what waits to be found stays under 5 MB.
    gc.set_threshold(10_000, 20, 20)
    try:
        from headway.cli import dispatch

        code = dispatch(sys.argv[1:])
    except KeyboardInterrupt:
        # So early that no command could take care of it.
        sys.stderr.write("headway: interrupted\n")
        code = 130
    if sys.argv[1:2] != ["perform"]:
        # Everything is closed and written: to take every module apart would cost a short command another tenth. Not so
        # in a step's own process: libraries that a step uses may have things to do at exit.
        _leave(code)
    return code


def _leave(code: int) -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        # The reader has gone, or its disk is full; `dispatch` said all there is to say about that.
        pass
    os._exit(code)


def _open_streams() -> None:
    """Point streams that were closed by whoever started this at nothing, before a file of ours gets their numbers."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115 (open as long as this process is)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115 (as above)
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115 (as above)


if __name__ == "__main__":
    sys.exit(main())
