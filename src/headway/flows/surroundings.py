"""Where a run's code came from and what it runs on: commit, uncommitted changes, interpreter, packages, machine.

Git is asked while the pipeline is still being read (`ask` before, `answer` after), so that it costs a run nothing.
"""

import os
from collections.abc import Mapping
from contextlib import suppress

from headway import __version__
from headway.core.facts import Place, Source
from headway.flows.commands import find
from headway.ports import Blobs

MAX_DIFF_BYTES = 8 * 2**20
"""A larger diff is cut: it is data that was left out of `.gitignore`, and its first part tells which."""

_PATHS = (".", ":(exclude)headway.lock")
"""What may differ from the commit: all but the lock, which is what a run makes and not what it is made from."""


class Asked:
    """Questions to Git under way: a process and the pipe its answer comes through, each."""

    __slots__ = ("processes",)

    def __init__(self, processes: list[tuple[int, int]]) -> None:
        self.processes = processes


def ask(folder: str, environ: Mapping[str, str]) -> Asked | None:
    """Ask Git about the project's folder; None when it is in no repository or there is no Git."""
    if not _in_repository(folder):
        return None
    program = find("git", environ)
    if program is None:
        return None
    git = (program, "-C", folder, "-c", "core.quotepath=off")
    questions = (
        (*git, "rev-parse", "HEAD", "--abbrev-ref", "HEAD"),
        (*git, "status", "--porcelain=v1", "--untracked-files=normal", "--", *_PATHS),
        (*git, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", "--", *_PATHS),
    )
    processes: list[tuple[int, int]] = []
    try:
        for question in questions:
            processes.append(_spawn(question, environ))  # noqa: PERF401 (those begun before one fails must be known)
    except OSError:
        for pid, pipe in processes:
            _collect(pid, pipe)
        return None
    return Asked(processes)


def answer(asked: Asked | None, blobs: Blobs) -> Source:
    """What Git said. The diff, with the names of what is untracked, is kept as a blob."""
    if asked is None:
        return Source()
    names, status, diff = [_collect(pid, pipe) for pid, pipe in asked.processes]
    words = names.decode("utf-8", "replace").split()
    if not words or words[0] == "HEAD":
        return Source()
    changed = status + b"\n" + diff if status else b""
    return Source(
        commit=words[0],
        branch=words[1] if len(words) > 1 and words[1] != "HEAD" else None,
        diff=blobs.put(changed) if changed else None,
    )


def place(environ: Mapping[str, str], blobs: Blobs) -> Place:
    """The machine and the interpreter that the steps find first on PATH."""
    system = os.uname()
    python, version, packages = _interpreter(environ)
    listing = "\n".join(packages).encode()
    return Place(
        python=f"{version} {python}".strip(),
        platform=f"{system.sysname} {system.release} {system.machine}",
        host=system.nodename,
        user=user(environ),
        headway=__version__,
        packages=blobs.put(listing) if listing else None,
    )


def user(environ: Mapping[str, str]) -> str:
    """Who runs this: `USER` or `LOGNAME`, or the name that the machine has for them, at worst their number there."""
    named = environ.get("USER") or environ.get("LOGNAME")
    if named:
        return named
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _in_repository(folder: str) -> bool:
    while True:
        if os.path.exists(os.path.join(folder, ".git")):
            return True
        above = os.path.dirname(folder)
        if above == folder:
            return False
        folder = above


def _spawn(argv: tuple[str, ...], environ: Mapping[str, str]) -> tuple[int, int]:
    """Start a command with its output in a pipe; `subprocess` would cost every run 10 ms of import."""
    read, write = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
        env = {**environ, "GIT_OPTIONAL_LOCKS": "0"}
        return os.posix_spawn(argv[0], argv, env, file_actions=actions), read
    except OSError:
        os.close(read)
        raise
    finally:
        os.close(write)
        os.close(null)


def _collect(pid: int, pipe: int) -> bytes:
    taken = bytearray()
    while block := os.read(pipe, 1 << 16):
        if len(taken) < MAX_DIFF_BYTES:
            taken += block
    os.close(pipe)
    os.waitpid(pid, 0)
    return bytes(taken[:MAX_DIFF_BYTES])


def _interpreter(environ: Mapping[str, str]) -> tuple[str, str, list[str]]:
    """The `python` that steps find, its version, and `name==version` of what is installed for it.

    Looked up in its files: asking it would cost every run 20 ms. Empty where they do not tell (pyenv's shims, say).
    """
    python = find("python", environ) or find("python3", environ)
    if python is None:
        return "", "", []
    prefix = os.path.dirname(os.path.dirname(python))
    version = _version(prefix, python)
    short = ".".join(version.split(".")[:2])
    found = set()
    for folder in (f"python{short}/site-packages", "python3/dist-packages", f"python{short}/dist-packages"):
        with suppress(OSError):
            found |= {
                "==".join(name.removesuffix(".dist-info").rsplit("-", 1))
                for name in os.listdir(os.path.join(prefix, "lib", folder))
                if name.endswith(".dist-info")
            }
    return python, version, sorted(found)


def _version(prefix: str, python: str) -> str:
    """To the last digit where a virtual environment says it, else as far as the program's name does."""
    with suppress(OSError, UnicodeDecodeError), open(os.path.join(prefix, "pyvenv.cfg"), encoding="utf-8") as file:
        for line in file:
            name, _, value = line.partition("=")
            if name.strip() in ("version", "version_info"):
                return value.strip()
    return os.path.basename(os.path.realpath(python)).removeprefix("python")
